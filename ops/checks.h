// Refusals that the pages of many ops share, so that they read alike.
#pragma once

#include <gradus/core/graph/op.h>
#include <gradus/ops/ops.h>

#include <string_view>
#include <utility>
#include <vector>

namespace gradus {

/// What a type rule would see of these operands: for functions that make several nodes, and refuse before the first.
class Given {
 public:
  explicit Given(std::vector<Expr> exprs) : exprs_(std::move(exprs)), types_(types_of(exprs_)), in_(types_, exprs_) {}
  Given(const Given&) = delete;
  Given& operator=(const Given&) = delete;
  const OpInputs& operator*() const { return in_; }

 private:
  static std::vector<Type> types_of(const std::vector<Expr>& exprs);

  std::vector<Expr> exprs_;
  std::vector<Type> types_;
  OpInputs in_;
};

/// Whether two shapes may turn out to be one: of the same rank, each dimension the same or unknown.
bool may_agree(const Shape& a, const Shape& b);

/// Throws TypeError, naming the op, unless input i is dense.
void require_dense(std::string_view op, const OpInputs& in, int i = 0, std::string_view operand = "x");

/// The expression that x is. Throws TypeError for a number or a tensor: functions that make several nodes must
/// know the graph before the first.
Expr require_expr(std::string_view op, const Operand& x, std::string_view operand = "x");

}  // namespace gradus
