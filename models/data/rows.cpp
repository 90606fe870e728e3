#include <gradus/models/data/rows.h>

#include <gradus/core/error.h>
#include <gradus/core/tensor/csr_rows.h>
#include <gradus/core/tensor/random.h>
#include <gradus/core/tensor/random_order.h>
#include <gradus/core/tensor/table_rows.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <string_view>
#include <utility>

namespace gradus {

namespace {

// Throws unless `column`, named so, is [n, 1] and `fits` is true of all its numbers.
template <class Fits>
void check_column(const Rows& data, std::string_view name, const Tensor& column, std::string_view expected,
                  Fits&& fits) {
  const Shape needed{data.size(), 1};
  if (column.layout() != Layout::dense || column.shape() != needed)
    fail<ValueError>("Rows: x is {} but {} is {}; dense {} is expected, a number for each row of x", data.x.type(),
                     name, column.type(), needed);
  dispatch(column.dtype(), [&]<class T>(TypeTag<T>) {
    const std::span<const T> numbers = column.span<T>();
    const auto wrong = std::find_if(numbers.begin(), numbers.end(), [&](T x) { return !fits(static_cast<double>(x)); });
    if (wrong != numbers.end())
      fail<ValueError>("Rows: {} of row {} is {}; {} is expected", name, wrong - numbers.begin(),
                       static_cast<double>(*wrong), expected);
  });
}

// Throws unless all are rows of the data.
void check_rows(const Rows& data, std::span<const Index> rows) {
  const std::int64_t n = data.size();
  if (all_below(n, rows)) return;
  const auto wrong = std::find_if(rows.begin(), rows.end(), [&](Index row) { return row < 0 || row >= n; });
  fail<ValueError>("take: row {} of {} is asked for; rows are 0 to {}", *wrong, data.x.type(), n - 1);
}

// A dense tensor of some rows of a dense one, in `memory`, which `owner` keeps.
Tensor taken(const Tensor& from, std::span<const Index> rows, Buffer& memory, const std::shared_ptr<RowMemory>& owner) {
  const Shape shape = from.shape().with(0, static_cast<std::int64_t>(rows.size()));
  const auto bytes = static_cast<std::size_t>(shape.slice(1, shape.rank()).size()) * size_of(from.dtype());
  memory.reserve(rows.size() * bytes);
  gather_rows(from.data(), rows, bytes, memory.data());
  return Tensor::on({from.dtype(), shape, Layout::dense}, {owner, memory.data()});
}

}  // namespace

void Rows::check() const {
  if (x.rank() != 2 || (x.layout() != Layout::csr && x.layout() != Layout::dense))
    fail<ValueError>("Rows: x is {}; a csr or dense matrix [n, p] is expected", x.type());
  if (size() < 1 || size() > max_sparse_dimension)
    fail<ValueError>("Rows: x is {}; 1 to {} rows are expected", x.type(), max_sparse_dimension);
  check_column(*this, "y", y, "a finite number", [](double target) { return std::isfinite(target); });
  if (weight.shape() != Shape{0})
    check_column(*this, "weight", weight, "a finite number, 0 or more,",
                 [](double w) { return std::isfinite(w) && w >= 0; });
}

Rows Rows::range(std::int64_t first, std::int64_t count, const std::shared_ptr<RowMemory>& memory) const {
  Rows out{{}, y.row_range(first, count), weighted() ? weight.row_range(first, count) : weight};
  if (x.layout() != Layout::csr || !memory) {
    out.x = x.row_range(first, count);
    return out;
  }
  memory->pattern.set_rows(x.pattern(), first, count);
  const std::shared_ptr<const CsrPattern> pattern(memory, &memory->pattern);
  out.x = x.ones() ? x.ones_at(pattern)
                   : Tensor::csr(pattern, x.values().row_range(x.pattern()->row_start[static_cast<std::size_t>(first)],
                                                               pattern->non_zeros()));
  return out;
}

Rows Rows::take(std::span<const Index> rows, const std::shared_ptr<RowMemory>& memory) const {
  check_rows(*this, rows);
  const std::shared_ptr<RowMemory> owner = memory ? memory : std::make_shared<RowMemory>();
  Rows out{{}, taken(y, rows, owner->y, owner), weighted() ? taken(weight, rows, owner->weight, owner) : weight};
  if (x.layout() != Layout::csr) {
    out.x = taken(x, rows, owner->x, owner);
    return out;
  }
  gather_csr_rows(*x.pattern(), x.data(), size_of(x.dtype()), rows, owner->pattern, x.ones() ? nullptr : &owner->x);
  const std::shared_ptr<const CsrPattern> pattern(owner, &owner->pattern);
  if (x.ones()) {
    out.x = x.ones_at(pattern);
  } else {
    out.x = Tensor::csr(pattern, Tensor::on({x.dtype(), {pattern->non_zeros()}, Layout::dense},
                                            std::shared_ptr<std::byte>(owner, owner->x.data())));
  }
  return out;
}

Rows joined(std::span<const Rows> parts) {
  if (parts.empty()) fail<TypeError>("joined: no rows are given");
  const Rows& first = parts.front();
  auto pattern = std::make_shared<CsrPattern>();
  pattern->columns = first.x.rank() == 2 ? first.x.dim(1) : 0;
  std::int64_t non_zeros = 0;
  for (const Rows& part : parts) {
    const bool fits = part.x.layout() == Layout::csr && part.x.dim(1) == pattern->columns &&
                      part.x.dtype() == first.x.dtype() && part.y.dtype() == first.y.dtype() &&
                      part.weighted() == first.weighted() && part.weight.dtype() == first.weight.dtype();
    if (!fits)
      fail<TypeError>(
          "joined: x is {} of one part and {} of another; csr of one dtype and number of columns is "
          "expected, and weights of all or of none",
          first.x.type(), part.x.type());
    pattern->rows += part.size();
    non_zeros += part.x.stored();
  }
  pattern->row_start.reserve(static_cast<std::size_t>(pattern->rows) + 1);
  const std::span<Index> column = pattern->new_column(non_zeros);
  auto to = column.begin();
  for (const Rows& part : parts) {
    const std::int64_t before = pattern->row_start.back();
    const std::vector<std::int64_t>& start = part.x.pattern()->row_start;
    std::transform(start.begin() + 1, start.end(), std::back_inserter(pattern->row_start),
                   [&](std::int64_t end) { return before + end; });
    to = std::copy(part.x.pattern()->column.begin(), part.x.pattern()->column.end(), to);
  }
  // One column of numbers after another.
  const auto numbers = [&](const Shape& shape, const Tensor& like, const auto& of) {
    Tensor out = Tensor::uninitialized({like.dtype(), shape, Layout::dense});
    std::byte* next = out.writable_data();
    for (const Rows& part : parts) {
      const Tensor& from = of(part);
      const std::size_t bytes = static_cast<std::size_t>(from.stored()) * size_of(from.dtype());
      next = std::copy_n(from.data(), bytes, next);
    }
    return out;
  };
  Rows out;
  const Shape rows{pattern->rows, 1};
  out.x = Tensor::csr(pattern, numbers({non_zeros}, first.x, [](const Rows& d) -> const Tensor& { return d.x; }));
  out.y = numbers(rows, first.y, [](const Rows& d) -> const Tensor& { return d.y; });
  out.weight = first.weight;
  if (first.weighted())
    out.weight = numbers(rows, first.weight, [](const Rows& d) -> const Tensor& { return d.weight; });
  return out;
}

DrawnRows draw_rows(std::int64_t count, std::int64_t drawn, std::uint64_t seed, std::uint64_t stream) {
  RandomOrder order(count, seed, stream);
  std::vector<bool> is_drawn(static_cast<std::size_t>(count), false);
  for (const Index row : order.at(0, drawn)) is_drawn[static_cast<std::size_t>(row)] = true;
  DrawnRows out;
  for (std::size_t row = 0; row < is_drawn.size(); ++row)
    (is_drawn[row] ? out.drawn : out.others).push_back(static_cast<Index>(row));
  return out;
}

std::int64_t check_split(std::int64_t rows, double fraction) {
  // Only then is it a number of rows at all.
  const bool is_fraction = fraction > 0 && fraction < 1;
  const std::int64_t aside = is_fraction ? std::llround(fraction * static_cast<double>(rows)) : 0;
  if (aside < 1 || aside >= rows)
    fail<ValueError>("split: a fraction of {} of {} row{} is asked for; each part must have one at least", fraction,
                     rows, rows == 1 ? "" : "s");
  return aside;
}

Rows::Split Rows::split(double fraction, std::uint64_t seed) const {
  check();
  const DrawnRows rows = draw_rows(size(), check_split(size(), fraction), seed, stream_of("split"));
  return {take(rows.others), take(rows.drawn)};
}

}  // namespace gradus
