// What an optimizer's formula is written in.
#pragma once

#include <gradus/ops/ops.h>
#include <gradus/optim/optim.h>

namespace gradus {

class Optimizer::Update {
 public:
  Update(Optimizer& optimizer, const GradientOf& pair, std::vector<Expr>& assigns)
      : optimizer_(optimizer), pair_(pair), assigns_(assigns) {}

  const Expr& variable() const { return pair_.variable; }
  const Expr& g() const { return pair_.gradient; }
  /// The learning rate, in the variable's dtype.
  Operand rate() const;

  /// A variable of the same shape that belongs to this one; every element starts at `initial`.
  Expr slot(std::string_view name, double initial) const;

  /// The old value of the variable or a slot: all of it, or the rows that the gradient holds.
  Expr old(const Expr& v) const { return part_of(v, g()); }
  /// Sets what old() reads. Returns the new value.
  Expr set(const Expr& v, const Expr& value) const;

 private:
  Optimizer& optimizer_;
  const GradientOf& pair_;
  std::vector<Expr>& assigns_;
};

}  // namespace gradus
