// Tensors made and read. A tensor of a sparse layout is its stored values, as a dense tensor of their own, under
// a pattern or row index that was checked when it was made.
#include <gradus/core/tensor/tensor.h>

#include <gradus/core/at.h>
#include <gradus/core/device/accelerator.h>
#include <gradus/core/error.h>
#include <gradus/core/listed.h>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>

namespace gradus {

namespace {

// A number of a literal as a T; what would not be the same number is refused.
template <class T>
T number_as(const Number& number) {
  constexpr DType dtype = dtype_of<T>;
  if (!number.fits(dtype)) {
    const std::string text = to_string(number);
    if constexpr (std::same_as<T, bool>) {
      fail<ValueError>("{} is not a {}; 0 and 1 are", text, dtype);
    } else if constexpr (std::integral<T>) {
      fail<ValueError>("{} is not an {}; whole numbers from {} to {} are", text, dtype, std::numeric_limits<T>::min(),
                       std::numeric_limits<T>::max());
    } else {
      fail<ValueError>("{} is not a {}; its largest number is {}", text, dtype, std::numeric_limits<T>::max());
    }
  }
  return number.as<T>();
}

// Writes the numbers of `list`, which lies at `path` in the whole, and returns where the next ones go.
template <class T>
T* fill(std::span<const Tensor::Literal> list, const std::vector<std::int64_t>& dims, std::vector<std::int64_t>& path,
        T* out) {
  const std::int64_t dim = dims[path.size()];
  if (static_cast<std::int64_t>(list.size()) != dim)
    fail<TypeError>("Tensor: the list at [{}] has {} element{} but the first beside it has {}", listed(path),
                    list.size(), plural(static_cast<std::int64_t>(list.size())), dim);
  const bool lists = path.size() + 1 < dims.size();
  for (std::size_t i = 0; i < list.size(); ++i) {
    path.push_back(static_cast<std::int64_t>(i));
    if (list[i].is_list() != lists)
      fail<TypeError>("Tensor: there is a {} at [{}] but a {} at the first place beside it", lists ? "number" : "list",
                      listed(path), lists ? "list" : "number");
    if (lists) {
      out = fill(list[i].list(), dims, path, out);
    } else {
      *out++ = number_as<T>(list[i].number());
    }
    path.pop_back();
  }
  return out;
}

}  // namespace

std::string_view to_string(Layout layout) {
  constexpr std::string_view names[] = {"dense", "csr", "rows", "part"};
  return names[static_cast<int>(layout)];
}

std::string to_string(const Type& type) {
  if (type.layout == Layout::dense) return fmt::format("{} {}", type.dtype, type.shape);
  return fmt::format("{} {} {}", type.dtype, to_string(type.layout), type.shape);
}

Tensor::Tensor() { type_.shape = {0}; }

Tensor Tensor::scalar(const Number& value, DType dtype) {
  return dispatch(dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    return make<T>({}, [&](std::span<T> out) { out[0] = number_as<T>(value); });
  });
}

Tensor::Tensor(std::initializer_list<Literal> values, DType dtype) {
  const std::span<const Literal> list(values.begin(), values.size());
  std::vector<std::int64_t> dims;
  for (std::span<const Literal> inner = list;; inner = inner[0].list()) {
    dims.push_back(static_cast<std::int64_t>(inner.size()));
    if (inner.empty() || !inner[0].is_list()) break;
  }
  *this = uninitialized({dtype, Shape(dims), Layout::dense});
  dispatch(dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    std::vector<std::int64_t> path;
    fill(list, dims, path, writable<T>().data());
  });
}

Tensor Tensor::uninitialized(const Type& type) {
  if (!type.shape.known())
    fail<TypeError>("Tensor: shape {} has an unknown dimension; a tensor's are all known", type.shape);
  if (type.layout != Layout::dense)
    fail<TypeError>("Tensor: memory of type {} was asked for; only dense tensors are made so", type);
  Tensor out;
  out.type_ = type;
  out.stored_ = type.shape.size();
  auto memory = std::make_shared<Buffer>(as_size(out.stored_) * size_of(type.dtype));
  std::byte* const first = memory->data();
  out.storage_ = {std::move(memory), first};
  return out;
}

Tensor Tensor::on(const Type& type, std::shared_ptr<std::byte> memory) {
  if (!type.shape.known() || type.layout != Layout::dense)
    fail<TypeError>("Tensor: a tensor {} on memory was asked for; only dense ones of known shape are made so", type);
  Tensor out;
  out.type_ = type;
  out.stored_ = type.shape.size();
  out.storage_ = std::move(memory);
  return out;
}

template <Element T>
Tensor Tensor::from(std::span<const T> values, const Shape& shape) {
  if (!shape.known() || shape.size() != static_cast<std::int64_t>(values.size()))
    fail<TypeError>("Tensor: {} value{} for shape {}{}", values.size(),
                    values.size() == 1 ? " was given" : "s were given", shape,
                    shape.known() ? fmt::format(", which holds {}", shape.size()) : ", which is not all known");
  return make<T>(shape, [&](std::span<T> out) { std::copy(values.begin(), values.end(), out.begin()); });
}

template <Element T>
Tensor Tensor::from(const std::vector<T>& values, const Shape& shape) {
  if constexpr (std::same_as<T, bool>) {
    // vector<bool> packs its bits: no span can show them.
    const auto bytes = std::make_unique<bool[]>(values.size());
    std::copy(values.begin(), values.end(), bytes.get());
    return from(std::span<const bool>(bytes.get(), values.size()), shape);
  } else {
    return from(std::span<const T>(values), shape);
  }
}

Tensor Tensor::rows(const Shape& shape, std::shared_ptr<const RowIndex> index, const Tensor& values, Layout layout) {
  const Type type{values.dtype(), shape, layout};
  if (layout != Layout::rows && layout != Layout::part)
    fail<TypeError>("rows: layout {} was asked for; rows and part are the two that hold rows", to_string(layout));
  if (!shape.known() || shape.rank() == 0) fail<TypeError>("rows: a tensor {} has no rows to hold", type);
  const std::vector<Index>& row = index->row;
  const Shape needed = shape.with(0, index->count());
  if (values.layout() != Layout::dense || values.shape() != needed)
    fail<TypeError>("rows: values are {} for {} row{} of {}; dense {} is needed", values.type(), index->count(),
                    plural(index->count()), shape, needed);
  for (std::size_t i = 0; i < row.size(); ++i) {
    if (row[i] < 0 || row[i] >= shape[0])
      fail<ValueError>("rows: row {} of {} is named; rows are 0 to {}", row[i], shape, shape[0] - 1);
    if (i > 0 && row[i] <= row[i - 1])
      fail<ValueError>("rows: row {} is named after row {}; rows must ascend, each once", row[i], row[i - 1]);
  }
  Tensor out = values;
  out.type_ = type;
  out.index_ = std::move(index);
  return out;
}

std::int64_t Tensor::dim(int axis) const {
  if (axis < -rank() || axis >= rank())
    fail<ValueError>("dim: axis {} of a tensor {} was asked for; it has {} ax{}s", axis, shape(), rank(),
                     rank() == 1 ? "i" : "e");
  return shape()[axis < 0 ? axis + rank() : axis];
}

void Tensor::check_dtype(DType asked) const {
  if (asked != dtype()) fail<TypeError>("span: the tensor is {}, not {}; cast it first", type_, asked);
}

void Tensor::refuse_to_read() const {
  fail<TypeError>("the numbers of a tensor {} lie on {}; read those of its to(Device::cpu())", type_,
                  accelerator_->name());
}

double Tensor::stored_value(std::int64_t position) const {
  return dispatch(dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    return static_cast<double>(reinterpret_cast<const T*>(data())[position]);
  });
}

double Tensor::item() const {
  if (size() != 1)
    fail<TypeError>("item: the tensor is {}, which has {} elements; item needs exactly 1", type_, size());
  if (stored_ == 1) return stored_value(0);
  if (layout() == Layout::part) fail<ValueError>("item: the tensor is {} and does not hold its row", type_);
  return 0;
}

double Tensor::at(std::initializer_list<std::int64_t> index) const {
  const auto given = std::span(index.begin(), index.size());
  if (index.size() != as_size(rank()))
    fail<ValueError>("at: [{}] names {} of {} axes of a tensor {}", listed(given), index.size(), rank(), type_);
  std::array<std::int64_t, Shape::max_rank> where{};
  for (int axis = 0; axis < rank(); ++axis) {
    const std::int64_t asked = given[as_size(axis)];
    const std::int64_t dim = shape()[axis];
    if (asked < -dim || asked >= dim)
      fail<ValueError>("at: [{}] is outside {}; axis {} has size {}", listed(given), type_, axis, dim);
    where[as_size(axis)] = asked < 0 ? asked + dim : asked;
  }
  std::int64_t position = 0;
  if (layout() == Layout::csr) {
    const auto begin = pattern_->column.begin() + pattern_->row_start[as_size(where[0])];
    const auto end = pattern_->column.begin() + pattern_->row_start[as_size(where[0] + 1)];
    const auto found = std::lower_bound(begin, end, static_cast<Index>(where[1]));
    return found == end || *found != where[1] ? 0 : stored_value(found - pattern_->column.begin());
  }
  if (layout() != Layout::dense) {
    const auto& row = index_->row;
    const auto found = std::lower_bound(row.begin(), row.end(), static_cast<Index>(where[0]));
    if (found == row.end() || *found != where[0]) {
      if (layout() == Layout::part) fail<ValueError>("at: row {} is not held by a tensor {}", where[0], type_);
      return 0;
    }
    where[0] = found - row.begin();
  }
  for (int axis = 0; axis < rank(); ++axis) position = position * shape()[axis] + where[as_size(axis)];
  return stored_value(position);
}

Tensor::Iterator Tensor::begin() const {
  if (layout() != Layout::dense)
    fail<TypeError>("begin: the tensor is {}; only dense ones are iterated, so take to_dense() or span()", type_);
  return {this, 0};
}

template Tensor Tensor::from(std::span<const float>, const Shape&);
template Tensor Tensor::from(std::span<const double>, const Shape&);
template Tensor Tensor::from(std::span<const std::int32_t>, const Shape&);
template Tensor Tensor::from(std::span<const std::int64_t>, const Shape&);
template Tensor Tensor::from(std::span<const bool>, const Shape&);
template Tensor Tensor::from(const std::vector<float>&, const Shape&);
template Tensor Tensor::from(const std::vector<double>&, const Shape&);
template Tensor Tensor::from(const std::vector<std::int32_t>&, const Shape&);
template Tensor Tensor::from(const std::vector<std::int64_t>&, const Shape&);
template Tensor Tensor::from(const std::vector<bool>&, const Shape&);

}  // namespace gradus
