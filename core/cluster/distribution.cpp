#include <gradus/core/cluster/distribution.h>

#include <gradus/core/at.h>
#include <gradus/core/graph/nodes.h>
#include <gradus/core/plan/draft_facts.h>
#include <gradus/core/plan/schedule.h>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <optional>
#include <unordered_map>

namespace gradus {

namespace {

enum class Held : std::uint8_t {
  same,
  split,    // rows of its leading axis
  turned,   // columns: the transpose of a split matrix
  partial,  // what rows add to a sum
  mean,     // what rows add to a mean: a part counts as its share of the rows
  counted,  // the same, but it depends on how many rows there are
};

struct Holding {
  Held held = Held::same;
  int stage = 0;  // in which it is computed
};

bool is_sum(Held held) { return held == Held::partial || held == Held::mean; }
bool holds_some(Held held) { return held == Held::split || held == Held::turned; }

// --- Linear ops ------------------------------------------------------------------------------------------

// Whether an elementwise op is linear in those of its inputs that `varied` names, together: then it may be computed of
// parts of a sum, and summed after. It is asked by trying, on numbers that no other op would pass.
bool is_linear(const Op& op, std::span<const Type> types, const Type& out, unsigned varied) {
  constexpr std::size_t n = 64;
  const RowKernel kernel = op.row_kernel(types);
  const auto is_varied = [&](std::size_t i) { return ((varied >> i) & 1U) != 0; };
  if (kernel == nullptr || !is_floating(out.dtype)) return false;
  for (std::size_t i = 0; i < types.size(); ++i)
    if (is_varied(i) && types[i].dtype != out.dtype) return false;
  std::vector<std::array<double, n>> a(types.size()), b(types.size());
  std::uint64_t state = 1;
  const auto draw = [&] {  // in (-2, 2)
    state = state * 6364136223846793005U + 1442695040888963407U;
    return static_cast<double>(state >> 11) * 0x1p-51 - 2;
  };
  for (std::size_t i = 0; i < types.size(); ++i)
    for (std::size_t j = 0; j < n; ++j) {
      a[i][j] = draw();
      b[i][j] = is_varied(i) ? draw() : 0;
    }
  const auto result = [&](double of_a, double of_b) {
    std::vector<std::array<double, n>> in(types.size());  // room for n numbers of any dtype
    std::vector<const void*> at_in(types.size());
    for (std::size_t i = 0; i < types.size(); ++i) {
      dispatch(types[i].dtype, [&]<class T>(TypeTag<T>) {
        for (std::size_t j = 0; j < n; ++j) {
          const double x = is_varied(i) ? of_a * a[i][j] + of_b * b[i][j] : a[i][j];
          if constexpr (std::is_same_v<T, bool>)
            reinterpret_cast<T*>(in[i].data())[j] = x > 0;
          else
            reinterpret_cast<T*>(in[i].data())[j] = static_cast<T>(std::is_integral_v<T> ? x + 3 : x);
        }
      });
      at_in[i] = in[i].data();
    }
    std::array<double, n> out_numbers{}, y{};
    kernel(at_in.data(), 0, out_numbers.data(), n);
    dispatch_floating(out.dtype, [&]<class T>(TypeTag<T>) {
      for (std::size_t j = 0; j < n; ++j) y[j] = static_cast<double>(reinterpret_cast<const T*>(out_numbers.data())[j]);
    });
    return y;
  };
  const std::array<double, n> ya = result(1, 0), yb = result(0, 1), both = result(1, -3);
  for (std::size_t j = 0; j < n; ++j)
    if (!(std::abs(both[j] - (ya[j] - 3 * yb[j])) <= 1e-4 * (1 + std::abs(ya[j]) + std::abs(yb[j])))) return false;
  return true;
}

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

class Walk {
 public:
  Walk(Draft& draft, std::int64_t number, int ranks)
      : graph_(*draft.graph), facts_(draft), number_(number), ranks_(ranks) {}

  const Holding& of(const Expr& node) const { return holdings_.at(node.id()); }

  /// Of a node whose inputs are known.
  void look_at(const Expr& node) { holdings_[node.id()] = found_of(node); }

  /// When a reader of the node may be computed at the earliest.
  int ready(const Expr& node) const {
    const Holding& holding = of(node);
    return holding.stage + (is_sum(holding.held) ? 1 : 0);
  }

  bool is_of_rows(const Shape& shape) const {
    if (shape.rank() == 0 || shape[0] % number_ != 0 || shape[0] == 0) return false;
    return std::none_of(shape.begin() + 1, shape.end(),
                        [&](std::int64_t dim) { return dim > 0 && dim % number_ == 0; });
  }

 private:
  Holding found_of(const Expr& node) {
    if (node.kind() == Kind::placeholder) return {is_of_rows(node.shape()) ? Held::split : Held::same, 0};
    if (node.kind() == Kind::variable || node.kind() == Kind::constant) return {};
    bool of_rows = false, by_shape = false;
    Holding found;
    for (int i = 0; i < node.arity(); ++i) {
      const Expr input = node.input(i);
      if (node.kind() == Kind::assign && i == 0) continue;
      const bool reads = node.kind() != Kind::op || node.op().reads(i);
      if (holds_some(of(input).held)) (reads ? of_rows : by_shape) = true;
      if (reads) found.stage = std::max(found.stage, ready(input));
    }
    if (node.kind() != Kind::op) {
      if (of_rows) refuse(node, node.kind() == Kind::assign ? "a variable is the same on all" : "a group runs assigns");
      return found;
    }
    // What a rewriting has repeated to as many rows is split, although it reads nothing that is.
    if (!of_rows && !by_shape && !is_of_rows(node.shape())) {
      if (const std::optional<Holding> sum = as_sum(node)) return *sum;
      return found;
    }
    if (node.op().is_random()) refuse(node, "each rank would draw the same for other rows");
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

  // A sum of sums, times what is the same, is a sum: the exchange can wait, where nothing else reads them.
  std::optional<Holding> as_sum(const Expr& node) {
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

  std::optional<Held> by_rows(const Expr& node) {
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
    if (node.arity() == 1 && node.op().transposes(types[0])) return Held::turned;
    if (node.op().is_view(types)) return is_of_rows(node.shape()) ? std::optional(Held::split) : std::nullopt;
    const Fold fold = node.op().fold(types);
    if (node.arity() == 1 && fold.by == Fold::By::sum && (fold.axes & 1U) != 0 && is_floating(node.dtype())) {
      const double scale = node.op().fold(twice).scale / fold.scale;
      return scale == 1 ? std::optional(Held::partial) : scale == 0.5 ? std::optional(Held::mean) : std::nullopt;
    }
    const Strips strips = node.op().row_kernel(types) != nullptr ? elementwise_strips(types, node.type())
                                                                 : node.op().by_rows(types, node.type());
    if (strips.gives == Strips::Gives::nothing) return {};
    for (int i = 0; i < node.arity(); ++i)
      if (node.op().reads(i) &&
          (of(node.input(i)).held == Held::split) != (((strips.sliced >> static_cast<unsigned>(i)) & 1U) != 0))
        return {};
    if (strips.gives == Strips::Gives::rows)
      return is_of_rows(node.shape()) ? std::optional(Held::split) : std::nullopt;
    return Held::partial;
  }

  [[noreturn]] void refuse(const Expr& node, std::string_view why) {
    std::string split;
    for (int i = 0; i < node.arity(); ++i)
      if (holds_some(of(node.input(i)).held))
        split +=
            fmt::format("{}{} ({})", split.empty() ? "" : ", ", node.input(i).name(), to_string(node.input(i).where()));
    const std::string attributes = node.op().attributes();
    fail<TypeError>("{}{}{} ({}, {}): {} is split by rows over {} ranks, but {}", node.op().name(),
                    attributes.empty() ? "" : " ", attributes, node.name(), to_string(node.where()), split, ranks_,
                    why);
  }

  Graph& graph_;
  DraftFacts facts_;
  std::int64_t number_;  // of which axes of rows alone are multiples
  int ranks_;
  static constexpr int most_rewritings = 16;
  int rewritings_ = 0;  // of what a rewriting has made
  std::unordered_map<NodeId, Holding> holdings_;
};

}  // namespace

bool is_split(const Expr& fed) {
  const Shape& shape = fed.shape();
  return shape.ranked() && shape.rank() > 0 && shape[0] == any;
}

bool Distribution::exchanges() const {
  return std::any_of(stages.begin(), stages.end(),
                     [](const Stage& stage) { return !stage.sums.empty() || !stage.counted.empty(); });
}

Distribution distribute(std::span<const Expr> fetches, std::span<const FedType> feeds, int ranks) {
  const std::int64_t number = telling_number(fetches, feeds), rows = number * most_together;
  std::vector<FedType> all(feeds.begin(), feeds.end());
  for (FedType& feed : all)
    if (is_split(feed.placeholder)) feed.type.shape = feed.type.shape.with(0, rows);
  Draft draft = make_draft(fetches, all);
  Graph& graph = *draft.graph;
  const NodeId size = graph.size();
  Walk walk(draft, number, ranks);

  // By node of the draft: whether its numbers are wanted as a whole, and not just as a part of another sum.
  std::vector<bool> read(at(size), false), wanted(at(size), false);
  for (const Expr& fetch : draft.fetches) wanted[at(fetch.id())] = read[at(fetch.id())] = true;
  for (NodeId id = 0; id < size; ++id) walk.look_at(graph[id]);
  for (NodeId id = size - 1; id >= 0; --id) {
    if (!read[at(id)]) continue;
    const Expr node = graph[id];
    for (int i = 0; i < node.arity(); ++i) {
      if (node.kind() == Kind::assign ? i == 0 : !node.op().reads(i)) continue;
      read[at(node.input(i).id())] = true;
      if (!is_sum(walk.of(node).held)) wanted[at(node.input(i).id())] = true;
    }
  }

  Distribution out;
  for (NodeId id = 0; id < size; ++id)
    if (walk.of(graph[id]).held == Held::split)
      out.together = std::lcm(out.together, rows / std::gcd(rows, graph[id].shape()[0]));
  const auto stage = [&](int number) -> Distribution::Stage& {
    if (out.stages.size() <= at(number)) out.stages.resize(at(number) + 1);
    return out.stages[at(number)];
  };
  Graph& users = fetches.front().graph();
  for (NodeId id = 0; id < static_cast<NodeId>(draft.became.size()); ++id) {
    const NodeId became = draft.became[at(id)];
    if (became < 0 || !read[at(became)]) continue;
    const auto [held, number] = walk.of(graph[became]);
    if (is_sum(held) && wanted[at(became)]) {
      stage(number).sums.push_back(users[id]);
      stage(number).is_mean.push_back(held == Held::mean);
    }
    if (held == Held::counted) stage(number).counted.push_back(users[id]);
  }
  for (std::size_t i = 0; i < fetches.size(); ++i) {
    const auto [held, number] = walk.of(draft.fetches[i]);
    if (held == Held::turned)
      fail<TypeError>("run: {} ({}) is split along its columns over {} ranks; fetch what it is the transpose of",
                      fetches[i].name(), to_string(fetches[i].where()), ranks);
    if (held == Held::split) stage(number).split_fetches.push_back(fetches[i]);
    if (held == Held::same || held == Held::counted) out.same_fetches.push_back(fetches[i]);
  }
  return out;
}

}  // namespace gradus
