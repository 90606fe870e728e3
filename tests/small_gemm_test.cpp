// Products of small matrices beside a triple loop in double: all shapes of few numbers, transposed or not, added or
// not, with the same bits by all instruction sets, and nothing outside the arrays read or written.
#include "guarded_numbers.h"

#include <gradus/core/cpu.h>
#include <gradus/ops/small_gemm.h>

#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

namespace gradus {
namespace {

struct SmallCase {
  std::int64_t m, n, k;
  bool transpose_a, transpose_b, add;
};

template <class T>
void check_small(const SmallCase& of) {
  GuardedNumbers<T> a(of.m * of.k, 1), b(of.k * of.n, 2), before(of.m * of.n, 3);
  GuardedNumbers<T> c = before, portable = before;
  small_gemm(isa(), of.m, of.n, of.k, a.data(), of.transpose_a, b.data(), of.transpose_b, c.data(), of.add);
  small_gemm(Isa::portable, of.m, of.n, of.k, a.data(), of.transpose_a, b.data(), of.transpose_b, portable.data(),
             of.add);
  CAPTURE(of.m);
  CAPTURE(of.n);
  CAPTURE(of.k);
  CAPTURE(of.transpose_a);
  CAPTURE(of.transpose_b);
  CAPTURE(of.add);
  CAPTURE(sizeof(T));
  bool right = true, same = true;
  for (std::int64_t i = 0; i < of.m; ++i)
    for (std::int64_t j = 0; j < of.n; ++j) {
      double sum = of.add ? static_cast<double>(before.data()[i * of.n + j]) : 0;
      for (std::int64_t l = 0; l < of.k; ++l)
        sum += static_cast<double>(a.data()[of.transpose_a ? l * of.m + i : i * of.k + l]) *
               static_cast<double>(b.data()[of.transpose_b ? j * of.k + l : l * of.n + j]);
      const T given = c.data()[i * of.n + j];
      const double most = static_cast<double>(std::numeric_limits<T>::epsilon()) * static_cast<double>(of.k + 1) / 2;
      right = right && std::abs(static_cast<double>(given) - sum) <= most;
      same = same && given == portable.data()[i * of.n + j];
    }
  CHECK(right);
  CHECK(same);
  CHECK(c.unharmed());
  CHECK(portable.unharmed());
}

TEST_CASE("products of small matrices of all shapes") {
  const std::vector<std::int64_t> sizes{1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 33};
  for (const std::int64_t m : sizes)
    for (const std::int64_t n : sizes)
      for (const std::int64_t k : {0, 1, 2, 3, 4, 7, 8, 9, 16, 19, 31}) {
        if (m * n * k > small_gemm_most) continue;
        for (int ways = 0; ways < 8; ++ways) {
          const SmallCase of{m, n, k, ways % 2 == 1, ways / 2 % 2 == 1, ways / 4 == 1};
          check_small<float>(of);
          check_small<double>(of);
        }
      }
}

TEST_CASE("the longest rows and columns that a small product takes") {
  for (int ways = 0; ways < 8; ++ways)
    for (const auto& [m, n, k] : std::vector<std::array<std::int64_t, 3>>{{1, 1, 4096},
                                                                          {4096, 1, 1},
                                                                          {1, 4096, 1},
                                                                          {1, 2, 2048},
                                                                          {2, 1, 2048},
                                                                          {2, 2048, 1},
                                                                          {1, 2048, 2},
                                                                          {2048, 2, 1}}) {
      const SmallCase of{m, n, k, ways % 2 == 1, ways / 2 % 2 == 1, ways / 4 == 1};
      check_small<float>(of);
      check_small<double>(of);
    }
}

}  // namespace
}  // namespace gradus
