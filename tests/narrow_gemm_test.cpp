// Narrow matrix products beside a triple loop in double: all widths, odd sizes, both products, all instruction sets;
// that nothing outside the arrays is read or written; that cutting a product into pieces of rows changes no bit.
#include "guarded_numbers.h"
#include "thorough.h"

#include <gradus/core/cpu.h>
#include <gradus/core/workers.h>
#include <gradus/ops/gemm.h>
#include <gradus/ops/narrow_gemm.h>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

namespace gradus {
namespace {

std::vector<Isa> sets() {
  std::vector<Isa> all{Isa::portable};
  for (const Isa isa : {Isa::avx2, Isa::avx512})
    if (isa <= isa_named(nullptr)) all.push_back(isa);
  return all;
}

struct Case {
  std::int64_t m, n, k;
  bool transpose_a, add;
};

// The greatest error of c, in units of the least digit times sqrt(k + 1). OpenBLAS is off by 1.2 of them at k = 700.
template <class T>
double error_of(const Case& of, const GuardedNumbers<T>& a, std::int64_t stride, const GuardedNumbers<T>& b,
                const GuardedNumbers<T>& before, const GuardedNumbers<T>& c) {
  double worst = 0;
  for (std::int64_t i = 0; i < of.m; ++i)
    for (std::int64_t j = 0; j < of.n; ++j) {
      double sum = of.add ? static_cast<double>(before.data()[i * of.n + j]) : 0;
      for (std::int64_t l = 0; l < of.k; ++l)
        sum += static_cast<double>(a.data()[of.transpose_a ? l * stride + i : i * stride + l]) *
               static_cast<double>(b.data()[l * of.n + j]);
      const double off = std::abs(static_cast<double>(c.data()[i * of.n + j]) - sum);
      if (!(off <= worst)) worst = off;  // not-a-number as well
    }
  return worst / (static_cast<double>(std::numeric_limits<T>::epsilon()) * std::sqrt(static_cast<double>(of.k) + 1));
}

template <class T>
void check(const Case& of) {
  // A part of a wider matrix: the rows of a are further apart than they are long.
  const std::int64_t length = of.transpose_a ? of.m : of.k, stride = length + 3;
  const std::int64_t lines = of.transpose_a ? of.k : of.m;
  GuardedNumbers<T> a(lines == 0 ? 0 : (lines - 1) * stride + length, 1);
  for (std::int64_t line = 1; line < lines; ++line)
    std::fill_n(a.data() + line * stride - 3, 3, std::numeric_limits<T>::quiet_NaN());
  const GuardedNumbers<T> b(of.k * of.n, 2), before(of.m * of.n, 3);
  for (const Isa isa : sets()) {
    GuardedNumbers<T> c = before;
    narrow_gemm(isa, of.m, of.n, of.k, a.data(), stride, of.transpose_a, b.data(), c.data(), of.add);
    CAPTURE(of.m);
    CAPTURE(of.n);
    CAPTURE(of.k);
    CAPTURE(of.transpose_a);
    CAPTURE(of.add);
    CAPTURE(static_cast<int>(isa));
    CAPTURE(sizeof(T));
    CHECK(error_of(of, a, stride, b, before, c) <= 2);
    CHECK(c.unharmed());
  }
}

void check_all_ways(std::int64_t m, std::int64_t n, std::int64_t k) {
  for (const bool transpose_a : {false, true})
    for (const bool add : {false, true}) {
      check<float>({m, n, k, transpose_a, add});
      check<double>({m, n, k, transpose_a, add});
    }
}

TEST_CASE("narrow products of all widths") {
  for (std::int64_t n = 1; n <= 64; ++n) check_all_ways(17, n, 23);
}

TEST_CASE("narrow products of odd sizes") {
  for (const std::int64_t n : {1, 2, 3, 4, 5, 8, 13, 20, 33})
    for (const std::int64_t m : {0, 1, 2, 3, 5, 6, 7, 8, 13})
      for (const std::int64_t k : {0, 1, 2, 3, 4, 5, 7, 9, 17}) check_all_ways(m, n, k);
}

// Sizes beyond the blocks that stay in the cache.
TEST_CASE("long narrow products") {
  for (const std::int64_t n : {1, 3, 20, 64}) {
    if (n == 64 && !thorough()) continue;
    check_all_ways(101, n, 4500);
    check_all_ways(4500, n, 37);
  }
}

TEST_CASE("infinities spoil their own row and column only") {
  const float infinity = std::numeric_limits<float>::infinity();
  for (const Isa isa : sets())
    for (const bool transpose_a : {false, true})
      for (const std::int64_t n : {1, 2, 3, 4, 20}) {
        constexpr std::int64_t m = 7, k = 11;
        std::vector<float> a(m * k, 1), b(static_cast<std::size_t>(k * n), 1), c(static_cast<std::size_t>(m * n));
        a[transpose_a ? 2 * m + 3 : 3 * k + 2] = infinity;  // row 3
        narrow_gemm(isa, m, n, k, a.data(), transpose_a ? m : k, transpose_a, b.data(), c.data(), false);
        for (std::int64_t i = 0; i < m * n; ++i)
          CHECK(c[static_cast<std::size_t>(i)] == (i / n == 3 ? infinity : static_cast<float>(k)));
      }
}

template <class T>
void check_gemm(const Case& of) {
  const GuardedNumbers<T> a(of.m * of.k, 1), b(of.k * of.n, 2), before(of.m * of.n, 3);
  GuardedNumbers<T> one = before, three = before;
  Workers alone(1), several(3);
  gemm(alone, of.m, of.n, of.k, a.data(), of.transpose_a, b.data(), false, one.data(), of.add);
  gemm(several, of.m, of.n, of.k, a.data(), of.transpose_a, b.data(), false, three.data(), of.add);
  CAPTURE(of.m);
  CAPTURE(of.n);
  CAPTURE(of.transpose_a);
  const auto end = one.data() + of.m * of.n;
  CHECK(std::equal(one.data(), end, three.data()));
  CHECK(error_of(of, a, of.transpose_a ? of.m : of.k, b, before, one) <= 2);
  CHECK(three.unharmed());
}

TEST_CASE("gemm of all narrow widths") {
  for (std::int64_t n = 1; n <= 66; ++n)
    for (const bool transpose_a : {false, true})
      for (const std::int64_t k : {7, 16, 37}) {
        check_gemm<float>({300, n, k, transpose_a, n % 2 == 0});
        check_gemm<double>({300, n, k, transpose_a, n % 2 == 1});
      }
}

// Where gemm cuts a product into pieces may depend on anything, if it changes no bit.
TEST_CASE("a narrow product in pieces is that in one piece") {
  for (const std::int64_t n : {1, 2, 3, 4, 5, 20, 33, 64})
    for (const bool transpose_a : {false, true})
      for (const Isa isa : sets()) {
        constexpr std::int64_t m = 517, k = 600;
        const std::int64_t stride = transpose_a ? m : k;
        const GuardedNumbers<float> a(m * k, 1), b(k * n, 2), before(m * n, 3);
        GuardedNumbers<float> whole = before, pieces = before;
        narrow_gemm(isa, m, n, k, a.data(), stride, transpose_a, b.data(), whole.data(), true);
        for (std::int64_t first = 0, count = 64; first < m;
             first += count, count = std::min<std::int64_t>(64, m - first))
          narrow_gemm(isa, count, n, k, a.data() + (transpose_a ? first : first * k), stride, transpose_a, b.data(),
                      pieces.data() + first * n, true);
        CHECK(std::equal(whole.data(), whole.data() + m * n, pieces.data()));
      }
}

TEST_CASE("gemm of narrow matrices gives the same bits with any number of threads") {
  for (const std::int64_t n : {1, 2, 3, 4, 16, 20})
    for (const bool transpose_a : {false, true})
      for (const std::int64_t k : {128, 129, 700}) {
        check_gemm<float>({1500, n, k, transpose_a, true});
        check_gemm<double>({1500, n, k, transpose_a, false});
      }
}

TEST_CASE("gemm of a column, stored as a row") {
  Workers workers(1);
  const Case of{300, 1, 70, false, false};
  const GuardedNumbers<float> a(of.m * of.k, 1), b(of.k, 2), before(of.m, 3);
  GuardedNumbers<float> c = before;
  gemm(workers, of.m, of.n, of.k, a.data(), false, b.data(), true, c.data(), false);
  CHECK(error_of(of, a, of.k, b, before, c) <= 2);
}

}  // namespace
}  // namespace gradus
