// What CUDA gives to a kernel's text, for the host's compiler: the emulator compiles each kernel with this header
// before it. It includes nothing, so that a kernel compiles in a few hundredths of a second and finds no more than
// NVRTC would give it. One thread of a block runs at a time; where threads wait for one another, the program that
// launched the kernel switches between them (fibers.h).
#ifndef GRADUS_EMULATOR_CUDA_ON_HOST
#define GRADUS_EMULATOR_CUDA_ON_HOST

struct uint3 {
  unsigned x, y, z;
};
struct alignas(8) float2 {
  float x, y;
};
struct alignas(16) float4 {
  float x, y, z, w;
};
struct alignas(8) int2 {
  int x, y;
};
struct alignas(8) uint2 {
  unsigned x, y;
};
struct alignas(16) int4 {
  int x, y, z, w;
};
struct alignas(16) uint4 {
  unsigned x, y, z, w;
};
struct alignas(16) double2 {
  double x, y;
};
struct alignas(16) longlong2 {
  long long x, y;
};
inline float2 make_float2(float x, float y) { return {x, y}; }
inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }
inline double2 make_double2(double x, double y) { return {x, y}; }

using size_t = decltype(sizeof 0);

#define __global__
#define __device__
#define __host__
#define __constant__ const
#define __shared__ static
#define __forceinline__ inline
#define __noinline__
#define __launch_bounds__(...)
#define __align__(n) alignas(n)

// What kernels and the launching program tell each other. LaunchedKernel in host_kernels.cpp has the same members.
namespace emulator {
struct Launch {
  uint3 thread, block, block_size, grid_size;
  void (*wait_for_block)();
  void (*wait_for_warp)();
  unsigned long long* (*slots)();  // one for each lane of this warp; another set at every second call
  void (*check_pointer)(int argument, const void* pointer);
  void (*run_threads)(void (*thread)(void*), void* context);  // all of a block, as fibers
};
static Launch* now;

template <int... i>
struct Indices {};
template <int n, int... i>
struct Count : Count<n - 1, n - 1, i...> {};
template <int... i>
struct Count<0, i...> {
  using type = Indices<i...>;
};

template <class T>
inline void check(int, T&) {}
template <class T>
inline void check(int argument, T*& pointer) {
  now->check_pointer(argument, pointer);
}

template <bool waits, class... A, int... i>
inline void run(void (*kernel)(A...), void* const* arguments, Indices<i...>) {
  (check(i, *static_cast<A*>(arguments[i])), ...);
  struct Thread {
    void (*kernel)(A...);
    void* const* arguments;
    void operator()() const { kernel(*static_cast<A*>(arguments[i])...); }
  } thread{kernel, arguments};
  for (now->block.x = 0; now->block.x < now->grid_size.x; ++now->block.x) {
    if constexpr (waits) {
      now->run_threads([](void* context) { (*static_cast<Thread*>(context))(); }, &thread);
    } else {
      for (now->thread.x = 0; now->thread.x < now->block_size.x; ++now->thread.x) thread();
    }
  }
}

template <bool waits, class... A>
inline void run(Launch* launch, void (*kernel)(A...), void* const* arguments) {
  now = launch;
  run<waits>(kernel, arguments, typename Count<sizeof...(A)>::type{});
}

// How many arguments a kernel takes, and the bytes of each.
struct Arguments {
  int count;
  int bytes[256];
};
template <class... A>
inline Arguments arguments_of(void (*)(A...)) {
  static_assert(sizeof...(A) <= 256);
  return {sizeof...(A), {sizeof(A)...}};
}

// The value that lane `source` of the warp has.
template <class T>
inline T exchange(T value, unsigned source) {
  static_assert(sizeof(T) <= 8);
  unsigned long long* slot = now->slots();
  __builtin_memcpy(&slot[now->thread.x % 32], &value, sizeof value);
  now->wait_for_warp();
  T other;
  __builtin_memcpy(&other, &slot[source], sizeof other);
  return other;
}
}  // namespace emulator

#define threadIdx (emulator::now->thread)
#define blockIdx (emulator::now->block)
#define blockDim (emulator::now->block_size)
#define gridDim (emulator::now->grid_size)
#define warpSize 32

inline void __syncthreads() { emulator::now->wait_for_block(); }
inline void __syncwarp(unsigned = 0xffffffffU) { emulator::now->wait_for_warp(); }

template <class T>
inline T __shfl_sync(unsigned, T value, int lane, int width = 32) {
  const unsigned me = threadIdx.x % 32;
  return emulator::exchange(value, me / width * width + lane % width);
}
template <class T>
inline T __shfl_down_sync(unsigned, T value, unsigned step, int width = 32) {
  const unsigned me = threadIdx.x % 32;
  return emulator::exchange(value, me % width + step < static_cast<unsigned>(width) ? me + step : me);
}
template <class T>
inline T __shfl_up_sync(unsigned, T value, unsigned step, int width = 32) {
  const unsigned me = threadIdx.x % 32;
  return emulator::exchange(value, me % width >= step ? me - step : me);
}
template <class T>
inline T __shfl_xor_sync(unsigned, T value, int mask, int width = 32) {
  const unsigned me = threadIdx.x % 32, other = me ^ static_cast<unsigned>(mask);
  return emulator::exchange(value, other / width <= me / width ? other : me);
}

template <class T>
inline T __ldg(const T* pointer) {
  return *pointer;
}

// One thread runs at a time.
template <class T>
inline T atomicAdd(T* to, T value) {
  static_assert(T(0.5) == T(0), "the order of atomic sums of floating numbers is left to chance");
  const T before = *to;
  *to = before + value;
  return before;
}
template <class T>
inline T atomicMin(T* to, T value) {
  const T before = *to;
  if (value < before) *to = value;
  return before;
}
template <class T>
inline T atomicMax(T* to, T value) {
  const T before = *to;
  if (value > before) *to = value;
  return before;
}
template <class T>
inline T atomicExch(T* to, T value) {
  const T before = *to;
  *to = value;
  return before;
}
template <class T>
inline T atomicCAS(T* to, T compare, T value) {
  const T before = *to;
  if (before == compare) *to = value;
  return before;
}

// CUDA has these for float and double under one name. The C library has both.
#define EMULATOR_MATH1(name)                \
  extern "C" double name(double) noexcept;  \
  extern "C" float name##f(float) noexcept; \
  inline float name(float x) noexcept { return name##f(x); }
#define EMULATOR_MATH2(name)                       \
  extern "C" double name(double, double) noexcept; \
  extern "C" float name##f(float, float) noexcept; \
  inline float name(float x, float y) noexcept { return name##f(x, y); }
// clang-format off
EMULATOR_MATH1(exp) EMULATOR_MATH1(exp2) EMULATOR_MATH1(expm1) EMULATOR_MATH1(log) EMULATOR_MATH1(log2)
EMULATOR_MATH1(log10) EMULATOR_MATH1(log1p) EMULATOR_MATH1(sqrt) EMULATOR_MATH1(cbrt) EMULATOR_MATH1(sin)
EMULATOR_MATH1(cos) EMULATOR_MATH1(tan) EMULATOR_MATH1(asin) EMULATOR_MATH1(acos) EMULATOR_MATH1(atan)
EMULATOR_MATH1(sinh) EMULATOR_MATH1(cosh) EMULATOR_MATH1(tanh) EMULATOR_MATH1(erf) EMULATOR_MATH1(erfc)
EMULATOR_MATH1(floor) EMULATOR_MATH1(ceil) EMULATOR_MATH1(rint) EMULATOR_MATH1(trunc) EMULATOR_MATH1(fabs)
EMULATOR_MATH2(pow) EMULATOR_MATH2(fmod) EMULATOR_MATH2(copysign) EMULATOR_MATH2(fmax) EMULATOR_MATH2(fmin)
EMULATOR_MATH2(atan2) EMULATOR_MATH2(hypot)
// clang-format on
#undef EMULATOR_MATH1
#undef EMULATOR_MATH2
                            extern "C" double fma(double, double, double) noexcept;
extern "C" float fmaf(float, float, float) noexcept;
inline float fma(float x, float y, float z) noexcept { return fmaf(x, y, z); }
inline float abs(float x) { return fabsf(x); }
inline double abs(double x) { return fabs(x); }
inline int abs(int x) { return x < 0 ? -x : x; }
inline long long abs(long long x) { return x < 0 ? -x : x; }
inline float rsqrtf(float x) { return 1 / sqrtf(x); }
inline float rsqrt(float x) { return 1 / sqrtf(x); }
inline double rsqrt(double x) { return 1 / sqrt(x); }
inline bool isnan(float x) { return x != x; }
inline bool isnan(double x) { return x != x; }
inline bool isfinite(float x) { return x - x == 0; }
inline bool isfinite(double x) { return x - x == 0; }

#define EMULATOR_ORDER(T)                          \
  inline T min(T a, T b) { return b < a ? b : a; } \
  inline T max(T a, T b) { return a < b ? b : a; }
// clang-format off
EMULATOR_ORDER(int) EMULATOR_ORDER(unsigned) EMULATOR_ORDER(long long) EMULATOR_ORDER(unsigned long long)
// clang-format on
#undef EMULATOR_ORDER
    inline float min(float a, float b) {
  return fminf(a, b);
}
inline float max(float a, float b) { return fmaxf(a, b); }
inline double min(double a, double b) { return fmin(a, b); }
inline double max(double a, double b) { return fmax(a, b); }

inline float __fadd_rn(float a, float b) { return a + b; }
inline float __fmul_rn(float a, float b) { return a * b; }
inline double __dadd_rn(double a, double b) { return a + b; }
inline double __dmul_rn(double a, double b) { return a * b; }
inline unsigned __umulhi(unsigned a, unsigned b) { return static_cast<unsigned long long>(a) * b >> 32; }
inline float __int_as_float(int bits) { return __builtin_bit_cast(float, bits); }
inline int __float_as_int(float x) { return __builtin_bit_cast(int, x); }
inline double __longlong_as_double(long long bits) { return __builtin_bit_cast(double, bits); }
inline long long __double_as_longlong(double x) { return __builtin_bit_cast(long long, x); }
inline int __popc(unsigned x) { return __builtin_popcount(x); }

#endif
