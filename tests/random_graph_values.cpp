// The values of a random graph: each function draws operands among those made so far and adds one more.
#include "random_graph.h"

#include <gradus/core/tensor/create.h>
#include <gradus/ops/ops.h>

#include <algorithm>
#include <cmath>
#include <utility>

namespace gradus {

namespace {

constexpr double largest = 30;  // what grows beyond it is tamed

bool is_csr(const Expr& e) { return e.layout() == Layout::csr; }

}  // namespace

// --- the store of values ---------------------------------------------------------------------------------

Shape RandomGraph::concrete(const Shape& shape) const {
  std::vector<std::int64_t> dims;
  for (const std::int64_t dim : shape.dims()) dims.push_back(dim == any ? n_ : dim);
  return Shape(std::span<const std::int64_t>(dims));
}

// Large values would cost time, and say no more.
bool RandomGraph::fits(const Shape& shape) const {
  return shape.rank() <= 3 &&
         shape.size() <= std::max<std::int64_t>({4096, n_ * std::max(p_ > 100 ? 0 : p_, k_), p_ * k_});
}

// The last values are looked at more often than others: graphs shall be deep.
const RandomGraph::Item* RandomGraph::find(const std::function<bool(const Item&)>& accepts) {
  std::vector<const Item*> found;
  for (const Item& item : items_)
    if (accepts(item)) found.push_back(&item);
  if (found.empty()) return nullptr;
  const auto last = std::min<std::int64_t>(static_cast<std::int64_t>(found.size()), 4);
  return dice_.chance(0.4) ? found[found.size() - 1 - static_cast<std::size_t>(dice_.below(last))] : dice_.pick(found);
}

const RandomGraph::Item* RandomGraph::find_dense() {
  return find([](const Item& x) { return !is_csr(x.e); });
}
const RandomGraph::Item* RandomGraph::find_matrix() {
  return find([](const Item& x) { return !is_csr(x.e) && x.shape.rank() == 2; });
}
const RandomGraph::Item* RandomGraph::find_csr() {
  return find([](const Item& x) { return is_csr(x.e); });
}

Expr RandomGraph::tamed(const Expr& e, double& size) {
  if (size <= largest) return e;
  const double factor = std::exp2(-std::ceil(std::log2(size)));
  const std::int64_t way = is_csr(e) ? dice_.below(2) : dice_.below(4);
  size = way == 3 ? 3 : 1;
  if (way == 1) return tanh(factor * e);
  if (way == 2) return sigmoid(e * factor);
  return way == 3 ? clip_by_value(factor * e, -3, 3) : factor * e;
}

bool RandomGraph::keep(const Expr& e, double size) { return keep(e, size, concrete(e.shape())); }

bool RandomGraph::keep(const Expr& e, double size, const Shape& shape) {
  const Expr small = tamed(e, size);
  items_.push_back({small, shape, size});
  values.push_back(small);
  return true;
}

double RandomGraph::factor_number() {
  return dice_.pick({0.0, 1.0, 2.0, -1.0, 0.5, 1e-30, 1e-3, -3.0, 0.7, 2.0, -1.0, 0.5});
}

// --- elementwise -----------------------------------------------------------------------------------------

bool RandomGraph::function() {
  const Item x = *find_dense();
  switch (dice_.below(16)) {
    case 0: return keep(-x.e, x.size);
    case 1: return keep(square(x.e), x.size * x.size);
    case 2: return keep(pow(x.e, 0), 1);
    case 3: return keep(pow(x.e, 1), x.size);
    case 4: return keep(pow(x.e, 2), x.size * x.size);
    case 5: return keep(tanh(x.e), 1);
    case 6: return keep(sin(x.e), 1);
    case 7: return keep(sigmoid(x.e), 1);
    case 8: return keep(softplus(x.e), x.size + 1);
    case 9: return keep(exp(-square(x.e)), 1);
    case 10: return keep(identity(x.e), x.size);
    case 11: return keep(x.e / 4, x.size / 4);
    case 12: return keep(1 / (1 + square(x.e)), 1);
    case 13: return keep(sqrt(square(x.e) + 0.1), x.size + 1);
    case 14: return keep(clip_by_value(x.e, -2, 2), 2);
    default: return keep(0.5 * (x.e + 1) - 0, x.size);
  }
}

// The large number and the small one that takes it back stand around a linear function.
bool RandomGraph::factor() {
  const Item x = *find([](const Item&) { return true; });
  if (dice_.chance(0.3)) {
    const double large = dice_.pick({1e30, 1e200});
    Expr inner = dice_.chance(0.5) ? large * x.e : x.e / (1 / large);
    if (x.shape.rank() == 2 && dice_.chance(0.5)) inner = transpose(inner);
    if (dice_.chance(0.5)) inner = -inner;
    return keep(dice_.chance(0.5) ? 1 / large * inner : inner / large, x.size);
  }
  // The product of the two small factors loses its digits: they must not be regrouped.
  if (dice_.chance(0.1)) return keep(1e40 * (1e-160 * (1e-160 * square(1e140 * x.e))), x.size * x.size);
  const double c = factor_number();
  switch (dice_.below(4)) {
    case 0: return keep(x.e * c, std::abs(c) * x.size);
    case 1: {
      const double outer = factor_number();
      return keep(outer * (c * x.e), 9 * x.size);
    }
    case 2: return keep(is_csr(x.e) ? -x.e : x.e - c, x.size + 3);
    default: return keep(c * x.e, std::abs(c) * x.size);
  }
}

bool RandomGraph::arithmetic() {
  const Item a = *find_dense();
  const Item* const other = find([&](const Item& b) {
    const auto shape = broadcast(a.shape, b.shape);
    return !is_csr(b.e) && shape && fits(*shape);
  });
  if (other == nullptr) return false;
  const Item b = *other;
  switch (dice_.below(9)) {
    case 0: return keep(a.e + b.e, a.size + b.size);
    case 1: return keep(a.e - b.e, a.size + b.size);
    case 2: return keep(a.e / (1 + square(b.e)), a.size);
    case 3: return keep(squared_difference(a.e, b.e), (a.size + b.size) * (a.size + b.size));
    case 4: {
      const double c = factor_number();
      const double d = factor_number();
      return keep(c * a.e + d * b.e, 3 * (a.size + b.size));
    }
    case 5: return keep(maximum(a.e, b.e), std::max(a.size, b.size));
    default: return keep(a.e * b.e, a.size * b.size);
  }
}

bool RandomGraph::sparse_function() {
  const Item x = *find_csr();
  switch (dice_.below(8)) {
    case 0: return keep(square(x.e), x.size * x.size);
    case 1: return keep(pow(x.e, 1), x.size);
    case 2: return keep(pow(x.e, 2), x.size * x.size);
    case 3: return keep(tanh(x.e), 1);
    case 4: return keep(sin(x.e), 1);
    case 5: return keep(-x.e, x.size);
    case 6: return x.shape[0] * x.shape[1] <= 8192 ? keep(to_dense(x.e), x.size) : false;
    default: return keep(transpose(x.e), x.size);
  }
}

bool RandomGraph::sparse_arithmetic() {
  const Item x = *find_csr();
  const bool by_csr = dice_.chance(0.35);
  const Item* const other = find([&](const Item& b) {
    if (is_csr(b.e)) return by_csr && b.shape == x.shape;
    const bool row = b.shape.rank() == 1 && b.shape[0] == x.shape[1];
    const bool column = b.shape == Shape({x.shape[0], 1});
    return !by_csr && (b.shape.rank() == 0 || row || column);
  });
  if (other == nullptr) return false;
  const Item b = *other;
  if (!is_csr(b.e)) return keep(dice_.chance(0.5) ? x.e * b.e : b.e * x.e, x.size * b.size);
  switch (dice_.below(4)) {
    case 0: return keep(x.e + b.e, x.size + b.size);
    case 1: return keep(x.e - b.e, x.size + b.size);
    case 2: return keep(sample(x.e, b.e), x.size);
    default: return keep(x.e * b.e, x.size * b.size);
  }
}

// Numbers known before the run: of a matrix, of a vector, or one number repeated.
bool RandomGraph::constants() {
  const Shape shape = dice_.pick({Shape(), Shape({k_}), Shape({p_}), Shape({n_, 1}), Shape({p_, k_}), Shape({n_, k_})});
  if (!fits(shape)) return false;
  switch (dice_.below(4)) {
    case 0: return keep(g.constant(zeros(shape, float64)), 0);
    case 1: return keep(g.constant(ones(shape, float64)), 1);
    case 2: {
      const Item* const number = find([](const Item& x) { return x.shape.rank() == 0; });
      return number != nullptr && keep(fill(shape, number->e), number->size);
    }
    default: return keep(g.constant(dense(shape)), 1);
  }
}

// --- products --------------------------------------------------------------------------------------------

// Flags with which the two can be multiplied, if there are such.
std::optional<MatmulOptions> RandomGraph::flags(const Item& a, const Item& b) {
  if (is_csr(a.e) && is_csr(b.e)) return std::nullopt;
  for (int tries = 0; tries < 4; ++tries) {
    const bool ta = dice_.chance(0.4);
    const bool tb = dice_.chance(0.4);
    if (a.shape[ta ? 0 : 1] == b.shape[tb ? 1 : 0] && fits({a.shape[ta ? 1 : 0], b.shape[tb ? 0 : 1]}))
      return MatmulOptions{.transpose_a = ta, .transpose_b = tb};
  }
  return std::nullopt;
}

// How large a product gets, if its terms have random signs.
double RandomGraph::product_size(const Item& a, const Item& b, const MatmulOptions& options) const {
  const std::int64_t inner = a.shape[options.transpose_a ? 0 : 1];
  const double terms = sizes_ == Sizes::table && inner == p_ ? 4 : static_cast<double>(inner);
  return (1 + std::sqrt(terms)) * a.size * b.size;
}

bool RandomGraph::product() {
  const bool sparse = dice_.chance(0.5);
  Item a = sparse ? *find_csr() : *find_matrix();
  Item b = *find_matrix();
  if (sparse && dice_.chance(0.15)) std::swap(a, b);
  const auto options = flags(a, b);
  return options && keep(matmul(a.e, b.e, *options), product_size(a, b, *options));
}

// f A B + g A C - h A D + r
bool RandomGraph::sum_of_products() {
  const Item a = dice_.chance(0.5) ? *find_csr() : *find_matrix();
  const Item b = *find_matrix();
  const auto options = flags(a, b);
  if (!options) return false;
  Expr sum = factor_number() * matmul(a.e, b.e, *options);
  double size = 3 * product_size(a, b, *options);
  for (std::int64_t left = 1 + dice_.below(3); left > 0; --left) {
    Item other = *find([&](const Item& c) { return !is_csr(c.e) && c.shape == b.shape; });
    if (same_node(other.e, b.e)) other.e = dice_.chance(0.5) ? tanh(b.e) : square(b.e);
    other.size = std::max(other.size, other.size * other.size);
    Expr term = matmul(a.e, other.e, *options);
    if (dice_.chance(0.6)) term = factor_number() * term;
    sum = dice_.chance(0.5) ? sum + term : sum - term;
    size += 3 * product_size(a, other, *options);
  }
  if (const Item* const rest = find([&](const Item& r) { return !is_csr(r.e) && r.shape == concrete(sum.shape()); });
      rest != nullptr && dice_.chance(0.4))
    return keep(sum + rest->e, size + rest->size);
  return keep(sum, size);
}

// A^T (d B) for a column d, which may be a factor of each term of a sum; A^T (c B), A^T (broadcast column).
bool RandomGraph::scaled_product() {
  const Item a = dice_.chance(0.7) ? *find_csr() : *find_matrix();
  const Item* const b =
      find([&](const Item& x) { return !is_csr(x.e) && x.shape.rank() == 2 && x.shape[0] == a.shape[0]; });
  const Item* const d = find([&](const Item& x) { return !is_csr(x.e) && x.shape == Shape({a.shape[0], 1}); });
  if (b == nullptr || d == nullptr || !fits({a.shape[1], b->shape[1]})) return false;
  Expr right = b->e;
  double size = std::sqrt(static_cast<double>(n_)) * a.size * std::max(1.0, d->size) * 3 * std::max(1.0, b->size);
  switch (dice_.below(6)) {
    case 0: right = factor_number() * right; break;
    case 1: right = broadcast_to(d->e, b->shape); break;
    case 2: right = d->e * (2 * right); break;
    case 3: {
      const Expr inner = dice_.chance(0.5) ? factor_number() * d->e - d->e * right : right * d->e + d->e;
      right = dice_.chance(0.5) ? right * inner - d->e * sin(right) : 2 * (d->e * right) + inner;
      size *= 4 * std::max(1.0, b->size);
      break;
    }
    default: right = right * d->e; break;
  }
  return keep(matmul(a.e, right, {.transpose_a = true}), size);
}

// The article's terms over one of the sparse matrices.
bool RandomGraph::machine() {
  const Item x = *find([&](const Item& item) { return is_csr(item.e) && item.shape == Shape({n_, p_}); });
  const Item* const table = find([&](const Item& item) {
    return !is_csr(item.e) && (item.shape == Shape({p_, k_}) || item.shape == Shape({k_, p_}));
  });
  const Expr factors = table->shape[0] == p_ ? table->e : transpose(table->e);
  const Expr interactions =
      0.5 * reduce_sum(pow(matmul(x.e, factors), 2) - matmul(pow(x.e, 2), pow(factors, 2)), 1, keep_dims);
  const double terms = sizes_ == Sizes::table ? 3 : static_cast<double>(p_);
  double size = x.size * x.size * table->size * table->size * terms * static_cast<double>(k_);
  const Item* const row = find([&](const Item& item) {
    return !is_csr(item.e) && (item.shape == Shape({p_}) || item.shape == Shape({p_, 1}));
  });
  if (row == nullptr) return keep(interactions, size);
  size += terms * row->size * x.size;
  const Expr linear = row->shape.rank() == 1 ? reduce_sum(row->e * x.e, 1, keep_dims) : matmul(x.e, row->e);
  return keep(linear + interactions, size);
}

// --- sums ------------------------------------------------------------------------------------------------

bool RandomGraph::reduction() {
  const Item x = *find([](const Item& item) { return item.shape.rank() == 1 || item.shape.rank() == 2; });
  const KeepDims kept = dice_.chance(0.5) ? KeepDims::yes : KeepDims::no;
  const std::int64_t way = dice_.below(3);
  const Axes axes = way == 2 ? Axes() : Axes(way == 1 ? x.shape.rank() - 1 : 0);
  const std::int64_t terms = way == 2 ? x.shape.size() : x.shape[way == 1 ? x.shape.rank() - 1 : 0];
  // The mean of nothing is NaN, which would hide all that follows.
  if (dice_.chance(0.4) && terms > 0) return keep(reduce_mean(x.e, axes, kept), x.size);
  return keep(reduce_sum(x.e, axes, kept), x.size * static_cast<double>(std::max<std::int64_t>(terms, 1)));
}

// Sums of rows, or of columns, of what has rules: products, squares, differences of such.
bool RandomGraph::sums_of_rows() {
  const Item a = *find_matrix();
  const Item b = *find([&](const Item& x) { return !is_csr(x.e) && x.shape == a.shape; });
  const Item* const d = find([&](const Item& x) { return !is_csr(x.e) && x.shape == Shape({a.shape[0], 1}); });
  const std::int64_t axis = dice_.below(4) == 0 ? 0 : 1;
  const KeepDims kept = dice_.chance(0.5) ? KeepDims::yes : KeepDims::no;
  Expr inner = a.e * b.e;
  switch (dice_.below(6)) {
    case 0: inner = square(a.e); break;
    case 1: inner = a.e * b.e - 0.5 * square(b.e); break;
    case 2: inner = a.e + b.e; break;
    case 3: inner = d != nullptr ? d->e * a.e : a.e; break;
    case 4: inner = 2 * (a.e * b.e); break;
    default: break;
  }
  const double largest_term = std::max({1.0, a.size, b.size, d != nullptr ? d->size : 0});
  return keep(reduce_sum(inner, Axes(static_cast<int>(axis)), kept),
              2 * largest_term * largest_term *
                  static_cast<double>(std::max<std::int64_t>(a.shape[static_cast<int>(axis)], 1)));
}

// --- shapes ----------------------------------------------------------------------------------------------

bool RandomGraph::shape_change() {
  const Item x = *find_dense();
  if (x.shape.rank() == 0) return keep(reshape(x.e, {1, 1}), x.size);
  if (x.shape.rank() == 1) {
    const bool column = dice_.chance(0.5);
    return keep(dice_.chance(0.5) ? expand_dims(x.e, column ? 1 : 0)
                                  : reshape(x.e, column ? Shape({x.shape[0], 1}) : Shape({1, x.shape[0]})),
                x.size);
  }
  if (x.shape.rank() > 2 || dice_.chance(0.3)) return keep(reshape(x.e, {x.shape.size()}), x.size);
  return keep(transpose(x.e), x.size);
}

bool RandomGraph::wider() {
  const Item x = *find([&](const Item& item) {
    return !is_csr(item.e) &&
           (item.shape.rank() < 2 || (item.shape.rank() == 2 && (item.shape[0] == 1 || item.shape[1] == 1)));
  });
  const Shape to = dice_.pick({Shape({n_, k_}), Shape({p_, k_}), Shape({k_, p_}), Shape({n_, 1}), Shape({n_, p_})});
  const auto shape = broadcast(x.shape, to);
  if (!shape || *shape != to || !fits(to)) return false;
  return keep(broadcast_to(x.e, to), x.size);
}

bool RandomGraph::rows_by_index() {
  const Item* const table = find([&](const Item& x) { return !is_csr(x.e) && x.shape.rank() > 0 && x.shape[0] == p_; });
  return table != nullptr && keep(gather(table->e, ids_), table->size);
}

bool RandomGraph::parts() {
  const Item a = *find_matrix();
  const Item* const b = find([&](const Item& x) {
    return !is_csr(x.e) && x.shape.rank() == 2 && x.shape[0] == a.shape[0] &&
           fits({a.shape[0], a.shape[1] + x.shape[1]});
  });
  if (b != nullptr && dice_.chance(0.5))
    return keep(concat({a.e, b->e}, 1), std::max(a.size, b->size), {a.shape[0], a.shape[1] + b->shape[1]});
  if (a.shape[1] < 2) return false;
  const std::int64_t first = dice_.below(a.shape[1]);
  const std::int64_t count = 1 + dice_.below(a.shape[1] - first);
  return keep(slice(a.e, {0, first}, {-1, count}), a.size);
}

}  // namespace gradus
