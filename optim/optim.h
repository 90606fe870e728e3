// Optimizers, with TensorFlow's names, formulas and defaults. Each is a handful of expressions and assigns over
// ordinary variables (its slots): no kernel, nothing the engine would have to know.
//
// Where a gradient has layout rows, only the rows it holds are read and written, slots included: a step costs what
// the batch touches. GradientDescent and Adagrad do there exactly what the dense formula does. The others let the
// slots and weights of untouched rows rest where the dense formula would move them; each says how.
//
// Options out of range throw ValueError when the optimizer is made. In the formulas g is the gradient, w the
// variable, rate the learning rate: a number, or a floating scalar expression of any dtype (see schedules.h).
#pragma once

#include <gradus/core/graph/graph.h>

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace gradus {

/// A gradient and the variable it is the gradient of.
struct GradientOf {
  Expr gradient;
  Expr variable;
};

struct MinimizeOptions {
  std::vector<Expr> variables = {};  // which to move; all trainable ones if none is named
  Expr step = {};                    // an int64 scalar variable that counts the steps, if wanted
};

class Optimizer {
 public:
  virtual ~Optimizer() = default;

  /// One expression which, run, makes one step down `loss`, a scalar. Throws TypeError where the loss is no
  /// floating scalar or does not depend on one of the variables.
  Expr minimize(const Expr& loss, const MinimizeOptions& options = {}, Location where = Location::current());

  /// The two halves of minimize, for those who clip or inspect gradients in between. Slots are made the first time
  /// an optimizer meets a variable, and used again after. Throws TypeError for an empty list, a gradient of another
  /// dtype or shape than its variable, a variable named twice or of another graph.
  std::vector<GradientOf> compute_gradients(const Expr& loss, std::vector<Expr> variables = {});
  Expr apply_gradients(std::span<const GradientOf> gradients, const Expr& step = {},
                       Location where = Location::current());

  /// The slot variable "variable/Optimizer/name"; no expression before it was made. Without a variable, what the
  /// optimizer keeps for all of them: slot({}, "step") of Adam.
  Expr slot(const Expr& variable, std::string_view name) const;

  /// "Adagrad"; part of the slots' names.
  const std::string& name() const { return name_; }

 protected:
  /// What an option may be: [0, 1), or a finite number on one side of 0.
  enum class Range : std::uint8_t { fraction, at_least_0, above_0, at_most_0 };

  /// Throws ValueError for a rate that is a number out of range.
  Optimizer(std::string_view name, Operand rate, Range range = Range::at_least_0);

  /// Throws ValueError "Adam: beta1 is 2; a number in [0, 1) is expected" for a value out of range.
  void require(std::string_view option, double value, Range range) const;

  /// What a formula works with: one variable and its gradient.
  class Update;
  /// The formula.
  virtual void update(Update& u) const = 0;

  /// One call of apply_gradients, for what its variables share.
  class Step;
  /// The rate corrected for the step at hand, once for all variables; formulas read it as u.step_size().
  virtual Operand step_size(Step& step) const;

 private:
  // By variable (-1 for what all share) and name.
  using Slots = std::map<std::pair<NodeId, std::string>, Expr, std::less<>>;

  Expr known_slot(NodeId variable, std::string_view name) const;
  Expr keep_slot(NodeId variable, std::string_view name, const Expr& made);

  std::string name_;
  Operand rate_;
  Slots slots_;
  Expr counted_;      // the assign that counts a step; train ops that run together count one
  GraphToken graph_;  // whose slots these are
};

/// w -= rate * g
class GradientDescent final : public Optimizer {
 public:
  explicit GradientDescent(Operand rate) : Optimizer("GradientDescent", std::move(rate)) {}

 private:
  void update(Update& u) const override;
};

struct MomentumOptions {
  double momentum = 0.9;      // in [0, 1); TensorFlow has no default for it
  bool use_nesterov = false;  // step to where the momentum will carry, not from where it is
};

/// momentum = options.momentum * momentum + g;  w -= rate * momentum            (Polyak 1964)
/// with use_nesterov: w -= rate * (g + options.momentum * momentum)             (Sutskever et al. 2013)
/// Rows: untouched rows neither coast on their momentum nor lose it.
class Momentum final : public Optimizer {
 public:
  explicit Momentum(Operand rate, const MomentumOptions& options = {});

 private:
  void update(Update& u) const override;
  MomentumOptions options_;
};

struct AdagradOptions {
  double initial_accumulator = 0.1;  // above 0
};

/// accumulator += g^2;  w -= rate * g / sqrt(accumulator)   (Duchi, Hazan, Singer 2011)
class Adagrad final : public Optimizer {
 public:
  explicit Adagrad(Operand rate, const AdagradOptions& options = {});

 private:
  void update(Update& u) const override;
  AdagradOptions options_;
};

struct AdadeltaOptions {
  double rho = 0.95;      // decay of both averages, in [0, 1)
  double epsilon = 1e-8;  // above 0: it sets the first step
};

/// accum = rho accum + (1 - rho) g^2
/// d = g sqrt(accum_update + epsilon) / sqrt(accum + epsilon)
/// accum_update = rho accum_update + (1 - rho) d^2;  w -= rate * d              (Zeiler 2012)
/// Rows: the averages of untouched rows do not decay.
class Adadelta final : public Optimizer {
 public:
  explicit Adadelta(Operand rate = 0.001, const AdadeltaOptions& options = {});

 private:
  void update(Update& u) const override;
  AdadeltaOptions options_;
};

struct RMSPropOptions {
  double decay = 0.9;      // of the averages, in [0, 1)
  double momentum = 0;     // in [0, 1)
  double epsilon = 1e-10;  // at least 0
  bool centered = false;   // divide by the gradient's deviation instead of its size
};

/// rms = decay rms + (1 - decay) g^2, from 1;  mg = decay mg + (1 - decay) g if centered, else 0
/// momentum = options.momentum * momentum + rate * g / sqrt(rms - mg^2 + epsilon);  w -= momentum
/// (Tieleman and Hinton 2012, lecture 6.5; centered: Graves 2013.) Without momentum there is no such slot.
/// Rows: the averages of untouched rows do not decay, and they do not coast.
class RMSProp final : public Optimizer {
 public:
  explicit RMSProp(Operand rate, const RMSPropOptions& options = {});

 private:
  void update(Update& u) const override;
  RMSPropOptions options_;
};

struct AdamOptions {
  double beta1 = 0.9;     // decay of the mean gradient, in [0, 1)
  double beta2 = 0.999;   // decay of the mean square, in [0, 1)
  double epsilon = 1e-8;  // at least 0; the paper's epsilon-hat, outside the root and the corrections
};

/// m = beta1 m + (1 - beta1) g;  v = beta2 v + (1 - beta2) g^2
/// w -= rate * sqrt(1 - beta2^t) / (1 - beta1^t) * m / (sqrt(v) + epsilon)      (Kingma and Ba 2015, section 2)
/// t, from 1, is counted in the int64 variable "Adam/step", which all variables of the optimizer share.
/// Rows: the averages of untouched rows do not decay and their weights rest, while t goes on ("lazy Adam").
class Adam : public Optimizer {
 public:
  explicit Adam(Operand rate = 0.001, const AdamOptions& options = {}) : Adam("Adam", std::move(rate), options) {}

 protected:
  Adam(std::string_view name, Operand rate, const AdamOptions& options);
  /// Sets m and v; what is to be taken from w.
  Expr move(Update& u) const;

 private:
  void update(Update& u) const override;
  Operand step_size(Step& step) const override;
  AdamOptions options_;
};

struct AdamWOptions {
  double weight_decay = 0.004;  // at least 0; Keras's default, TensorFlow 1 has no AdamW
  double beta1 = 0.9;           // the others are Adam's
  double beta2 = 0.999;
  double epsilon = 1e-8;
};

/// Adam's step and, apart from it, w -= rate * weight_decay * w; both from the old w.
/// (Loshchilov and Hutter 2019, algorithm 2, with the rate in place of their schedule and alpha.)
/// Rows: as Adam, and only the rows touched decay.
class AdamW final : public Adam {
 public:
  explicit AdamW(Operand rate = 0.001, const AdamWOptions& options = {});

 private:
  void update(Update& u) const override;
  double weight_decay_;
};

struct FtrlOptions {
  double learning_rate_power = -0.5;  // at most 0; 0 keeps the rate, -0.5 lets it fall as Adagrad's
  double initial_accumulator = 0.1;   // at least 0
  double l1 = 0;                      // at least 0, as the next two
  double l2 = 0;
  double l2_shrinkage = 0;  // a penalty on the size of the weights met, where l2 is one on the weights to come
};

/// n = accum + g^2, p = -learning_rate_power
/// linear += g + 2 l2_shrinkage w - (n^p - accum^p) / rate * w;  accum = n
/// w = (sign(linear) l1 - linear) / (n^p / rate + 2 l2) where |linear| > l1, else 0
/// (McMahan et al. 2013, algorithm 1.) The rate must be above 0. The weights follow from the slots alone: a start
/// other than 0 is forgotten at the first step.
/// Rows: this is the dense formula if weights start at 0, the rate stays the same and there is no l2_shrinkage;
/// otherwise untouched rows keep the weights that they have.
class Ftrl final : public Optimizer {
 public:
  explicit Ftrl(Operand rate, const FtrlOptions& options = {});

 private:
  void update(Update& u) const override;
  FtrlOptions options_;
};

}  // namespace gradus
