// Several models in the place of one: parameters that are each as likely as the data make them, as Gibbs sampling draws
// them. What they tell is the mean of their predictions; it is not what the mean of their parameters would tell.
#pragma once

#include <gradus/core/run/session.h>
#include <gradus/core/tensor/tensor.h>
#include <gradus/models/model.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace gradus {

/// The parameters of a model by name.
using Parameters = std::map<std::string, Tensor>;

/// The mean of each parameter.
Parameters mean_of(const std::vector<Parameters>& samples);
/// Tensors "samples/V" [S, p, k] and so on, of S samples, and back: these tensors of a file, those that are there.
std::map<std::string, Tensor> stacked(const std::vector<Parameters>& samples);
std::vector<Parameters> unstacked(const std::map<std::string, Tensor>& tensors);
/// "V" of "samples/V"; "" of other names.
std::string sampled_parameter(const std::string& name);

/// Whether the sample of this epoch, from 1, is kept: of the last half of `epochs` every so many-th, so that there are
/// `samples`, or all of that half.
bool is_kept(std::int64_t epoch, std::int64_t epochs, std::int64_t samples);
/// How many are kept of the first `epoch` epochs.
std::int64_t kept_until(std::int64_t epoch, std::int64_t epochs, std::int64_t samples);

Parameters parameters_of(Session& session, const Model& model);
void assign(Session& session, const Model& model, const Parameters& parameters);

/// What some samples tell of the same rows.
class MeanOfSamples {
 public:
  /// `probit`: what is added are y_hat of a binary task, and what is told is P(y = 1) = Phi(y_hat).
  explicit MeanOfSamples(bool probit) : probit_(probit) {}

  /// Of one sample more, for each row.   [n, 1]
  void add(const Tensor& told);
  std::int64_t count() const { return count_; }
  /// Their mean.   [n, 1]
  Tensor predictions() const;
  /// How far they lie from it, as a standard deviation: what the data leave open of the rows' means.   [n, 1]
  Tensor deviations() const;
  /// What evaluations take: the mean; of binary tasks the logit of it, to the last digits also where it is 0 or 1.
  Tensor estimates() const;

 private:
  bool probit_;
  std::int64_t count_ = 0;
  std::vector<double> sum_, squares_, others_;  // others_: of 1 - P
};

}  // namespace gradus
