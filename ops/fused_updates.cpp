// Each formula rounds where the ops one after the other would: this file is compiled without fused multiply-additions.
#include <gradus/ops/fused_updates.h>

#include <gradus/core/cpu.h>
#include <gradus/core/tensor/as_constant.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>

namespace gradus {

namespace {

// The formulas: next(gradient, variable, numbers, state...) gives the variable and replaces the states.

struct Descent {
  static constexpr std::size_t numbers = 1, states = 0;
  template <class T>
  [[gnu::always_inline]] static T next(T g, T v, const T* n) {
    return v - n[0] * g;
  }
};

struct DescentWithMomentum {
  static constexpr std::size_t numbers = 2, states = 1;
  template <class T>
  [[gnu::always_inline]] static T next(T g, T v, const T* n, T& moment) {
    moment = n[0] * moment + g;
    return v - n[1] * moment;
  }
};

struct AdagradStep {
  static constexpr std::size_t numbers = 1, states = 1;
  template <class T>
  [[gnu::always_inline]] static T next(T g, T v, const T* n, T& sum) {
    sum = g * g + sum;
    return v - n[0] * g / std::sqrt(sum);
  }
};

struct AdamStep {
  static constexpr std::size_t numbers = 6, states = 2;
  template <class T>
  [[gnu::always_inline]] static T next(T g, T v, const T* n, T& moment, T& square) {
    moment = n[0] * moment + n[1] * g;
    square = n[2] * square + n[3] * (g * g);
    return v - n[5] * moment / (n[4] + std::sqrt(square));
  }
};

// What the loops below have in common.
template <class F, class T, bool has_column>
struct Operands {
  const Index* row;
  std::size_t count;
  std::size_t known;  // with the rows that follow
  T* variable;
  T* state[2];
  const T* old;
  const T* gradient;
  const T* column;
  const T* factor;
  T number[F::numbers];

  [[gnu::always_inline]] explicit Operands(const FusedRows& rows)
      : row(rows.rows.data()),
        count(rows.rows.size()),
        known(count + rows.next_rows),
        variable(reinterpret_cast<T*>(rows.variable)),
        state{reinterpret_cast<T*>(rows.state[0]), reinterpret_cast<T*>(rows.state[1])},
        old(reinterpret_cast<const T*>(rows.old)),
        gradient(reinterpret_cast<const T*>(rows.gradient)),
        column(reinterpret_cast<const T*>(rows.column)),
        factor(reinterpret_cast<const T*>(rows.factor)) {
    for (std::size_t n = 0; n < F::numbers; ++n) number[n] = *reinterpret_cast<const T*>(rows.number[n]);
  }

  // Asks for the row of all tables that is `ahead` of row i.
  [[gnu::always_inline]] void prefetch(std::size_t i, std::size_t ahead, std::int64_t width) const {
    constexpr auto line = static_cast<std::int64_t>(64 / sizeof(T));
    if (i + ahead >= known) return;
    for (std::int64_t j = row[i + ahead] * width, end = j + width; j < end; j += line) {
      __builtin_prefetch(variable + j, 1);
      for (std::size_t s = 0; s < F::states; ++s) __builtin_prefetch(state[s] + j, 1);
    }
  }

  // The step of one element; the states are at s0 and s1, as far as there are any.
  [[gnu::always_inline]] T next(T g, T v, [[maybe_unused]] T* s0, [[maybe_unused]] T* s1) const {
    if constexpr (F::states == 0) {
      return F::next(g, v, number);
    } else if constexpr (F::states == 1) {
      T a = *s0;
      v = F::next(g, v, number, a);
      *s0 = a;
      return v;
    } else {
      T a = *s0;
      T b = *s1;
      v = F::next(g, v, number, a, b);
      *s0 = a;
      *s1 = b;
      return v;
    }
  }
};

// Row by row. Rows have `fixed` elements; any number of them where it is 0.
template <class F, class T, std::int64_t fixed, bool has_column>
struct RowByRow {
  [[gnu::always_inline]] static void run(const FusedRows* rows) {
    const Operands<F, T, has_column> in(*rows);
    const std::int64_t k = fixed > 0 ? fixed : rows->width;
    for (std::size_t i = 0; i < in.count; ++i) {
      in.prefetch(i, 32, k);
      const std::int64_t in_table = in.row[i] * k;
      const std::int64_t here = static_cast<std::int64_t>(i) * k;
      T* const v = in.variable + in_table;
      T* const s0 = in.state[0] + (F::states > 0 ? in_table : 0);
      T* const s1 = in.state[1] + (F::states > 1 ? in_table : 0);
      const T* const old = in.old + here;
      const T* const gradient = in.gradient + here;
      const T* const factor = in.factor + (has_column ? here : 0);
      const T by = has_column ? in.column[i] : T{};
      // What is read of a row lies where the same element is written, if anywhere: g++ need not look whether they meet.
      // It would forget that of a short loop that it unrolls.
#if !defined(__clang__)
#pragma GCC ivdep
#pragma GCC unroll 1
#endif
      for (std::int64_t j = 0; j < k; ++j)
        v[j] = in.next(has_column ? by * factor[j] + gradient[j] : gradient[j], old[j],
                       F::states > 0 ? s0 + j : nullptr, F::states > 1 ? s1 + j : nullptr);
    }
  }
};

// Rows of one number: many at a time, since one by one they would fill no vector.
template <class F, class T, bool has_column>
struct ManyNumbers {
  [[gnu::always_inline]] static void run(const FusedRows* rows) {
    constexpr std::size_t at_a_time = 64;
    const Operands<F, T, has_column> in(*rows);
    for (std::size_t begin = 0; begin < in.count; begin += at_a_time) {
      const std::size_t n = std::min(at_a_time, in.count - begin);
      T v[at_a_time];
      T s[2][at_a_time];
      for (std::size_t i = 0; i < n; ++i) {
        in.prefetch(begin + i, at_a_time, 1);
        for (std::size_t t = 0; t < F::states; ++t) s[t][i] = in.state[t][in.row[begin + i]];
      }
      for (std::size_t i = 0; i < n; ++i) {
        const std::size_t r = begin + i;
        v[i] = in.next(has_column ? in.column[r] * in.factor[r] + in.gradient[r] : in.gradient[r], in.old[r], s[0] + i,
                       s[1] + i);
      }
      for (std::size_t i = 0; i < n; ++i) {
        in.variable[in.row[begin + i]] = v[i];
        for (std::size_t t = 0; t < F::states; ++t) in.state[t][in.row[begin + i]] = s[t][i];
      }
    }
  }
};

template <Isa isa, class F, class T, bool has_column>
void run(const FusedRows& rows) {
  if (rows.width == 1) return compiled_for<isa, ManyNumbers<F, T, has_column>, const FusedRows*>()(&rows);
  as_constant<std::int64_t, 8, 16, 20, 32, 64>(rows.width, [&](auto fixed) {
    compiled_for<isa, RowByRow<F, T, fixed.value, has_column>, const FusedRows*>()(&rows);
  });
}

template <Isa isa, class F, class T>
void kernel(const FusedRows& rows) {
  rows.column != nullptr ? run<isa, F, T, true>(rows) : run<isa, F, T, false>(rows);
}

template <class F, std::size_t count>
constexpr FusedSteps fused(const FusedSteps::Step (&steps)[count]) {
  FusedSteps out{.step = {}, .count = count, .gradient = "multiply_add"};
  std::copy_n(steps, count, out.step.begin());
  const auto add = [&out]<class T>(TypeTag<T>) {
    constexpr auto dtype = static_cast<std::size_t>(dtype_of<T>);
    out.kernel[0][dtype] = kernel<Isa::portable, F, T>;
    out.kernel[1][dtype] = kernel<Isa::avx2, F, T>;
    out.kernel[2][dtype] = out.kernel[1][dtype];
  };
  add(TypeTag<float>{});
  add(TypeTag<double>{});
  return out;
}

}  // namespace

std::span<const FusedSteps> fused_descent() {
  static constexpr FusedSteps steps[] = {
      fused<DescentWithMomentum>({{"multiply_add", "n0g", 0}, {"subtract_product", "vnA"}}),
      fused<Descent>({{"subtract_product", "vng"}})};
  return steps;
}

std::span<const FusedSteps> fused_adagrad() {
  static constexpr FusedSteps steps[] = {
      fused<AdagradStep>({{"multiply_add", "gg0", 0}, {"subtract_product_by_root", "vngA"}})};
  return steps;
}

std::span<const FusedSteps> fused_adam() {
  static constexpr FusedSteps steps[] = {fused<AdamStep>({{"sum_of_products", "n0ng", 0},
                                                          {"add_product_of_square", "n1ng", 1},
                                                          {"add_root", "nB"},
                                                          {"subtract_quotient_of_product", "vnAC"}})};
  return steps;
}

}  // namespace gradus
