// What a run means, in the plainest way that there is: the nodes that the fetches need, in the order of the graph, each
// computed alone into a tensor of its own. There is no plan and no pass, and memory is not used twice. Read this before
// session.h; it is slow, and for readers and tests: a session gives the same, to the bit or, where a pass regroups a
// sum or a product runs by blocks, to rounding.
#pragma once

#include <gradus/core/run/session.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <vector>

namespace gradus {

class Reference {
 public:
  /// As Session::run; all fetches are of one graph. Variables begin with their initial values. Throws what the ops
  /// throw, and then no variable has changed. That feeds are of their placeholders' types is not checked.
  std::vector<Tensor> run(std::span<const Expr> fetches, const Feeds& feeds = {});
  Tensor run(const Expr& fetch, const Feeds& feeds = {}) { return run(std::span(&fetch, 1), feeds).front(); }
  /// A variable's value, now.
  Tensor value(const Expr& variable);

 private:
  std::map<std::size_t, Tensor> variables_;  // by VariableOp::number(), those that have been used
  std::uint64_t runs_ = 0;
};

}  // namespace gradus
