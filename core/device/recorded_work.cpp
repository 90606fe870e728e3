#include <gradus/core/device/recorded_work.h>

#include <gradus/core/error.h>

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

namespace gradus {

namespace {

// A copy within the device takes longer than this kernel's part of a joined one.
const KernelText copy_bytes{"copy_bytes", R"(
extern "C" __global__ void NAME(gr_int64 n, const unsigned char* from, unsigned char* to) {
  for (gr_int64 i = gr_first(); i < n; i += gr_step()) to[i] = from[i];
}
)"};
constexpr std::int64_t few_bytes = 1024;

constexpr std::size_t most_fused = 64;        // kernels
constexpr std::size_t most_arguments = 2048;  // bytes: a kernel is given 4096 at most

[[noreturn]] void refuse(const char* what) { fail<DeviceError>("{} cannot be recorded", what); }

}  // namespace

std::byte* RecordedWork::allocate(std::int64_t bytes) {
  if (bytes > 0) refuse("an allocation");
  return nullptr;
}
void RecordedWork::upload(std::byte*, const std::byte*, std::int64_t) { refuse("an upload"); }
void RecordedWork::download(std::byte*, const std::byte*, std::int64_t) { refuse("a download"); }
void RecordedWork::wait() { refuse("a wait"); }
void RecordedWork::begin_recording() { refuse("a recording"); }
std::unique_ptr<Accelerator::Recording> RecordedWork::end_recording() { refuse("a recording"); }
void RecordedWork::replay(Recording&) { refuse("a recording"); }
std::unique_ptr<Accelerator::Mark> RecordedWork::mark() { refuse("a mark"); }
double RecordedWork::seconds_between(const Mark&, const Mark&) { refuse("a mark"); }

void RecordedWork::copy(std::byte* to, const std::byte* from, std::int64_t bytes) {
  if (bytes == 0) return;
  if (bytes <= few_bytes) return launch_on(*this, copy_bytes, {1}, bytes, from, to);
  work_.emplace_back(Copy{to, from, bytes});
}

void RecordedWork::set_zero(std::byte* to, std::int64_t bytes) {
  if (bytes > 0) work_.emplace_back(Copy{to, nullptr, bytes});
}

void RecordedWork::launch(const Kernel& kernel, const Grid& grid, std::span<const KernelArgument> arguments) {
  if (grid.blocks == 0) return;
  Launch launch{&kernel, grid, {}};
  std::size_t size = 0;
  for (const KernelArgument& argument : arguments) size += argument.bytes;
  std::byte* to = bytes_.emplace_back(size).data();
  for (const KernelArgument& argument : arguments) {
    std::memcpy(to, argument.data, argument.bytes);
    launch.arguments.push_back({to, argument.bytes});
    to += argument.bytes;
  }
  work_.emplace_back(std::move(launch));
}

std::string fused_text(std::span<const KernelText> kernels, std::span<const std::size_t> arguments) {
  // How every kernel begins (accelerator.h); as a function that another kernel calls.
  constexpr std::string_view begins = "extern \"C\" __global__ void NAME(";
  std::string text, parameters, calls;
  for (std::size_t k = 0; k < kernels.size(); ++k) {
    const std::string_view kernel = kernels[k].text;
    const std::size_t begin = kernel.find(begins);
    text += fmt::format("namespace part_{} {{\n{}\n{}__device__ inline void run({}}}\n", k, kernels[k].settings,
                        kernel.substr(0, begin), kernel.substr(begin + begins.size()));
    std::string given;
    for (std::size_t a = 0; a < arguments[k]; ++a) {
      const std::string name = fmt::format("a{}_{}", k, a);
      parameters += fmt::format("{}gr_Parameter<{}, decltype(part_{}::run)>::type {}", parameters.empty() ? "" : ", ",
                                a, k, name);
      given += (given.empty() ? "" : ", ") + name;
    }
    calls += fmt::format("  part_{}::run({});\n  __syncthreads();\n", k, given);
  }
  return fmt::format("{}extern \"C\" __global__ void NAME({}) {{\n{}}}\n", text, parameters, calls);
}

bool RecordedWork::may_be_fused(const Work& work, int threads) {
  const Launch* const launch = std::get_if<Launch>(&work);
  return launch != nullptr && launch->grid.blocks == 1 && launch->grid.threads == threads;
}

RecordedWork::Launch RecordedWork::joined(std::span<const Work> launches) {
  std::vector<KernelText> kernels;
  std::vector<std::size_t> counts;
  Launch all{nullptr, std::get<Launch>(launches.front()).grid, {}};
  for (const Work& work : launches) {
    const Launch& launch = std::get<Launch>(work);
    kernels.push_back(on_->text_of(*launch.kernel));
    counts.push_back(launch.arguments.size());
    all.arguments.insert(all.arguments.end(), launch.arguments.begin(), launch.arguments.end());
  }
  const std::string text = fused_text(kernels, counts);
  all.kernel = &on_->compile({fmt::format("joined_{}", launches.size()), text});
  return all;
}

void RecordedWork::join() {
  std::vector<Work> work;
  for (std::size_t first = 0, last = 0; first < work_.size(); first = last) {
    std::size_t bytes = 0;
    const auto joins = [&](const Work& next) {
      const Launch* const launch = std::get_if<Launch>(&work_[first]);
      if (launch == nullptr || !may_be_fused(next, launch->grid.threads)) return false;
      for (const KernelArgument& argument : std::get<Launch>(next).arguments) bytes += argument.bytes;
      return bytes <= most_arguments;
    };
    for (last = first; last < work_.size() && last - first < most_fused && joins(work_[last]);) ++last;
    if (last - first > 1) {
      work.emplace_back(joined(std::span(work_).subspan(first, last - first)));
    } else {
      last = first + 1;
      work.push_back(std::move(work_[first]));
    }
  }
  work_ = std::move(work);
}

void RecordedWork::give(const Work& work) {
  if (const auto* launch = std::get_if<Launch>(&work)) {
    on_->launch(*launch->kernel, launch->grid, launch->arguments);
  } else if (const auto* product = std::get_if<GemmWork>(&work)) {
    on_->gemm(*product);
  } else if (const auto* sparse = std::get_if<SpmmWork>(&work)) {
    on_->spmm(*sparse);
  } else {
    const auto& copy = std::get<Copy>(work);
    copy.from == nullptr ? on_->set_zero(copy.to, copy.bytes) : on_->copy(copy.to, copy.from, copy.bytes);
  }
}

std::unique_ptr<Accelerator::Recording> RecordedWork::record() {
  join();
  on_->begin_recording();
  try {
    for (const Work& work : work_) give(work);
  } catch (const DeviceError&) {
    try {
      (void)on_->end_recording();
    } catch (const DeviceError&) {
      // Because of what is being thrown already.
    }
    throw;
  }
  return on_->end_recording();
}

}  // namespace gradus
