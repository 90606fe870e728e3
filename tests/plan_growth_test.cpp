// The time to make a plan grows with the graph and no faster, and its depth does not matter. No clock is asked: what a
// plan of thousands of nodes needs is compared, in processor time of this thread, with that of small plans of a
// sixteenth of the size, and may be four times as much as theirs together; what grew with the square would be beyond.
#include "sanitized.h"
#include "thorough.h"

#include <gradus/core/at.h>
#include <gradus/gradus.h>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <pthread.h>

#include <algorithm>
#include <ctime>
#include <functional>
#include <string>
#include <vector>

namespace gradus {
namespace {

// A graph of about `size` nodes, and what is fetched of it.
struct GrowingGraph {
  std::string name;
  std::function<Expr(Graph& g, const Expr& X, int size)> make;
};

Expr table(Graph& g) { return g.variable("table", random_normal({50, 4}, {.stddev = 0.1, .seed = 1})); }

const std::vector<GrowingGraph> all_kinds{
    {"a chain",
     [](Graph& g, const Expr&, int size) {
       Expr e = table(g);
       for (int i = 0; i < size; ++i) e = i % 2 == 0 ? tanh(e) : e * 0.9;
       return reduce_sum(e);
     }},
    {"the gradient of a chain",
     [](Graph& g, const Expr&, int size) {
       const Expr v = table(g);
       Expr e = v;
       for (int i = 0; i < size / 4; ++i) e = i % 2 == 0 ? tanh(e) : e * 0.9;
       return gradients(reduce_sum(e), {v})[0];
     }},
    {"diamonds",
     [](Graph& g, const Expr&, int size) {
       Expr e = table(g);
       for (int i = 0; i < size; ++i) e = e * e;
       return reduce_sum(e);
     }},
    {"diamonds of sums",
     [](Graph& g, const Expr&, int size) {
       Expr e = table(g);
       for (int i = 0; i < size / 3; ++i) e = 0.4 * e + 0.5 * e;
       return reduce_sum(e);
     }},
    {"dense products",
     [](Graph& g, const Expr&, int size) {
       const Expr a = g.variable("a", random_normal({8, 8}, {.stddev = 0.1, .seed = 1}));
       Expr e = a;
       for (int i = 0; i < size / 2; ++i) e = matmul(a, e) + a;
       return reduce_sum(e);
     }},
    {"a chain over a table, used sparsely",
     [](Graph& g, const Expr& X, int size) {
       Expr e = table(g);
       for (int i = 0; i < size; ++i) e = square(e);
       return matmul(X, e);
     }},
    {"diamonds over a table, used sparsely",
     [](Graph& g, const Expr& X, int size) {
       Expr e = table(g);
       for (int i = 0; i < size; ++i) e = e * e;
       return matmul(X, e);
     }},
    {"Adam on a table under a chain, used sparsely",
     [](Graph& g, const Expr& X, int size) {
       Expr e = table(g);
       for (int i = 0; i < size / 5; ++i) e = tanh(e);
       return Adam(0.1).minimize(reduce_sum(matmul(X, e)));
     }},
    {"the gradient of look-ups in one table by many indices",
     [](Graph& g, const Expr&, int size) {
       const Expr v = table(g);
       Expr sum = reduce_sum(v);
       for (int i = 0; i < size / 12; ++i)
         sum = sum + reduce_sum(square(gather(v, g.constant(Tensor({i % 50, i / 50 % 50, 3 * i % 50}, int32)))));
       return to_dense(gradients(sum, {v})[0]);
     }},
    {"many sparse products of one table",
     [](Graph& g, const Expr& X, int size) {
       const Expr v = table(g);
       Expr loss = reduce_sum(v);
       for (int i = 0; i < size / 16; ++i) loss = loss + reduce_sum(square(matmul(X, v * (1.0 + i))));
       return Adagrad(0.1).minimize(loss);
     }},
    {"many variables under Adam",
     [](Graph& g, const Expr&, int size) {
       Expr loss = g.constant(0.0F);
       for (int i = 0; i < size / 32; ++i) {
         const Expr v = g.variable(fmt::format("v{}", i), zeros({40}));
         loss = loss + reduce_sum(square(v - 1));
       }
       return Adam(0.01).minimize(loss);
     }},
    {"many tables under Adam, used sparsely",
     [](Graph& g, const Expr& X, int size) {
       Expr loss = g.constant(0.0F);
       for (int i = 0; i < size / 38; ++i) {
         const Expr v = g.variable(fmt::format("v{}", i), zeros({50, 4}));
         loss = loss + reduce_sum(square(matmul(X, v)));
       }
       return Adam(0.01).minimize(loss);
     }},
};

double processor_seconds() {
  timespec now{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

Tensor some_rows() {
  Tensor x = full({20, 50}, 0);
  auto* const to = reinterpret_cast<float*>(x.writable_data());
  for (std::size_t r = 0; r < 20; ++r)
    for (std::size_t j = 0; j < 3; ++j) to[r * 50 + (r * 7 + j * 11) % 50] = 1;
  return x.to_csr();
}

// The least time of a first run: it makes the plan.
double seconds_of_first_run(const GrowingGraph& kind, int size, int times) {
  const Tensor x = some_rows();
  double least = 1e9;
  for (int i = 0; i < times; ++i) {
    Graph g;
    const Expr X = g.sparse_placeholder("X", {any, 50});
    const Expr fetch = kind.make(g, X, size);
    Session session(g, Device::cpu(), {.threads = 1});
    const double begin = processor_seconds();
    session.run(fetch, {{X, x}});
    least = std::min(least, processor_seconds() - begin);
  }
  return least;
}

TEST_CASE("the time to make a plan grows as the graph does") {
  for (const GrowingGraph& kind : all_kinds) {
    CAPTURE(kind.name);
    const int times = thorough() ? 16 : 8;
    const double small = seconds_of_first_run(kind, 1000, 5), large = seconds_of_first_run(kind, times * 1000, 1);
    CHECK(large < 4 * times * small);
  }
}

// What called itself once for each of so many nodes would need more stack than this thread has.
TEST_CASE("no graph is too deep") {
  pthread_attr_t attributes;
  ::pthread_attr_init(&attributes);
  REQUIRE(::pthread_attr_setstacksize(&attributes, std::size_t{sanitized ? 1024 : 256} << 10) == 0);
  int done = 0;
  pthread_t thread{};
  REQUIRE(::pthread_create(
              &thread, &attributes,
              [](void* count) -> void* {
                for (const GrowingGraph& kind : all_kinds) {
                  seconds_of_first_run(kind, thorough() ? 20'000 : 8'000, 1);
                  ++*static_cast<int*>(count);
                }
                return nullptr;
              },
              &done) == 0);
  ::pthread_join(thread, nullptr);
  ::pthread_attr_destroy(&attributes);
  CHECK(done == std::ssize(all_kinds));
}

}  // namespace
}  // namespace gradus
