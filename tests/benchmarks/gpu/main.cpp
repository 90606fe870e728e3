// Times training steps on an NVIDIA GPU, with the CUDA events of its stream and with the host's clock, beside what the
// card can do at most: gpu.sh builds and runs it, GPU.md says what the figures are. Where there is no GPU it says why
// and exits 77.
#include "works.h"

#include "../../emulator/emulated_accelerator.h"

#include <gradus/core/error.h>

#include <fmt/core.h>
#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <cstdio>
#include <exception>
#include <fstream>
#include <string>
#include <vector>

namespace {

using Json = nlohmann::ordered_json;

struct Options {
  std::string device = "cuda", json, only;
  bench::Sizes sizes;
  std::int64_t megabytes = 512;
  bench::Effort effort{.rounds = 15, .burst = 0.1};
};

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
  Options options;
  constexpr int most = 1 << 30;
  CLI::App app("Training steps on an NVIDIA GPU, beside what the card can do at most");
  app.add_option("--device", options.device, "cuda, cuda:1, cpu or emulated")->capture_default_str();
  app.add_option("--json", options.json, "File for the figures");
  std::vector<std::string> works;
  for (const bench::Work& work : bench::all_works()) works.push_back(work.name);
  app.add_option("--only", options.only, "One work of the table")->check(CLI::IsMember(works));
  app.add_option("--examples", options.sizes.examples, "Rows at most; 0: as many as the work has")
      ->check(CLI::Range(0, most));
  app.add_option("--features", options.sizes.features, "Features of the criteo works")->check(CLI::Range(1, most));
  app.add_option("--megabytes", options.megabytes, "Of a copy: more than any cache holds")->check(CLI::Range(1, most));
  app.add_option("--rounds", options.effort.rounds, "Bursts, of which the median is taken")->check(CLI::Range(1, most));
  app.add_option("--burst", options.effort.burst, "Seconds of steps")->check(CLI::Range(0.0, 60.0));
  try {
    app.parse(argc, argv);
    return run(options);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);  // --help
    fmt::print(stderr, "gradus_gpu_bench: {} (see gradus_gpu_bench --help)\n", error.what());
    return 2;
  } catch (const std::exception& error) {
    fmt::print(stderr, "gradus_gpu_bench: {}\n", error.what());
    return 1;
  }
}
