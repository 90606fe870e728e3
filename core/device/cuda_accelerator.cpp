#include <gradus/core/device/cuda_accelerator.h>

#include <gradus/core/device/cuda_compiler.h>
#include <gradus/core/error.h>
#include <gradus/core/io/kept.h>

namespace gradus {

namespace {

const KernelText narrow{"narrow",
                        R"(
extern "C" __global__ void NAME(gr_int64 n, const gr_int64* from, int* to) {
  for (gr_int64 i = gr_first(); i < n; i += gr_step()) to[i] = int(from[i]);
}
)",
                        {}};

// For what cuSPARSE does not do in the same bits every time, or only with wider indices: a thread for each number of
// the result.
const KernelText plain_spmm{"plain_spmm",
                            R"(
extern "C" __global__ void NAME(gr_int64 n, gr_int64 k, const gr_int64* start, const int* column, const T* values,
                                const T* b, T* c) {
  for (gr_int64 i = gr_first(); i < n; i += gr_step()) {
    const gr_int64 row = i / k, j = i % k;
    T sum = 0;
    for (gr_int64 p = start[row]; p < start[row + 1]; ++p) sum += values[p] * b[column[p] * k + j];
    c[i] = sum;
  }
}
)",
                            {}};

struct CudaRecording final : Accelerator::Recording {
  CudaGraphExec graph;
};

struct CudaMark final : Accelerator::Mark {
  CudaEvent event;
};

}  // namespace

class Accelerator::Kernel {
 public:
  std::string name, text, settings;
  cudaKernel_t function = nullptr;
};

struct CudaAccelerator::Compiled {
  CudaLibrary library;
  Kernel kernel;
};

cudaStream_t CudaAccelerator::new_stream(int index) {
  check(cudaSetDevice(index), "cudaSetDevice");
  cudaStream_t stream = nullptr;
  check(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "cudaStreamCreate");
  return stream;
}

CudaAccelerator::CudaAccelerator(int index, std::string name, int capability, bool tf32)
    : index_(index),
      name_(std::move(name)),
      capability_(capability),
      stream_(new_stream(index)),
      memory_(name_, stream_.get()),
      staging_(stream_.get()),
      products_(memory_, stream_.get(), tf32),
      row_start_(memory_) {}

CudaAccelerator::~CudaAccelerator() { cudaSetDevice(index_); }

void CudaAccelerator::refuse_in_recording(const char* what) const {
  if (recording_) fail<DeviceError>("{} cannot be recorded", what);
}

std::byte* CudaAccelerator::allocate(std::int64_t bytes) {
  refuse_in_recording("an allocation");
  activate();
  return memory_.allocate(bytes);
}

void CudaAccelerator::release(std::byte* memory) noexcept { memory_.release(memory); }

void CudaAccelerator::upload(std::byte* to, const std::byte* from, std::int64_t bytes) {
  refuse_in_recording("an upload");
  activate();
  staging_.upload(to, from, bytes);
}

void CudaAccelerator::download(std::byte* to, const std::byte* from, std::int64_t bytes) {
  refuse_in_recording("a download");
  activate();
  staging_.download(to, from, bytes);
}

void CudaAccelerator::copy(std::byte* to, const std::byte* from, std::int64_t bytes) {
  if (bytes == 0) return;
  activate();
  check(cudaMemcpyAsync(to, from, static_cast<std::size_t>(bytes), cudaMemcpyDeviceToDevice, stream_.get()),
        "cudaMemcpyAsync", bytes);
}

void CudaAccelerator::set_zero(std::byte* to, std::int64_t bytes) {
  if (bytes == 0) return;
  activate();
  check(cudaMemsetAsync(to, 0, static_cast<std::size_t>(bytes), stream_.get()), "cudaMemsetAsync", bytes);
}

void CudaAccelerator::wait() {
  refuse_in_recording("a wait");
  activate();
  check(cudaStreamSynchronize(stream_.get()), "cudaStreamSynchronize");
}

const Accelerator::Kernel& CudaAccelerator::compile(const KernelText& kernel) {
  const std::size_t key =
      std::hash<std::string_view>()(kernel.name) ^ (std::hash<std::string>()(kernel.settings) << 1U);
  const auto [first, last] = kernels_.equal_range(key);
  for (auto found = first; found != last; ++found)
    if (const Kernel& k = found->second->kernel;
        k.name == kernel.name && k.settings == kernel.settings && k.text == kernel.text)
      return k;
  refuse_in_recording("compiling a kernel");
  activate();
  auto made = std::make_unique<Compiled>();
  made->kernel = {std::string(kernel.name), std::string(kernel.text), kernel.settings, nullptr};
  const std::string cubin = kept_cubin(kernel, capability_, kept_folder());
  check(cudaLibraryLoadData(made->library.put(), cubin.data(), nullptr, nullptr, 0, nullptr, nullptr, 0),
        "cudaLibraryLoadData", static_cast<std::int64_t>(cubin.size()));
  check(cudaLibraryGetKernel(&made->kernel.function, made->library.get(), symbol_of(kernel).c_str()),
        "cudaLibraryGetKernel");
  return kernels_.emplace(key, std::move(made))->second->kernel;
}

KernelText CudaAccelerator::text_of(const Kernel& kernel) const { return {kernel.name, kernel.text, kernel.settings}; }

void CudaAccelerator::launch(const Kernel& kernel, const Grid& grid, std::span<const KernelArgument> arguments) {
  if (grid.blocks == 0) return;
  activate();
  arguments_.clear();
  for (const KernelArgument& argument : arguments) arguments_.push_back(const_cast<void*>(argument.data));  // only read
  check(cudaLaunchKernel(reinterpret_cast<const void*>(kernel.function), dim3(static_cast<unsigned>(grid.blocks)),
                         dim3(static_cast<unsigned>(grid.threads)), arguments_.data(), 0, stream_.get()),
        "cudaLaunchKernel");
}

void CudaAccelerator::gemm(const GemmWork& work) {
  const std::int64_t bytes = work.batch * work.m * work.n * static_cast<std::int64_t>(size_of(work.dtype));
  if (bytes == 0) return;
  if (work.k == 0) return set_zero(work.c, bytes);
  activate();
  products_.gemm(work, recording_);
}

void CudaAccelerator::spmm(const SpmmWork& work) {
  const std::int64_t bytes = work.rows * work.k * static_cast<std::int64_t>(size_of(work.dtype));
  if (bytes == 0) return;
  if (work.non_zeros == 0) return set_zero(work.c, bytes);
  activate();
  if (work.non_zeros <= INT32_MAX && products_.spmm(work, narrow_row_start(work), recording_)) return;
  KernelText kernel = plain_spmm;
  kernel.settings = using_type(work.dtype);
  const std::int64_t n = work.rows * work.k;
  launch_on(*this, kernel, grid_for(n), n, work.k, work.row_start, work.column, work.values, work.b, work.c);
}

const std::int32_t* CudaAccelerator::narrow_row_start(const SpmmWork& work) {
  const std::int64_t n = work.rows + 1;
  const std::int64_t bytes = n * static_cast<std::int64_t>(sizeof(std::int32_t));
  std::byte* const row_start = row_start_.reserve(bytes, recording_);
  launch_on(*this, narrow, grid_for(n), n, work.row_start, row_start);
  return reinterpret_cast<const std::int32_t*>(row_start);
}

void CudaAccelerator::begin_recording() {
  activate();
  check(cudaStreamBeginCapture(stream_.get(), cudaStreamCaptureModeThreadLocal), "cudaStreamBeginCapture");
  recording_ = true;
}

std::unique_ptr<Accelerator::Recording> CudaAccelerator::end_recording() {
  recording_ = false;
  activate();
  CudaGraph graph;
  check(cudaStreamEndCapture(stream_.get(), graph.put()), "cudaStreamEndCapture");
  auto recording = std::make_unique<CudaRecording>();
  check(cudaGraphInstantiate(recording->graph.put(), graph.get(), 0), "cudaGraphInstantiate");
  return recording;
}

void CudaAccelerator::replay(Recording& recording) {
  activate();
  check(cudaGraphLaunch(static_cast<CudaRecording&>(recording).graph.get(), stream_.get()), "cudaGraphLaunch");
}

std::unique_ptr<Accelerator::Mark> CudaAccelerator::mark() {
  refuse_in_recording("a mark");
  activate();
  auto made = std::make_unique<CudaMark>();
  check(cudaEventCreateWithFlags(made->event.put(), cudaEventDefault), "cudaEventCreate");
  check(cudaEventRecord(made->event.get(), stream_.get()), "cudaEventRecord");
  return made;
}

double CudaAccelerator::seconds_between(const Mark& from, const Mark& to) {
  activate();
  const CudaEvent& later = static_cast<const CudaMark&>(to).event;
  check(cudaEventSynchronize(later.get()), "cudaEventSynchronize");
  float milliseconds = 0;
  check(cudaEventElapsedTime(&milliseconds, static_cast<const CudaMark&>(from).event.get(), later.get()),
        "cudaEventElapsedTime");
  return 1e-3 * static_cast<double>(milliseconds);
}

}  // namespace gradus
