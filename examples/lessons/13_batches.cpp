// Lesson 13: batches, and being honest. Which of two models is better, and who says so?
#include <gradus/gradus.h>

#include <cmath>
using namespace gradus;

// [leak]
// x with one more column: the rating itself, as it may be written in a table that was made after the fact.
Rows with_leak(const Rows& data, bool known) {
  const CsrPattern& pattern = *data.x.pattern();
  std::vector<std::int64_t> row_start{0}, column;
  std::vector<float> values;
  for (std::size_t i = 0; i < static_cast<std::size_t>(pattern.rows); ++i) {
    for (std::int64_t j = pattern.row_start[i]; j < pattern.row_start[i + 1]; ++j)
      column.push_back(pattern.column[static_cast<std::size_t>(j)]);
    values.resize(column.size(), 1);
    column.push_back(pattern.columns);
    values.push_back(known ? static_cast<float>(data.y.stored_value(static_cast<std::int64_t>(i))) : 0);
    row_start.push_back(static_cast<std::int64_t>(column.size()));
  }
  return {Tensor::csr(pattern.rows, pattern.columns + 1, row_start, column, values), data.y};
}
// [/]
// [fit]
// Trains until the validation error has not fallen for three epochs; says what the best model makes of later rows.
void fit(const Rows& train_rows, const Rows& validation, const Rows& later, bool say) {
  Graph g;
  const Model model = make_model(g, train_rows.x.dim(1), {.factors = 8, .seed = 1});
  Expr train = Adam(0.01).minimize(model.loss);
  Session session(g);
  const auto error = [&](const Rows& d) { return rmse(d.y, session.run(model.y_hat, {{model.X, d.x}})); };
  const Batches batches(train_rows, {.size = 512, .seed = 1});
  double best = INFINITY, at_best = 0;
  for (int epoch = 0, worse = 0; epoch < 30 && worse < 3; ++epoch) {
    for (const Batch& batch : batches.epoch(epoch)) session.run(train, {{model.X, batch.x}, {model.y, batch.y}});
    const double now = error(validation);
    if (say) fmt::print("epoch {:>2}: training {:.2f}, validation {:.2f}\n", epoch + 1, error(train_rows), now);
    worse = now < best ? 0 : worse + 1;
    if (now < best) best = now, at_best = error(later);
  }
  fmt::print("best validation error: {:.2f}; error on later rows: {:.2f}\n", best, at_best);
}
// [/]

int main() {
  const SyntheticRatings ratings = synthetic_ratings();
  // [split]
  const auto [rows, validation] = ratings.train.split(0.1, 1);
  const Rows& later = ratings.test;
  // [/]
  // [compare]
  double mean = 0;
  for (const double rating : rows.y) mean += rating / static_cast<double>(rows.size());
  fmt::print("always {:.2f}: error {:.2f}\n\n", mean, rmse(validation.y, full(validation.y.shape(), mean)));
  fit(rows, validation, later, true);
  fmt::print("\nwith one more column:\n");
  fit(with_leak(rows, true), with_leak(validation, true), with_leak(later, false), false);
  // [/]
}
