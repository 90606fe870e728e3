#include <gradus/ops/gradients.h>

#include <gradus/core/at.h>
#include <gradus/core/graph/op.h>
#include <gradus/ops/ops.h>
#include <gradus/ops/unbroadcast.h>

#include <fmt/format.h>

#include <algorithm>

namespace gradus {

namespace {

bool could_flow(const Expr& node, int i) {
  return is_floating(node.dtype()) && is_floating(node.input(i).dtype()) && node.op().reads(i);
}

// dy in the shape (and for csr the layout) of its node.
Expr settled(const Expr& node, const Expr& dy) {
  if (node.layout() == Layout::csr) return dy.layout() == Layout::csr ? dy : sample(dy, node);
  const bool same = dy.shape() == node.shape() && node.shape().known();
  return same || dy.layout() != Layout::dense ? dy : broadcast_like(dy, node);
}

// The walk of one call of gradients(): first up, marking the nodes between the xs and y, then down, handing each
// node's gradient to its inputs. Between ops a gradient may be smaller than its value, as long as it broadcasts
// to it: the gradient of reduce_sum(x, 1) is a column, and most ops can use it as such.
class ReverseWalk {
 public:
  ReverseWalk(const Expr& y, std::span<const Expr> xs)
      : graph_(y.graph()), y_(y), leads_to_x_(at(y.id()) + 1, false), dy_(at(y.id()) + 1) {
    for (const Expr& x : xs)
      if (x.id() <= y.id()) leads_to_x_[at(x.id())] = true;
    for (NodeId id = 0; id <= y.id(); ++id) {
      const Expr node = graph_[id];
      for (int i = 0; i < node.arity() && !leads_to_x_[at(id)]; ++i)
        if (wanted(node, i)) leads_to_x_[at(id)] = true;
    }
    if (!leads_to_x_[at(y.id())]) return;
    const Graph::Pin pin = graph_.pin(y.where(), true);
    dy_[at(y.id())] = y.layout() == Layout::csr ? sample(ones_like(reduce_sum(y)), y) : ones_like(y);
    for (NodeId id = y.id(); id >= 0; --id)
      if (dy_[at(id)].valid()) hand_down(graph_[id]);
  }

  /// d(sum of y)/dx, or no expression if y does not depend on x.
  Expr of(const Expr& x) const {
    if (x.id() > y_.id() || !dy_[at(x.id())].valid()) return {};
    const Graph::Pin pin = graph_.pin(x.where(), true);
    return settled(x, dy_[at(x.id())]);
  }

  const std::vector<GradientPart>& parts() const { return parts_; }

 private:
  bool wanted(const Expr& node, int i) const {
    return leads_to_x_[at(node.input(i).id())] && could_flow(node, i) && node.op().no_gradient(i).empty();
  }

  void hand_down(const Expr& node) {
    const Graph::Pin pin = graph_.pin(node.where(), true);
    const bool elementwise = is_elementwise(node);
    for (int i = 0; i < node.arity(); ++i) {
      if (!wanted(node, i)) continue;
      Expr& dy = dy_[at(node.id())];
      if (!elementwise || node.layout() == Layout::csr) dy = settled(node, dy);
      if (dy.layout() == Layout::rows && !node.op().traits().takes_rows_gradient) dy = to_dense(dy);
      const Expr x = node.input(i);
      const Expr dx = node.op().gradient(node, dy, i);
      if (!dx.valid()) continue;  // an earlier input, the same node, had its part
      // Of two csr operands each has its own non-zeros; the node has those of both.
      const bool narrower = node.layout() == Layout::csr && x.layout() == Layout::csr && csr_operands(node) > 1;
      const Expr part = narrower ? sample(dx, x) : elementwise ? unbroadcast(dx, x, node) : dx;
      parts_.push_back({node, i, part});
      receive(x, part);
    }
  }

  static int csr_operands(const Expr& node) {
    int count = 0;
    for (int i = 0; i < node.arity(); ++i) count += node.input(i).layout() == Layout::csr ? 1 : 0;
    return count;
  }

  void receive(const Expr& node, Expr dy) {
    if (node.layout() == Layout::csr) dy = settled(node, dy);
    Expr& sum = dy_[at(node.id())];
    sum = sum.valid() ? add(sum, dy) : dy;
  }

  Graph& graph_;
  Expr y_;
  std::vector<bool> leads_to_x_;
  std::vector<Expr> dy_;             // what has arrived at each node so far
  std::vector<GradientPart> parts_;  // each of them
};

// The first op on a way from x to y that lets no gradient through, for the message.
std::string obstacle(const Expr& y, const Expr& x) {
  Graph& graph = y.graph();
  std::vector<bool> to_y(at(y.id()) + 1, false);
  to_y[at(y.id())] = true;
  for (NodeId id = y.id(); id >= 0; --id)
    for (int i = 0; to_y[at(id)] && i < graph[id].arity(); ++i) to_y[at(graph[id].input(i).id())] = true;
  std::vector<bool> from_x(at(y.id()) + 1, false);
  if (x.id() <= y.id()) from_x[at(x.id())] = true;
  for (NodeId id = x.id() + 1; id <= y.id(); ++id) {
    const Expr node = graph[id];
    for (int i = 0; i < node.arity(); ++i) {
      if (!from_x[at(node.input(i).id())]) continue;
      from_x[at(id)] = true;
      const std::string_view reason = node.op().no_gradient(i);
      if (to_y[at(id)] && !reason.empty())
        return fmt::format("; {} ({}) lets no gradient through: {}", node.name(), to_string(node.where()), reason);
    }
  }
  return {};
}

}  // namespace

BackwardWalk walk_backward(const Expr& y, std::span<const Expr> xs) {
  if (!y.valid()) fail<TypeError>("gradients: y is no expression");
  if (!is_floating(y.dtype())) fail<TypeError>("gradients: {} is not of a floating dtype", to_string(y));
  Graph& graph = y.graph();
  for (const Expr& x : xs) {
    if (!x.valid()) fail<TypeError>("gradients: x number {} is no expression", &x - xs.data());
    if (&x.graph() != &graph)
      fail<TypeError>("gradients: {} and {} belong to different graphs", to_string(y), to_string(x));
    if (!is_floating(x.dtype())) fail<TypeError>("gradients: {} is not of a floating dtype", to_string(x));
  }
  const Graph::Scope scope = graph.scope("gradients");
  const ReverseWalk walk(y.layout() == Layout::rows ? to_dense(y) : y, xs);
  BackwardWalk all;
  for (const Expr& x : xs) all.gradients.push_back(walk.of(x));
  all.parts = walk.parts();
  return all;
}

std::vector<Expr> gradients(const Expr& y, std::span<const Expr> xs, Unconnected unconnected) {
  std::vector<Expr> all = walk_backward(y, xs).gradients;
  for (std::size_t i = 0; i < xs.size(); ++i) {
    if (all[i].valid()) continue;
    const Expr& x = xs[i];
    if (unconnected == Unconnected::error)
      fail<TypeError>("gradients: {} ({}) does not depend on {} ({}){}", y.name(), to_string(y.where()), x.name(),
                      to_string(x.where()), obstacle(y, x));
    const Graph::Scope scope = y.graph().scope("gradients");
    all[i] = zeros_like(x);
  }
  return all;
}

}  // namespace gradus
