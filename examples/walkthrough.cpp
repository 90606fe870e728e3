// Writes a page that shows the article's program at work: each value and gradient of its graph, and why it is what it
// is, over 1,000 steps. usage: walkthrough [FILE]
#include <gradus/gradus.h>

#include <fmt/core.h>

#include <exception>

using namespace gradus;

namespace {

void write(const char* path) {
  const auto [x_data, y_data] = rendle2010();  // [7, 16], [7, 1]
  const std::int64_t n = 7, p = 16, k = 5;

  Graph g;
  Expr X = g.placeholder("X", {n, p});
  Expr y = g.placeholder("y", {n, 1});

  Expr w0 = g.variable("w0", zeros({1}));
  Expr W = g.variable("W", zeros({p}));
  Expr V = g.variable("V", random_normal({k, p}, {.stddev = 0.01, .seed = 1}));

  Expr linear_terms = w0 + reduce_sum(W * X, 1, keep_dims);  // [n, 1]
  Expr pairs = pow(matmul(X, transpose(V)), 2);              // [n, k]
  Expr squares = matmul(pow(X, 2), transpose(pow(V, 2)));    // [n, k]
  Expr interactions = 0.5 * reduce_sum(pairs - squares, 1, keep_dims);
  Expr y_hat = (linear_terms + interactions).named("y_hat");  // [n, 1]

  Expr l2_norm = reduce_sum(0.001 * pow(W, 2) + 0.001 * pow(V, 2));
  Expr error = reduce_mean(square(y - y_hat)).named("error");
  Expr loss = (error + l2_norm).named("loss");
  Expr train = Adagrad(0.1).minimize(loss);

  Session session(g);
  const WalkthroughOptions options = {
      .loss = loss, .train = train, .steps = 1000, .title = "A factorization machine learns seven ratings"};
  write_page(record_walkthrough(session, options, {{X, x_data}, {y, y_data}}), path);
}

}  // namespace

int main(int argc, char** argv) {
  const char* path = argc > 1 ? argv[1] : "walkthrough.html";
  try {
    write(path);
  } catch (const std::exception& error) {
    fmt::print(stderr, "walkthrough: {}\n", error.what());
    return 1;
  }
  fmt::print("{}: open it in a browser\n", path);
}
