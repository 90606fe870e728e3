#include <gradus/core/cluster/walk.h>

#include <gradus/core/at.h>
#include <gradus/core/cluster/is_linear.h>
#include <gradus/core/graph/op.h>
#include <gradus/core/plan/schedule.h>

#include <fmt/format.h>

#include <algorithm>

namespace gradus {

bool Walk::is_of_rows(const Shape& shape) const {
  if (shape.rank() == 0 || shape[0] % number_ != 0 || shape[0] == 0) return false;
  return std::none_of(shape.begin() + 1, shape.end(), [&](std::int64_t dim) { return dim > 0 && dim % number_ == 0; });
}

Holding Walk::found_of(const Expr& node) {
  if (node.kind() == Kind::placeholder && is_of_rows(node.shape())) return {Held::split};
  if (node.kind() == Kind::placeholder || node.kind() == Kind::variable || node.kind() == Kind::constant) {
    if (node.layout() == Layout::csr || tables_.of(node) < 0) return {};
    if (node.kind() != Kind::variable) known_.insert(node.id());
    return {Held::owned};
  }
  bool of_rows = false, by_shape = false;
  Holding found;
  for (int i = 0; i < node.arity(); ++i) {
    const Expr input = node.input(i);
    if (node.kind() == Kind::assign && i == 0) continue;
    const bool reads = node.kind() != Kind::op || node.op().reads(i);
    if (holds_some(of(input).held)) (reads ? of_rows : by_shape) = true;
    if (!reads) continue;
    found.stage = std::max(found.stage, ready(input));
    found.meets = found.meets || of(input).meets || goes_to_owners(input);
  }
  found.meets = found.meets || found.stage > 0;
  if (has_to_do_with_tables(node))
    if (const std::optional<Holding> here = of_tables(node, found)) return *here;
  if (node.kind() != Kind::op) {
    if (of_rows) refuse(node, node.kind() == Kind::assign ? "a variable is the same on all" : "a group runs assigns");
    return found;
  }
  // What a rewriting has repeated to as many rows is split, although it reads nothing that is.
  if (!of_rows && !by_shape && !is_of_rows(node.shape())) {
    if (const std::optional<Holding> sum = as_sum(node)) return *sum;
    return found;
  }
  if (node.op().traits().is_random) refuse(node, "each rank would draw the same for other rows");
  if (!of_rows && !is_of_rows(node.shape())) {
    found.held = Held::counted;
    return found;
  }
  const std::optional<Held> held = by_rows(node);
  if (held) {
    found.held = *held;
    return found;
  }
  // What the op is worth rewriting to may say more.
  const NodeId first_made = graph_.size();
  const Expr other = rewritings_ < most_rewritings ? node.op().simplified(node, facts_) : Expr();
  if (!other.valid()) refuse(node, "it neither goes by rows nor sums them");
  std::vector<bool> needed(at(graph_.size() - first_made), false);
  const auto need = [&](const Expr& e) {
    if (e.id() >= first_made) needed[at(e.id() - first_made)] = true;
  };
  need(other);
  for (NodeId id = graph_.size() - 1; id >= first_made; --id)
    for (int i = 0; needed[at(id - first_made)] && i < graph_[id].arity(); ++i) need(graph_[id].input(i));
  ++rewritings_;
  for (std::size_t i = 0; i < needed.size(); ++i)
    if (needed[i]) look_at(graph_[first_made + static_cast<NodeId>(i)]);
  --rewritings_;
  return of(other);
}

std::optional<Holding> Walk::as_sum(const Expr& node) {
  unsigned sums = 0;
  Holding found;
  std::vector<Type> types;
  for (int i = 0; i < node.arity(); ++i) {
    const Holding& mine = of(node.input(i));
    types.push_back(node.input(i).type());
    if (!node.op().reads(i)) continue;
    if (is_sum(mine.held)) {
      if (sums != 0 && (found.held != mine.held || found.stage != mine.stage)) return {};
      if (facts_.readers(node.input(i)) > 1) return {};
      found = mine;
      sums |= 1U << static_cast<unsigned>(i);
      if (types.back().dtype != node.dtype() || types.back().layout != node.layout()) return {};
    }
  }
  if (sums == 0) return {};
  for (int i = 0; i < node.arity(); ++i)  // what is the same must be there as early
    if (node.op().reads(i) && of(node.input(i)).stage > found.stage) return {};
  if (node.op().is_view(types)) return found;
  // Not where the sum is smaller than what would be made of it.
  for (int i = 0; i < node.arity(); ++i)
    if (((sums >> static_cast<unsigned>(i)) & 1U) != 0 && node.input(i).shape() != node.shape()) return {};
  if (!is_linear(node.op(), types, node.type(), sums)) return {};
  return found;
}

std::optional<Held> Walk::by_rows(const Expr& node) {
  std::vector<Type> types, twice;
  bool turned = false;
  for (int i = 0; i < node.arity(); ++i) {
    const Held held = of(node.input(i)).held;
    types.push_back(node.input(i).type());
    twice.push_back(types.back());
    if (held == Held::split) twice.back().shape = twice.back().shape.with(0, 2 * types.back().shape[0]);
    turned = turned || (held == Held::turned && node.op().reads(i));
  }
  if (turned) return {};
  const Elements elements = node.op().elements(types);
  if (elements == Elements::transposed) return Held::turned;
  if (elements == Elements::kept) return is_of_rows(node.shape()) ? std::optional(Held::split) : std::nullopt;
  const Fold fold = node.op().fold(types);
  if (node.arity() == 1 && fold.by == Fold::By::sum && (fold.axes & 1U) != 0 && is_floating(node.dtype())) {
    const double scale = node.op().fold(twice).scale / fold.scale;
    return scale == 1 ? std::optional(Held::partial) : scale == 0.5 ? std::optional(Held::mean) : std::nullopt;
  }
  const Tiles tiles = node.op().row_kernel(types) != nullptr ? elementwise_tiles(types, node.type())
                                                             : node.op().by_rows(types, node.type());
  if (tiles.gives == Tiles::Gives::nothing) return {};
  for (int i = 0; i < node.arity(); ++i)
    if (node.op().reads(i) &&
        (of(node.input(i)).held == Held::split) != (((tiles.sliced >> static_cast<unsigned>(i)) & 1U) != 0))
      return {};
  if (tiles.gives == Tiles::Gives::rows) return is_of_rows(node.shape()) ? std::optional(Held::split) : std::nullopt;
  return Held::partial;
}

std::string op_and_place(const Expr& node) {
  const std::string attributes = to_string(node.op().attributes());
  return fmt::format("{}{}{} ({}, {})", node.op().name(), attributes.empty() ? "" : " ", attributes, node.name(),
                     to_string(node.where()));
}

void Walk::refuse(const Expr& node, std::string_view why) {
  std::string split;
  for (int i = 0; i < node.arity(); ++i)
    if (holds_some(of(node.input(i)).held))
      split +=
          fmt::format("{}{} ({})", split.empty() ? "" : ", ", node.input(i).name(), to_string(node.input(i).where()));
  fail<TypeError>("{}: {} is split by rows over {} ranks, but {}", op_and_place(node), split, ranks_, why);
}

}  // namespace gradus
