// What stands before the text of kernels in C++, which has no headers: the functions that formulas may use, and how
// sums are made.
#include <gradus/core/kernel/formula_functions.h>
#include <gradus/core/kernel/kernel.h>
#include <gradus/core/kernel/kernel_headers_text.h>

#include <fmt/format.h>

namespace gradus {

namespace {

// What vector_math.h and the formulas take from headers.
constexpr std::string_view before_math = R"text(
#define __device__
namespace std {
using uint8_t = unsigned char;
using uint32_t = unsigned;
using uint64_t = unsigned long;
using int64_t = long;
template <class To, class From> [[gnu::always_inline]] constexpr To bit_cast(const From& x) { return __builtin_bit_cast(To, x); }
template <class A, class B> inline constexpr bool is_same_v = false;
template <class A> inline constexpr bool is_same_v<A, A> = true;
template <class T> struct numeric_limits;
template <> struct numeric_limits<float> {
  static constexpr float infinity() { return __builtin_inff(); }
  static constexpr float quiet_NaN() { return __builtin_nanf(""); }
  static constexpr float min() { return __FLT_MIN__; }
};
template <> struct numeric_limits<double> {
  static constexpr double infinity() { return __builtin_inf(); }
  static constexpr double quiet_NaN() { return __builtin_nan(""); }
  static constexpr double min() { return __DBL_MIN__; }
};
[[gnu::always_inline]] inline float abs(float x) { return __builtin_fabsf(x); }
[[gnu::always_inline]] inline double abs(double x) { return __builtin_fabs(x); }
[[gnu::always_inline]] inline float copysign(float x, float y) { return __builtin_copysignf(x, y); }
[[gnu::always_inline]] inline double copysign(double x, double y) { return __builtin_copysign(x, y); }
[[gnu::always_inline]] inline double pow(double x, double y) { return __builtin_pow(x, y); }
[[gnu::always_inline]] inline double sin(double x) { return __builtin_sin(x); }
[[gnu::always_inline]] inline double cos(double x) { return __builtin_cos(x); }
[[gnu::always_inline]] inline double tan(double x) { return __builtin_tan(x); }
using int32_t = int;
}
)text";

constexpr std::string_view after_math = R"text(
namespace {
#define ONE(name, f, d) \
  inline float name(float x) { return f(x); } \
  inline double name(double x) { return d(x); }
#define TWO(name, f, d) \
  inline float name(float x, float y) { return f(x, y); } \
  inline double name(double x, double y) { return d(x, y); }
#define OURS(name) ONE(name, gradus::math::name, gradus::math::name)
OURS(exp) OURS(expm1) OURS(log) OURS(log1p) OURS(tanh) OURS(erf) OURS(sin) OURS(cos) OURS(tan)
ONE(sqrt, __builtin_sqrtf, __builtin_sqrt) ONE(fabs, __builtin_fabsf, __builtin_fabs)
ONE(floor, __builtin_floorf, __builtin_floor) ONE(ceil, __builtin_ceilf, __builtin_ceil)
ONE(rint, __builtin_rintf, __builtin_rint)
TWO(fmod, __builtin_fmodf, __builtin_fmod) TWO(copysign, __builtin_copysignf, __builtin_copysign)
TWO(pow, gradus::math::pow, gradus::math::pow)
ONE(gr_sigmoid, gradus::math::sigmoid, gradus::math::sigmoid)
ONE(gr_softplus, gradus::math::softplus, gradus::math::softplus)
ONE(gr_log_sigmoid, gradus::math::log_sigmoid, gradus::math::log_sigmoid)
// A bool that comes from memory is a byte, and chooses by bits: of the plain expression compilers make no vectors.
template <int bytes> struct Bits { using type = unsigned long long; };
template <> struct Bits<4> { using type = unsigned; };
template <> struct Bits<1> { using type = unsigned char; };
template <class T> [[gnu::always_inline]] inline T gr_choose(unsigned char chosen, T a, T b) {
  using B = typename Bits<sizeof(T)>::type;
  const B mask = static_cast<B>(-static_cast<B>(chosen));
  return __builtin_bit_cast(T, static_cast<B>((__builtin_bit_cast(B, a) & mask) | (__builtin_bit_cast(B, b) & static_cast<B>(~mask))));
}
)text";

// Chunks of 16 numbers: element l % n, or l / n, of what is at `x`. In vectors as wide as what reads them, since
// compilers take wider ones apart, and memory that was written in smaller pieces is slow to read.
constexpr std::string_view chunks = R"text(
template <class T> struct Half { using V [[gnu::vector_size(8 * sizeof(T))]] = T; };
template <class T> [[gnu::always_inline]] inline void put_chunk(const typename Half<T>::V& low, const typename Half<T>::V& high, T* to) {
#ifdef __AVX512F__
  const auto all = __builtin_shufflevector(low, high, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  __builtin_memcpy(to, &all, sizeof all);
#else
  __builtin_memcpy(to, &low, sizeof low);
  __builtin_memcpy(to + 8, &high, sizeof high);
#endif
}
#define CHUNK(name, op) \
  template <int n, class T> [[gnu::always_inline]] inline void name(const T* x, T* to) { \
    using V = typename Half<T>::V; \
    put_chunk<T>(V{x[0 op n], x[1 op n], x[2 op n], x[3 op n], x[4 op n], x[5 op n], x[6 op n], x[7 op n]}, \
                 V{x[8 op n], x[9 op n], x[10 op n], x[11 op n], x[12 op n], x[13 op n], x[14 op n], x[15 op n]}, to); \
  }
CHUNK(tile, %) CHUNK(repeat, /)
)text";

// The lines of a row of a table, at most four: the processor fetches the others by itself. It may end in a line more
// than it would from the beginning of one on.
constexpr std::string_view tables = R"text(
template <class T> [[gnu::always_inline]] inline void prefetch_row(const T* row, long width) {
  const char* const line = reinterpret_cast<const char*>(row);
  const long bytes = width * long(sizeof(T));
  for (long at = 0; at < bytes && at < 256; at += 64) __builtin_prefetch(line + at);
  if (bytes % 64 != 0 && 64 % bytes != 0) __builtin_prefetch(line + bytes - 1);
}
)text";

// Sums as ops/reduce_kernel.h makes them: of rows by runs.h; over rows, in the dtype for so many rows, then in double.
constexpr std::string_view folds = R"text(
#if defined(__AVX512F__)
#define GR_VECTOR 64
#elif defined(__AVX__)
#define GR_VECTOR 32
#else
#define GR_VECTOR 16
#endif
struct Sum {
  using Wide = double;
  static constexpr double start = 0;
  static constexpr bool in_lanes = true;
  template <class T> [[gnu::always_inline]] static T combine(T a, T b) { return a + b; }
  template <class V> [[gnu::always_inline]] static void combine_lanes(V& a, const V& b) { a += b; }
};
template <class T> [[gnu::always_inline]] inline T scaled(double sum, double scale) {
  return static_cast<T>(scale == 1 ? sum : sum * scale);
}
template <class T, int n> inline void sum_rows(const T* x, long rows, double scale, T* y) {
  double total[64];
  for (long first = 0; first < rows; first += 64) {
    const long count = rows - first < 64 ? rows - first : 64;
    gradus::runs::rows<Sum, T>(x + first * n, count, n, total);
    for (long r = 0; r < count; ++r) y[first + r] = scaled<T>(total[r], scale);
  }
}
template <class T, int n> struct RowsSum {
  static constexpr int depth = 32, most = 16384 / n > 1 ? 16384 / n : 1;  // rows, of T, and of one double sum
  T part[n];
  double total[n], all[n];
  int deep = 0, rows = 0;
  bool has_total = false, has_all = false;
  RowsSum() { clear(); }
  void clear() { for (int j = 0; j < n; ++j) part[j] = 0; }
  void add(const T* x, long count) {
    while (count > 0) {
      long take = depth - deep < most - rows ? depth - deep : most - rows;
      if (take > count) take = count;
      if constexpr (n * sizeof(T) <= 256 && (n & (n - 1)) == 0) {  // in registers
        constexpr int wide = n * sizeof(T) < GR_VECTOR ? n : GR_VECTOR / sizeof(T);
        using Vector [[gnu::vector_size(wide * sizeof(T))]] = T;
        Vector sum[n / wide], next;
        __builtin_memcpy(&sum, part, sizeof sum);
        for (long r = 0; r < take; ++r)
          for (int i = 0; i < n / wide; ++i) {
            __builtin_memcpy(&next, x + r * n + i * wide, sizeof next);
            sum[i] += next;
          }
        __builtin_memcpy(part, &sum, sizeof sum);
      } else {
        for (long r = 0; r < take; ++r)
          for (int j = 0; j < n; ++j) part[j] += x[r * n + j];
      }
      x += take * n;
      count -= take;
      rows += static_cast<int>(take);
      deep += static_cast<int>(take);
      if (rows == most) end_piece();
      else if (deep == depth) end_depth();
    }
  }
  // What a kernel has added to `part` itself.
  void end_row() {
    ++rows;
    ++deep;
    if (rows == most) end_piece();
    else if (deep == depth) end_depth();
  }
  void end_depth() {
    for (int j = 0; j < n; ++j) total[j] = (has_total ? total[j] : 0.0) + part[j];
    has_total = true;
    deep = 0;
    clear();
  }
  void end_piece() {
    if (deep > 0) end_depth();
    for (int j = 0; j < n; ++j) all[j] = has_all ? all[j] + total[j] : total[j];
    has_all = true;
    has_total = false;
    deep = rows = 0;
  }
  void finish(double scale, T* y) {
    if (rows > 0) end_piece();
    for (int j = 0; j < n; ++j) y[j] = scaled<T>(all[j], scale);
    has_all = false;
  }
};
// Of all that a call computes, by blocks as gradus::runs makes them: a loop fills `room()`, a block or less at a time.
template <class T> struct WholeSum {
  static constexpr long block = gradus::runs::block, most = 16384;  // of one sum
  alignas(64) T buffer[2 * block];
  long count = 0, deep = 0;
  double total = 0, all;
  bool has_all = false;
  T* room() { return buffer + count; }
  void took(long n) {
    count += n;
    if (count < block) return;
    total += gradus::runs::run<Sum, T>(buffer, block);
    count -= block;
    __builtin_memcpy(buffer, buffer + block, count * sizeof(T));
    if ((deep += block) == most) end_piece();
  }
  void end_piece() {
    all = has_all ? all + total : total;
    has_all = true;
    total = 0;
    deep = 0;
  }
  void finish(double scale, T* y) {
    if (count > 0) total += gradus::runs::run<Sum, T>(buffer, count);
    if (deep + count > 0 || !has_all) end_piece();
    *y = scaled<T>(all, scale);
  }
};
template <class T, int length, int n> inline void sum_middle(const T* x, long rows, double scale, T* y) {
  RowsSum<T, n> sum;
  for (long r = 0; r < rows; ++r) {
    sum.add(x + r * length * n, length);
    sum.finish(scale, y + r * n);
  }
}
)text";

}  // namespace

std::string cpu_prelude() {
  return fmt::format("{}{}{}{}{}{}{}", before_math, kernel_headers_text(), after_math, chunks, tables, folds,
                     formula_functions);
}

}  // namespace gradus
