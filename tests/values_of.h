// A tensor's elements, whatever it stores, for tests that compare many.
#pragma once

#include <gradus/core/tensor/tensor.h>

#include <vector>

namespace gradus {

inline std::vector<double> values_of(const Tensor& tensor) {
  const Tensor dense = tensor.layout() == Layout::part ? tensor : tensor.to_dense();
  if (dense.dtype() == float64) return {dense.span<double>().begin(), dense.span<double>().end()};
  return {dense.begin(), dense.end()};
}

}  // namespace gradus
