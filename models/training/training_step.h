// The expression of a training step as the options want it: an optimizer by its name, a learning rate that may change
// from epoch to epoch, gradients that may be clipped.
#pragma once

#include <gradus/core/graph/graph.h>
#include <gradus/models/training/training_options.h>
#include <gradus/optim/optim.h>

#include <memory>

namespace gradus {

/// The rate that options.rate 0 stands for: what does well on one-hot data.
double usual_rate(const TrainingOptions& options);

struct TrainingStep {
  std::unique_ptr<Optimizer> optimizer;
  Expr run;  // one step down the loss
};

/// `parameters` are moved; `epoch_steps` steps are an epoch, which schedules count. Throws ValueError for options out
/// of range.
TrainingStep training_step(const Expr& loss, const std::vector<Expr>& parameters, const TrainingOptions& options,
                           std::int64_t epoch_steps);

}  // namespace gradus
