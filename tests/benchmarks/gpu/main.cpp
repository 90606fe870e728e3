// Times training steps on an NVIDIA GPU, with the CUDA events of its stream and with the host's clock, beside what the
// card can do at most: gpu.sh builds and runs it, GPU.md says what the figures are. Where there is no GPU it says why
// and exits 77.
//   gradus_gpu_bench [--device=cuda|cuda:1|cpu|emulated] [--json=FILE] [--only=WORK]
//                    [--examples=N] [--features=N] [--megabytes=N] [--rounds=N] [--burst=SECONDS]
#include "works.h"

#include "../../emulator/emulated_accelerator.h"

#include <gradus/core/error.h>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include <charconv>
#include <cstdio>
#include <exception>
#include <fstream>
#include <string>
#include <string_view>

namespace {

using Json = nlohmann::ordered_json;

struct Options {
  std::string device = "cuda", json, only;
  bench::Sizes sizes;
  std::int64_t megabytes = 512;  // of a copy: more than any cache holds
  bench::Effort effort{.rounds = 15, .burst = 0.1};
};

template <class T>
T number(std::string_view name, std::string_view text) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < 0)
    gradus::fail<gradus::ValueError>("--{}={}: a number of 0 or more is expected", name, text);
  return value;
}

Options options_of(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    const std::size_t equals = argument.find('=');
    const std::string_view name = argument.substr(0, equals);
    const std::string_view value = equals == std::string_view::npos ? "" : argument.substr(equals + 1);
    if (name == "--device") {
      options.device = value;
    } else if (name == "--json") {
      options.json = value;
    } else if (name == "--only") {
      options.only = value;
    } else if (name == "--examples") {
      options.sizes.examples = number<std::int64_t>("examples", value);
    } else if (name == "--features") {
      options.sizes.features = number<std::int64_t>("features", value);
    } else if (name == "--megabytes") {
      options.megabytes = number<std::int64_t>("megabytes", value);
    } else if (name == "--rounds") {
      options.effort.rounds = number<int>("rounds", value);
    } else if (name == "--burst") {
      options.effort.burst = number<double>("burst", value);
    } else {
      gradus::fail<gradus::ValueError>("{} is not known; the options stand at the head of {}", argument, __FILE__);
    }
  }
  return options;
}

std::string shown_time(double seconds) {
  return seconds < 1e-3 ? fmt::format("{:.3g} us", 1e6 * seconds) : fmt::format("{:.3g} ms", 1e3 * seconds);
}

void print_machine(const bench::Machine& machine) {
  fmt::print("on {}\n  copies {:.0f} GB/s (read and written), reads {:.0f} GB/s, uploads {:.1f} GB/s\n", machine.name,
             machine.copy / 1e9, machine.read / 1e9, machine.upload / 1e9);
  if (machine.launch > 0)
    fmt::print("  a launch takes {}, the replay of a recording {}, a launch and the wait for it {}\n",
               shown_time(machine.launch), shown_time(machine.replay), shown_time(machine.round_trip));
  fmt::print("\n{:<16}{:>10}{:>10}{:>10}{:>10}{:>8}{:>10}  {:<7}{:>14}{:>9}\n", "a step of", "device", "host", "given",
             "floor", "x floor", "target", "", "examples/s", "of copy");
}

double copy_fraction(const bench::Row& row, const bench::Machine& machine) {
  return row.bytes / row.time.host / machine.copy;
}

void print_row(const bench::Row& row, const bench::Machine& machine) {
  fmt::print("{:<16}{:>10}{:>10}{:>10}{:>10}", row.work, shown_time(row.time.device), shown_time(row.time.host),
             shown_time(row.time.given), row.floor > 0 ? shown_time(row.floor) : "");
  fmt::print("{:>8}", row.floor > 0 ? fmt::format("{:.2f}", row.time.host / row.floor) : "");
  if (row.target > 0) {
    fmt::print("{:>10}  {:<7}", shown_time(row.target), row.time.host <= row.target ? "met" : "MISSED");
  } else {
    fmt::print("{:>19}", "");
  }
  fmt::print("{:>14.4g}{:>9}\n", static_cast<double>(row.examples) / row.time.host,
             row.bytes > 0 ? fmt::format("{:.1f} %", 100 * copy_fraction(row, machine)) : "");
  fmt::print("  {}\n  floor: {}\n", row.data, row.floor_of);
  if (!row.step.empty()) fmt::print("  {}\n", row.step);
  std::fflush(stdout);
}

Json as_json(const bench::Machine& machine) {
  return {{"device", machine.name},
          {"copy_bytes_per_s", machine.copy},
          {"read_bytes_per_s", machine.read},
          {"upload_bytes_per_s", machine.upload},
          {"launch_s", machine.launch},
          {"replay_s", machine.replay},
          {"round_trip_s", machine.round_trip}};
}

Json as_json(const bench::Row& row, const bench::Machine& machine) {
  Json out{{"work", row.work},
           {"data", row.data},
           {"examples", row.examples},
           {"device_s", row.time.device},
           {"host_s", row.time.host},
           {"given_s", row.time.given},
           {"floor_s", row.floor},
           {"floor", row.floor_of},
           {"target_s", row.target > 0 ? Json(row.target) : Json()},
           {"examples_per_s", static_cast<double>(row.examples) / row.time.host}};
  if (row.bytes > 0) out["copy_fraction"] = copy_fraction(row, machine);
  if (!row.step.empty()) out["step"] = row.step;
  return out;
}

int run(const Options& options) {
  gradus::Device device = gradus::Device::cpu();
  try {
    device = options.device == "emulated" ? gradus::emulated_device() : gradus::Device::named(options.device);
  } catch (const gradus::DeviceError& error) {
    fmt::print("skipped: {}\n", error.what());
    return 77;
  }
  const bench::Machine machine = bench::measure_machine(device, options.megabytes << 20, options.effort);
  print_machine(machine);
  Json rows = Json::array();
  bool failed = false;
  for (const bench::Work& work : bench::all_works()) {
    if (!options.only.empty() && options.only != work.name) continue;
    try {
      const bench::Row row = work.run(device, machine, options.sizes, options.effort);
      print_row(row, machine);
      rows.push_back(as_json(row, machine));
    } catch (const gradus::Error& error) {
      failed = true;
      fmt::print("{}: {}\n", work.name, error.what());
    }
  }
  if (!options.json.empty()) {
    Json all = as_json(machine);
    all["rows"] = rows;
    std::ofstream file(options.json);
    file << all.dump(2) << "\n";
    if (!file.flush()) gradus::fail<gradus::IoError>("{}: cannot be written", options.json);
  }
  return failed ? 1 : 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(options_of(argc, argv));
  } catch (const std::exception& error) {
    fmt::print(stderr, "gradus_gpu_bench: {}\n", error.what());
    return 2;
  }
}
