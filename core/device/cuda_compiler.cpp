#include <gradus/core/device/cuda_compiler.h>

#include <gradus/core/device/cuda_check.h>
#include <gradus/core/device/kernel_prelude.h>
#include <gradus/core/error.h>
#include <gradus/core/io/file.h>

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
  return fmt::format("#define NAME {}\n#line 1 \"prelude\"\n{}\n#line 1 \"settings of {}\"\n{}\n#line 1 \"{}\"\n{}\n",
                     symbol_of(kernel), kernel_prelude, kernel.name, kernel.settings, kernel.name, kernel.text);
}

// FNV-1a, 64 bits.
std::uint64_t hash(std::string_view text) {
  std::uint64_t hash = 14695981039346656037ULL;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
  return hash;
}

// What a kept file begins with; the key and the cubin follow.
struct Header {
  char format[8] = {'g', 'r', 'c', 'u', 'b', 'i', 'n', '1'};
  std::uint64_t key_bytes = 0;
  std::uint64_t cubin_bytes = 0;
  std::uint64_t cubin_hash = 0;
};

// Empty: none that is whole and this kernel's.
std::string read_cubin(const std::string& path, const std::string& key) {
  std::error_code none;
  if (!std::filesystem::is_regular_file(path, none)) return {};
  try {
    const std::vector<std::byte> bytes = read_file(path);
    Header header;
    if (bytes.size() < sizeof header) return {};
    std::memcpy(&header, bytes.data(), sizeof header);
    const std::string_view rest(reinterpret_cast<const char*>(bytes.data()) + sizeof header,
                                bytes.size() - sizeof header);
    const bool mine = std::memcmp(header.format, Header().format, sizeof header.format) == 0 &&
                      header.key_bytes == key.size() && rest.size() >= key.size() && rest.starts_with(key) &&
                      header.cubin_bytes == rest.size() - key.size();
    const std::string_view cubin = mine ? rest.substr(key.size()) : std::string_view();
    return mine && hash(cubin) == header.cubin_hash ? std::string(cubin) : std::string();
  } catch (const IoError&) {
    return {};
  }
}

void write_cubin(const std::string& path, const std::string& key, const std::string& cubin) {
  Header header;
  header.key_bytes = key.size();
  header.cubin_bytes = cubin.size();
  header.cubin_hash = hash(cubin);
  try {
    write_file_atomically(path, [&](FileWriter& writer) {
      writer.write(&header, sizeof header);
      writer.write(key.data(), key.size());
      writer.write(cubin.data(), cubin.size());
    });
  } catch (const IoError&) {
    // A full disk or a folder of somebody else's: the kernel is compiled again next time.
  }
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
  if (optimize == Optimize::quickly && major >= 13) options.push_back("--Ofast-compile=mid");  // older ones know it not
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
  const std::string path = fmt::format("{}/{}-{:016x}.cubin", folder, kernel.name, hash(key));
  std::string cubin = read_cubin(path, key);
  if (!cubin.empty()) return cubin;
  cubin = compile_cubin(kernel, capability);
  std::error_code none;  // where there is no folder, nothing can be written either
  std::filesystem::create_directories(folder, none);
  write_cubin(path, key, cubin);
  return cubin;
}

std::string cubin_folder() {
  if (const char* cache = std::getenv("XDG_CACHE_HOME"); cache != nullptr && *cache == '/')
    return fmt::format("{}/gradus", cache);
  if (const char* home = std::getenv("HOME"); home != nullptr && *home == '/')
    return fmt::format("{}/.cache/gradus", home);
  return {};
}

int oldest_capability() {
  int count = 0;
  check(nvrtcGetNumSupportedArchs(&count), "nvrtcGetNumSupportedArchs");
  std::vector<int> capabilities(static_cast<std::size_t>(count));
  if (count > 0) check(nvrtcGetSupportedArchs(capabilities.data()), "nvrtcGetSupportedArchs");
  return count > 0 ? capabilities.front() : 0;
}

}  // namespace gradus
