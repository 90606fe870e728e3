// Counts of integers and of values in a range, as sums by segment.
#include <gradus/ops/checks.h>
#include <gradus/ops/indices.h>
#include <gradus/ops/ops.h>

namespace gradus {

namespace {

// Of ids from 0 on; what is to be left out has the id `size`, that of a count which is cut off.
Expr counts(std::string_view name, const Expr& ids, const Expr& weights, std::int64_t size) {
  return at(to_dense(scatter_add_for(name, ids, weights, {size + 1})), {{_, size}});
}

void require_count(std::string_view name, std::string_view operand, std::int64_t count, std::int64_t least,
                   const Location& where) {
  if (count < least || count >= max_sparse_dimension)
    fail<ValueError>("{}: {} is {} ({}); {} to {} are right", name, operand, count, to_string(where), least,
                     max_sparse_dimension - 1);
}

void require_number(std::string_view name, DType dtype) {
  if (dtype == boolean) fail<TypeError>("{}: dtype is bool; counts are numbers", name);
}

}  // namespace

Expr bincount(const Operand& values, std::int64_t size, const BincountOptions& options) {
  const Expr ids = require_expr("bincount", values, "values");
  const Expr weights = options.weights;
  const Given given({ids, weights.valid() ? weights : ids});
  const OpInputs& in = *given;
  require_dense("bincount", in, 0, "values");
  require_dense("bincount", in, 1, "weights");
  if (!is_integer(ids.dtype())) fail<TypeError>("bincount: values is {}; int32 or int64 is expected", in.dtype(0));
  if (in[1].dtype == boolean) fail<TypeError>("bincount: weights is {}; cast it to a number type first", in.dtype(1));
  require_number("bincount", options.dtype);
  if (!may_agree(in[0].shape, in[1].shape))
    fail<TypeError>("bincount: values is {} but weights is {}; their shapes must agree", in.shape(0), in.shape(1));
  require_count("bincount", "size", size, 0, values.where());
  const Graph::Pin pin = ids.graph().pin(values.where());
  return counts("bincount", minimum(ids, size), weights.valid() ? weights : ones_like(cast(ids, options.dtype)), size);
}

Expr histogram_fixed_width(const Operand& values, const ValueRange& value_range, std::int64_t nbins, DType dtype) {
  const Expr x = require_expr("histogram_fixed_width", values, "values");
  const Given given({x});
  require_dense("histogram_fixed_width", *given, 0, "values");
  require_count("histogram_fixed_width", "nbins", nbins, 1, values.where());
  require_number("histogram_fixed_width", dtype);
  if (x.dtype() == boolean)
    fail<TypeError>("histogram_fixed_width: values is {}; cast it to a number type first", (*given).dtype(0));
  const Graph::Pin pin = x.graph().pin(values.where());
  const auto number = [&](const Operand& bound) {
    const Expr e = bound.in(x.graph(), x.dtype(), "histogram_fixed_width");
    if (e.rank() != 0)
      fail<TypeError>("histogram_fixed_width: a bound of value_range is {}; one number is expected",
                      (*Given({e})).shape(0));
    return e;
  };
  const Expr low = number(value_range.low), high = number(value_range.high);
  // In float64, as TensorFlow divides; differences too, which integers would wrap around.
  const Expr from = cast(low, float64);
  const Expr place = (cast(x, float64) - from) / ((cast(high, float64) - from) / nbins);
  const Expr ids = cast(clip_by_value(place, 0, nbins - 1), int32);
  return counts("histogram_fixed_width", ids, ones_like(cast(x, dtype)), nbins);
}

}  // namespace gradus
