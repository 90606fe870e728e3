// Tensors of a shape that the run knows. One op is made of such a shape, zeros; the others take its shape from it, and
// then it is not computed. And range, whose length is such a number.
#include <gradus/ops/shaped.h>

#include <gradus/core/device/device_call.h>
#include <gradus/core/error.h>
#include <gradus/core/graph/op.h>
#include <gradus/core/kernel/evaluate.h>
#include <gradus/core/listed.h>
#include <gradus/ops/box.h>
#include <gradus/ops/ops.h>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <map>
#include <set>
#include <vector>

namespace gradus {

namespace {

constexpr std::int64_t most_elements = 64;  // of what a shape is computed from

// Whether it may be a part of what is known before a run.
bool is_small(const Expr& e) {
  return e.layout() == Layout::dense && e.shape().known() && e.shape().size() <= most_elements;
}

}  // namespace

std::optional<Tensor> known_value(const Expr& expr) {
  Graph& graph = expr.graph();
  std::set<NodeId, std::greater<>> open{expr.id()};  // the newest first: it is a node's readers that say what is needed
  std::map<NodeId, std::optional<Tensor>> values;
  while (!open.empty()) {
    const Expr node = graph[*open.begin()];
    open.erase(open.begin());
    const bool pure = node.kind() == Kind::constant || (node.kind() == Kind::op && !node.op().traits().is_random);
    if (!pure || !is_small(node)) return std::nullopt;
    values.emplace(node.id(), std::nullopt);
    for (int i = 0; i < node.arity(); ++i) {
      if (node.op().reads(i)) {
        open.insert(node.input(i).id());
      } else if (!node.input(i).shape().known()) {
        return std::nullopt;
      }
    }
  }
  for (auto& [id, value] : values) {
    const Expr node = graph[id];
    if (const Tensor* const constant = constant_value(node)) {
      value = *constant;
      continue;
    }
    std::vector<const Tensor*> inputs;
    for (int i = 0; i < node.arity(); ++i)
      inputs.push_back(node.op().reads(i) ? &*values.at(node.input(i).id()) : nullptr);
    value = evaluate(node, inputs);
  }
  return values.at(expr.id());
}

namespace {

class ZerosOfShape final : public Op {
 public:
  explicit ZerosOfShape(DType dtype) : dtype_(dtype) {}

  std::string_view name() const override { return "zeros"; }
  Traits traits() const override { return {.reads = 0}; }
  std::string_view no_gradient(int) const override { return "a shape is of integers"; }

  Type infer(const OpInputs& in) const override {
    const Type& shape = in[0];
    if (!is_integer(shape.dtype) || shape.layout != Layout::dense || shape.shape.rank() != 1 || !shape.shape.known())
      fail<TypeError>("zeros: the shape is {}; integers of a known number, [rank], are expected",
                      to_string(in.expr(0)));
    std::vector<std::int64_t> dims(static_cast<std::size_t>(shape.shape[0]), any);
    if (const std::optional<Tensor> known = known_value(in.expr(0))) {
      const Tensor sizes = known->cast(int64);
      std::copy(sizes.span<std::int64_t>().begin(), sizes.span<std::int64_t>().end(), dims.begin());
      if (std::any_of(dims.begin(), dims.end(), [](std::int64_t dim) { return dim < 0; }))
        fail<ValueError>("zeros: the shape {} is [{}]; sizes are at least 0", to_string(in.expr(0)), listed(dims));
    }
    return {dtype_, Shape(dims), Layout::dense};
  }
  // As one number, which elementwise ops repeat for nothing.
  Expr simplified(const Expr& y, const DraftFacts&) const override {
    return broadcast_to(y.graph().constant(zeros({}, y.dtype()), "0"), y.shape());
  }

  void compute(Call& call) const override {
    const auto bytes = static_cast<std::size_t>(call.out().stored) * size_of(dtype_);
    if (bytes > 0) std::memset(call.out().data, 0, bytes);
  }
  void launch(DeviceCall& call) const override { fill(call, call.out().data, dtype_, call.out().stored, 0); }

 private:
  DType dtype_;
};

// Of an integer dtype exactly; others as NumPy has them, start + i delta rounded once.
class Range final : public Op {
 public:
  std::string_view name() const override { return "range"; }
  std::string_view no_gradient(int) const override { return "its numbers are counted"; }

  Type infer(const OpInputs& in) const override {
    constexpr std::array<std::string_view, 3> names{"start", "limit", "delta"};
    std::array<std::optional<Tensor>, 3> known;
    for (int i = 0; i < 3; ++i) {
      const std::string_view name = names[static_cast<std::size_t>(i)];
      if (in[i].shape != Shape() || in[i].dtype == boolean || in[i].dtype != in[0].dtype)
        fail<TypeError>("range: {} is {}; numbers of one dtype, [], are expected", name, to_string(in.expr(i)));
      known[static_cast<std::size_t>(i)] = known_value(in.expr(i));
    }
    const bool all = known[0] && known[1] && known[2];
    return {in[0].dtype, {all ? count(*known[0], *known[1], *known[2]) : any}, Layout::dense};
  }

  void compute(Call& call) const override {
    dispatch_number(call.out().type.dtype, [&]<class T>(TypeTag<T>) {
      using Wide = std::conditional_t<std::is_integral_v<T>, std::int64_t, double>;
      const Wide start = *call.in<T>(0), delta = *call.in<T>(2);
      for (std::int64_t i = 0; i < call.out().stored; ++i)
        call.out<T>()[i] = static_cast<T>(start + static_cast<Wide>(i) * delta);
    });
  }
  void launch(DeviceCall& call) const override {
    const std::int64_t n = call.out().stored;
    const DType dtype = call.out().type.dtype;
    if (n > 0)
      call.launch({"range", text,
                   fmt::format("{} using Wide = {};", using_type(dtype), is_integer(dtype) ? "gr_int64" : "double")},
                  grid_for(n), call.in(0).data, call.in(2).data, call.out().data, n);
  }

 private:
  static constexpr std::string_view text = R"cuda(
extern "C" __global__ void NAME(const T* start, const T* delta, T* y, gr_int64 n) {
  for (gr_int64 i = gr_first(); i < n; i += gr_step()) y[i] = T(Wide(*start) + Wide(i) * Wide(*delta));
}
)cuda";

  static std::int64_t count(const Tensor& start, const Tensor& limit, const Tensor& delta) {
    const double from = start.item(), to = limit.item(), by = delta.item();
    if (!std::isfinite(from) || !std::isfinite(to) || !std::isfinite(by) || by == 0)
      fail<ValueError>("range: start {}, limit {}, delta {}; all must be finite, and delta not 0", from, to, by);
    const double steps = std::ceil((to - from) / by);
    if (!(steps < 0x1p53)) fail<ValueError>("range: from {} to {} by {} are too many numbers", from, to, by);
    return steps > 0 ? static_cast<std::int64_t>(steps) : 0;
  }
};

}  // namespace

Expr range(const Operand& start, const Operand& limit, const Operand& delta) {
  return apply(std::make_shared<Range>(), {start, limit, delta});
}

namespace detail {

Expr zeros_of_shape(const Expr& shape, DType dtype, Location where) {
  return shape.graph().add(std::make_shared<ZerosOfShape>(dtype), std::span(&shape, 1), where);
}
Expr ones_of_shape(const Expr& shape, DType dtype, Location where) {
  return ones_like(Operand(zeros_of_shape(shape, dtype, where), where));
}
Expr fill_of_shape(const Expr& shape, const Operand& value) {
  const Graph::Pin pin = shape.graph().pin(value.where());
  const Expr number = value.in(shape.graph(), float32, "fill");
  if (number.rank() != 0) fail<TypeError>("fill: value is {}; one number, [], is taken", to_string(number));
  return broadcast_like(number, zeros_of_shape(shape, number.dtype(), value.where()));
}
Expr reshape_to(const Operand& x, const Expr& shape) {
  return reshape_like(x, zeros_of_shape(shape, float32, x.where()));
}
Expr broadcast_to_shape(const Operand& x, const Expr& shape) {
  return broadcast_like(x, zeros_of_shape(shape, float32, x.where()));
}

}  // namespace detail

}  // namespace gradus
