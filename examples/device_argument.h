// The one argument of a program that has no other: --device cpu, cuda or cuda:1.
#pragma once

#include <gradus/core/device/device.h>
#include <gradus/core/error.h>

#include <fmt/core.h>

#include <cstdlib>
#include <string_view>

/// The device asked for, the CPU where none is; prints which it is. Ends the program, with one line on stderr, where it
/// cannot be had (exit 1) or the arguments are others (exit 2).
inline gradus::Device device_argument(int argc, char** argv) {
  std::string_view program = argv[0];
  program.remove_prefix(program.rfind('/') + 1);
  const bool asked = argc == 3 && std::string_view(argv[1]) == "--device";
  if (argc != 1 && !asked) {
    fmt::print(stderr, "usage: {} [--device cpu|cuda|cuda:1]\n", program);
    std::exit(2);
  }
  try {
    gradus::Device device = asked ? gradus::Device::named(argv[2]) : gradus::Device::cpu();
    fmt::print("Device: {}\n", device.name());
    return device;
  } catch (const gradus::ValueError& error) {
    fmt::print(stderr, "{}: {}\n", program, error.what());
    std::exit(2);
  } catch (const gradus::DeviceError& error) {
    fmt::print(stderr, "{}: {}\n", program, error.what());
    std::exit(1);
  }
}
