// Mini-batches of a data set, trained on by the library's factorization machine with Adagrad 0.1: Gradus' side of the
// benchmarks over batches. The same batches come again after the last.
#pragma once

#include "data.h"
#include "measure.h"

#include <gradus/gradus.h>

#include <cstdint>
#include <utility>
#include <vector>

namespace bench {

struct BatchOptions {
  std::int64_t factors = 16;
  std::int64_t batch = 1024;
  bool ready = true;  // batches are made ahead of time; else each step copies its rows first
  gradus::Task task = gradus::Task::regression;
  int threads = 1;
};

class Batches {
 public:
  Batches(const DataSet& data, const BatchOptions& options)
      : data_(data),
        options_(options),
        X_(g_.sparse_placeholder("X", {gradus::any, data.features})),
        y_(g_.placeholder("y", {gradus::any, 1})),
        fm_(X_, y_, {.factors = options.factors, .seed = 1, .task = options.task}),
        train_(gradus::Adagrad(0.1).minimize(fm_.loss)),
        session_(g_, gradus::Device::cpu(), {.threads = options.threads}) {
    if (!options.ready) return;
    for (std::int64_t b = 0; b < count(); ++b) ready_.push_back(made(b));
  }

  std::int64_t count() const { return data_.rows() / options_.batch; }
  /// The first V.   [p, k]
  std::vector<float> start() { return vector_of(session_.value(fm_.V)); }

  double step_loss() {
    const auto [x, y] = next();
    return session_.run({fm_.loss, train_}, {{X_, x}, {y_, y}})[0].item();
  }
  Steps steps() {
    return [this](std::int64_t count) {
      for (std::int64_t i = 0; i < count; ++i) {
        const auto [x, y] = next();
        session_.run(train_, {{X_, x}, {y_, y}});
      }
    };
  }

 private:
  using Batch = std::pair<gradus::Tensor, gradus::Tensor>;

  Batch made(std::int64_t b) const {
    return {x_rows(data_, b * options_.batch, options_.batch), y_rows(data_, b * options_.batch, options_.batch)};
  }
  Batch next() {
    const std::int64_t b = step_++ % count();
    return options_.ready ? ready_[static_cast<std::size_t>(b)] : made(b);
  }

  const DataSet& data_;
  BatchOptions options_;
  gradus::Graph g_;
  gradus::Expr X_, y_;
  gradus::FactorizationMachine fm_;
  gradus::Expr train_;
  gradus::Session session_;
  std::vector<Batch> ready_;
  std::int64_t step_ = 0;
};

}  // namespace bench
