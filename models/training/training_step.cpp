#include <gradus/models/training/training_step.h>

#include <gradus/core/error.h>
#include <gradus/core/tensor/create.h>
#include <gradus/optim/clip.h>
#include <gradus/optim/schedules.h>

#include <cmath>
#include <utility>

namespace gradus {

namespace {

// The rate of the step that `step` counts, from 0.
Operand rate_at(const TrainingOptions& options, const Expr& step, std::int64_t epoch_steps) {
  const double rate = options.rate == 0 ? usual_rate(options) : options.rate;
  const auto epoch = static_cast<double>(epoch_steps);
  if (options.schedule == RateSchedule::exponential)
    return exponential_decay(rate, step, epoch, options.schedule_decay, {.staircase = true});
  if (options.schedule == RateSchedule::cosine)
    return cosine_decay(rate, step, epoch * static_cast<double>(options.epochs.value()));
  std::vector<double> boundaries;
  std::vector<double> values{rate};
  for (const std::int64_t at : options.schedule_at) {
    boundaries.push_back(static_cast<double>(at) * epoch - 1);  // the last step that has the rate before
    values.push_back(values.back() * options.schedule_decay);
  }
  return piecewise_constant(step, boundaries, values);
}

std::unique_ptr<Optimizer> optimizer_named(const TrainingOptions& o, const Operand& rate) {
  const auto epsilon = [&](double usual) { return o.epsilon == 0 ? usual : o.epsilon; };
  switch (o.optimizer) {
    case Learner::sgd: return std::make_unique<GradientDescent>(rate);
    case Learner::momentum:
      return std::make_unique<Momentum>(rate, MomentumOptions{.momentum = o.momentum, .use_nesterov = o.nesterov});
    case Learner::adagrad:
      return std::make_unique<Adagrad>(rate, AdagradOptions{.initial_accumulator = o.initial_accumulator});
    case Learner::adadelta:
      return std::make_unique<Adadelta>(rate,
                                        AdadeltaOptions{.rho = o.rho, .epsilon = epsilon(AdadeltaOptions().epsilon)});
    case Learner::rmsprop:
      return std::make_unique<RMSProp>(rate, RMSPropOptions{.decay = o.decay,
                                                            .momentum = o.rmsprop_momentum,
                                                            .epsilon = epsilon(RMSPropOptions().epsilon),
                                                            .centered = o.centered});
    case Learner::adam:
      return std::make_unique<Adam>(
          rate, AdamOptions{.beta1 = o.beta1, .beta2 = o.beta2, .epsilon = epsilon(AdamOptions().epsilon)});
    case Learner::adamw:
      return std::make_unique<AdamW>(rate, AdamWOptions{.weight_decay = o.weight_decay,
                                                        .beta1 = o.beta1,
                                                        .beta2 = o.beta2,
                                                        .epsilon = epsilon(AdamWOptions().epsilon)});
    case Learner::ftrl:
      return std::make_unique<Ftrl>(rate, FtrlOptions{.initial_accumulator = o.initial_accumulator, .l1 = o.l1});
    case Learner::als:
    case Learner::mcmc: break;
  }
  fail<ValueError>(".optimizer is {}, which goes down no gradients", to_string(o.optimizer));
}

}  // namespace

double usual_rate(const TrainingOptions& options) {
  switch (options.optimizer) {
    case Learner::sgd: return 0.1;
    case Learner::momentum: return 0.02;
    case Learner::adagrad:
    case Learner::ftrl: return 0.2;
    case Learner::adadelta: return 1;
    case Learner::rmsprop:
    case Learner::adam:
    case Learner::adamw: return 0.003;
    case Learner::als:
    case Learner::mcmc: break;
  }
  return 0;  // they have none
}

TrainingStep training_step(const Expr& loss, const std::vector<Expr>& parameters, const TrainingOptions& options,
                           std::int64_t epoch_steps) {
  Expr step;
  Operand rate = options.rate == 0 ? usual_rate(options) : options.rate;
  if (options.schedule != RateSchedule::constant) {
    step = loss.graph().variable("step", zeros({}, int64), {.trainable = false});
    rate = rate_at(options, step, epoch_steps);
  }
  TrainingStep out{optimizer_named(options, rate), {}};
  std::vector<GradientOf> pairs = out.optimizer->compute_gradients(loss, parameters);
  if (options.clip_value > 0)
    for (GradientOf& pair : pairs)
      pair.gradient = clip_by_value(pair.gradient, -options.clip_value, options.clip_value);
  if (options.clip_norm > 0) {
    std::vector<Expr> dy;
    for (const GradientOf& pair : pairs) dy.push_back(pair.gradient);
    const ClippedByGlobalNorm clipped = clip_by_global_norm(dy, options.clip_norm);
    for (std::size_t i = 0; i < pairs.size(); ++i) pairs[i].gradient = clipped.clipped[i];
  }
  out.run = out.optimizer->apply_gradients(pairs, step);
  return out;
}

}  // namespace gradus
