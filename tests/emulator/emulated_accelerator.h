// An accelerator for tests, with the host for a GPU: kernels' text runs as it stands (host_kernels.h), products are the
// CPU's plain loops, recordings are lists of calls. Its memory is the host's, but it is checked: what is not
// initialised is NaN, every kernel's pointers must be the device's, nothing may be written behind an allocation, and
// what a CUDA stream refuses while it records is refused here.
#pragma once

#include <gradus/core/device/accelerator.h>
#include <gradus/core/device/device.h>

#include <functional>
#include <map>
#include <vector>

namespace gradus {

class EmulatedAccelerator final : public Accelerator {
 public:
  explicit EmulatedAccelerator(std::string name = "emulated");
  ~EmulatedAccelerator() override;

  std::string name() const override { return name_; }
  std::byte* allocate(std::int64_t bytes) override;
  void release(std::byte* memory) noexcept override;
  std::int64_t memory_in_use() const override { return in_use_; }
  void upload(std::byte* to, const std::byte* from, std::int64_t bytes) override;
  void download(std::byte* to, const std::byte* from, std::int64_t bytes) override;
  void copy(std::byte* to, const std::byte* from, std::int64_t bytes) override;
  void set_zero(std::byte* to, std::int64_t bytes) override;
  void wait() override;
  const Kernel& compile(const KernelText& kernel) override;
  KernelText text_of(const Kernel& kernel) const override;
  void launch(const Kernel& kernel, const Grid& grid, std::span<const KernelArgument> arguments) override;
  void gemm(const GemmWork& work) override;
  void spmm(const SpmmWork& work) override;
  void begin_recording() override;
  std::unique_ptr<Recording> end_recording() override;
  void replay(Recording& recording) override;
  std::unique_ptr<Mark> mark() override;
  double seconds_between(const Mark& from, const Mark& to) override;

  /// Kernels launched since the accelerator was made, replayed ones too.
  std::int64_t launches() const { return launches_; }
  std::int64_t bytes_uploaded() const { return uploaded_; }
  /// At most so many bytes may be in use: allocate throws DeviceError beyond.
  void set_limit(std::int64_t bytes) { limit_ = bytes; }

  /// Called for every kernel that is compiled, by all emulated accelerators: for tests that compile them with NVRTC.
  using KernelHook = std::function<void(const KernelText&)>;
  static void on_kernel(KernelHook hook);

 private:
  struct Compiled;
  void now_or_later(std::function<void()> work);
  void refuse_in_recording(const char* what) const;

  std::string name_;
  std::map<std::string, std::unique_ptr<Compiled>> kernels_;
  std::int64_t in_use_ = 0;
  std::int64_t limit_ = INT64_MAX;
  std::int64_t launches_ = 0;
  std::int64_t uploaded_ = 0;
  bool recording_ = false;
  std::vector<std::function<void()>> recorded_;
};

/// A device whose streams are emulated accelerators.
Device emulated_device();

/// The CPU and, where all is tried (thorough.h), that: its kernels take time to compile.
std::vector<Device> devices_to_try();

}  // namespace gradus
