// How good predictions are: y are the targets, y_hat the predictions, both dense and of one shape (TypeError
// otherwise: nothing is broadcast). Sums are made in float64. The mean of nothing is NaN.
#pragma once

#include <gradus/core/tensor.h>

namespace gradus {

/// Mean squared error, its root, and the mean absolute error.
double mse(const Tensor& y, const Tensor& y_hat);
double rmse(const Tensor& y, const Tensor& y_hat);
double mae(const Tensor& y, const Tensor& y_hat);

/// For targets of -1 and 1 and probabilities of 1 (what prediction gives for binary tasks): the mean of -ln of the
/// probability given to what was the case, infinite where that was 0; and the part of the rows where the greater
/// probability was right. Throws ValueError for other targets.
double log_loss(const Tensor& y, const Tensor& probability);
double accuracy(const Tensor& y, const Tensor& probability);

}  // namespace gradus
