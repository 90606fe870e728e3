// Ops to launch on an accelerator, for launch_checks.cpp.
#pragma once

#include <gradus/core/graph/graph.h>

#include <functional>
#include <string>
#include <vector>

namespace gradus {

struct LaunchCase {
  std::string name;
  std::vector<Tensor> inputs;
  std::function<Expr(Graph&, const std::vector<Expr>&)> build;  // one node of the op
  double rtol = 0;  // relative to the CPU's result, and absolute: 0 where nothing is rounded in another order
};

std::vector<LaunchCase> folding_launch_cases();
std::vector<LaunchCase> moving_launch_cases();
std::vector<LaunchCase> product_launch_cases();
std::vector<LaunchCase> sparse_launch_cases();
/// Of ops that only gradients make.
std::vector<LaunchCase> gradient_launch_cases();
/// Those that throw ValueError.
std::vector<LaunchCase> refused_launch_cases();

/// Numbers of any dtype and shape that look drawn: small whole ones, halves where the dtype has them.
Tensor some_numbers(const Shape& shape, DType dtype, std::uint64_t seed = 1);
/// A csr matrix with about a third of its elements, some rows and columns without any.
Tensor some_csr(std::int64_t rows, std::int64_t columns, DType dtype, std::uint64_t seed = 1);

}  // namespace gradus
