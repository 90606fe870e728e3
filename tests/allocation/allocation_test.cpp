// What memory runs ask for: none after the first runs; as much as the graph is long, for the plan of a long one; none
// that is left behind, where sizes change; and what becomes of a run that gets none. A program of its own, because it
// counts every allocation of memory that the process makes, operator new, and aligned_alloc, of which buffers are made,
// and lets one of them fail.
#include "../thorough.h"

#include <gradus/gradus.h>

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <limits>
#include <new>
#include <vector>

namespace {

std::atomic<std::int64_t> allocations{0};
std::atomic<std::int64_t> allocated_bytes{0};
std::atomic<std::int64_t> living{0};  // of operator new
constexpr std::int64_t never = std::numeric_limits<std::int64_t>::max();
std::atomic<std::int64_t> fails{never};  // the number of the allocation for which there is no memory

void* counted(std::size_t alignment, std::size_t bytes) {
  allocated_bytes.fetch_add(static_cast<std::int64_t>(bytes), std::memory_order_relaxed);
  if (allocations.fetch_add(1, std::memory_order_relaxed) == fails.load(std::memory_order_relaxed)) return nullptr;
  void* memory = nullptr;
  return ::posix_memalign(&memory, alignment, bytes) == 0 ? memory : nullptr;
}

void* counted_or_throw(std::size_t alignment, std::size_t bytes) {
  void* memory = counted(alignment, bytes);
  if (memory == nullptr) throw std::bad_alloc();
  living.fetch_add(1, std::memory_order_relaxed);
  return memory;
}

void released(void* memory) {
  if (memory != nullptr) living.fetch_sub(1, std::memory_order_relaxed);
  std::free(memory);
}

}  // namespace

extern "C" void* aligned_alloc(std::size_t alignment, std::size_t bytes) noexcept { return counted(alignment, bytes); }

void* operator new(std::size_t bytes) { return counted_or_throw(alignof(std::max_align_t), bytes); }
void* operator new(std::size_t bytes, std::align_val_t alignment) {
  return counted_or_throw(static_cast<std::size_t>(alignment), bytes);
}
void operator delete(void* memory) noexcept { released(memory); }
void operator delete(void* memory, std::size_t) noexcept { released(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { released(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { released(memory); }

namespace gradus {
namespace {

/// Allocations of f in its run number `run`, counted from 1.
template <class F>
std::int64_t allocations_in_run(int run, F&& f) {
  for (int i = 1; i < run; ++i) f();
  const std::int64_t before = allocations.load();
  f();
  return allocations.load() - before;
}

TEST_CASE("allocations are counted") {
  CHECK(allocations_in_run(1, [] { const std::vector<int> v(100); }) > 0);
  CHECK(allocations_in_run(1, [] { const Buffer b(100); }) == 1);
  CHECK(allocations_in_run(1, [] {}) == 0);
}

// The article's factorization machine; X is dense or csr.
struct Machine {
  Graph g;
  Expr X;
  Expr y = g.placeholder("y", {any, 1});
  Expr w0 = g.variable("w0", zeros({1}));
  Expr W = g.variable("W", zeros({16}));
  Expr V = g.variable("V", random_normal({5, 16}, {.stddev = 0.01, .seed = 1}));
  Expr error;
  Expr train;

  explicit Machine(bool sparse, Optimizer& optimizer)
      : X(sparse ? g.sparse_placeholder("X", {any, 16}) : g.placeholder("X", {any, 16})) {
    const Expr linear_terms = w0 + reduce_sum(W * X, 1, keep_dims);
    const Expr interactions =
        0.5 * reduce_sum(pow(matmul(X, transpose(V)), 2) - matmul(pow(X, 2), transpose(pow(V, 2))), 1, keep_dims);
    error = reduce_mean(square(y - (linear_terms + interactions)));
    train = optimizer.minimize(error + reduce_sum(0.001 * pow(W, 2) + 0.001 * pow(V, 2)));
  }
};

TEST_CASE("the article's step, dense and csr, on one thread and on two") {
  for (const bool sparse : {false, true})
    for (const int threads : {1, 2}) {
      CAPTURE(sparse);
      CAPTURE(threads);
      Adagrad optimizer(0.1);
      Machine m(sparse, optimizer);
      const Rendle2010 data = rendle2010();
      const Tensor x = sparse ? data.x.to_csr() : data.x;
      Session session(m.g, Device::cpu(), {.threads = threads});
      CHECK(allocations_in_run(3, [&] { session.run(m.train, {{m.X, x}, {m.y, data.y}}); }) == 0);
      double sum = 0;
      CHECK(allocations_in_run(3, [&] { sum += session.run(m.error, {{m.X, x}, {m.y, data.y}}).item(); }) == 0);
      CHECK(allocations_in_run(3, [&] {
              const auto [error, step] = session.run({m.error, m.train}, {{m.X, x}, {m.y, data.y}});
              sum += error.item();
            }) == 0);
      CHECK(sum > 0);
    }
}

TEST_CASE("batches of two sizes, one after the other") {
  Adagrad optimizer(0.1);
  Machine m(false, optimizer);
  const Tensor x1 = ones({3, 16}), y1 = ones({3, 1}), x2 = ones({2, 16}), y2 = ones({2, 1});
  Session session(m.g, Device::cpu(), {.threads = 1});
  CHECK(allocations_in_run(3, [&] {
          session.run(m.train, {{m.X, x1}, {m.y, y1}});
          session.run(m.train, {{m.X, x2}, {m.y, y2}});
        }) == 0);
}

TEST_CASE("large sums and products that are dealt to threads") {
  Graph g;
  const Expr x = g.placeholder("x", {600, 500});
  const Expr w = g.variable("w", random_normal({500, 40}, {.seed = 2}));
  const Expr loss = reduce_mean(softplus(matmul(x, w))) + reduce_logsumexp(w) + reduce_sum(reduce_max(x, 0));
  const Expr step = Adagrad(0.01).minimize(loss);
  const Tensor fed = random_normal({600, 500}, {.seed = 3});
  Session session(g, Device::cpu(), {.threads = 3});
  CHECK(allocations_in_run(3, [&] { session.run({loss, step}, {{x, fed}}); }) == 0);
}

TEST_CASE("a step with gathers, reductions and rows of changing number") {
  Graph g;
  const Expr user = g.placeholder("user", {any}, int32), item = g.placeholder("item", {any}, int32);
  const Expr rating = g.placeholder("rating", {any});
  const Expr table = g.variable("table", random_normal({50, 4}, {.seed = 4}));
  const Expr bias = g.variable("bias", zeros({50}));
  // Two gathers of one table: its gradient is a sum of different rows.
  const Expr guess = reduce_sum(gather(table, user) * gather(table, item), 1) + gather(bias, item);
  const Expr loss = reduce_mean(square(rating - guess));
  const Expr train = Adagrad(0.1).minimize(loss);
  Session session(g, Device::cpu(), {.threads = 1});
  const Tensor r({1, 2, 3});
  const Tensor users[] = {Tensor({1, 2, 3}, int32), Tensor({4, 4, 5}, int32), Tensor({7, 7, 7}, int32)};
  const Tensor items[] = {Tensor({11, 12, 13}, int32), Tensor({14, 15, 14}, int32), Tensor({17, 7, 16}, int32)};
  int batch = 0;
  CHECK(allocations_in_run(6, [&] {
          const auto at = static_cast<std::size_t>(batch++ % 3);
          session.run(train, {{user, users[at]}, {item, items[at]}, {rating, r}});
        }) == 0);
}

TEST_CASE("random numbers") {
  Graph g;
  const Expr w = g.variable("w", ones({100}));
  const Expr step = g.assign(w, dropout(w, 0.5) + random_normal(g, {100}));
  Session session(g, Device::cpu(), {.threads = 1});
  CHECK(allocations_in_run(3, [&] { session.run(step); }) == 0);
}

// Each batch has one handle on its memory made, whatever its size; an epoch has itself and its order.
TEST_CASE("batches use the memory of those before them") {
  const Rows ratings = synthetic_ratings().train;
  for (const bool shuffle : {false, true}) {
    const Batches batches(ratings, {.size = 1000, .shuffle = shuffle, .drop_remainder = true, .threads = 0});
    std::int64_t e = 0;
    const auto epoch = [&] {
      for (const Batch& batch : batches.epoch(e)) CHECK(batch.x.pattern()->active_columns()->count() > 1000);
      ++e;
    };
    CHECK(allocations_in_run(2, epoch) <= batches.count() + 2);
  }
}

// Bytes that are asked for to build a graph of so many links, its gradient, and to run both once.
std::int64_t bytes_of_chain(int links) {
  const std::int64_t before = allocated_bytes.load();
  Graph g;
  const Expr w = g.variable("w", ones({4})), x = g.placeholder("x", {4});
  Expr y = x;
  for (int i = 0; i < links; ++i) y = i % 50 == 49 ? y + 1e-6 * reduce_sum(square(w)) : tanh(y * w);
  const Expr step = g.assign(w, w - 0.1 * gradients(reduce_sum(y), {w})[0]);
  Session session(g, Device::cpu(), {.threads = 1});
  session.run(step, {{x, ones({4})}});
  return allocated_bytes.load() - before;
}

TEST_CASE("the memory of graphs, gradients and plans grows as the graph does") {
  bytes_of_chain(500);
  const auto small = static_cast<double>(bytes_of_chain(1000)), large = static_cast<double>(bytes_of_chain(4000));
  CHECK(large < 5 * small);  // 4 times the nodes; tables grow by doubling
}

TEST_CASE("runs of changing sizes leave nothing behind") {
  Adam optimizer(0.01);
  Machine m(true, optimizer);
  std::vector<Tensor> x, y;
  for (std::int64_t rows = 1; rows <= 520; ++rows) {  // more sizes than plans are kept
    x.push_back(random_uniform({rows, 16}, {.seed = static_cast<std::uint64_t>(rows)}).draw(0).to_csr());
    y.push_back(ones({rows, 1}));
  }
  Session session(m.g, Device::cpu(), {.threads = 1});
  const auto held = [&](int times) {
    for (int i = 0; i < times; ++i)
      for (std::size_t at = 0; at < x.size(); ++at) session.run(m.error, {{m.X, x[at]}, {m.y, y[at]}});
    return living.load();
  };
  const std::int64_t before = held(2);
  CHECK(held(2) == before);
}

TEST_CASE("plans for many sizes of batches work in the memory of the largest, and are kept") {
  Graph g;
  const Expr x = g.placeholder("x", {any, 200}), W = g.variable("W", ones({200, 200}));
  const Expr y = reduce_sum(square(tanh(matmul(tanh(matmul(x, W)), W))));
  Session session(g, Device::cpu(), {.threads = 1});
  std::vector<Tensor> batches;
  for (std::int64_t rows = 400; rows > 300; --rows) batches.push_back(ones({rows, 200}));
  session.run(y, {{x, batches.front()}});
  const std::int64_t before = allocated_bytes.load();
  const auto all = [&] {
    for (const Tensor& batch : batches) session.run(y, {{x, batch}});
  };
  all();
  CHECK(allocated_bytes.load() - before < 100 * 100'000);  // what each intermediate alone takes is 240,000 and more
  CHECK(allocations_in_run(1, all) == 0);
}

// A run that finds no memory at any one of its allocations throws, changes no variable, and may be repeated.
TEST_CASE("no memory at each allocation of a run, and the session used again") {
  for (const bool sparse : {false, true}) {
    int failed = 0;
    for (std::int64_t number = 0;; number += 1 + number / (thorough() ? 40 : 15)) {
      CAPTURE(sparse);
      CAPTURE(number);
      Adam optimizer(0.01);
      Machine m(sparse, optimizer);
      const Tensor y = ones({3, 1}), dense = random_uniform({3, 16}, {.seed = 1}).draw(0);
      const Tensor x = sparse ? dense.to_csr() : dense;
      const Feeds feeds{{m.X, x}, {m.y, y}};
      Session session(m.g, Device::cpu(), {.threads = 1}), other(m.g, Device::cpu(), {.threads = 1});
      const auto same = [&] {
        const std::vector<Expr> variables = m.g.variables();
        return std::all_of(variables.begin(), variables.end(),
                           [&](const Expr& v) { return session.value(v) == other.value(v); });
      };
      bool threw = false;
      fails = allocations.load() + number;
      try {
        session.run({m.train, m.error}, feeds);
      } catch (const std::bad_alloc&) {
        threw = true;
      } catch (const Error&) {
        threw = true;
      }
      fails = never;
      if (!threw) break;
      ++failed;
      REQUIRE(same());
      for (Session* s : {&session, &other}) s->run({m.train, m.error}, feeds);
      REQUIRE(same());
    }
    CHECK(failed > 50);
  }
}

}  // namespace
}  // namespace gradus
