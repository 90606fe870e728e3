// embedding_lookup_sparse: rows of a table, combined by the rows of a csr matrix: one product, and a division.
#include <gradus/ops/checks.h>
#include <gradus/ops/ops.h>

namespace gradus {

Expr embedding_lookup_sparse(const Operand& params, const Operand& sp_ids, Combiner combiner) {
  const Expr table = require_expr("embedding_lookup_sparse", params, "params");
  const Expr ids = require_expr("embedding_lookup_sparse", sp_ids, "sp_ids");
  const Given given({table, ids});
  const OpInputs& in = *given;
  if (ids.layout() != Layout::csr)
    fail<TypeError>("embedding_lookup_sparse: sp_ids is {}; csr is expected (gather takes rows by index)",
                    in.layout(1));
  if (table.rank() != 2 || (table.shape()[0] != ids.shape()[1] && table.shape()[0] != any && ids.shape()[1] != any))
    fail<TypeError>(
        "embedding_lookup_sparse: params is {} but sp_ids is {}; the table has a row for each column of sp_ids",
        in.shape(0), in.shape(1));
  const Graph::Pin pin = table.graph().pin(params.where());
  const Expr sum = matmul(ids, table);  // [n, k]
  if (combiner == Combiner::sum) return sum;
  const Expr by = combiner == Combiner::mean ? reduce_sum(ids, 1, keep_dims)
                                             : sqrt(reduce_sum(square(ids), 1, keep_dims));  // [n, 1]
  const Expr is_empty = equal(by, 0);
  return where(is_empty, 0, sum / where(is_empty, 1, by));
}

}  // namespace gradus
