// The reference executor, which has no plan: the oracle of plans. Where no pass rewrites the graph a plan gives the
// same bits, for all of the op table, models and optimizers.
#include "op_table.h"

#include <gradus/core/at.h>
#include <gradus/core/run/reference.h>
#include <gradus/gradus.h>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <cstring>
#include <string>
#include <vector>

namespace gradus {
namespace {

const SessionOptions without_passes{.threads = 1,
                                    .without = {"fold_constants", "simplify", "reassociate",
                                                "share_common_subexpressions", "store_transposed", "tiles"}};

// Empty, or in what two tensors differ; a NaN is equal to itself.
std::string bits_apart(const Tensor& a, const Tensor& b) {
  if (a.type() != b.type()) return fmt::format("{} and {}", a.type(), b.type());
  if (a.stored() != b.stored()) return fmt::format("{} elements and {}", a.stored(), b.stored());
  if (a.pattern() && a.pattern()->row_start != b.pattern()->row_start) return "patterns of other rows";
  const std::size_t bytes = as_size(a.stored()) * size_of(a.dtype());
  return bytes == 0 || std::memcmp(a.data(), b.data(), bytes) == 0 ? "" : "other bits";
}

Tensor ratings(std::int64_t n, std::int64_t p) {
  std::vector<std::int64_t> start{0}, column;
  for (std::int64_t r = 0; r < n; ++r) {
    column.insert(column.end(), {r * 7 % (p / 2), p / 2 + r * 11 % (p / 2)});
    start.push_back(std::ssize(column));
  }
  return Tensor::csr(n, p, start, column, std::vector<float>(column.size(), 1.0F));
}

}  // namespace

TEST_CASE("each op and its gradient, alone and in a plan without passes, are the same bits") {
  for (const Mode& mode : {Mode{.name = "float64"}, Mode{.name = "float32", .narrow = true}})
    for_all_cases(
        mode.name,
        [&](const OpCase& row, const GoldenCase& golden, const Complain& complain) {
          Built built(row, golden, mode);
          std::vector<Expr> fetches = {built.y};
          fetches.insert(fetches.end(), built.derivatives.begin(), built.derivatives.end());
          const std::vector<Tensor> expected = Reference().run(fetches, built.feeds);
          const std::vector<Tensor> found =
              Session(built.graph, Device::cpu(), without_passes).run(fetches, built.feeds);
          for (std::size_t i = 0; i < fetches.size(); ++i)
            if (const std::string apart = bits_apart(expected[i], found[i]); !apart.empty())
              complain(fmt::format("fetch {}: {}", i, apart));
        },
        [](const std::string& complaint) { FAIL_CHECK(complaint); });
}

TEST_CASE("models under every optimizer train to the same bits") {
  const std::vector<std::pair<std::string, std::function<Expr(const Expr&)>>> optimizers{
      {"GradientDescent", [](const Expr& loss) { return GradientDescent(0.1).minimize(loss); }},
      {"Momentum", [](const Expr& loss) { return Momentum(0.1).minimize(loss); }},
      {"Adagrad", [](const Expr& loss) { return Adagrad(0.1).minimize(loss); }},
      {"Adadelta", [](const Expr& loss) { return Adadelta(0.1).minimize(loss); }},
      {"RMSProp", [](const Expr& loss) { return RMSProp(0.01).minimize(loss); }},
      {"Adam", [](const Expr& loss) { return Adam(0.01).minimize(loss); }},
      {"AdamW", [](const Expr& loss) { return AdamW(0.01).minimize(loss); }},
      {"Ftrl", [](const Expr& loss) { return Ftrl(0.1).minimize(loss); }}};
  const Tensor x = ratings(30, 40);
  std::vector<float> targets;
  for (int i = 0; i < 30; ++i) targets.push_back(i % 3 == 0 ? 1.0F : -1.0F);
  const Tensor y = Tensor::from(targets, {30, 1});
  for (const ModelKind kind : {ModelKind::linear, ModelKind::fm, ModelKind::higher_order, ModelKind::field_aware})
    for (const auto& optimizer : optimizers)
      for (const L2Over over : {L2Over::all, L2Over::touched}) {
        CAPTURE(to_string(kind));
        CAPTURE(optimizer.first);
        Graph g;
        ModelOptions options{.kind = kind, .task = Task::binary, .factors = 4, .l2_W = 0.01, .l2_V = 0.01};
        options.l2_over = over;
        for (Index i = 0; i < 40; ++i) options.field_of.push_back(i / 20);
        const Model model = make_model(g, 40, options);
        const std::vector<Expr> fetches{optimizer.second(model.loss), model.loss};
        Session session(g, Device::cpu(), without_passes);
        Reference reference;
        for (int step = 0; step < 4; ++step) {
          const Tensor loss = session.run(fetches, {{model.X, x}, {model.y, y}})[1];
          CHECK(bits_apart(reference.run(fetches, {{model.X, x}, {model.y, y}})[1], loss) == "");
        }
        for (const Expr& variable : g.variables())
          CHECK_MESSAGE(bits_apart(reference.value(variable), session.value(variable)) == "", variable.name());
      }
}

TEST_CASE("assigns act when the run has ended, and random numbers are those of the run") {
  Graph g;
  const Expr a = g.variable("a", Tensor({1, 2})), b = g.variable("b", Tensor({3, 4}));
  const Expr swap = g.group(std::vector<Expr>{g.assign(a, b), g.assign(b, a)});
  const Expr noise = random_uniform(g, {5}, {.low = 0, .high = 1});
  Session session(g);
  Reference reference;
  for (int run = 0; run < 3; ++run) {
    const std::vector<Tensor> found = reference.run(std::vector<Expr>{a, swap, noise});
    CHECK(found[0] == (run % 2 == 0 ? Tensor({1, 2}) : Tensor({3, 4})));
    CHECK(found[2] == session.run({a, swap, noise})[2]);
  }
  CHECK(reference.value(a) == session.value(a));
  CHECK_THROWS_AS(reference.run(floordiv(g.constant(Tensor({1}, int32)), g.constant(Tensor({0}, int32)))), ValueError);
}

}  // namespace gradus
