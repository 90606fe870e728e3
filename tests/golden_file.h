// The golden files of tests/golden as tensors, and the comparison with them. The files hold TensorFlow's and NumPy's
// float64 results; tests/golden/make_golden.py writes them.
#pragma once

#include <gradus/core/tensor/tensor.h>

#include <nlohmann/json_fwd.hpp>

#include <optional>
#include <string>
#include <vector>

namespace gradus {

/// Reads tests/golden/NAME. Throws IoError.
nlohmann::json read_golden(const std::string& name);

/// A tensor from {dtype, shape, values}.
Tensor golden_tensor(const nlohmann::json& tensor);
/// A float64 tensor of a shape from a list of numbers.
Tensor golden_numbers(const nlohmann::json& numbers, const Shape& shape);

/// One line of ops.json: what an op is given and what must come out.
struct GoldenCase {
  std::string name;
  std::vector<Tensor> inputs;
  Tensor output;
  Tensor weights;                                // of the outputs in the loss
  std::vector<std::optional<Tensor>> gradients;  // of sum(output * weights) by each input; none for integers
  bool has_gradients = false;
  int differences = 0;    // the highest order of derivative that central differences confirm here
  bool relative = false;  // tiny numbers: no absolute tolerance
  bool float32 = true;    // whether float32 can hold the case
};

struct GoldenRow {
  std::string name;
  std::vector<GoldenCase> cases;
};

/// All rows of ops.json, read once.
const std::vector<GoldenRow>& golden_ops();

/// The first element where |got - expected| > rtol * |expected| + atol, as text; empty where there is none. Shapes must
/// be equal, dtypes need not; NaN agrees with NaN, an infinity with itself. Any layout.
std::string disagreement(const Tensor& got, const Tensor& expected, double rtol, double atol);

}  // namespace gradus
