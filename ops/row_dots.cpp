// The sums along the rows of a product, element by element: rules of plans make this op (reduce.cpp).
#include <gradus/core/graph/op.h>
#include <gradus/ops/checks.h>
#include <gradus/ops/rules.h>
#include <gradus/ops/spmm.h>

namespace gradus {

namespace {

// The dot product of each row of a with the same row of b: a sum of products that are not written down.
// Inputs: [n, k], [n, k].
class RowDots final : public Op {
 public:
  std::string_view name() const override { return "row_dots"; }
  Type infer(const OpInputs& in) const override { return {in[0].dtype, in[0].shape.with(1, 1), in[0].layout}; }
  std::string_view no_gradient(int) const override { return "only plans make it"; }
  Traits traits() const override { return {.rows_from = 0}; }
  Tiles tiles(std::span<const Type> in, const Type& out) const override {
    return {Tiles::Gives::rows, 3, out.layout == Layout::dense ? in[0].shape[0] : 0};
  }
  Fold fold(std::span<const Type> in) const override {
    if (in[0].layout != Layout::dense) return {};
    return {Fold::By::sum, 2, 1, "x0 * x1"};
  }
  // (c a) b = c (a b): c a, which this would read from memory, need not be written there.
  Expr reassociated(const Expr& y, const DraftFacts&) const override {
    const Scaled a = scaled(y.input(0)), b = scaled(y.input(1));
    if (y.layout() != Layout::dense || (same_node(a.x, y.input(0)) && same_node(b.x, y.input(1)))) return {};
    return a.factor * b.factor * row_dots(a.x, b.x);
  }
  void compute(Call& call) const override {
    const std::int64_t k = call.in(0).shape()[1];
    if (call.out().type.layout != Layout::dense) call.set_index(call.in(0).index);
    dispatch_floating(call.out().type.dtype, [&]<class T>(TypeTag<T>) {
      call.workers().for_each(call.out().stored, rows_at_a_time, [&](std::int64_t first, std::int64_t last) {
        dot_rows(call.in<T>(0) + first * k, call.in<T>(1) + first * k, last - first, k, call.out<T>() + first);
      });
    });
  }
  void launch(DeviceCall& call) const override {
    if (call.out().type.layout != Layout::dense) call.set_index(call.in(0).index);
    dot_rows(call, call.in(0), call.in(1), call.out());
  }

 private:
  static constexpr std::int64_t rows_at_a_time = 4096;
};

}  // namespace

Expr row_dots(const Expr& a, const Expr& b) { return apply(std::make_shared<RowDots>(), {a, b}); }

}  // namespace gradus
