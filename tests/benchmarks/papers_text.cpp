// Softmax regression on text.
#include "loops_papers.h"
#include "papers.h"

#include <set>

namespace bench {

using namespace gradus;

namespace {

// Rows of `words` different features each, by Zipf's law, with values in (0, 1) as of normalised counts.
DataSet text(std::int64_t rows, std::int64_t features, std::size_t words) {
  const ZipfLaw law(features);
  std::mt19937_64 random(1);
  std::uniform_real_distribution<float> value(0.02F, 0.2F);
  DataSet out;
  out.features = features;
  for (std::int64_t r = 0; r < rows; ++r) {
    std::set<std::int32_t> of_row;
    while (of_row.size() < words) of_row.insert(static_cast<std::int32_t>(scattered(law(random), features)));
    out.x.column.insert(out.x.column.end(), of_row.begin(), of_row.end());
    for (std::size_t i = 0; i < words; ++i) out.x.value.push_back(value(random));
    out.x.row_start.push_back(std::ssize(out.x.column));
    out.y.push_back(static_cast<float>(random() % loops::SoftmaxRegression::classes));
  }
  return out;
}

// Boehning: Multinomial Logistic Regression Algorithm (1992), section 1; Bishop: Pattern Recognition and Machine
// Learning (2006), equations 4.104 and 4.108: softmax(x W + b), cross entropy, gradient descent on all rows.
struct SoftmaxRegression : Formula {
  SoftmaxRegression(std::int64_t n, std::int64_t features, std::int64_t classes, double rate) {
    const Expr X = g.sparse_placeholder("X", {n, features});
    const Expr Y = g.placeholder("Y", {n, classes});
    const Expr W = g.variable("W", zeros({features, classes}));
    const Expr b = g.variable("b", zeros({classes}));
    loss = reduce_mean(softmax_cross_entropy_with_logits(Y, matmul(X, W) + b));  // []
    train = GradientDescent(rate).minimize(loss);
    inputs = {X, Y};
    parameters = {W, b};
  }
};

void softmax_regression(benchmark::State& state) {
  constexpr std::int64_t n = 20000, features = 50000, classes = loops::SoftmaxRegression::classes;
  constexpr double rate = 5;
  const DataSet data = text(n, features, 100);
  SoftmaxRegression formula(n, features, classes, rate);
  FormulaSteps gradus(formula, {x_rows(data, 0, n), labels_of(data.y, classes)});
  loops::SoftmaxRegression machine(data.x, features, {data.y.begin(), data.y.end()}, static_cast<float>(rate));
  const auto step = [&](std::size_t /*batch*/, bool want_loss) { return machine.step(want_loss); };
  compare_formula(state, 2, gradus, {step, [&] { return machine.values(); }});
}

}  // namespace

void add_paper_text_rows() { add_row("paper softmax csr", softmax_regression); }

}  // namespace bench
