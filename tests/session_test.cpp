// Sessions: fetches and feeds, what is refused and with which words, plans for many shapes, results that stay what they
// were, and threads.
#include "refusal.h"

#include <gradus/core/error.h>
#include <gradus/core/run/session.h>
#include <gradus/core/tensor/create.h>
#include <gradus/ops/gradients.h>
#include <gradus/ops/ops.h>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <array>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace gradus {
namespace {

Expr variable(Graph& g, std::string_view name, const Tensor& value) { return g.variable(name, value); }

// --- fetches ---------------------------------------------------------------------------------------------

TEST_CASE("one fetch, several, a braced array, none") {
  Graph g;
  const Expr x = g.placeholder("x", {2});
  const Expr y = x + 1, z = 2 * x;
  Session session(g);
  const Tensor value({1, 2});
  CHECK(session.run(y, {{x, value}}) == Tensor({2, 3}));
  const auto [a, b] = session.run({y, z}, {{x, value}});
  CHECK(a == Tensor({2, 3}));
  CHECK(b == Tensor({2, 4}));
  const std::vector<Tensor> all = session.run(std::vector<Expr>{z, y, z}, {{x, value}});
  REQUIRE(all.size() == 3);
  CHECK(all[0] == Tensor({2, 4}));
  CHECK(all[1] == Tensor({2, 3}));
  CHECK(all[2] == Tensor({2, 4}));
  CHECK(session.run(std::vector<Expr>{}).empty());
}

TEST_CASE("placeholders, constants, variables and views of them can be fetched") {
  Graph g;
  const Expr x = g.placeholder("x", {2, 1});
  const Expr c = g.constant(Tensor({5, 6}));
  const Expr v = variable(g, "v", Tensor({7, 8}));
  Session session(g);
  const auto all = session.run(std::vector<Expr>{x, reshape(x, {2}), c, expand_dims(c, 0), v, reshape(v, {1, 2})},
                               {{x, Tensor({{1}, {2}})}});
  CHECK(all[0] == Tensor({{1}, {2}}));
  CHECK(all[1] == Tensor({1, 2}));
  CHECK(all[2] == Tensor({5, 6}));
  CHECK(all[3] == Tensor({{5, 6}}));
  CHECK(all[4] == Tensor({7, 8}));
  CHECK(all[5] == Tensor({{7, 8}}));
}

TEST_CASE("sparse values can be fetched") {
  Graph g;
  const Expr x = g.sparse_placeholder("x", {any, 3});
  const Expr table = g.variable("table", ones({3, 2}));
  const Expr rows = gradients(reduce_sum(gather(table, g.constant(Tensor({2, 0, 2}, int32)))), {table})[0];
  Session session(g);
  const Tensor csr = Tensor({{1, 0, 2}, {0, 0, 3}}).to_csr();
  CHECK(session.run(x, {{x, csr}}) == csr);
  CHECK(session.run(square(x), {{x, csr}}) == Tensor({{1, 0, 4}, {0, 0, 9}}).to_csr());
  const Tensor touched = session.run(rows);
  CHECK(touched.layout() == Layout::rows);
  CHECK(touched.stored() == 4);
  CHECK(touched.to_dense() == Tensor({{1, 1}, {0, 0}, {2, 2}}));
}

TEST_CASE("explain changes nothing in a session") {
  Graph g;
  const Expr X = g.placeholder("X", {40, 300}), V = g.variable("V", random_normal({20, 300}, {.seed = 1}));
  const Expr product = reduce_sum(square(matmul(X, transpose(V)))), whole = reduce_sum(V, 1);
  const Feeds feeds{{X, random_normal({40, 300}, {.seed = 2})}};
  Session asked(g), silent(g);
  const std::string before = asked.explain(whole);
  asked.explain(product, feeds);  // this plan would have V stored the other way
  CHECK(asked.explain(whole) == before);
  CHECK(asked.run(whole) == silent.run(whole));
  asked.explain(product, feeds);
  CHECK(asked.run(whole) == silent.run(whole));
  CHECK(asked.run(product, feeds) == silent.run(product, feeds));
}

TEST_CASE("a number fits the placeholder that it is fed to") {
  Graph g;
  const Expr d = g.placeholder("d", {}, float64), n = g.placeholder("n", {}, int64), f = g.placeholder("f", {});
  Session session(g);
  CHECK(session.run(d + 1, {{d, 0.5}}) == Tensor(1.5, float64));
  CHECK(session.run(n + 1, {{n, 9007199254740992}}) == Tensor(std::int64_t{9007199254740993}, int64));
  CHECK(session.run(f + 1, {{f, 2}}) == Tensor(3.0F));
  CHECK(session.prepare(d + 1, {d})(0.5) == Tensor(1.5, float64));
  CHECK_THROWS_AS(session.run(n, {{n, 0.5}}), FeedError);
}

TEST_CASE("fetches that are not the graph's") {
  Graph g, other;
  const Expr x = g.placeholder("x", {});
  const Expr foreign = other.placeholder("foreign", {});
  const std::string at = here(__LINE__ - 1);
  Session session(g);
  CHECK(session.run(x, {{x, 1}}).item() == 1);
  // The ids are equal; the plan of the run before must not be taken for it.
  CHECK(refusal<FeedError>([&] {
          session.run(foreign, {{x, 1}});
        }) == "run: foreign: float32 [] (" + at + ") does not belong to the session's graph");
  CHECK(refusal<FeedError>([&] { session.run(Expr()); }) == "run: fetch 0 is no expression");
  CHECK(refusal<FeedError>([&] { session.explain(foreign); }) ==
        "explain: foreign: float32 [] (" + at + ") does not belong to the session's graph");
}

// --- feeds -----------------------------------------------------------------------------------------------

TEST_CASE("feeds that do not fit") {
  Graph g, other;
  const int line = __LINE__;
  const Expr x = g.placeholder("x", {any, 3});
  const Expr n = g.placeholder("n", {2}, int32);
  const Expr s = g.sparse_placeholder("s", {any, 3});
  const Expr w = g.variable("w", zeros({3}));
  const Expr foreign = other.placeholder("x", {any, 3});
  const Expr y = reduce_sum(x * w);
  Session session(g);
  const auto run = [&](const Expr& placeholder, const Tensor& value) {
    return refusal<FeedError>([&] { session.run(y, {{placeholder, value}}); });
  };
  const std::string x_at = here(line + 1), n_at = here(line + 2), s_at = here(line + 3);
  CHECK(refusal<FeedError>([&] { session.run(y); }) ==
        "run: the placeholder x (" + x_at + ") needs a value: float32 [?, 3]");
  CHECK(refusal<FeedError>([&] {
          session.run(y, {{n, Tensor({1, 2}, int32)}});
        }) == "run: the placeholder x (" + x_at + ") needs a value: float32 [?, 3]");
  CHECK(run(x, Tensor({1, 2, 3})) == "run: the placeholder x (" + x_at + ") is float32 [?, 3] but was fed float32 [3]");
  CHECK(run(x, zeros({2, 4})) == "run: the placeholder x (" + x_at + ") is float32 [?, 3] but was fed float32 [2, 4]");
  CHECK(
      run(x, zeros({2, 3}, float64)) ==
      "run: the placeholder x (" + x_at +
          ") is float32 [?, 3] but was fed float64 [2, 3]; cast the tensor, or declare the placeholder with its dtype");
  CHECK(run(n, Tensor({1, 2})) ==
        "run: the placeholder n (" + n_at +
            ") is int32 [2] but was fed float32 [2]; cast the tensor, or declare the placeholder with its dtype");
  CHECK(run(x, Tensor(zeros({2, 3})).to_csr()) ==
        "run: the placeholder x (" + x_at +
            ") is float32 [?, 3] but was fed float32 csr [2, 3]; feed its to_dense(), or declare a sparse_placeholder");
  CHECK(run(s, zeros({2, 3})) ==
        "run: the placeholder s (" + s_at + ") is float32 csr [?, 3] but was fed float32 [2, 3]; feed its to_csr()");
  CHECK(run(foreign, zeros({2, 3})) ==
        "run: x: float32 [?, 3] (" + here(line + 5) + ") does not belong to the session's graph");
  CHECK(run(Expr(), 1) == "run: a value is fed to no expression; a placeholder is expected");
  CHECK(run(w, zeros({4})) == "run: the variable w (" + here(line + 4) + ") is float32 [3] but was fed float32 [4]");
  CHECK(run(y, zeros({1})) ==
        "run: the node reduce_sum (" + here(line + 6) + ") is float32 [] but was fed float32 [1]");
  const std::string assign_at = here(__LINE__ + 1);
  const Expr assign = g.assign(w, 2 * w);
  CHECK(run(assign, zeros({3})) == "run: assign: float32 [3] (" + assign_at +
                                       ") is fed, but it is there to be run; a placeholder or a value is expected");
  CHECK(refusal<FeedError>([&] {
          session.run(assign, {{w, ones({3})}});
        }) == "run: the variable w (" + here(line + 4) + ") is fed, and assigned in the same run by assign (" +
                  assign_at + ")");
  CHECK(refusal<FeedError>([&] {
          session.run(y, {{x, zeros({1, 3})}, {x, ones({1, 3})}});
        }) == "run: the placeholder x (" + x_at + ") is fed twice");
  CHECK(session.run(y, {{x, ones({1, 3})}}).item() == 0);  // the session is as good as before
}

TEST_CASE("the shapes of feeds are checked against each other where only the run knows them") {
  Graph g;
  const int line = __LINE__;
  const Expr a = g.placeholder("a", {any, 2});
  const Expr b = g.placeholder("b", {any, 2});
  const Expr y = a + b;
  Session session(g);
  CHECK(refusal<TypeError>([&] {
          session.run(y, {{a, ones({2, 2})}, {b, ones({3, 2})}});
        }) == "add: a is [2, 2] (a, " + here(line + 1) + ") but b is [3, 2] (b, " + here(line + 2) +
                  "); the shapes do not broadcast");
}

TEST_CASE("a placeholder of known shape of which only the shape is read needs no feed") {
  Graph g;
  const Expr x = g.placeholder("x", {2, 3});
  const Expr u = g.placeholder("u", {any, 3});
  const std::string at = here(__LINE__ - 1);
  Session session(g);
  CHECK(session.run(ones_like(x)) == Tensor(ones({2, 3})));
  CHECK(session.run(shape_of(exp(x))) == Tensor({2, 3}, int64));
  CHECK(session.run(shape_of(u), {{u, zeros({5, 3})}}) == Tensor({5, 3}, int64));
  CHECK(refusal<FeedError>([&] { session.run(shape_of(u)); }) ==
        "run: the placeholder u (" + at + ") needs a value: float32 [?, 3]");
}

TEST_CASE("any node may be fed: it is not computed, nor what it alone was made of") {
  Graph g;
  const Expr x = g.placeholder("x", {any}), w = g.variable("w", Tensor({1, 2})), c = g.constant(Tensor(10));
  const Expr hidden = exp(x) * w, y = hidden + c;
  Session session(g);
  CHECK(session.run(y, {{hidden, Tensor({3, 4})}}) == Tensor({13, 14}));  // x needs no value
  CHECK(session.run({y, c}, {{hidden, Tensor({3, 4})}, {c, 1}})[1].item() == 1);
  CHECK(session.run(y, {{x, zeros({2})}, {w, Tensor({5, 6})}}) == Tensor({15, 16}));
  CHECK(session.value(w) == Tensor({1, 2}));
  CHECK(session.run(y, {{x, zeros({2})}}) == Tensor({11, 12}));
  auto prepared = session.prepare(y, {hidden});
  CHECK(prepared(Tensor({1, 1})) == Tensor({11, 11}));
  CHECK(session.run(gradients(y, {w})[0], {{exp(x), Tensor({1, 1})}, {x, zeros({2})}}) == Tensor({1, 1}));
}

TEST_CASE("numbers and vectors are fed as they are") {
  Graph g;
  const Expr x = g.placeholder("x", {any}), n = g.placeholder("n", {any}, int32), b = g.placeholder("b", {2}, boolean);
  const Expr y = reduce_sum(x) + cast(reduce_sum(n), float32) + cast(b, float32);
  Session session(g);
  const std::vector<double> numbers{0.5, 1};
  CHECK(session.run(y, {{x, numbers}, {n, std::vector{1, 2}}, {b, std::vector{true, false}}}) == Tensor({5.5, 4.5}));
  CHECK(session.run(y, {{x, std::vector<int>{}}, {n, std::vector<std::int64_t>{7}}, {b, std::vector{true, false}}}) ==
        Tensor({8, 7}));
  auto prepared = session.prepare(x + 1, {x});
  CHECK(prepared(std::vector{1.0F, 2.0F}) == Tensor({2, 3}));
  CHECK(prepared(numbers) == Tensor({1.5, 2}));
  CHECK(refusal<FeedError>([&] {
          session.run(n, {{n, std::vector{0.5}}});
        }).find("int32 [?] but was fed float64 [1]") != std::string::npos);
}

TEST_CASE("nodes are found by their names") {
  Graph g;
  const Expr x = g.placeholder("x", {any});
  {
    const auto scope = g.scope("part");
    reduce_sum(2 * x).named("loss");
  }
  Session session(g);
  CHECK(session.run(g["part/loss"], {{g["x"], Tensor({1, 2})}}).item() == 6);
  CHECK(refusal<ValueError>([&] { g["loss"]; }) == "no node of the graph is named 'loss'; there is part/loss");
  CHECK(refusal<ValueError>([&] { g["y"]; }) == "no node of the graph is named 'y'");
}

TEST_CASE("feeds come in any order and may be more than is needed") {
  Graph g;
  const Expr a = g.placeholder("a", {}), b = g.placeholder("b", {}), c = g.placeholder("c", {});
  const Expr y = a - b;
  Session session(g);
  CHECK(session.run(y, {{a, 5}, {b, 3}}).item() == 2);
  CHECK(session.run(y, {{b, 3}, {a, 5}}).item() == 2);
  CHECK(session.run(y, {{c, 1}, {b, 1}, {a, 5}}).item() == 4);
  std::vector<Feed> feeds{{a, 1}, {b, 1}};
  CHECK(session.run(y, feeds).item() == 0);
}

TEST_CASE("empty batches") {
  Graph g;
  const Expr x = g.placeholder("x", {any, 3});
  const Expr w = g.variable("w", ones({3, 2}));
  const Expr y = matmul(x, w);
  const Expr dw = gradients(reduce_sum(y), {w})[0];
  Session session(g);
  CHECK(session.run(y, {{x, zeros({0, 3})}}).shape() == Shape({0, 2}));
  CHECK(session.run(dw, {{x, zeros({0, 3})}}) == Tensor(zeros({3, 2})));
}

// --- plans and results -----------------------------------------------------------------------------------

TEST_CASE("shapes that alternate, and more of them than plans are kept") {
  Graph g;
  const Expr x = g.placeholder("x", {any});
  const Expr w = variable(g, "w", Tensor({0.0}));
  const Expr y = reduce_sum(x);
  const Expr step = g.assign(w, w + y);
  Session session(g);
  double expected = 0;
  for (int round = 0; round < 3; ++round)
    for (int n = 1; n <= 150; ++n) {
      const auto [sum, stepped] = session.run({y, step}, {{x, ones({n})}});
      expected += n;
      REQUIRE(sum.item() == n);
      REQUIRE(stepped.item() == expected);
      REQUIRE(session.run(y, {{x, ones({n % 2 + 1})}}).item() == n % 2 + 1);
    }
  CHECK(session.value(w).item() == expected);
}

TEST_CASE("results that are kept stay, dropped ones are used again") {
  Graph g;
  const Expr x = g.placeholder("x", {3});
  const Expr y = x * 2;
  Session session(g);
  const std::byte* memory = nullptr;
  {
    const Tensor first = session.run(y, {{x, Tensor({1, 2, 3})}});
    const Tensor second = session.run(y, {{x, Tensor({4, 5, 6})}});
    CHECK(first == Tensor({2, 4, 6}));
    CHECK(second == Tensor({8, 10, 12}));
    CHECK(first.data() != second.data());
    memory = second.data();
  }
  CHECK(session.run(y, {{x, Tensor({1, 1, 1})}}).data() == memory);
  CHECK(session.run(y, {{x, Tensor({1, 1, 1})}}).data() == memory);
  Tensor kept;
  {
    Session short_lived(g);
    kept = short_lived.run(y, {{x, Tensor({7, 8, 9})}});
  }
  CHECK(kept == Tensor({14, 16, 18}));  // it outlives its session
}

TEST_CASE("kept results of rows and of variables stay too") {
  Graph g;
  const Expr table = g.variable("table", ones({4, 2}));
  const Expr index = g.placeholder("index", {any}, int32);
  const Expr rows = gradients(reduce_sum(gather(table, index)), {table})[0];
  const Expr step = g.assign(table, table * 2);
  Session session(g);
  const Tensor first = session.run(rows, {{index, Tensor({3, 1}, int32)}});
  const Tensor second = session.run(rows, {{index, Tensor({2, 2}, int32)}});
  const Tensor old = session.run({table, step})[0];
  session.run({table, step});
  CHECK(first.to_dense() == Tensor({{0, 0}, {1, 1}, {0, 0}, {1, 1}}));
  CHECK(second.to_dense() == Tensor({{0, 0}, {0, 0}, {2, 2}, {0, 0}}));
  CHECK(old == Tensor(ones({4, 2})));
}

TEST_CASE("feeds are only read") {
  Graph g;
  const Expr x = g.placeholder("x", {3});
  const Expr w = variable(g, "w", Tensor({1, 1, 1}));
  const Expr y = -(x + 1) * w;
  const Expr set = g.assign(w, x);
  const Expr later = g.assign(w, w + 1);
  Session session(g);
  const Tensor fed({1, 2, 3});
  session.run({y, set}, {{x, fed}});
  session.run(later);
  CHECK(fed == Tensor({1, 2, 3}));
  CHECK(session.value(w) == Tensor({2, 3, 4}));
}

// --- threads ---------------------------------------------------------------------------------------------

TEST_CASE("a session cannot have a negative number of threads") {
  Graph g;
  CHECK(refusal<ValueError>([&] { Session(g, Device::cpu(), {.threads = -1}); }) ==
        "a session with -1 threads; 0 means all cores");
  CHECK(Session(g, Device::cpu(), {.threads = 3}).threads() == 3);
  CHECK(Session(g).threads() >= 1);
}

TEST_CASE("two sessions on one graph in two threads") {
  Graph g;
  const Expr x = g.sparse_placeholder("x", {any, 40});
  const Expr w = g.variable("w", random_normal({40, 3}, {.seed = 1}));
  const Expr noise = random_uniform(g, {40, 3});
  const Expr loss = reduce_mean(square(matmul(x, w)));
  const Expr step = g.assign(w, w - 0.1 * to_dense(gradients(loss, {w})[0]) + 0.001 * noise);
  const Tensor fed = random_uniform({30, 40}, {.seed = 2}).draw(0).to_csr();  // its transpose is built by either
  std::array<Tensor, 2> results;
  const auto train = [&](std::size_t i) {
    Session session(g, Device::cpu(), {.threads = 2});
    for (int run = 0; run < 20; ++run) session.run({loss, step}, {{x, fed}});
    results[i] = session.value(w);
  };
  std::thread other(train, 1);
  train(0);
  other.join();
  CHECK(results[0] == results[1]);
}

TEST_CASE("the number of threads does not change a bit") {
  Graph g;
  const std::int64_t n = 700, p = 500, k = 40;
  const Expr x = g.placeholder("x", {n, p});
  const Expr s = g.sparse_placeholder("s", {n, p});
  const Expr v = g.variable("v", random_normal({p, k}, {.seed = 3}));
  const Expr elementwise = tanh(x * 3) + exp(-x);
  const Expr dense = matmul(x, v), sparse = matmul(s, v), square_matrix = matmul(x, x, {.transpose_a = true});
  std::vector<Expr> fetches{reduce_sum(x),
                            reduce_sum(x, 0),
                            reduce_mean(x, 1),
                            reduce_logsumexp(x),
                            reduce_prod(1 + x),
                            elementwise,
                            dense,
                            square_matrix,
                            sparse,
                            reduce_sum(s, 0),
                            reduce_sum(s),
                            softmax(x),
                            transpose(x),
                            cumsum(x, 1),
                            norm(x),
                            reduce_max(x, 0),
                            random_normal(g, {n, p})};
  for (const Expr& y : {dense, sparse}) fetches.push_back(gradients(reduce_sum(square(y)), {v})[0]);
  const Tensor fed = random_normal({n, p}, {.seed = 4}).draw(0);
  const Tensor sparse_fed = Tensor::make<float>({n, p}, [&](std::span<float> to) {
                              for (std::size_t i = 0; i < to.size(); ++i)
                                to[i] = i % 3 == 0 ? fed.span<float>()[i] : 0.0F;
                            }).to_csr();
  std::vector<std::vector<Tensor>> results;
  for (const int threads : {1, 2, 4}) {
    Session session(g, Device::cpu(), {.threads = threads});
    results.push_back(session.run(fetches, {{x, fed}, {s, sparse_fed}}));
  }
  for (std::size_t i = 0; i < fetches.size(); ++i) {
    CAPTURE(to_string(fetches[i]));
    CHECK(results[0][i] == results[1][i]);
    CHECK(results[0][i] == results[2][i]);
  }
}

}  // namespace
}  // namespace gradus
