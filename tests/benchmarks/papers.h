// What the rows of formulas from papers share. Each formula is written from Gradus' ops as its paper has it, with the
// paper above it, and stands beside a hand-written loop that starts from the same parameters and sees the same batches.
// Both sides must go the same way first: losses within 1e-3 for five steps, and after five more, of which no loss is
// asked for, each parameter's difference within 1e-3 of how far it has moved (in Euclidean norms). Else nothing is
// timed.
#pragma once

#include "data.h"
#include "loops_papers.h"
#include "measure.h"

#include <gradus/gradus.h>

#include <cstdint>
#include <functional>
#include <vector>

namespace bench {

/// A graph with its training step.
struct Formula {
  gradus::Graph g;
  std::vector<gradus::Expr> inputs;      // placeholders, in the order of the data
  std::vector<gradus::Expr> parameters;  // in the order in which the loop gives its own
  gradus::Expr loss, train;
};

using loops::Values;

/// Steps of a formula on one thread.
class FormulaSteps {
 public:
  /// The data hold for each input the rows of all batches, one after the other; if it is one batch, a step reads the
  /// same tensors again and what was found out about them is known. Else it reads views of their rows that are new in
  /// each step: what a step needs to know of a batch's columns or indices is found out in the step.
  FormulaSteps(Formula& formula, std::vector<gradus::Tensor> data);

  const Formula& formula() const { return formula_; }
  std::size_t batches() const { return batches_; }
  /// Makes a step. Returns the loss before it.
  double step_loss();
  void step();
  Steps steps();
  /// The parameters, now.
  Values values();

 private:
  gradus::Tensor next(std::size_t input) const;

  Formula& formula_;
  gradus::Session session_;
  gradus::PreparedRun run_;
  std::vector<gradus::Tensor> data_;
  std::size_t batches_;
  std::size_t step_ = 0;
};

/// The other side.
struct OtherSteps {
  std::function<double(std::size_t batch, bool want_loss)> step;
  std::function<Values()> values;
};

/// Checks that both sides go the same way, then compares them.
void compare_formula(benchmark::State& state, double target, FormulaSteps& gradus, const OtherSteps& other);

/// Classes 0 to count - 1 as one-hot rows.   [n] -> [n, count]
gradus::Tensor labels_of(const std::vector<float>& classes, std::int64_t count);

/// Adds a row.
template <class Function, class... Arguments>
void add_row(const char* name, Function function, Arguments... arguments) {
  benchmark::RegisterBenchmark(name, function, arguments...)->Iterations(1)->UseManualTime();
}

}  // namespace bench
