// Lesson 12: sparse is a layout. What does a step cost when the table has a million rows?
#include <gradus/gradus.h>
using namespace gradus;

// [step]
// 256 rows with 3 non-zeros each, over p features: the bytes of intermediate results of a step, and of the variables.
void step(std::int64_t p) {
  Graph g;
  Expr X = g.sparse_placeholder("X", {256, p});
  Expr y = g.placeholder("y", {256, 1});
  const FactorizationMachine fm(X, y, {.factors = 8});
  Expr train = Adagrad(0.1).minimize(fm.loss);
  std::vector<std::int64_t> row_start{0}, column;
  for (std::int64_t i = 0; i < 256; ++i) {
    for (std::int64_t j = 0; j < 3; ++j) column.push_back((i * 3 + j) * (p / 768));
    row_start.push_back(static_cast<std::int64_t>(column.size()));
  }
  const Tensor x = Tensor::csr(256, p, row_start, column, std::vector<float>(column.size(), 1));
  Session session(g);
  const PlanSteps plan = session.steps(train, {{X, x}, {y, zeros({256, 1})}});
  std::int64_t variables = 0, computed = 0;
  for (const PlanStep& one : plan.list) {
    if (one.form == StepForm::variable) variables += 4 * one.type.shape.size();
    if (one.is_computed()) computed += one.bytes_each > 0 ? one.bytes_each * 768 : one.bytes;
  }
  fmt::print("{:>9} {:>12} {:>10}\n", p, variables, computed);
}
// [/]

int main() {
  const auto [x_data, y_data] = rendle2010();
  // [word]
  for (const bool sparse : {false, true}) {
    Graph g;
    Expr X = sparse ? g.sparse_placeholder("X", {any, 16}) : g.placeholder("X", {any, 16});
    Expr y = g.placeholder("y", {any, 1});
    const FactorizationMachine fm(X, y, {.factors = 5, .seed = 1});
    Expr train = Adagrad(0.1).minimize(fm.loss);
    Session session(g);
    const Tensor x = sparse ? x_data.to_csr() : x_data;
    for (int epoch = 0; epoch < 10; ++epoch) session.run(train, {{X, x}, {y, y_data}});
    fmt::print("X {}: error {:.4f}; the gradient of V is {}\n", to_string(X.layout()),
               session.run(fm.error, {{X, x}, {y, y_data}}).item(), gradients(fm.error, {fm.V})[0].type());
  }
  // [/]

  fmt::print("\n        p    variables       step (bytes)\n");
  for (const std::int64_t p : {1000, 10000, 100000, 1000000}) step(p);

  // [refuse]
  Graph g;
  Expr X = g.sparse_placeholder("X", {any, 16});
  try {
    exp(X);
  } catch (const Error& error) {
    fmt::print("\n{}\n", error.what());
  }
  // [/]
}
