// What the models of this room have in common: a design matrix X and targets y, what is learnt of them (a number, one
// of two classes, an order), how wrong an estimate y_hat is, and the L2 penalty on the parameters.
#pragma once

#include <gradus/models/relations.h>

#include <cstdint>
#include <initializer_list>
#include <map>
#include <span>
#include <string>
#include <string_view>

namespace gradus {

enum class Task : std::uint8_t {
  regression,  // y is a number; the error is (y - y_hat)^2
  binary,      // y is -1 or 1; the error is -ln sigma(y_hat y)
  ranking,  // rows come in pairs, 2j and 2j + 1: the one whose y is 1 is to be ranked above the one whose y is -1; the
            // error of a pair is -ln sigma(the difference of their y_hat) (BPR: Rendle et al., UAI 2009)
  multiclass,  // y is a class, 0 to c - 1, y_hat has a column for each; the error is -ln softmax(y_hat)[y]
};

/// "regression", "binary", "ranking" or "multiclass".
std::string_view to_string(Task task);
/// Throws ValueError for a name that is none of these.
Task task_named(std::string_view name);

/// The parameters of a model by name: each model says its own in one place, from which it makes them, and by which
/// files are checked before anything is made.
using ParameterShapes = std::map<std::string, Shape>;

/// The mean of the rows; where there are weights, sum(weight * rows) / sum(weight), which is 0 where all weights are.
/// [n, 1], [n, 1] or no expression -> []
Expr mean_of_rows(const Expr& rows, const Expr& weight);

/// The mean error of the rows; of binary tasks and ranking as softplus(-y y_hat), which does not overflow. The weight
/// of a pair is the sum of its rows'.   [n, 1], [n, 1] (of multiclass [n, c]), [n, 1] or no expression -> []
Expr mean_error(Task task, const Expr& y, const Expr& y_hat, const Expr& weight = {});

/// What to tell of a row: y_hat for regression and ranking, sigma(y_hat) = P(y = 1) for binary tasks, the probability
/// of each class, softmax(y_hat), for multiclass ones.   [n, 1] -> [n, 1], [n, c] -> [n, c]
Expr prediction(Task task, const Expr& y_hat);

/// What an L2 penalty lambda on the parameters of features reaches.
enum class L2Over : std::uint8_t {
  all,  // every feature: lambda * sum(parameter^2). A step costs what the table holds.
  // What occurs: each row of X pays for its features, as in the SGD of libFM and LIBFFM, and the penalty is the mean of
  // the rows (weighted, as the error is). A feature that is in a tenth of the rows pays a tenth of lambda * its
  // squares, whatever the size of the batches; a step costs what the batch touches. A zero that a csr X stores is an
  // occurrence. What rows have by way of relations counts by its square: a hundred features of a tenth as one.
  touched,
};

/// "all" or "touched".
std::string_view to_string(L2Over over);

/// lambda * sum(parameter^2); no expression where lambda is 0.   [...] -> []
Expr l2_penalty(double lambda, const Expr& parameter);

/// A parameter of the features, [p] or [p, k], and its lambda: a number, or an expression that broadcasts over it.
struct FeaturePenalty {
  Operand lambda;
  Expr parameter;
};
/// What those parameters pay; no expression where all lambdas are 0.   [] or no expression
Expr l2_penalty(const Design& X, std::span<const FeaturePenalty> of_features, L2Over over, const Expr& weight);
inline Expr l2_penalty(const Design& X, std::initializer_list<FeaturePenalty> of_features, L2Over over,
                       const Expr& weight) {
  return l2_penalty(X, std::span(of_features.begin(), of_features.size()), over, weight);
}

/// The sum of those terms that are expressions; the constant 0 where none is.   [] ... -> []
Expr sum_of_penalties(const Expr& X, std::initializer_list<Expr> terms);

/// The columns p of a design matrix X [n, p], dense or csr, with targets y [n, 1]; n may be unknown. Throws TypeError,
/// naming the model, where X and y are not that.
std::int64_t design_columns(std::string_view model, const Expr& X, const Expr& y);

/// Throws TypeError, naming the model, unless weight is no expression or [n, 1], a number for each row of X.
void check_weight(std::string_view model, const Expr& X, const Expr& weight);

/// Throws ValueError, naming the model, unless there is a factor and the deviation of its start is finite, 0 or more.
void check_factors(std::string_view model, std::int64_t factors, double init_stddev);

/// Throws ValueError, naming the model's option, unless lambda is finite and not negative.
void check_l2(std::string_view model, std::string_view option, double lambda);

/// How the two classes of a binary task are written: 0 and 1, or -1 and 1. Where all are 1 it cannot be told.
enum class BinaryForm : std::uint8_t { ones, zero_one, signs };

struct BinaryTargets {
  Tensor y;  // -1 and 1
  BinaryForm form;
};
/// Targets of a binary task brought to -1 and 1, and how they were written; `so_far` is what was found in the rows
/// before, where data comes in blocks. Throws ValueError, naming row and value, for a target that is not of one form
/// with those before it: `name` begins the message, and rows are counted from `first_row` there.
BinaryTargets binary_targets(const Tensor& y, BinaryForm so_far = BinaryForm::ones,
                             std::string_view name = "binary_targets", std::int64_t first_row = 0);

/// Throws ValueError, naming the first row at fault, unless every target fits the task: -1 or 1 for binary ones (0 is
/// the usual mistake), finite for regression, whole for multiclass, for ranking a 1 and a -1 in each pair of rows.
void check_targets(Task task, const Tensor& y);

}  // namespace gradus
