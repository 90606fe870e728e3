// How the cost of a training step on a mini-batch grows: with the number of factors, of non-zeros in a row, of features
// (it must not, beyond what the caches take), and of rows in a batch. Batches are made ahead of time; no loop beside.
#include "batches.h"

#include <algorithm>
#include <string>

namespace bench {

namespace {

// One of these is varied, the others stay.
struct Size {
  std::int64_t factors = 16;
  std::int64_t non_zeros = 10;  // in a row
  std::int64_t features = 100000;
  std::int64_t batch = 1024;
};

void batch_step(benchmark::State& state, const Size& size) {
  // V and its accumulator, each with its initial value
  if (!memory_suffices(state, 1 + static_cast<double>(size.features * (size.factors + 1)) * 16e-9)) return;
  // However many features there are, as many occur.
  const DataSet data = zipf({.rows = std::max<std::int64_t>(8192, 8 * size.batch),
                             .fields = size.non_zeros,
                             .features = size.features,
                             .used = 10000,
                             .binary = false});
  Training gradus(tensors_of(data), {.factors = size.factors, .batch = size.batch});
  const Steps steps = gradus.steps();
  steps(gradus.count());
  for (auto _ : state) steps(1);
  state.SetItemsProcessed(state.iterations() * size.batch);
}

}  // namespace

void add_scaling_rows() {
  const auto add = [](const std::string& by, std::int64_t value, const Size& size) {
    const std::string name = "batch step by " + by + "/" + std::to_string(value);
    benchmark::RegisterBenchmark(name.c_str(), batch_step, size)->Unit(benchmark::kMicrosecond)->UseRealTime();
  };
  for (const std::int64_t k : {4, 8, 16, 20, 32, 64}) add("factors", k, {.factors = k});
  for (const std::int64_t n : {2, 10, 39, 100}) add("non-zeros", n, {.non_zeros = n});
  for (const std::int64_t p : {10000, 100000, 1000000, 10000000}) add("features", p, {.features = p});
  for (const std::int64_t n : {64, 256, 1024, 4096, 8192}) add("batch", n, {.batch = n});
}

}  // namespace bench
