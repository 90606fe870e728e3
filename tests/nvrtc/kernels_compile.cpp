// Every kernel compiles for every kind of GPU, on a machine that has none: the checks of devices run on the emulated
// one, which tells what kernels it met, and NVRTC compiles these to cubins, all its phases, though it optimises little;
// of those that --list has written to a file, with --sample one kernel of each op, with --optimised as for a device;
// with --few, of a few checks. Where a check fails or a kernel does not compile, its op's name and the compiler's lines
// are printed and the program exits 1; without CUDA it exits 77.
//   kernels_compile --list FILE
//   kernels_compile --of FILE [--sample] [--optimised] CAPABILITY...
//   kernels_compile --few CAPABILITY
#include "../device_checks.h"
#include "../emulator/emulated_accelerator.h"
#include "../launch_checks.h"

#ifdef GRADUS_HAS_CUDA
#include <gradus/core/device/cuda_compiler.h>
#endif

#include <gradus/core/error.h>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <fstream>
#include <set>
#include <string>
#include <vector>

using namespace gradus;

namespace {

#ifdef GRADUS_HAS_CUDA

struct Met {
  std::string name, settings, text;
  auto operator<=>(const Met&) const = default;
};

// All in one program, each in a namespace of its own: most of a compilation's time is the prelude's.
std::string together(const std::vector<Met>& kernels, std::size_t first, std::size_t last) {
  std::string text;
  for (std::size_t i = first; i < last; ++i)
    text += fmt::format(
        "#undef NAME\n#define NAME gr_{0}_{1}\nnamespace kernel_{1} {{\n#line 1 \"settings of {0}\"\n{2}\n#line 1 "
        "\"{0}\"\n{3}\n}}\n",
        kernels[i].name, i, kernels[i].settings, kernels[i].text);
  return text;
}

// The failures for one kind of GPU, each as it is to be told.
std::vector<std::string> compile_for(const std::vector<Met>& kernels, int capability, Optimize optimize) {
  constexpr std::size_t at_once = 60;
  std::vector<std::string> failures;
  for (std::size_t first = 0; first < kernels.size(); first += at_once) try {
      const std::string text = together(kernels, first, std::min(kernels.size(), first + at_once));
      (void)compile_cubin({"all", text}, capability, optimize);
    } catch (const DeviceError& error) {
      failures.emplace_back(error.what());
    }
  return failures;
}

#endif

}  // namespace

int main([[maybe_unused]] int argc, [[maybe_unused]] char** argv) {
#ifdef GRADUS_HAS_CUDA
  int next = 1, wrong = 0;
  const auto option = [&](const char* name) {
    const bool given = argc > next && std::string(argv[next]) == name;
    next += given ? 1 : 0;
    return given;
  };
  const Complain complain = [&](const std::string& complaint) {
    fmt::print(stderr, "{}\n", complaint);
    ++wrong;
  };
  std::set<Met> met;
  EmulatedAccelerator::on_kernel([&](const KernelText& kernel) {
    met.insert({std::string(kernel.name), kernel.settings, std::string(kernel.text)});
  });
  if (option("--list")) {
    check_launches(emulated_device(), all_dtypes, complain);
    check_op_table(emulated_device(), complain);
    check_optimizers(emulated_device(), {Layout::dense, Layout::csr}, {float64, float32}, 1, complain);
    check_batches(emulated_device(), 1, complain);
    check_passes(emulated_device(), 1, complain);
    nlohmann::json list;
    for (const Met& kernel : met) list.push_back({kernel.name, kernel.settings, kernel.text});
    std::ofstream(argv[next]) << list;
    fmt::print("{} kernels\n", met.size());
    return wrong == 0 ? 0 : 1;
  }
  const bool few = option("--few");
  if (few) check_op_table_alone(emulated_device(), 24, complain);
  if (option("--of"))
    for (const nlohmann::json& kernel : nlohmann::json::parse(std::ifstream(argv[next++])))
      met.insert({kernel.at(0), kernel.at(1), kernel.at(2)});
  const bool sample = option("--sample") || few;
  const Optimize optimize = option("--optimised") ? Optimize::fully : Optimize::quickly;
  std::vector<Met> kernels;
  for (const Met& kernel : met)
    if (!sample || kernels.empty() || kernels.back().name != kernel.name) kernels.push_back(kernel);
  fmt::print("{} of {} kernels, each for {} kinds of GPU\n", kernels.size(), met.size(), argc - next);
  const bool enough = next < argc && kernels.size() > (few ? 10U : 50U);
  for (; next < argc; ++next)
    for (const std::string& failure : compile_for(kernels, std::stoi(argv[next]), optimize)) complain(failure);
  return wrong == 0 && enough ? 0 : 1;
#else
  fmt::print("skipped: this build of Gradus has no CUDA backend, and so no compiler for kernels\n");
  return 77;
#endif
}
