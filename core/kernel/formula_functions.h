// Functions that the formulas of elementwise ops may use (Op::formula), in what C++ and CUDA C++ have in common,
// without headers: what compiles the text of a kernel puts this before it, after functions called exp, log and the
// like. Each computes what the row kernel of the same name does, NaN, -0 and the ends of the integers included.
#pragma once

#include <string_view>

namespace gradus {

inline constexpr std::string_view formula_functions = R"text(
typedef long long gr_int64;
typedef unsigned long long gr_uint64;

// Integers as unsigned ones, whose sums wrap around; floating numbers as they are.
__device__ inline float gr_modular(float x) { return x; }
__device__ inline double gr_modular(double x) { return x; }
__device__ inline unsigned gr_modular(int x) { return unsigned(x); }
__device__ inline gr_uint64 gr_modular(gr_int64 x) { return gr_uint64(x); }
template <class T> __device__ inline T gr_add(T a, T b) { return T(gr_modular(a) + gr_modular(b)); }
template <class T> __device__ inline T gr_subtract(T a, T b) { return T(gr_modular(a) - gr_modular(b)); }
template <class T> __device__ inline T gr_multiply(T a, T b) { return T(gr_modular(a) * gr_modular(b)); }
template <class T> __device__ inline T gr_negative(T x) { return T(-gr_modular(x)); }
template <class T> __device__ inline T gr_square(T x) { return gr_multiply(x, x); }
template <class T> __device__ inline T gr_squared_difference(T a, T b) { return gr_square(gr_subtract(a, b)); }
__device__ inline float gr_abs(float x) { return fabs(x); }
__device__ inline double gr_abs(double x) { return fabs(x); }
template <class T> __device__ inline T gr_abs(T x) { return x < 0 ? gr_negative(x) : x; }
template <class T> __device__ inline T gr_sign(T x) { return x > 0 ? T(1) : x < 0 ? T(-1) : x; }

// NaN wins.
template <class T> __device__ inline T gr_maximum(T a, T b) { return a > b || a != a ? a : b; }
template <class T> __device__ inline T gr_minimum(T a, T b) { return a < b || a != a ? a : b; }
template <class T> __device__ inline bool gr_isfinite(T x) { return x - x == 0; }
template <class T> __device__ inline T gr_choose(bool chosen, T a, T b) { return chosen ? a : b; }
template <class B, class T> __device__ inline T gr_mask(B kept, T x) { return gr_choose(kept, x, T(0)); }

// The quotient rounded down; fmod is exact.
template <class T> __device__ inline T gr_floordiv(T a, T b) {
  if (b == 0) return a / b;
  const T remainder = fmod(a, b);
  T quotient = (a - remainder) / b;
  if (remainder != 0 && (remainder < 0) != (b < 0)) quotient -= 1;
  return quotient == 0 ? copysign(T(0), a / b) : rint(quotient);
}
// What is left of a, with the sign of b.
template <class T> __device__ inline T gr_mod(T a, T b) {
  const T remainder = fmod(a, b);
  if (remainder == 0) return copysign(T(0), b);
  return (remainder < 0) != (b < 0) ? remainder + b : remainder;
}
// Of floating numbers. The usual exponents without pow; like pow, 0 for the root of -0 and infinity for that of
// -infinity. Where the exponent is a number in the text, compilers leave one of these.
template <class T> __device__ inline T gr_pow(T x, T exponent) {
  const T root = x - x != 0 ? gr_abs(x) : sqrt(x + T(0));  // of NaN as well
  T power = pow(x, exponent);
  power = exponent == 2 ? x * x : power;
  power = exponent == 1 ? x : power;
  power = exponent == 0 ? T(1) : power;
  power = exponent == -1 ? 1 / x : power;
  power = exponent == T(0.5) ? root : power;
  return exponent == T(-0.5) ? 1 / root : power;
}

template <class T> __device__ inline T gr_least();
template <class T> __device__ inline T gr_greatest();
template <> __device__ inline int gr_least<int>() { return -2147483647 - 1; }
template <> __device__ inline int gr_greatest<int>() { return 2147483647; }
template <> __device__ inline gr_int64 gr_least<gr_int64>() { return -9223372036854775807LL - 1; }
template <> __device__ inline gr_int64 gr_greatest<gr_int64>() { return 9223372036854775807LL; }
// gr_cast<To>(x): to an integer, the nearest there is toward zero, and 0 for NaN.
template <class To, class From> struct gr_Cast {
  static __device__ inline To of(From x) { return To(x); }
};
template <class From> struct gr_Cast<bool, From> {
  static __device__ inline bool of(From x) { return x != From(0); }
};
template <class To, class From> __device__ inline To gr_truncated(From x) {
  if (x != x) return 0;
  if (x <= From(gr_least<To>())) return gr_least<To>();
  if (x >= From(gr_greatest<To>())) return gr_greatest<To>();
  return To(x);
}
template <> struct gr_Cast<int, float> {
  static __device__ inline int of(float x) { return gr_truncated<int>(x); }
};
template <> struct gr_Cast<int, double> {
  static __device__ inline int of(double x) { return gr_truncated<int>(x); }
};
template <> struct gr_Cast<gr_int64, float> {
  static __device__ inline gr_int64 of(float x) { return gr_truncated<gr_int64>(x); }
};
template <> struct gr_Cast<gr_int64, double> {
  static __device__ inline gr_int64 of(double x) { return gr_truncated<gr_int64>(x); }
};
template <class To, class From> __device__ inline To gr_cast(From x) { return gr_Cast<To, From>::of(x); }
)text";

}  // namespace gradus
