// Work that is to be recorded, gathered first: where kernels of one block follow each other, they are made one kernel.
// Small steps are mostly such kernels, and to go from one to the next takes a device as long as what they do.
#pragma once

#include <gradus/core/device/accelerator.h>

#include <deque>
#include <variant>
#include <vector>

namespace gradus {

/// Takes work in place of an accelerator, on which it is done later. What could not be recorded throws DeviceError.
class RecordedWork final : public Accelerator {
 public:
  explicit RecordedWork(std::shared_ptr<Accelerator> accelerator) : on_(std::move(accelerator)) {}

  /// The work as one recording of the accelerator. Throws DeviceError where that cannot be recorded.
  std::unique_ptr<Recording> record();

  std::string name() const override { return on_->name(); }
  std::byte* allocate(std::int64_t bytes) override;
  void release(std::byte* memory) noexcept override { on_->release(memory); }
  std::int64_t memory_in_use() const override { return on_->memory_in_use(); }
  void upload(std::byte* to, const std::byte* from, std::int64_t bytes) override;
  void download(std::byte* to, const std::byte* from, std::int64_t bytes) override;
  void copy(std::byte* to, const std::byte* from, std::int64_t bytes) override;
  void set_zero(std::byte* to, std::int64_t bytes) override;
  void wait() override;
  const Kernel& compile(const KernelText& kernel) override { return on_->compile(kernel); }
  KernelText text_of(const Kernel& kernel) const override { return on_->text_of(kernel); }
  void launch(const Kernel& kernel, const Grid& grid, std::span<const KernelArgument> arguments) override;
  void gemm(const GemmWork& work) override { work_.emplace_back(work); }
  void spmm(const SpmmWork& work) override { work_.emplace_back(work); }
  void begin_recording() override;
  std::unique_ptr<Recording> end_recording() override;
  void replay(Recording& recording) override;
  std::unique_ptr<Mark> mark() override;
  double seconds_between(const Mark& from, const Mark& to) override;

 private:
  struct Launch {
    const Kernel* kernel;
    Grid grid;
    std::vector<KernelArgument> arguments;  // what they show lies in bytes_
  };
  struct Copy {
    std::byte* to;
    const std::byte* from;  // null: zeros are written
    std::int64_t bytes;
  };
  using Work = std::variant<Launch, GemmWork, SpmmWork, Copy>;

  static bool may_be_fused(const Work& work, int threads);
  Launch joined(std::span<const Work> launches);
  void join();
  void give(const Work& work);

  std::shared_ptr<Accelerator> on_;
  std::vector<Work> work_;
  std::deque<std::vector<std::byte>> bytes_;
};

/// The kernels one after the other, as one of a single block: it takes the arguments of the first, then those of the
/// second, and so on. `arguments`: how many each takes.
std::string fused_text(std::span<const KernelText> kernels, std::span<const std::size_t> arguments);

}  // namespace gradus
