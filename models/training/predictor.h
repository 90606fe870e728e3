// A trained model at work: predictions for rows of its columns.
#pragma once

#include <gradus/core/run/session.h>
#include <gradus/models/training/model_file.h>
#include <gradus/models/training/trainer.h>

#include <memory>

namespace gradus {

class Predictor {
 public:
  /// Throws IoError, naming the file, where the parameters are not those of the model that the options describe.
  Predictor(const TrainedModel& model, const std::string& path, const TrainerOptions& where = {});
  Predictor(const Predictor&) = delete;
  Predictor& operator=(const Predictor&) = delete;
  ~Predictor();

  /// What the task tells of a row: a number, or the probability of the greater class, or of each of several.
  /// csr [n, p] -> [n, 1] or [n, c]
  Tensor operator()(const Tensor& x);
  /// The same for many rows, a few thousand at a time.
  Tensor all(const Tensor& x);
  /// How sure the predictions of mcmc are: their standard deviation over its draws, which is what the data leave open
  /// of the mean of such rows, without the noise of their targets. Of other models 0.   csr [n, p] -> [n, 1]
  Tensor deviations(const Tensor& x);
  /// What evaluations take of a row (estimate_of).   csr [n, p] -> [n, 1] or [n, c]
  Tensor estimates(const Tensor& x);

  /// What it runs: the placeholder X [n, p], the prediction [n, 1] or [n, c], and the session with the parameters; of
  /// mcmc those of the mean of the samples' parameters, whose predictions are others than the mean of theirs.
  const Expr& input() const;
  const Expr& output() const;
  Session& session();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// How good the model is on the rows that have one value in a column.
struct GroupEvaluation {
  std::string value;
  Evaluation evaluation;
};
/// The mean of each metric over the groups where it is a number, and how many there are; `by` says of each row its
/// group. y [n, 1], estimates [n, 1] or [n, c], weight [n, 1] or [0]
std::vector<GroupEvaluation> evaluate_groups(Task task, const KeptColumn& by, const Tensor& y, const Tensor& estimate,
                                             const Tensor& weight = {});
Evaluation mean_of(const std::vector<GroupEvaluation>& groups);

/// How good the model is on a file, which is read block by block; what it did not know is counted.
struct FileEvaluation {
  Evaluation evaluation;
  std::string name;  // of the file
  std::vector<std::int64_t> unseen, missing;
  std::vector<GroupEvaluation> groups;  // by the values of the column `by`; empty without
};
/// With a column to go by, its rows by the values of it as well. Throws ValueError where that is for a ranking.
FileEvaluation evaluate_file(const TrainedModel& model, Predictor& predict, DataFile file, const std::string& by = "");

}  // namespace gradus
