#include <gradus/ops/rules.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

namespace gradus {

Expr transposed_matrix(const Expr& e) {
  if (!is_op(e, "transpose") || e.rank() != 2 || e.layout() != Layout::dense) return {};
  const Type type = e.input(0).type();
  const bool swaps = e.shape() == Shape({type.shape[1], type.shape[0]});
  return swaps && type.layout == Layout::dense && !e.op().is_view({&type, 1}) ? e.input(0) : Expr();
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

Expr one_factor(const Expr& e, const Uses& uses) {
  const auto [factor, x] = scaled(e);
  if (x == e) return {};
  // c (A^T (d B)) = A^T ((c d) B)
  if (is_op(x, "scaled_rows_product") && uses.of(x) == 1)
    return scaled_rows_product(x.input(0), factor * x.input(1), x.input(2), x.layout());
  const auto [inner_factor, inner] = scaled(x);
  if (factor * inner_factor == 1) return inner;
  return inner == x ? Expr() : factor * inner_factor * inner;
}

namespace {

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
    const auto [factor, x] = scaled(e);
    if (x.shape() == column_shape_) return Found{factor, x, {}};
    if (x != e) {
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
        found->x = found->x ? found->x * other : other;
        return found;
      }
    }
    return {};
  }
  // f d x + g d z = f d (x + g/f z)
  std::optional<Found> in_sum(const Expr& e) {
    std::optional<Found> u = in(e.input(0)), v = u ? in(e.input(1)) : std::nullopt;
    if (!v || u->column != v->column) return {};
    if (is_op(e, "subtract")) v->factor = -v->factor;
    if (!u->x) std::swap(u, v);
    const double ratio = v->factor / u->factor;
    if (!is_moderate(ratio)) return {};
    const Operand term = v->x ? Operand(times(std::abs(ratio), v->x)) : Operand(std::abs(ratio));
    u->x = ratio > 0 ? u->x + term : u->x - term;
    return u;
  }

  Shape column_shape_;
  int depth_ = 0;
  std::map<NodeId, std::optional<Found>> found_;
};

constexpr int deepest_sum = 8;  // a sum is looked at from each of its nodes: long ones must not be walked through

// e as a sum of terms, each with its factor, as far as nobody else reads the sums on the way.
void collect_terms(const Expr& e, double factor, const Uses& uses, int depth, std::vector<Scaled>& terms) {
  const bool open = depth == 0 || (uses.of(e) == 1 && depth < deepest_sum);
  const bool subtracts = is_op(e, "subtract");
  if (open && (subtracts || is_op(e, "add"))) {
    collect_terms(e.input(0), factor, uses, depth + 1, terms);
    collect_terms(e.input(1), subtracts ? -factor : factor, uses, depth + 1, terms);
    return;
  }
  const auto [inner_factor, inner] = scaled(e);
  if (open && inner != e && is_moderate(factor * inner_factor)) {
    collect_terms(inner, factor * inner_factor, uses, depth + 1, terms);
  } else {
    terms.push_back({factor, e});
  }
}

bool products_of_one_matrix(const Expr& a, const Expr& b, const Uses& uses) {
  return matrix_product(a) && matrix_product(b) && a.op().same(b.op()) && a.input(0) == b.input(0) &&
         a.type() == b.type() && a.input(1).type() == b.input(1).type() && uses.of(a) == 1 && uses.of(b) == 1;
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

// The same rows x, each times a number, in two terms of a sum: as in the gradient of factors that also have a penalty.
// Such terms come last: one of them the loop of an optimizer's update adds by itself (JoinedSteps).
Expr one_product_of_rows(const Expr& e, const Uses& uses) {
  std::vector<Scaled> terms;
  collect_terms(e, 1, uses, 0, terms);
  for (std::size_t i = 0; i < terms.size(); ++i)
    for (std::size_t j = i + 1; j < terms.size(); ++j) {
      const auto u = scaled_rows(terms[i].x), v = scaled_rows(terms[j].x);
      if (!u || !v || u->x != v->x || u->a.type() != v->a.type() || touching(u->a) != touching(v->a) ||
          uses.of(terms[i].x) > 1 || uses.of(terms[j].x) > 1)
        continue;
      terms[i] = {1, (times(terms[i].factor, u->a) + times(terms[j].factor, v->a)) * u->x};
      terms.erase(terms.begin() + static_cast<std::ptrdiff_t>(j));
      return sum_of(terms);
    }
  const auto comes_first = [](const Scaled& term) { return !scaled_rows(term.x); };
  if (!touching(e) || std::is_partitioned(terms.begin(), terms.end(), comes_first)) return {};
  std::stable_partition(terms.begin(), terms.end(), comes_first);
  return sum_of(terms);
}

}  // namespace

std::optional<OfColumn> of_column(const Expr& e) {
  if (e.rank() != 2 || !is_floating(e.dtype())) return {};
  const auto found = ColumnSearch(e.shape()[0]).in(e);
  if (!found || !found->x || found->x.type() != e.type()) return {};
  return OfColumn{times(found->factor, found->column), found->x};
}

Expr one_product(const Expr& e, const Uses& uses) {
  if (e.layout() == Layout::rows && is_floating(e.dtype())) return one_product_of_rows(e, uses);
  if (e.layout() != Layout::dense || !is_floating(e.dtype())) return {};
  std::vector<Scaled> terms;
  collect_terms(e, 1, uses, 0, terms);
  for (std::size_t i = 0; i < terms.size(); ++i)
    for (std::size_t j = i + 1; j < terms.size(); ++j) {
      if (!products_of_one_matrix(terms[i].x, terms[j].x, uses)) continue;
      const Expr b = times(terms[i].factor, terms[i].x.input(1)) + times(terms[j].factor, terms[j].x.input(1));
      terms[i] = {1, matmul(terms[i].x.input(0), b, *matrix_product(terms[i].x))};
      terms.erase(terms.begin() + static_cast<std::ptrdiff_t>(j));
      return sum_of(terms);
    }
  return {};
}

Expr touched_rows(const Expr& table, const Expr& csr) {
  if (table.layout() != Layout::dense || table.rank() == 0 || table.shape()[0] != csr.shape()[1]) return {};
  if (table.kind() == Kind::variable || table.kind() == Kind::constant) return touched_part(table, csr);
  if (table.kind() != Kind::op) return {};
  const auto inner = [&](int i) { return touched_rows(table.input(i), csr); };
  if (is_op(table, "reshape")) {
    const Expr part = table.shape()[0] == table.input(0).shape()[0] ? inner(0) : Expr();
    return part ? reshape(part, table.shape()) : Expr();
  }
  if (is_op(table, "row_dots")) {
    const Expr a = inner(0), b = inner(1);
    return a && b ? row_dots(a, b) : Expr();
  }
  if (is_op(table, "multiply") && table.input(0).type() == table.type() && table.input(1).type() == table.type()) {
    const Expr a = inner(0), b = inner(1);
    return a && b ? a * b : Expr();
  }
  if (!is_op(table, "square")) return {};
  const Expr part = inner(0);
  return part ? square(part) : Expr();
}

}  // namespace gradus
