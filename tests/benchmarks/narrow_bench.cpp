// Narrow products beside OpenBLAS's, in tiles of a tall X [4096, 2623], one thread: X V, where each tile is read from
// memory, and X^T D, where it is the same tile again, as a training step finds it in the cache after the first. The
// third that takes turns is a loop of multiply-adds in registers, the most that the core has to give just then.
// gflops and blas_gflops are medians; times_blas and of_peak are medians of the rounds' ratios. The fourth is gemm(),
// which chooses: where it takes OpenBLAS, gemm_times_blas is about 1. Run: gradus_bench --benchmark_filter=^narrow
#include "measure.h"

#include <gradus/core/cpu.h>
#include <gradus/core/workers.h>
#include <gradus/ops/gemm.h>
#include <gradus/ops/narrow_gemm.h>
#include <gradus/ops/simd_row.h>

#include <cblas.h>
#include <fmt/core.h>

#include <vector>

namespace bench {

using namespace gradus;

namespace {

constexpr std::int64_t rows = 4096, p = 2623;

struct MultiplyAdds {
  static constexpr int held = 12;  // more than the two units' latency needs
  using V = gradus::detail::Vectors<float>::Wide;
  static constexpr double flops = 2.0 * held * sizeof(V) / sizeof(float);

  [[gnu::always_inline]] static float run(std::int64_t count, float x) {
    V sum[held];
    for (int j = 0; j < held; ++j) sum[j] = V{} + static_cast<float>(j);  // equal ones would be computed once
    for (std::int64_t i = 0; i < count; ++i)
      for (int j = 0; j < held; ++j) sum[j] = sum[j] * x + x;
    V all = {};
    for (int j = 0; j < held; ++j) all += sum[j];
    return all[0];
  }
};

float multiply_adds(std::int64_t count, float x) {
  return compiled_here<MultiplyAdds, std::int64_t, float>()(count, x);
}

void narrow(benchmark::State& state, bool transpose, std::int64_t tile, std::int64_t n) {
  openblas_set_num_threads(1);
  static const std::vector<float> X(rows * p, 0.5F);  // [rows, p]
  const std::int64_t m = transpose ? p : tile;
  const std::int64_t k = transpose ? tile : p;
  const std::vector<float> b(static_cast<std::size_t>(k * n), 0.25F);  // [k, n]
  std::vector<float> c(static_cast<std::size_t>(m * n));               // [m, n]
  std::int64_t at = 0;
  const auto by_tiles = [&](auto product) -> Steps {
    return [&, product](std::int64_t count) {
      for (std::int64_t i = 0; i < count; ++i) {
        if (!transpose) at = at + 2 * tile <= rows ? at + tile : 0;
        product(X.data() + at * p);
        benchmark::DoNotOptimize(c.data());
        benchmark::ClobberMemory();
      }
    };
  };
  Workers workers(1);
  const Steps ours =
      by_tiles([&](const float* x) { narrow_gemm(isa(), m, n, k, x, p, transpose, b.data(), c.data(), transpose); });
  const Steps blas = by_tiles([&](const float* x) {
    const auto size = static_cast<blasint>(n);
    cblas_sgemm(CblasRowMajor, transpose ? CblasTrans : CblasNoTrans, CblasNoTrans, static_cast<blasint>(m), size,
                static_cast<blasint>(k), 1, x, p, b.data(), size, transpose ? 1.0F : 0.0F, c.data(), size);
  });
  const Steps chosen =
      by_tiles([&](const float* x) { gemm(workers, m, n, k, x, transpose, b.data(), false, c.data(), transpose); });
  const Steps peak = [](std::int64_t count) { benchmark::DoNotOptimize(multiply_adds(count * 1000, 0.5F)); };
  const double flops = 2.0 * static_cast<double>(m * n * k);
  for (auto _ : state) {
    const auto times = take_turns({ours, blas, peak, chosen}, {.rounds = 31, .burst = 0.004});
    state.SetIterationTime(median(times[0]));
    state.counters["gflops"] = flops / median(times[0]) * 1e-9;
    state.counters["blas_gflops"] = flops / median(times[1]) * 1e-9;
    state.counters["times_blas"] = median_ratio(times[1], times[0]);
    state.counters["gemm_times_blas"] = median_ratio(times[1], times[3]);
    state.counters["of_peak"] = median_ratio(times[2], times[0]) * flops / (1000 * MultiplyAdds::flops);
  }
}

}  // namespace

void add_narrow_rows() {
  for (const bool transpose : {false, true})
    for (const std::int64_t tile : {16, 64, 1024})
      for (const std::int64_t n : {1, 2, 3, 4, 8, 16, 20, 32, 64})
        benchmark::RegisterBenchmark(
            fmt::format("narrow {}/rows:{}/n:{}", transpose ? "X^T D" : "X V", tile, n).c_str(), narrow, transpose,
            tile, n)
            ->Iterations(1)
            ->UseManualTime();
}

}  // namespace bench
