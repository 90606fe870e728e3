// CSR tensors made from their parts, in time of their non-zeros: data sets and each batch of them come this way.
#include <gradus/core/at.h>
#include <gradus/core/error.h>
#include <gradus/core/tensor/create.h>
#include <gradus/core/tensor/tensor.h>

#include <algorithm>
#include <numeric>

namespace gradus {

namespace {

// Where a number given goes: added to number `to` if the one before went there too.
struct Move {
  std::size_t from;
  std::size_t to;
};

// Puts each row's columns in order, those named twice together if they are to be summed, then checks the pattern.
// Returns what that does to the numbers; nothing where they stay as they are.
template <class I>
std::vector<Move> order_columns(CsrPattern& pattern, std::span<const I> column, Duplicates duplicates) {
  std::vector<Move> moves;
  bool stay = true;
  std::vector<std::size_t> order;
  std::vector<Index> kept;
  kept.reserve(column.size());
  const auto before = [&](std::size_t a, std::size_t b) { return column[a] < column[b]; };
  std::size_t first = 0;
  for (std::size_t r = 0; r < as_size(pattern.rows); ++r) {
    const std::size_t last = as_size(pattern.row_start[r + 1]);
    order.resize(last - first);
    std::iota(order.begin(), order.end(), first);
    // Stable, so that duplicates are added in the order given.
    if (!std::is_sorted(order.begin(), order.end(), before)) std::stable_sort(order.begin(), order.end(), before);
    const std::size_t row_begin = kept.size();
    for (std::size_t k = 0; k < order.size(); ++k) {
      const std::size_t from = order[k];
      const I c = column[from];
      // Columns may be 64-bit: they are checked before they are cut to an Index.
      if (c < 0 || c >= pattern.columns)
        fail<ValueError>("csr [{}, {}]: row {} names column {}; columns are 0 to {}", pattern.rows, pattern.columns, r,
                         c, pattern.columns - 1);
      const bool again = kept.size() > row_begin && kept.back() == static_cast<Index>(c);
      if (!again || duplicates != Duplicates::sum) kept.push_back(static_cast<Index>(c));
      const std::size_t to = kept.size() - 1;
      if (stay && from != to) {
        stay = false;
        for (std::size_t i = 0; i < first + k; ++i) moves.push_back({i, i});
      }
      if (!stay) moves.push_back({from, to});
    }
    pattern.row_start[r + 1] = static_cast<std::int64_t>(kept.size());
    first = last;
  }
  pattern.set_column(std::move(kept));
  pattern.check();
  return moves;
}

template <class T>
Tensor moved(std::span<const T> values, const std::vector<Move>& moves, std::int64_t count) {
  if (moves.empty()) return Tensor::from(values, {count});
  return Tensor::make<T>({count}, [&](std::span<T> out) {
    std::size_t filled = 0;
    for (const auto& [from, to] : moves) {
      if (to < filled) {
        out[to] = static_cast<T>(out[to] + values[from]);
      } else {
        out[filled++] = values[from];
      }
    }
  });
}

}  // namespace

template <Element T, class I>
Tensor Tensor::csr(std::int64_t rows, std::int64_t columns, std::span<const I> row_start, std::span<const I> column,
                   std::span<const T> values, Duplicates duplicates) {
  if (column.size() != values.size())
    fail<ValueError>("csr [{}, {}]: {} columns but {} values are given; each non-zero has one of both", rows, columns,
                     column.size(), values.size());
  auto pattern = std::make_shared<CsrPattern>();
  pattern->rows = rows;
  pattern->columns = columns;
  pattern->row_start.assign(row_start.begin(), row_start.end());
  pattern->check_row_start(static_cast<std::int64_t>(column.size()));
  const std::vector<Move> moves = order_columns(*pattern, column, duplicates);
  const Tensor ordered = moved(values, moves, pattern->non_zeros());
  return csr(std::move(pattern), ordered);
}

Tensor Tensor::csr(std::shared_ptr<const CsrPattern> pattern, const Tensor& values) {
  if (values.layout() != Layout::dense || values.shape() != Shape{pattern->non_zeros()})
    fail<TypeError>("csr [{}, {}]: values are {} but the pattern has {} non-zero{}; dense [{}] is needed",
                    pattern->rows, pattern->columns, values.type(), pattern->non_zeros(), plural(pattern->non_zeros()),
                    pattern->non_zeros());
  Tensor out = values;
  out.type_ = {values.dtype(), {pattern->rows, pattern->columns}, Layout::csr};
  out.pattern_ = std::move(pattern);
  dispatch(values.dtype(), [&]<class T>(TypeTag<T>) {
    const std::span<const T> stored = values.span<T>();
    out.ones_ = std::all_of(stored.begin(), stored.end(), [](T x) { return x == T{1}; });
  });
  return out;
}

Tensor Tensor::ones_at(std::shared_ptr<const CsrPattern> pattern) const {
  const std::int64_t count = pattern->non_zeros();
  Tensor out = count <= stored_ ? *this : gradus::ones({count}, dtype());
  out.type_ = {dtype(), {pattern->rows, pattern->columns}, Layout::csr};
  out.stored_ = count;
  out.pattern_ = std::move(pattern);
  out.ones_ = true;
  return out;
}

template Tensor Tensor::csr(std::int64_t, std::int64_t, std::span<const std::int32_t>, std::span<const std::int32_t>,
                            std::span<const float>, Duplicates);
template Tensor Tensor::csr(std::int64_t, std::int64_t, std::span<const std::int32_t>, std::span<const std::int32_t>,
                            std::span<const double>, Duplicates);
template Tensor Tensor::csr(std::int64_t, std::int64_t, std::span<const std::int32_t>, std::span<const std::int32_t>,
                            std::span<const std::int32_t>, Duplicates);
template Tensor Tensor::csr(std::int64_t, std::int64_t, std::span<const std::int32_t>, std::span<const std::int32_t>,
                            std::span<const std::int64_t>, Duplicates);
template Tensor Tensor::csr(std::int64_t, std::int64_t, std::span<const std::int32_t>, std::span<const std::int32_t>,
                            std::span<const bool>, Duplicates);
template Tensor Tensor::csr(std::int64_t, std::int64_t, std::span<const std::int64_t>, std::span<const std::int64_t>,
                            std::span<const float>, Duplicates);
template Tensor Tensor::csr(std::int64_t, std::int64_t, std::span<const std::int64_t>, std::span<const std::int64_t>,
                            std::span<const double>, Duplicates);
template Tensor Tensor::csr(std::int64_t, std::int64_t, std::span<const std::int64_t>, std::span<const std::int64_t>,
                            std::span<const std::int32_t>, Duplicates);
template Tensor Tensor::csr(std::int64_t, std::int64_t, std::span<const std::int64_t>, std::span<const std::int64_t>,
                            std::span<const std::int64_t>, Duplicates);
template Tensor Tensor::csr(std::int64_t, std::int64_t, std::span<const std::int64_t>, std::span<const std::int64_t>,
                            std::span<const bool>, Duplicates);

}  // namespace gradus
