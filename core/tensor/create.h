// Tensors made from nothing, with NumPy's names and rules.
#pragma once

#include <gradus/core/tensor/tensor.h>

namespace gradus {

Tensor zeros(const Shape& shape, DType dtype = float32);
Tensor ones(const Shape& shape, DType dtype = float32);
Tensor full(const Shape& shape, const Number& value, DType dtype = float32);
/// The identity matrix.   [n, n]
Tensor eye(std::int64_t n, DType dtype = float32);
/// start, start + step, ... up to but without stop; of an integer dtype exactly.   [ceil((stop - start) / step)]
Tensor arange(const Number& start, const Number& stop, const Number& step = 1, DType dtype = float32);
/// `count` numbers evenly from start to stop, both included.   [count]
Tensor linspace(double start, double stop, std::int64_t count, DType dtype = float32);

}  // namespace gradus
