// Elementary functions that compilers vectorise inside a loop: no branches, no tables, no calls, each for float and
// double. Errors stay below 2 units in the last place (ulp); each function says its own limit, and
// tests/vector_math_test.cpp holds it to that. Special values are libm's. In ops and kernels no multiplication is
// fused with an addition, so that every machine gives the same bits.
//
// Methods: Cody and Waite, Software Manual for the Elementary Functions (1980), for the reductions by multiples of
// log(2) in two parts; Sun's fdlibm (1993) for log through s = f / (2 + f); Dekker (1971) for the exact error of a sum.
// The polynomials are minimax fits by Remez's algorithm in 300 bits, made for these intervals. double pow, sin, cos
// and tan are left to libm: they need more than double's digits.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <type_traits>

namespace gradus::math {

namespace detail {

template <class T>
struct Format;

template <>
struct Format<float> {
  using Bits = std::uint32_t;
  static constexpr int mantissa = 23;
  static constexpr Bits bias = 127;
  static constexpr float round = 0x1.8p23F;  // x + round has the integer nearest to x in its low bits
  // k * log2_high is exact for every exponent k.
  static constexpr float log2_high = 0.693145751953125F, log2_low = 1.428606765330187e-06F;
  static constexpr float least_exp = -104, greatest_exp = 89;  // beyond, exp is 0 or infinite
};

template <>
struct Format<double> {
  using Bits = std::uint64_t;
  static constexpr int mantissa = 52;
  static constexpr Bits bias = 1023;
  static constexpr double round = 0x1.8p52;
  static constexpr double log2_high = 0.693147180559663, log2_low = 2.8235290563031577e-13;
  static constexpr double least_exp = -746, greatest_exp = 710;
};

template <class T>
using Bits = typename Format<T>::Bits;

template <class T>
inline constexpr T infinity = std::numeric_limits<T>::infinity();

// c + x (c1 + x (c2 + ...))
template <class T, class... Rest>
[[gnu::always_inline]] constexpr T polynomial(T x, T c, Rest... rest) {
  if constexpr (sizeof...(rest) == 0) {
    return c;
  } else {
    return c + x * polynomial(x, rest...);
  }
}

// 2^k for an integer k among the exponents of normal numbers.
template <class T>
[[gnu::always_inline]] inline T power_of_two(T k) {
  return std::bit_cast<T>((std::bit_cast<Bits<T>>(k + Format<T>::round) + Format<T>::bias) << Format<T>::mantissa);
}

// x = k log(2) + r + r_low, |r| <= log(2) / 2.
template <class T>
struct Reduced {
  T k, r, r_low;
  Bits<T> k_bits;  // of k + round
};

template <class T>
[[gnu::always_inline]] inline Reduced<T> reduced_exp(T x) {
  using F = Format<T>;
  const T k_round = x * T(1.4426950408889634) + F::round;
  const T k = k_round - F::round;
  const T high = x - k * F::log2_high;  // exact
  const T r = high - k * F::log2_low;
  return {k, r, (high - r) - k * F::log2_low, std::bit_cast<Bits<T>>(k_round)};
}

// y 2^k, in two steps: 2^k itself may be too great, or less than normal.
template <class T>
[[gnu::always_inline]] inline T scaled(T y, const Reduced<T>& x) {
  using F = Format<T>;
  const auto half = std::bit_cast<Bits<T>>(x.k * T(0.5) + F::round);
  return y * std::bit_cast<T>((half + F::bias) << F::mantissa) *
         std::bit_cast<T>((x.k_bits - half + F::bias) << F::mantissa);
}

// exp(r) - 1 - r for |r| <= log(2) / 2.
template <class T>
[[gnu::always_inline]] inline T exp_tail(T r) {
  if constexpr (std::is_same_v<T, float>) {
    return r * r * polynomial(r, 0.49999994F, 0.16666518F, 0.041668423F, 0.008369064F, 0.0013813885F);
  } else {
    return r * r *
           polynomial(r, 0.5000000000000011, 0.166666666666664, 0.04166666666652481, 0.008333333333500883,
                      0.0013888888945237207, 0.00019841269496589188, 2.4801491259405024e-05, 2.755759169699379e-06,
                      2.7630958442531636e-07, 2.499953010134765e-08);
  }
}

// Not below `least`; NaN stays.
template <class T>
[[gnu::always_inline]] inline T at_least(T least, T x) {
  return x < least ? least : x;
}

// log(u + low) for a positive normal u, |low| <= ulp(u), plus `exponent` log(2).
template <class T>
[[gnu::always_inline]] inline T log_of_sum(T u, T low, T exponent) {
  using F = Format<T>;
  constexpr Bits<T> one = std::bit_cast<Bits<T>>(T(1)), root = std::bit_cast<Bits<T>>(T(0.7071067811865476));
  constexpr T shift = std::bit_cast<T>((F::bias + F::mantissa) << F::mantissa);  // holds an integer in its low bits
  // u = 2^k (1 + f), 1 + f between the roots of 1/2 and 2
  const Bits<T> bits = std::bit_cast<Bits<T>>(u) + (one - root);
  const T k =
      (std::bit_cast<T>((bits >> F::mantissa) | std::bit_cast<Bits<T>>(shift)) - (shift + T(F::bias))) + exponent;
  const T f = std::bit_cast<T>((bits & ((Bits<T>{1} << F::mantissa) - 1)) + root) - 1;
  const T half_square = T(0.5) * f * f;
  const T s = f / (2 + f);
  const T z = s * s;
  T tail;  // log(1 + f) / s - 2
  if constexpr (std::is_same_v<T, float>) {
    tail = z * polynomial(z, 0.6666666F, 0.4000034F, 0.28537026F, 0.23587829F);
  } else {
    tail = z * polynomial(z, 0.6666666666666736, 0.3999999999940022, 0.28571428745911687, 0.22222198182249056,
                          0.18183586070399427, 0.1531345973107543, 0.1480218963920033);
  }
  const T small = s * (half_square + tail) + (k * F::log2_low + low / u);
  return k * F::log2_high - ((half_square - small) - f);
}

// The number of five that k, 0 to 4, says.
[[gnu::always_inline]] inline std::uint64_t choose(std::uint64_t k, std::uint64_t a, std::uint64_t b, std::uint64_t c,
                                                   std::uint64_t d, std::uint64_t e) {
  std::uint64_t chosen = k == 1 ? b : a;
  chosen = k == 2 ? c : chosen;
  chosen = k == 3 ? d : chosen;
  return k == 4 ? e : chosen;
}

// |x| in quarters of a turn: the nearest integer, as far as its two low bits, and what is left, 1/2 at most. Of |x|
// from 2^-12 on; what is not finite gives any number.
struct Turned {
  double left;
  std::uint64_t quarters;
};
// The 24 bits of |x| = m 2^(s - 35), as an integer, times 96 bits of 2 / pi: those from which on the product is not
// whole turns. (Payne and Hanek, Radian reduction for trigonometric functions, 1983.)
[[gnu::always_inline]] inline Turned turned(float x) {
  // 2 / pi after 37 zeros, two neighbouring words of 32 bits each
  constexpr std::uint64_t w0 = 0x00000000'0517cc1b, w1 = 0x0517cc1b'727220a9, w2 = 0x727220a9'4fe13abe,
                          w3 = 0x4fe13abe'8fa9a6ee, w4 = 0x8fa9a6ee'06db14ac, w5 = 0x06db14ac'c9e21c82,
                          w6 = 0xc9e21c82'0ff28b1d;
  const std::uint64_t bits = std::bit_cast<std::uint32_t>(x);
  const std::uint64_t m = (bits & 0x7fffffU) | 0x800000U;
  const std::uint64_t exponent = (bits >> 23U) & 255U, above = exponent < 115 ? 115 : exponent;
  const std::uint64_t s = (above > 254 ? 254 : above) - 115;
  const std::uint64_t k = s >> 5U, t = s & 31U;
  const std::uint64_t high = (choose(k, w0, w1, w2, w3, w4) << t) >> 32U,
                      middle = (choose(k, w1, w2, w3, w4, w5) << t) >> 32U,
                      low = (choose(k, w2, w3, w4, w5, w6) << t) >> 32U;
  const std::uint64_t turns = ((m * high) << 32U) + m * middle + ((m * low) >> 32U);  // a part of one, in 2^-64
  const std::uint64_t quarters = (turns + (std::uint64_t{1} << 61U)) >> 62U;
  const std::uint64_t left = turns - (quarters << 62U);
  const auto top = static_cast<std::int32_t>(static_cast<std::uint32_t>(left >> 32U)),
             rest = static_cast<std::int32_t>(static_cast<std::uint32_t>(left) >> 1U);
  return {top * 0x1p-30 + rest * 0x1p-61, quarters};
}

// sin and cos of x quarters of a turn, |x| <= 1/2.
[[gnu::always_inline]] inline double sin_of_quarters(double x) {
  return x * polynomial(x * x, 1.5707963267877358, -0.645964096100165, 0.07969258178944315, -0.004681260232142989,
                        0.00015819417684036777);
}
[[gnu::always_inline]] inline double cos_of_quarters(double x) {
  return polynomial(x * x, 0.9999999999438217, -1.2337005395474434, 0.2536691821983676, -0.0208599331511321,
                    0.0009033565565550393);
}

// `near` where |x| is below 2^-12, and no number where it is infinite.
[[gnu::always_inline]] inline float of_angle(float x, double near, double far) {
  const double y = std::abs(x) < 0x1p-12F ? near : far;
  return static_cast<float>(std::abs(x) < infinity<float> ? y : std::numeric_limits<double>::quiet_NaN());
}

// sin(|x| + so many quarters of a turn), with the sign that is one bit changed if `sign` has it.
[[gnu::always_inline]] inline double sin_after(float x, std::uint64_t quarters, std::uint64_t sign) {
  const Turned t = turned(x);
  const std::uint64_t quarter = t.quarters + quarters;
  const double s = sin_of_quarters(t.left), c = cos_of_quarters(t.left);
  const std::uint64_t y = std::bit_cast<std::uint64_t>((quarter & 1U) != 0 ? c : s);
  return std::bit_cast<double>(y ^ ((quarter & 2U) << 62U) ^ sign);
}
[[gnu::always_inline]] inline std::uint64_t sign_of(double x) {
  return std::bit_cast<std::uint64_t>(x) & (std::uint64_t{1} << 63U);
}

}  // namespace detail

/// Within 1 ulp.
template <class T>
[[gnu::always_inline]] inline T exp(T x) {
  using F = detail::Format<T>;
  const auto reduced = detail::reduced_exp(x);
  const T y = detail::scaled(1 + (reduced.r + detail::exp_tail(reduced.r)), reduced);
  // Beyond the range y is any number. Chosen at the end, for which nothing waits.
  const T above = x < F::least_exp ? T(0) : y;
  return x > F::greatest_exp ? detail::infinity<T> : above;
}

/// exp(x) - 1, as 2^k ((1 - 2^-k + r) + the tail of exp(r)). Within 1.3 ulp.
template <class T>
[[gnu::always_inline]] inline T expm1(T x) {
  // Where it is neither -1 nor infinite.
  const T above = detail::at_least(T(-50), x);
  constexpr T greatest = detail::Format<T>::greatest_exp;
  const auto reduced = detail::reduced_exp(above > greatest ? greatest : above);
  const T c = 1 - detail::power_of_two(reduced.k > 100 ? T(-100) : -reduced.k);
  const T sum = c + reduced.r;
  const T low = (reduced.r - (sum - c)) + reduced.r_low;  // what the sum lost
  const T y = detail::scaled(sum + (detail::exp_tail(reduced.r) + low), reduced);
  return x == 0 ? x : y;  // -0 stays
}

/// Within 0.9 ulp.
template <class T>
[[gnu::always_inline]] inline T log(T x) {
  constexpr T up = std::is_same_v<T, float> ? T(0x1p24) : T(0x1p54);
  constexpr T digits = std::is_same_v<T, float> ? 24 : 54;
  const bool subnormal = x < std::numeric_limits<T>::min();
  const T y = detail::log_of_sum(subnormal ? x * up : x, T(0), subnormal ? -digits : T(0));
  const T at_edge = x == 0 ? -detail::infinity<T> : std::numeric_limits<T>::quiet_NaN();
  return x > 0 ? (x < detail::infinity<T> ? y : x) : at_edge;
}

/// log(1 + x). Within 0.9 ulp.
template <class T>
[[gnu::always_inline]] inline T log1p(T x) {
  const T u = 1 + x;
  const T rest = u - 1;
  const T low = (1 - (u - rest)) + (x - rest);  // 1 + x = u + low
  const T y = detail::log_of_sum(u, low, T(0));
  const T at_edge = u == 0 ? -detail::infinity<T> : std::numeric_limits<T>::quiet_NaN();
  return u > 0 ? (u < detail::infinity<T> && x != 0 ? y : x) : at_edge;
}

/// 1 - 2 / (exp(2 |x|) + 1) with the sign of x; near 0 a polynomial, since there digits would cancel.
/// Within 1.6 ulp.
template <class T>
[[gnu::always_inline]] inline T tanh(T x) {
  const T a = std::abs(x);
  const T z = a * a;
  T p;  // (tanh(a) / a - 1) / a^2
  if constexpr (std::is_same_v<T, float>) {
    p = detail::polynomial(z, -0.3333332F, 0.13332602F, -0.05385386F, 0.021077761F, -0.006282476F);
  } else {
    p = detail::polynomial(z, -0.3333333333333235, 0.13333333333173739, -0.05396825387837296, 0.021869486026077023,
                           -0.00886319515252466, 0.003591724650145742, -0.0014532400596087673, 0.0005792030773022646,
                           -0.0002104058771796791, 5.109026852249416e-05);
  }
  const bool near = a < T(0.55);
  const T far = 1 - 2 / (exp(2 * a) + 1);
  return std::copysign(near ? a + a * z * p : far, x);
}

/// Up to 1 a polynomial; then 1 - exp(-x^2) p(t), where p(t) is erfc(x) exp(x^2) for t = 2 / (2 + |x|). Within 1.3 ulp.
template <class T>
[[gnu::always_inline]] inline T erf(T x) {
  constexpr T one_from = std::is_same_v<T, float> ? T(4) : T(6);  // erf rounds to 1
  const T a = std::abs(x);
  const T z = a * a;
  const T b = a > one_from ? one_from : a;
  const T t = 2 / (2 + b);
  T near, p;  // erf(a) / a - 1
  if constexpr (std::is_same_v<T, float>) {
    near = detail::polynomial(z, 0.128379166F, -0.376126258F, 0.112835852F, -0.0268538122F, 0.00518832819F,
                              -0.000801019826F, 7.85387753e-05F);
    p = detail::polynomial(t, 0.00182247661F, 0.259700658F, 0.39680192F, -0.0644603634F, 0.636679799F, -0.230801594F);
  } else {
    near = detail::polynomial(z, 0.12837916709551256, -0.3761263890318352, 0.11283791670944185, -0.02686617064311144,
                              0.005223977606118201, -0.0008548325929299106, 0.00012055293576377275,
                              -1.4924712290816286e-05, 1.6447131419811136e-06, -1.6206312501557555e-07,
                              1.3710974567312202e-08, -7.779456921831154e-10);
    p = detail::polynomial(t, -3.1305059326530334e-06, 0.28218870447616695, 0.2808163135829436, 0.25731181042829265,
                           0.11859234973716956, 0.30899540312760093, -0.6424644685816868, 1.2595747934799808,
                           -1.9954031972040254, 1.942943428863857, -1.1260039521290577, 0.36524155594168034,
                           -0.051790209471679664);
  }
  const T far = 1 - exp(-b * b) * p;
  return std::copysign(a < 1 ? a + a * near : far, x);
}

/// 1 / (1 + exp(-x)). Within 1.3 ulp. The three from here on take exp of -|x| only, which cannot overflow.
template <class T>
[[gnu::always_inline]] inline T sigmoid(T x) {
  // exp(-|x|) = 2^k (m + rest)
  const auto reduced = detail::reduced_exp(detail::at_least(detail::Format<T>::least_exp, -std::abs(x)));
  const T start = 1 + reduced.r;
  const T tail = detail::exp_tail(reduced.r) + ((reduced.r - (start - 1)) + reduced.r_low);
  const T m = start + tail;
  const T rest = (start - m) + tail;
  const T e = detail::scaled(m, reduced);
  const T sum = 1 + e;
  const T low = e - (sum - 1);
  const T y = (x >= 0 ? T(1) : e) / sum;
  // What m and the sum lost, to first order; 1 - e / 2 is 1 / (1 + e) and 2 - m is 1 / m, nearly.
  const T lost = rest * (2 - m);
  return y + y * (((x >= 0 ? -e * lost : lost) - low) * (1 - T(0.5) * e));
}

/// log(1 + exp(x)). Within 1.7 ulp.
template <class T>
[[gnu::always_inline]] inline T softplus(T x) {
  return (x > 0 ? x : T(0)) + log1p(exp(-std::abs(x)));
}

/// max(x, 0) - x z + log(1 + exp(-|x|)).
template <class T>
[[gnu::always_inline]] inline T sigmoid_cross_entropy(T z, T x) {
  return (x > 0 ? x : T(0)) - x * z + log1p(exp(-std::abs(x)));
}

/// log(sigmoid(x)). Within 1.7 ulp.
template <class T>
[[gnu::always_inline]] inline T log_sigmoid(T x) {
  return (x < 0 ? x : T(0)) - log1p(exp(-std::abs(x)));
}

/// x^y = 2^(y log2 |x|) with the sign of x^y, computed in double. Within 0.6 ulp.
[[gnu::always_inline]] inline float pow(float base, float exponent) {
  using F = detail::Format<double>;
  constexpr std::uint64_t one = std::bit_cast<std::uint64_t>(1.0),
                          root = std::bit_cast<std::uint64_t>(0.7071067811865476);
  constexpr double shift = 0x1p52;
  const double x = base, y = exponent, a = std::abs(x);
  // log2 a
  const std::uint64_t bits = std::bit_cast<std::uint64_t>(a) + (one - root);
  const double k = std::bit_cast<double>((bits >> F::mantissa) | std::bit_cast<std::uint64_t>(shift)) - (shift + 1023);
  const double m = std::bit_cast<double>((bits & ((std::uint64_t{1} << F::mantissa) - 1)) + root);
  const double s = (m - 1) / (m + 1);
  const double log2_m = s * detail::polynomial(s * s, 2.885390081777848, 0.9617966941171496, 0.5770779411609969,
                                               0.41220938293229303, 0.31990000746287006, 0.28298587511743484);
  // Each choice, here and below, is by a comparison of its own: where it is of the exponent, the same for all,
  // compilers make no vectors of a truth that several share.
  const double edge = a == 0 ? -detail::infinity<double> : a;  // 0, infinity and NaN
  const double finite = a < detail::infinity<double> ? k + log2_m : edge;
  const double log2_a = a > 0 ? finite : edge;
  const double product = a == 1 ? 0 : y * log2_a;  // where y is infinite too
  // 2^product
  const double above = product < -200 ? -200 : product;
  const double t = above > 200 ? 200 : above;
  const double n = (t + F::round) - F::round;
  const double magnitude =
      detail::power_of_two(n) * detail::polynomial(t - n, 1.0000000005586578, 0.6931472058867723, 0.24022646867558017,
                                                   0.05550328451316243, 0.009618490426182093, 0.001340006314438506,
                                                   0.0001534568834369424);
  // Of a negative base: -1 for odd exponents, no number for those that are no integers. Great ones are even.
  const double rounded = (y + F::round) - F::round, half = 0.5 * y;
  const double if_integer = (half + F::round) - F::round == half ? 1 : -1;
  const double if_not_great = rounded == y ? if_integer : std::numeric_limits<double>::quiet_NaN();
  const double of_negative = std::abs(y) >= 0x1p24 ? 1 : if_not_great;
  const double of_edge = of_negative == of_negative ? of_negative : 1;  // of -0 and -infinity
  const double if_not_finite = std::copysign(1.0, x) < 0 ? of_edge : 1;
  const double if_finite = x < 0 ? of_negative : if_not_finite;
  const double power = magnitude * (a == detail::infinity<double> ? if_not_finite : if_finite);
  const double if_not_one = x == 1 ? 1 : power;
  return static_cast<float>(y == 0 ? 1 : if_not_one);  // also of NaN
}

/// Of any float, in double. Within 0.6 ulp.
[[gnu::always_inline]] inline float sin(float x) {
  const double a = x;
  return detail::of_angle(x, a * (1 - a * a / 6), detail::sin_after(x, 0, detail::sign_of(a)));
}
[[gnu::always_inline]] inline float cos(float x) {
  const double a = x;
  return detail::of_angle(x, 1 - a * a / 2, detail::sin_after(x, 1, 0));
}
[[gnu::always_inline]] inline float tan(float x) {
  const double a = x;
  const detail::Turned t = detail::turned(x);
  const double s = detail::sin_of_quarters(t.left), c = detail::cos_of_quarters(t.left);
  const bool odd = (t.quarters & 1U) != 0;
  const double far = (odd ? -c : s) / (odd ? s : c);
  return detail::of_angle(x, a * (1 + a * a / 3),
                          std::bit_cast<double>(std::bit_cast<std::uint64_t>(far) ^ detail::sign_of(a)));
}

/// libm's.
[[gnu::always_inline]] inline double sin(double x) { return std::sin(x); }
[[gnu::always_inline]] inline double cos(double x) { return std::cos(x); }
[[gnu::always_inline]] inline double tan(double x) { return std::tan(x); }
[[gnu::always_inline]] inline double pow(double base, double exponent) { return std::pow(base, exponent); }

}  // namespace gradus::math
