// A device with memory of its own, as a plan sees it: memory, copies, kernels given as CUDA text, matrix products, and
// sequences of such work that are recorded once and replayed. Work is done in the order in which it was given; only
// download() and wait() wait for it. core/cuda_*.cpp has the accelerator of an NVIDIA GPU. The tests have one that runs
// the same text on the host.
#pragma once

#include <gradus/core/tensor/dtype.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace gradus {

/// A kernel as CUDA text, `extern "C" __global__ void NAME(...)` after the functions that it calls; NAME is a macro.
/// What core/device/kernel_prelude.h declares is there as well. It computes the same with fewer blocks than it is
/// given.
struct KernelText {
  std::string_view name;      // the op's, for messages and profiles: an identifier
  std::string_view text;      // one text for all dtypes and sizes: see settings
  std::string settings = {};  // "using T = float; constexpr int k = 20;": what the text is compiled for
};

struct Grid {
  std::int64_t blocks = 1;
  int threads = 256;
};

struct KernelArgument {
  const void* data;  // where the argument itself lies
  std::size_t bytes;
};

/// c = a b for `batch` matrices of one dtype, float32 or float64, row-major: c [m, n], a [m, k] or stored [k, m], b
/// [k, n] or stored [n, k]; those of number i begin i * stride elements after the first.
struct GemmWork {
  DType dtype = float32;
  std::int64_t m = 0, n = 0, k = 0, batch = 1;
  const std::byte* a = nullptr;
  const std::byte* b = nullptr;
  std::byte* c = nullptr;
  bool transpose_a = false, transpose_b = false;
  std::int64_t a_stride = 0, b_stride = 0, c_stride = 0;
};

/// c [rows, k] = a b for a csr a [rows, columns] and b [columns, k], row-major.
struct SpmmWork {
  DType dtype = float32;
  std::int64_t rows = 0, columns = 0, non_zeros = 0, k = 0;
  const std::int64_t* row_start = nullptr;
  const std::int32_t* column = nullptr;
  const std::byte* values = nullptr;
  const std::byte* b = nullptr;
  std::byte* c = nullptr;
};

/// One stream of work on a device. Used by one thread at a time; several may be open on a device.
class Accelerator {
 public:
  /// A compiled kernel; it lives as long as the accelerator.
  class Kernel;
  /// Work that was recorded.
  class Recording {
   public:
    Recording() = default;
    Recording(const Recording&) = delete;
    Recording& operator=(const Recording&) = delete;
    virtual ~Recording() = default;
  };
  /// A moment in the order of the work.
  class Mark {
   public:
    Mark() = default;
    Mark(const Mark&) = delete;
    Mark& operator=(const Mark&) = delete;
    virtual ~Mark() = default;
  };

  Accelerator() = default;
  Accelerator(const Accelerator&) = delete;
  Accelerator& operator=(const Accelerator&) = delete;
  virtual ~Accelerator() = default;

  /// "cuda:0 (NVIDIA H100 80GB HBM3)".
  virtual std::string name() const = 0;

  /// Memory that is not initialised, aligned to 256 bytes; null for 0 bytes. What was released is used again.
  /// Throws DeviceError, naming the bytes asked for, free and there in all, when there is none.
  virtual std::byte* allocate(std::int64_t bytes) = 0;
  virtual void release(std::byte* memory) noexcept = 0;
  /// Bytes allocated and not released, without those that the accelerator itself works in.
  virtual std::int64_t memory_in_use() const = 0;

  /// `from` may change as soon as upload returns.
  virtual void upload(std::byte* to, const std::byte* from, std::int64_t bytes) = 0;
  virtual void download(std::byte* to, const std::byte* from, std::int64_t bytes) = 0;
  virtual void copy(std::byte* to, const std::byte* from, std::int64_t bytes) = 0;
  virtual void set_zero(std::byte* to, std::int64_t bytes) = 0;
  /// Until all work given so far is done. Throws DeviceError if any of it failed.
  virtual void wait() = 0;

  /// Compiled when first asked for. Throws DeviceError with the kernel's name and the compiler's lines.
  virtual const Kernel& compile(const KernelText& kernel) = 0;
  /// Of what it was compiled. Lives as long as the kernel.
  virtual KernelText text_of(const Kernel& kernel) const = 0;
  /// An empty grid does nothing.
  virtual void launch(const Kernel& kernel, const Grid& grid, std::span<const KernelArgument> arguments) = 0;
  virtual void gemm(const GemmWork& work) = 0;
  virtual void spmm(const SpmmWork& work) = 0;

  /// Between these two, work is recorded and not done. Meanwhile allocate, upload, download, wait and compile of a
  /// kernel that is new throw DeviceError: a recording could not contain them.
  virtual void begin_recording() = 0;
  virtual std::unique_ptr<Recording> end_recording() = 0;
  virtual void replay(Recording& recording) = 0;

  /// Marks the moment at which all work given so far is done. Not while work is recorded.
  virtual std::unique_ptr<Mark> mark() = 0;
  /// Seconds between two marks, the earlier first, by the device's clock. Waits for the later one.
  virtual double seconds_between(const Mark& from, const Mark& to) = 0;
};

/// Memory of an accelerator, owned.
class DeviceMemory {
 public:
  DeviceMemory() = default;
  DeviceMemory(std::shared_ptr<Accelerator> accelerator, std::int64_t bytes)
      : accelerator_(std::move(accelerator)), data_(accelerator_->allocate(bytes)), bytes_(bytes) {}
  DeviceMemory(DeviceMemory&& other) noexcept { swap(other); }
  DeviceMemory& operator=(DeviceMemory&& other) noexcept {
    swap(other);
    return *this;
  }
  ~DeviceMemory() {
    if (data_ != nullptr) accelerator_->release(data_);
  }

  std::byte* data() const { return data_; }
  std::int64_t bytes() const { return bytes_; }
  /// Makes room for at least `bytes`; what was in it is lost when it grows.
  void reserve(const std::shared_ptr<Accelerator>& accelerator, std::int64_t bytes) {
    if (bytes > bytes_) *this = DeviceMemory();
    if (bytes > bytes_) *this = DeviceMemory(accelerator, bytes);
  }

 private:
  void swap(DeviceMemory& other) noexcept {
    std::swap(accelerator_, other.accelerator_);
    std::swap(data_, other.data_);
    std::swap(bytes_, other.bytes_);
  }

  std::shared_ptr<Accelerator> accelerator_;
  std::byte* data_ = nullptr;
  std::int64_t bytes_ = 0;
};

/// Launches a kernel with these arguments: numbers, pointers into the device's memory, and small structs of them, each
/// of just the type that the kernel takes.
template <class... Arguments>
void launch_on(Accelerator& accelerator, const KernelText& kernel, const Grid& grid, Arguments... arguments) {
  const std::array<KernelArgument, sizeof...(Arguments)> given = {KernelArgument{&arguments, sizeof arguments}...};
  accelerator.launch(accelerator.compile(kernel), grid, given);
}

/// A grid with a thread for each of n elements, or as many as keep a device busy: kernels step on by the grid's size.
Grid grid_for(std::int64_t n, int threads = 256);

/// "float" for float32, "gr_int64" for int64, and so on.
std::string_view cuda_name(DType dtype);
/// "using T = float;".
std::string using_type(DType dtype);

}  // namespace gradus
