#include "machine.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <vector>

namespace bench {

using namespace gradus;

namespace {

const KernelText touch_text{"touch", R"(
extern "C" __global__ void NAME(unsigned* x) {
  if (gr_first() == 0) x[0] += 1;
}
)"};

// What it writes depends on all that it reads, or the reading would be left out; it never comes to be written.
const KernelText read_text{"read", R"(
extern "C" __global__ void NAME(gr_int64 n, const uint4* x, unsigned* y) {
  unsigned all = 0;
  for (gr_int64 i = gr_first(); i < n; i += gr_step()) {
    const uint4 a = x[i];
    all |= a.x | a.y | a.z | a.w;
  }
  if (all != 0) y[0] = all;
}
)"};

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

StepTime time_burst(const Steps& steps, Accelerator* stream, std::int64_t count) {
  StepTime time;
  const auto from = stream != nullptr ? stream->mark() : nullptr;
  const auto start = Clock::now();
  steps(count);
  time.given = seconds_since(start);
  if (stream != nullptr) {
    const auto to = stream->mark();
    stream->wait();
    time.host = seconds_since(start);
    time.device = stream->seconds_between(*from, *to);
  } else {
    time.host = time.device = time.given;
  }
  return time;
}

}  // namespace

WatchedDevice::WatchedDevice(const Device& device)
    : last_(std::make_shared<std::shared_ptr<Accelerator>>()),
      device_(device.is_cpu() ? device : Device::other(device.name(), [device, last = last_] {
        return *last = device.open();
      })) {}

StepTime time_steps(const Steps& steps, Accelerator* stream, const Effort& effort) {
  std::int64_t count = 1;
  for (int warming = 0; warming < 3; ++warming) time_burst(steps, stream, 1);  // kernels compiled, the step recorded
  while (true) {
    const double took = time_burst(steps, stream, count).host;
    if (took >= effort.burst / 2) {
      count = std::max<std::int64_t>(1, static_cast<std::int64_t>(effort.burst / took * static_cast<double>(count)));
      break;
    }
    count *= 2;
  }
  std::vector<double> device, host, given;
  for (int round = 0; round < effort.rounds; ++round) {
    const StepTime time = time_burst(steps, stream, count);
    device.push_back(time.device / static_cast<double>(count));
    host.push_back(time.host / static_cast<double>(count));
    given.push_back(time.given / static_cast<double>(count));
  }
  return {median(device), median(host), median(given)};
}

Machine measure_machine(const Device& device, std::int64_t bytes, const Effort& effort) {
  Machine machine;
  machine.name = device.name();
  const auto moved = static_cast<double>(bytes);
  const auto repeated = [](auto once) -> Steps {
    return [once](std::int64_t count) {
      for (std::int64_t i = 0; i < count; ++i) once();
    };
  };
  if (device.is_cpu()) {
    std::vector<std::byte> from(static_cast<std::size_t>(bytes)), to(from.size());
    const StepTime copy =
        time_steps(repeated([&] { std::memcpy(to.data(), from.data(), to.size()); }), nullptr, effort);
    machine.copy = machine.read = machine.upload = 2 * moved / copy.device;
    return machine;
  }
  const std::shared_ptr<Accelerator> stream = device.open();
  const DeviceMemory from(stream, bytes), to(stream, bytes);
  const std::vector<std::byte> here(static_cast<std::size_t>(bytes));
  stream->set_zero(from.data(), bytes);
  stream->set_zero(to.data(), bytes);
  const auto timed = [&](auto once) { return time_steps(repeated(once), stream.get(), effort); };

  machine.copy = 2 * moved / timed([&] { stream->copy(to.data(), from.data(), bytes); }).device;
  machine.upload = moved / timed([&] { stream->upload(to.data(), here.data(), bytes); }).host;

  const std::int64_t packs = bytes / 16;
  machine.read =
      moved / timed([&] { launch_on(*stream, read_text, grid_for(packs), packs, from.data(), to.data()); }).device;

  const auto launch = [&] { launch_on(*stream, touch_text, {1, 32}, to.data()); };
  machine.launch = timed(launch).host;
  machine.round_trip = timed([&] {
                         launch();
                         stream->wait();
                       }).host;
  stream->begin_recording();
  launch();
  const std::unique_ptr<Accelerator::Recording> recording = stream->end_recording();
  machine.replay = timed([&] { stream->replay(*recording); }).host;
  stream->wait();
  return machine;
}

}  // namespace bench
