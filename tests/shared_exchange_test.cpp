// What ranks exchange of tables whose rows they share out: slices where a batch names many rows, and rows that are
// changed but not read; to the bits of a session in which every rank has all of them.
#include "ranks_of_threads.h"
#include "thorough.h"
#include "trainings_of_ranks.h"

#include <gradus/gradus.h>

#include <doctest/doctest.h>

#include <algorithm>
#include <vector>

using namespace gradus;
using namespace trainings_of_ranks;

TEST_CASE("tables of which a batch names many rows are exchanged in slices, to the same bits") {
  constexpr std::int64_t features = 60000, k = 64, count = 512, non_zeros = 150;
  const auto trained = [&](const Communicator* rank, std::int64_t shard_above, std::int64_t period) {
    Graph g;
    const Expr X = g.sparse_placeholder("X", {any, features}), y = g.placeholder("y", {any, 1});
    const Expr V = g.variable("V", random_normal({features, k}, {.stddev = 0.1, .seed = 1}));
    const Expr W = g.variable("W", zeros({features}));
    const Expr y_hat = reduce_sum(W * X, 1, keep_dims) + reduce_sum(square(matmul(X, V)), 1, keep_dims);
    const Expr train = Adagrad(0.1).minimize(reduce_mean(square(y - y_hat)));
    const SessionOptions options{.threads = 1, .pieces = 8, .shard_above = shard_above};
    Session session = rank != nullptr ? Session(g, Device::cpu(), *rank, options) : Session(g, Device::cpu(), options);
    for (std::int64_t step = 0; step < 2; ++step) {
      std::vector<std::int64_t> start{0}, column;
      for (std::int64_t r = 0; r < count; ++r) {
        for (std::int64_t i = 0; i < non_zeros; ++i)
          column.push_back((step * 7919 + r % period + i * (features / non_zeros)) % features);
        std::sort(column.end() - non_zeros, column.end());
        start.push_back(std::ssize(column));
      }
      const Tensor x = Tensor::csr(count, features, start, column, std::vector<float>(column.size(), 0.1F));
      const auto [first, own] = session.rows_of(count);
      session.run(train, {{X, x.row_range(first, own)}, {y, ones({own, 1})}});
    }
    return std::vector<Tensor>{session.value(V), session.value(W)};
  };
  // Pieces that share few rows, and pieces that share most.
  for (const std::int64_t period : thorough() ? std::vector<std::int64_t>{512, 128} : std::vector<std::int64_t>{512}) {
    const auto whole = on_ranks<std::vector<Tensor>>(
        2, [&](const Communicator& rank) { return trained(&rank, std::int64_t{1} << 30, period); });
    for (const int ranks : thorough() ? std::vector{2, 4} : std::vector{4}) {
      const auto all = on_ranks<std::vector<Tensor>>(
          ranks, [&](const Communicator& rank) { return trained(&rank, 1 << 16, period); });
      for (const std::string& error : all.error) REQUIRE_EQ(error, "");
      for (const std::vector<Tensor>& each : all.result)
        for (std::size_t i = 0; i < each.size(); ++i) CHECK((each[i] == whole.result[0][i]));
    }
  }
}

TEST_CASE("a table whose rows are changed and not read is shared out") {
  const auto trained = [&](const Communicator& rank, std::int64_t shard_above) {
    Graph g;
    const Expr X = g.sparse_placeholder("X", {any, 40});
    const Expr W = g.variable("W", random_normal({40, 2}, {.stddev = 0.1, .seed = 1}));
    const Expr train = GradientDescent(0.5).minimize(reduce_sum(matmul(X, W)));
    Session session(g, Device::cpu(), rank, {.threads = 1, .pieces = 4, .shard_above = shard_above});
    const Rows rows = some_rows(16, true);
    std::vector<std::int64_t> start(rows.x.pattern()->row_start.begin(), rows.x.pattern()->row_start.end());
    std::vector<std::int64_t> column(rows.x.pattern()->column.begin(), rows.x.pattern()->column.end());
    const Tensor x = Tensor::csr(16, 40, start, column, std::vector<float>(column.size(), 0.3F));
    const auto [first, own] = session.rows_of(16);
    session.run(train, {{X, x.row_range(first, own)}});
    return session.value(W);
  };
  const auto whole =
      on_ranks<Tensor>(2, [&](const Communicator& rank) { return trained(rank, std::int64_t{1} << 30); });
  const auto shared = on_ranks<Tensor>(2, [&](const Communicator& rank) { return trained(rank, 16); });
  for (const std::string& error : shared.error) REQUIRE_EQ(error, "");
  CHECK((shared.result[0] == whole.result[0]));
}
