#include <gradus/core/cluster/piece_sums.h>

#include <gradus/core/at.h>
#include <gradus/core/cluster/communicator.h>
#include <gradus/core/tensor/dtype.h>

#include <algorithm>
#include <cstring>
#include <memory>

namespace gradus {

namespace {

// The rows of two indices, and at which place of the union each of theirs is.
struct Union {
  std::shared_ptr<const RowIndex> a, b, both;
  std::vector<std::int64_t> of_a, of_b;  // by place in the union: the place there, or -1
};

Union union_of(const std::shared_ptr<const RowIndex>& a, const std::shared_ptr<const RowIndex>& b) {
  Union out{a, b, nullptr, {}, {}};
  auto both = std::make_shared<RowIndex>();
  both->row.reserve(a->row.size() + b->row.size());
  std::size_t i = 0, j = 0;
  while (i < a->row.size() || j < b->row.size()) {
    const bool from_a = j == b->row.size() || (i < a->row.size() && a->row[i] <= b->row[j]);
    const bool from_b = i == a->row.size() || (j < b->row.size() && b->row[j] <= a->row[i]);
    both->row.push_back(from_a ? a->row[i] : b->row[j]);
    out.of_a.push_back(from_a ? static_cast<std::int64_t>(i++) : -1);
    out.of_b.push_back(from_b ? static_cast<std::int64_t>(j++) : -1);
  }
  out.both = std::move(both);
  return out;
}

template <class T>
void add_numbers(const T* a, const T* b, std::int64_t count, T* sum) {
  for (std::int64_t i = 0; i < count; ++i) sum[i] = static_cast<T>(a[i] + b[i]);
}

Tensor sum_of_dense(const Tensor& a, const Tensor& b) {
  Tensor sum = Tensor::uninitialized(a.type());
  dispatch_number(a.dtype(), [&]<class T>(TypeTag<T>) {
    add_numbers(a.span<T>().data(), b.span<T>().data(), a.stored(), sum.writable<T>().data());
  });
  return sum;
}

std::int64_t row_size_of(const Tensor& rows) {
  std::int64_t size = 1;
  for (int axis = 1; axis < rows.rank(); ++axis) size *= rows.dim(axis);
  return size;
}

Tensor sum_of_rows(const Tensor& a, const Tensor& b, const Union& rows) {
  const std::int64_t width = row_size_of(a);
  const auto held = static_cast<std::int64_t>(rows.both->row.size());
  Tensor numbers = Tensor::uninitialized({a.dtype(), a.shape().with(0, held), Layout::dense});
  dispatch_number(a.dtype(), [&]<class T>(TypeTag<T>) {
    T* to = numbers.writable<T>().data();
    const T *from_a = a.span<T>().data(), *from_b = b.span<T>().data();
    for (std::int64_t i = 0; i < held; ++i, to += width) {
      const std::int64_t in_a = rows.of_a[at(i)], in_b = rows.of_b[at(i)];
      if (in_a >= 0 && in_b >= 0)
        add_numbers(from_a + in_a * width, from_b + in_b * width, width, to);
      else
        std::copy_n(in_a >= 0 ? from_a + in_a * width : from_b + in_b * width, width, to);
    }
  });
  return Tensor::rows(a.shape(), rows.both, numbers);
}

// --- Bytes: of one machine's kind, since all ranks run one program -----------------------------------------

class Writer {
 public:
  template <class T>
  void number(T value) {
    numbers(std::span<const T>(&value, 1));
  }
  template <class T>
  void numbers(std::span<const T> values) {
    bytes(std::as_bytes(values));
  }
  void bytes(std::span<const std::byte> values) { out.insert(out.end(), values.begin(), values.end()); }
  std::vector<std::byte> out{};
};

class Reader {
 public:
  explicit Reader(std::span<const std::byte> bytes) : left_(bytes) {}
  template <class T>
  T number() {
    T value;
    read(&value, sizeof(T));
    return value;
  }
  void read(void* to, std::size_t bytes) {
    if (left_.size() < bytes) fail<ClusterError>("a rank has sent sums that end too early");
    if (bytes > 0) std::memcpy(to, left_.data(), bytes);
    left_ = left_.subspan(bytes);
  }
  bool empty() const { return left_.empty(); }

 private:
  std::span<const std::byte> left_;
};

std::size_t bytes_of(const Tensor& x) { return as_size(x.stored()) * size_of(x.dtype()); }

// Of a vector of sums, the first that has the index of number i.
std::size_t first_with_index(const std::vector<Tensor>& all, std::size_t i) {
  std::size_t first = 0;
  while (all[first].index() != all[i].index()) ++first;
  return first;
}

void write_type(Writer& to, const Type& type) {
  to.number(static_cast<std::uint8_t>(type.dtype));
  to.number(static_cast<std::uint8_t>(type.layout));
  to.number(static_cast<std::uint16_t>(type.shape.rank()));
  to.numbers(type.shape.dims());
}

// dtype, layout, rank, dimensions; of rows also which earlier tensor has the same index, or -1 and the index.
void write(Writer& to, const std::vector<Tensor>& all) {
  for (std::size_t i = 0; i < all.size(); ++i) {
    const Tensor& x = all[i];
    write_type(to, x.type());
    if (x.layout() == Layout::rows) {
      const std::size_t first = first_with_index(all, i);
      to.number(first == i ? std::int32_t{-1} : static_cast<std::int32_t>(first));
      if (first == i) {
        to.number(x.index()->count());
        to.numbers(std::span<const Index>(x.index()->row));
      }
    }
    to.bytes({x.data(), bytes_of(x)});
  }
}

void write_part(Writer& to, const std::pair<int, std::int64_t>& place, std::size_t sums) {
  to.number(static_cast<std::int32_t>(place.first));
  to.number(static_cast<std::int32_t>(sums));
  to.number(place.second);
}

std::vector<Tensor> read_sums(Reader& from, std::int32_t count) {
  std::vector<Tensor> all;
  for (std::int32_t i = 0; i < count; ++i) {
    const auto dtype = static_cast<DType>(from.number<std::uint8_t>());
    const auto layout = static_cast<Layout>(from.number<std::uint8_t>());
    std::vector<std::int64_t> dims(from.number<std::uint16_t>());
    for (std::int64_t& dim : dims) dim = from.number<std::int64_t>();
    Shape shape{std::span<const std::int64_t>(dims)};
    std::shared_ptr<const RowIndex> index;
    Type stored{dtype, shape, Layout::dense};
    if (layout == Layout::rows) {
      const auto same = from.number<std::int32_t>();
      if (same >= 0) {
        index = all.at(at(same)).index();
      } else {
        auto made = std::make_shared<RowIndex>();
        made->row.resize(as_size(from.number<std::int64_t>()));
        from.read(made->row.data(), made->row.size() * sizeof(Index));
        index = std::move(made);
      }
      stored.shape = shape.with(0, index->count());
    }
    Tensor numbers = Tensor::uninitialized(stored);
    from.read(numbers.writable_data(), bytes_of(numbers));
    all.push_back(layout == Layout::rows ? Tensor::rows(shape, index, numbers) : numbers);
  }
  return all;
}

}  // namespace

std::vector<Tensor> sums_of(std::vector<Tensor> a, std::vector<Tensor> b) {
  if (a.empty() || b.empty()) return a.empty() ? b : a;
  std::vector<Tensor> sums;
  std::vector<Union> unions;  // few: all that a matrix touches have its columns for an index
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (a[i].type() != b.at(i).type())
      fail<ClusterError>("the pieces of a sum are {} and {}; they must be of one type", a[i].type(), b[i].type());
    if (a[i].layout() != Layout::rows) {
      sums.push_back(sum_of_dense(a[i], b[i]));
    } else {
      auto found = std::find_if(unions.begin(), unions.end(),
                                [&](const Union& u) { return u.a == a[i].index() && u.b == b[i].index(); });
      if (found == unions.end()) found = unions.insert(found, union_of(a[i].index(), b[i].index()));
      sums.push_back(sum_of_rows(a[i], b[i], *found));
    }
    a[i] = Tensor();
    b[i] = Tensor();
  }
  return sums;
}

Tensor times(const Tensor& x, double factor) {
  Tensor numbers = Tensor::uninitialized({x.dtype(), x.values().shape(), Layout::dense});
  dispatch_floating(x.dtype(), [&]<class T>(TypeTag<T>) {
    const T by = static_cast<T>(factor);
    std::transform(x.span<T>().begin(), x.span<T>().end(), numbers.writable<T>().begin(), [=](T y) { return y * by; });
  });
  if (x.layout() == Layout::dense) return numbers.reshape(x.shape());
  return Tensor::rows(x.shape(), x.index(), numbers.reshape(x.shape().with(0, x.index()->count())));
}

void PieceSums::add(std::int64_t piece, std::vector<Tensor> given) {
  // Steps of one matrix may each hold an index of their own that says the same.
  for (std::size_t i = 0; i < given.size(); ++i)
    for (std::size_t j = 0; given[i].layout() == Layout::rows && j < i; ++j)
      if (given[j].layout() == Layout::rows && given[i].index() != given[j].index() &&
          given[i].index()->row == given[j].index()->row)
        given[i] = Tensor::rows(given[i].shape(), given[j].index(),
                                given[i].values().reshape(given[i].shape().with(0, given[i].index()->count())));
  Place place{0, piece};
  while (!apart_ && place.second % 2 == 1) {
    const auto left = nodes_.find({place.first, place.second - 1});
    if (left == nodes_.end()) break;
    std::vector<Tensor> before = std::move(left->second);
    nodes_.erase(left);
    given = sums_of(std::move(before), std::move(given));
    place = {place.first + 1, place.second / 2};
  }
  nodes_[place] = std::move(given);
}

void PieceSums::join() {
  if (!std::exchange(apart_, false)) return;
  std::map<Place, std::vector<Tensor>> pieces = std::exchange(nodes_, {});
  for (auto& [place, sums] : pieces) add(place.second, std::exchange(sums, {}));
}

std::int64_t bytes_sent_of(const Type& sum, std::int64_t rows, bool first_of_its_index) {
  std::int64_t size = static_cast<std::int64_t>(size_of(sum.dtype)), bytes = 4 + 8 * sum.shape.rank();
  if (sum.layout != Layout::rows) return bytes + size * sum.shape.size();
  for (int axis = 1; axis < sum.shape.rank(); ++axis) size *= sum.shape[axis];
  bytes += 4 + size * rows;
  return first_of_its_index ? bytes + 8 + static_cast<std::int64_t>(sizeof(Index)) * rows : bytes;
}

std::int64_t parts_of(std::int64_t first, std::int64_t last) {
  std::int64_t parts = 0;
  for (; first < last; ++parts) {
    std::int64_t size = 1;
    while (first % (2 * size) == 0 && first + 2 * size <= last) size *= 2;
    first += size;
  }
  return parts;
}

std::vector<std::byte> PieceSums::to_bytes() const {
  std::int64_t bytes = 0;
  for (const auto& each : nodes_) {
    bytes += bytes_of_part;
    for (std::size_t i = 0; i < each.second.size(); ++i) {
      const Tensor& x = each.second[i];
      const bool rows = x.layout() == Layout::rows;
      bytes += bytes_sent_of(x.type(), rows ? x.index()->count() : 0, rows && first_with_index(each.second, i) == i);
    }
  }
  Writer to;
  to.out.reserve(as_size(bytes));
  for (const auto& [place, sums] : nodes_) {
    write_part(to, place, sums.size());
    write(to, sums);
  }
  return std::move(to.out);
}

void PieceSums::add_bytes(std::span<const std::byte> bytes) {
  Reader from(bytes);
  while (!from.empty()) {
    const auto level = from.number<std::int32_t>(), count = from.number<std::int32_t>();
    const auto number = from.number<std::int64_t>();
    nodes_[{level, number}] = read_sums(from, count);
  }
}

PieceSums::Place PieceSums::root() const {
  int level = 0;
  while ((std::int64_t{1} << level) < pieces_) ++level;
  return {level, 0};
}

std::vector<Tensor> PieceSums::taken(const Place& place) {
  const auto [level, number] = place;
  if ((number << level) >= pieces_) return {};
  if (const auto found = nodes_.find(place); found != nodes_.end()) {
    std::vector<Tensor> sums = std::move(found->second);
    nodes_.erase(found);
    return sums;
  }
  if (level == 0) fail<ClusterError>("no rank has sent the sums of piece {} of {}", number, pieces_);
  std::vector<Tensor> left = taken({level - 1, 2 * number});
  return sums_of(std::move(left), taken({level - 1, 2 * number + 1}));
}

}  // namespace gradus
