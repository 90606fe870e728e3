#include "golden_file.h"

#include <gradus/core/error.h>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <cmath>
#include <cstdint>
#include <fstream>
#include <limits>

namespace gradus {

namespace {

double golden_number(const nlohmann::json& number) {
  if (number.is_number()) return number.get<double>();
  if (number.is_boolean()) return number.get<bool>() ? 1.0 : 0.0;
  const auto& text = number.get_ref<const std::string&>();
  if (text == "nan") return std::numeric_limits<double>::quiet_NaN();
  return text == "inf" ? std::numeric_limits<double>::infinity() : -std::numeric_limits<double>::infinity();
}

DType golden_dtype(const std::string& name) {
  for (DType dtype : {float32, float64, int32, int64, boolean}) {
    if (to_string(dtype) == name) return dtype;
  }
  fail<IoError>("golden file: {} is no dtype", name);
}

GoldenCase golden_case(const nlohmann::json& from) {
  GoldenCase to;
  to.name = from.at("case").get<std::string>();
  for (const auto& input : from.at("inputs")) to.inputs.push_back(golden_tensor(input));
  to.output = golden_tensor(from.at("output"));
  to.relative = from.value("relative", false);
  to.float32 = from.value("float32", true);
  to.has_gradients = from.contains("gradients");
  if (!to.has_gradients) return to;
  to.differences = from.value("differences", 2);
  to.weights = golden_numbers(from.at("weights"), to.output.shape());
  for (std::size_t i = 0; i < to.inputs.size(); ++i) {
    const auto& gradient = from.at("gradients").at(i);
    to.gradients.push_back(gradient.is_null() ? std::optional<Tensor>()
                                              : golden_numbers(gradient, to.inputs[i].shape()));
  }
  return to;
}

}  // namespace

nlohmann::json read_golden(const std::string& name) {
  const std::string path = fmt::format("{}/{}", GRADUS_GOLDEN_DIR, name);
  std::ifstream file(path);
  if (!file) fail<IoError>("golden file: {} cannot be read", path);
  return nlohmann::json::parse(file);
}

Tensor golden_numbers(const nlohmann::json& numbers, const Shape& shape) {
  std::vector<double> values;
  for (const auto& number : numbers) values.push_back(golden_number(number));
  return Tensor::from(values, shape);
}

Tensor golden_tensor(const nlohmann::json& tensor) {
  const auto dims = tensor.at("shape").get<std::vector<std::int64_t>>();
  return golden_numbers(tensor.at("values"), Shape(dims)).cast(golden_dtype(tensor.at("dtype").get<std::string>()));
}

const std::vector<GoldenRow>& golden_ops() {
  static const std::vector<GoldenRow> rows = [] {
    std::vector<GoldenRow> read;
    for (const auto& row : read_golden("ops.json")) {
      read.push_back({row.at("name").get<std::string>(), {}});
      for (const auto& from : row.at("cases")) read.back().cases.push_back(golden_case(from));
    }
    return read;
  }();
  return rows;
}

std::string disagreement(const Tensor& got, const Tensor& expected, double rtol, double atol) {
  if (got.shape() != expected.shape()) {
    return fmt::format("shape {} instead of {}", to_string(got.shape()), to_string(expected.shape()));
  }
  const Tensor a = got.to_dense(), b = expected.to_dense();
  for (std::int64_t i = 0; i < b.stored(); ++i) {
    const double x = a.stored_value(i), y = b.stored_value(i);
    if (x == y || (std::isnan(x) && std::isnan(y))) continue;
    // Written so that a NaN or a lone infinity is never within.
    const bool within = std::isfinite(y) && std::abs(x - y) <= rtol * std::abs(y) + atol;
    if (!within) return fmt::format("element {} of {} is {} instead of {}", i, to_string(b.shape()), x, y);
  }
  return {};
}

}  // namespace gradus
