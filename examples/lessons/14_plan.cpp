// Lesson 14: what the plan does to your formula.
#include <gradus/gradus.h>

#include <map>
using namespace gradus;

int main() {
  const auto [x_data, y_data] = rendle2010();
  Graph g;
  Expr X = g.placeholder("X", {7, 16}), y = g.placeholder("y", {7, 1});
  Expr V = g.variable("V", random_normal({5, 16}, {.stddev = 0.01, .seed = 1}));
  // [formula]
  Expr interactions =
      0.5 * reduce_sum(pow(matmul(X, transpose(V)), 2) - matmul(pow(X, 2), transpose(pow(V, 2))), 1, keep_dims);
  Expr loss = reduce_mean(square(y - interactions));
  Expr train = Adagrad(0.1).minimize(loss);
  // [/]

  const std::vector<std::string> passes = {"fold_constants",   "simplify", "reassociate", "share_common_subexpressions",
                                           "store_transposed", "tiles"};
  const Feeds feeds = {{X, x_data}, {y, y_data}};
  // [count]
  const auto count = [&](const Expr& fetch, const std::vector<std::string>& without) {
    std::map<std::string, int> steps;
    for (const PlanStep& step : Session(g, Device::cpu(), {.without = without}).steps(fetch, feeds).list)
      if (step.is_computed()) ++steps[step.op];
    return steps;
  };
  // [/]
  const auto total = [&](const Expr& fetch, const std::vector<std::string>& without) {
    int sum = 0;
    for (const auto& [op, times] : count(fetch, without)) sum += times;
    return sum;
  };

  // [totals]
  fmt::print("steps of interactions: {} as written, {} as planned\n", total(interactions, passes),
             total(interactions, {}));
  fmt::print("steps of training: {} as written, {} as planned\n", total(train, passes), total(train, {}));
  // [/]

  // [ops]
  const auto written = count(interactions, passes), planned = count(interactions, {});
  fmt::print("\ninteractions, op by op: written, planned\n");
  std::map<std::string, int> all = written;
  all.insert(planned.begin(), planned.end());
  const auto times = [](const std::map<std::string, int>& of, const std::string& op) {
    return of.contains(op) ? of.at(op) : 0;
  };
  for (const auto& [op, ignored] : all) fmt::print("  {:<16}{:>3}{:>9}\n", op, times(written, op), times(planned, op));
  // [/]

  // [passes]
  fmt::print("\n");
  for (const std::string& pass : passes) fmt::print("without {:<28}{}\n", pass, total(train, {pass}));
  // [/]
}
