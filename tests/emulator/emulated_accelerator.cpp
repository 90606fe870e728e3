#include "emulated_accelerator.h"

#include "host_kernels.h"

#include "../thorough.h"

#include <gradus/core/error.h>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <mutex>
#include <utility>

namespace gradus {

using emulator::HostKernel;

namespace {

constexpr std::size_t alignment = 256;
constexpr std::size_t guard = 64;  // bytes behind an allocation that nobody may write
constexpr int guard_byte = 0xA5;
constexpr int uninitialized_byte = 0xFF;  // NaN, -1, and no bool

// All emulated memory of the program, by its first byte.
struct Memory {
  std::mutex mutex;
  std::map<const std::byte*, std::int64_t> bytes;

  // Whether [from, from + count) lies in one allocation.
  bool holds(const std::byte* from, std::int64_t count) {
    const std::lock_guard lock(mutex);
    auto at = bytes.upper_bound(from);
    if (at == bytes.begin()) return false;
    --at;
    return from + count <= at->first + at->second;
  }
  bool guards_stand() {
    const std::lock_guard lock(mutex);
    return std::all_of(bytes.begin(), bytes.end(), [](const auto& allocation) {
      const std::byte* end = allocation.first + allocation.second;
      return std::all_of(end, end + guard, [](std::byte b) { return b == std::byte{guard_byte}; });
    });
  }
};

Memory& memory() {
  static Memory all;
  return all;
}

void require_device(const char* what, const std::byte* from, std::int64_t bytes) {
  if (bytes > 0 && !memory().holds(from, bytes))
    fail<DeviceError>("emulated {} of {} bytes: they do not lie in device memory", what, bytes);
}

// Kernels of all accelerators are made and run one at a time: what a kernel's text has for the launch at hand is there
// once.
std::recursive_mutex& one_kernel() {
  static std::recursive_mutex mutex;
  return mutex;
}

EmulatedAccelerator::KernelHook& kernel_hook() {
  static EmulatedAccelerator::KernelHook hook;
  return hook;
}

template <class T>
const T* element(const std::byte* data) {
  return reinterpret_cast<const T*>(data);
}

template <class T>
void multiply(const GemmWork& w) {
  for (std::int64_t number = 0; number < w.batch; ++number) {
    const T* a = element<T>(w.a) + number * w.a_stride;
    const T* b = element<T>(w.b) + number * w.b_stride;
    T* c = reinterpret_cast<T*>(w.c) + number * w.c_stride;
    for (std::int64_t i = 0; i < w.m; ++i)
      for (std::int64_t j = 0; j < w.n; ++j) {
        T sum = 0;
        for (std::int64_t l = 0; l < w.k; ++l)
          sum += (w.transpose_a ? a[l * w.m + i] : a[i * w.k + l]) * (w.transpose_b ? b[j * w.k + l] : b[l * w.n + j]);
        c[i * w.n + j] = sum;
      }
  }
}

template <class T>
void multiply(const SpmmWork& w) {
  T* c = reinterpret_cast<T*>(w.c);
  for (std::int64_t r = 0; r < w.rows; ++r)
    for (std::int64_t j = 0; j < w.k; ++j) {
      T sum = 0;
      for (std::int64_t i = w.row_start[r]; i < w.row_start[r + 1]; ++i)
        sum += element<T>(w.values)[i] * element<T>(w.b)[w.column[i] * w.k + j];
      c[r * w.k + j] = sum;
    }
}

void check_pointer(int argument, const void* pointer) {
  if (pointer != nullptr && !memory().holds(static_cast<const std::byte*>(pointer), 0))
    fail<DeviceError>("argument {} does not point into device memory", argument);
}

}  // namespace

// What Accelerator::Kernel stands for here.
struct EmulatedAccelerator::Compiled {
  explicit Compiled(const KernelText& kernel)
      : name(kernel.name), text(kernel.text), settings(kernel.settings), on_host(kernel) {}
  std::string name, text, settings;
  HostKernel on_host;
};

EmulatedAccelerator::EmulatedAccelerator(std::string name) : name_(std::move(name)) {}
EmulatedAccelerator::~EmulatedAccelerator() = default;

void EmulatedAccelerator::on_kernel(KernelHook hook) { kernel_hook() = std::move(hook); }

void EmulatedAccelerator::refuse_in_recording(const char* what) const {
  if (recording_) fail<DeviceError>("emulated {}: not while work is recorded", what);
}

std::byte* EmulatedAccelerator::allocate(std::int64_t bytes) {
  refuse_in_recording("allocate");
  if (bytes == 0) return nullptr;
  if (in_use_ + bytes > limit_)
    fail<DeviceError>("emulated allocate: {} bytes are asked for, {} of {} are free", bytes, limit_ - in_use_, limit_);
  void* made = nullptr;
  if (posix_memalign(&made, alignment, static_cast<std::size_t>(bytes) + guard) != 0)
    fail<DeviceError>("emulated allocate: no memory for {} bytes", bytes);
  std::memset(made, uninitialized_byte, static_cast<std::size_t>(bytes));
  auto* data = static_cast<std::byte*>(made);
  std::memset(data + bytes, guard_byte, guard);
  in_use_ += bytes;
  const std::lock_guard lock(memory().mutex);
  memory().bytes[data] = bytes;
  return data;
}

void EmulatedAccelerator::release(std::byte* data) noexcept {
  if (data == nullptr) return;
  const std::lock_guard lock(memory().mutex);
  const auto at = memory().bytes.find(data);
  if (at == memory().bytes.end()) std::abort();  // released twice, or never allocated
  in_use_ -= at->second;
  memory().bytes.erase(at);
  std::free(data);
}

void EmulatedAccelerator::now_or_later(std::function<void()> work) {
  if (recording_) {
    recorded_.push_back(std::move(work));
  } else {
    work();
  }
}

void EmulatedAccelerator::upload(std::byte* to, const std::byte* from, std::int64_t bytes) {
  refuse_in_recording("upload");
  require_device("upload", to, bytes);
  uploaded_ += bytes;
  if (bytes > 0) std::memcpy(to, from, static_cast<std::size_t>(bytes));
}

void EmulatedAccelerator::download(std::byte* to, const std::byte* from, std::int64_t bytes) {
  refuse_in_recording("download");
  require_device("download", from, bytes);
  if (bytes > 0) std::memcpy(to, from, static_cast<std::size_t>(bytes));
}

void EmulatedAccelerator::copy(std::byte* to, const std::byte* from, std::int64_t bytes) {
  now_or_later([=] {
    require_device("copy", to, bytes);
    require_device("copy", from, bytes);
    if (bytes > 0) std::memmove(to, from, static_cast<std::size_t>(bytes));
  });
}

void EmulatedAccelerator::set_zero(std::byte* to, std::int64_t bytes) {
  now_or_later([=] {
    require_device("set_zero", to, bytes);
    if (bytes > 0) std::memset(to, 0, static_cast<std::size_t>(bytes));
  });
}

void EmulatedAccelerator::wait() { refuse_in_recording("wait"); }

const Accelerator::Kernel& EmulatedAccelerator::compile(const KernelText& kernel) {
  std::string key = std::string(kernel.name) + '\n' + kernel.settings + '\n';
  key += kernel.text;
  std::unique_ptr<Compiled>& compiled = kernels_[key];
  if (!compiled) {
    refuse_in_recording("compile");
    const std::lock_guard lock(one_kernel());
    if (kernel_hook()) kernel_hook()(kernel);
    compiled = std::make_unique<Compiled>(kernel);
  }
  return reinterpret_cast<const Kernel&>(*compiled);
}

KernelText EmulatedAccelerator::text_of(const Kernel& kernel) const {
  const auto& compiled = reinterpret_cast<const Compiled&>(kernel);
  return {compiled.name, compiled.text, compiled.settings};
}

void EmulatedAccelerator::launch(const Kernel& kernel, const Grid& grid, std::span<const KernelArgument> arguments) {
  const HostKernel& on_host = reinterpret_cast<const Compiled&>(kernel).on_host;
  std::vector<std::size_t> bytes;
  std::vector<std::vector<std::byte>> copies;  // the caller's arguments are gone when a recording is replayed
  for (const KernelArgument& argument : arguments) {
    const auto* from = static_cast<const std::byte*>(argument.data);
    copies.emplace_back(from, from + argument.bytes);
    bytes.push_back(argument.bytes);
  }
  if (bytes != on_host.arguments())
    fail<DeviceError>("kernel {}: arguments of {} bytes are given, of {} are taken", on_host.name(), bytes,
                      on_host.arguments());
  now_or_later([this, &on_host, grid, copies = std::move(copies)]() mutable {
    std::vector<void*> pointers;
    for (std::vector<std::byte>& copy : copies) pointers.push_back(copy.data());
    const std::lock_guard lock(one_kernel());
    on_host.launch(grid, pointers, check_pointer);
    ++launches_;
    if (!memory().guards_stand()) fail<DeviceError>("kernel {} writes behind an allocation", on_host.name());
  });
}

void EmulatedAccelerator::gemm(const GemmWork& work) {
  now_or_later([work] {
    const auto size = static_cast<std::int64_t>(size_of(work.dtype));
    const auto extent = [&](std::int64_t rows, std::int64_t columns, std::int64_t stride) {
      return work.batch * rows * columns == 0 ? 0 : ((work.batch - 1) * stride + rows * columns) * size;
    };
    require_device("gemm", work.a, extent(work.m, work.k, work.a_stride));
    require_device("gemm", work.b, extent(work.k, work.n, work.b_stride));
    require_device("gemm", work.c, extent(work.m, work.n, work.c_stride));
    dispatch_floating(work.dtype, [&]<class T>(TypeTag<T>) { multiply<T>(work); });
  });
}

void EmulatedAccelerator::spmm(const SpmmWork& work) {
  now_or_later([work] {
    const auto size = static_cast<std::int64_t>(size_of(work.dtype));
    require_device("spmm", reinterpret_cast<const std::byte*>(work.row_start), (work.rows + 1) * 8);
    require_device("spmm", reinterpret_cast<const std::byte*>(work.column), work.non_zeros * 4);
    require_device("spmm", work.values, work.non_zeros * size);
    require_device("spmm", work.b, work.columns * work.k * size);
    require_device("spmm", work.c, work.rows * work.k * size);
    dispatch_floating(work.dtype, [&]<class T>(TypeTag<T>) { multiply<T>(work); });
  });
}

namespace {

struct Replayable final : Accelerator::Recording {
  std::vector<std::function<void()>> work;
};

// All work is done when it is given: the host's clock is the device's.
struct Moment final : Accelerator::Mark {
  std::chrono::steady_clock::time_point at = std::chrono::steady_clock::now();
};

}  // namespace

void EmulatedAccelerator::begin_recording() {
  refuse_in_recording("begin_recording");
  recording_ = true;
  recorded_.clear();
}

std::unique_ptr<Accelerator::Recording> EmulatedAccelerator::end_recording() {
  if (!recording_) fail<DeviceError>("emulated end_recording: none was begun");
  recording_ = false;
  auto recording = std::make_unique<Replayable>();
  recording->work = std::exchange(recorded_, {});
  return recording;
}

void EmulatedAccelerator::replay(Recording& recording) {
  refuse_in_recording("replay");
  for (const auto& work : static_cast<Replayable&>(recording).work) work();
}

std::unique_ptr<Accelerator::Mark> EmulatedAccelerator::mark() {
  refuse_in_recording("mark");
  return std::make_unique<Moment>();
}

double EmulatedAccelerator::seconds_between(const Mark& from, const Mark& to) {
  return std::chrono::duration<double>(static_cast<const Moment&>(to).at - static_cast<const Moment&>(from).at).count();
}

Device emulated_device() {
  return Device::other("emulated", [] { return std::make_shared<EmulatedAccelerator>(); });
}

std::vector<Device> devices_to_try() {
  std::vector<Device> devices{Device::cpu()};
  if (thorough()) devices.push_back(emulated_device());
  return devices;
}

}  // namespace gradus
