// Ten steps of each optimizer against tests/golden/optimizers.json: TensorFlow's TF1 optimizers, and NumPy for AdamW
// and the lazy sparse Adam. The dense problem has a vector and a matrix; the sparse one touches some rows of a table in
// each step, row 4 never.
#include "golden_file.h"

#include <gradus/core/run/session.h>
#include <gradus/ops/ops.h>
#include <gradus/optim/optim.h>

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <functional>
#include <map>
#include <memory>
#include <string>

using namespace gradus;
using nlohmann::json;

namespace {

using Make = std::function<std::unique_ptr<Optimizer>(const json& options)>;

double number(const json& options, const char* name) { return options.at(name).get<double>(); }

// The optimizers by the names that the golden file gives them, and its options in theirs.
const std::map<std::string, Make> optimizers = {
    {"GradientDescent", [](const json& o) { return std::make_unique<GradientDescent>(number(o, "learning_rate")); }},
    {"Adagrad",
     [](const json& o) {
       return std::make_unique<Adagrad>(number(o, "learning_rate"),
                                        AdagradOptions{.initial_accumulator = number(o, "initial_accumulator_value")});
     }},
    {"Momentum",
     [](const json& o) {
       return std::make_unique<Momentum>(
           number(o, "learning_rate"),
           MomentumOptions{.momentum = number(o, "momentum"), .use_nesterov = o.value("use_nesterov", false)});
     }},
    {"Adadelta",
     [](const json& o) {
       return std::make_unique<Adadelta>(number(o, "learning_rate"),
                                         AdadeltaOptions{.rho = number(o, "rho"), .epsilon = number(o, "epsilon")});
     }},
    {"RMSProp",
     [](const json& o) {
       return std::make_unique<RMSProp>(number(o, "learning_rate"),
                                        RMSPropOptions{.decay = number(o, "decay"),
                                                       .momentum = number(o, "momentum"),
                                                       .epsilon = number(o, "epsilon"),
                                                       .centered = o.value("centered", false)});
     }},
    {"Adam",
     [](const json& o) {
       return std::make_unique<Adam>(
           number(o, "learning_rate"),
           AdamOptions{.beta1 = number(o, "beta1"), .beta2 = number(o, "beta2"), .epsilon = number(o, "epsilon")});
     }},
    {"AdamW",
     [](const json& o) {
       return std::make_unique<AdamW>(number(o, "learning_rate"),
                                      AdamWOptions{.weight_decay = number(o, "weight_decay"),
                                                   .beta1 = number(o, "beta1"),
                                                   .beta2 = number(o, "beta2"),
                                                   .epsilon = number(o, "epsilon")});
     }},
    {"Ftrl",
     [](const json& o) {
       return std::make_unique<Ftrl>(number(o, "learning_rate"),
                                     FtrlOptions{.initial_accumulator = number(o, "initial_accumulator_value"),
                                                 .l1 = number(o, "l1_regularization_strength"),
                                                 .l2 = number(o, "l2_regularization_strength")});
     }},
};

const json& golden_runs() {
  static const json file = read_golden("optimizers.json");
  return file;
}

Tensor problem(std::size_t number, const char* name, DType dtype) {
  const Tensor tensor = golden_tensor(golden_runs().at(number).at(name));
  return is_floating(tensor.dtype()) ? tensor.cast(dtype) : tensor;
}

struct Tolerance {
  DType dtype;
  double rtol, atol;
};

void check_dense(const json& run, const Make& make, const Tolerance& t) {
  Graph g;
  const auto fixed = [&](const char* name) { return g.constant(problem(0, name, t.dtype), name); };
  const Tensor start = problem(0, "w", t.dtype), start2 = problem(0, "w2", t.dtype);
  const Expr w = g.variable("w", start), w2 = g.variable("w2", start2);
  const Expr error = reduce_sum(fixed("A") * w, 1) - fixed("b");  // [5]
  const Expr error2 = matmul(w2, fixed("c")) - fixed("d");        // [3, 2]
  const Expr loss = reduce_sum(square(error)) + reduce_sum(square(error2));
  const Expr train = make(run.at("options"))->minimize(loss);

  const json& expected = run.at("cases").at(0);
  Session session(g);
  for (std::size_t step = 0; step < expected.at("w").size(); ++step) {
    session.run(train);
    for (const Expr& variable : {w, w2}) {
      const Tensor right = golden_numbers(expected.at(variable.name()).at(step), variable.shape());
      const std::string wrong = disagreement(session.value(variable), right, t.rtol, t.atol);
      CHECK_MESSAGE(wrong.empty(), variable.name() << " after step " << step + 1 << ": " << wrong);
    }
  }
}

void check_sparse(const json& run, const Make& make, const Tolerance& t) {
  Graph g;
  const Tensor start = problem(1, "table", t.dtype), rows = problem(1, "rows", t.dtype);
  const Expr table = g.variable("table", start);
  const Expr batch = g.placeholder("batch", {any}, int32);
  const Expr loss = reduce_sum(square(gather(table, batch) - g.constant(problem(1, "target", t.dtype))));
  const Expr train = make(run.at("options"))->minimize(loss);

  const json& expected = run.at("cases").at(1).at("table");
  Session session(g);
  const auto size = static_cast<std::size_t>(rows.dim(1));
  for (std::size_t step = 0; step < expected.size(); ++step) {
    session.run(train,
                {{batch, Tensor::from(rows.span<std::int32_t>().subspan(step * size, size), Shape{rows.dim(1)})}});
    const Tensor value = session.value(table);
    const std::string wrong = disagreement(value, golden_numbers(expected.at(step), table.shape()), t.rtol, t.atol);
    CHECK_MESSAGE(wrong.empty(), "table after step " << step + 1 << ": " << wrong);
    // Not by rounding either: an untouched row is not written.
    for (std::int64_t column = 0; column < table.shape()[1]; ++column) {
      CHECK(value.at(4, column) == start.at(4, column));
    }
  }
}

void check_all(const Tolerance& t) {
  for (std::size_t i = 2; i < golden_runs().size(); ++i) {
    const json& run = golden_runs().at(i);
    const std::string name = run.at("name").get<std::string>(), kind = run.at("optimizer").get<std::string>();
    INFO(name);
    const auto make = optimizers.find(kind);
    CHECK_MESSAGE(make != optimizers.end(), "this test makes no " << kind);
    if (make == optimizers.end()) continue;
    try {
      check_dense(run, make->second, t);
      check_sparse(run, make->second, t);
    } catch (const std::exception& thrown) {
      FAIL_CHECK("threw " << std::string(thrown.what()));
    }
  }
}

}  // namespace

TEST_CASE("optimizers: ten steps in float64") { check_all({float64, 1e-11, 1e-13}); }

TEST_CASE("optimizers: ten steps in float32") { check_all({float32, 1e-4, 1e-5}); }

TEST_CASE("optimizers: every one that the test makes has golden steps") {
  for (const auto& optimizer : optimizers) {
    const std::string& kind = optimizer.first;
    bool found = false;
    for (std::size_t i = 2; i < golden_runs().size(); ++i) found |= golden_runs().at(i).at("optimizer") == kind;
    CHECK_MESSAGE(found, kind);
  }
}
