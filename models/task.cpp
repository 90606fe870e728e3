#include <gradus/models/task.h>

#include <gradus/core/create.h>
#include <gradus/core/error.h>
#include <gradus/ops/ops.h>

#include <fmt/format.h>

#include <cmath>

namespace gradus {

namespace {

// "[7, 16] (X, main.cpp:14)"
std::string shown(const Expr& expr) {
  return fmt::format("{} ({}, {})", expr.shape(), expr.name(), to_string(expr.where()));
}

}  // namespace

Expr mean_error(Task task, const Expr& y, const Expr& y_hat) {
  if (task == Task::binary) return reduce_mean(softplus(-(y * y_hat)));  // []
  return reduce_mean(square(y - y_hat));                                 // []
}

Expr prediction(Task task, const Expr& y_hat) {
  return task == Task::binary ? sigmoid(y_hat) : y_hat;  // [n, 1]
}

Expr l2_penalty(double lambda, const Expr& parameter) {
  return lambda == 0 ? Expr() : lambda * reduce_sum(square(parameter));  // []
}

Expr sum_of_penalties(const Expr& X, std::initializer_list<Expr> terms) {
  Expr sum;
  for (const Expr& term : terms)
    if (term) sum = sum ? sum + term : term;                    // []
  return sum ? sum : X.graph().constant(zeros({}, X.dtype()));  // []
}

std::int64_t design_columns(std::string_view model, const Expr& X, const Expr& y) {
  if (!X || !y) fail<TypeError>("{}: {} is no expression yet", model, X ? "y" : "X");
  if (X.rank() != 2) fail<TypeError>("{}: X is {}; a matrix [n, p] is expected", model, shown(X));
  if (X.shape()[1] == any) fail<TypeError>("{}: X is {}; the number of features, p, must be known", model, shown(X));
  if (!is_floating(X.dtype()))
    fail<TypeError>("{}: X is {} {}; float32 or float64 is expected", model, X.dtype(), shown(X));
  const bool column = y.rank() == 2 && y.shape()[1] == 1;
  const bool rows_agree = column && (y.shape()[0] == X.shape()[0] || y.shape()[0] == any || X.shape()[0] == any);
  // A y of [n] would broadcast against y_hat [n, 1] to [n, n], and train without a word.
  if (!rows_agree)
    fail<TypeError>("{}: y is {} but X is {}; y must be [n, 1], a target for each row of X", model, shown(y), shown(X));
  if (y.dtype() != X.dtype())
    fail<TypeError>("{}: y is {} {} but X is {} {}; cast one of them", model, y.dtype(), shown(y), X.dtype(), shown(X));
  return X.shape()[1];
}

void check_l2(std::string_view model, std::string_view option, double lambda) {
  if (!std::isfinite(lambda) || lambda < 0)
    fail<ValueError>("{}: {} is {}; a finite number, 0 or more, is expected", model, option, lambda);
}

void check_targets(Task task, const Tensor& y) {
  std::int64_t row = 0;
  for (const double target : y.to_dense()) {
    if (task == Task::binary && target != -1 && target != 1)
      fail<ValueError>("check_targets: target {} is {}; a binary task takes -1 and 1", row, target);
    if (!std::isfinite(target))
      fail<ValueError>("check_targets: target {} is {}; a finite number is expected", row, target);
    ++row;
  }
}

}  // namespace gradus
