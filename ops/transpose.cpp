// transpose: axes in another order. y[j_0, j_1, ...] = x[i_0, i_1, ...] with j_k = i_perm[k]. The reversal of a csr
// matrix stays csr and follows its non-zeros; a rows value, whose columns would all have gaps, becomes dense.
#include <gradus/core/error.h>
#include <gradus/core/graph/op.h>
#include <gradus/core/listed.h>
#include <gradus/ops/axes.h>
#include <gradus/ops/box.h>
#include <gradus/ops/device_rows.h>
#include <gradus/ops/ops.h>
#include <gradus/ops/rules.h>

#include <algorithm>
#include <cstring>

namespace gradus {

namespace {

class Transpose : public Op {
 public:
  explicit Transpose(std::vector<int> perm) : perm_(std::move(perm)) {}

  std::string_view name() const override { return "transpose"; }
  Attributes attributes() const override { return perm_.empty() ? Attributes() : Attributes{{"perm", perm_}}; }

  Type infer(const OpInputs& in) const override {
    const Shape& x = in[0].shape;
    if (!perm_.empty()) check_perm(in);
    const std::vector<int> perm = axes(x.rank());
    if (in[0].layout == Layout::part)
      fail<TypeError>("transpose: x is {}; the rows it leaves out are not known to be zero", in.layout(0));
    if (in[0].layout == Layout::csr && perm != std::vector<int>{1, 0})
      fail<TypeError>("transpose: x is {}; perm [{}] leaves it as it is, and a csr matrix takes only the reversal",
                      in.layout(0), listed(perm));
    std::vector<std::int64_t> dims;
    for (const int axis : perm) dims.push_back(x[axis]);
    return {in[0].dtype, Shape(dims), in[0].layout == Layout::csr ? Layout::csr : Layout::dense};
  }

  // Where only axes of size 1 change places they are kept: a column [n, 1] lies in memory as the row [1, n] does.
  Elements elements(std::span<const Type> in) const override {
    if (in[0].layout != Layout::dense) return Elements::computed;
    std::vector<int> order = axes(in[0].shape.rank());
    const bool swaps = order == std::vector<int>{1, 0};
    std::erase_if(order, [&](int axis) { return in[0].shape[axis] == 1; });
    if (std::is_sorted(order.begin(), order.end())) return Elements::kept;
    return swaps ? Elements::transposed : Elements::computed;
  }

  Tiles by_rows(std::span<const Type>, const Type& y) const override {
    const bool moves = y.shape.rank() == 0 || axes(y.shape.rank()).front() != 0;
    return moves ? Tiles{} : Tiles{Tiles::Gives::rows, 1, y.shape[0]};
  }

  // dx[i_0, i_1, ...] = dy[j_0, j_1, ...]: the inverse order.
  Expr gradient(const Expr&, const Expr& dy, int) const override {
    const std::vector<int> perm = axes(dy.rank());
    std::vector<int> inverse(perm.size());
    for (std::size_t axis = 0; axis < perm.size(); ++axis)
      inverse[static_cast<std::size_t>(perm[axis])] = static_cast<int>(axis);
    return transpose(dy, perm_.empty() ? perm_ : inverse);
  }

  // (x^T)^T = x and (A B)^T = B^T A^T, for matrices.
  Expr simplified(const Expr& y, const DraftFacts& facts) const override {
    if (!same_node(transposed_matrix(y), y.input(0))) return {};
    const Expr x = y.input(0);
    if (const Expr inner = transposed_matrix(x); inner.valid()) return inner;
    if (const Expr column = repeated(x); column.valid() && column.rank() == 2 && column.shape()[1] == 1)
      return broadcast_to(reshape(column, {1, column.shape()[0]}), y.shape());
    const auto flags = matrix_product(x);
    if (!flags || facts.readers(x) > 1 || x.input(0).layout() != Layout::dense || x.input(1).layout() != Layout::dense)
      return {};
    return matmul(x.input(1), x.input(0), {.transpose_a = !flags->transpose_b, .transpose_b = !flags->transpose_a});
  }

  void compute(Call& call) const override {
    switch (call.in(0).type.layout) {
      case Layout::csr: return reverse_csr(call);
      case Layout::rows: return scatter_rows(call);
      default: break;
    }
    copy_box(call.workers(), box(call.in(0).shape()), call.in(0).data, call.out().data, size_of(call.out().type.dtype));
  }

  void launch(DeviceCall& call) const override {
    const Value& x = call.in(0);
    const std::size_t bytes = size_of(x.type.dtype);
    if (x.type.layout == Layout::csr) {
      call.set_pattern(call.pattern_made_of(x, reversed));
      if (x.stored > 0)
        gather_rows(call, x.data, call.pattern(x).by_column().position, x.stored, bytes, call.out().data);
      return;
    }
    if (x.type.layout == Layout::dense) return copy_box(call, box(x.shape()), x.data, call.out().data, bytes);
    call.accelerator().set_zero(call.out().data, call.out().shape().size() * static_cast<std::int64_t>(bytes));
    if (x.stored == 0) return;
    // x's own axes, first the rows: the copy says where each lies.
    Box rows = box(x.shape());
    for (int k = 0; k < rows.rank; ++k)
      if (axis_at(k, rows.rank) == 0) std::rotate(rows.axis.begin(), rows.axis.begin() + k, rows.axis.begin() + k + 1);
    rows.axis[0].size = x.index->count();
    copy_box(call, rows, x.data, call.out().data, bytes, call.held_rows(x));
  }

 private:
  void check_perm(const OpInputs& in) const {
    const int rank = in[0].shape.rank();
    if (static_cast<int>(perm_.size()) != rank)
      fail<TypeError>("transpose: perm [{}] names {} axes; x is {} with {}", listed(perm_), perm_.size(), in.shape(0),
                      rank);
    std::vector<bool> named(perm_.size());
    for (const int axis : perm_) {
      if (axis < -rank || axis >= rank)
        fail<TypeError>("transpose: perm names axis {}; x is {} with {}", axis, in.shape(0), axes_of_rank(rank));
      const auto position = static_cast<std::size_t>(axis < 0 ? axis + rank : axis);
      if (named[position])
        fail<TypeError>("transpose: perm [{}] names axis {} twice; x is {}", listed(perm_), position, in.shape(0));
      named[position] = true;
    }
  }

  // Which axis of x, from 0, is axis k of the result; without a perm, the reversal's.
  int axis_at(int k, int rank) const {
    if (perm_.empty()) return rank - 1 - k;
    const int axis = perm_[static_cast<std::size_t>(k)];
    return axis < 0 ? axis + rank : axis;
  }

  std::vector<int> axes(int rank) const {
    std::vector<int> perm;
    for (int k = 0; k < rank; ++k) perm.push_back(axis_at(k, rank));
    return perm;
  }

  // The result in row-major order, read from x.
  Box box(const Shape& x) const {
    const auto strides = row_major_strides(x);
    std::int64_t stride = x.size();
    Box out;
    for (int k = 0; k < x.rank(); ++k) {
      const int axis = axis_at(k, x.rank());
      stride = x[axis] == 0 ? 0 : stride / x[axis];
      out.add(x[axis], strides[static_cast<std::size_t>(axis)], stride);
    }
    return out;
  }

  static std::shared_ptr<const CsrPattern> reversed(const CsrPattern& x) {
    const CsrPattern::ByColumn& by_column = x.by_column();
    auto pattern = std::make_shared<CsrPattern>();
    pattern->rows = x.columns;
    pattern->columns = x.rows;
    pattern->set_column(by_column.row);
    pattern->row_start.assign(static_cast<std::size_t>(pattern->rows) + 1, 0);
    const std::vector<Index>& active = x.active_columns()->row;
    for (std::size_t k = 0; k < active.size(); ++k)
      pattern->row_start[static_cast<std::size_t>(active[k]) + 1] = by_column.start[k + 1] - by_column.start[k];
    for (std::size_t row = 1; row < pattern->row_start.size(); ++row)
      pattern->row_start[row] += pattern->row_start[row - 1];
    return pattern;
  }

  static void reverse_csr(Call& call) {
    const Value& x = call.in(0);
    call.set_pattern(reversed(*x.pattern));
    const std::int64_t* position = x.pattern->by_column().position.data();
    dispatch(x.type.dtype, [&]<class T>(TypeTag<T>) {
      const T* from = call.in<T>(0);
      T* to = call.out<T>();
      call.workers().for_each(x.stored, 16384, [&](std::int64_t first, std::int64_t last) {
        for (std::int64_t j = first; j < last; ++j) to[j] = from[position[j]];
      });
    });
  }

  void scatter_rows(Call& call) const {
    const Value& x = call.in(0);
    const std::size_t bytes = size_of(x.type.dtype);
    if (call.out().shape().size() == 0) return;
    std::memset(call.out().data, 0, static_cast<std::size_t>(call.out().shape().size()) * bytes);
    if (x.index->count() == 0) return;
    // One row of x as a box in the result: axis 0 of x is an offset there.
    Box row = box(x.shape());
    std::size_t place = 0;
    while (axis_at(static_cast<int>(place), x.shape().rank()) != 0) ++place;
    Box::Axis& zero = row.axis[place];
    const std::int64_t stride = zero.to;
    zero.size = 1;
    row = row.simplified();
    for (const Index i : x.index->row) {
      row.to = i * stride;
      copy_box(call.workers(), row, x.data, call.out().data, bytes);
      row.from += x.row_size();
    }
  }

  std::vector<int> perm_;
};

}  // namespace

Expr transpose(const Operand& x, const std::vector<int>& perm) { return apply(std::make_shared<Transpose>(perm), {x}); }

}  // namespace gradus
