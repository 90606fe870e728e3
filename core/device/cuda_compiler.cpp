#include <gradus/core/device/cuda_compiler.h>

#include <gradus/core/device/cuda_check.h>
#include <gradus/core/device/kernel_prelude.h>
#include <gradus/core/error.h>
#include <gradus/core/io/kept.h>
#include <gradus/core/kernel/formula_functions.h>

#include <fmt/format.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <vector>

namespace gradus {

namespace {

struct NvrtcProgram {
  nvrtcProgram handle = nullptr;
  NvrtcProgram() = default;
  NvrtcProgram(const NvrtcProgram&) = delete;
  NvrtcProgram& operator=(const NvrtcProgram&) = delete;
  ~NvrtcProgram() {
    if (handle != nullptr) nvrtcDestroyProgram(&handle);
  }
};

std::string source_of(const KernelText& kernel) {
  return fmt::format("#define NAME {}\n#line 1 \"prelude\"\n{}{}\n#line 1 \"settings of {}\"\n{}\n#line 1 \"{}\"\n{}\n",
                     symbol_of(kernel), formula_functions, kernel_prelude, kernel.name, kernel.settings, kernel.name,
                     kernel.text);
}

}  // namespace

std::string symbol_of(const KernelText& kernel) { return fmt::format("gr_{}", kernel.name); }

std::string compile_cubin(const KernelText& kernel, int capability, Optimize optimize) {
  NvrtcProgram program;
  const std::string source = source_of(kernel);
  check(nvrtcCreateProgram(&program.handle, source.c_str(), std::string(kernel.name).c_str(), 0, nullptr, nullptr),
        "nvrtcCreateProgram");
  const std::string arch = fmt::format("-arch=sm_{}", capability);
  int major = 0, minor = 0;
  check(nvrtcVersion(&major, &minor), "nvrtcVersion");
  std::vector<const char*> options{arch.c_str(), "-std=c++17"};
  if (optimize == Optimize::quickly && major >= 13) options.push_back("--Ofast-compile=max");  // older ones know it not
  const nvrtcResult result = nvrtcCompileProgram(program.handle, static_cast<int>(options.size()), options.data());
  if (result != NVRTC_SUCCESS) {
    std::size_t size = 0;
    check(nvrtcGetProgramLogSize(program.handle, &size), "nvrtcGetProgramLogSize");
    std::string log(size, '\0');
    check(nvrtcGetProgramLog(program.handle, log.data()), "nvrtcGetProgramLog");
    log.resize(std::strlen(log.c_str()));
    fail<DeviceError>("kernel {} does not compile for sm_{} ({}):\n{}", kernel.name, capability,
                      nvrtcGetErrorString(result), log);
  }
  std::size_t size = 0;
  check(nvrtcGetCUBINSize(program.handle, &size), "nvrtcGetCUBINSize");
  std::string cubin(size, '\0');
  check(nvrtcGetCUBIN(program.handle, cubin.data()), "nvrtcGetCUBIN");
  return cubin;
}

std::string kept_cubin(const KernelText& kernel, int capability, const std::string& folder) {
  if (folder.empty()) return compile_cubin(kernel, capability);
  int major = 0, minor = 0;
  check(nvrtcVersion(&major, &minor), "nvrtcVersion");
  const std::string key = fmt::format("NVRTC {}.{}, sm_{}\n{}", major, minor, capability, source_of(kernel));
  std::string cubin = read_kept(folder, kernel.name, key);
  if (!cubin.empty()) return cubin;
  cubin = compile_cubin(kernel, capability);
  write_kept(folder, kernel.name, key, cubin);
  return cubin;
}

int oldest_capability() {
  int count = 0;
  check(nvrtcGetNumSupportedArchs(&count), "nvrtcGetNumSupportedArchs");
  std::vector<int> capabilities(static_cast<std::size_t>(count));
  if (count > 0) check(nvrtcGetSupportedArchs(capabilities.data()), "nvrtcGetSupportedArchs");
  return count > 0 ? capabilities.front() : 0;
}

}  // namespace gradus
