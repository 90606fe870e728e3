// Runs that fail, at each op in turn, and the session used again: variables are what they were, and the next run gives
// what a session that never failed gives. Processes that fork, too. The thread sanitizer runs it.
#include "sanitized.h"

#include <gradus/core/graph/op.h>
#include <gradus/gradus.h>

#include <doctest/doctest.h>

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <stdexcept>
#include <string_view>
#include <vector>

namespace gradus {
namespace {

// Gives x, and throws where it is armed: an op of a user's own.
class Trap final : public Op {
 public:
  explicit Trap(std::shared_ptr<const bool> armed) : armed_(std::move(armed)) {}
  std::string_view name() const override { return "trap"; }
  Type infer(const OpInputs& in) const override { return in[0]; }
  Expr gradient(const Expr&, const Expr& dy, int) const override { return dy; }
  bool same(const Op& other) const override { return this == &other; }
  void compute(Call& call) const override {
    if (*armed_) throw std::runtime_error("trapped");
    dispatch(call.out().type.dtype,
             [&]<class T>(TypeTag<T>) { std::copy_n(call.in<T>(0), call.in(0).shape().size(), call.out<T>()); });
  }

 private:
  std::shared_ptr<const bool> armed_;
};

// A factorization machine and its step, with a trap behind the dense value number `place` that its formula makes.
struct FailingMachine {
  explicit FailingMachine(int place, bool sparse) {
    int made = 0;
    const auto t = [&](const Expr& e) {
      values = ++made;
      return made - 1 == place ? apply(std::make_shared<Trap>(armed), {e}) : e;
    };
    X = sparse ? g.sparse_placeholder("X", {any, 6}) : g.placeholder("X", {any, 6});
    y = g.placeholder("y", {any, 1});
    const Expr w0 = t(g.variable("w0", zeros({1})));
    const Expr W = t(g.variable("W", random_normal({6, 1}, {.seed = 1})));
    const Expr V = t(g.variable("V", random_normal({6, 3}, {.seed = 2})));
    const Expr linear = t(w0 + t(matmul(X, W)));
    const Expr sums = t(square(t(matmul(X, V)))), squares = t(matmul(pow(X, 2), t(square(V))));
    const Expr y_hat = t(linear + t(0.5 * t(reduce_sum(t(sums - squares), 1, keep_dims))));
    loss = t(reduce_mean(t(square(t(y_hat - y)))) + 0.01 * t(reduce_sum(t(square(V)))));
    const Expr count = g.variable("count", Tensor::scalar(0, int64), {.trainable = false});
    const Expr mean = g.variable("mean", zeros({}), {.trainable = false});
    train = g.group({{Adam(0.01).minimize(loss), assign_add(count, t(identity(count) * 0 + 1)),
                      g.assign(mean, t(0.9 * mean + 0.1 * loss))}});
  }

  std::vector<Tensor> state(Session& session) {
    std::vector<Tensor> all;
    for (const Expr& variable : g.variables()) all.push_back(session.value(variable));
    return all;
  }

  std::shared_ptr<bool> armed = std::make_shared<bool>(false);
  Graph g;
  Expr X, y, loss, train;
  int values = 0;
};

Feeds feeds_of(const FailingMachine& m, std::int64_t rows, bool sparse) {
  const Tensor x = random_uniform({rows, 6}, {.seed = 3}).draw(0);
  return {{m.X, sparse ? x.to_csr() : x}, {m.y, random_uniform({rows, 1}, {.seed = 4}).draw(0)}};
}

TEST_CASE("an exception in each op of a step, and the session used again") {
  int runs = 0;
  for (const bool sparse : {false, true})
    for (int place = 0; place < FailingMachine(-1, sparse).values; ++place) {
      CAPTURE(place);
      FailingMachine m(place, sparse);
      Session session(m.g, Device::cpu(), {.threads = 2}), other(m.g, Device::cpu(), {.threads = 2});
      for (int round = 0; round < 3; ++round) {
        const Feeds feeds = feeds_of(m, 5 + round, sparse);  // of another size: a plan that was never run
        const std::vector<Tensor> before = m.state(session);
        *m.armed = true;
        CHECK_THROWS_WITH_AS(session.run({m.train, m.loss}, feeds), "trapped", std::runtime_error);
        CHECK_THROWS_WITH_AS(session.run(m.train, feeds), "trapped", std::runtime_error);
        *m.armed = false;
        CHECK(m.state(session) == before);
        const auto [t, got] = session.run({m.train, m.loss}, feeds);
        const auto [u, want] = other.run({m.train, m.loss}, feeds);
        CHECK(got == want);
        CHECK(m.state(session) == m.state(other));
        ++runs;
      }
    }
  CHECK(runs > 100);
}

#ifdef GRADUS_TSAN
constexpr bool may_fork = false;  // its programs may not, once they have threads
#else
constexpr bool may_fork = true;
#endif

TEST_CASE("a process that forks after its sessions had threads computes in both" * doctest::skip(!may_fork)) {
  FailingMachine m(-1, true);
  const Feeds feeds = feeds_of(m, 2000, true);
  Session session(m.g, Device::cpu(), {.threads = 3}), other(m.g, Device::cpu(), {.threads = 3});
  for (Session* s : {&session, &other}) s->run(m.train, feeds);
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    int wrong = 0;
    {
      session.run(m.train, feeds);
      Session fresh(m.g, Device::cpu(), {.threads = 3});
      for (int run = 0; run < 2; ++run) fresh.run(m.train, feeds);
      wrong = m.state(session) == m.state(fresh) ? 0 : 1;
    }
    ::_exit(wrong);
  }
  session.run(m.train, feeds);
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK((WIFEXITED(status) && WEXITSTATUS(status) == 0));
  other.run(m.train, feeds);
  CHECK(m.state(session) == m.state(other));
}

}  // namespace
}  // namespace gradus
