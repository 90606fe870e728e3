// Lesson 18: ALS and MCMC. When gradients are not the only way.
#include <gradus/gradus.h>
#include <gradus/models/training/sampler.h>

#include <cmath>
using namespace gradus;

int main() {
  const SyntheticRatings ratings = synthetic_ratings();
  const Rows &rows = ratings.train, &later = ratings.test;
  Graph g;
  const ModelOptions options = {.factors = 8, .init_stddev = 0.1, .seed = 1, .l2_V = 1e-4};
  const Model model = make_model(g, rows.x.dim(1), options);
  Expr V = model.parameters[2], dV = gradients(model.loss, {V})[0], train = Adam(0.1).minimize(model.loss);
  const Feeds feeds = {{model.X, rows.x}, {model.y, rows.y}};
  Session session(g), other(g);
  // [line]
  const Tensor start = session.value(V);           // [p, 8]
  const Index user = rows.x.pattern()->column[0];  // who rated in row 0
  const auto y_hat = [&](double v) {               // where this user's first factor is v, and all else stays
    std::vector<float> values(start.span<float>().begin(), start.span<float>().end());
    values[static_cast<std::size_t>(user) * 8] = static_cast<float>(v);
    session.assign(V, Tensor::from(values, V.shape()));
    const auto [told, d] = session.run({model.y_hat, dV}, feeds);
    const double slope = std::round(1e5 * d.to_dense().at(user, 0)) / 1e5 + 0.0;  // 0 where it rounds to -0
    fmt::print("v = {:>6.3f}: y_hat of row 0 {:>6.3f}, d loss / dv {:>8.5f}\n", v, told.at(0, 0), slope);
    return told;  // [n, 1]
  };
  const Tensor at_0 = y_hat(0), at_1 = y_hat(1), at_2 = y_hat(2);
  double he = 0, hh = 0;
  for (std::int64_t n = 0; n < rows.size(); ++n) {
    const double h = at_1.at(n, 0) - at_0.at(n, 0), e = at_0.at(n, 0) - rows.y.at(n, 0);  // y_hat - y = e + h v
    he += h * e, hh += h * h;
  }
  y_hat(-he / (hh + options.l2_V * static_cast<double>(rows.size())));
  // [/]
  // [als]
  session.assign(V, start);
  Sampler als(session, model, options, rows, {.draws = false});
  for (int pass = 0; pass <= 16; ++pass, als.iterate(pass), other.run(train, feeds))
    if ((pass & (pass - 1)) == 0)
      fmt::print("{}{:>2} passes: loss {:>5.2f} by ALS, {:>5.2f} by Adam\n", pass == 0 ? "\n" : "", pass,
                 session.run(model.loss, feeds).item(), other.run(model.loss, feeds).item());
  // [/]
  // [gibbs]
  const auto told = [&] { return session.run(model.y_hat, {{model.X, later.x}}); };
  fmt::print("\nerror on later rows, by ALS: {:.2f}\n", rmse(later.y, told()));
  Sampler mcmc(session, model, options, rows, {.seed = 1});  // goes on from there
  std::vector<double> mean(static_cast<std::size_t>(later.size()));
  for (int draw = 0; draw < 60; ++draw) {
    mcmc.iterate(draw);
    const Tensor one = told();
    for (std::size_t i = 0; draw >= 20 && i < mean.size(); ++i) mean[i] += one.at(static_cast<int>(i), 0) / 40;
  }
  fmt::print("by the last draw: {:.2f}\nby the mean of 40 draws: {:.2f}\n", rmse(later.y, told()),
             rmse(later.y, Tensor::from(mean, later.y.shape())));
  fmt::print("noise that it has found: {:.2f}\n", 1 / std::sqrt(mcmc.alpha()));
  // [/]
}
