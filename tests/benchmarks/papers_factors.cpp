// Biased matrix factorization in MovieLens-1M's sizes; and look-ups by gather beside the same by one-hot csr products.
#include "loops_papers.h"
#include "papers_formulas.h"

#include <functional>
#include <utility>

namespace bench {

using namespace gradus;

namespace {

using Machine = loops::MatrixFactorization;

void matrix_factorization(benchmark::State& state, Machine::Move move, float rate, Optimizer&& optimizer) {
  const RatingBatches data;
  MatrixFactorization formula(Lookup::gather, std::move(optimizer));
  FormulaSteps gradus(formula, data.data(Lookup::gather));
  const Values start = gradus.values();
  constexpr auto penalty = static_cast<float>(MatrixFactorization::lambda);
  constexpr auto mean = static_cast<float>(MatrixFactorization::mean);
  Machine machine(start[0], start[1], {move, rate, penalty, mean});
  const auto step = [&](std::size_t b, bool want_loss) {
    return machine.step({data.user(b), data.item(b), data.rating(b), RatingBatches::size}, want_loss);
  };
  compare_formula(state, 1.6, gradus, {step, [&] { return machine.values(); }});
}

void descent(benchmark::State& state) { matrix_factorization(state, Machine::Move::descent, 4, GradientDescent(4)); }
void adam(benchmark::State& state) { matrix_factorization(state, Machine::Move::adam, 0.01F, Adam(0.01)); }

// The other side is Gradus too.
void gather_beside_one_hot(benchmark::State& state, FormulaSteps& gather, FormulaSteps& one_hot) {
  state.SetLabel("loop: the same by one-hot csr products");
  compare_formula(state, 1.25, gather,
                  {[&](std::size_t /*batch*/, bool want_loss) {
                     if (want_loss) return one_hot.step_loss();
                     one_hot.step();
                     return 0.0;
                   },
                   [&] { return one_hot.values(); }});
}

void look_up_ratings(benchmark::State& state, const std::function<MatrixFactorization(Lookup)>& formula) {
  const RatingBatches data;
  MatrixFactorization by_gather = formula(Lookup::gather), by_one_hot = formula(Lookup::one_hot);
  FormulaSteps gather(by_gather, data.data(Lookup::gather));
  FormulaSteps one_hot(by_one_hot, data.data(Lookup::one_hot));
  gather_beside_one_hot(state, gather, one_hot);
}

void look_up_descent(benchmark::State& state) {
  look_up_ratings(state, [](Lookup lookup) { return MatrixFactorization(lookup, GradientDescent(4)); });
}
void look_up_adam(benchmark::State& state) {
  look_up_ratings(state, [](Lookup lookup) { return MatrixFactorization(lookup, Adam(0.01)); });
}

void look_up_features(benchmark::State& state) {
  using FM = PlainFactorizationMachine;
  const FieldBatches data(FM::fields, FM::features, true);
  FM by_gather(Lookup::gather), by_one_hot(Lookup::one_hot);
  FormulaSteps gather(by_gather, data.by_index());
  FormulaSteps one_hot(by_one_hot, data.by_row());
  gather_beside_one_hot(state, gather, one_hot);
}

void look_up_fields(benchmark::State& state) {
  const FieldBatches data(FieldWeighted::fields, FieldWeighted::features, true);
  FieldWeighted by_gather(Lookup::gather), by_one_hot(Lookup::one_hot);
  FormulaSteps gather(by_gather, data.by_index());
  FormulaSteps one_hot(by_one_hot, data.by_field());
  gather_beside_one_hot(state, gather, one_hot);
}

}  // namespace

void add_paper_factor_rows() {
  add_row("paper mf sgd", descent);
  add_row("paper mf adam", adam);
}

void add_one_hot_rows() {
  add_row("gather mf sgd", look_up_descent);
  add_row("gather mf adam", look_up_adam);
  add_row("gather fm", look_up_features);
  add_row("gather fwfm", look_up_fields);
}

}  // namespace bench
