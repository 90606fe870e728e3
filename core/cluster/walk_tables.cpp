// Of nodes that have to do with a table whose rows ranks share out: what each rank has of them. What is made of a table
// row by row is made by the rows' owners. What reads rows of the batch may look up rows of the table by an index that
// is known before; pieces are then given these rows alone, under new numbers, in the same order. So an op that looks at
// the numbers themselves is computed early, of the index as it is.
#include <gradus/core/at.h>
#include <gradus/core/cluster/walk.h>
#include <gradus/core/graph/op.h>
#include <gradus/core/plan/schedule.h>

#include <fmt/format.h>

#include <algorithm>

namespace gradus {

namespace {

bool has(unsigned bits, int i) { return ((bits >> static_cast<unsigned>(i)) & 1U) != 0; }

}  // namespace

bool Walk::has_to_do_with_tables(const Expr& node) const {
  if (tables_.count() == 0) return false;
  const auto has_rows = [&](const Expr& e) { return tables_.of(e) >= 0 || tables_.named_by(e) >= 0; };
  bool any = has_rows(node);
  for (int i = 0; i < node.arity() && !any; ++i) any = has_rows(node.input(i)) || goes_to_owners(node.input(i));
  return any;
}

// Of a node that reads rows of the batch. Throws where it reads a table other than by an index.
bool Walk::must_be_early(const Expr& node, const std::vector<Type>& types) {
  const bool elementwise = is_elementwise(node), csr = node.layout() == Layout::csr;
  bool early = tables_.named_by(node) >= 0;
  bool is_looked_up = false;
  for (int i = 0; i < node.arity(); ++i) {
    const Expr x = node.input(i);
    const int index = elementwise ? -1 : node.op().rows_named_by(types, i);
    is_looked_up = is_looked_up || index >= 0;
    if (!node.op().reads(i)) continue;
    if (goes_to_owners(x)) {
      if (of(x).held != Held::owned)
        refuse_table(node, x, "it reads rows of the batch, and this sum is there on its owners alone");
      const bool by_index = index >= 0 && of(node.input(index)).held == Held::split;
      if (!by_index && !is_read_at_columns(node, i))
        refuse_table(node, x, "it reads rows of the batch, and no index names the rows that it needs");
      continue;
    }
    if (of(x).held != Held::split) continue;
    const bool is_index = tables_.named_by(x) >= 0;
    if (!is_index && (x.layout() != Layout::csr || tables_.of(x) < 0)) continue;
    const Fold fold = node.op().fold(types);
    const bool sums_columns = fold.by == Fold::By::sum && fold.scale == 1 && (fold.axes & 2U) != 0;
    const bool blind = (elementwise && csr && !is_index) || names_rows(node, types, i) ||
                       (!is_index && (node.op().traits().rows_from == i || (node.arity() == 1 && sums_columns)));
    early = early || !blind;
  }
  // A csr matrix of a pattern of its own.
  return early || (csr && tables_.of(node) >= 0 && !elementwise && !is_looked_up && !node.op().is_view(types));
}

// Whether each owner may compute its rows of the node alone.
bool Walk::goes_by_own_rows(const Expr& node, const std::vector<Type>& types) const {
  if (node.rank() == 0 || node.op().traits().is_random || tables_.of(node) < 0 || node.layout() == Layout::csr)
    return false;
  if (looks_up_rows(node.op(), types)) return goes_to_owners(node.input(0)) && goes_to_owners(node.input(1));
  if (node.op().is_view(types)) return node.input(0).shape()[0] == node.shape()[0];
  const Tiles tiles =
      is_elementwise(node) ? elementwise_tiles(types, node.type()) : node.op().by_rows(types, node.type());
  if (tiles.gives != Tiles::Gives::rows) return false;
  for (int i = 0; i < node.arity(); ++i)
    if (node.op().reads(i) && goes_to_owners(node.input(i)) != has(tiles.sliced | tiles.looked_up, i)) return false;
  return true;
}

// Whether the node is a sum, or mean, over rows of tables, to which each owner can add what its own give.
bool Walk::sums_own_rows(const Expr& node, const std::vector<Type>& types) const {
  if (node.op().traits().is_random || node.layout() != Layout::dense || node.dtype() == boolean) return false;
  if (tables_.of(node) >= 0 || is_elementwise(node) || node.op().is_view(types)) return false;
  if (node.arity() == 1) {
    const Type x{types[0].dtype, types[0].shape, Layout::dense};  // rows that are not held are zeros
    const Fold fold = node.op().fold({&x, 1});
    if (types[0].layout != Layout::part && fold.by == Fold::By::sum && has(fold.axes, 0)) return true;
  }
  const Tiles tiles = node.op().by_rows(types, node.type());
  if (tiles.gives != Tiles::Gives::sum && tiles.gives != Tiles::Gives::accumulated) return false;
  for (int i = 0; i < node.arity(); ++i)
    if (node.op().reads(i) && goes_to_owners(node.input(i)) != has(tiles.sliced | tiles.looked_up, i)) return false;
  return true;
}

bool Walk::depends_on_constants(const Expr& node) const {
  std::vector<Expr> open{node};
  for (std::size_t seen = 0; seen < open.size() && seen < 100; ++seen) {
    const Expr e = open[seen];
    if (e.kind() != Kind::constant && (e.kind() != Kind::op || e.op().traits().is_random)) return false;
    for (int i = 0; i < e.arity(); ++i) open.push_back(e.input(i));
  }
  return open.size() < 100;
}

std::optional<Holding> Walk::of_tables(const Expr& node, Holding found) {
  if (node.kind() == Kind::group) return {};
  if (static_cast<std::size_t>(node.id()) < read_.size() && !read_[at(node.id())]) {
    // It lends its shape alone.
    if (is_of_rows(node.shape())) return Holding{Held::split};
    return Holding{tables_.of(node) >= 0 && node.layout() != Layout::csr ? Held::owned : Held::same};
  }
  if (node.kind() == Kind::assign) {
    if (goes_to_owners(node.input(1))) return Holding{Held::owned, found.stage};
    if (goes_to_owners(node.input(0)))
      refuse_table(node, node.input(0), "what it is assigned is not made of its rows one by one");
    return {};
  }
  std::vector<Type> types;
  bool of_rows = false, by_shape = false;
  Expr owned, lent, named;  // an input that owners have, and reads, or that lends its shape; and one with its names
  for (int i = 0; i < node.arity(); ++i) {
    const Expr x = node.input(i);
    types.push_back(x.type());
    const bool reads = node.op().reads(i);
    if (holds_some(of(x).held)) (reads ? of_rows : by_shape) = true;
    if (goes_to_owners(x)) (reads ? owned : lent) = x;
    if (tables_.of(x) >= 0 || tables_.named_by(x) >= 0) named = x;
  }
  if (of_rows) {
    const Expr with = owned.valid() ? owned : lent.valid() ? lent : named.valid() ? named : node;
    const bool early = must_be_early(node, types);
    if (early && found.meets) refuse_table(node, with, "which rows it names depends on rows that are looked up before");
    const std::optional<Held> held = by_rows(node);
    if (!held || (early && *held != Held::split))
      refuse_table(node, with, "it neither goes by rows of the batch nor sums them");
    if (is_sum(*held) && tables_.of(node) >= 0 && !holds_rows(node.type()))
      refuse_table(node, with, "it is a dense sum of all of them");
    if (early) early_.insert(node.id());
    found.held = *held;
    return found;
  }
  if (owned.valid()) {
    if (by_shape) refuse_table(node, owned, "it goes by rows of the batch as well");
    if (const std::optional<Holding> sum = as_sum(node)) return *sum;
    if (sums_own_rows(node, types)) {
      found.held = Held::of_owners;
      return found;
    }
    if (!goes_by_own_rows(node, types))
      refuse_table(node, owned,
                   node.op().traits().is_random ? "each rank would draw the same for other rows"
                                                : "it reads the rows of all ranks");
    found.held = Held::owned;
    return found;
  }
  if (by_shape) return {};
  if (tables_.of(node) < 0 || node.layout() == Layout::csr) {
    if (lent.valid()) refuse_table(node, lent, "its value depends on how many there are");
    return {};
  }
  if (!lent.valid() && depends_on_constants(node)) {
    known_.insert(node.id());
    return Holding{Held::owned};
  }
  if (!lent.valid() || !goes_by_own_rows(node, types))
    refuse_table(node, lent.valid() ? lent : node,
                 node.op().traits().is_random ? "each rank would draw the same for other rows"
                                              : "it is computed of all of them at once");
  found.held = Held::owned;
  return found;
}

void Walk::refuse_table(const Expr& node, const Expr& with, std::string_view why) {
  const int table = std::max(tables_.of(with), tables_.named_by(with));
  Expr largest;
  const auto bytes = [](const Expr& e) { return e.shape().size() * static_cast<std::int64_t>(size_of(e.dtype())); };
  for (NodeId id = 0; id < graph_.size(); ++id)
    if (const Expr e = graph_[id]; e.kind() == Kind::variable && tables_.of(e) == table)
      if (!largest.valid() || bytes(e) > bytes(largest)) largest = e;
  const std::string has_rows = largest.valid() && !same_node(largest, with)
                                   ? fmt::format("has rows of {} ({})", largest.name(), to_string(largest.where()))
                                   : "has rows";
  const std::string what =
      node.kind() == Kind::op ? op_and_place(node) : fmt::format("{} ({})", node.name(), to_string(node.where()));
  fail<TypeError>(
      "{}: {} ({}) {} that are shared out over {} ranks, since a table of {} bytes is above shard_above, but {}", what,
      with.name(), to_string(with.where()), has_rows, ranks_, largest.valid() ? bytes(largest) : 0, why);
}

}  // namespace gradus
