#include "random_graph.h"

#include <gradus/core/graph/op.h>
#include <gradus/core/listed.h>
#include <gradus/gradus.h>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <utility>

namespace gradus {

namespace {

bool is_csr(const Expr& e) { return e.layout() == Layout::csr; }

}  // namespace

// --- inputs ----------------------------------------------------------------------------------------------

RandomGraph::RandomGraph(std::uint64_t seed) : dice_(seed) {
  choose_sizes();
  make_inputs();
  using Make = bool (RandomGraph::*)();
  const std::initializer_list<Make> makers{
      &RandomGraph::function,        &RandomGraph::function,          &RandomGraph::factor,
      &RandomGraph::arithmetic,      &RandomGraph::arithmetic,        &RandomGraph::sparse_function,
      &RandomGraph::product,         &RandomGraph::sparse_arithmetic, &RandomGraph::product,
      &RandomGraph::sum_of_products, &RandomGraph::scaled_product,    &RandomGraph::reduction,
      &RandomGraph::sums_of_rows,    &RandomGraph::machine,           &RandomGraph::shape_change,
      &RandomGraph::wider,           &RandomGraph::rows_by_index,     &RandomGraph::parts,
      &RandomGraph::constants};
  for (std::int64_t left = 2 + dice_.below(sizes_ == Sizes::tiles ? 8 : 14); left > 0;)
    if ((this->*dice_.pick(makers))()) --left;
  make_training();
  make_batches();
}

void RandomGraph::choose_sizes() {
  sizes_ = dice_.pick({Sizes::tiny, Sizes::tiny, Sizes::tiny, Sizes::tiny, Sizes::medium, Sizes::medium, Sizes::tiles,
                       Sizes::table, Sizes::table, Sizes::table});
  switch (sizes_) {
    case Sizes::tiny:
      n_ = dice_.pick<std::int64_t>({0, 1, 2, 7, 7, 7});
      p_ = dice_.pick<std::int64_t>({1, 3, 8, 16});
      k_ = dice_.pick<std::int64_t>({1, 2, 5, 9});
      break;
    case Sizes::medium:
      n_ = 20 + dice_.below(400);
      p_ = dice_.pick<std::int64_t>({4, 11, 24, 40});
      k_ = dice_.pick<std::int64_t>({1, 3, 8, 16});
      break;
    case Sizes::tiles:
      n_ = dice_.chance(0.2) ? 20'000 : 2000 + dice_.below(3000);
      p_ = 1 + dice_.below(8);
      k_ = 1 + dice_.below(9);
      break;
    case Sizes::table:
      n_ = 3 + dice_.below(40);
      p_ = dice_.pick<std::int64_t>({200, 1000, 5000});
      k_ = dice_.pick<std::int64_t>({1, 3, 8, 16, 20});
  }
  m_ = dice_.pick<std::int64_t>({1, 4, 9});
  density_ = sizes_ == Sizes::table ? 3 / static_cast<double>(p_) : dice_.pick({0.1, 0.4});
  ones_ = dice_.chance(0.5);
}

void RandomGraph::make_inputs() {
  const std::int64_t rows = dice_.chance(0.4) ? any : n_;
  const auto add = [&](const Expr& e, double size = 1) {
    items_.push_back({e, concrete(e.shape()), size});
    return e;
  };
  X_ = add(g.sparse_placeholder("X", {rows, p_}, float64));
  X2_ = add(g.sparse_placeholder("X2", {rows, p_}, float64));  // fed with the same tensor
  Z_ = add(g.sparse_placeholder("Z", {rows, p_}, float64));
  y_ = add(g.placeholder("y", {rows, 1}, float64));
  D_ = add(g.placeholder("D", {rows, sizes_ == Sizes::table ? k_ : p_}, float64));
  ids_ = g.placeholder("ids", {m_}, int64);
  if (dice_.chance(0.2)) add(g.constant(csr(dice_.chance(0.5)), "C"));

  const std::vector<std::pair<std::string, Shape>> shapes{
      {"w0", {}}, {"W", {p_}}, {"Wc", {p_, 1}}, {"V", {k_, p_}}, {"U", {p_, k_}}, {"M", {k_, k_}}, {"b", {k_}}};
  for (const auto& [name, shape] : shapes)
    if (name == "U" || dice_.chance(0.7)) tables_.push_back(add(g.variable(name, dense(shape))));
  for (int i = 0; i < 2; ++i) {
    Shape shape = dice_.pick(shapes).second;
    if (i > 0 && dice_.chance(0.5)) shape = others_.front().shape();
    others_.push_back(add(g.variable(i == 0 ? "r" : "s", dense(shape), {.trainable = false})));
  }
}

Tensor RandomGraph::dense(const Shape& shape) {
  std::vector<double> values;
  for (std::int64_t i = 0; i < shape.size(); ++i) values.push_back(dice_.number());
  return Tensor::from(values, shape);
}

// Some rows and columns have no non-zeros, and sometimes there is none at all.
Tensor RandomGraph::csr(bool ones) {
  std::vector<std::int64_t> start{0};
  std::vector<std::int64_t> column;
  std::vector<double> values;
  const bool none = dice_.chance(0.15);
  const std::int64_t skipped = dice_.below(p_);
  for (std::int64_t r = 0; r < n_; ++r) {
    std::int64_t c = -1;
    while (!none && r % 5 != 3) {  // steps whose mean is 1 / density
      c += 1 + static_cast<std::int64_t>(2 / density_ * dice_.unit() * dice_.unit());
      if (c >= p_) break;
      if (c == skipped && p_ > 1) continue;
      column.push_back(c);
      values.push_back(ones ? 1 : dice_.number());
    }
    start.push_back(static_cast<std::int64_t>(column.size()));
  }
  return Tensor::csr(n_, p_, start, column, values);
}

void RandomGraph::make_batches() {
  const int count = sizes_ == Sizes::tiles ? 2 : 3;
  for (int i = 0; i < count; ++i) {
    const Tensor x = csr(ones_);
    const Tensor x2 = dice_.chance(0.7) ? x : csr(ones_);
    const Tensor z = csr(dice_.chance(0.3));
    std::vector<std::int64_t> ids;
    for (std::int64_t j = 0; j < m_; ++j) ids.push_back(dice_.below(p_));
    const Tensor y = dense({n_, 1});
    batches.push_back(
        {{X_, x}, {X2_, x2}, {Z_, z}, {y_, y}, {D_, dense(concrete(D_.shape()))}, {ids_, Tensor::from(ids)}});
    if (dice_.chance(0.2)) ones_ = !ones_;
  }
}

// --- training --------------------------------------------------------------------------------------------

// By node: whether it depends on one of these, by more than a pattern.
std::vector<bool> RandomGraph::depends_on(const std::vector<Expr>& variables) {
  std::vector<bool> depends(static_cast<std::size_t>(g.size()), false);
  for (const Expr& variable : variables) depends[static_cast<std::size_t>(variable.id())] = true;
  for (NodeId id = 0; id < g.size(); ++id) {
    const Expr e = g[id];
    const int inputs = e.kind() == Kind::op && e.op().name() == "sample" ? 1 : e.arity();
    for (int i = 0; i < inputs; ++i)
      if (depends[static_cast<std::size_t>(e.input(i).id())]) depends[static_cast<std::size_t>(id)] = true;
  }
  return depends;
}

void RandomGraph::make_training() {
  // Terms of some values, the last among them; all tables but those of the rows alone get a penalty now and then.
  const auto term = [&](const Item& x) {
    const Expr e = is_csr(x.e) ? reduce_sum(x.e, 1) : x.e;
    const double scale =
        1 / (x.size * x.size * static_cast<double>(std::max<std::int64_t>(concrete(e.shape()).size(), 1)));
    return scale * (dice_.chance(0.5) ? reduce_sum(square(e)) : reduce_sum(e * tanh(e)));
  };
  // A value that the tables move, if there is one.
  const auto moving = [&] {
    const std::vector<bool> depends = depends_on(tables_);
    const Item* const found =
        find([&](const Item& x) { return depends[static_cast<std::size_t>(x.e.id())] && x.e.kind() == Kind::op; });
    return found != nullptr ? *found : items_.back();
  };
  loss = term(moving());
  for (std::int64_t left = dice_.below(4); left > 0; --left) loss = loss + term(moving());
  if (dice_.chance(0.5)) {
    machine();
    loss = loss + reduce_sum(square(y_ - items_.back().e)) / static_cast<double>(std::max<std::int64_t>(n_, 1));
  }
  for (const Expr& table : tables_)
    if (dice_.chance(0.15)) loss = loss + reduce_sum(0.001 * pow(table, 2));

  std::vector<Expr> moved;
  for (const Expr& table : tables_)
    if (depends_on({table})[static_cast<std::size_t>(loss.id())]) moved.push_back(table);
  if (moved.empty()) {
    moved.push_back(tables_.front());
    loss = loss + reduce_mean(square(moved.front()));
  }
  gradients = gradus::gradients(loss, moved);
  if (dice_.chance(0.15)) {  // gradients of gradients
    for (const Expr& gradient : gradients) loss = loss + 0.01 * reduce_mean(square(to_dense(gradient)));
    gradients = gradus::gradients(loss, moved);
  }

  std::vector<Expr> steps;
  const auto minimize = [&](Optimizer&& optimizer) {
    optimizer_ = optimizer.name();
    steps.push_back(optimizer.minimize(loss, {.variables = moved}));
  };
  // Divisors well above the rounding errors of gradients.
  switch (dice_.below(5)) {
    case 0: minimize(GradientDescent(0.1)); break;
    case 1: minimize(Adam(0.01, {.epsilon = 1e-3})); break;
    case 2: minimize(Momentum(0.05)); break;
    default: minimize(Adagrad(0.1)); break;
  }
  if (dice_.chance(0.4)) {
    for (const Expr& target : others_) {
      const Item* const value = find([&](const Item& x) {
        return !is_csr(x.e) && x.shape == target.shape() && (x.e.kind() == Kind::variable || dice_.chance(0.5));
      });
      if (value == nullptr || same_node(value->e, target)) continue;
      steps.push_back(g.assign(target, dice_.chance(0.6) ? value->e : 0.5 * (value->e + target)));
    }
  }
  train = g.group(steps);
}

// --- for people ------------------------------------------------------------------------------------------

std::string RandomGraph::summary() const {
  static constexpr const char* names[] = {"tiny", "medium", "tiles", "table"};
  return fmt::format("{}: n={} p={} k={}, {}, {} values", names[static_cast<std::size_t>(sizes_)], n_, p_, k_,
                     optimizer_, values.size());
}

std::string listing(Graph& g, std::span<const Expr> wanted) {
  std::vector<bool> needed(static_cast<std::size_t>(g.size()), false);
  for (const Expr& e : wanted) needed[static_cast<std::size_t>(e.id())] = true;
  for (NodeId id = g.size() - 1; id >= 0; --id)
    for (int i = 0; needed[static_cast<std::size_t>(id)] && i < g[id].arity(); ++i)
      needed[static_cast<std::size_t>(g[id].input(i).id())] = true;
  std::string text;
  for (NodeId id = 0; id < g.size(); ++id) {
    const Expr e = g[id];
    if (!needed[static_cast<std::size_t>(id)]) continue;
    std::vector<std::string> inputs;
    for (int i = 0; i < e.arity(); ++i) inputs.push_back(fmt::format("%{}", e.input(i).id()));
    std::string what = e.name();
    if (e.kind() == Kind::op) what = fmt::format("{}({})", e.op().name(), to_string(e.op().attributes()));
    if (e.kind() == Kind::assign) what = "assign";
    text += fmt::format("%{} = {}({}): {}\n", id, what, listed(inputs), e.type());
  }
  return text;
}

}  // namespace gradus
