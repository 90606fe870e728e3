// Export to ONNX: which ops have an equal there, what is refused, and that a refused export leaves the file alone.
// Whether other programs agree with what is written is asked by tests/outward.
#include "folder.h"
#include "golden_file.h"
#include "op_cases.h"
#include "refusal.h"

#include <gradus/core/io/file.h>
#include <gradus/core/listed.h>
#include <gradus/core/run/session.h>
#include <gradus/core/tensor/create.h>
#include <gradus/models/factorization_machine.h>
#include <gradus/models/formats/onnx.h>
#include <gradus/ops/ops.h>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace gradus {
namespace {

std::string to_onnx_of(Session& session, const std::vector<OnnxValue>& in, const std::vector<OnnxValue>& out) {
  return to_onnx(session, in, out);
}

// Whether all golden cases of the row export, with known shapes.
bool exports(const OpCase& op, const GoldenRow& golden) {
  for (const GoldenCase& one : golden.cases) {
    if (one.output.size() == 0) continue;  // shapes of nothing are not said in opset 13
    Graph g;
    std::vector<OnnxValue> inputs;
    Inputs x;
    for (const Tensor& value : one.inputs) {
      x.push_back(g.placeholder(fmt::format("in{}", inputs.size()), value.shape(), value.dtype()));
      inputs.push_back({x.back().name(), x.back()});
    }
    Session session(g);
    try {
      to_onnx_of(session, inputs, {{"out", op.build(x)}});
    } catch (const TypeError&) {
      return false;
    }
  }
  return true;
}

TEST_CASE("ops of these names, and no others, have no equal in ONNX") {
  std::map<std::string, const GoldenRow*> golden;
  for (const GoldenRow& row : golden_ops()) golden[row.name] = &row;
  std::set<std::string> refused;
  for (const OpCase& op : op_cases())
    if (!exports(op, *golden.at(op.name))) refused.insert(std::string(op_of(op.name)));
  // to_dense: of what scatter_add gives; at and einsum: in steps other than 1; gather: with batches; the losses of
  // samples: they ask reduce_any for hits.
  CHECK(listed(refused, " ") ==
        "argmax argmin argsort at bincount cholesky einsum expm1 floordiv gather gather_nd histogram_fixed_width "
        "in_top_k "
        "log1p matrix_solve matrix_triangular_solve mod nce_loss one_hot pad reduce_all reduce_any reverse sample "
        "sampled_softmax_loss scatter_add "
        "segment_max segment_mean segment_min segment_sum sort sparse_reduce_max sparse_reduce_min strided_slice "
        "sum_like "
        "to_dense top_k unique unsorted_segment_max unsorted_segment_mean unsorted_segment_min unsorted_segment_sum");
}

TEST_CASE("what a model cannot be made of is refused, and a file that is there stays") {
  const Folder folder;
  const std::string path = folder / "model.onnx";
  Graph g;
  const int line = __LINE__;
  const Expr X = g.placeholder("X", {any, 3});
  const Expr y = g.placeholder("y", {any, 1});
  const Expr W = g.variable("W", zeros({3, 1}));
  const Expr y_hat = matmul(X, W).named("y_hat");
  const Expr odd = floordiv(y_hat, 2).named("odd");
  const Expr error = reduce_mean(square(y - y_hat)).named("error");
  const Expr set = g.assign(W, 2 * W);
  Session session(g);
  write_onnx(path, session, {{"X", X}}, {{"prediction", y_hat}});
  const std::vector<std::byte> before = read_file(path);
  const auto refused = [&](const std::vector<OnnxValue>& in, const std::vector<OnnxValue>& out) {
    return refusal([&] { write_onnx(path, session, in, out); });
  };
  CHECK(refused({{"X", X}}, {{"odd", odd}}) ==
        fmt::format("write_onnx: floordiv odd (onnx_test.cpp:{}) has no equal in ONNX opset 13", line + 5));
  CHECK(refused({{"X", X}}, {{"error", error}}) ==
        fmt::format("write_onnx: error needs y (onnx_test.cpp:{}), which is not among the inputs", line + 2));
  CHECK(refused({{"X", X}}, {{"set", set}}) ==
        fmt::format("write_onnx: assign assign (onnx_test.cpp:{}) has no equal in ONNX opset 13", line + 7));
  CHECK(refused({{"X", X}, {"W", W}}, {{"prediction", y_hat}}) ==
        fmt::format("write_onnx: input W is W (onnx_test.cpp:{}); a placeholder is expected", line + 3));
  CHECK(refused({{"X", X}}, {{"X", y_hat}}) == "write_onnx: two inputs or outputs are named X");
  CHECK(refused({{"", X}}, {{"y_hat", y_hat}}) == "write_onnx: an input or output has an empty name");
  CHECK(refused({{"X", X}}, {}) == "write_onnx: there is no output");
  CHECK(refused({{"X", X}}, {{"nothing", Expr()}}) ==
        "write_onnx: nothing is not an expression of the session's graph");
  Graph other;
  CHECK(refused({{"X", X}}, {{"far", other.placeholder("far", {1})}}) ==
        "write_onnx: far is not an expression of the session's graph");
  CHECK(refused({{"X", X, ones({2})}}, {{"y_hat", y_hat}}) ==
        fmt::format("write_onnx: column_scale of X is float32 [2] but X (onnx_test.cpp:{}) is float32 [?, 3]; a number "
                    "for each column is expected",
                    line + 1));
  CHECK(read_file(path) == before);
  CHECK(folder.files().size() == 1);
  CHECK(refusal<IoError>([&] {
          write_onnx(folder / "no/model.onnx", session, {{"X", X}}, {{"y_hat", y_hat}});
        }) == folder / "no/model.onnx: cannot be written: No such file or directory");
}

TEST_CASE("a model holds what its outputs need, under the names that it was given") {
  Graph g;
  const Expr X = g.sparse_placeholder("X", {any, 4});
  const Expr y = g.placeholder("y", {any, 1});
  const FactorizationMachine fm(X, y, {.factors = 2});
  Session session(g);
  const std::string model = to_onnx_of(session, {{"rows", X}}, {{"prediction", fm.prediction}});
  CHECK(model.find("prediction") != std::string::npos);
  CHECK(model.find("rows") != std::string::npos);
  CHECK(model.find("MatMul") != std::string::npos);
  CHECK(model.find("ReduceMean") == std::string::npos);  // of the loss
  CHECK(model == to_onnx_of(session, {{"rows", X}}, {{"prediction", fm.prediction}}));
  const Tensor V = session.value(fm.V);
  const std::string bytes(reinterpret_cast<const char*>(V.data()), static_cast<std::size_t>(V.size()) * 4);
  CHECK(model.find(bytes) != std::string::npos);
}

}  // namespace
}  // namespace gradus
