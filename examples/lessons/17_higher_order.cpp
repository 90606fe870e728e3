// Lesson 17: higher orders. Every triple of features, without a loop over triples.
#include <gradus/gradus.h>

#include <cmath>
using namespace gradus;

int main() {
  // [naive]
  const std::int64_t p = 12;
  const Tensor z = random_normal({p}, {.seed = 1, .dtype = float64});  // v_i x_i of one factor
  double pairs = 0, triples = 0;
  for (int i = 0; i < p; ++i)
    for (int j = i + 1; j < p; ++j) {
      pairs += z.at(i) * z.at(j);
      for (int k = j + 1; k < p; ++k) triples += z.at(i) * z.at(j) * z.at(k);
    }
  // [/]

  // [newton]
  Graph g;
  Expr t = g.placeholder("z", {p}, float64);
  Expr P1 = reduce_sum(t), P2 = reduce_sum(pow(t, 2)), P3 = reduce_sum(pow(t, 3));  // power sums
  Expr A1 = P1;
  Expr A2 = (A1 * P1 - P2) / 2;
  Expr A3 = (A2 * P1 - A1 * P2 + P3) / 3;
  Session session(g);
  const auto [two, three] = session.run({A2, A3}, {{t, z}});
  // [/]
  fmt::print("pairs:   {:.6f} and {:.6f}\ntriples: {:.6f} and {:.6f}\n\n", pairs, two.item(), triples, three.item());

  // [grow]
  fmt::print("order   terms of 1000 features   multiplications by power sums, at most\n");
  double terms = 1000;
  for (int order = 2; order <= 5; ++order) {
    terms = terms * (1001 - order) / order;
    fmt::print("{:>5}   {:>22.0f}   {:>38}\n", order, terms, 1000 * order + order * order);
  }
  // [/]

  // [model]
  const auto [x_data, y_data] = rendle2010();
  fmt::print("\n");
  for (int order = 2; order <= 3; ++order) {
    Graph h;
    Expr X = h.placeholder("X", {7, 16}), y = h.placeholder("y", {7, 1});
    const HigherOrderFactorizationMachine model(X, y, {.order = order, .factors = 4, .seed = 1});
    fmt::print("order {}: interactions of {} kinds, {} variables, {} nodes\n", order, model.interactions.size(),
               h.variables().size(), h.size());
  }
  // [/]
}
