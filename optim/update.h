// What an optimizer's formula is written in. The same text serves dense gradients and rows: old() reads all of a
// variable, or the rows that the gradient holds, and set() writes back what old() read.
#pragma once

#include <gradus/ops/ops.h>
#include <gradus/optim/optim.h>

#include <array>

namespace gradus {

class Optimizer::Step {
 public:
  /// Throws TypeError where the learning rate is no floating scalar of the graph.
  Step(Optimizer& optimizer, Graph& graph);

  /// The learning rate: a number, or a scalar of this dtype.
  Operand rate(DType dtype = float64) { return rate_.in(dtype); }
  /// What step_size() made of it.
  Operand size(DType dtype) { return size_.in(dtype); }
  /// Which step this is, from 1. An int64 counts, so that no dtype of weights loses it.   float64 []
  Expr number();

 private:
  friend class Optimizer;
  friend class Update;
  // A scalar that variables of either dtype want in theirs.
  class Scalar {
   public:
    explicit Scalar(Operand value) : value_(std::move(value)) {}
    Operand in(DType dtype);

   private:
    Operand value_;
    std::array<Expr, dtype_count> cast_;
  };

  static Operand checked_rate(const Optimizer& optimizer, Graph& graph);

  Optimizer& optimizer_;
  Graph& graph_;
  std::vector<Expr> assigns_;
  Expr number_;
  Scalar rate_;
  Scalar size_;
};

class Optimizer::Update {
 public:
  Update(Step& step, const GradientOf& pair) : step_(step), pair_(pair) {}

  const Expr& variable() const { return pair_.variable; }
  const Expr& g() const { return pair_.gradient; }
  /// The learning rate and the corrected one, in the variable's dtype.
  Operand rate() const { return step_.rate(variable().dtype()); }
  Operand step_size() const { return step_.size(variable().dtype()); }

  /// A variable of the same shape that belongs to this one; every element starts at `initial`.
  Expr slot(std::string_view name, double initial) const;

  /// The old value of the variable or a slot: all of it, or the rows that the gradient holds.
  Expr old(const Expr& v) const { return part_of(v, g()); }
  /// Sets what old() reads. Returns the new value.
  Expr set(const Expr& v, const Expr& value) const;

 private:
  Step& step_;
  const GradientOf& pair_;
};

}  // namespace gradus
