// Sessions on a device: the plan for accelerators runs on an emulated one and agrees with the CPU's.
#include "emulator/emulated_accelerator.h"

#include <gradus/gradus.h>

#include <doctest/doctest.h>

#include <cmath>
#include <functional>
#include <vector>

using namespace gradus;

namespace {

struct Article {
  explicit Article(bool sparse, DType dtype = float64) {
    const auto [x, t] = rendle2010();
    x_data = sparse ? x.cast(dtype).to_csr() : x.cast(dtype);
    y_data = t.cast(dtype);
    X = sparse ? g.sparse_placeholder("X", {any, 16}, dtype) : g.placeholder("X", {7, 16}, dtype);
    y = g.placeholder("y", {sparse ? any : 7, 1}, dtype);
    const Expr w0 = g.variable("w0", zeros({1}, dtype));
    const Expr W = g.variable("W", zeros({16}, dtype));
    const Expr V = g.variable("V", random_normal({5, 16}, {.stddev = 0.01, .seed = 1, .dtype = dtype}));
    const Expr linear_terms = w0 + reduce_sum(W * X, 1, keep_dims);  // [n, 1]
    const Expr interactions = 0.5 * reduce_sum(pow(matmul(X, transpose(V)), 2) -
                                                   matmul(pow(X, 2), transpose(pow(V, 2))),
                                               1, keep_dims);  // [n, 1]
    const Expr y_hat = linear_terms + interactions;            // [n, 1]
    const Expr l2_norm = reduce_sum(0.001 * pow(W, 2) + 0.001 * pow(V, 2));
    error = reduce_mean(square(y - y_hat));
    loss = error + l2_norm;
  }

  Graph g;
  Tensor x_data, y_data;
  Expr X, y, error, loss;
};

void check_same_losses(Article& article, const Expr& train, const SessionOptions& options, double tolerance) {
  Session cpu(article.g);
  Session device(article.g, emulated_device(), options);
  for (int step = 0; step < 12; ++step) {
    const double want = cpu.run({train, article.loss}, {{article.X, article.x_data}, {article.y, article.y_data}})[1].item();
    const double got =
        device.run({train, article.loss}, {{article.X, article.x_data}, {article.y, article.y_data}})[1].item();
    CHECK(got == doctest::Approx(want).epsilon(tolerance));
  }
  for (const Expr& variable : article.g.variables()) {
    CAPTURE(variable.name());
    CHECK(allclose(device.value(variable), cpu.value(variable), tolerance, tolerance));
  }
}

}  // namespace

TEST_CASE("device: the article's machine trains as on the CPU") {
  for (const bool sparse : {false, true})
    for (const std::vector<std::string>& without :
         {std::vector<std::string>{"fuse", "record"}, std::vector<std::string>{"record"}, std::vector<std::string>{}}) {
      CAPTURE(sparse);
      CAPTURE(without.size());
      Article article(sparse);
      check_same_losses(article, Adagrad(0.1).minimize(article.loss), {.without = without}, 1e-10);
    }
}

TEST_CASE("dbg explain") {
  for (const bool sparse : {false, true}) {
    Article article(sparse);
    const Expr train = Adagrad(0.1).minimize(article.loss);
    Session s(article.g, emulated_device());
    for (int i = 0; i < 3; ++i) s.run(train, {{article.X, article.x_data}, {article.y, article.y_data}});
    fmt::print("{}\n", s.explain(train, {{article.X, article.x_data}, {article.y, article.y_data}}));
  }
}
