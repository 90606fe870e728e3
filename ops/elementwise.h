// Elementwise ops. Each is one row: a name, the formula for one element in C++ and in CUDA C++, its gradient. The row
// makes a loop over contiguous elements per dtype (a row kernel), for floating dtypes also one with the machine's
// vector instructions; the engine applies it to any layout and any broadcasting, so no elementwise op knows of either.
#pragma once

#include <gradus/core/cpu.h>
#include <gradus/core/graph/op.h>
#include <gradus/ops/ops.h>

#include <array>
#include <bit>
#include <cstdint>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>

namespace gradus {

/// Which dtypes a row takes. Bits by DType.
enum class Takes : unsigned { floating = 0b00011, numbers = 0b01111, booleans = 0b10000, any = 0b11111 };

/// What a row gives: the dtype of its operands, or bool.
enum class Gives : std::uint8_t { same, boolean };

/// For which operands f is zero wherever that operand is: f(0) = 0, or 0 * y = 0. Bits by operand. Such an
/// operand may be csr or rows, and the result then is too. `all` means f(0, 0) = 0 but not f(0, y) = 0: then
/// every operand must be sparse with the same non-zeros.
enum class Zeros : unsigned { lost = 0, first = 1, second = 2, either = 3, all = 4 };

/// dy, y and the operands of one application of a row.
struct Chain {
  Expr y;   // the result
  Expr dy;  // d loss / dy
  Expr x(int i) const { return y.input(i); }
};

using OperandNames = std::array<std::string_view, 4>;

struct Row {
  std::string_view name;
  int arity = 1;
  Takes takes = Takes::floating;
  Gives gives = Gives::same;
  Zeros zeros = Zeros::lost;
  std::array<std::array<RowKernel, dtype_count>, isa_count> kernel{};  // by Isa and the operands' dtype
  std::string_view text;  // the formula, for kernels that are compiled while a program runs: see Op::formula
  Expr (*gradient)(const Chain& c, int i) = nullptr;
  std::string_view no_gradient;  // why, where gradient is null
  OperandNames operands = {"a", "b", "c", "d"};
  Expr (*simplified)(const Expr& y, const DraftFacts& facts) = nullptr;    // a rule for plans: see Op::simplified
  Expr (*reassociated)(const Expr& y, const DraftFacts& facts) = nullptr;  // see Op::reassociated
  bool throws_for_integers = false;                                        // whether the kernels refuse some integers

  /// The same row with operands called otherwise in messages.
  constexpr Row named(const OperandNames& names) const {
    Row r = *this;
    r.operands = names;
    return r;
  }
  /// The same row with a rule.
  constexpr Row with_rule(Expr (*rule)(const Expr& y, const DraftFacts& facts)) const {
    Row r = *this;
    r.simplified = rule;
    return r;
  }
  /// The same row with a rule that regroups.
  constexpr Row regrouped_by(Expr (*rule)(const Expr& y, const DraftFacts& facts)) const {
    Row r = *this;
    r.reassociated = rule;
    return r;
  }
  /// The same row, whose kernels throw for some integers: an accelerator cannot, and leaves integers to the host.
  constexpr Row throwing_for_integers() const {
    Row r = *this;
    r.throws_for_integers = true;
    return r;
  }
};

/// chosen ? a : b by bits, with a bool read as the byte 0 or 1 that it is: of the plain expression the compiler may
/// make a branch, and no vector loop.
template <class T>
[[gnu::always_inline]] inline T choose(std::uint8_t chosen, T a, T b) {
  using Bits = std::conditional_t<sizeof(T) == 8, std::uint64_t,
                                  std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint8_t>>;
  const auto mask = static_cast<Bits>(-static_cast<Bits>(chosen));
  return std::bit_cast<T>(
      static_cast<Bits>((std::bit_cast<Bits>(a) & mask) | (std::bit_cast<Bits>(b) & static_cast<Bits>(~mask))));
}

/// A formula of so many steps that its loop gains from AVX-512: exp, not add, which waits for memory (rows "row_" of
/// gradus_bench).
template <class F>
struct ManySteps : F {
  using F::operator();
};
template <class F>
constexpr ManySteps<F> many_steps(F) {
  return {};
}

namespace detail {

template <class F>
inline constexpr bool is_many_steps = false;
template <class F>
inline constexpr bool is_many_steps<ManySteps<F>> = true;

// Whether a row has loops of its own for a number beside an array: floating numbers of two, the usual case, in a
// formula of few steps. (Of many, those that depend on the number alone would be branches before the loop, and the
// loop no vector loop.)
template <class F, class R, class... X>
inline constexpr bool hoists = std::is_floating_point_v<R> && sizeof...(X) == 2 && (std::is_same_v<X, R> && ...) &&
                               !is_many_steps<F>;

// An operand that is one number, read like an array.
template <class T>
struct Number {
  T value;
  [[gnu::always_inline]] T operator[](std::int64_t) const { return value; }
};

// The loop of a row: y[j] = f(x[j]...), y of type R. `scalars` is one of those that hoists_numbers() names.
template <class F, class R, class... X>
struct RowLoop {
  [[gnu::always_inline]] static constexpr bool hoists_numbers(unsigned scalars) {
    return scalars == 0 || (hoists<F, R, X...> && scalars < 3);
  }
  [[gnu::always_inline]] static void run(const void* const* in, unsigned scalars, void* out, std::int64_t n) {
    run(in, scalars, static_cast<R*>(out), n, std::index_sequence_for<X...>{});
  }

 private:
  template <std::size_t... i>
  [[gnu::always_inline]] static void run(const void* const* in, unsigned scalars, R* y, std::int64_t n,
                                         std::index_sequence<i...>) {
    if constexpr (hoists<F, R, X...>) {
      if (scalars == 1) return over(y, n, operand<X, i == 0>(in[i])...);
      if (scalars == 2) return over(y, n, operand<X, i == 1>(in[i])...);
    }
    over(y, n, operand<X, false>(in[i])...);
  }
  template <class T, bool is_number>
  [[gnu::always_inline]] static auto operand(const void* in) {
    if constexpr (is_number) {
      return Number<T>{*static_cast<const T*>(in)};
    } else {
      return static_cast<const T*>(in);
    }
  }
  template <class... From>
  [[gnu::always_inline]] static void over(R* y, std::int64_t n, From... x) {
    constexpr F f{};
    for (std::int64_t j = 0; j < n; ++j) y[j] = f(x[j]...);
  }
};

using LoopFunction = void (*)(const void* const* in, unsigned scalars, void* out, std::int64_t n);

// Runs the loop block by block, with operands that are one number (bits of `scalars`) laid out as a block of equal
// ones: so one loop does however operands are mixed. `size` has the bytes of an operand's element.
void run_beside_numbers(LoopFunction loop, std::span<const std::size_t> size, std::size_t out_size,
                        const void* const* in, unsigned scalars, void* out, std::int64_t n);

}  // namespace detail

/// The row kernel of a formula for one element: F is a captureless lambda that takes X... and gives R.
template <Isa isa, class F, class R, class... X>
void row_kernel(const void* const* in, unsigned scalars, void* out, std::int64_t n) {
  static_assert(sizeof...(X) <= std::tuple_size_v<OperandNames>, "a row has at most four operands");
  using Loop = detail::RowLoop<F, R, X...>;
  constexpr detail::LoopFunction loop = compiled_for<isa, Loop, const void* const*, unsigned, void*, std::int64_t>();
  if (Loop::hoists_numbers(scalars)) return loop(in, scalars, out, n);
  static constexpr std::size_t size[] = {sizeof(X)...};
  detail::run_beside_numbers(loop, size, sizeof(R), in, scalars, out, n);
}

/// The row kernel of a formula for this machine; where no operand is floating, all machines have the same.
template <class F, class R, class... X>
RowKernel row_kernel_here() {
  if constexpr ((std::is_floating_point_v<X> || ...))
    if (isa() != Isa::portable) return row_kernel<Isa::avx2, F, R, X...>;
  return row_kernel<Isa::portable, F, R, X...>;
}

namespace detail {

template <class T, class>
using Always = T;

template <Isa isa, class F, class T, std::size_t... i>
constexpr RowKernel kernel_of(std::index_sequence<i...>) {
  using R = std::invoke_result_t<F, Always<T, char[i + 1]>...>;
  static_assert(std::is_same_v<R, T> || std::is_same_v<R, bool>, "the formula must stay in its dtype");
  return row_kernel<isa, F, R, Always<T, char[i + 1]>...>;
}

template <class F, class T>
constexpr std::size_t arity_of() {
  if constexpr (std::is_invocable_v<F, T>) return 1;
  if constexpr (std::is_invocable_v<F, T, T>) return 2;
  if constexpr (std::is_invocable_v<F, T, T, T>) return 3;
  return 4;
}

// What a row's loop is compiled for, to run on a machine with AVX-512.
template <class F, class T>
inline constexpr Isa for_avx512 = !std::is_floating_point_v<T> ? Isa::portable
                                  : is_many_steps<F>           ? Isa::avx512
                                                               : Isa::avx2;

template <Takes takes, class T>
inline constexpr bool takes_type = ((static_cast<unsigned>(takes) >> static_cast<unsigned>(dtype_of<T>)) & 1U) != 0;

}  // namespace detail

/// A row from its parts. F is a captureless generic lambda, the formula for one element; `text` is the same formula in
/// C++ and CUDA C++ on x0, x1, ..., for every dtype that the row takes.
template <Takes takes, class F>
constexpr Row row(std::string_view name, F, std::string_view text, Gives gives, Zeros zeros,
                  Expr (*gradient)(const Chain& c, int i)) {
  Row r{name, 1, takes, gives, zeros, {}, text, gradient, {}};
  if (detail::arity_of<F, std::conditional_t<detail::takes_type<takes, float>, float, bool>>() == 1)
    r.operands[0] = "x";
  const auto add = [&r]<class T>(TypeTag<T>) {
    if constexpr (detail::takes_type<takes, T>) {
      constexpr std::size_t arity = detail::arity_of<F, T>();
      r.arity = static_cast<int>(arity);
      constexpr auto operands = std::make_index_sequence<arity>{};
      constexpr Isa fastest = std::is_floating_point_v<T> ? Isa::avx2 : Isa::portable;
      constexpr auto dtype = static_cast<std::size_t>(dtype_of<T>);
      r.kernel[0][dtype] = detail::kernel_of<Isa::portable, F, T>(operands);
      r.kernel[1][dtype] = detail::kernel_of<fastest, F, T>(operands);
      r.kernel[2][dtype] = detail::kernel_of<detail::for_avx512<F, T>, F, T>(operands);
    }
  };
  add(TypeTag<float>{});
  add(TypeTag<double>{});
  add(TypeTag<std::int32_t>{});
  add(TypeTag<std::int64_t>{});
  add(TypeTag<bool>{});
  return r;
}

/// The same for a row that has no gradient, and why.
template <Takes takes, class F>
constexpr Row row(std::string_view name, F f, std::string_view text, Gives gives, Zeros zeros,
                  std::string_view no_gradient) {
  Row r = row<takes>(name, f, text, gives, zeros, static_cast<Expr (*)(const Chain&, int)>(nullptr));
  r.no_gradient = no_gradient;
  return r;
}

/// A node that applies the row; `r` must live as long as the program (a static constexpr one does).
Expr elementwise(const Row& r, std::initializer_list<Operand> operands);

/// pow for derivatives: on what a csr matrix stores alone, since its zeros are structure and not variables.
Expr stored_power(const Expr& a, double exponent);

/// The layout of an elementwise result, checked. Throws TypeError, naming the op, where zeros would be filled.
Layout elementwise_layout(std::string_view name, const OpInputs& in, const Shape& shape, Zeros zeros,
                          const OperandNames& operands = {"a", "b", "c", "d"});
/// The broadcast shape of all inputs. Throws TypeError.
Shape elementwise_shape(std::string_view name, const OpInputs& in, const OperandNames& operands = {"a", "b", "c", "d"});

}  // namespace gradus
