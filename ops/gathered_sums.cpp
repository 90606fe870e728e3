// Sums of looked-up rows as products: the sum of V[i] over the indices i in row r of [n, f] is row r of M V, where M,
// csr [n, p], has a one for each of them; and what is added back to these rows is M^T u. So a formula that looks rows
// up costs what the same formula of a csr matrix does.
#include <gradus/core/device/device_call.h>
#include <gradus/core/graph/op.h>
#include <gradus/core/tensor/create.h>
#include <gradus/ops/indices.h>
#include <gradus/ops/ops.h>
#include <gradus/ops/rules.h>
#include <gradus/ops/sparse.h>

#include <algorithm>
#include <cstring>

namespace gradus {

namespace {

// Each `each` rows of an indicator matrix, which have a one each, as one row.
class RowsTogether final : public Op {
 public:
  explicit RowsTogether(std::int64_t each) : each_(each) {}

  std::string_view name() const override { return "rows_together"; }
  Attributes attributes() const override { return {{"each", each_}}; }
  Type infer(const OpInputs& in) const override {
    return {in[0].dtype, {in[0].shape[0] / each_, in[0].shape[1]}, Layout::csr};
  }
  Traits traits() const override { return {.touches_as_input = true, .gives_ones = true}; }
  std::string_view no_gradient(int) const override { return "only plans make it"; }

  void compute(Call& call) const override {
    const std::shared_ptr<CsrPattern> pattern = call.new_pattern();
    pattern->regroup(*call.in(0).pattern, each_);
    call.set_pattern(pattern);
    call.out().ones = true;
    std::memcpy(call.out().data, call.in(0).data,
                static_cast<std::size_t>(call.out().stored) * size_of(call.out().type.dtype));
  }
  void launch(DeviceCall& call) const override {
    const Value& x = call.in(0);
    call.set_pattern(call.pattern_made_of(x, [&](const CsrPattern& alone) {
      auto pattern = std::make_shared<CsrPattern>();
      pattern->regroup(alone, each_);
      return std::shared_ptr<const CsrPattern>(std::move(pattern));
    }));
    call.out().ones = true;
    const std::int64_t n = call.out().stored;
    if (n > 0) call.launch({"rows_together", text, using_type(x.type.dtype)}, grid_for(n), x.data, call.out().data, n);
  }

 private:
  static constexpr std::string_view text = R"cuda(
extern "C" __global__ void NAME(const T* x, T* y, gr_int64 n) {
  for (gr_int64 i = gr_first(); i < n; i += gr_step()) y[i] = x[i];
}
)cuda";

  std::int64_t each_;
};

// The rows of an indicator that are those of one row of the indices [n, f].
Expr together(const Expr& indicator, const Expr& indices) {
  return apply(std::make_shared<RowsTogether>(indices.shape()[1]), {indicator});
}

bool are_rows_of_several(const Expr& indices) {
  return indices.rank() == 2 && indices.shape()[0] > 0 && indices.shape()[1] > 1;
}

bool is_lookup(const Expr& e) { return is_op(e, "gather") && e.op().attributes().empty() && e.arity() == 2; }

}  // namespace

// sum f(V[i]) = M f(V), of a function f of one operand or none.
Expr product_of_lookups(const Expr& e) {
  const bool maps = e.kind() == Kind::op && e.arity() == 1 && is_elementwise(e);
  const Expr lookup = maps ? e.input(0) : e;
  if (!is_lookup(lookup) || !is_floating(lookup.dtype()) || lookup.dtype() != e.dtype()) return {};
  Expr table = lookup.input(0);
  const Expr indices = lookup.input(1);
  if (!are_rows_of_several(indices) || table.rank() > 2) return {};
  // Of a table that is computed, f would be worked out for all rows.
  if (maps && table.kind() == Kind::op && table.shape()[0] > indices.shape().size()) return {};
  const Expr of = together(indicator(indices, table), indices);
  if (maps) table = e.graph().copy(e, std::vector{table});
  return matmul(of, table.rank() == 1 ? reshape(table, {table.shape()[0], 1}) : table);
}

// sum over r of u[r], given to each of the f indices of row r, is M^T u.
Expr product_of_additions(const Expr& indices, const Expr& updates, const Expr& indicator, const Shape& shape) {
  if (!are_rows_of_several(indices) || shape.rank() > 2 || !is_floating(updates.dtype())) return {};
  const std::int64_t width = shape.rank() == 1 ? 1 : shape[1];
  const Expr product = rows_product(together(indicator, indices), reshape(updates, {indices.shape()[0], width}));
  return shape.rank() == 1 ? reshape(product, shape) : product;
}

}  // namespace gradus
