// The rows of a table that a run reads, whether a csr matrix names them or indices do: found once for all tables that
// share them, read through any elementwise op, and updated alike.
#include <gradus/core/run/reference.h>
#include <gradus/gradus.h>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace gradus {
namespace {

constexpr std::int64_t p = 50'000, k = 8, n = 64;

Tensor indices(std::uint64_t seed, DType dtype = int32) {
  return random_uniform({n}, {.low = 0, .high = 200, .seed = seed}).draw(0).cast(dtype);
}

// The csr matrix [n, p] with a 1 at each index.
Tensor one_hot_csr(const Tensor& index, DType dtype) {
  auto pattern = std::make_shared<CsrPattern>();
  pattern->columns = p;
  std::ranges::copy(index.span<std::int32_t>(), pattern->new_rows(index.dim(0), 1).begin());
  return Tensor::csr(pattern, full({index.dim(0)}, 1, dtype));
}

TEST_CASE("tables that are read by one index share its rows") {
  Graph g;
  const Expr i = g.placeholder("i", {n}, int32);
  const Expr V = g.variable("V", random_normal({p, k}, {.stddev = 0.1}));
  const Expr b = g.variable("b", random_normal({p}, {.stddev = 0.1}));
  const Expr loss = reduce_sum(square(gather(V, i))) + reduce_sum(square(gather(b, i) + reduce_sum(gather(V, i), 1)));
  Session session(g);
  const PlanSteps plan = session.steps(Adam(0.1).minimize(loss), {{i, indices(1)}});
  CHECK(std::count_if(plan.list.begin(), plan.list.end(), [](const PlanStep& s) { return s.op == "indicator"; }) == 1);
  CHECK(plan.arena_bytes < 8 * n * k * 4);
}

TEST_CASE("a look-up passes through a reshape whose size is worked out") {
  Graph g;
  const Expr i = g.placeholder("i", {any}, int32), w = g.variable("w", Tensor({{1}, {2}, {3}, {4}}));
  const Expr loss = reduce_sum(square(gather(reshape(tanh(w), {any}), i)));
  const std::vector<Expr> fetches{loss, to_dense(gradients(loss, {w})[0])};
  const Feeds feeds = {{i, Tensor({3, 0, 3}, int32)}};
  const std::vector<Tensor> got = Session(g).run(fetches, feeds), meant = Reference().run(fetches, feeds);
  CHECK(allclose(got[0], meant[0], 1e-6));
  CHECK(allclose(got[1], meant[1], 1e-6));
}

TEST_CASE("a look-up passes through elementwise ops, and the table is never computed as a whole") {
  using Table = Expr (*)(const Expr&);
  const Table tables[] = {[](const Expr& v) { return v; }, [](const Expr& v) { return 0.5 * v; },
                          [](const Expr& v) { return tanh(v); }, [](const Expr& v) { return square(abs(v)) + 0.1 * v; },
                          [](const Expr& v) { return v / sqrt(1 + square(v)); }};
  for (const DType dtype : {float32, float64})
    for (const Table table : tables) {
      // One formula by gather, by a one-hot csr matrix, and by gather without any rewriting.
      const auto trained = [&](bool by_index, const std::vector<std::string>& without) {
        Graph g;
        const Expr i = g.placeholder("i", {any}, int32), X = g.sparse_placeholder("X", {any, p}, dtype);
        const Expr V = g.variable("V", random_normal({p, k}, {.stddev = 1, .dtype = dtype}));
        const Expr rows = by_index ? gather(table(V), i) : matmul(X, table(V));
        const Expr train = Adagrad(0.1).minimize(reduce_sum(square(rows - 1)));
        Session session(g, Device::cpu(), {.without = without});
        for (std::uint64_t step = 0; step < 3; ++step) {
          const Tensor index = indices(step);
          session.run(train, by_index ? Feeds{{i, index}} : Feeds{{X, one_hot_csr(index, dtype)}});
        }
        if (by_index && without.empty())
          CHECK(session.steps(train, {{i, indices(0)}}).arena_bytes <
                16 * n * k * static_cast<std::int64_t>(size_of(dtype)));
        return session.value(V);
      };
      const Tensor by_index = trained(true, {});
      const double within = dtype == float32 ? 1e-5 : 1e-13;
      CHECK(allclose(by_index, trained(false, {}), 0, within));
      CHECK(allclose(by_index, trained(true, {"simplify", "tiles"}), 0, within));
    }
}

TEST_CASE("a factorization machine over look-ups writes no update for each of them") {
  constexpr std::int64_t fields = 7;
  for (const DType dtype : {float32, float64}) {
    const auto trained = [&](const std::vector<std::string>& without) {
      Graph g;
      const Expr X = g.placeholder("X", {any, fields}, int32);
      const Expr W = g.variable("W", zeros({p}, dtype));
      const Expr V = g.variable("V", random_normal({p, k}, {.stddev = 0.3, .dtype = dtype}));
      const Expr v = gather(V, X);                                                              // [n, fields, k]
      const Expr y = reduce_sum(gather(W, X), 1) + 0.5 * reduce_sum(square(reduce_sum(v, 1)) -  // [n]
                                                                        reduce_sum(square(v), 1),
                                                                    1);
      const Expr train = Adagrad(0.1).minimize(reduce_mean(square(y - 1)));
      Session session(g, Device::cpu(), {.without = without});
      const auto batch = [&](std::uint64_t seed) {  // with indices that are met twice in a row
        return random_uniform({n, fields}, {.low = 0, .high = 30, .seed = seed}).draw(0).cast(int32);
      };
      for (std::uint64_t step = 0; step < 3; ++step) session.run(train, {{X, batch(step)}});
      const PlanSteps plan = session.steps(train, {{X, batch(0)}});
      const bool scatters = std::any_of(plan.list.begin(), plan.list.end(),
                                        [](const PlanStep& step) { return step.op == "scatter_add"; });
      CHECK(scatters != without.empty());
      return session.value(V);
    };
    CHECK(allclose(trained({}), trained({"reassociate", "simplify"}), 0, dtype == float32 ? 1e-4 : 1e-12));
  }
}

// Bayesian personalised ranking, translations and the like read one table at several places.
TEST_CASE("a table that is read by several indices is updated where it lies") {
  const auto table_of = [](Graph& g) { return g.variable("V", random_normal({p, k}, {.stddev = 0.5, .seed = 7})); };
  using Loss = std::function<Expr(const Expr& V, const std::vector<Expr>& index)>;
  const std::vector<std::pair<std::string, Loss>> losses = {
      {"a difference",
       [](const Expr& V, const auto& i) { return reduce_sum(square(gather(V, i[0]) - gather(V, i[1]))); }},
      {"three places, one of them twice",
       [](const Expr& V, const auto& i) {
         const Expr a = gather(V, i[0]), b = gather(V, i[1]), c = gather(V, i[2]);
         return reduce_sum(a * b - tanh(c) * a) + reduce_sum(square(gather(V, i[1])));
       }},
      {"a sum of several rows, which is a csr product, beside others",
       [](const Expr& V, const auto& i) {
         return reduce_sum(square(reduce_sum(gather(V, reshape(i[0], {n / 4, 4})), 1))) +
                reduce_sum(gather(V, i[1]) * gather(V, i[2]));
       }},
      {"of a function of the table",
       [](const Expr& V, const auto& i) { return reduce_sum(gather(0.5 * V, i[0]) * gather(V, i[1])); }}};
  for (const std::pair<std::string, Loss>& each : losses)
    for (const DType other : {int32, int64}) {
      const std::string& name = each.first;
      CAPTURE(name);
      const auto trained = [&](int threads, const std::vector<std::string>& without) {
        Graph g;
        const std::vector<Expr> index = {g.placeholder("i", {n}, int32), g.placeholder("j", {n}, other),
                                         g.placeholder("k", {n}, int32)};
        const Expr V = table_of(g), train = Adagrad(0.1).minimize(each.second(V, index));
        Session session(g, Device::cpu(), {.threads = threads, .without = without});
        for (std::uint64_t step = 0; step < 3; ++step) {
          const Feeds feeds = {
              {index[0], indices(step)}, {index[1], indices(step + 9, other)}, {index[2], indices(step + 5)}};
          session.run(train, feeds);
          if (step > 0 || !without.empty() || name.starts_with("a sum")) continue;
          for (const PlanStep& s : session.steps(train, feeds).list) CHECK(s.form != StepForm::copy);
        }
        return session.value(V);
      };
      const Tensor one = trained(1, {});
      CHECK(allclose(one, trained(1, {"reassociate"}), 1e-5, 1e-6));
      CHECK(trained(2, {}) == one);
      CHECK(trained(3, {}) == one);
    }
}

TEST_CASE("updates of another shape than the indices ask for are refused") {
  Graph g;
  const Expr i = g.placeholder("i", {3}, int32);
  CHECK_THROWS_AS(scatter_add(i, g.constant(ones({1, 2})), {4, 2}), TypeError);
  CHECK_THROWS_AS(scatter_add(i, g.constant(ones({3, 1})), {4, 2}), TypeError);
  CHECK_THROWS_AS(scatter_add(i, g.constant(ones({3})), {4, 2}), TypeError);
}

TEST_CASE("an index that is out of range is named wherever it is met first") {
  Graph g;
  const Expr i = g.placeholder("i", {any}, int64), j = g.placeholder("j", {2}, int64);
  const Expr V = g.variable("V", zeros({4, 2}));
  const Expr train = GradientDescent(0.1).minimize(reduce_sum(square(gather(V, i) - 1)));
  const Expr along = gather(V, j, 1);
  Session session(g);
  for (const double wrong : {-1.0, 4.0, 4294967296.0}) {
    const Tensor index = Tensor({0.0, wrong}, int64);
    const std::string want = fmt::format("gather: index {:.0f} in (i, row_sets_test.cpp:", wrong);
    for (const Expr& fetch : {train, gather(V, i)}) {
      std::string said;
      try {
        session.run(fetch, {{i, index}});
      } catch (const ValueError& error) {
        said = error.what();
      }
      CHECK(said.starts_with(want));
      CHECK(said.ends_with("is out of range for a dimension of 4; indices go from 0 to 3"));
    }
    CHECK_THROWS_AS(session.run(along, {{j, index}}), ValueError);
  }
  CHECK(session.value(V) == zeros({4, 2}));
  CHECK_THROWS_WITH_AS(gather(V, i, 2), "gather: there is no axis 2; rank 2 has axes -2 to 1", TypeError);
}

}  // namespace
}  // namespace gradus
