// The emulated accelerator: it runs a kernel's text as CUDA would, and what goes wrong on a GPU in silence, or for
// ever, is an error that names the kernel.
#include "../emulator/emulated_accelerator.h"
#include "../sanitized.h"

#include <gradus/core/device/device_call.h>
#include <gradus/core/error.h>

#include <doctest/doctest.h>

#include <cmath>
#include <string>
#include <vector>

using namespace gradus;

namespace {

constexpr std::string_view block_sums = R"cuda(
extern "C" __global__ void NAME(const T* x, T* y, long long n) {
  T sum = 0;
  for (gr_int64 i = gr_first(); i < n; i += gr_step()) sum += x[i];
  sum = gr_block_fold<gr_Sum>(sum);
  if (threadIdx.x == 0) y[blockIdx.x] = sum;
}
)cuda";

template <class T>
T* on_device(Accelerator& on, const std::vector<T>& values) {
  const auto bytes = static_cast<std::int64_t>(values.size() * sizeof(T));
  std::byte* memory = on.allocate(bytes);
  on.upload(memory, reinterpret_cast<const std::byte*>(values.data()), bytes);
  return reinterpret_cast<T*>(memory);
}

template <class T>
std::vector<T> from_device(Accelerator& on, const T* data, std::size_t count) {
  std::vector<T> values(count);
  on.download(reinterpret_cast<std::byte*>(values.data()), reinterpret_cast<const std::byte*>(data),
              static_cast<std::int64_t>(count * sizeof(T)));
  return values;
}

template <class F>
std::string refusal_of(F&& f) {
  try {
    f();
  } catch (const DeviceError& error) {
    return error.what();
  }
  return "nothing was thrown";
}

void release(Accelerator& on, void* memory) { on.release(static_cast<std::byte*>(memory)); }

}  // namespace

TEST_CASE("emulator: threads exchange by shared memory and shuffles") {
  EmulatedAccelerator device;
  std::vector<double> x(5000);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<double>(i);
  double* from = on_device(device, x);
  double* to = on_device(device, std::vector<double>(8));
  launch_on(device, {"block_sums", block_sums, using_type(float64)}, {8, 256}, static_cast<const double*>(from), to,
            std::int64_t{5000});
  double sum = 0;
  for (const double part : from_device(device, to, 8)) sum += part;
  CHECK(sum == 4999.0 * 5000 / 2);
  CHECK(device.launches() == 1);
  release(device, from);
  release(device, to);
  CHECK(device.memory_in_use() == 0);
}

TEST_CASE("emulator: every kind of shuffle") {
  constexpr std::string_view text = R"cuda(
extern "C" __global__ void NAME(int* y) {
  const int lane = threadIdx.x;
  int* of = y + lane * 6;
  of[0] = __shfl_sync(0xffffffffu, lane, 5);
  of[1] = __shfl_down_sync(0xffffffffu, lane, 3);
  of[2] = __shfl_up_sync(0xffffffffu, lane, 3);
  of[3] = __shfl_xor_sync(0xffffffffu, lane, 1);
  of[4] = __shfl_down_sync(0xffffffffu, lane, 3, 8);
  of[5] = int(__shfl_sync(0xffffffffu, double(lane), 9, 8));
}
)cuda";
  EmulatedAccelerator device;
  int* y = on_device(device, std::vector<int>(192));
  launch_on(device, {"shuffles", text}, {1, 32}, y);
  const std::vector<int> got = from_device(device, y, 192);
  for (int lane = 0; lane < 32; ++lane) {
    const std::vector<int> mine(got.begin() + lane * 6, got.begin() + lane * 6 + 6);
    const std::vector<int> expected = {5,        lane < 29 ? lane + 3 : lane,    lane >= 3 ? lane - 3 : lane,
                                       lane ^ 1, lane % 8 < 5 ? lane + 3 : lane, lane / 8 * 8 + 1};
    CHECK(mine == expected);
  }
  release(device, y);
}

TEST_CASE("emulator: what would be silent or endless on a GPU is refused") {
  EmulatedAccelerator device;
  float* x = on_device(device, std::vector<float>(100));
  const std::string not_numbers = "extern \"C\" __global__ void NAME(float* x) { x[100] = 1; }";
  CHECK(refusal_of([&] {
          launch_on(device, {"alone", "extern \"C\" __global__ void NAME() { if (threadIdx.x > 40) __syncthreads(); }"},
                    {1, 64});
        }) == "kernel alone: threads of a block wait for others that have returned or wait elsewhere");
  // And the next kernel runs.
  launch_on(device,
            {"together", "extern \"C\" __global__ void NAME(float* x) { __syncthreads(); x[threadIdx.x] = 2; }"},
            {1, 64}, x);
  CHECK(from_device(device, x, 64) == std::vector<float>(64, 2));

  float host = 0;
  const KernelText store = {"store", "extern \"C\" __global__ void NAME(float* x) { *x = 1; }"};
  CHECK(refusal_of([&] {
          launch_on(device, store, {1, 32}, &host);
        }) == "kernel store: argument 0 does not point into device memory");
  CHECK(host == 0);
  CHECK(refusal_of([&] {
          launch_on(device, store, {1, 32});
        }) == "kernel store: arguments of [] bytes are given, of [8] are taken");
  CHECK(refusal_of([&] {
          launch_on(device, store, {1, 33}, x);
        }) == "kernel store: 1 blocks of 33 threads; at most 2147483647 of a multiple of 32 up to 1024 are expected");
  launch_on(device, store, {0, 32}, x);  // an empty grid does nothing
  CHECK(device.launches() == 2);
  CHECK(refusal_of([&] {
          launch_on(device, {"wrong", "extern \"C\" __global__ void NAME() { int x = y; }"}, {1, 32});
        }).starts_with("kernel wrong does not compile:\n"));
  CHECK(refusal_of([&] {
          device.download(reinterpret_cast<std::byte*>(&host), reinterpret_cast<std::byte*>(x), 404);
        }) == "emulated download of 404 bytes: they do not lie in device memory");
#if !defined(GRADUS_ASAN)  // which would stop the program there
  CHECK(refusal_of([&] {
          launch_on(device, {"beyond", not_numbers}, {1, 32}, x);
        }) == "kernel beyond writes behind an allocation");
#endif
  release(device, x);
}

TEST_CASE("emulator: memory is not initialised, is counted and has its limit") {
  EmulatedAccelerator device;
  std::byte* memory = device.allocate(12);
  CHECK(device.memory_in_use() == 12);
  CHECK(reinterpret_cast<std::uintptr_t>(memory) % 256 == 0);
  CHECK(std::isnan(from_device(device, reinterpret_cast<float*>(memory), 3)[2]));
  device.set_limit(20);
  CHECK(refusal_of([&] { device.allocate(9); }) == "emulated allocate: 9 bytes are asked for, 8 of 20 are free");
  CHECK(device.allocate(0) == nullptr);
  device.release(memory);
  CHECK(device.memory_in_use() == 0);
}

TEST_CASE("emulator: a recording does its work when it is replayed") {
  EmulatedAccelerator device;
  float* x = on_device(device, std::vector<float>{1, 2, 3});
  const KernelText twice = {
      "twice", "extern \"C\" __global__ void NAME(float* x, float by) { if (threadIdx.x < 3) x[threadIdx.x] *= by; }"};
  CHECK(refusal_of([&] {
          device.begin_recording();
          device.compile(twice);
        }) == "emulated compile: not while work is recorded");
  device.end_recording();
  device.compile(twice);
  device.begin_recording();
  launch_on(device, twice, {1, 32}, x, 2.0F);
  CHECK(refusal_of([&] { device.allocate(1); }) == "emulated allocate: not while work is recorded");
  const auto recording = device.end_recording();
  CHECK(from_device(device, x, 3) == std::vector<float>{1, 2, 3});
  device.replay(*recording);
  device.replay(*recording);
  CHECK(from_device(device, x, 3) == std::vector<float>{4, 8, 12});
  release(device, x);
}
