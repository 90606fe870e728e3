// Tensors converted and compared. A sparse layout is compared with any other through its entries: the stored
// elements in row-major order, each with its place in the dense tensor, so nothing is ever made dense for it.
#include <gradus/core/at.h>
#include <gradus/core/error.h>
#include <gradus/core/tensor/tensor.h>

#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstring>
#include <limits>

namespace gradus {

namespace {

// A T as a U, as a cast does it: floats are cut toward zero, and what lies beyond the integers becomes the
// nearest of them (NaN becomes 0), as on a GPU, where C++ leaves it undefined.
template <class U, class T>
U converted(T value) {
  if constexpr (std::same_as<U, bool>) {
    return value != T{0};
  } else if constexpr (std::integral<U> && std::floating_point<T>) {
    constexpr T below = -static_cast<T>(std::numeric_limits<U>::min());
    if (std::isnan(value)) return 0;
    if (value >= below) return std::numeric_limits<U>::max();
    if (value < -below) return std::numeric_limits<U>::min();
    return static_cast<U>(value);
  } else {
    return static_cast<U>(value);
  }
}

// The elements that a tensor stores, in row-major order.
class Entries {
 public:
  explicit Entries(const Tensor& tensor) : tensor_(tensor) {
    for (int axis = 1; axis < tensor.rank(); ++axis) width_ *= tensor.shape()[axis];
    skip_empty_rows();
  }

  bool done() const { return position_ == tensor_.stored(); }
  double value() const { return tensor_.stored_value(position_); }
  /// Where the element stands in the dense tensor.
  std::int64_t place() const {
    if (tensor_.layout() == Layout::dense) return position_;
    if (tensor_.layout() == Layout::csr) return row_ * width_ + tensor_.pattern()->column[as_size(position_)];
    return tensor_.index()->row[as_size(position_ / width_)] * width_ + position_ % width_;
  }
  void next() {
    ++position_;
    skip_empty_rows();
  }

 private:
  void skip_empty_rows() {
    if (tensor_.layout() != Layout::csr) return;
    const auto& row_start = tensor_.pattern()->row_start;
    while (position_ < tensor_.stored() && row_start[as_size(row_ + 1)] <= position_) ++row_;
  }

  const Tensor& tensor_;
  std::int64_t width_ = 1;  // elements of a row
  std::int64_t position_ = 0;
  std::int64_t row_ = 0;  // csr only
};

}  // namespace

Tensor Tensor::cast(DType dtype) const {
  if (dtype == type_.dtype) return *this;
  Tensor out = uninitialized({dtype, {stored_}, Layout::dense});
  dispatch(type_.dtype, [&](auto from_tag) {
    using T = typename decltype(from_tag)::type;
    dispatch(dtype, [&](auto to_tag) {
      using U = typename decltype(to_tag)::type;
      const std::span<const T> values = span<T>();
      std::transform(values.begin(), values.end(), out.writable<U>().begin(), converted<U, T>);
    });
  });
  out.type_ = {dtype, shape(), layout()};
  out.pattern_ = pattern_;
  out.index_ = index_;
  out.ones_ = ones_;
  return out;
}

Tensor Tensor::to_dense() const {
  if (layout() == Layout::dense) return *this;
  if (layout() == Layout::part)
    fail<TypeError>("to_dense: the tensor is {}; what its other rows are is not known", type_);
  Tensor out = uninitialized({dtype(), shape(), Layout::dense});
  const std::size_t element = size_of(dtype());
  if (out.stored_ > 0) std::memset(out.writable_data(), 0, as_size(out.stored_) * element);
  if (layout() == Layout::rows) {
    const std::size_t row_bytes = shape()[0] == 0 ? 0 : as_size(size() / shape()[0]) * element;
    for (std::size_t i = 0; row_bytes > 0 && i < index_->row.size(); ++i)
      std::memcpy(out.writable_data() + as_size(index_->row[i]) * row_bytes, data() + i * row_bytes, row_bytes);
    return out;
  }
  dispatch(dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    const std::span<T> to = out.writable<T>();
    const std::span<const T> values = span<T>();
    for (std::int64_t r = 0; r < pattern_->rows; ++r)
      for (std::int64_t p = pattern_->row_start[as_size(r)]; p < pattern_->row_start[as_size(r + 1)]; ++p)
        to[as_size(r * pattern_->columns + pattern_->column[as_size(p)])] = values[as_size(p)];
  });
  return out;
}

Tensor Tensor::to_csr() const {
  if (layout() == Layout::csr) return *this;
  if (layout() != Layout::dense || rank() != 2)
    fail<TypeError>("to_csr: the tensor is {}; a dense one of rank 2 is needed", type_);
  auto pattern = std::make_shared<CsrPattern>();
  pattern->rows = shape()[0];
  pattern->columns = shape()[1];
  if (std::max(pattern->rows, pattern->columns) > max_sparse_dimension)
    fail<ValueError>("to_csr: the tensor is {}; a CSR matrix has at most {} rows and columns", type_,
                     max_sparse_dimension);
  pattern->row_start.reserve(as_size(pattern->rows) + 1);
  return dispatch(dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    const std::span<const T> values = span<T>();
    const auto non_zeros = std::count_if(values.begin(), values.end(), [](T value) { return value != T{0}; });
    const std::span<Index> column = pattern->new_column(non_zeros);
    Tensor stored = make<T>({non_zeros}, [&](std::span<T> out) {
      std::size_t position = 0;
      for (std::int64_t r = 0; r < pattern->rows; ++r) {
        for (std::int64_t c = 0; c < pattern->columns; ++c) {
          const T value = values[as_size(r * pattern->columns + c)];
          if (value == T{0}) continue;
          out[position] = value;
          column[position++] = static_cast<Index>(c);
        }
        pattern->row_start.push_back(static_cast<std::int64_t>(position));
      }
    });
    return csr(std::move(pattern), stored);
  });
}

Tensor Tensor::reshape(const Shape& shape) const {
  if (shape == this->shape()) return *this;
  if (layout() != Layout::dense)
    fail<TypeError>("reshape: the tensor is {}; only dense ones are reshaped, so take to_dense() first", type_);
  Shape known = shape;
  const auto unknown = std::count(shape.begin(), shape.end(), any);
  if (unknown > 1) fail<TypeError>("reshape: {} has {} unknown dimensions; one can be worked out", shape, unknown);
  if (unknown == 1) {
    const int axis = static_cast<int>(std::find(shape.begin(), shape.end(), any) - shape.begin());
    const std::int64_t others = shape.with(axis, 1).size();
    if (others == 0) fail<TypeError>("reshape: the unknown dimension of {} could be of any size", shape);
    if (size() % others != 0)
      fail<TypeError>("reshape: the tensor is {} with {} element{}; for {} it must be a multiple of {}", type_, size(),
                      plural(size()), shape, others);
    known = shape.with(axis, size() / others);
  }
  if (known.size() != size())
    fail<TypeError>("reshape: the tensor is {} with {} element{} but {} holds {}", type_, size(), plural(size()), shape,
                    shape.size());
  Tensor out = *this;
  out.type_.shape = known;
  return out;
}

Tensor Tensor::values() const {
  Tensor out = on({dtype(), {stored_}, Layout::dense}, storage_);
  out.accelerator_ = accelerator_;
  return out;
}

Tensor Tensor::row_range(std::int64_t first, std::int64_t count) const {
  if (rank() == 0 || (layout() != Layout::dense && layout() != Layout::csr))
    fail<TypeError>("row_range: the tensor is {}; a dense or csr one that has rows is needed", type_);
  if (first < 0 || count < 0 || first > shape()[0] - count)
    fail<ValueError>("row_range: {} row{} from row {} of a tensor {} were asked for; it has {}", count, plural(count),
                     first, type_, shape()[0]);
  if (layout() == Layout::csr) {
    auto pattern = std::make_shared<CsrPattern>();
    pattern->set_rows(pattern_, first, count);
    if (ones_) return ones_at(std::move(pattern));
    const Tensor part = values().row_range(pattern_->row_start[as_size(first)], pattern->non_zeros());
    return csr(std::move(pattern), part);
  }
  const Shape part = shape().with(0, count);
  const auto row_bytes = as_size(shape().slice(1, rank()).size()) * size_of(dtype());
  // No address is counted from where there is no memory.
  const std::size_t skipped = stored_ > 0 ? as_size(first) * row_bytes : 0;
  Tensor out = on({dtype(), part, Layout::dense}, {storage_, storage_.get() + skipped});
  out.accelerator_ = accelerator_;
  return out;
}

bool operator==(const Tensor& a, const Tensor& b) {
  if (a.type_ != b.type_ || a.stored_ != b.stored_) return false;
  if (a.pattern_ != b.pattern_ &&
      (a.pattern_->row_start != b.pattern_->row_start || !std::ranges::equal(a.pattern_->column, b.pattern_->column)))
    return false;
  if (a.index_ != b.index_ && a.index_->row != b.index_->row) return false;
  return dispatch(a.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    return std::equal(a.span<T>().begin(), a.span<T>().end(), b.span<T>().begin());
  });
}

bool allclose(const Tensor& a, const Tensor& b, double rtol, double atol) {
  if (a.shape() != b.shape())
    fail<TypeError>("allclose: a is {} but b is {}; shapes must be equal", a.type(), b.type());
  const bool a_is_part = a.layout() == Layout::part;
  if (a_is_part != (b.layout() == Layout::part) || (a_is_part && a.index()->row != b.index()->row))
    fail<TypeError>("allclose: a is {} and b is {}; a part is compared with a part that holds the same rows", a.type(),
                    b.type());
  const auto close = [&](double x, double y) {
    return x == y || (std::isfinite(y) && std::abs(x - y) <= atol + rtol * std::abs(y));
  };
  Entries of_a(a);
  Entries of_b(b);
  while (!of_a.done() || !of_b.done()) {
    const std::int64_t place_a = of_a.done() ? INT64_MAX : of_a.place();
    const std::int64_t place_b = of_b.done() ? INT64_MAX : of_b.place();
    // What one of the two leaves out is zero.
    if (!close(place_a <= place_b ? of_a.value() : 0, place_b <= place_a ? of_b.value() : 0)) return false;
    if (place_a <= place_b) of_a.next();
    if (place_b <= place_a) of_b.next();
  }
  return true;
}

}  // namespace gradus
