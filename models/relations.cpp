#include <gradus/models/relations.h>

#include <gradus/core/error.h>
#include <gradus/ops/ops.h>

#include <memory>
#include <vector>

namespace gradus {

namespace {

// csr [c, q] -> csr [c, c + q]
template <class T>
Tensor beside_identity(const Tensor& B, bool squared) {
  const CsrPattern& from = *B.pattern();
  const std::span<const T> values = B.span<T>();
  const auto pattern = std::make_shared<CsrPattern>();
  pattern->rows = from.rows;
  pattern->columns = from.rows + from.columns;
  std::vector<Index> column;
  std::vector<T> value;
  for (std::size_t i = 0; i < static_cast<std::size_t>(from.rows); ++i) {
    column.push_back(static_cast<Index>(i));
    value.push_back(1);
    for (auto at = static_cast<std::size_t>(from.row_start[i]); at < static_cast<std::size_t>(from.row_start[i + 1]);
         ++at) {
      column.push_back(static_cast<Index>(from.rows) + from.column[at]);
      value.push_back(squared ? values[at] * values[at] : values[at]);
    }
    pattern->row_start.push_back(std::ssize(column));
  }
  pattern->set_column(std::move(column));
  return Tensor::csr(pattern, Tensor::from(value));
}

}  // namespace

Design::Design(const Expr& X, const Tensor& B) : X_(X) {
  if (B.rank() != 2) return;
  if (B.layout() != Layout::csr || X.rank() != 2 || B.dim(0) != X.shape()[1])
    fail<TypeError>("relations are {} but X is {}; a csr matrix with a row for each column of X is expected", B.type(),
                    X.shape());
  Graph& g = X.graph();
  dispatch_floating(X.dtype(), [&]<class T>(TypeTag<T>) {
    const Tensor lines = B.cast(X.dtype());
    I_B_ = g.constant(beside_identity<T>(lines, false), "relations");             // csr [c, c + q]
    squares_ = g.constant(beside_identity<T>(lines, true), "relations_squared");  // csr [c, c + q]
  });
}

std::int64_t Design::features() const { return I_B_.valid() ? I_B_.shape()[1] : X_.shape()[1]; }

Expr Design::of_columns(const Expr& of_features, const Expr& I_B) {
  if (!I_B.valid()) return of_features;
  return of_features.rank() == 1 ? reduce_sum(of_features * I_B, 1) : matmul(I_B, of_features);  // [c] or [c, k]
}

}  // namespace gradus
