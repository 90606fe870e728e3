// Kernels' CUDA text compiled by NVRTC to code for one kind of GPU (a cubin), which needs neither a GPU nor a driver;
// and a folder that keeps cubins from one program to the next.
#pragma once

#include <gradus/core/device/accelerator.h>

#include <cstdint>
#include <string>

namespace gradus {

/// "gr_NAME": what NAME stands for in the kernel's text, so that an op called exp does not meet the function.
std::string symbol_of(const KernelText& kernel);

/// `quickly` leaves out what takes NVRTC longest, five sixths of its time: such code is as right, but slower.
enum class Optimize : std::uint8_t { fully, quickly };

/// For compute capability 9.0, `capability` is 90. Throws DeviceError with the kernel's name and the compiler's lines.
std::string compile_cubin(const KernelText& kernel, int capability, Optimize optimize = Optimize::fully);

/// The same, from `folder` where it is there already and put there where not; the folder may be made, and what cannot
/// be written is not kept. A damaged file is as none. An empty folder keeps nothing.
std::string kept_cubin(const KernelText& kernel, int capability, const std::string& folder);

/// The oldest capability that NVRTC compiles for: 75.
int oldest_capability();

}  // namespace gradus
