// Training steps on the rows that a batch touches: what their plans look like, and that they compute what the graph
// says, to rounding, with every optimizer.
#include "plan_steps.h"
#include "thorough.h"

#include <gradus/core/at.h>
#include <gradus/core/cpu.h>
#include <gradus/gradus.h>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace gradus {
namespace {

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

int count(const std::string& text, const std::string& part) {
  int found = 0;
  for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++found;
  return found;
}

// Users and items, one of each in a row.
Tensor ratings(bool ones) {
  std::vector<std::int64_t> start{0}, column;
  std::vector<double> values;
  for (std::int64_t r = 0; r < 200; ++r) {
    column.push_back(r * 7 % 90);
    column.push_back(90 + r * 11 % 131);
    values.push_back(ones ? 1 : 0.5 + 0.01 * static_cast<double>(r % 40));
    values.push_back(ones ? 1 : -1.5);
    start.push_back(2 * (r + 1));
  }
  return Tensor::csr(200, 300, start, column, values).cast(float32);
}

struct Step {
  Graph g;
  Expr X = g.sparse_placeholder("X", {any, 300});
  Expr y = g.placeholder("y", {any, 1});
  FactorizationMachine fm{
      X, y, {.factors = 6, .init_stddev = 0.1, .seed = 1, .l2_W = 0.01, .l2_V = 0.1, .l2_over = L2Over::touched}};
  Expr train;
  Feeds feeds;

  Step(Optimizer& optimizer, bool ones)
      : train(optimizer.minimize(fm.loss)), feeds{{X, ratings(ones)}, {y, random_normal({200, 1}, {.seed = 3})}} {}
};

// To the bit, NaN or not.
void check_same_variables(Graph& g, Session& a, Session& b) {
  for (const Expr& variable : g.variables()) {
    CAPTURE(variable.name());
    const Tensor x = a.value(variable), y = b.value(variable);
    CHECK(std::equal(x.data(), x.data() + static_cast<std::size_t>(x.stored()) * size_of(x.dtype()), y.data()));
  }
}

// A session that plans as usual, and others without some of the passes: all give the same bits, but for the last, which
// keeps the graph's own sums and rounds otherwise.
struct Ways {
  explicit Ways(Graph& graph) : g(graph) {}

  void run(const Expr& train, const Feeds& feeds, int times) {
    for (int i = 0; i < times; ++i)
      for (Session* session : {&planned, &apart, &whole, &plain}) session->run(train, feeds);
  }
  void check_variables() {
    check_same_variables(g, planned, apart);
    check_same_variables(g, planned, whole);
    for (const Expr& variable : g.variables()) {
      CAPTURE(variable.name());
      CHECK(allclose(planned.value(variable), plain.value(variable), 1e-4, 1e-6));
    }
  }

  Graph& g;
  Session planned{g};
  Session apart{g, Device::cpu(), {.without = {"compile"}}};
  Session whole{g, Device::cpu(), {.threads = 2, .without = {"tiles"}}};
  Session plain{g, Device::cpu(), {.without = {"simplify", "reassociate", "tiles"}}};
};

template <class T>
std::unique_ptr<Optimizer> made() {
  return std::make_unique<T>(0.05);
}
constexpr std::unique_ptr<Optimizer> (*optimizers[])() = {made<GradientDescent>, made<Momentum>, made<Adagrad>,
                                                          made<Adadelta>,        made<RMSProp>,  made<Adam>,
                                                          made<AdamW>,           made<Ftrl>};

TEST_CASE("with a penalty on what rows touch, an optimizer's step is what its graph says") {
  for (const auto make : optimizers)
    for (const bool ones : {true, false}) {
      const std::unique_ptr<Optimizer> optimizer = make();
      CAPTURE(optimizer->name());
      Step step(*optimizer, ones);
      Ways ways(step.g);
      ways.run(step.train, step.feeds, 4);
      ways.check_variables();
    }
}

TEST_CASE("a penalty on what rows touch costs a product more, and no pass over their factors") {
  for (const bool ones : {true, false}) {
    Adagrad optimizer(0.1);
    Step step(optimizer, ones);
    const std::string plan = Session(step.g).explain(step.train, step.feeds);
    // Ones at the non-zeros are X itself, where X is one-hot.
    CHECK(has(plan, " = sample(") == !ones);
    CHECK(count(plan, "transpose_a") == (ones ? 2 : 3));
    // The gradient, with the penalty's, is never there as a whole.
    CHECK(count(plan, "rows [300, 6]  loop  in tiles") > 0);
    CHECK(count(plan, "rows [300, 6]  loop") == count(plan, "rows [300, 6]  loop  in tiles"));
    CHECK(count(plan, "rows that %0 X touches in tiles") == 2);
  }
}

TEST_CASE("rows divided by their table are rows, and the table stays a table") {
  Graph g;
  const Expr X = g.sparse_placeholder("X", {any, 300});
  const Expr V = g.variable("V", random_normal({300, 4}, {.seed = 1}));
  const Expr gradient = gradients(reduce_sum(square(matmul(X, V))), {V})[0];
  const Feeds feeds{{X, ratings(false)}};
  Session planned(g), plain(g, Device::cpu(), {.without = {"simplify", "reassociate", "tiles"}});
  for (const Expr& y : {gradient / V, gradient * V})
    CHECK(allclose(planned.run(y, feeds).to_dense(), plain.run(y, feeds).to_dense(), 1e-4, 1e-5));
}

TEST_CASE("what a rate is worked out from is there before the loops over large variables") {
  Adam optimizer(0.01);
  Step step(optimizer, true);
  const std::string plan = Session(step.g).explain(step.train, step.feeds);
  CHECK(count(plan, "rows that %0 X touches in tiles") == 2);
  CHECK(plan.find("= pow(") < plan.rfind("rows that %0 X touches in tiles"));
}

// A batch of `rows` rows with two non-zeros each, over 300 columns of which some are touched.
Tensor some_rows(std::int64_t rows, DType dtype) {
  std::vector<std::int64_t> start{0}, column;
  for (std::int64_t r = 0; r < rows; ++r) {
    column.push_back(r * 7 % 150);
    column.push_back(150 + r * 11 % 149);
    start.push_back(2 * (r + 1));
  }
  return Tensor::csr(rows, 300, start, column, std::vector<double>(column.size(), 0.5)).cast(dtype);
}

// How the kernel runs that writes the variable.
std::string state_of_kernel(const PlanSteps& plan, std::string_view variable) {
  const PlanStep* const writer = writer_of(plan, variable);
  return writer == nullptr || writer->kernel < 0 ? "none" : plan.kernels[at(writer->kernel)].state;
}

// Of an update that the shipped models make, in float32: on x86 such kernels need AVX2.
std::string known_state() {
#if defined(__x86_64__)
  if (isa() == Isa::portable) return "step by step";
#endif
  return "compiled with Gradus";
}

TEST_CASE("an update as it was compiled with Gradus is the same to the bit for rows of every width") {
  int which = 0;
  for (const auto make : optimizers)
    for (const DType dtype : {float32, float64})
      for (const std::int64_t factors : {1, 5, 16, 20, 67})  // less than a vector, one, more, with a rest
        for (const double l2 : {0.0, 0.01}) {
          if (!thorough() && which++ % 7 != 0) continue;
          Graph g;
          const Expr X = g.sparse_placeholder("X", {any, 300}, dtype), y = g.placeholder("y", {any, 1}, dtype);
          const FactorizationMachine fm(
              X, y,
              {.factors = factors, .init_stddev = 0.1, .seed = 1, .l2_W = l2, .l2_V = l2, .l2_over = L2Over::touched});
          const std::unique_ptr<Optimizer> optimizer = make();
          CAPTURE(optimizer->name());
          CAPTURE(factors);
          const Expr train = optimizer->minimize(fm.loss);
          Session known(g, Device::cpu(), {.threads = 2}), by_steps(g, Device::cpu(), {.without = {"compile"}}),
              whole(g, Device::cpu(), {.without = {"tiles"}});
          for (const std::int64_t rows : {90, 1, 0, 47}) {
            const Feeds feeds{{X, some_rows(rows, dtype)}, {y, random_normal({rows, 1}, {.seed = 3, .dtype = dtype})}};
            const PlanSteps steps = known.steps(train, feeds);
            CHECK(has(to_string(steps), "rows that %0 X touches in tiles"));
            CHECK(state_of_kernel(steps, "V") == (dtype == float32 && factors > 1 ? known_state() : "step by step"));
            CHECK(state_of_kernel(by_steps.steps(train, feeds), "V") == "none");
            CHECK(state_of_kernel(whole.steps(train, feeds), "V") == "none");
            if (optimizer->name() != "GradientDescent")
              for (const Expr& variable : g.variables())
                if (variable.shape()[0] == 300) CHECK(written(steps, variable.name()) == StepPlace::rows);
            for (int i = 0; i < 3; ++i)
              for (Session* session : {&known, &by_steps, &whole}) session->run(train, feeds);
          }
          check_same_variables(g, known, by_steps);
          check_same_variables(g, known, whole);
        }
}

TEST_CASE(
    "the gradient of a machine of a higher order: no error spread over factors, the last sum in the update's kernel") {
  for (const int order : {3, 4, 5})
    for (const double l2 : {0.0, 0.01}) {
      CAPTURE(order);
      CAPTURE(l2);
      Graph g;
      const Expr X = g.sparse_placeholder("X", {any, 300}), y = g.placeholder("y", {any, 1});
      const HigherOrderFactorizationMachine model(X, y,
                                                  {.order = order,
                                                   .factors = 20,
                                                   .init_stddev = 0.1,
                                                   .seed = 1,
                                                   .l2_W = l2,
                                                   .l2_V = l2,
                                                   .l2_over = L2Over::touched});
      const Expr train = Adagrad(0.1).minimize(model.loss);
      Ways ways(g);
      for (const std::int64_t rows : {90, 1, 47}) {
        const Feeds feeds{{X, some_rows(rows, float32)}, {y, random_normal({rows, 1}, {.seed = 3})}};
        const std::string plan = ways.planned.explain(train, feeds);
        CHECK(count(plan, " = scaled_rows_product(") == order - 1);  // of P_1 to P_{m-1}; P_m is summed before
        CAPTURE(rows);
        if (order == 3 && rows > 1) CHECK(state_of_kernel(ways.planned.steps(train, feeds), "V") == known_state());
        ways.run(train, feeds, 3);
      }
      ways.check_variables();
    }
}

TEST_CASE("rows of a matrix that was split are those of the matrix, where every column has a group") {
  for (const bool all : {true, false}) {
    CAPTURE(all);
    std::vector<Index> field_of(300);
    for (std::size_t i = 0; i < field_of.size(); ++i) field_of[i] = static_cast<Index>(i % 4);
    if (!all) field_of[14] = field_of[200] = -1;
    Graph g;
    const Expr X = g.sparse_placeholder("X", {any, 300}), y = g.placeholder("y", {any, 1});
    const FieldAwareFactorizationMachine model(X, y,
                                               {.field_of = field_of, .factors = 4, .init_stddev = 0.1, .seed = 1});
    const Expr train = Adagrad(0.1).minimize(model.loss);
    Ways ways(g);
    for (const std::int64_t rows : {90, 1, 47}) {
      const Feeds feeds{{X, some_rows(rows, float32)}, {y, random_normal({rows, 1}, {.seed = 3})}};
      const PlanSteps plan = ways.planned.steps(train, feeds);
      const PlanStep* const state = writer_of(plan, "V/Adagrad/accumulator");
      REQUIRE(state != nullptr);
      CHECK((state->place == StepPlace::rows && state->kernel >= 0) == all);
      ways.run(train, feeds, 3);
    }
    ways.check_variables();
  }
}

TEST_CASE("a state that somebody else reads is read where it belongs") {
  for (const bool adam : {false, true}) {
    const std::unique_ptr<Optimizer> optimizer = adam ? made<Adam>() : made<Adagrad>();
    Graph g;
    const Expr X = g.sparse_placeholder("X", {any, 300}), y = g.placeholder("y", {any, 1});
    const FactorizationMachine fm(X, y, {.factors = 8, .init_stddev = 0.1, .seed = 1});
    const Expr train = optimizer->minimize(fm.loss);
    const Expr state = optimizer->slot(fm.V, adam ? "m" : "accumulator");
    const Feeds feeds{{X, some_rows(90, float32)}, {y, random_normal({90, 1}, {.seed = 3})}};
    Session session(g), plain(g, Device::cpu(), {.without = {"compile"}});
    CHECK(state_of_kernel(session.steps(std::vector<Expr>{train, fm.loss}, feeds), "V") == known_state());
    const std::vector<Expr> fetches{train, state, reduce_sum(state), fm.V};
    for (int i = 0; i < 3; ++i) {
      const std::vector<Tensor> found = session.run(fetches, feeds), expected = plain.run(fetches, feeds);
      for (std::size_t f = 1; f < found.size(); ++f) CHECK(found[f] == expected[f]);
    }
    check_same_variables(g, session, plain);
  }
}

}  // namespace
}  // namespace gradus
