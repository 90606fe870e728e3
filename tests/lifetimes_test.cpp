// Expressions, sessions and optimizers whose graph has been destroyed, expressions that never were, and a session that
// two threads use at once: each says what is wrong.
#include "refusal.h"

#include <gradus/gradus.h>

#include <doctest/doctest.h>

#include <atomic>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

namespace gradus {
namespace {

constexpr const char* gone =
    "an expression was used after its graph was destroyed; a graph must outlive its expressions";
constexpr const char* session_gone =
    "a session was used after its graph was destroyed; a graph must outlive its sessions";

TEST_CASE("an expression used after its graph was destroyed") {
  auto g = std::make_unique<Graph>();
  const Expr x = g->variable("x", ones({2}));
  const Expr y = 2 * x;
  g.reset();
  // Another graph may lie in its memory, and have its place among the graphs.
  Graph other;
  const Expr z = other.variable("z", zeros({2}));
  CHECK(refusal<ValueError>([&] { y.name(); }) == gone);
  CHECK(refusal<ValueError>([&] { y.type(); }) == gone);
  CHECK(refusal<ValueError>([&] { y.input(0); }) == gone);
  CHECK(refusal<ValueError>([&] { y.named("w"); }) == gone);
  CHECK(refusal<ValueError>([&] { y.graph(); }) == gone);
  CHECK(refusal<ValueError>([&] { to_string(y); }) == gone);
  CHECK(refusal<ValueError>([&] { exp(y); }) == gone);
  CHECK(refusal<ValueError>([&] { z + y; }) == gone);
  CHECK(refusal<ValueError>([&] { gradients(y, {x}); }) == gone);
  CHECK(refusal<ValueError>([&] { Adam(0.1).minimize(y); }) == gone);
  CHECK(refusal<ValueError>([&] { Session(other).run(y); }) == gone);
  CHECK(refusal<ValueError>([&] { Session(other).run(z, {{y, ones({2})}}); }) == gone);
  CHECK(y.valid());  // it is one; its graph is not
  CHECK(!same_node(y, other[y.id()]));
}

TEST_CASE("an expression that never was given one") {
  const char* const none = "there is no expression: an Expr was used before it was given one";
  Graph g;
  CHECK(refusal<ValueError>([&] { Expr().name(); }) == none);
  CHECK(refusal<ValueError>([&] { Expr().shape(); }) == none);
  CHECK(refusal<ValueError>([&] { Expr().graph(); }) == none);
  CHECK(refusal<FeedError>([&] { Session(g).run(Expr()); }) == "run: fetch 0 is no expression");
  CHECK(refusal<FeedError>([&] { Session(g).explain(Expr()); }) == "explain: fetch 0 is no expression");
  CHECK(refusal<FeedError>([&] { Session(g).prepare(Expr(), {}); }) == "prepare: fetch 0 is no expression");
  const Expr x = g.variable("x", zeros({}));
  CHECK(refusal<FeedError>([&] {
          Session(g).run(x, {{Expr(), ones({2})}});
        }) == "run: a value is fed to no expression; a placeholder is expected");
  CHECK(!Expr().valid());
  CHECK(to_string(Expr()) == "no expression");
}

TEST_CASE("a session, a prepared run and an optimizer after their graph was destroyed") {
  auto g = std::make_unique<Graph>();
  const Expr x = g->placeholder("x", {2});
  const Expr w = g->variable("w", ones({2}));
  Adam adam(0.1);
  const Expr train = adam.minimize(reduce_sum(square(w - x)));
  Session session(*g);
  PreparedRun step = session.prepare(train, {x});
  step(zeros({2}));
  g.reset();
  CHECK(refusal<ValueError>([&] { session.run(w); }) == session_gone);
  CHECK(refusal<ValueError>([&] { session.run(w, {{x, zeros({2})}}); }) == session_gone);
  CHECK(refusal<ValueError>([&] { session.value(w); }) == session_gone);
  CHECK(refusal<ValueError>([&] { session.assign(w, zeros({2})); }) == session_gone);
  CHECK(refusal<ValueError>([&] { session.initialize(); }) == session_gone);
  CHECK(refusal<ValueError>([&] { session.explain(w); }) == session_gone);
  CHECK(refusal<ValueError>([&] { session.graph(); }) == session_gone);
  CHECK(refusal<ValueError>([&] { session.save("lost.safetensors"); }) == session_gone);
  CHECK(refusal<ValueError>([&] { step(zeros({2})); }) == session_gone);
  CHECK(!adam.slot(w, "m").valid());
  // The optimizer may serve another graph then.
  Graph next;
  const Expr v = next.variable("v", ones({3}));
  Session(next).run(adam.minimize(reduce_sum(square(v))));
  CHECK(adam.slot(v, "m").shape() == Shape({3}));
}

TEST_CASE("a prepared run goes on when its session has gone") {
  Graph g;
  const Expr x = g.placeholder("x", {2});
  const Expr w = g.variable("w", ones({2}));
  auto session = std::make_unique<Session>(g);
  PreparedRun sum = session->prepare(w + x, {x});
  CHECK(sum(ones({2})) == full({2}, 2));
  session.reset();
  CHECK(sum(full({2}, 4)) == full({2}, 5));
}

TEST_CASE("a session used by two threads at once refuses one of them, and goes on") {
  Graph g;
  const Expr x = g.placeholder("x", {200, 200});
  const Expr n = g.variable("n", zeros({}, int64), {.trainable = false});
  const Expr count = assign_add(n, 1);
  const Expr busy = reduce_sum(matmul(x, matmul(x, matmul(x, x))));
  Session session(g, Device::cpu(), {.threads = 1});
  const Tensor value = full({200, 200}, 0.01);
  std::atomic<std::int64_t> done{0}, refused{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 2; ++t)
    threads.emplace_back([&] {
      for (int i = 0; i < 300; ++i) {
        try {
          session.run({busy, count}, {{x, value}});
          ++done;
        } catch (const Error& error) {
          ++refused;
          if (std::string_view(error.what()).find("used while another call was using it") == std::string_view::npos)
            FAIL_CHECK(error.what());
        }
      }
    });
  for (std::thread& thread : threads) thread.join();
  CHECK(done + refused == 600);
  CHECK(session.value(n) == Tensor(done.load(), int64));  // what was refused has counted nothing
}

}  // namespace
}  // namespace gradus
