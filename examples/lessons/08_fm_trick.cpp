// Lesson 8: the factorization machine's trick. Two formulas, one number.
#include <gradus/gradus.h>

#include <cmath>
using namespace gradus;

using Counted = std::pair<double, int>;  // a sum, and how many multiplications it took

// [pairs]
Counted by_pairs(const std::vector<double>& x, const std::vector<double>& v, std::size_t k) {
  Counted sum{};
  for (std::size_t i = 0; i < x.size(); ++i)
    for (std::size_t j = i + 1; j < x.size(); ++j)
      for (std::size_t f = 0; f < k; ++f, sum.second += 3) sum.first += v[i * k + f] * v[j * k + f] * x[i] * x[j];
  return sum;
}
// [/]

// [trick]
Counted by_trick(const std::vector<double>& x, const std::vector<double>& v, std::size_t k) {
  Counted sum{};
  for (std::size_t f = 0; f < k; ++f) {
    double all = 0, own = 0;  // sum of v_if x_i, and of its squares
    for (std::size_t i = 0; i < x.size(); ++i, sum.second += 2) {
      const double term = v[i * k + f] * x[i];
      all += term;
      own += term * term;
    }
    sum.first += 0.5 * (all * all - own);
    sum.second += 2;
  }
  return sum;
}
// [/]

int main() {
  fmt::print("    p   the same to 1e-6   multiplications: pairs    trick\n");
  // [grow]
  const std::int64_t k = 5;
  for (const std::int64_t p : {16, 32, 64, 128, 256}) {
    const Tensor x_drawn = random_normal({p}, {.dtype = float64}), v_drawn = random_normal({p * k}, {.dtype = float64});
    const std::vector<double> x(x_drawn.begin(), x_drawn.end()), v(v_drawn.begin(), v_drawn.end());
    const Counted pairs = by_pairs(x, v, k), trick = by_trick(x, v, k);
    fmt::print("{:>5}   {:<16}   {:>22} {:>8}\n", p, std::abs(pairs.first - trick.first) < 1e-6 * std::abs(pairs.first),
               pairs.second, trick.second);
  }
  // [/]

  // [unseen]
  const auto [x_data, y_data] = rendle2010();
  Graph g;
  Expr X = g.placeholder("X", {any, 16}), y = g.placeholder("y", {any, 1});
  const FactorizationMachine fm(X, y, {.factors = 5, .seed = 1});
  Expr train = Adagrad(0.1).minimize(fm.loss);
  Expr weights = matmul(fm.V, transpose(fm.V));  // <v_i, v_j> of all pairs: [16, 16]
  Session session(g);
  for (int epoch = 0; epoch < 1000; ++epoch) session.run(train, {{X, x_data}, {y, y_data}});
  fmt::print("\nthe unseen pair has a weight: {}\n", session.run(weights).at(1, 3) != 0);  // user 2, movie 1
  // [/]
}
