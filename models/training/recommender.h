// The best of many candidates for each of many contexts, such as items for users: what predicting every pair and
// sorting would give, without predicting every pair.
//
//   const TrainedModel model = load_model("m.safetensors");
//   const Candidates items = candidates_of(model, item_column(model));  // candidates.h: by the names of the columns
//   const Contexts users = contexts_of(model, items, {}, user_column(model));
//   const Recommender recommend(model, "m.safetensors", items.x);
//   for (const Recommendation& each : recommend(users.x, 10).front())
//     fmt::print("{} {}\n", items.names[each.item], each.score);
//
// A row that is told is the sum of a context's and a candidate's: user=7, age=30 and item=50, genre=Comedy. Of a linear
// model or a factorization machine of order 2 y_hat is then a sum of what each has by itself and an inner product of
// two vectors, so that a matrix product tells all pairs; of samples (mcmc) there is one for each, whose predictions are
// averaged. Of other kinds of models, and where categories are hashed, all pairs are predicted, some thousands at once.
#pragma once

#include <gradus/models/training/predictor.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace gradus {

struct Recommendation {
  Index item;   // row of the candidates
  float score;  // what a Predictor tells of the pair, but for rounding
};

class Recommender {
 public:
  /// Candidates csr float32 [m, p]. Throws ValueError for a multiclass model, which tells no one number, TypeError for
  /// other candidates, and what Predictor throws; `path` is named then. It keeps what it needs of the model.
  Recommender(const TrainedModel& model, const std::string& path, const Tensor& candidates,
              const TrainerOptions& where = {});
  Recommender(const Recommender&) = delete;
  Recommender& operator=(const Recommender&) = delete;
  ~Recommender();

  /// For each context, csr float32 [n, p], the `count` best candidates, best first; of those told alike the first of
  /// the rows; fewer where there are no more. `without` has for each context candidates to be left out, ascending; it
  /// may be empty. Besides what is returned it needs the memory of a few thousand contexts' vectors: show it a
  /// thousand at a time.
  std::vector<std::vector<Recommendation>> operator()(const Tensor& contexts, std::int64_t count,
                                                      std::span<const std::vector<Index>> without = {}) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace gradus
