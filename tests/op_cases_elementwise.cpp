// Rows of the op table: arithmetic, functions of one operand, comparison and selection.
#include "op_cases.h"

#include <gradus/ops/ops.h>

#include <fmt/format.h>

#include <utility>

namespace gradus {

namespace {

using Unary = Expr (*)(const Operand&);
using Binary = Expr (*)(const Operand&, const Operand&);

OpCase unary(const char* name, Unary op) {
  return {name, [op](const Inputs& x) { return op(x[0]); }};
}

OpCase binary(const char* name, Binary op) {
  return {name, [op](const Inputs& x) { return op(x[0], x[1]); }};
}

void add_arithmetic(std::vector<OpCase>& rows) {
  const std::pair<const char*, Binary> ops[] = {
      {"add", add},          {"subtract", subtract}, {"multiply", multiply},
      {"divide", divide},    {"pow", pow},           {"maximum", maximum},
      {"minimum", minimum},  {"mod", mod},           {"squared_difference", squared_difference},
      {"floordiv", floordiv}};
  for (const auto& [name, op] : ops) rows.push_back(binary(name, op));

  for (double exponent : {0.0, 1.0, 2.0, 3.0, 4.0, -1.0, -2.0, 0.5, -0.5, 1.5}) {
    rows.push_back(
        {fmt::format("pow exponent={:g}", exponent), [exponent](const Inputs& x) { return pow(x[0], exponent); }});
  }
  rows.push_back({"pow base=2", [](const Inputs& x) { return pow(2, x[0]); }});
  rows.push_back({"add number", [](const Inputs& x) { return x[0] + 2.5; }});
  rows.push_back({"add number int", [](const Inputs& x) { return x[0] + 3; }});
  rows.push_back({"subtract number left", [](const Inputs& x) { return 1 - x[0]; }});
  rows.push_back({"multiply number", [](const Inputs& x) { return 0.5 * x[0]; }});
  rows.push_back({"divide number", [](const Inputs& x) { return x[0] / 3; }});
  rows.push_back({"divide number left", [](const Inputs& x) { return 2 / x[0]; }});
  rows.push_back({"multiply repeated", [](const Inputs& x) { return x[0] * x[0]; }});
  rows.push_back({"subtract repeated", [](const Inputs& x) { return x[0] - x[0]; }});
  rows.push_back({"divide repeated", [](const Inputs& x) { return x[0] / x[0]; }});
  rows.push_back({"multiply broadcast repeated", [](const Inputs& x) { return x[0] * slice(x[0], {0, 0}, {1, -1}); }});
  rows.push_back({"add diamond", [](const Inputs& x) {
                    const Expr squared = x[0] * x[0];
                    return (squared + exp(x[0])) * squared;
                  }});
}

void add_functions(std::vector<OpCase>& rows) {
  const std::pair<const char*, Unary> ops[] = {{"negative", negative},
                                               {"abs", abs},
                                               {"sign", sign},
                                               {"exp", exp},
                                               {"expm1", expm1},
                                               {"log", log},
                                               {"log1p", log1p},
                                               {"sqrt", sqrt},
                                               {"rsqrt", rsqrt},
                                               {"square", square},
                                               {"reciprocal", reciprocal},
                                               {"sigmoid", sigmoid},
                                               {"log_sigmoid", log_sigmoid},
                                               {"tanh", tanh},
                                               {"relu", relu},
                                               {"softplus", softplus},
                                               {"sin", sin},
                                               {"cos", cos},
                                               {"tan", tan},
                                               {"erf", erf},
                                               {"floor", floor},
                                               {"ceil", ceil},
                                               {"round", round}};
  for (const auto& [name, op] : ops) rows.push_back(unary(name, op));

  rows.push_back({"leaky_relu", [](const Inputs& x) { return leaky_relu(x[0]); }});
  rows.push_back({"leaky_relu alpha=0.01", [](const Inputs& x) { return leaky_relu(x[0], 0.01); }});
  rows.push_back(binary("leaky_relu alpha=input", leaky_relu));
  rows.push_back({"clip_by_value -0.5 to 0.75", [](const Inputs& x) { return clip_by_value(x[0], -0.5, 0.75); }});
  rows.push_back({"clip_by_value", [](const Inputs& x) { return clip_by_value(x[0], x[1], x[2]); }});
}

void add_comparison(std::vector<OpCase>& rows) {
  const std::pair<const char*, Binary> ops[] = {
      {"equal", equal},     {"not_equal", not_equal},         {"less", less},
      {"greater", greater}, {"less_equal", less_equal},       {"logical_and", logical_and},
      {"mask", mask},       {"greater_equal", greater_equal}, {"logical_or", logical_or}};
  for (const auto& [name, op] : ops) rows.push_back(binary(name, op));
  rows.push_back(unary("logical_not", logical_not));
  rows.push_back(unary("isnan", isnan));
  rows.push_back(unary("isfinite", isfinite));
  rows.push_back({"less number", [](const Inputs& x) { return less(x[0], 2.5); }});
  rows.push_back({"where", [](const Inputs& x) { return where(x[0], x[1], x[2]); }});
  for (DType dtype : {float32, float64, int32, int64, boolean}) {
    rows.push_back({fmt::format("cast {}", to_string(dtype)), [dtype](const Inputs& x) { return cast(x[0], dtype); }});
    rows.back().fixed_dtype = true;
  }
  rows.push_back(
      {"cast there and back", [](const Inputs& x) { return cast(cast(x[0], float32), x[0].dtype()) * x[0]; }});
  rows.push_back(unary("identity", identity));
  rows.push_back({"stop_gradient", [](const Inputs& x) { return x[0] * stop_gradient(x[0]); }});
}

}  // namespace

std::vector<OpCase> elementwise_cases() {
  std::vector<OpCase> rows;
  add_arithmetic(rows);
  add_functions(rows);
  add_comparison(rows);
  for (OpCase& row : activation_cases()) rows.push_back(std::move(row));
  return rows;
}

}  // namespace gradus
