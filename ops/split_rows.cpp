// The rows of a matrix cut by groups of its columns: what a row holds in each group becomes a row of its own. With it a
// product has a sum for each group, as field-aware models want. The gradient joins the rows again.
#include <gradus/core/at.h>
#include <gradus/core/device/device_call.h>
#include <gradus/core/graph/op.h>
#include <gradus/core/tensor/create.h>
#include <gradus/ops/checks.h>
#include <gradus/ops/ops.h>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

namespace gradus {

namespace {

// Which group each column is in, -1 for none; shared by the two ops.
using Groups = std::shared_ptr<const std::vector<Index>>;

// Calls visit(j, k) for each non-zero j of x that has a group, where it is non-zero k of the rows when they are split.
template <class Visit>
void for_each_split(const CsrPattern& x, const std::vector<Index>& group, std::int64_t groups, const Visit& visit) {
  std::vector<std::int64_t> next(at(groups) + 1);
  std::int64_t before = 0;  // non-zeros of the rows before
  for (std::int64_t r = 0; r < x.rows; ++r) {
    const std::int64_t begin = x.row_start[at(r)], end = x.row_start[at(r) + 1];
    std::fill(next.begin(), next.end(), 0);
    for (std::int64_t j = begin; j < end; ++j) ++next[at(group[at(x.column[at(j)])] + 1)];
    next[0] = before;
    for (std::int64_t g = 1; g <= groups; ++g) next[at(g)] += next[at(g - 1)];
    before = next[at(groups)];
    // next[g] is where group g begins: the counts were of the groups after -1.
    for (std::int64_t j = begin; j < end; ++j) {
      const Index g = group[at(x.column[at(j)])];
      if (g >= 0) visit(j, next[at(g)]++);
    }
  }
}

// Copies the numbers of x to where they are when its rows are split, or back, on an accelerator. Each number of the
// split rows is looked for among the columns of the row that it is of.
void launch_copy(DeviceCall& call, const Value& x, const Value& split, std::int64_t groups, bool back) {
  constexpr std::string_view text = R"cuda(
extern "C" __global__ void NAME(const T* from, T* to, const gr_int64* row_start, const int* column,
                                const int* split_row, const int* split_column, gr_int64 stored, gr_int64 groups) {
  for (gr_int64 k = gr_first(); k < stored; k += gr_step()) {
    const gr_int64 row = split_row[k] / groups;
    gr_int64 j = row_start[row], last = row_start[row + 1];
    while (j < last) {
      const gr_int64 middle = j + (last - j) / 2;
      if (column[middle] < split_column[k]) {
        j = middle + 1;
      } else {
        last = middle;
      }
    }
    if (back) {
      to[j] = from[k];
    } else {
      to[k] = from[j];
    }
  }
}
)cuda";
  if (split.stored == 0) return;
  DevicePattern& whole = call.pattern(x);
  DevicePattern& parts = call.pattern(split);
  call.launch({back ? "join_rows" : "split_rows", text,
               fmt::format("{} constexpr bool back = {};", using_type(x.type.dtype), back)},
              grid_for(split.stored), back ? split.data : x.data, call.out().data, whole.row_start(), whole.column(),
              parts.row(), parts.column(), split.stored, groups);
}

class SplitRows final : public Op {
 public:
  SplitRows(Groups group, std::int64_t groups)
      : group_(std::move(group)),
        groups_(groups),
        all_grouped_(std::all_of(group_->begin(), group_->end(), [](Index of) { return of >= 0; })) {}

  std::string_view name() const override { return "split_rows"; }
  Attributes attributes() const override { return {{"groups", groups_}}; }
  bool same(const Op& other) const override {
    const auto* split = dynamic_cast<const SplitRows*>(&other);
    return split != nullptr && split->groups_ == groups_ && (split->group_ == group_ || *split->group_ == *group_);
  }
  Type infer(const OpInputs& in) const override {
    const std::int64_t rows = in[0].shape[0];
    if (rows != any && rows > max_sparse_dimension / groups_)
      fail<TypeError>("split_rows: x is {}; with {} groups it would have more than {} rows", in.shape(0), groups_,
                      max_sparse_dimension);
    return {in[0].dtype, {rows == any ? any : rows * groups_, in[0].shape[1]}, Layout::csr};
  }
  Tiles by_rows(std::span<const Type>, const Type& y) const override { return {Tiles::Gives::rows, 1, y.shape[0]}; }
  // Where every column has a group, nothing is left out.
  Traits traits() const override { return {.touches_as_input = all_grouped_}; }
  // d split(x) = dx, each number where it was before
  Expr gradient(const Expr& y, const Expr& dy, int i) const override;

  void compute(Call& call) const override {
    const CsrPattern& x = *call.in(0).pattern;
    call.set_pattern(split(x));
    call.out().ones = call.in(0).ones;
    dispatch_floating(call.out().type.dtype, [&]<class T>(TypeTag<T>) {
      const T* from = call.in<T>(0);
      T* to = call.out<T>();
      for_each_split(x, *group_, groups_, [&](std::int64_t j, std::int64_t k) { to[k] = from[j]; });
    });
  }
  void launch(DeviceCall& call) const override {
    const Value& x = call.in(0);
    call.set_pattern(call.pattern_made_of(x, [&](const CsrPattern& pattern) { return split(pattern); }));
    call.out().ones = x.ones;
    launch_copy(call, x, call.out(), groups_, false);
  }

 private:
  std::shared_ptr<const CsrPattern> split(const CsrPattern& x) const {
    auto pattern = std::make_shared<CsrPattern>();
    pattern->rows = x.rows * groups_;
    pattern->columns = x.columns;
    pattern->row_start.assign(at(pattern->rows) + 1, 0);
    for (std::int64_t r = 0; r < x.rows; ++r)
      for (std::int64_t j = x.row_start[at(r)]; j < x.row_start[at(r) + 1]; ++j)
        if (const Index g = (*group_)[at(x.column[at(j)])]; g >= 0) ++pattern->row_start[at(r * groups_ + g) + 1];
    for (std::size_t r = 1; r < pattern->row_start.size(); ++r) pattern->row_start[r] += pattern->row_start[r - 1];
    const std::span<Index> column = pattern->new_column(pattern->row_start.back());
    for_each_split(x, *group_, groups_, [&](std::int64_t j, std::int64_t k) { column[at(k)] = x.column[at(j)]; });
    return pattern;
  }

  Groups group_;
  std::int64_t groups_;
  bool all_grouped_;
};

// Inputs: a csr matrix with the pattern that split_rows made, and the matrix that it was made of, for its pattern.
class JoinRows final : public Op {
 public:
  JoinRows(Groups group, std::int64_t groups) : group_(std::move(group)), groups_(groups) {}

  std::string_view name() const override { return "join_rows"; }
  bool same(const Op& other) const override {
    const auto* join = dynamic_cast<const JoinRows*>(&other);
    return join != nullptr && join->groups_ == groups_ && (join->group_ == group_ || *join->group_ == *group_);
  }
  Type infer(const OpInputs& in) const override { return {in[0].dtype, in[1].shape, Layout::csr}; }
  Tiles by_rows(std::span<const Type>, const Type& y) const override { return {Tiles::Gives::rows, 3, y.shape[0]}; }
  std::string_view no_gradient(int i) const override { return i == 1 ? "only its pattern is used" : ""; }
  // d join(z) = dz, each number where it was before
  Expr gradient(const Expr&, const Expr& dy, int) const override {
    return apply(std::make_shared<SplitRows>(group_, groups_), {dy});
  }

  void compute(Call& call) const override {
    const CsrPattern& x = *call.in(1).pattern;
    call.set_pattern(call.in(1).pattern);
    dispatch_floating(call.out().type.dtype, [&]<class T>(TypeTag<T>) {
      const T* from = call.in<T>(0);
      T* to = call.out<T>();
      std::fill_n(to, x.non_zeros(), T{});
      for_each_split(x, *group_, groups_, [&](std::int64_t j, std::int64_t k) { to[j] = from[k]; });
    });
  }
  void launch(DeviceCall& call) const override {
    call.set_pattern(call.in(1).pattern);
    Value& x = call.out();
    if (x.stored > 0) call.accelerator().set_zero(x.data, x.stored * static_cast<std::int64_t>(size_of(x.type.dtype)));
    launch_copy(call, x, call.in(0), groups_, true);
  }

 private:
  Groups group_;
  std::int64_t groups_;
};

Expr SplitRows::gradient(const Expr& y, const Expr& dy, int) const {
  return apply(std::make_shared<JoinRows>(group_, groups_), {dy, y.input(0)});
}

}  // namespace

Expr split_rows(const Operand& x, const std::vector<Index>& group, std::int64_t groups) {
  const Expr expr = require_expr("split_rows", x);
  const std::array types{expr.type()};
  const std::array exprs{expr};
  const OpInputs in(types, exprs);
  if (expr.rank() != 2) fail<TypeError>("split_rows: x is {}; a matrix is expected", in.shape(0));
  if (!is_floating(expr.dtype())) fail<TypeError>("split_rows: x is {}; float32 or float64 is expected", in.dtype(0));
  if (expr.shape()[1] != static_cast<std::int64_t>(group.size()))
    fail<TypeError>("split_rows: x is {} but {} columns have a group", in.shape(0), group.size());
  if (groups < 1 || groups > max_sparse_dimension)
    fail<ValueError>("split_rows: there are {} groups; 1 to {} are expected", groups, max_sparse_dimension);
  for (std::size_t c = 0; c < group.size(); ++c)
    if (group[c] < -1 || group[c] >= groups)
      fail<ValueError>("split_rows: the group of column {} is {}; -1 to {} are expected", c, group[c], groups - 1);
  if (expr.layout() == Layout::csr)
    return apply(std::make_shared<SplitRows>(std::make_shared<const std::vector<Index>>(group), groups), {x});
  const Graph::Pin pin = expr.graph().pin(x.where());
  Tensor is_in = zeros({groups, expr.shape()[1]}, expr.dtype());
  dispatch_floating(expr.dtype(), [&]<class T>(TypeTag<T>) {
    for (std::size_t c = 0; c < group.size(); ++c)
      if (group[c] >= 0) is_in.writable<T>()[at(group[c]) * group.size() + c] = 1;
  });
  const Expr mask = expr.graph().constant(is_in);
  const std::int64_t n = expr.shape()[0];
  return reshape(expand_dims(expr, 1) * mask, {n == any ? any : n * groups, expr.shape()[1]});
}

}  // namespace gradus
