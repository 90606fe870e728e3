// Mini-batches of a data set, trained on by the library's factorization machine with Adagrad 0.1: Gradus' side of the
// benchmarks over batches. The batches are gradus::Batches in the order of the data, epoch after epoch: views, as the
// hand-written loop walks the rows where they are. What a step needs to know of a batch's columns is found out in the
// step, on the thread that is timed.
#pragma once

#include "data.h"
#include "measure.h"

#include <gradus/gradus.h>

#include <cstdint>
#include <iterator>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace bench {

struct TrainingOptions {
  std::int64_t factors = 16;
  std::int64_t batch = 1024;
  bool ready = true;        // batches are made ahead of time, once; else each step has its batch made first
  bool shuffle = false;     // a new order in each epoch: rows are copied
  bool background = false;  // batches are made by threads of their own
  gradus::Task task = gradus::Task::regression;
  int threads = 1;
  std::int64_t pieces = 0;  // of a batch, over a communicator of one rank; 0: a session that knows of none
};

class Training {
 public:
  Training(const gradus::Rows& data, const TrainingOptions& options,
           const gradus::Device& device = gradus::Device::cpu())
      : batches_(data, {.size = options.batch,
                        .shuffle = options.shuffle,
                        .drop_remainder = true,
                        .threads = options.background ? std::optional<int>() : 0}),
        X_(g_.sparse_placeholder("X", {gradus::any, data.x.dim(1)})),
        y_(g_.placeholder("y", {gradus::any, 1})),
        fm_(X_, y_, {.factors = options.factors, .seed = 1, .task = options.task}),
        train_(gradus::Adagrad(0.1).minimize(fm_.loss)),
        session_(options.pieces == 0 ? gradus::Session(g_, device, {.threads = options.threads})
                                     : gradus::Session(g_, device, gradus::Communicator::threads(1).front(),
                                                       {.threads = options.threads, .pieces = options.pieces})) {
    if (!options.ready) return;
    for (const gradus::Batch& batch : batches_.epoch(0)) ready_.push_back(batch);
  }

  std::int64_t count() const { return batches_.count(); }
  /// Those made ahead of time.
  const std::vector<gradus::Batch>& ready() const { return ready_; }
  std::string explain() {
    const gradus::Batch& batch = next();
    return session_.explain(train_, {{X_, batch.x}, {y_, batch.y}});
  }
  /// The first V.   [p, k]
  std::vector<float> start() { return vector_of(session_.value(fm_.V)); }

  double step_loss() {
    const gradus::Batch& batch = next();
    return session_.run({fm_.loss, train_}, {{X_, batch.x}, {y_, batch.y}})[0].item();
  }
  Steps steps() {
    return [this](std::int64_t count) {
      for (std::int64_t i = 0; i < count; ++i) {
        const gradus::Batch& batch = next();
        session_.run(train_, {{X_, batch.x}, {y_, batch.y}});
      }
    };
  }

 private:
  const gradus::Batch& next() {
    if (!ready_.empty()) return ready_[static_cast<std::size_t>(step_++ % count())];
    if (step_++ % count() == 0) {
      epoch_.emplace(batches_.epoch(step_ / count()));
      at_.emplace(epoch_->begin());
    } else {
      ++*at_;
    }
    return **at_;
  }

  gradus::Batches batches_;
  gradus::Graph g_;
  gradus::Expr X_, y_;
  gradus::FactorizationMachine fm_;
  gradus::Expr train_;
  gradus::Session session_;
  std::vector<gradus::Batch> ready_;
  std::optional<gradus::Epoch> epoch_;
  std::optional<gradus::Epoch::Iterator> at_;
  std::int64_t step_ = 0;
};

}  // namespace bench
