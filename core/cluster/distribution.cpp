#include <gradus/core/cluster/distribution.h>

#include <gradus/core/at.h>
#include <gradus/core/cluster/walk.h>
#include <gradus/core/graph/nodes.h>

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <unordered_map>

namespace gradus {

namespace {

// --- The pass --------------------------------------------------------------------------------------------

constexpr std::int64_t most_together = 12;

// A number that no dimension is a multiple of. Of so many rows, times what may be read together, an axis is known by
// it.
std::int64_t telling_number(std::span<const Expr> fetches, std::span<const FedType> feeds) {
  std::vector<std::int64_t> others;
  const auto add = [&](const Shape& shape, int from) {
    for (int axis = from; axis < shape.rank(); ++axis) others.push_back(shape[axis]);
  };
  for (const FedType& feed : feeds) add(feed.type.shape, is_split(feed.placeholder) ? 1 : 0);
  Graph& graph = fetches.front().graph();
  for (NodeId id = 0; id < graph.size(); ++id)
    if (graph[id].kind() == Kind::variable || graph[id].kind() == Kind::constant) add(graph[id].shape(), 0);
  std::int64_t prime = 10007;
  while (std::any_of(others.begin(), others.end(), [&](std::int64_t dim) { return dim > 0 && dim % prime == 0; }))
    prime += 2;
  return prime;
}

}  // namespace

namespace {

// Of a mean over rows, how many these are; 0 of a sum.
std::int64_t rows_of_mean(const Expr& node) {
  if (node.arity() != 1) return 0;
  const Type one{node.input(0).dtype(), node.input(0).shape(), Layout::dense};
  const Type two{one.dtype, one.shape.with(0, 2 * one.shape[0]), Layout::dense};
  const double scale = node.op().fold({&two, 1}).scale / node.op().fold({&one, 1}).scale;
  return scale == 0.5 ? one.shape[0] : 0;
}

}  // namespace

bool is_split(const Expr& fed) {
  const Shape& shape = fed.shape();
  return shape.ranked() && shape.rank() > 0 && shape[0] == any;
}

bool Distribution::exchanges() const {
  return std::any_of(stages.begin(), stages.end(),
                     [](const Stage& stage) { return !stage.sums.empty() || !stage.counted.empty(); }) ||
         !tables.empty();
}

namespace {

// What pieces and owners are given of tables: by node of the draft, and as nodes of the user's graph.
class TableParts {
 public:
  TableParts(const Draft& draft, const Tables& tables, const Walk& walk, Graph& users)
      : draft_(draft), tables_(tables), walk_(walk) {
    for (NodeId id = 0; id < static_cast<NodeId>(draft.became.size()); ++id)
      if (draft.became[at(id)] >= 0) user_of_.emplace(draft.became[at(id)], users[id]);
  }

  /// `read` are the nodes that are computed at all, `computed` those that pieces compute or are given.
  void add_to(Distribution& out, const std::vector<bool>& read, const std::vector<bool>& computed) const {
    out.tables.resize(at(tables_.count()));
    for (NodeId id = 0; id < static_cast<NodeId>(read.size()); ++id) {
      const Expr node = (*draft_.graph)[id];
      const auto user = user_of_.find(id);
      if (!read[at(id)] || user == user_of_.end()) continue;
      const int rows = tables_.of(node), index = tables_.named_by(node);
      const bool is_table = rows >= 0 && walk_.of(node).held == Held::owned;
      if (is_table && (node.kind() == Kind::variable || walk_.is_known(node))) {
        Distribution::Table& table = out.tables[at(rows)];
        (node.kind() == Kind::variable ? table.variables : table.known).push_back(user->second);
        if (computed[at(id)]) table.looked_up.push_back(user->second);
      }
      if (!computed[at(id)] || walk_.of(node).held != Held::split) continue;
      const bool given = node.kind() == Kind::placeholder || walk_.is_early(node);
      if (walk_.is_early(node)) out.early.push_back(user->second);
      if (given && node.layout() == Layout::csr && rows >= 0) out.tables[at(rows)].indices.push_back(user->second);
      if (given && index >= 0) out.tables[at(index)].indices.push_back(user->second);
    }
  }

  /// `read` are the nodes whose numbers are.
  void add_lent(Distribution& out, const std::vector<bool>& read) const {
    Graph& graph = *draft_.graph;
    std::vector<bool> of_rows(read.size(), false), known(read.size(), false);
    for (NodeId id = 0; id < static_cast<NodeId>(read.size()); ++id) {
      const Expr node = graph[id];
      const Held held = walk_.of(node).held;
      of_rows[at(id)] = node.kind() == Kind::placeholder && held == Held::split;
      for (int i = 0; i < node.arity(); ++i) of_rows[at(id)] = of_rows[at(id)] || of_rows[at(node.input(i).id())];
      if (!read[at(id)] || node.kind() != Kind::op || (held != Held::same && held != Held::owned)) continue;
      for (int i = 0; i < node.arity(); ++i) {
        const Expr x = node.input(i);
        const auto user = user_of_.find(x.id());
        if (node.op().reads(i) || read[at(x.id())] || known[at(x.id())] || !of_rows[at(x.id())] ||
            user == user_of_.end() || x.layout() == Layout::csr || walk_.is_of_rows(x.shape()))
          continue;
        known[at(x.id())] = true;
        out.lent.push_back({user->second, x.type(), tables_.of(x)});
      }
    }
  }

 private:
  const Draft& draft_;
  const Tables& tables_;
  const Walk& walk_;
  std::unordered_map<NodeId, Expr> user_of_;
};

}  // namespace

Distribution distribute(std::span<const Expr> fetches, std::span<const FedType> feeds, int ranks,
                        const std::function<bool(const Expr& variable)>& is_large) {
  const std::int64_t number = telling_number(fetches, feeds), rows = number * most_together;
  std::vector<FedType> all(feeds.begin(), feeds.end());
  for (FedType& feed : all)
    if (is_split(feed.placeholder)) feed.type.shape = feed.type.shape.with(0, rows);
  Draft draft = make_draft(fetches, all);
  Graph& graph = *draft.graph;
  const NodeId size = graph.size();
  const Tables tables(
      draft, [&](const Expr& variable) { return is_large && is_large(variable); },
      [&](const Shape& shape) { return shape.rank() > 0 && shape[0] != 0 && shape[0] % number == 0; });
  // By node of the draft: whether it is computed, and whether its numbers are wanted as a whole, and not just as a part
  // of another sum.
  std::vector<bool> read(at(size), false), wanted(at(size), false);
  for (const Expr& fetch : draft.fetches) wanted[at(fetch.id())] = read[at(fetch.id())] = true;
  for (NodeId id = size - 1; id >= 0; --id)
    for (int i = 0; read[at(id)] && i < graph[id].arity(); ++i)
      if (graph[id].op().reads(i)) read[at(graph[id].input(i).id())] = true;
  const std::vector<bool> is_read = read;
  Walk walk(draft, tables, is_read, number, ranks);
  for (NodeId id = 0; id < size; ++id) walk.look_at(graph[id]);
  for (NodeId id = size - 1; id >= 0; --id) {
    if (!read[at(id)]) continue;
    const Expr node = graph[id];
    for (int i = 0; i < node.arity(); ++i) {
      const bool assigned = node.kind() == Kind::assign && i == 0;
      // A variable that goes with a table is its owners', also where it is just assigned.
      if (assigned ? !walk.goes_to_owners(node.input(i)) : !node.op().reads(i)) continue;
      read[at(node.input(i).id())] = true;
      if (!assigned && !is_sum(walk.of(node).held)) wanted[at(node.input(i).id())] = true;
    }
  }

  Distribution out;
  for (NodeId id = 0; id < size; ++id)
    if (walk.of(graph[id]).held == Held::split)
      out.together = std::lcm(out.together, rows / std::gcd(rows, graph[id].shape()[0]));
  const auto stage = [&](int number_of_stage) -> Distribution::Stage& {
    if (out.stages.size() <= at(number_of_stage)) out.stages.resize(at(number_of_stage) + 1);
    return out.stages[at(number_of_stage)];
  };
  std::vector<bool> computed(at(size), false);  // by pieces, or given to them
  Graph& users = fetches.front().graph();
  for (NodeId id = 0; id < static_cast<NodeId>(draft.became.size()); ++id) {
    const NodeId became = draft.became[at(id)];
    if (became < 0 || !read[at(became)]) continue;
    const auto [held, number_of_stage, meets] = walk.of(graph[became]);
    if (is_sum(held) && wanted[at(became)]) {
      Distribution::Stage& mine = stage(number_of_stage);
      mine.sums.push_back(users[id]);
      mine.is_mean.push_back(held == Held::mean);
      mine.table.push_back(walk.goes_to_owners(graph[became]) ? tables.of(graph[became]) : -1);
      computed[at(became)] = true;
    }
    if (held == Held::counted) stage(number_of_stage).counted.push_back(users[id]);
    if (held == Held::of_owners) stage(number_of_stage).of_owners.push_back({users[id], rows_of_mean(graph[became])});
  }
  for (std::size_t i = 0; i < fetches.size(); ++i) {
    const auto [held, number_of_stage, meets] = walk.of(draft.fetches[i]);
    const auto refuse = [&](std::string_view why) {
      fail<TypeError>("run: {} ({}) {}", fetches[i].name(), to_string(fetches[i].where()), why);
    };
    if (held == Held::turned)
      refuse(fmt::format("is split along its columns over {} ranks; fetch what it is the transpose of", ranks));
    if (is_sum(held) && walk.goes_to_owners(draft.fetches[i]))
      refuse(
          fmt::format("is a sum of rows of a table that is shared out over {} ranks, whose owners add it; fetch what "
                      "is made of it",
                      ranks));
    if (held == Held::owned && draft.fetches[i].layout() != Layout::dense)
      refuse(fmt::format("has some rows of a table that is shared out over {} ranks; fetch the table", ranks));
    if (held == Held::split) {
      stage(number_of_stage).split_fetches.push_back(fetches[i]);
      computed[at(draft.fetches[i].id())] = true;
    }
    if (held == Held::same || held == Held::counted) out.same_fetches.push_back(fetches[i]);
    if (held == Held::owned) out.own_fetches.push_back(fetches[i]);
  }
  if (tables.count() == 0) return out;

  // Down from what pieces compute, as far as they are not given what they need.
  for (NodeId id = size - 1; id >= 0; --id) {
    const Expr node = graph[id];
    if (!computed[at(id)] || walk.is_early(node) || walk.is_known(node)) continue;
    for (int i = 0; i < node.arity(); ++i) {
      const Expr input = node.input(i);
      // Sums of an earlier stage are given, and what is counted.
      const Held held = walk.of(input).held;
      const bool is_given =
          held == Held::counted || held == Held::of_owners || (is_sum(held) && wanted[at(input.id())]);
      if (!is_given) computed[at(input.id())] = true;
    }
    // What only lends its shape is given as well.
    for (int i = 0; i < node.arity(); ++i)
      if (computed[at(node.input(i).id())]) read[at(node.input(i).id())] = true;
  }
  const TableParts parts(draft, tables, walk, users);
  parts.add_lent(out, is_read);
  parts.add_to(out, read, computed);
  return out;
}

}  // namespace gradus
