// Row kernels over 1024 elements in L1, one thread: each function as a loop over libm, as compiled for any machine, for
// AVX2 and for AVX-512. Time per element is the inverse of items_per_second. Run: gradus_bench --benchmark_filter=^row
#include <gradus/core/cpu.h>
#include <gradus/core/kernel/vector_math.h>
#include <gradus/ops/elementwise.h>
#include <gradus/ops/reduce_kernel.h>

#include <benchmark/benchmark.h>

#include <cmath>
#include <string>
#include <vector>

using namespace gradus;

namespace {

constexpr std::int64_t row_size = 1024;

template <class T>
std::vector<T> numbers(T least, T greatest) {
  std::vector<T> x(row_size);
  for (std::size_t j = 0; j < x.size(); ++j)
    x[j] = least + (greatest - least) * static_cast<T>(j * 7919 % x.size()) / static_cast<T>(x.size());
  return x;
}

template <class T>
void run(const std::string& name, RowKernel kernel, double least, double greatest, unsigned scalars = 0) {
  benchmark::RegisterBenchmark(("row_" + name).c_str(), [=](benchmark::State& state) {
    const std::vector<T> x = numbers(static_cast<T>(least), static_cast<T>(greatest));
    const std::vector<T> x2 = numbers(T(-3), T(3)), x3 = numbers(T(1), T(2));
    std::vector<T> y(x.size());
    const void* const in[] = {x.data(), x2.data(), x3.data()};
    for (auto _ : state) {
      kernel(in, scalars, y.data(), row_size);
      benchmark::DoNotOptimize(y.data());
      benchmark::ClobberMemory();
    }
    state.SetItemsProcessed(state.iterations() * row_size);
  });
}

// All versions of a formula; X... are its operands' types.
template <class F, class T, class... X>
void versions(const std::string& name, F, double least, double greatest, unsigned scalars = 0) {
  run<T>(name + "/portable", row_kernel<Isa::portable, F, T, X...>, least, greatest, scalars);
  if (isa_named(nullptr) >= Isa::avx2)
    run<T>(name + "/avx2", row_kernel<Isa::avx2, F, T, X...>, least, greatest, scalars);
  if (isa_named(nullptr) >= Isa::avx512)
    run<T>(name + "/avx512", row_kernel<Isa::avx512, F, T, X...>, least, greatest, scalars);
}

template <class T, class Ours, class Libm>
void function(const std::string& name, Ours ours, Libm, double least, double greatest) {
  run<T>(name + "/libm", row_kernel<Isa::portable, Libm, T, T>, least, greatest);
  versions<Ours, T, T>(name, ours, least, greatest);
}

template <class T>
void functions(const std::string& dtype) {
  function<T>(
      "exp/" + dtype, [](T x) { return math::exp(x); }, [](T x) { return std::exp(x); }, -20, 20);
  function<T>(
      "expm1/" + dtype, [](T x) { return math::expm1(x); }, [](T x) { return std::expm1(x); }, -20, 20);
  function<T>(
      "log/" + dtype, [](T x) { return math::log(x); }, [](T x) { return std::log(x); }, 0.01, 20);
  function<T>(
      "log1p/" + dtype, [](T x) { return math::log1p(x); }, [](T x) { return std::log1p(x); }, -0.9, 20);
  function<T>(
      "tanh/" + dtype, [](T x) { return math::tanh(x); }, [](T x) { return std::tanh(x); }, -4, 4);
  function<T>(
      "sigmoid/" + dtype, [](T x) { return math::sigmoid(x); },
      [](T x) {
        const T e = std::exp(-std::abs(x));
        return (x >= 0 ? T(1) : e) / (1 + e);
      },
      -20, 20);
  function<T>(
      "softplus/" + dtype, [](T x) { return math::softplus(x); },
      [](T x) { return (x > 0 ? x : T(0)) + std::log1p(std::exp(-std::abs(x))); }, -20, 20);
  const auto power = [](T x, T y) { return std::pow(x, y); };
  run<T>("pow/" + dtype + "/libm", row_kernel<Isa::portable, std::remove_const_t<decltype(power)>, T, T, T>, 0.01, 20);
  versions<decltype([](T x, T y) { return math::pow(x, y); }), T, T, T>("pow/" + dtype, {}, 0.01, 20);

  using Add = decltype([](T a, T b) { return a + b; });
  versions<Add, T, T, T>("add/" + dtype, {}, -1, 1);
  versions<Add, T, T, T>("add_number/" + dtype, {}, -1, 1, 2);
  versions<decltype([](T x, T y) { return x / std::sqrt(y * y); }), T, T, T>("divide_by_root/" + dtype, {}, 1, 9);
  versions<decltype([](T x) { return std::floor(x); }), T, T>("floor/" + dtype, {}, -9, 9);
  versions<decltype([](T x, T low, T high) { return x < low    ? low
                                                    : x > high ? high
                                                               : x; }), T, T, T, T>(
      "clip_numbers/" + dtype, {}, -9, 9, 6);
}

template <class T>
void sum(const std::string& dtype) {
  using Run = gradus::detail::ReduceRun<Sum<T>, T>;
  using Result = typename Sum<T>::Wide;
  const auto run = [](const std::string& name, Result (*reduce)(const T*, std::int64_t)) {
    benchmark::RegisterBenchmark(("row_" + name).c_str(), [=](benchmark::State& state) {
      const std::vector<T> x = numbers(T(-1), T(1));
      for (auto _ : state) benchmark::DoNotOptimize(reduce(x.data(), row_size));
      state.SetItemsProcessed(state.iterations() * row_size);
    });
  };
  run("sum/" + dtype + "/portable", compiled_for<Isa::portable, Run, const T*, std::int64_t>());
  if (isa_named(nullptr) >= Isa::avx2)
    run("sum/" + dtype + "/avx2", compiled_for<Isa::avx2, Run, const T*, std::int64_t>());
  if (isa_named(nullptr) >= Isa::avx512)
    run("sum/" + dtype + "/avx512", compiled_for<Isa::avx512, Run, const T*, std::int64_t>());
}

const bool registered = [] {
  functions<float>("float32");
  functions<double>("float64");
  sum<float>("float32");
  sum<double>("float64");
  return true;
}();

}  // namespace
