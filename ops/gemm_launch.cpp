#include <gradus/core/device/device_call.h>
#include <gradus/ops/gemm.h>

#include <fmt/format.h>

namespace gradus {

namespace {

// A thread for each number of c.
constexpr std::string_view product = R"(
extern "C" __global__ void NAME(gr_int64 m, gr_int64 n, gr_int64 k, const T* a, const T* b, T* c) {
  for (gr_int64 i = gr_first(); i < m * n; i += gr_step()) {
    const gr_int64 row = i / n, column = i % n;
    const T* of_a = a + row * (transpose_a ? 1 : k);
    const T* of_b = b + column * (transpose_b ? k : 1);
    T sum = 0;
    for (gr_int64 j = 0; j < k; ++j) sum = gr_add(sum, gr_multiply(of_a[j * (transpose_a ? m : 1)], of_b[j * (transpose_b ? 1 : n)]));
    c[i] = sum;
  }
}
)";

// What one block computes in less time than another kernel takes to start.
constexpr std::int64_t few_numbers = 1024;
constexpr std::int64_t few_terms = 64;

}  // namespace

void gemm(DeviceCall& call, const GemmWork& work) {
  const bool is_small = work.batch == 1 && work.m * work.n <= few_numbers && work.k <= few_terms;
  if (!is_small && is_floating(work.dtype)) return call.accelerator().gemm(work);
  const auto size = static_cast<std::int64_t>(size_of(work.dtype));
  for (std::int64_t i = 0; i < work.batch; ++i)
    call.launch({"product", product,
                 fmt::format("{} constexpr bool transpose_a = {}, transpose_b = {};", using_type(work.dtype),
                             work.transpose_a, work.transpose_b)},
                is_small ? Grid{1} : grid_for(work.m * work.n), work.m, work.n, work.k,
                work.a + i * work.a_stride * size, work.b + i * work.b_stride * size,
                work.c + i * work.c_stride * size);
}

}  // namespace gradus
