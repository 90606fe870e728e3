// Functions that the text of every kernel of an accelerator may use, beside those of formulas; what compiles a text
// puts both before it. CUDA C++ without headers; names begin with gr_.
#pragma once

#include <string_view>

namespace gradus {

inline constexpr std::string_view kernel_prelude = R"cuda(
// The type of parameter i of a function.
template <int i, class Function> struct gr_Parameter;
template <class Result, class T, class... Rest> struct gr_Parameter<0, Result(T, Rest...)> { typedef T type; };
template <int i, class Result, class T, class... Rest>
struct gr_Parameter<i, Result(T, Rest...)> : gr_Parameter<i - 1, Result(Rest...)> {};

// exp is taken of -|x| only, which cannot overflow.
template <class T> __device__ inline T gr_sigmoid(T x) {
  const T e = exp(-fabs(x));
  return (x >= 0 ? T(1) : e) / (1 + e);
}
template <class T> __device__ inline T gr_softplus(T x) { return (x > 0 ? x : T(0)) + log1p(exp(-fabs(x))); }
template <class T> __device__ inline T gr_log_sigmoid(T x) { return (x < 0 ? x : T(0)) - log1p(exp(-fabs(x))); }

template <> __device__ inline float gr_least<float>() { return __int_as_float(0xff800000); }
template <> __device__ inline float gr_greatest<float>() { return __int_as_float(0x7f800000); }
template <> __device__ inline double gr_least<double>() { return __longlong_as_double(0xfff0000000000000LL); }
template <> __device__ inline double gr_greatest<double>() { return __longlong_as_double(0x7ff0000000000000LL); }

// The type in which long sums are kept.
template <class T> struct gr_Wide { typedef T type; };
template <> struct gr_Wide<float> { typedef double type; };

// What a reduction folds by: start() is what changes nothing.
struct gr_Sum {
  template <class T> static __device__ inline T start() { return T(0); }
  template <class T> static __device__ inline T fold(T a, T b) { return gr_add(a, b); }
};
struct gr_Product {
  template <class T> static __device__ inline T start() { return T(1); }
  template <class T> static __device__ inline T fold(T a, T b) { return gr_multiply(a, b); }
};
struct gr_Max {
  template <class T> static __device__ inline T start() { return gr_least<T>(); }
  template <class T> static __device__ inline T fold(T a, T b) { return gr_maximum(a, b); }
};
struct gr_Min {
  template <class T> static __device__ inline T start() { return gr_greatest<T>(); }
  template <class T> static __device__ inline T fold(T a, T b) { return gr_minimum(a, b); }
};
struct gr_Either {
  template <class T> static __device__ inline T start() { return false; }
  template <class T> static __device__ inline T fold(T a, T b) { return a || b; }
};
struct gr_Both {
  template <class T> static __device__ inline T start() { return true; }
  template <class T> static __device__ inline T fold(T a, T b) { return a && b; }
};

// The fold of x over `lanes` neighbouring threads of a warp, a power of 2, in a fixed order; all lanes must come here.
// The first of the lanes has it.
template <class F, int lanes, class T> __device__ inline T gr_warp_fold(T x) {
  for (int step = lanes / 2; step > 0; step /= 2) x = F::fold(x, T(__shfl_down_sync(0xffffffffu, x, step, lanes)));
  return x;
}
// The same over all threads of the block, whose number is a multiple of 32. The first thread has it.
template <class F, class T> __device__ inline T gr_block_fold(T x) {
  __shared__ T parts[32];
  const unsigned lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  x = gr_warp_fold<F, 32>(x);
  if (lane == 0) parts[warp] = x;
  __syncthreads();
  if (warp == 0) x = gr_warp_fold<F, 32>(lane < blockDim.x / 32 ? parts[lane] : F::template start<T>());
  __syncthreads();  // before the parts are written again
  return x;
}

// The fold of x over the threads whose numbers leave the same remainder by `lanes`, a power of 2 as the threads of the
// block are. The first `lanes` threads have it.
template <class F, int lanes, class T> __device__ inline T gr_column_fold(T x) {
  __shared__ T parts[256];
  parts[threadIdx.x] = x;
  for (unsigned step = blockDim.x / 2; step >= lanes; step /= 2) {
    __syncthreads();
    if (threadIdx.x < step) parts[threadIdx.x] = x = F::fold(x, parts[threadIdx.x + step]);
  }
  __syncthreads();  // before the parts are written again
  return x;
}

// The sum of x over the threads of the block, at most 256, that come before this one; of integers.
template <class T> __device__ inline T gr_block_sum_before(T x) {
  __shared__ T sums[256];
  sums[threadIdx.x] = x;
  for (unsigned step = 1; step < blockDim.x; step *= 2) {
    __syncthreads();
    const T before = threadIdx.x >= step ? sums[threadIdx.x - step] : T(0);
    __syncthreads();
    sums[threadIdx.x] += before;
  }
  const T before = sums[threadIdx.x] - x;
  __syncthreads();  // before the sums are written again
  return before;
}

// Philox4x32-10, as in core/tensor/random.cpp.
struct gr_Philox { unsigned word[4]; };
__device__ inline gr_Philox gr_philox(gr_Philox counter, gr_uint64 seed) {
  unsigned key0 = unsigned(seed), key1 = unsigned(seed >> 32);
  for (int round = 0; round < 10; ++round) {
    const gr_uint64 a = gr_uint64(0xD2511F53u) * counter.word[0], b = gr_uint64(0xCD9E8D57u) * counter.word[2];
    counter = {{unsigned(b >> 32) ^ counter.word[1] ^ key0, unsigned(b), unsigned(a >> 32) ^ counter.word[3] ^ key1,
                unsigned(a)}};
    key0 += 0x9E3779B9u;
    key1 += 0xBB67AE85u;
  }
  return counter;
}
// Without a fused multiplication and addition: the CPU's bits.
__device__ inline float gr_scaled(float x, float scale, float shift) { return __fadd_rn(shift, __fmul_rn(x, scale)); }
__device__ inline double gr_scaled(double x, double scale, double shift) {
  return __dadd_rn(shift, __dmul_rn(x, scale));
}

// This thread's number in the grid, and the grid's threads: for (gr_int64 i = gr_first(); i < n; i += gr_step()).
__device__ inline gr_int64 gr_first() { return gr_int64(blockIdx.x) * blockDim.x + threadIdx.x; }
__device__ inline gr_int64 gr_step() { return gr_int64(gridDim.x) * blockDim.x; }
)cuda";

}  // namespace gradus
