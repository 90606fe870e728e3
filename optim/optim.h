// Optimizers, with TensorFlow's names, formulas and defaults. Each is a handful of expressions and assigns over
// ordinary variables (its slots): no kernel, nothing the engine would have to know.
//
// Where a gradient has layout rows, only the rows it holds are read and written, slots included: a step costs what
// the batch touches. For Adagrad, Ftrl and plain gradient descent without momentum that is the dense formula; the
// others (Momentum, RMSProp, Adadelta, Adam, AdamW) let slots and weights of untouched rows rest where the dense
// formula would decay or move them.
#pragma once

#include <gradus/core/graph.h>

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

  /// The two halves of minimize, for those who clip or inspect gradients in between.
  std::vector<GradientOf> compute_gradients(const Expr& loss, std::vector<Expr> variables = {});
  Expr apply_gradients(std::span<const GradientOf> gradients, const Expr& step = {},
                       Location where = Location::current());

  /// The slot variable "variable/Optimizer/name"; no expression before it was made.
  Expr slot(const Expr& variable, std::string_view name) const;

  /// "Adagrad"; part of the slots' names.
  virtual std::string_view name() const = 0;

 protected:
  explicit Optimizer(Operand rate) : rate_(std::move(rate)) {}

  /// What a formula works with: one variable and its gradient.
  class Update;
  /// The formula.
  virtual void update(Update& u) const = 0;

 private:
  Operand rate_;
  std::map<std::pair<NodeId, std::string>, Expr> slots_;
  Graph* graph_ = nullptr;
};

/// w -= rate * g
class GradientDescent final : public Optimizer {
 public:
  explicit GradientDescent(Operand rate) : Optimizer(std::move(rate)) {}
  std::string_view name() const override { return "GradientDescent"; }

 private:
  void update(Update& u) const override;
};

struct AdagradOptions {
  double initial_accumulator = 0.1;
};

/// accumulator += g^2;  w -= rate * g / sqrt(accumulator)   (Duchi, Hazan, Singer 2011)
class Adagrad final : public Optimizer {
 public:
  explicit Adagrad(Operand rate, const AdagradOptions& options = {});
  std::string_view name() const override { return "Adagrad"; }

 private:
  void update(Update& u) const override;
  AdagradOptions options_;
};

}  // namespace gradus
