#include "papers_formulas.h"

#include <numeric>

namespace bench {

using namespace gradus;

namespace {

// One non-zero, 1, in each row.   csr [rows, columns]
Tensor one_hot_rows(const std::vector<std::int32_t>& column, std::int64_t columns) {
  std::vector<std::int32_t> row_start(column.size() + 1);
  std::iota(row_start.begin(), row_start.end(), 0);
  const std::int64_t rows = std::ssize(column);
  return Tensor::csr(rows, columns, row_start, column, std::vector<float>(column.size(), 1));
}

}  // namespace

RatingBatches::RatingBatches() {
  const ZipfLaw user_law(users), item_law(items);
  std::mt19937_64 random(1);
  std::uniform_int_distribution<int> stars(1, 5);
  for (std::size_t i = 0; i < count * size; ++i) {
    user_.push_back(static_cast<std::int32_t>(scattered(user_law(random), users)));
    item_.push_back(static_cast<std::int32_t>(scattered(item_law(random), items)));
    rating_.push_back(static_cast<float>(stars(random)));
  }
}

std::vector<Tensor> RatingBatches::data(Lookup lookup) const {
  if (lookup == Lookup::gather) return {Tensor::from(user_), Tensor::from(item_), Tensor::from(rating_)};
  return {one_hot_rows(user_, users), one_hot_rows(item_, items), Tensor::from(rating_)};
}

MatrixFactorization::MatrixFactorization(Lookup lookup, Optimizer&& optimizer) {
  constexpr std::int64_t k = 32, n = RatingBatches::size;
  const NormalOptions normal{.stddev = 0.1, .seed = 1};
  const Expr P = g.variable("P", random_normal({RatingBatches::users, k}, normal));
  const Expr Q = g.variable("Q", random_normal({RatingBatches::items, k}, normal));
  const Expr of_users = g.variable("of_users", zeros({RatingBatches::users}));
  const Expr of_items = g.variable("of_items", zeros({RatingBatches::items}));
  const Expr r = g.placeholder("r", {n});
  Expr user, item, p, q, b, c;
  if (lookup == Lookup::gather) {
    user = g.placeholder("user", {n}, int32);
    item = g.placeholder("item", {n}, int32);
    p = gather(P, user);         // [n, k]
    q = gather(Q, item);         // [n, k]
    b = gather(of_users, user);  // [n]
    c = gather(of_items, item);  // [n]
  } else {
    user = g.sparse_placeholder("user", {n, RatingBatches::users});
    item = g.sparse_placeholder("item", {n, RatingBatches::items});
    p = matmul(user, P);                 // [n, k]
    q = matmul(item, Q);                 // [n, k]
    b = reduce_sum(user * of_users, 1);  // [n]
    c = reduce_sum(item * of_items, 1);  // [n]
  }
  const Expr r_hat = mean + b + c + reduce_sum(p * q, 1);                                            // [n]
  const Expr penalty = reduce_sum(square(p), 1) + reduce_sum(square(q), 1) + square(b) + square(c);  // [n]
  loss = reduce_mean(square(r - r_hat) + lambda * penalty);                                          // []
  train = optimizer.minimize(loss);
  inputs = {user, item, r};
  parameters = {P, Q, of_users, of_items};
}

FieldBatches::FieldBatches(std::int64_t fields, std::int64_t features, bool binary)
    : fields_(fields),
      rows_(zipf({.rows = 64 * size, .fields = fields, .features = features, .used = features, .binary = binary})) {}

std::vector<Tensor> FieldBatches::with_y(const Tensor& features) const {
  return {features, y_rows(rows_, 0, rows_.rows())};
}

std::vector<Tensor> FieldBatches::by_index() const {
  return with_y(Tensor::from(rows_.x.column).reshape({any, fields_}));
}

std::vector<Tensor> FieldBatches::by_row() const { return with_y(x_rows(rows_, 0, rows_.rows())); }

std::vector<Tensor> FieldBatches::by_field() const { return with_y(one_hot_rows(rows_.x.column, rows_.features)); }

FieldWeighted::FieldWeighted(Lookup lookup) {
  constexpr std::int64_t n = FieldBatches::size, k = 16;
  std::vector<float> above(fields * fields);  // 1 where the column is above the row
  for (std::int64_t i = 0; i < fields; ++i)
    for (std::int64_t j = i + 1; j < fields; ++j) above[static_cast<std::size_t>(i * fields + j)] = 1;
  const Expr w0 = g.variable("w0", zeros({1}));
  const Expr W = g.variable("W", zeros({features}));
  const Expr V = g.variable("V", random_normal({features, k}, {.stddev = 0.05, .seed = 1}));
  const Expr R = g.variable("R", random_normal({fields, fields}, {.mean = 0.5, .stddev = 0.1, .seed = 1}));
  const Expr y = g.placeholder("y", {n, 1});
  Expr X, v, w;
  if (lookup == Lookup::gather) {
    X = g.placeholder("X", {n, fields}, int32);
    v = gather(V, X);  // [n, fields, k]
    w = gather(W, X);  // [n, fields]
  } else {
    X = g.sparse_placeholder("X", {n * fields, features});
    v = reshape(matmul(X, V), {n, fields, k});       // [n, fields, k]
    w = reshape(reduce_sum(X * W, 1), {n, fields});  // [n, fields]
  }
  const Expr dots = matmul(v, v, {.transpose_b = true});  // [n, fields, fields]
  const Expr interactions =
      reshape(reduce_sum(dots * (R * Tensor::from(above, {fields, fields})), {1, 2}), {n, 1});  // [n, 1]
  const Expr y_hat = w0 + reduce_sum(w, 1, keep_dims) + interactions;                           // [n, 1]
  loss = reduce_mean(softplus(-y * y_hat));                                                     // []
  train = Adagrad(0.1).minimize(loss);
  inputs = {X, y};
  parameters = {w0, W, V, R};
}

PlainFactorizationMachine::PlainFactorizationMachine(Lookup lookup) {
  constexpr std::int64_t n = FieldBatches::size, k = 16;
  const Expr w0 = g.variable("w0", zeros({1}));
  const Expr W = g.variable("W", zeros({features}));
  const Expr V = g.variable("V", random_normal({features, k}, {.stddev = 0.05, .seed = 1}));
  const Expr y = g.placeholder("y", {n, 1});
  Expr X, linear, sums, squares;
  if (lookup == Lookup::gather) {
    X = g.placeholder("X", {n, fields}, int32);
    const Expr v = gather(V, X);                      // [n, fields, k]
    linear = reduce_sum(gather(W, X), 1, keep_dims);  // [n, 1]
    sums = reduce_sum(v, 1);                          // [n, k]
    squares = reduce_sum(square(v), 1);               // [n, k]
  } else {
    X = g.sparse_placeholder("X", {n, features});
    linear = reduce_sum(W * X, 1, keep_dims);  // [n, 1]
    sums = matmul(X, V);                       // [n, k]
    squares = matmul(square(X), square(V));    // [n, k]
  }
  const Expr y_hat = w0 + linear + 0.5 * reduce_sum(square(sums) - squares, 1, keep_dims);  // [n, 1]
  loss = reduce_mean(softplus(-y * y_hat));                                                 // []
  train = Adagrad(0.1).minimize(loss);
  inputs = {X, y};
  parameters = {w0, W, V};
}

}  // namespace bench
