// What is said where a CUDA device cannot be had or fails, word by word; and how its allocator rounds.
#include "refusal.h"

#include <gradus/core/device/cuda_refusals.h>
#include <gradus/core/device/device.h>
#include <gradus/core/device/size_classes.h>

#include <doctest/doctest.h>

using namespace gradus;

TEST_CASE("cuda: why a device cannot be had, a sentence each") {
  CHECK(cuda_refusal(0, {}) ==
        "cuda:0 was asked for, but this build of Gradus has no CUDA backend: CMake found no CUDA toolkit, or "
        "GRADUS_CUDA is OFF; use the CPU");
  CudaFound found;
  found.toolkit = 13000;
  CHECK(cuda_refusal(0, found) == "cuda:0 was asked for, but there is no NVIDIA driver; install one, or use the CPU");
  found.driver = 12040;
  CHECK(cuda_refusal(1, found) ==
        "cuda:1 was asked for, but the NVIDIA driver is for CUDA 12.4 and this build of Gradus needs 13.0; update the "
        "driver, or use the CPU");
  found.driver = 13010;
  CHECK(cuda_refusal(0, found) == "cuda:0 was asked for, but there is no NVIDIA GPU here; use the CPU");
  found.status = "initialization error";
  CHECK(cuda_refusal(0, found) == "cuda:0 was asked for, but CUDA does not start: initialization error; use the CPU");
  found.status.clear();
  found.devices = 1;
  CHECK(cuda_refusal(1, found) == "cuda:1 was asked for, but there is 1 NVIDIA GPU here; indices are 0 to 0");
  found.devices = 2;
  CHECK(cuda_refusal(-1, found) == "cuda:-1 was asked for, but there are 2 NVIDIA GPUs here; indices are 0 to 1");
  found.name = "Tesla V100";
  found.capability = 70;
  found.oldest = 75;
  CHECK(cuda_refusal(0, found) ==
        "cuda:0 was asked for, but Tesla V100 has compute capability 7.0 and CUDA 13.0 compiles for 7.5 and above; use "
        "the CPU");
  found.capability = 90;
  CHECK(cuda_refusal(0, found).empty());
}

TEST_CASE("cuda: failed calls and memory that is not to be had") {
  CHECK(out_of_device_memory("cuda:0 (NVIDIA H100)", 4096, 100, 85899345920) ==
        "out of memory on cuda:0 (NVIDIA H100): 4096 bytes were asked for, 100 of 85899345920 are free");
  CHECK(failed_call("cudaMemcpyAsync", 64, "invalid argument", 1) ==
        "cudaMemcpyAsync of 64 bytes failed: invalid argument (1)");
  CHECK(failed_call("cudaStreamSynchronize", -1, "an illegal memory access was encountered", 700) ==
        "cudaStreamSynchronize failed: an illegal memory access was encountered (700)");
}

TEST_CASE("devices are named, and other names are refused") {
  CHECK(Device::named("cpu").is_cpu());
  CHECK(Device::named("cpu").name() == "cpu");
  for (const char* name : {"", "gpu", "cuda:", "cuda:x", "cuda:-1", "cuda:1x", "cuda1"})
    CHECK(refusal<ValueError>([&] { (void)Device::named(name); }) ==
          fmt::format("device \"{}\" is not known; cpu, cuda or cuda:1 is expected", name));
}

TEST_CASE("the allocator's sizes: multiples of 512, then four for each doubling") {
  CHECK(size_class(1) == 512);
  CHECK(size_class(512) == 512);
  CHECK(size_class(4096) == 4096);
  CHECK(size_class(4097) == 5120);
  CHECK(size_class(5121) == 6144);
  CHECK(size_class(8192) == 8192);
  CHECK(size_class(8193) == 10240);
  for (std::int64_t bytes = 1; bytes < (std::int64_t{1} << 40); bytes += 1 + bytes / 7) {
    const std::int64_t size = size_class(bytes);
    CHECK((size >= bytes && size % 512 == 0 && size_class(size) == size));
    if (bytes > 4096) CHECK(static_cast<double>(size) <= 1.25 * static_cast<double>(bytes));
  }
}
