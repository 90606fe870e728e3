#include <gradus/ops/rules.h>

#include <gradus/core/graph/nodes.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <utility>

namespace gradus {

Expr transposed_matrix(const Expr& e) {
  if (e.kind() != Kind::op || e.arity() != 1) return {};
  const Type type = e.input(0).type();
  return e.op().elements({&type, 1}) == Elements::transposed ? e.input(0) : Expr();
}

Expr repeated(const Expr& e) {
  if (e.kind() != Kind::op || (e.op().name() != "broadcast_to" && e.op().name() != "fill")) return {};
  return e.input(0);
}

bool is_moderate(double factor) { return std::abs(factor) >= 0x1p-20 && std::abs(factor) <= 0x1p20; }

Scaled scaled(const Expr& e) {
  if (!is_floating(e.dtype())) return {1, e};
  if (is_op(e, "negative")) return {-1, e.input(0)};
  if (is_op(e, "multiply"))
    for (const int i : {0, 1})
      if (const std::optional<double> number = constant_number(e.input(i));
          number && is_moderate(*number) && e.input(1 - i).type() == e.type())
        return {*number, e.input(1 - i)};
  return {1, e};
}

Expr one_factor(const Expr& e, const DraftFacts&) {
  const auto [factor, x] = scaled(e);
  if (same_node(x, e)) return {};
  const auto [inner_factor, inner] = scaled(x);
  // d x must neither overflow nor lose bits where c (d x) does not: 0.5 (2 x) stays as it is.
  const double c = std::abs(factor), d = std::abs(inner_factor);
  const bool same_range = (c <= 1 && d <= 1) || (c >= 1 && d >= 0.5);
  if (same_node(inner, x)) return factor == 1 ? x : Expr();
  if (!same_range) return {};
  return factor * inner_factor == 1 ? inner : factor * inner_factor * inner;
}

Expr factor_of_product(const Expr& e, const DraftFacts& facts) {
  const auto [factor, x] = scaled(e);
  if (same_node(x, e) || !is_op(x, "scaled_rows_product") || facts.readers(x) > 1) return {};
  return scaled_rows_product(x.input(0), factor * x.input(1), x.input(2), x.layout());
}

namespace {

// The same with all the factors that stand before one another: for rules that regroup.
Scaled all_scaled(const Expr& e) {
  Scaled all{1, e};
  for (Scaled next = scaled(e); !same_node(next.x, all.x); next = scaled(all.x))
    all = {all.factor * next.factor, next.x};
  return all;
}

Expr times(double factor, const Expr& x) { return factor == 1 ? x : factor * x; }

// Looks for a column through products and sums. (A term that others read too is computed twice then; in gradients all
// that read it are such products, which take the column out alike.)
class ColumnSearch {
 public:
  explicit ColumnSearch(std::int64_t rows) : column_shape_({rows, 1}) {}

  // factor * column * x; x is no expression where it is 1.
  struct Found {
    double factor;
    Expr column;
    Expr x;
  };
  std::optional<Found> in(const Expr& e) {
    if (const auto known = found_.find(e.id()); known != found_.end()) return known->second;
    if (depth_ == deepest || e.layout() != Layout::dense) return {};
    ++depth_;
    std::optional<Found> found = look(e);
    --depth_;
    if (found && !is_moderate(found->factor)) found.reset();
    return found_[e.id()] = found;
  }

 private:
  static constexpr int deepest = 32;

  std::optional<Found> look(const Expr& e) {
    const auto [factor, x] = all_scaled(e);
    if (x.shape() == column_shape_) return Found{factor, x, {}};
    if (!same_node(x, e)) {
      std::optional<Found> inner = in(x);
      if (inner) inner->factor *= factor;
      return inner;
    }
    if (is_op(e, "multiply")) return in_product(e);
    return is_op(e, "add") || is_op(e, "subtract") ? in_sum(e) : std::nullopt;
  }
  std::optional<Found> in_product(const Expr& e) {
    for (const int i : {0, 1}) {
      const Expr other = e.input(1 - i);
      if (other.type() != e.type()) continue;
      if (std::optional<Found> found = in(e.input(i))) {
        found->x = found->x.valid() ? found->x * other : other;
        return found;
      }
    }
    return {};
  }
  // f d x + g d z = f d (x + g/f z)
  std::optional<Found> in_sum(const Expr& e) {
    std::optional<Found> u = in(e.input(0)), v = u ? in(e.input(1)) : std::nullopt;
    if (!v || !same_node(u->column, v->column)) return {};
    if (is_op(e, "subtract")) v->factor = -v->factor;
    if (!u->x.valid()) std::swap(u, v);
    const double ratio = v->factor / u->factor;
    if (!is_moderate(ratio)) return {};
    const Operand term = v->x.valid() ? Operand(times(std::abs(ratio), v->x)) : Operand(std::abs(ratio));
    u->x = ratio > 0 ? u->x + term : u->x - term;
    return u;
  }

  Shape column_shape_;
  int depth_ = 0;
  std::map<NodeId, std::optional<Found>> found_;
};

constexpr int deepest_sum = 8;  // a sum is looked at from each of its nodes: long ones must not be walked through

// e as a sum of terms, each with its factor, as far as nobody else reads the sums on the way.
void collect_terms(const Expr& e, double factor, const DraftFacts& facts, int depth, std::vector<Scaled>& terms) {
  const bool open = depth == 0 || (facts.readers(e) == 1 && depth < deepest_sum);
  const bool subtracts = is_op(e, "subtract");
  if (open && (subtracts || is_op(e, "add"))) {
    collect_terms(e.input(0), factor, facts, depth + 1, terms);
    collect_terms(e.input(1), subtracts ? -factor : factor, facts, depth + 1, terms);
    return;
  }
  const auto [inner_factor, inner] = scaled(e);
  if (open && !same_node(inner, e) && is_moderate(factor * inner_factor)) {
    collect_terms(inner, factor * inner_factor, facts, depth + 1, terms);
  } else {
    terms.push_back({factor, e});
  }
}

Expr sum_of(const std::vector<Scaled>& terms) {
  Expr sum = times(terms[0].factor, terms[0].x);
  for (std::size_t t = 1; t < terms.size(); ++t) sum = sum + times(terms[t].factor, terms[t].x);
  return sum;
}

// e as a x, for rows x and a number a for each of them.
struct ScaledRows {
  Expr a;
  Expr x;
};
std::optional<ScaledRows> scaled_rows(const Expr& e) {
  if (!is_op(e, "multiply")) return {};
  for (const int i : {0, 1}) {
    const Expr a = e.input(i), x = e.input(1 - i);
    if (x.type() == e.type() && a.layout() == Layout::rows && a.shape().size() < x.shape().size())
      return ScaledRows{a, x};
  }
  return {};
}

}  // namespace

std::optional<OfColumn> of_column(const Expr& e) {
  if (e.rank() != 2 || !is_floating(e.dtype())) return {};
  const auto found = ColumnSearch(e.shape()[0]).in(e);
  if (!found || !found->x.valid() || found->x.type() != e.type()) return {};
  return OfColumn{times(found->factor, found->column), found->x};
}

std::optional<ScaledMatrices> scaled_matrices(const Expr& e) {
  if (!is_op(e, "multiply") || e.rank() < 3 || e.layout() != Layout::dense) return {};
  const auto matrix = [](const Shape& shape) { return shape.slice(shape.rank() - 2, shape.rank()); };
  for (const int i : {0, 1}) {
    const Expr c = e.input(i), x = e.input(1 - i);
    if (c.rank() == e.rank() && matrix(c.shape()) == Shape({1, 1}) && x.rank() >= 2 && x.layout() == Layout::dense &&
        matrix(x.shape()) == matrix(e.shape()) && x.shape().size() < e.shape().size())
      return ScaledMatrices{c, x};
  }
  return {};
}

namespace {

// a x + b x = (a + b) x, as in the gradient of factors that also have a penalty; no expression where these are no such
// terms.
Expr sum_of_scaled_rows(const Scaled& first, const Scaled& second, const DraftFacts& facts) {
  const auto u = scaled_rows(first.x), v = scaled_rows(second.x);
  if (!u || !v || !same_node(u->x, v->x) || u->a.type() != v->a.type() ||
      !same_node(facts.row_set(u->a), facts.row_set(v->a)))
    return {};
  return (times(first.factor, u->a) + times(second.factor, v->a)) * u->x;
}

// A product, and what multiplies it, if anything.
struct ScaledProduct {
  Expr c, product;
};
ScaledProduct scaled_product(const Expr& e) {
  if (is_op(e, "multiply"))
    for (const int i : {0, 1})
      if (dense_product(e.input(i)) && e.input(i).type() == e.type()) return {e.input(1 - i), e.input(i)};
  return {{}, e};
}

// A X + A^T X = (A + A^T) X and X A + X A^T = X (A + A^T), as in the gradient of X X^T; likewise. (Of A X + B X for any
// other B, A + B may cancel or overflow where the products do not.)
Expr sum_of_products(const Scaled& first, const Scaled& second, const DraftFacts& facts) {
  const auto [c, u] = scaled_product(first.x);
  const auto [d, v] = scaled_product(second.x);
  const auto of_u = dense_product(u), of_v = dense_product(v);
  const bool scaled_alike =
      c.valid() == d.valid() && (!c.valid() || (same_node(c, d) && facts.readers(u) == 1 && facts.readers(v) == 1));
  if (!of_u || !of_v || !scaled_alike || first.factor != second.factor || !same_node(u.input(0), v.input(0)) ||
      !same_node(u.input(1), v.input(1)))
    return {};
  const bool left = of_u->transpose_a != of_v->transpose_a, right = of_u->transpose_b != of_v->transpose_b;
  constexpr std::int64_t worthwhile = 8;  // multiplications for each element of A
  if (left == right || u.shape()[u.rank() - (left ? 1 : 2)] < worthwhile) return {};
  const Expr a = u.input(left ? 0 : 1);
  std::vector<int> turned(static_cast<std::size_t>(a.rank()));
  std::iota(turned.begin(), turned.end(), 0);
  std::swap(turned[turned.size() - 1], turned[turned.size() - 2]);
  const Expr sum = a + transpose(a, turned);
  const Expr product = times(first.factor, left ? matmul(sum, u.input(1), *of_u) : matmul(u.input(0), sum, *of_u));
  return c.valid() ? c * product : product;
}

}  // namespace

// Scaled rows come last: one of such terms the kernel of an optimizer's update adds by itself.
Expr one_product(const Expr& e, const DraftFacts& facts) {
  const bool of_rows = e.layout() == Layout::rows;
  if (!is_floating(e.dtype()) || (!of_rows && (e.layout() != Layout::dense || e.rank() < 2))) return {};
  std::vector<Scaled> terms;
  collect_terms(e, 1, facts, 0, terms);
  for (std::size_t i = 0; i < terms.size(); ++i)
    for (std::size_t j = i + 1; j < terms.size(); ++j) {
      if (facts.readers(terms[i].x) > 1 || facts.readers(terms[j].x) > 1) continue;
      const Expr sum = (of_rows ? sum_of_scaled_rows : sum_of_products)(terms[i], terms[j], facts);
      if (!sum.valid()) continue;
      terms[i] = {1, sum};
      terms.erase(terms.begin() + static_cast<std::ptrdiff_t>(j));
      return sum_of(terms);
    }
  if (!of_rows) return {};
  const auto comes_first = [](const Scaled& term) { return !scaled_rows(term.x); };
  if (!facts.row_set(e).valid() || std::is_partitioned(terms.begin(), terms.end(), comes_first)) return {};
  std::stable_partition(terms.begin(), terms.end(), comes_first);
  return sum_of(terms);
}

namespace {

bool is_leaf(const Expr& e) {
  return e.kind() == Kind::variable || e.kind() == Kind::constant ||
         (e.kind() == Kind::placeholder && static_cast<const PlaceholderOp&>(e.op()).is_table());
}

// Whether a row of e, a table [p, ...], is computed from the same rows of some of its inputs, and of nothing else that
// varies from row to row. Elementwise ops are such, and a few that say which input's rows their result has.
bool goes_row_by_row(const Expr& e) {
  if (e.kind() != Kind::op || e.op().traits().is_random) return false;
  if (is_elementwise(e)) return !is_integer(e.dtype());  // a row that divides by zero must be computed
  std::vector<Type> types;
  for (int i = 0; i < e.arity(); ++i) types.push_back(e.input(i).type());
  if (e.op().traits().rows_from != 0 || e.rank() == 0 || types[0].shape.rank() == 0 ||
      types[0].shape[0] != e.shape()[0])
    return false;
  if (e.op().is_view(types)) return true;
  const Tiles tiles = e.op().tiles(types, e.type());
  return tiles.gives == Tiles::Gives::rows && (tiles.sliced & 1U) != 0;
}

// Whether input x of such an e is a table whose rows go with e's. Others are read whole by every row.
bool is_table_of(const Expr& x, const Expr& e) {
  return x.rank() > 0 && x.shape()[0] == e.shape()[0] && (x.rank() == e.rank() || !is_elementwise(e));
}

}  // namespace

Expr gathered_rows(const Expr& table, const Expr& csr, const DraftFacts& facts) {
  const std::int64_t rows = csr.shape()[csr.layout() == Layout::csr ? 1 : 0];  // of the table
  const auto may_be_gathered = [&](const Expr& e) {
    return e.layout() == Layout::dense && e.rank() > 0 && e.shape()[0] == rows;
  };
  if (!may_be_gathered(table) || (!is_leaf(table) && !goes_row_by_row(table))) return {};
  // Down to what is gathered, without recursion, each node once however many lead to it.
  std::vector<Expr> open{table};
  std::vector<Expr> inputs;
  while (!open.empty()) {
    const Expr e = open.back();
    if (facts.gathered(e, csr).valid()) {
      open.pop_back();
      continue;
    }
    bool row_by_row = !is_leaf(e) && goes_row_by_row(e);
    for (int i = 0; i < e.arity() && row_by_row; ++i) row_by_row = e.input(i).layout() == Layout::dense;
    const std::size_t before = open.size();
    inputs.clear();
    for (int i = 0; i < e.arity() && row_by_row; ++i) {
      const Expr x = e.input(i);
      inputs.push_back(is_table_of(x, e) ? facts.gathered(x, csr) : x);
      if (!inputs.back().valid()) open.push_back(x);
    }
    if (open.size() > before) continue;
    facts.gathered(e, csr) = row_by_row ? e.graph().copy(e, inputs) : active_part(e, csr);
    open.pop_back();
  }
  return facts.gathered(table, csr);
}

}  // namespace gradus
