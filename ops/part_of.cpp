// The rows of a table that a csr matrix or a gradient touches: what an optimizer's step reads, and what leads back.
#include <gradus/core/tensor/table_rows.h>
#include <gradus/ops/checks.h>
#include <gradus/ops/device_rows.h>
#include <gradus/ops/ops.h>
#include <gradus/ops/rules.h>

namespace gradus {

namespace {

class PartOf final : public Op {
 public:
  // Of a plan's rows just which they are counts, and not what one holds.
  explicit PartOf(bool of_a_plan) : of_a_plan_(of_a_plan) {}
  std::string_view name() const override { return "part_of"; }
  Type infer(const OpInputs& in) const override {
    require_dense(name(), in, 0, "table");
    if (in[1].layout == Layout::csr && in[0].shape[0] == in[1].shape[1])
      return {in[0].dtype, in[0].shape, Layout::part};
    if (of_a_plan_ ? in[0].shape[0] != in[1].shape[0] : in[0].shape != in[1].shape)
      fail<TypeError>("part_of: table is {} but rows is {}; they must agree", in.shape(0), in.shape(1));
    return {in[0].dtype, in[0].shape, Layout::part};
  }
  std::string_view no_gradient(int) const override { return "it only reads variables for an update"; }

  // What a csr matrix touches is known before any gradient is: the rows are gathered once for all uses.
  Expr simplified(const Expr& y, const DraftFacts& facts) const override {
    const Expr of = y.input(1);
    const Expr source = of.layout() == Layout::csr ? facts.columns_source(of) : facts.row_set(of);
    return source.valid() && !same_node(source, of) ? active_part(y.input(0), source) : Expr();
  }

  Traits traits() const override { return {.rows_from = 1}; }
  std::string formula(std::span<const Type>) const override { return "x0"; }
  Tiles tiles(std::span<const Type>, const Type&) const override { return {Tiles::Gives::rows, 0, 0, 1}; }

  void compute(Call& call) const override {
    const Value& of = call.in(1);
    call.set_index(of.type.layout == Layout::csr ? of.pattern->active(&call.workers()).columns : of.index);
    const Value& table = call.in(0);
    const std::span<const Index> rows = call.out().held_rows();
    const std::size_t after = call.out().rows_after();
    const std::size_t bytes = static_cast<std::size_t>(table.row_size()) * size_of(table.type.dtype);
    call.workers().for_each(static_cast<std::int64_t>(rows.size()), rows_at_a_time(bytes),
                            [&](std::int64_t first, std::int64_t last) {
                              const auto begin = static_cast<std::size_t>(first);
                              gather_rows(table.data, rows.subspan(begin, static_cast<std::size_t>(last - first)),
                                          bytes, call.out().data + begin * bytes, after);
                            });
  }
  void launch(DeviceCall& call) const override {
    const Value& of = call.in(1);
    const Value& table = call.in(0);
    const bool csr = of.type.layout == Layout::csr;
    call.set_index(csr ? of.pattern->active_columns() : of.index);
    const Index* rows = csr ? call.pattern(of).active() : call.held_rows(of);
    gather_rows(call, table.data, rows, call.out().index->count(),
                static_cast<std::size_t>(table.row_size()) * size_of(table.type.dtype), call.out().data);
  }

 private:
  bool of_a_plan_;
};

// A part as rows: those that it holds, and zeros elsewhere.
class WithZeros final : public Op {
 public:
  std::string_view name() const override { return "with_zeros"; }
  Type infer(const OpInputs& in) const override { return {in[0].dtype, in[0].shape, Layout::rows}; }
  std::string_view no_gradient(int) const override { return "only plans make it"; }
  Elements elements(std::span<const Type>) const override { return Elements::kept; }
  Traits traits() const override { return {.rows_from = 0}; }
};

}  // namespace

Expr part_of(const Operand& table, const Operand& rows) {
  const Expr index = require_expr("part_of", rows, "rows");
  if (index.layout() == Layout::dense) return require_expr("part_of", table, "table");
  if (index.layout() == Layout::csr) fail<TypeError>("part_of: rows is csr ({}); rows is expected", to_string(index));
  return apply(std::make_shared<PartOf>(false), {table, rows});
}

Expr active_part(const Expr& table, const Expr& csr) { return apply(std::make_shared<PartOf>(true), {table, csr}); }

Expr with_zeros(const Expr& part) { return apply(std::make_shared<WithZeros>(), {part}); }

}  // namespace gradus
