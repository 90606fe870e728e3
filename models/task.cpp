#include <gradus/models/task.h>

#include <gradus/core/error.h>
#include <gradus/core/tensor/create.h>
#include <gradus/ops/ops.h>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <string>
#include <type_traits>

namespace gradus {

namespace {

// "[7, 16] (X, main.cpp:14)"
std::string shown(const Expr& expr) {
  return fmt::format("{} ({}, {})", expr.shape(), expr.name(), to_string(expr.where()));
}

// Whether v can be [n, 1] with the n of X.
bool is_column_beside(const Expr& X, const Expr& v) {
  return v.rank() == 2 && v.layout() == Layout::dense && v.shape()[1] == 1 &&
         (v.shape()[0] == X.shape()[0] || v.shape()[0] == any || X.shape()[0] == any);
}

// The sum of the two rows of each pair.   [2 m, 1] -> [m, 1]
Expr sum_of_pairs(const Expr& rows) { return reduce_sum(reshape(rows, {any, 2}), 1, keep_dims); }

constexpr std::array tasks = {Task::regression, Task::binary, Task::ranking, Task::multiclass};

}  // namespace

std::string_view to_string(Task task) {
  switch (task) {
    case Task::regression: return "regression";
    case Task::binary: return "binary";
    case Task::ranking: return "ranking";
    case Task::multiclass: return "multiclass";
  }
  return "";
}

std::string_view to_string(L2Over over) {
  return over == L2Over::all ? "all" : over == L2Over::touched ? "touched" : "";
}

Task task_named(std::string_view name) {
  for (const Task task : tasks)
    if (to_string(task) == name) return task;
  fail<ValueError>("task: \"{}\" is given; regression, binary, ranking or multiclass is expected", name);
}

Expr mean_of_rows(const Expr& rows, const Expr& weight) {
  if (!weight.valid()) return reduce_mean(rows);                                    // []
  const Expr sum = maximum(reduce_sum(weight), std::numeric_limits<float>::min());  // []
  return reduce_sum(weight * rows) / sum;                                           // []
}

Expr mean_error(Task task, const Expr& y, const Expr& y_hat, const Expr& weight) {
  switch (task) {
    case Task::regression: return mean_of_rows(square(y - y_hat), weight);   // []
    case Task::binary: return mean_of_rows(softplus(-(y * y_hat)), weight);  // []
    case Task::multiclass: {
      const std::int64_t c = y_hat.shape()[1];
      const Expr is_class = one_hot(cast(reshape(y, {any}), int64), c, y_hat.dtype());  // [n, c]
      const Expr of_class = reduce_sum(is_class * y_hat, 1, keep_dims);                 // [n, 1]
      return mean_of_rows(reduce_logsumexp(y_hat, 1, keep_dims) - of_class, weight);    // []
    }
    case Task::ranking: break;
  }
  // y is 1 and -1: the sum is a difference, of the preferred row and the other.
  return mean_of_rows(softplus(-sum_of_pairs(y * y_hat)), weight.valid() ? sum_of_pairs(weight) : weight);  // []
}

Expr prediction(Task task, const Expr& y_hat) {
  if (task == Task::multiclass) return softmax(y_hat);   // [n, c]
  return task == Task::binary ? sigmoid(y_hat) : y_hat;  // [n, 1]
}

Expr l2_penalty(double lambda, const Expr& parameter) {
  return lambda == 0 ? Expr() : lambda * reduce_sum(square(parameter));  // []
}

Expr l2_penalty(const Design& X, std::span<const FeaturePenalty> of_features, L2Over over, const Expr& weight) {
  Expr occurs;  // csr or dense [n, c]
  Expr sum;     // of all: []; of what is touched: [n, 1]
  for (const auto& [lambda, parameter] : of_features) {
    if (lambda.number() == 0.0) continue;
    Expr term = lambda * square(parameter);  // [p] or [p, k]
    if (over == L2Over::all) {
      term = reduce_sum(term);  // []
    } else {
      if (!occurs.valid())
        occurs = X.X().layout() == Layout::csr ? sample(1, X.X()) : cast(not_equal(X.X(), 0), X.X().dtype());
      term = X.squares_of_columns(term);                                                         // [c] or [c, k]
      term = reduce_sum(term.rank() == 1 ? term * occurs : matmul(occurs, term), 1, keep_dims);  // [n, 1]
    }
    sum = sum.valid() ? sum + term : term;
  }
  return sum.valid() && over == L2Over::touched ? mean_of_rows(sum, weight) : sum;  // []
}

Expr sum_of_penalties(const Expr& X, std::initializer_list<Expr> terms) {
  Expr sum;
  for (const Expr& term : terms)
    if (term.valid()) sum = sum.valid() ? sum + term : term;            // []
  return sum.valid() ? sum : X.graph().constant(zeros({}, X.dtype()));  // []
}

std::int64_t design_columns(std::string_view model, const Expr& X, const Expr& y) {
  if (!X.valid() || !y.valid()) fail<TypeError>("{}: {} is no expression yet", model, X.valid() ? "y" : "X");
  if (X.rank() != 2) fail<TypeError>("{}: X is {}; a matrix [n, p] is expected", model, shown(X));
  if (X.shape()[1] == any) fail<TypeError>("{}: X is {}; the number of features, p, must be known", model, shown(X));
  if (!is_floating(X.dtype()))
    fail<TypeError>("{}: X is {} {}; float32 or float64 is expected", model, X.dtype(), shown(X));
  // A y of [n] would broadcast against y_hat [n, 1] to [n, n], and train without a word.
  if (!is_column_beside(X, y))
    fail<TypeError>("{}: y is {} but X is {}; y must be [n, 1], a target for each row of X", model, shown(y), shown(X));
  if (y.dtype() != X.dtype())
    fail<TypeError>("{}: y is {} {} but X is {} {}; cast one of them", model, y.dtype(), shown(y), X.dtype(), shown(X));
  return X.shape()[1];
}

void check_weight(std::string_view model, const Expr& X, const Expr& weight) {
  if (!weight.valid()) return;
  if (!is_column_beside(X, weight))
    fail<TypeError>("{}: weight is {} but X is {}; weight must be [n, 1], a number for each row of X", model,
                    shown(weight), shown(X));
  if (weight.dtype() != X.dtype())
    fail<TypeError>("{}: weight is {} {} but X is {} {}; cast one of them", model, weight.dtype(), shown(weight),
                    X.dtype(), shown(X));
}

void check_factors(std::string_view model, std::int64_t factors, double init_stddev) {
  if (factors < 1) fail<ValueError>("{}: factors is {}; 1 or more is expected", model, factors);
  if (!std::isfinite(init_stddev) || init_stddev < 0)
    fail<ValueError>("{}: init_stddev is {}; a finite number, 0 or more, is expected", model, init_stddev);
}

void check_l2(std::string_view model, std::string_view option, double lambda) {
  if (!std::isfinite(lambda) || lambda < 0)
    fail<ValueError>("{}: {} is {}; a finite number, 0 or more, is expected", model, option, lambda);
}

BinaryTargets binary_targets(const Tensor& y, BinaryForm so_far, std::string_view name, std::int64_t first_row) {
  std::int64_t row = first_row;
  for (const double target : y.to_dense()) {
    const BinaryForm form = target == 1 ? BinaryForm::ones : (target == 0 ? BinaryForm::zero_one : BinaryForm::signs);
    if (form == BinaryForm::signs && target != -1)
      fail<ValueError>("{}: the target of row {} is {}; 0 and 1, or -1 and 1, are expected", name, row, target);
    if (form != BinaryForm::ones && so_far != BinaryForm::ones && form != so_far)
      fail<ValueError>(
          "{}: the target of row {} is {} where others before it are {}; 0 and 1, or -1 and 1, are expected", name, row,
          target, so_far == BinaryForm::signs ? "-1" : "0");
    if (form != BinaryForm::ones) so_far = form;
    ++row;
  }
  if (so_far != BinaryForm::zero_one) return {y, so_far};
  Tensor signs;
  dispatch(y.dtype(), [&]<class T>(TypeTag<T>) {
    if constexpr (std::is_same_v<T, bool>) {
      fail<TypeError>("{}: y is {}; numbers are expected", name, y.type());
    } else {
      signs = Tensor::make<T>(y.shape(), [&](std::span<T> to) {
        std::transform(y.span<T>().begin(), y.span<T>().end(), to.begin(), [](T x) { return x == T{1} ? x : T{-1}; });
      });
    }
  });
  return {signs, so_far};
}

void check_targets(Task task, const Tensor& y) {
  std::int64_t row = 0;
  double before = 0;
  for (const double target : y.to_dense()) {
    if (task == Task::binary && target != -1 && target != 1)
      fail<ValueError>("check_targets: target {} is {}; a binary task takes -1 and 1", row, target);
    if (task == Task::multiclass && (target < 0 || target != std::floor(target)))
      fail<ValueError>("check_targets: target {} is {}; the number of a class, 0 or more, is expected", row, target);
    if (!std::isfinite(target))
      fail<ValueError>("check_targets: target {} is {}; a finite number is expected", row, target);
    if (task == Task::ranking && (row % 2 == 0 ? std::abs(target) != 1 : target != -before))
      fail<ValueError>("check_targets: target {} is {}; ranking takes pairs of rows, one with 1 and one with -1", row,
                       target);
    before = target;
    ++row;
  }
  if (task == Task::ranking && row % 2 != 0)
    fail<ValueError>("check_targets: there are {} targets; ranking takes pairs of rows", row);
}

}  // namespace gradus
