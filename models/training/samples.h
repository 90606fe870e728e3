// What Gibbs sampling leaves: many models in the place of one, each as likely as the data make it, whose predictions
// are averaged. All draws count but those of the first ten iterations, or of the first tenth where that is less: to
// wait longer costs accuracy (MovieLens-100k, 20 factors, 500 iterations, a random tenth, three seeds: RMSE 0.8795,
// after 50 iterations 0.8809). They are kept as the means of some stretches of iterations. Within a stretch the factors
// hardly turn, so that the mean of its draws predicts what its draws do in the mean: 8 means do as well as 100, or as
// all draws, but 50 single draws are worse by 0.001 or more. How sure the predictions are is told by the last draw of
// each stretch.
#pragma once

#include <gradus/core/io/safetensors.h>
#include <gradus/core/run/session.h>
#include <gradus/core/tensor/tensor.h>
#include <gradus/models/model.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace gradus {

/// The parameters of a model by name.
using Parameters = std::map<std::string, Tensor>;

struct Samples {
  std::vector<Parameters> means, draws;  // of each stretch: the mean of its draws, and the last of them

  std::int64_t count() const { return std::ssize(means); }
};

/// The mean of each parameter over all stretches: one model, whose predictions are not the mean of theirs.
Parameters mean_of(const Samples& samples);

/// What files have of S stretches, "samples/V" and "draws/V" [S, p, k], and so on; and back, which passes other tensors
/// by.
TensorStacks stacked(const Samples& samples);
Samples unstacked(const std::map<std::string, Tensor>& tensors);
/// "V" of "samples/V" and of "draws/V"; "" of other names.
std::string sampled_parameter(const std::string& name);

/// How many of so many epochs do not count.
std::int64_t unsettled_epochs(std::int64_t epochs);

class Scratch;  // memory of large samples, detail/scratch.h

/// Makes samples of draws, one epoch after the other.
class SampleKeeper {
 public:
  /// As many stretches as `samples` of the epochs behind unsettled_epochs, but none without an epoch. Large ones are
  /// kept in a file of the folder `scratch`, if one is given.
  SampleKeeper(std::int64_t epochs, std::int64_t samples, const std::string& scratch = {});

  /// What is drawn in an epoch, from 1. Returns whether a stretch ends with it.
  bool add(std::int64_t epoch, const Parameters& drawn);
  const Samples& samples() const { return samples_; }
  /// Samples that have been read may leave memory again, where there is a file of them.
  void let_go();
  /// How many stretches have ended after so many epochs.
  std::int64_t ended(std::int64_t epoch) const;

  /// The state beside samples(): the sums "stretch/V" (float64) of a stretch that has not ended. And all of it back
  /// from what a file has of both after so many epochs, where that has the names and types of expected().
  std::map<std::string, Tensor> sums() const;
  std::map<std::string, Type> expected(std::int64_t epoch, const Parameters& like) const;
  void restore(std::int64_t epoch, const std::map<std::string, Tensor>& state);

 private:
  template <class Fill>
  Tensor next_in(std::string_view prefix, const std::string& name, const Shape& shape, const Fill& fill);

  std::int64_t first_, rest_, wanted_;  // epochs that do not count, and that do; stretches
  std::shared_ptr<Scratch> scratch_;
  std::map<std::string, Tensor> room_;  // of all samples that there will be, by the names of stacked   [wanted, ...]
  Samples samples_;
  std::map<std::string, Tensor> sums_;  // float64, of the stretch so far; empty at its start
  std::int64_t summed_ = 0;             // epochs
};

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
