// unique: which of the different elements of a vector each one is, by hashing, and where each is met first. The host
// computes both: a hash table wants one thread, or another way to count.
#include <gradus/core/graph/op.h>
#include <gradus/ops/checks.h>
#include <gradus/ops/ops.h>

#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>

namespace gradus {

namespace {

// x [n] to int32 [n]: 0 for the first element and its equals, 1 for the next that is another, ...
class Ids final : public Op {
 public:
  std::string_view name() const override { return "unique"; }
  Traits traits() const override { return {.runs_on_host = true}; }
  std::string_view no_gradient(int) const override { return "a position is an integer"; }

  Type infer(const OpInputs& in) const override {
    require_dense(name(), in);
    if (in[0].shape.rank() != 1) fail<TypeError>("unique: x is {}; a vector is expected", in.shape(0));
    if (in[0].shape[0] > INT32_MAX) fail<TypeError>("unique: x is {}; positions are int32", in.shape(0));
    return {int32, in[0].shape, Layout::dense};
  }

  void compute(Call& call) const override {
    dispatch(call.in(0).type.dtype, [&]<class T>(TypeTag<T>) {
      std::unordered_map<T, std::int32_t> id_of;  // a NaN finds none that is equal
      std::int32_t next = 0;
      for (std::int64_t i = 0; i < call.in(0).stored; ++i) {
        const auto [found, is_new] = id_of.try_emplace(call.in<T>(0)[i], next);
        call.out<std::int32_t>()[i] = found->second;
        if (is_new) ++next;
      }
    });
  }
};

// The first place of each id, for ids as above; 0 for those that do not occur.   int32 [n] -> int32 [n]
class FirstPlaces final : public Op {
 public:
  std::string_view name() const override { return "first_places"; }
  Traits traits() const override { return {.runs_on_host = true}; }
  std::string_view no_gradient(int) const override { return "a position is an integer"; }
  Type infer(const OpInputs& in) const override { return in[0]; }

  void compute(Call& call) const override {
    const std::int32_t* id = call.in<std::int32_t>(0);
    std::int32_t* first = call.out<std::int32_t>();
    const auto n = static_cast<std::int32_t>(call.in(0).stored);
    std::fill_n(first, n, 0);
    for (std::int32_t i = 0, next = 0; i < n; ++i)
      if (id[i] == next) first[next++] = i;
  }
};

}  // namespace

Unique unique(const Operand& x) {
  const Expr expr = require_expr("unique", x);
  const Graph::Pin pin = expr.graph().pin(x.where());
  const Expr ids = gradus::apply(std::make_shared<Ids>(), {expr});
  const Expr first = gradus::apply(std::make_shared<FirstPlaces>(), {ids});
  // Of no ids the greatest is the least integer.
  return {gather(expr, first), ids, maximum(reduce_max(ids), -1) + 1};
}

}  // namespace gradus
