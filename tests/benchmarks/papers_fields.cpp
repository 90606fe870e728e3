// Machines over one feature a field: field-weighted (Criteo's size) and attentional (Frappe's size).
#include "loops_papers.h"
#include "papers_formulas.h"

namespace bench {

using namespace gradus;

namespace {

void field_weighted(benchmark::State& state) {
  const FieldBatches data(FieldWeighted::fields, FieldWeighted::features, true);
  FieldWeighted formula(Lookup::gather);
  FormulaSteps gradus(formula, data.by_index());
  const Values start = gradus.values();
  loops::FieldWeighted machine(start[2], start[3], 0.1F);
  const auto step = [&](std::size_t b, bool want_loss) {
    return machine.step({data.feature(b), data.y(b), FieldBatches::size}, want_loss);
  };
  compare_formula(state, 2, gradus, {step, [&] { return machine.values(); }});
}

// Xiao, Ye, He, Zhang, Wu, Chua: Attentional Factorization Machines: Learning the Weight of Feature Interactions via
// Attention Networks (2017), with the squared loss, without dropout and penalty: y_hat = w0 + sum_i w_i + p (sum_(i <
// j) a_ij v_i v_j), where v_i v_j is the product element by element and a = softmax over the pairs of h relu(A v_i v_j
// + b). The fields come first, since pairs are gathered along that axis.   k = 16, attention 16, Adagrad
struct Attentional : Formula {
  static constexpr std::int64_t fields = 10, features = 5380, k = 16, attention = 16;
  Attentional() {
    constexpr std::int64_t n = FieldBatches::size;
    std::vector<std::int32_t> left, right;  // of each pair
    for (std::int32_t i = 0; i < fields; ++i)
      for (std::int32_t j = i + 1; j < fields; ++j) {
        left.push_back(i);
        right.push_back(j);
      }
    const Expr w0 = g.variable("w0", zeros({1}));
    const Expr W = g.variable("W", zeros({features}));
    const Expr V = g.variable("V", random_normal({features, k}, {.stddev = 0.3, .seed = 1}));
    const Expr A = g.variable("A", random_normal({k, attention}, {.stddev = 0.3, .seed = 1}));
    const Expr b = g.variable("b", zeros({attention}));
    const Expr h = g.variable("h", random_normal({attention}, {.stddev = 0.3, .seed = 1}));
    const Expr p = g.variable("p", random_normal({k, 1}, {.stddev = 0.3, .seed = 1}));
    const Expr X = g.placeholder("X", {n, fields}, int32);
    const Expr y = g.placeholder("y", {n, 1});

    const Expr v = gather(V, X);                                                              // [n, fields, k]
    const Expr pairs = gather(v, Tensor::from(left), 1) * gather(v, Tensor::from(right), 1);  // [n, pairs, k]
    const Expr scores = reduce_sum(h * relu(matmul(pairs, A) + b), 2);                        // [n, pairs]
    const Expr a = softmax(scores, 1);                                                        // [n, pairs]
    const Expr pooled = reduce_sum(expand_dims(a, 2) * pairs, 1);                             // [n, k]
    const Expr linear = reduce_sum(gather(W, X), 1, keep_dims);                               // [n, 1]
    const Expr y_hat = w0 + linear + matmul(pooled, p);                                       // [n, 1]
    loss = reduce_mean(square(y - y_hat));                                                    // []
    train = Adagrad(0.1).minimize(loss);
    inputs = {X, y};
    parameters = {w0, W, V, A, b, h, p};
  }
};

void attentional(benchmark::State& state) {
  const FieldBatches data(Attentional::fields, Attentional::features, false);
  Attentional formula;
  FormulaSteps gradus(formula, data.by_index());
  const Values start = gradus.values();
  loops::Attentional machine({start[2], start[3], start[5], start[6]}, 0.1F);
  const auto step = [&](std::size_t b, bool /*want_loss*/) {
    return machine.step({data.feature(b), data.y(b), FieldBatches::size});
  };
  compare_formula(state, 2, gradus, {step, [&] { return machine.values(); }});
}

}  // namespace

void add_paper_field_rows() {
  add_row("paper fwfm", field_weighted);
  add_row("paper afm", attentional);
}

}  // namespace bench
