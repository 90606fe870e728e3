// How good predictions are: y are the targets, y_hat the predictions, weight how much each row counts (none: all
// alike); all dense and of one shape (TypeError otherwise: nothing is broadcast). Weights are finite and not negative
// (ValueError otherwise). Sums are made in float64. The mean of nothing, or of rows of weight 0, is NaN.
#pragma once

#include <gradus/core/tensor/sparse.h>
#include <gradus/core/tensor/tensor.h>

#include <span>

namespace gradus {

/// Mean squared error, its root, and the mean absolute error.
double mse(const Tensor& y, const Tensor& y_hat, const Tensor& weight = {});
double rmse(const Tensor& y, const Tensor& y_hat, const Tensor& weight = {});
double mae(const Tensor& y, const Tensor& y_hat, const Tensor& weight = {});

/// For targets of -1 and 1 and probabilities of 1 (what prediction gives for binary tasks): the mean of -ln of the
/// probability given to what was the case, infinite where that was 0; and the part of the rows where the greater
/// probability was right. Throws ValueError for other targets.
double log_loss(const Tensor& y, const Tensor& probability, const Tensor& weight = {});
double accuracy(const Tensor& y, const Tensor& probability, const Tensor& weight = {});
/// The same of logits, ln(p / (1 - p)), which tell how wrong a prediction is where its probability is 0 or 1 by
/// rounding.
double log_loss_of_logits(const Tensor& y, const Tensor& logit, const Tensor& weight = {});
double accuracy_of_logits(const Tensor& y, const Tensor& logit, const Tensor& weight = {});

/// For classes, 0 to c - 1, and logits of each: the mean of -ln softmax(logits)[y], and the part of the rows where the
/// greatest logit was right. Throws TypeError for other shapes, ValueError for other targets.   [n, 1], [n, c]
double multiclass_log_loss(const Tensor& y, const Tensor& logits, const Tensor& weight = {});
double multiclass_accuracy(const Tensor& y, const Tensor& logits, const Tensor& weight = {});

/// 1 - mse / (the mean squared distance of the targets from their mean): NaN where all targets are one.
double r2(const Tensor& y, const Tensor& y_hat, const Tensor& weight = {});

/// The area under the ROC curve: the probability that a row of target 1 has a greater y_hat than one of target -1,
/// equal ones counting half; any increasing function of y_hat gives the same. NaN where there is only one class, or a
/// NaN among y_hat. Throws ValueError for other targets.
double auc(const Tensor& y, const Tensor& y_hat, const Tensor& weight = {});

/// The mean of the AUC of each group's rows, say of each user's, over the groups that have both classes; NaN where none
/// has. Throws TypeError unless there is a group for each row.
double mean_auc(std::span<const Index> group, const Tensor& y, const Tensor& y_hat);

}  // namespace gradus
