// Why a CUDA device cannot be had, in one sentence each, from what was found. No header of CUDA is needed here, so that
// every sentence is tested where there is no GPU.
#pragma once

#include <cstdint>
#include <string>

namespace gradus {

/// What was found on the machine. Versions are CUDA's: 13000 is 13.0; capabilities are 75 for 7.5.
struct CudaFound {
  int toolkit = 0;     // that the library was built with; 0: none
  int driver = 0;      // that the driver is for; 0: there is no driver
  int devices = 0;     // GPUs
  std::string name;    // of the GPU asked for, where it is there
  int capability = 0;  // of it
  int oldest = 0;      // capability that the toolkit compiles for
  std::string status;  // what the runtime says where it fails for another reason; else empty
};

/// The sentence for cuda:index; empty where the device can be used.
std::string cuda_refusal(int index, const CudaFound& found);

/// "out of memory on cuda:0 (NVIDIA H100): 4096 bytes were asked for, 0 of 85899345920 are free".
std::string out_of_device_memory(const std::string& device, std::int64_t asked, std::int64_t free, std::int64_t total);

/// "cudaMemcpyAsync of 4096 bytes failed: invalid argument (1)"; without the bytes where `size` is negative.
std::string failed_call(const char* call, std::int64_t size, const std::string& says, int code);

}  // namespace gradus
