#include <gradus/core/device/cuda_libraries.h>

#include <gradus/core/error.h>

#include <fmt/format.h>

#include <dlfcn.h>

#include <array>
#include <string>

namespace gradus {

namespace {

// Where the loader looks, and where the toolkit was that the backend was built with.
void* load(const std::string& file) {
  void* library = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) library = dlopen((GRADUS_CUDA_LIBRARY_DIR "/" + file).c_str(), RTLD_NOW | RTLD_LOCAL);
  return library;
}

std::string file_of(CudaLibraryName library) {
  switch (library) {
    case CudaLibraryName::cudart: return fmt::format("libcudart.so.{}", CUDART_VERSION / 1000);
    case CudaLibraryName::cublas: return fmt::format("libcublas.so.{}", CUBLAS_VER_MAJOR);
    case CudaLibraryName::cusparse: return fmt::format("libcusparse.so.{}", CUSPARSE_VER_MAJOR);
    case CudaLibraryName::nvrtc: return fmt::format("libnvrtc.so.{}", CUDART_VERSION / 1000);
  }
  return {};
}

}  // namespace

void* find_cuda_function(CudaLibraryName library, const char* name) {
  const std::string file = file_of(library);
  // The loader counts: a library that is there is not loaded again.
  void* const loaded = load(file);
  if (loaded == nullptr)
    fail<DeviceError>("{} of the CUDA toolkit cannot be loaded ({}); install it, or use the CPU", file, dlerror());
  void* const found = dlsym(loaded, name);
  if (found == nullptr) fail<DeviceError>("{} has no function {}; another version of it is expected", file, name);
  return found;
}

}  // namespace gradus
