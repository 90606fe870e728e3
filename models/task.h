// What the models of this room have in common: a design matrix X and targets y, what is learnt of them (a number or
// one of two classes), how wrong an estimate y_hat is, and the L2 penalty on the parameters.
#pragma once

#include <gradus/core/graph.h>

#include <cstdint>
#include <initializer_list>
#include <string_view>

namespace gradus {

enum class Task : std::uint8_t {
  regression,  // y is a number; the error is (y - y_hat)^2
  binary,      // y is -1 or 1; the error is -ln sigma(y_hat y)
};

/// The mean error of the rows; for binary tasks as softplus(-y y_hat), which does not overflow.   [n, 1], [n, 1] -> []
Expr mean_error(Task task, const Expr& y, const Expr& y_hat);

/// What to tell of a row: y_hat for regression, sigma(y_hat) = P(y = 1) for binary tasks.   [n, 1] -> [n, 1]
Expr prediction(Task task, const Expr& y_hat);

/// lambda * sum(parameter^2); no expression where lambda is 0.   [...] -> []
Expr l2_penalty(double lambda, const Expr& parameter);

/// The sum of those terms that are expressions; the constant 0 where none is.   [] ... -> []
Expr sum_of_penalties(const Expr& X, std::initializer_list<Expr> terms);

/// The columns p of a design matrix X [n, p], dense or csr, with targets y [n, 1]; n may be unknown. Throws TypeError,
/// naming the model, where X and y are not that.
std::int64_t design_columns(std::string_view model, const Expr& X, const Expr& y);

/// Throws ValueError, naming the model's option, unless lambda is finite and not negative.
void check_l2(std::string_view model, std::string_view option, double lambda);

/// Throws ValueError, naming the first row at fault, unless every target fits the task: -1 or 1 for binary ones (0 is
/// the usual mistake), finite for regression.
void check_targets(Task task, const Tensor& y);

}  // namespace gradus
