// The vectorised functions against libm in more digits, in every version this machine runs: floats over all exponents,
// doubles on a dense sample, and the special values one by one. The limits are those ops/vector_math.h states.
#include "refusal.h"

#include <gradus/core/cpu.h>
#include <gradus/core/kernel/vector_math.h>
#include <gradus/ops/elementwise.h>

#include <doctest/doctest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

using namespace gradus;

namespace {

using Reference = long double (*)(long double);

template <class T>
constexpr T infinity = std::numeric_limits<T>::infinity();

std::vector<Isa> isas() {
  std::vector<Isa> all{Isa::portable};
  for (const Isa isa : {Isa::avx2, Isa::avx512})
    if (isa <= isa_named(nullptr)) all.push_back(isa);
  return all;
}

std::string_view to_string(Isa isa) { return isa == Isa::avx512 ? "avx512" : isa == Isa::avx2 ? "avx2" : "portable"; }

template <class F, class R, class... X>
RowKernel kernel_for(Isa isa) {
  if (isa == Isa::avx512) return row_kernel<Isa::avx512, F, R, X...>;
  return isa == Isa::avx2 ? row_kernel<Isa::avx2, F, R, X...> : row_kernel<Isa::portable, F, R, X...>;
}

struct Function {
  std::string_view name;
  double limit;  // ulp
  Reference exact;
  RowKernel (*of_float)(Isa);
  RowKernel (*of_double)(Isa);
};

template <class F>
Function function(std::string_view name, double limit, F, Reference exact) {
  return {name, limit, exact, kernel_for<F, float, float>, kernel_for<F, double, double>};
}

long double softplus_of(long double x) { return (x > 0 ? x : 0) + std::log1p(std::exp(-std::abs(x))); }

const Function functions[] = {
    function(
        "exp", 1, [](auto x) { return math::exp(x); }, [](long double x) { return std::exp(x); }),
    function(
        "expm1", 1.3, [](auto x) { return math::expm1(x); }, [](long double x) { return std::expm1(x); }),
    function(
        "log", 0.9, [](auto x) { return math::log(x); }, [](long double x) { return std::log(x); }),
    function(
        "log1p", 0.9, [](auto x) { return math::log1p(x); }, [](long double x) { return std::log1p(x); }),
    function(
        "tanh", 1.6, [](auto x) { return math::tanh(x); }, [](long double x) { return std::tanh(x); }),
    function(
        "erf", 1.3, [](auto x) { return math::erf(x); }, [](long double x) { return std::erf(x); }),
    function(
        "sin", 0.6, [](auto x) { return math::sin(x); }, [](long double x) { return std::sin(x); }),
    function(
        "cos", 0.6, [](auto x) { return math::cos(x); }, [](long double x) { return std::cos(x); }),
    function(
        "tan", 0.7, [](auto x) { return math::tan(x); }, [](long double x) { return std::tan(x); }),
    function(
        "sigmoid", 1.3, [](auto x) { return math::sigmoid(x); }, [](long double x) { return 1 / (1 + std::exp(-x)); }),
    function(
        "softplus", 1.7, [](auto x) { return math::softplus(x); }, softplus_of),
    function(
        "log_sigmoid", 1.7, [](auto x) { return math::log_sigmoid(x); },
        [](long double x) { return -softplus_of(-x); }),
};

// |got - exact| in units of the last place a T at exact has. An overflow counts as the first number too great.
template <class T>
double ulps(T got, long double exact) {
  using Limits = std::numeric_limits<T>;
  if (std::isnan(exact) || std::isnan(got)) return std::isnan(exact) && std::isnan(got) ? 0 : infinity<double>;
  const long double first_beyond = std::ldexp(1.0L, Limits::max_exponent);
  const auto bounded = [&](long double v) { return std::max(-first_beyond, std::min(first_beyond, v)); };
  int exponent = 0;
  std::frexp(bounded(exact), &exponent);
  const int last = std::max(exponent, Limits::min_exponent) - Limits::digits;
  return static_cast<double>(std::ldexp(std::abs(bounded(got) - bounded(exact)), -last));
}

template <class T>
struct Worst {
  double error = 0;
  T at = 0;
};

template <class T>
Worst<T> worst(RowKernel kernel, const std::vector<T>& x, Reference exact) {
  std::vector<T> y(x.size());
  const void* const in[] = {x.data()};
  kernel(in, 0, y.data(), static_cast<std::int64_t>(x.size()));
  Worst<T> w;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double error = ulps(y[i], exact(x[i]));
    if (!(error <= w.error)) w = {error, x[i]};
  }
  return w;
}

// Every float of the 2^32 whose bits are a multiple of an odd step.
std::vector<float> floats() {
  std::vector<float> all;
  for (std::uint64_t bits = 0; bits < (std::uint64_t{1} << 32U); bits += 16411)
    all.push_back(std::bit_cast<float>(static_cast<std::uint32_t>(bits)));
  return all;
}

// Doubles of all exponents, and many where the functions bend: near 0, near 1, and as far as exp reaches.
std::vector<double> doubles() {
  std::vector<double> all;
  std::mt19937_64 random(1);
  std::uniform_real_distribution<double> unit(-1, 1);
  for (int i = 0; i < 40000; ++i) {
    all.push_back(std::bit_cast<double>(random()));
    all.push_back(std::ldexp(unit(random), static_cast<int>(random() % 64) - 60));
    all.push_back(1 + unit(random) / 2);
    for (const double width : {1.5, 40.0, 750.0}) all.push_back(width * unit(random));
  }
  return all;
}

float power_of(RowKernel kernel, float x, float y) {
  const void* const in[] = {&x, &y};
  float power = 0;
  kernel(in, 0, &power, 1);
  return power;
}

constexpr auto power = [](auto x, auto y) { return math::pow(x, y); };
using Power = std::remove_const_t<decltype(power)>;

}  // namespace

TEST_CASE("vector functions of floats are right to what they state") {
  const std::vector<float> x = floats();
  for (const Isa isa : isas()) {
    for (const Function& f : functions) {
      const Worst<float> w = worst(f.of_float(isa), x, f.exact);
      INFO(f.name, " (", to_string(isa), ") is ", w.error, " ulp off at ", w.at);
      CHECK(w.error <= f.limit);
    }
  }
}

TEST_CASE("vector functions of doubles are right to what they state") {
  const std::vector<double> x = doubles();
  for (const Isa isa : isas()) {
    for (const Function& f : functions) {
      const Worst<double> w = worst(f.of_double(isa), x, f.exact);
      INFO(f.name, " (", to_string(isa), ") is ", w.error, " ulp off at ", w.at);
      CHECK(w.error <= f.limit);
    }
  }
}

TEST_CASE_TEMPLATE("vector functions have libm's special values", T, float, double) {
  using Limits = std::numeric_limits<T>;
  const std::vector<T> x = {T(0),
                            -T(0),
                            T(1),
                            T(-1),
                            infinity<T>,
                            -infinity<T>,
                            Limits::max(),
                            -Limits::max(),
                            Limits::min(),
                            -Limits::min(),
                            Limits::denorm_min(),
                            -Limits::denorm_min(),
                            Limits::quiet_NaN()};
  std::vector<T> y(x.size());
  const void* const in[] = {x.data()};
  for (const Isa isa : isas()) {
    for (const Function& f : functions) {
      (sizeof(T) == sizeof(float) ? f.of_float(isa) : f.of_double(isa))(in, 0, y.data(),
                                                                        static_cast<std::int64_t>(x.size()));
      for (std::size_t i = 0; i < x.size(); ++i) {
        const T exact = static_cast<T>(f.exact(x[i]));
        INFO(f.name, " (", to_string(isa), ") of ", x[i], " is ", y[i], ", not ", exact);
        if (std::isfinite(exact)) {
          CHECK(ulps(y[i], exact) <= f.limit + 0.5);
          if (x[i] == 0) CHECK(std::signbit(y[i]) == std::signbit(exact));
        } else {
          CHECK(ulps(y[i], exact) == 0);
        }
      }
    }
  }
}

TEST_CASE("float pow is right to what it states") {
  std::mt19937 random(1);
  std::uniform_real_distribution<float> unit(-1, 1);
  for (const Isa isa : isas()) {
    const RowKernel kernel = kernel_for<Power, float, float, float>(isa);
    Worst<float> w;
    float exponent = 0;
    const auto measure = [&](float x, float y) {
      const double error = ulps(power_of(kernel, x, y), std::pow(static_cast<long double>(x), y));
      if (!(error <= w.error)) {
        w = {error, x};
        exponent = y;
      }
    };
    for (int i = 0; i < 100000; ++i) {
      const auto any_float = [&] { return std::bit_cast<float>(static_cast<std::uint32_t>(random())); };
      measure(any_float(), any_float());
      measure(std::exp2(140 * unit(random)), 10 * unit(random));
      measure(1 + unit(random) / 100, 10000 * unit(random));
      measure(-std::exp2(20 * unit(random)), std::rint(10 * unit(random)));
    }
    INFO("pow (", to_string(isa), ") is ", w.error, " ulp off at ", w.at, ", ", exponent);
    CHECK(w.error <= 0.6);
  }
}

TEST_CASE("float pow has libm's special values") {
  constexpr float special[] = {0,
                               -0.0F,
                               1,
                               -1,
                               2,
                               -2,
                               0.5F,
                               -0.5F,
                               1.5F,
                               -1.5F,
                               3,
                               -3,
                               1e9F,
                               -1e9F,
                               16777215,
                               infinity<float>,
                               -infinity<float>,
                               std::numeric_limits<float>::quiet_NaN()};
  for (const Isa isa : isas()) {
    const RowKernel kernel = kernel_for<Power, float, float, float>(isa);
    for (const float x : special) {
      for (const float y : special) {
        const float exact = std::pow(x, y), got = power_of(kernel, x, y);
        INFO("pow(", x, ", ", y, ") (", to_string(isa), ") is ", got, ", not ", exact);
        CHECK(ulps(got, exact) <= 1);
        if (!std::isnan(exact)) CHECK(std::signbit(got) == std::signbit(exact));
      }
    }
  }
}

TEST_CASE("a number beside arrays counts as an array of equal numbers") {
  const auto f = [](double a, bool b, float c) { return b ? a : static_cast<double>(c); };
  using F = std::remove_const_t<decltype(f)>;
  for (const std::int64_t n : {1, 7, 255, 256, 257, 1000}) {
    const auto size = static_cast<std::size_t>(n);
    std::vector<double> a(size), y(size);
    std::vector<std::uint8_t> b(size);
    std::vector<float> c(size);
    for (std::size_t i = 0; i < size; ++i) {
      a[i] = static_cast<double>(i);
      b[i] = i % 3 == 0 ? 1 : 0;
      c[i] = -static_cast<float>(i);
    }
    const void* const in[] = {a.data(), b.data(), c.data()};
    for (unsigned scalars = 0; scalars < 8; ++scalars) {
      for (const Isa isa : isas()) {
        kernel_for<F, double, double, bool, float>(isa)(in, scalars, y.data(), n);
        int wrong = 0;
        for (std::size_t i = 0; i < size; ++i) {
          const auto at = [&](unsigned operand) { return ((scalars >> operand) & 1U) != 0 ? 0 : i; };
          if (y[i] != f(a[at(0)], b[at(1)] != 0, c[at(2)])) ++wrong;
        }
        CAPTURE(n);
        CAPTURE(scalars);
        CHECK(wrong == 0);
      }
    }
  }
}

TEST_CASE("GRADUS_ISA names what the loops use") {
  CHECK(isa_named("portable") == Isa::portable);
  CHECK(refusal<ValueError>([] { isa_named("sse9"); }) ==
        "GRADUS_ISA is \"sse9\"; portable, avx2 or avx512 is expected");
  for (const Isa isa : {Isa::avx2, Isa::avx512}) {
    const std::string name(to_string(isa));
    if (isa <= isa_named(nullptr)) {
      CHECK(isa_named(name.c_str()) == isa);
    } else {
      CHECK(refusal<ValueError>([&] { isa_named(name.c_str()); }) ==
            "GRADUS_ISA is " + name + ", which this machine does not have; portable runs everywhere");
    }
  }
}
