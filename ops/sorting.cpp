// Order along the last axis: one op, the positions of the first elements in order. sort, top_k and in_top_k are made of
// it, or of comparisons, so that their gradients are those of gather.
#include <gradus/core/device/device_call.h>
#include <gradus/core/error.h>
#include <gradus/core/graph/op.h>
#include <gradus/ops/axes.h>
#include <gradus/ops/box.h>
#include <gradus/ops/checks.h>
#include <gradus/ops/ops.h>

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <numeric>
#include <type_traits>

namespace gradus {

namespace {

// An unsigned number, ordered as the numbers of T are: the two zeros are one, and a NaN comes last.
template <class T>
auto ordered(T x) {
  using Bits = std::conditional_t<sizeof(T) == 8, std::uint64_t, std::uint32_t>;
  if constexpr (std::is_same_v<T, bool>) {
    return static_cast<Bits>(x);
  } else {
    constexpr Bits sign = Bits{1} << (8 * sizeof(T) - 1);
    if constexpr (std::is_integral_v<T>) {
      return static_cast<Bits>(x) ^ sign;
    } else {
      if (x != x) return ~Bits{0};
      const auto bits = std::bit_cast<Bits>(x == 0 ? T{0} : x);
      return (bits & sign) != 0 ? static_cast<Bits>(~bits) : static_cast<Bits>(bits | sign);
    }
  }
}

class ArgSort final : public Op {
 public:
  ArgSort(std::string_view reader, Direction direction, std::int64_t count)
      : reader_(reader), direction_(direction), count_(count) {}

  std::string_view name() const override { return "argsort"; }
  Attributes attributes() const override {
    const Attribute direction(direction_ == descending ? "descending" : "ascending", true);
    return count_ == any ? Attributes{direction} : Attributes{direction, {"count", count_}};
  }

  Type infer(const OpInputs& in) const override {
    require_dense(reader_, in);
    const Shape& x = in[0].shape;
    const int last = resolve_axis(reader_, -1, in);
    if (count_ != any && x[last] != any && count_ > x[last])
      fail<TypeError>("{}: k is {}, but x is {}, whose last axis has {}", reader_, count_, in.shape(0), x[last]);
    if (x[last] > INT32_MAX) fail<TypeError>("{}: x is {}; positions are int32", reader_, in.shape(0));
    return {int32, count_ == any ? x : x.with(last, count_), Layout::dense};
  }
  std::string_view no_gradient(int) const override { return "a position is an integer"; }

  void compute(Call& call) const override {
    const Rows rows(call.in(0).shape(), call.out().shape());
    dispatch(call.in(0).type.dtype, [&]<class T>(TypeTag<T>) {
      const std::int64_t chunk = std::max<std::int64_t>(1, 16384 / std::max<std::int64_t>(1, rows.n));
      call.workers().for_each(rows.count, chunk, [&](std::int64_t first, std::int64_t last) {
        std::vector<Entry<T>> entries(static_cast<std::size_t>(rows.n));
        for (std::int64_t row = first; row < last; ++row)
          order(call.in<T>(0) + row * rows.n, entries, call.out<std::int32_t>() + row * rows.taken, rows.taken);
      });
    });
  }

  void launch(DeviceCall& call) const override {
    const Rows rows(call.in(0).shape(), call.out().shape());
    if (rows.count * rows.taken == 0) return;
    const auto padded =
        std::max<std::int64_t>(2, static_cast<std::int64_t>(std::bit_ceil(static_cast<std::uint64_t>(rows.n))));
    std::byte* const places = call.scratch(rows.count * padded * 4);
    const std::int64_t pairs = rows.count * padded / 2;
    const KernelText kernel{
        "sort_step", text,
        fmt::format("{} constexpr bool descending = {};", using_type(call.in(0).type.dtype), direction_ == descending)};
    for (std::int64_t sorted = 2; sorted <= padded; sorted *= 2)
      for (std::int64_t apart = sorted / 2; apart > 0; apart /= 2)
        call.launch(kernel, grid_for(pairs), call.in(0).data, places, pairs, rows.n, padded, sorted, apart);
    Box taken;
    taken.add(rows.count, padded, rows.taken);
    taken.add(rows.taken, 1, 1);
    copy_box(call, taken, places, call.out().data, 4);
  }

 private:
  // Batcher's bitonic network: in each step a thread puts two places in order. Places beyond a row come last in it. The
  // first step finds them as they are.
  static constexpr std::string_view text = R"cuda(
__device__ inline bool comes_before(const T* x, int i, int j, gr_int64 n) {
  if (i >= n || j >= n) return i < j;
  const T a = x[i], b = x[j];
  const bool nan_a = a != a, nan_b = b != b;
  if (nan_a != nan_b) return descending ? nan_a : nan_b;
  if (!nan_a && a != b) return descending ? a > b : a < b;
  return i < j;
}
extern "C" __global__ void NAME(const T* x, int* places, gr_int64 pairs, gr_int64 n, gr_int64 padded, gr_int64 sorted,
                                gr_int64 apart) {
  for (gr_int64 p = gr_first(); p < pairs; p += gr_step()) {
    const gr_int64 row = p / (padded / 2), pair = p % (padded / 2), at = pair / apart * 2 * apart + pair % apart;
    int* of_row = places + row * padded;
    const int i = sorted == 2 ? int(at) : of_row[at], j = sorted == 2 ? int(at + apart) : of_row[at + apart];
    const bool in_order = comes_before(x + row * n, i, j, n) == ((at & sorted) == 0);
    of_row[at] = in_order ? i : j;
    of_row[at + apart] = in_order ? j : i;
  }
}
)cuda";

  // Rows of n elements, of which so many are taken.
  struct Rows {
    std::int64_t count, n, taken;
    Rows(const Shape& x, const Shape& y)
        : count(x.slice(0, x.rank() - 1).size()), n(x[x.rank() - 1]), taken(y[y.rank() - 1]) {}
  };

  template <class T>
  struct Entry {
    decltype(ordered(T{})) key;
    std::int32_t place;
    bool operator<(const Entry& other) const { return key != other.key ? key < other.key : place < other.place; }
  };

  template <class T>
  void order(const T* x, std::vector<Entry<T>>& entries, std::int32_t* y, std::int64_t taken) const {
    for (std::size_t i = 0; i < entries.size(); ++i) {
      const auto key = ordered(x[i]);
      entries[i] = {direction_ == descending ? static_cast<decltype(key)>(~key) : key, static_cast<std::int32_t>(i)};
    }
    std::partial_sort(entries.begin(), entries.begin() + taken, entries.end());
    for (std::int64_t i = 0; i < taken; ++i) y[i] = entries[static_cast<std::size_t>(i)].place;
  }

  std::string_view reader_;  // the function that the user called, for messages
  Direction direction_;
  std::int64_t count_;  // `any`: all
};

// x with its axis `axis` changed for the last; the same turns it back.
Expr swapped_with_last(const Expr& x, int axis) {
  std::vector<int> perm(static_cast<std::size_t>(x.rank()));
  std::iota(perm.begin(), perm.end(), 0);
  std::swap(perm[static_cast<std::size_t>(axis)], perm.back());
  return axis == x.rank() - 1 ? x : transpose(x, perm);
}

Expr elements_at(const Expr& x, const Expr& places) { return gather(x, places, -1, x.rank() - 1); }

}  // namespace

Expr argsort(const Operand& x, int axis, Direction direction) {
  const Expr expr = require_expr("argsort", x);
  const Given given({expr});
  require_dense("argsort", *given);
  const int place = resolve_axis("argsort", axis, *given);
  const Graph::Pin pin = expr.graph().pin(x.where());
  const auto op = std::make_shared<ArgSort>("argsort", direction, any);
  return swapped_with_last(gradus::apply(op, {swapped_with_last(expr, place)}), place);
}

Expr sort(const Operand& x, int axis, Direction direction) {
  const Expr expr = require_expr("sort", x);
  const Given given({expr});
  require_dense("sort", *given);
  const int place = resolve_axis("sort", axis, *given);
  const Graph::Pin pin = expr.graph().pin(x.where());
  const Expr rows = swapped_with_last(expr, place);
  const Expr order = gradus::apply(std::make_shared<ArgSort>("sort", direction, any), {rows});
  return swapped_with_last(elements_at(rows, order), place);
}

TopK top_k(const Operand& x, std::int64_t k) {
  const Expr expr = require_expr("top_k", x);
  if (k < 0) fail<ValueError>("top_k: k is {} ({}); at least 0 is right", k, to_string(x.where()));
  const Graph::Pin pin = expr.graph().pin(x.where());
  const Expr places = gradus::apply(std::make_shared<ArgSort>("top_k", descending, k), {expr});
  return {elements_at(expr, places), places};
}

Expr in_top_k(const Operand& predictions, const Operand& targets, std::int64_t k) {
  const Expr rows = require_expr("in_top_k", predictions, "predictions"),
             of = require_expr("in_top_k", targets, "targets");
  const Given given({rows, of});
  const OpInputs& in = *given;
  require_dense("in_top_k", in, 0, "predictions");
  require_dense("in_top_k", in, 1, "targets");
  if (!is_floating(rows.dtype()))
    fail<TypeError>("in_top_k: predictions is {}; float32 or float64 is expected", in.dtype(0));
  if (!is_integer(of.dtype())) fail<TypeError>("in_top_k: targets is {}; int32 or int64 is expected", in.dtype(1));
  if (rows.rank() != 2 || of.rank() != 1 ||
      (rows.shape()[0] != of.shape()[0] && rows.shape()[0] != any && of.shape()[0] != any))
    fail<TypeError>("in_top_k: predictions is {} and targets {}; [n, classes] and [n] are expected", in.shape(0),
                    in.shape(1));
  const Graph::Pin pin = rows.graph().pin(predictions.where());
  const Expr classes = cast(at(shape_of(rows), {1}), of.dtype());
  const Expr there = of >= 0 && of < classes;
  // Another class for one that is not there, whose answer is then no.
  const Expr score = gather(rows, expand_dims(mask(there, of), 1), 1, 1);  // [n, 1]
  const Expr before = reduce_sum(cast(rows > score, int64), 1);            // [n]
  return there && reduce_all(isfinite(rows), 1) && before < k;
}

}  // namespace gradus
