// Every kernel compiles for every kind of GPU, on a machine that has none: the checks of devices run on the emulated
// one, which tells what kernels it met, and NVRTC compiles these to cubins, all its phases, though it optimises little;
// with --sample, one kernel of each op, and with --few, of one op in twenty-four; with --optimised, as for a device.
// Where one does not compile, its op's name and the compiler's lines are printed and the program exits 1; without CUDA
// it exits 77.
//   kernels_compile [--sample | --few] [--optimised] CAPABILITY...
#include "../device_checks.h"
#include "../emulator/emulated_accelerator.h"
#include "../launch_checks.h"

#ifdef GRADUS_HAS_CUDA
#include <gradus/core/device/cuda_compiler.h>
#endif

#include <gradus/core/error.h>

#include <fmt/core.h>

#include <algorithm>
#include <map>
#include <string>
#include <utility>
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
  constexpr std::size_t at_once = 200;
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
  std::map<Met, int> met;
  EmulatedAccelerator::on_kernel([&](const KernelText& kernel) {
    ++met[{std::string(kernel.name), kernel.settings, std::string(kernel.text)}];
  });
  int wrong = 0;
  const Complain complain = [&](const std::string& complaint) {
    fmt::print(stderr, "{}\n", complaint);
    ++wrong;
  };
  int first = 1;
  const auto option = [&](const char* name) {
    const bool given = argc > first && std::string(argv[first]) == name;
    first += given ? 1 : 0;
    return given;
  };
  const bool few = option("--few"), sample = few || option("--sample");
  const Optimize optimize = option("--optimised") ? Optimize::fully : Optimize::quickly;
  if (!few) check_launches(emulated_device(), all_dtypes, complain);
  if (sample) {
    check_op_table_alone(emulated_device(), few ? 24 : 1, complain);
  } else {
    check_op_table(emulated_device(), complain);
    check_optimizers(emulated_device(), {Layout::dense, Layout::csr}, {float64, float32}, 1, complain);
    check_batches(emulated_device(), 1, complain);
  }
  std::vector<Met> kernels;
  for (const auto& [kernel, times] : met)
    if (!sample || kernels.empty() || kernels.back().name != kernel.name) kernels.push_back(kernel);
  for (int i = first; i < argc; ++i)
    for (const std::string& failure : compile_for(kernels, std::stoi(argv[i]), optimize)) complain(failure);
  fmt::print("{} of {} kernels, each for {} kinds of GPU\n", kernels.size(), met.size(), argc - first);
  return wrong == 0 && argc > first && kernels.size() > (few ? 10U : 50U) ? 0 : 1;
#else
  fmt::print("skipped: this build of Gradus has no CUDA backend, and so no compiler for kernels\n");
  return 77;
#endif
}
