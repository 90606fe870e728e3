#include "op_table.h"

#include <gradus/ops/gradients.h>
#include <gradus/ops/ops.h>

#include <fmt/format.h>

#include <map>

namespace gradus {

DType dtype_in(const Mode& mode, DType dtype) {
  if (!mode.narrow) return dtype;
  return dtype == float64 ? float32 : dtype == int32 ? int64 : dtype;
}

Built::Built(const OpCase& row, const GoldenCase& golden, const Mode& mode) {
  std::vector<Tensor> values;
  for (const Tensor& input : golden.inputs) {
    const Tensor value = input.cast(dtype_in(mode, input.dtype()));
    const std::vector<std::int64_t> unknown(static_cast<std::size_t>(value.rank()), any);
    const Expr x = graph.placeholder(fmt::format("x{}", inputs.size()), mode.known ? value.shape() : Shape(unknown),
                                     value.dtype());
    inputs.push_back(x);
    feeds.push_back({x, value});
    if (is_floating(value.dtype())) floating.push_back(x);
  }
  y = row.build(inputs);
  if (golden.has_gradients) {
    const Expr dense = y.layout() == Layout::dense ? y : to_dense(y);
    derivatives = gradients(reduce_sum(dense * golden.weights.cast(y.dtype())), floating, Unconnected::zero);
  }
}

namespace {

void check_type(const OpCase& row, const GoldenCase& golden, const Mode& mode, const Expr& y, const Tensor& value,
                const Complain& complain) {
  const bool shapes_agree = mode.known ? y.shape() == value.shape() : matches(y.shape(), value.shape());
  if (y.dtype() != value.dtype() || y.layout() != value.layout() || !shapes_agree) {
    complain(fmt::format("inferred {}, computed {}", to_string(y.type()), to_string(value.type())));
  }
  const DType expected = row.fixed_dtype ? golden.output.dtype() : dtype_in(mode, golden.output.dtype());
  if (value.dtype() != expected) {
    complain(fmt::format("the result is {} instead of {}", to_string(value.dtype()), to_string(expected)));
  }
}

}  // namespace

void check_case(const OpCase& row, const GoldenCase& golden, const Mode& mode, const Complain& complain) {
  Built built(row, golden, mode);
  std::vector<Expr> fetches = {built.y};
  fetches.insert(fetches.end(), built.derivatives.begin(), built.derivatives.end());
  Session session(built.graph, mode.device, mode.options);
  const std::vector<Tensor> got = session.run(fetches, built.feeds);
  check_type(row, golden, mode, built.y, got[0], complain);

  const double rtol = mode.narrow ? row.tolerance32 : mode.device.is_cpu() ? 1e-12 : 1e-10;
  const double atol = golden.relative ? 0 : mode.narrow ? row.tolerance32 / 10 : 1e-13;
  const bool exact = !is_floating(golden.output.dtype());
  const std::string wrong = disagreement(got[0], golden.output, exact ? 0 : rtol, exact ? 0 : atol);
  if (!wrong.empty()) complain("value: " + wrong);
  if (!golden.has_gradients) return;

  std::size_t next = 1;
  for (std::size_t i = 0; i < built.inputs.size(); ++i) {
    if (!golden.gradients[i]) continue;
    const Tensor& derivative = got[next++];
    // A sum of many terms rounds in proportion to the terms, which are near 1.
    const std::string apart = disagreement(derivative, *golden.gradients[i], rtol, mode.narrow ? rtol : 1e-13);
    if (!apart.empty()) complain(fmt::format("gradient by x{}: {}", i, apart));
    if (derivative.dtype() != built.inputs[i].dtype()) {
      complain(fmt::format("gradient by x{} is {}", i, to_string(derivative.type())));
    }
  }
}

void for_all_cases(const char* what,
                   const std::function<void(const OpCase&, const GoldenCase&, const Complain&)>& check,
                   const Complain& complain) {
  std::map<std::string, const GoldenRow*> golden;
  for (const GoldenRow& row : golden_ops()) golden[row.name] = &row;
  for (const OpCase& row : op_cases()) {
    if (!golden.contains(row.name)) continue;
    for (const GoldenCase& input : golden[row.name]->cases) {
      const Complain told = [&](const std::string& complaint) {
        complain(fmt::format("{}, \"{}\", {}: {}", row.name, input.name, what, complaint));
      };
      try {
        check(row, input, told);
      } catch (const std::exception& thrown) {
        told(fmt::format("threw {}", thrown.what()));
      }
    }
  }
}

}  // namespace gradus
