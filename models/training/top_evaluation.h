// How good the first of a list are: of what users took in the rows of a test file, how much is among the `count`
// candidates that are recommended to them, and how far in front. Metrics are of a user, and their means over the users:
//   precision   the part of the list that was taken        recall    the part of what was taken that is in the list
//   ndcg        sum over the places of what was taken of 1 / log2(1 + place), by the greatest that it could be
//   mrr         1 / the first such place, 0 without one    hit rate  whether there is one
// (Jarvelin and Kekalainen, "Cumulated gain-based evaluation of IR techniques", ACM TOIS 2002, with gains of 1.)
#pragma once

#include <gradus/models/training/candidates.h>
#include <gradus/models/training/evaluation.h>
#include <gradus/models/training/recommender.h>

#include <optional>
#include <span>
#include <string>
#include <vector>

namespace gradus {

class TopMetrics {
 public:
  explicit TopMetrics(std::int64_t count) : count_(count) {}

  /// Of one user: the list, best first; what was taken, ascending; and how much else was taken that no list can have.
  void add(std::span<const Index> list, std::span<const Index> taken, std::int64_t others = 0);
  /// The means over all users, who are the examples: "ndcg@10", ...
  Evaluation mean() const;

 private:
  std::int64_t count_, users_ = 0;
  double ndcg_ = 0, precision_ = 0, recall_ = 0, mrr_ = 0, hits_ = 0;
};

struct TopEvaluation {
  std::string name;  // of the file
  std::int64_t users = 0, taken = 0;
  Evaluation model;
  std::optional<Evaluation> popularity;  // of the list of those with the most rows in `without`, for everybody
};

struct TopOptions {
  std::int64_t count = 10;
  /// Pairs that are neither recommended nor looked for, as of the training, by whose counts popularity goes. "": none.
  DataFile without = {};
  /// The least target that says that a row's candidate was taken; not given: 1 (or the greater class) of binary tasks,
  /// any of others.
  std::optional<double> liked = {};
};

/// The rows of a file by the column of users; a user's context is that of the first of them. Throws as readers do,
/// ValueError where nothing was taken.
TopEvaluation evaluate_top(const TrainedModel& model, const std::string& path, const DataFile& test,
                           const Candidates& candidates, const std::string& users, const TopOptions& options,
                           const TrainerOptions& where = {});

}  // namespace gradus
