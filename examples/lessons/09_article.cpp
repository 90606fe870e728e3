// Lesson 9: the article's program, twenty times. Why is 0.602 not what you get?
#include <gradus/gradus.h>

#include <algorithm>
#include <string_view>
using namespace gradus;

// [program]
// The mean squared error of the article's program after 1000 steps, for one seed and k factors. Of a page it makes a
// file in which the run can be watched.
double article(std::uint64_t seed, std::int64_t k, const char* page = nullptr) {
  const auto [x_data, y_data] = rendle2010();  // [7, 16], [7, 1]
  Graph g;
  Expr X = g.placeholder("X", {7, 16});
  Expr y = g.placeholder("y", {7, 1});
  Expr w0 = g.variable("w0", zeros({1}));
  Expr W = g.variable("W", zeros({16}));
  Expr V = g.variable("V", random_normal({k, 16}, {.stddev = 0.01, .seed = seed}));

  Expr linear_terms = w0 + reduce_sum(W * X, 1, keep_dims);                               // [7, 1]
  Expr square_of_sum = pow(matmul(X, transpose(V)), 2);                                   // [7, k]
  Expr sum_of_squares = matmul(pow(X, 2), transpose(pow(V, 2)));                          // [7, k]
  Expr interactions = 0.5 * reduce_sum(square_of_sum - sum_of_squares, 1, keep_dims);     // [7, 1]
  Expr y_hat = (linear_terms + interactions).named("y_hat");                              // [7, 1]
  Expr error = reduce_mean(square(y - y_hat)).named("error");                             // []
  Expr loss = (error + reduce_sum(0.001 * pow(W, 2) + 0.001 * pow(V, 2))).named("loss");  // []
  Expr train = Adagrad(0.1).minimize(loss);

  Session session(g);
  const Feeds feeds = {{X, x_data}, {y, y_data}};
  if (page != nullptr)
    write_page(record_walkthrough(session, {.loss = loss, .train = train, .steps = 1000}, feeds), page);
  else
    for (int epoch = 0; epoch < 1000; ++epoch) session.run(train, feeds);
  return session.run(error, feeds).item();
}
// [/]

int main(int argc, char** argv) try {
  if (argc == 3 && std::string_view(argv[1]) == "--page") {
    article(1, 5, argv[2]);
    return fmt::print("{}: open it in a browser\n", argv[2]), 0;
  }
  if (argc > 1) return fmt::print(stderr, "usage: 09_article [--page FILE]\n"), 2;
  // [seeds]
  for (const std::int64_t k : {5, 20}) {
    std::vector<double> errors;
    for (std::uint64_t seed = 1; seed <= 20; ++seed) errors.push_back(article(seed, k));
    std::sort(errors.begin(), errors.end());
    fmt::print("k = {}, 20 seeds: all below 0.1: {}, a factor of 10 or more between them: {}\n", k, errors.back() < 0.1,
               errors.back() > 10 * errors.front());
    fmt::print("~ least {:.1e}, median {:.1e}, greatest {:.1e}\n", errors.front(), (errors[9] + errors[10]) / 2,
               errors.back());
  }
  // [/]
} catch (const Error& error) {
  fmt::print(stderr, "{}\n", error.what());
  return 1;
}
