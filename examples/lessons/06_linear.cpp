// Lesson 6: linear regression. Is what training ends at the minimum?
#include <fmt/ranges.h>
#include <gradus/gradus.h>

#include <array>
#include <cmath>
using namespace gradus;

int main() {
  // [data]
  const std::int64_t n = 40;
  const Tensor x_data = random_normal({n, 3}, {.seed = 1, .dtype = float64});
  const Tensor noise = random_normal({n, 1}, {.stddev = 0.5, .seed = 2, .dtype = float64});
  const Tensor y_data = Tensor::make<double>({n, 1}, [&](std::span<double> y) {  // y = 1 + 2 x0 - 3 x1 + noise
    for (std::int64_t i = 0; i < n; ++i)
      y[static_cast<std::size_t>(i)] = 1 + 2 * x_data.at(i, 0) - 3 * x_data.at(i, 1) + noise.at(i, 0);
  });
  // [/]

  // [train]
  Graph g;
  Expr X = g.placeholder("X", {any, 3}, float64);
  Expr y = g.placeholder("y", {any, 1}, float64);
  const LinearRegression model(X, y);
  Expr train = Adagrad(0.5).minimize(model.loss);
  Session session(g);
  for (int epoch = 1; epoch <= 1000; ++epoch) {
    session.run(train, {{X, x_data}, {y, y_data}});
    if (epoch == 1 || epoch == 10 || epoch == 100 || epoch == 1000)
      fmt::print("after {:>4} steps: error {:.6f}\n", epoch,
                 session.run(model.error, {{X, x_data}, {y, y_data}}).item());
  }
  // [/]

  // [normal]
  std::array<std::array<double, 5>, 4> a{};  // [A^T A | A^T y], where row i of A is 1, x_i0, x_i1, x_i2
  const auto A = [&](std::int64_t i, std::size_t j) { return j == 0 ? 1 : x_data.at(i, static_cast<int>(j) - 1); };
  for (std::int64_t i = 0; i < n; ++i)
    for (std::size_t j = 0; j < 4; ++j)
      for (std::size_t k = 0; k < 5; ++k) a[j][k] += A(i, j) * (k < 4 ? A(i, k) : y_data.at(i, 0));
  for (std::size_t pivot = 0; pivot < 4; ++pivot)
    for (std::size_t row = 0; row < 4; ++row) {
      const double factor = row == pivot ? 0 : a[row][pivot] / a[pivot][pivot];
      for (std::size_t k = pivot; k < 5; ++k) a[row][k] -= factor * a[pivot][k];
    }
  // [/]

  const Tensor w0 = session.value(model.w0), W = session.value(model.W);
  fmt::print("\n     learnt   solved\n");
  double apart = 0;
  for (std::size_t j = 0; j < 4; ++j) {
    const double learnt = j == 0 ? w0.item() : W.at(static_cast<int>(j) - 1), solved = a[j][4] / a[j][j];
    apart = std::max(apart, std::abs(learnt - solved));
    fmt::print("{}  {:8.4f} {:8.4f}\n", j == 0 ? "w0" : fmt::format("w{}", j), learnt, solved);
  }
  fmt::print("apart by less than 1e-4: {}\n", apart < 1e-4);
}
