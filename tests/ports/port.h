// What the ports share: numbers that tests/golden/ports.py has too, and the comparison with what TensorFlow 1 printed.
// A port is a program of TensorFlow 1, line for line; ports.py has the original, which is no shorter.
#pragma once

#include "../golden_file.h"

#include <gradus/gradus.h>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <string>
#include <vector>

namespace gradus::ports {

/// Element i is f(i).
template <Element T, class F>
Tensor counted(const Shape& shape, F&& f) {
  return Tensor::make<T>(shape, [&](std::span<T> out) {
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = static_cast<T>(f(static_cast<std::int64_t>(i)));
  });
}

/// Numbers between -5/16 and 5/16.
inline Tensor start(const Shape& shape, std::int64_t seed, DType dtype = float64) {
  return counted<double>(shape, [&](std::int64_t i) { return static_cast<double>((i * 7 + seed * 3) % 11 - 5) / 16; })
      .cast(dtype);
}
/// Numbers between 0 and 1.
inline Tensor unit(const Shape& shape, std::int64_t seed) {
  return counted<double>(shape,
                         [&](std::int64_t i) { return (static_cast<double>((i * 5 + seed * 3) % 16) + 0.5) / 16; });
}

/// What a program prints: the loss of each step, and what it ends with.
struct Printed {
  std::vector<double> losses;
  Tensor last;
};

/// TensorFlow's, to `rtol`.
inline void check_port(const std::string& name, const Printed& got, double rtol) {
  const nlohmann::json rows = read_golden("ports.json");
  for (const nlohmann::json& row : rows) {
    if (row.at("name") != name) continue;
    const auto steps = static_cast<std::int64_t>(row.at("losses").size());
    CHECK(disagreement(Tensor::from(got.losses), golden_numbers(row.at("losses"), {steps}), rtol, 0) == "");
    CHECK(disagreement(got.last, golden_tensor(row.at("last")), rtol, rtol / 100) == "");
    return;
  }
  FAIL("ports.json has no " << name);
}

}  // namespace gradus::ports
