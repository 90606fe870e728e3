// How much memory ranks need that share out a table: each makes some steps of a factorization machine whose V is
// [ROWS, 16], of batches of so many rows of 39 non-zeros, and says how many bytes it has at most beyond those that it
// had before there was a session. Exits 1 where these are more than its rows of V, and what the optimizer keeps of
// them, and LIMIT times the rows of V that a batch names.
//   mpirun -n 4 gradus_table_memory ROWS BATCH sgd|adagrad LIMIT
#include <gradus/gradus.h>

#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

using namespace gradus;

namespace {

constexpr std::int64_t factors = 16, non_zeros = 39;

// VmHWM, VmRSS: in bytes.
std::int64_t memory(std::string_view which) {
  std::ifstream status("/proc/self/status");
  std::string line;
  while (std::getline(status, line))
    if (line.starts_with(which)) return std::atoll(line.c_str() + which.size() + 1) * 1024;
  return 0;
}

// Rows of which each names features of its own.
Tensor some_rows(std::int64_t count, std::int64_t features, std::int64_t number) {
  std::vector<std::int64_t> start{0}, column;
  auto state = static_cast<std::uint64_t>(number);
  for (std::int64_t r = 0; r < count; ++r) {
    std::vector<std::int64_t> of_row;
    for (std::int64_t i = 0; i < non_zeros; ++i) {
      state = state * 6364136223846793005U + 1442695040888963407U;
      of_row.push_back(static_cast<std::int64_t>((state >> 20) % static_cast<std::uint64_t>(features)));
    }
    std::sort(of_row.begin(), of_row.end());
    of_row.erase(std::unique(of_row.begin(), of_row.end()), of_row.end());
    column.insert(column.end(), of_row.begin(), of_row.end());
    start.push_back(std::ssize(column));
  }
  return Tensor::csr(count, features, std::span<const std::int64_t>(start), std::span<const std::int64_t>(column),
                     std::span<const float>(std::vector<float>(column.size(), 1.0F)));
}

int measured(Communicator& ranks, std::int64_t features, std::int64_t batch, bool slots, double limit) {
  Graph g;
  const Expr X = g.sparse_placeholder("X", {any, features}), y = g.placeholder("y", {any, 1});
  const Expr V = g.variable("V", random_normal({features, factors}, {.stddev = 0.01, .seed = 1}));
  const Expr y_hat = 0.5 * reduce_sum(square(matmul(X, V)) - matmul(square(X), square(V)), 1, keep_dims);  // [n, 1]
  const Expr loss = reduce_mean(square(y - y_hat));
  const Expr train = slots ? Adagrad(0.1).minimize(loss) : GradientDescent(0.1).minimize(loss);
  std::vector<Tensor> batches;
  std::size_t named = 0;
  for (int step = 0; step < 3; ++step) {
    batches.push_back(some_rows(batch, features, 1 + step * ranks.size() + ranks.rank()));
    named = std::max(named, batches.back().pattern()->active_columns()->row.size());
  }
  const Tensor t = ones({batch, 1});
  const std::int64_t before = memory("VmRSS");
  Session session(g, Device::cpu(), ranks, {.threads = 1, .shard_above = 1 << 20});
  for (const Tensor& x : batches) session.run(train, {{X, x}, {y, t}});
  const std::int64_t row = factors * 4, in_all = memory("VmHWM"), peak = in_all - before;
  const std::int64_t own = (features + ranks.size() - 1) / ranks.size() * row * (slots ? 2 : 1);
  const std::int64_t gathered = static_cast<std::int64_t>(named) * row;
  const double times = static_cast<double>(peak - own) / static_cast<double>(gathered);
  double seconds = std::numeric_limits<double>::infinity();  // of the fastest of some more
  for (const Tensor& x : batches) {
    const auto start = std::chrono::steady_clock::now();
    session.run(train, {{X, x}, {y, t}});
    seconds = std::min(seconds, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
  fmt::print(
      "rank {}: {:.1f} MB at most: own rows {:.1f}, {:.1f} gathered, and so {:.2f} times these beside; {:.1f} in all; "
      "a "
      "step takes {:.0f} ms\n",
      ranks.rank(), static_cast<double>(peak) / 1e6, static_cast<double>(own) / 1e6,
      static_cast<double>(gathered) / 1e6, times, static_cast<double>(in_all) / 1e6, seconds * 1e3);
  return times <= limit ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) return 2;
  Communicator ranks = Communicator::mpi();
  return measured(ranks, std::atoll(argv[1]), std::atoll(argv[2]), std::string_view(argv[3]) == "adagrad",
                  std::atof(argv[4]));
}
