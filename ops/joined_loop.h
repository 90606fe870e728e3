// Two formulas in one loop over rows of two tables: see JoinedRows.
#pragma once

#include <gradus/core/cpu.h>
#include <gradus/core/op.h>

#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace gradus::detail {

/// Rows have `fixed` elements; any number of them where it is 0.
template <class First, class Second, class T, std::int64_t fixed>
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
    auto* const to_state = reinterpret_cast<T*>(joined->to_state);
    auto* const to_variable = reinterpret_cast<T*>(joined->to_variable);
    const auto* variable = reinterpret_cast<const T*>(joined->variable);
    const auto* slope = reinterpret_cast<const T*>(joined->slope);
    for (std::size_t i = 0; i < count; ++i, variable += k, slope += k) {
      if (i + ahead < known)
        for (std::int64_t at = 0; at < bytes; at += 64) {
          __builtin_prefetch(joined->to_state + row[i + ahead] * bytes + at, 1);
          __builtin_prefetch(joined->to_variable + row[i + ahead] * bytes + at, 1);
        }
      T* const s = to_state + row[i] * k;
      T* const v = to_variable + row[i] * k;
      // What is read of a row lies where the same element is written, if anywhere: g++ need not look whether they meet.
#if !defined(__clang__)
#pragma GCC ivdep
#endif
      for (std::int64_t j = 0; j < k; ++j) {
        s[j] = first(slope[j], slope[j], s[j]);
        v[j] = second(variable[j], rate, slope[j], s[j]);
      }
    }
  }
};

template <Isa isa, class First, class Second, class T>
void joined_kernel(const JoinedRows& rows) {
  const auto run = [&]<std::int64_t fixed>(std::integral_constant<std::int64_t, fixed>) {
    compiled_for<isa, JoinedLoop<First, Second, T, fixed>, const JoinedRows*>()(&rows);
  };
  switch (rows.width) {
    case 8: return run(std::integral_constant<std::int64_t, 8>{});
    case 16: return run(std::integral_constant<std::int64_t, 16>{});
    case 20: return run(std::integral_constant<std::int64_t, 20>{});
    case 32: return run(std::integral_constant<std::int64_t, 32>{});
    case 64: return run(std::integral_constant<std::int64_t, 64>{});
    default: return run(std::integral_constant<std::int64_t, 0>{});
  }
}

}  // namespace gradus::detail
