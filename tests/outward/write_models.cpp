// Writes models for check_onnx.py to load: every row of the op table that exports, with the oracle's numbers, and
// trained predictors with a session's. The numbers of all are in numbers.npz, as "NAME/INPUT" and "NAME/OUTPUT".
#include "../golden_file.h"
#include "../op_cases.h"
#include "write.h"

#include <gradus/core/error.h>
#include <gradus/core/io/npy.h>
#include <gradus/core/run/session.h>
#include <gradus/core/tensor/create.h>
#include <gradus/models/deep.h>
#include <gradus/models/factorization_machine.h>
#include <gradus/models/field_aware.h>
#include <gradus/models/formats/onnx.h>
#include <gradus/models/higher_order.h>
#include <gradus/models/linear.h>
#include <gradus/models/polynomial.h>
#include <gradus/ops/ops.h>
#include <gradus/optim/optim.h>

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <string>
#include <vector>

namespace gradus {

namespace {

using Numbers = std::map<std::string, Tensor>;

// Not write_onnx: it would have the disk wait for thousands of small files.
void write(const std::string& path, const std::string& model) { std::ofstream(path, std::ios::binary) << model; }

// The case's model, with known or unknown dimensions, and what it is given and must give. float32 is what models are.
void write_case(const std::string& folder, const std::string& file, const OpCase& op, const GoldenCase& golden,
                bool known, Numbers& all) {
  Graph g;
  std::vector<OnnxValue> inputs;
  Numbers numbers;
  Inputs x;
  for (const Tensor& given : golden.inputs) {
    const Tensor value = given.dtype() == float64 ? given.cast(float32) : given;
    const std::string name = fmt::format("in{}", inputs.size());
    const std::vector<std::int64_t> unknown(static_cast<std::size_t>(value.rank()), any);
    x.push_back(g.placeholder(name, known ? value.shape() : Shape(unknown), value.dtype()));
    inputs.push_back({name, x.back()});
    numbers[file + "/" + name] = value;
  }
  Session session(g);
  const OnnxValue output{"out", op.build(x)};
  write(folder + "/" + file + ".onnx", to_onnx(session, inputs, {{output}}));
  const bool number = golden.output.dtype() == float64 && output.value.dtype() == float32;
  numbers[file + "/out"] = number ? golden.output.cast(float32) : golden.output;
  all.merge(numbers);
}

void write_cases(const std::string& folder, Numbers& numbers) {
  std::map<std::string, const GoldenRow*> golden;
  for (const GoldenRow& row : golden_ops()) golden[row.name] = &row;
  for (const OpCase& op : op_cases())
    for (const GoldenCase& one : golden.at(op.name)->cases)
      for (const bool known : {true, false}) {
        if (!one.float32 || (!known && !op.known_shapes_only.empty())) continue;
        std::string file = fmt::format("op {}, {}, {}", op.name, one.name, known ? "known" : "unknown");
        std::replace(file.begin(), file.end(), '/', '_');
        try {
          write_case(folder, file, op, one, known, numbers);
        } catch (const TypeError& refused) {
          fmt::print("refused: {}: {}\n", file, refused.what());
        }
      }
}

// A predictor, trained a little so that no parameter is zero, and what its session says of rows it has not seen. `X`
// is what the model is given: where its columns are scaled, the session's X is that.
template <class Model>
void write_model(const std::string& folder, const std::string& file, Numbers& numbers, const Expr& X, const Expr& y,
                 const Model& model, bool binary, const Tensor& scale = {}) {
  const auto features = [&](std::uint64_t seed) {
    return Initializer(random_uniform({9, X.shape()[1]}, {.low = -1, .high = 1, .seed = seed})).value("X");
  };
  const Expr train = Adagrad(0.1).minimize(model.loss);
  Session session(X.graph());
  const Tensor targets = binary ? Tensor({{1}, {-1}, {1}, {1}, {-1}, {-1}, {1}, {-1}, {1}})
                                : Tensor({{1}, {2}, {0}, {-1}, {3}, {1}, {1}, {0}, {2}});
  const auto fed = [&](const Tensor& dense) { return X.layout() == Layout::csr ? dense.to_csr() : dense; };
  for (int step = 0; step < 50; ++step) session.run(train, {{X, fed(features(1))}, {y, targets}});

  const Tensor given = features(2);
  Tensor seen = given;
  if (scale.size() > 0) {
    Graph g;
    Session multiply(g);
    const Expr raw = g.constant(given);
    seen = multiply.run(raw * scale);
  }
  write_onnx(folder + "/" + file + ".onnx", session, {{"X", X, scale}},
             {{"prediction", model.prediction}, {"raw score", model.y_hat}});
  numbers[file + "/X"] = given;
  numbers[file + "/prediction"] = session.run(model.prediction, {{X, fed(seen)}});
  numbers[file + "/raw score"] = session.run(model.y_hat, {{X, fed(seen)}});
}

}  // namespace

void write_models(const std::string& folder) {
  Numbers numbers;
  write_cases(folder, numbers);
  const std::vector<Index> field_of = {0, 2, 1, 1, -1, 2};
  for (const bool sparse : {false, true})
    for (const Task task : {Task::regression, Task::binary}) {
      const bool binary = task == Task::binary;
      const FactorizationMachineOptions factors{.factors = 3, .init_stddev = 0.5, .task = task};
      const std::string kind = fmt::format("{} {}", sparse ? "csr" : "dense", binary ? "binary" : "regression");
      // A graph of its own for each: build(X, y) makes the model.
      const auto write_built = [&](const std::string& name, const Tensor& scale, const auto& build) {
        Graph g;
        const Expr X = sparse ? g.sparse_placeholder("X", {any, 6}) : g.placeholder("X", {any, 6});
        const Expr y = g.placeholder("y", {any, 1});
        write_model(folder, fmt::format("model {} {}", name, kind), numbers, X, y, build(X, y), binary, scale);
      };
      write_built("linear", {}, [&](const Expr& X, const Expr& y) { return LinearRegression(X, y, {.task = task}); });
      write_built("polynomial", {},
                  [&](const Expr& X, const Expr& y) { return PolynomialRegression(X, y, {.task = task}); });
      write_built("fm", {}, [&](const Expr& X, const Expr& y) { return FactorizationMachine(X, y, factors); });
      // Names that users may give, and scaled columns.
      write_built("scaled fm", Tensor({1, 0.5, 2, 3, 1, 0.25}), [&](const Expr& X, const Expr& y) {
        FactorizationMachine fm(X, y, factors);
        fm.V.named("prediction");
        fm.W.named("not \xff utf-8");
        return fm;
      });
      for (const int order : {2, 3, 5})
        for (const bool share : {false, true})
          write_built(
              fmt::format("order {} {}", order, share ? "shared" : "separate"), {}, [&](const Expr& X, const Expr& y) {
                return HigherOrderFactorizationMachine(
                    X, y, {.order = order, .factors = 2, .share_factors = share, .init_stddev = 0.5, .task = task});
              });
      write_built("field-aware", {}, [&](const Expr& X, const Expr& y) {
        return FieldAwareFactorizationMachine(X, y,
                                              {.field_of = field_of, .factors = 2, .init_stddev = 0.5, .task = task});
      });
      write_built("deep", {}, [&](const Expr& X, const Expr& y) {
        return DeepFactorizationMachine(X, y, {.fm = factors, .field_of = field_of, .hidden = {5, 4}});
      });
    }
  save_npz(folder + "/numbers.npz", numbers);
}

}  // namespace gradus
