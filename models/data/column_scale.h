// Columns of very different size brought to the same one before training, where the user asks for it: every column is
// divided by the greatest absolute value that it has in the training data, so that numbers lie in [-1, 1] and zeros
// stay zeros. Not by the standard deviation: that would make a one-hot column the greater the rarer it is, where here
// it stays as it is. The scale is kept with the model; a column that is always zero in training is left alone.
//
//   ColumnScale scale(p);
//   while (...) scale.add(block.x);
//   x = divide_columns(x, scale.tensor());
#pragma once

#include <gradus/core/tensor/tensor.h>

#include <vector>

namespace gradus {

class ColumnScale {
 public:
  explicit ColumnScale(std::int64_t columns);

  /// Takes csr or dense rows into account.   [n, p]. Throws TypeError for other shapes, ValueError for a number that is
  /// not finite.
  void add(const Tensor& x);
  /// The greatest absolute value of each column, 1 where that is 0.   [p]
  Tensor tensor(DType dtype = float32) const;
  /// For columns of which nobody has said anything: the root mean square of the non-zeros, but a tenth of the greatest
  /// at least, of columns that exceed 1 somewhere or that half of the rows have; 1 for all others, such as one-hot
  /// columns, whatever their number. [0] where every column's scale is 1.   [p] or [0]
  Tensor usual(DType dtype = float32) const;

 private:
  std::int64_t rows_ = 0;
  std::vector<double> greatest_, squares_;
  std::vector<std::int64_t> non_zeros_;
};

/// x with every column divided by its scale; csr stays csr.   [n, p], [p] -> [n, p]. Throws TypeError unless shapes and
/// dtypes agree, ValueError for a scale that is not above 0 and finite.
Tensor divide_columns(const Tensor& x, const Tensor& scale);

}  // namespace gradus
