// Lesson 7: polynomial regression. What does a pair learn that never occurs?
#include <gradus/gradus.h>

#include <set>
using namespace gradus;

int main() {
  // [parameters]
  fmt::print("        p      all pairs   FM, k = 8\n");
  for (const std::int64_t p : {16, 2623, 1000000})
    fmt::print("{:>9} {:>14} {:>11}\n", p, 1 + p + p * (p - 1) / 2, 1 + p + 8 * p);
  // [/]

  // [train]
  const auto [x_data, y_data] = rendle2010();
  Graph g;
  Expr X = g.placeholder("X", {7, 16});
  Expr y = g.placeholder("y", {7, 1});
  const PolynomialRegression model(X, y);
  Expr train = Adagrad(0.1).minimize(model.loss);
  Session session(g);
  for (int epoch = 0; epoch < 1000; ++epoch) session.run(train, {{X, x_data}, {y, y_data}});
  const Tensor W2 = session.value(model.W2);
  // [/]

  // [count]
  int pairs = 0, together = 0, moved = 0, moved_alone = 0;
  for (int i = 0; i < 16; ++i)
    for (int j = i + 1; j < 16; ++j) {
      bool meet = false;
      for (int row = 0; row < 7; ++row) meet = meet || (x_data.at(row, i) != 0 && x_data.at(row, j) != 0);
      ++pairs;
      together += meet ? 1 : 0;
      moved += W2.at(i, j) != 0 ? 1 : 0;
      moved_alone += W2.at(i, j) != 0 && !meet ? 1 : 0;
    }
  fmt::print("\npairs: {}\npairs that occur together: {}\nweights that have moved: {}\n", pairs, together, moved);
  fmt::print("weights that have moved without evidence: {}\n", moved_alone);
  // [/]

  // [ratings]
  const Rows ratings = synthetic_ratings().train;
  std::set<std::pair<Index, Index>> seen;
  const CsrPattern& pattern = *ratings.x.pattern();
  for (std::int64_t row = 0; row < pattern.rows; ++row)
    seen.emplace(pattern.column[static_cast<std::size_t>(2 * row)],
                 pattern.column[static_cast<std::size_t>(2 * row + 1)]);
  const std::int64_t p = pattern.columns, all = p * (p - 1) / 2;
  fmt::print("\nusers and items: {}\npairs of them: {}\npairs with a rating: {}\n", p, all, seen.size());
  fmt::print("pairs that learn nothing: {:.1f} %\n",
             100 - 100.0 * static_cast<double>(seen.size()) / static_cast<double>(all));
  // [/]
}
