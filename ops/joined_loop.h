// Formulas in one loop over rows of two tables: see JoinedRows. `before` is the same formula as `first`.
#pragma once

#include <gradus/core/cpu.h>
#include <gradus/core/op.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace gradus::detail {

/// Row by row. Rows have `fixed` elements; any number of them where it is 0.
template <class First, class Second, class T, std::int64_t fixed, bool has_column>
struct JoinedLoop {
  [[gnu::always_inline]] static void run(const JoinedRows* joined) {
    constexpr std::size_t ahead = 32;  // rows
    constexpr First first{};
    constexpr Second second{};
    const std::int64_t k = fixed > 0 ? fixed : joined->width;
    const auto bytes = k * static_cast<std::int64_t>(sizeof(T));
    const Index* const row = joined->rows.data();
    const std::size_t count = joined->rows.size();
    const std::size_t known = count + joined->next_rows;
    const T rate = *reinterpret_cast<const T*>(joined->rate);
    const auto* variable = reinterpret_cast<const T*>(joined->variable);
    const auto* slope = reinterpret_cast<const T*>(joined->slope);
    const auto* column = reinterpret_cast<const T*>(joined->column);
    const auto* factor = reinterpret_cast<const T*>(joined->factor);
    for (std::size_t i = 0; i < count; ++i, variable += k, slope += k) {
      if (i + ahead < known)
        for (std::int64_t at = 0; at < bytes; at += 64) {
          __builtin_prefetch(joined->to_state + row[i + ahead] * bytes + at, 1);
          __builtin_prefetch(joined->to_variable + row[i + ahead] * bytes + at, 1);
        }
      T* const s = reinterpret_cast<T*>(joined->to_state) + row[i] * k;
      T* const v = reinterpret_cast<T*>(joined->to_variable) + row[i] * k;
      const T by = has_column ? column[i] : T{};
      // What is read of a row lies where the same element is written, if anywhere: g++ need not look whether they meet.
      // It would forget that of a short loop that it unrolls.
#if !defined(__clang__)
#pragma GCC ivdep
#pragma GCC unroll 1
#endif
      for (std::int64_t j = 0; j < k; ++j) {
        const T g = has_column ? first(by, factor[j], slope[j]) : slope[j];
        s[j] = first(g, g, s[j]);
        v[j] = second(variable[j], rate, g, s[j]);
      }
      if constexpr (has_column) factor += k;
    }
  }
};

/// Rows of one number: many at a time, since one by one they would fill no vector.
template <class First, class Second, class T, bool has_column>
struct JoinedNumbers {
  [[gnu::always_inline]] static void run(const JoinedRows* joined) {
    constexpr std::size_t ahead = 64;  // rows
    constexpr std::size_t at_a_time = 64;
    constexpr First first{};
    constexpr Second second{};
    const std::size_t count = joined->rows.size();
    const std::size_t known = count + joined->next_rows;
    const T rate = *reinterpret_cast<const T*>(joined->rate);
    auto* const to_state = reinterpret_cast<T*>(joined->to_state);
    auto* const to_variable = reinterpret_cast<T*>(joined->to_variable);
    for (std::size_t begin = 0; begin < count; begin += at_a_time) {
      const std::size_t n = std::min(at_a_time, count - begin);
      const Index* const row = joined->rows.data() + begin;
      const T* const variable = reinterpret_cast<const T*>(joined->variable) + begin;
      const T* const slope = reinterpret_cast<const T*>(joined->slope) + begin;
      const T* const column = has_column ? reinterpret_cast<const T*>(joined->column) + begin : nullptr;
      const T* const factor = has_column ? reinterpret_cast<const T*>(joined->factor) + begin : nullptr;
      T s[at_a_time];
      T v[at_a_time];
      for (std::size_t i = 0; i < n; ++i) {
        if (begin + i + ahead < known) {
          __builtin_prefetch(to_state + row[i + ahead], 1);
          __builtin_prefetch(to_variable + row[i + ahead], 1);
        }
        s[i] = to_state[row[i]];
      }
      for (std::size_t i = 0; i < n; ++i) {
        const T g = has_column ? first(column[i], factor[i], slope[i]) : slope[i];
        s[i] = first(g, g, s[i]);
        v[i] = second(variable[i], rate, g, s[i]);
      }
      for (std::size_t i = 0; i < n; ++i) {
        to_state[row[i]] = s[i];
        to_variable[row[i]] = v[i];
      }
    }
  }
};

template <Isa isa, class First, class Second, class T, bool has_column>
void joined_kernel_of(const JoinedRows& rows) {
  const auto run = [&]<std::int64_t fixed>(std::integral_constant<std::int64_t, fixed>) {
    compiled_for<isa, JoinedLoop<First, Second, T, fixed, has_column>, const JoinedRows*>()(&rows);
  };
  switch (rows.width) {
    case 1: return compiled_for<isa, JoinedNumbers<First, Second, T, has_column>, const JoinedRows*>()(&rows);
    case 8: return run(std::integral_constant<std::int64_t, 8>{});
    case 16: return run(std::integral_constant<std::int64_t, 16>{});
    case 20: return run(std::integral_constant<std::int64_t, 20>{});
    case 32: return run(std::integral_constant<std::int64_t, 32>{});
    case 64: return run(std::integral_constant<std::int64_t, 64>{});
    default: return run(std::integral_constant<std::int64_t, 0>{});
  }
}

template <Isa isa, class First, class Second, class T>
void joined_kernel(const JoinedRows& rows) {
  if (rows.column != nullptr) return joined_kernel_of<isa, First, Second, T, true>(rows);
  joined_kernel_of<isa, First, Second, T, false>(rows);
}

}  // namespace gradus::detail
