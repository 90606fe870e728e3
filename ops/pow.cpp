// Powers. A kernel of its own, because nearly every exponent is one small number, and a multiplication costs a
// twentieth of std::pow; a type rule of its own, because whether csr zeros stay zero depends on the exponent.
#include <gradus/core/kernel/vector_math.h>
#include <gradus/ops/elementwise.h>
#include <gradus/ops/modular.h>

#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <type_traits>

namespace gradus {

namespace {

template <class T>
T integer_power(T base, T exponent) {
  if (exponent < 0) {
    fail<ValueError>("pow: {} to the power {} is no integer; cast to a floating dtype", base, exponent);
  }
  auto power = modular(T{1});
  auto factor = modular(base);
  for (; exponent > 0; exponent = static_cast<T>(exponent / 2)) {
    if (exponent % 2 == 1) power *= factor;
    factor *= factor;
  }
  return static_cast<T>(power);
}

// Whatever the exponent is, the usual ones as below. One function for all instruction sets: of three equal ones g++
// would keep one, the plainest, and call it.
template <class T>
struct AnyPower {
  [[gnu::always_inline]] T operator()(T a, T b) const {
    const T root = a - a != 0 ? std::abs(a) : std::sqrt(a + T(0));  // also of infinities
    T power = math::pow(a, b);
    power = b == 2 ? a * a : power;
    power = b == -1 ? 1 / a : power;
    power = b == T(0.5) ? root : power;
    return b == T(-0.5) ? 1 / root : power;
  }
};

template <Isa isa, class T>
void pow_kernel(const void* const* in, unsigned scalars, void* out, std::int64_t n) {
  if constexpr (std::is_integral_v<T>) {
    const auto f = [](T a, T b) { return integer_power(a, b); };
    row_kernel<isa, std::remove_const_t<decltype(f)>, T, T, T>(in, scalars, out, n);
  } else {
    constexpr Isa simple = isa == Isa::avx512 ? Isa::avx2 : isa;  // for what is but a step or two
    if ((scalars & 2U) != 0) {
      const T exponent = *static_cast<const T*>(in[1]);
      const auto of_base = [&](auto f) { row_kernel<simple, decltype(f), T, T>(in, scalars & 1U, out, n); };
      if (exponent == 2) return of_base([](T x) { return x * x; });
      if (exponent == 1) return of_base([](T x) { return x; });
      if (exponent == 0) return of_base([](T) { return T(1); });
      if (exponent == -1) return of_base([](T x) { return 1 / x; });
      if (exponent == T(0.5)) {
        // Unlike sqrt, pow gives 0 for -0 and infinity for -infinity.
        return of_base([](T x) {
          constexpr T infinity = std::numeric_limits<T>::infinity();
          return x == -infinity ? infinity : std::sqrt(x + T(0));
        });
      }
      if (exponent == T(-0.5)) {
        return of_base([](T x) {
          constexpr T infinity = std::numeric_limits<T>::infinity();
          return x == -infinity ? T(0) : 1 / std::sqrt(x + T(0));
        });
      }
    }
    const auto f = many_steps(AnyPower<T>());
    row_kernel<isa, std::remove_const_t<decltype(f)>, T, T, T>(in, scalars, out, n);
  }
}

// By the operands' dtype.
template <Isa isa>
constexpr std::array<RowKernel, dtype_count> pow_kernels = {pow_kernel<isa, float>, pow_kernel<isa, double>,
                                                            pow_kernel<Isa::portable, std::int32_t>,
                                                            pow_kernel<Isa::portable, std::int64_t>, nullptr};

// d a^b = b a^(b-1) da + a^b log(a) db, with log(a) taken as 0 where a <= 0.
// The powers 0, 1 and 2 are treated apart: at a = 0 their derivatives of higher order would meet 0 * infinity.
Expr pow_gradient(const Chain& c, int i) {
  const Expr a = c.x(0), b = c.x(1);
  if (i == 1) return c.dy * (c.y * log(where(greater(a, 0), a, 1)));
  if (const std::optional<double> exponent = constant_number(b)) {
    if (*exponent == 0) return zeros_like(a);
    if (*exponent == 1) return c.dy;
    if (*exponent == 2) return 2 * c.dy * a;
    if (a.layout() == Layout::csr) return *exponent * c.dy * stored_power(a, *exponent - 1);
    // A division, instead of a power: a^(1/2 - 1) = 1 / a^(1/2) and, in range for every b < 0, a^(b-1) = a^b / a.
    if (*exponent == 0.5) return 0.5 * c.dy / c.y;
    return *exponent * c.dy * (*exponent < 0 ? c.y / a : pow(a, *exponent - 1));
  }
  const Expr not_both_zero = logical_or(not_equal(a, 0), not_equal(b, 0));
  return c.dy * (b * mask(not_both_zero, pow(a, b - 1)));
}

// x^1 = x, x^2 = x x, x^3 = x^2 x, x^4 = (x^2)^2, x^5 = x^4 x, and 1^c = 1
Expr small_power(const Expr& y, const DraftFacts&) {
  const std::optional<double> exponent = constant_number(y.input(1));
  const Expr x = y.input(0);
  if (!exponent || x.type() != y.type()) return {};
  if (*exponent == 1 || has_ones(x)) return x;
  if (*exponent == 2) return square(x);
  if (!is_floating(x.dtype())) return {};
  if (*exponent == 3) return square(x) * x;
  if (*exponent == 4) return square(square(x));
  return *exponent == 5 ? square(square(x)) * x : Expr();
}

// double's are libm's on every machine.
constexpr std::array<std::array<RowKernel, dtype_count>, isa_count> kernels = [] {
  std::array<std::array<RowKernel, dtype_count>, isa_count> all{pow_kernels<Isa::portable>, pow_kernels<Isa::avx2>,
                                                                pow_kernels<Isa::avx2>};
  all[2][static_cast<std::size_t>(float32)] = pow_kernel<Isa::avx512, float>;
  return all;
}();

constexpr Row pow_row(Zeros zeros) {
  return Row{"pow", 2, Takes::numbers, Gives::same, zeros, kernels, "gr_pow(x0, x1)", pow_gradient, {}}
      .with_rule(small_power)
      .throwing_for_integers();
}

constexpr Row any_power = pow_row(Zeros::lost);
constexpr Row positive_power = pow_row(Zeros::first);

}  // namespace

Expr stored_power(const Expr& a, double exponent) { return elementwise(positive_power, {a, exponent}); }

Expr pow(const Operand& a, const Operand& b) {
  const Expr base = a.expr();
  if (!base.valid() || base.layout() == Layout::dense) return elementwise(any_power, {a, b});

  const std::array exprs{base, b.in(base.graph(), base.dtype(), "pow")};
  const std::array types{exprs[0].type(), exprs[1].type()};
  const OpInputs in(types, exprs);
  const std::optional<double> exponent = constant_number(exprs[1]);
  const bool keeps_zeros = exponent && *exponent > 0;
  if (!keeps_zeros && base.layout() == Layout::csr) {
    if (!exponent) {
      fail<TypeError>("pow: x is {} and the exponent is {}, not a constant: zeros might not stay zero; use to_dense",
                      in.layout(0), in.shape(1));
    }
    fail<TypeError>("pow: x is {} and the exponent is {} ({}): zeros would become {}; use to_dense", in.layout(0),
                    *exponent, to_string(b.where()), *exponent < 0 ? "infinite" : "ones");
  }
  return elementwise(keeps_zeros ? positive_power : any_power, {a, Operand(exprs[1], b.where())});
}

}  // namespace gradus
