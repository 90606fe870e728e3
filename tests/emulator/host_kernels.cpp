#include "host_kernels.h"

#include "fibers.h"

#include <gradus/core/device/kernel_prelude.h>
#include <gradus/core/error.h>
#include <gradus/core/io/kept.h>
#include <gradus/core/kernel/formula_functions.h>

#include <dlfcn.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <sstream>
#include <vector>

extern char** environ;

namespace gradus::emulator {

namespace {

// As Arguments and Launch in cuda_on_host.h.
struct Arguments {
  int count = 0;
  int bytes[256] = {};
};
struct Index3 {
  unsigned x = 0, y = 0, z = 0;
};
struct LaunchedKernel {
  Index3 thread, block, block_size{1, 1, 1}, grid_size{1, 1, 1};
  void (*wait_for_block)();
  void (*wait_for_warp)();
  unsigned long long* (*slots)();
  void (*check_pointer)(int argument, const void* pointer);
  void (*run_threads)(void (*thread)(void*), void* context);
};

std::mutex one_launch;  // what follows belongs to the launch that is under way
LaunchedKernel launched;
const HostKernel::PointerCheck* pointer_check = nullptr;
// What the lanes of a warp exchange. A lane is never two exchanges ahead of another: two sets of slots are enough.
std::array<std::array<unsigned long long, std::size_t{2} * warp_size>, most_threads / warp_size> warp_slots;
std::array<unsigned, most_threads> exchanges;

unsigned long long* next_slots() {
  const std::size_t thread = launched.thread.x;
  return warp_slots[thread / warp_size].data() + (exchanges[thread]++ % 2 == 0 ? 0 : warp_size);
}

void enter(int thread) { launched.thread.x = static_cast<unsigned>(thread); }

void run_threads(void (*thread)(void*), void* context) {
  exchanges.fill(0);
  run_fibers(static_cast<int>(launched.block_size.x), thread, context, enter);
}

std::string text_of(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

bool waits(std::string_view text) {
  for (const std::string_view word : {"__sync", "__shfl", "gr_warp_", "gr_block_", "gr_column_"})
    if (text.find(word) != std::string_view::npos) return true;
  return false;
}

// The compiler's messages; empty where it succeeded.
std::string run_compiler(const std::filesystem::path& source, const std::filesystem::path& to) {
  std::vector<std::string> words{GRADUS_EMULATOR_COMPILER};
  std::istringstream flags(GRADUS_EMULATOR_FLAGS " -std=c++20 -O1 -ffp-contract=off -shared -fPIC -nostdlib -x c++");
  for (std::string flag; flags >> flag;) words.push_back(flag);
  words.insert(words.end(), {source.string(), "-o", to.string()});
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);

  const std::string log = to.string() + ".log";
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, log.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
  pid_t child = 0;
  const int error = posix_spawnp(&child, argv[0], &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) return fmt::format("{} cannot be run", words[0]);
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  std::string messages = text_of(log);
  std::filesystem::remove(log);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
  return messages.empty() ? fmt::format("{} failed", words[0]) : messages;
}

}  // namespace

HostKernel::HostKernel(const KernelText& kernel) : name_(kernel.name) {
  static const std::string cuda_on_host = text_of(GRADUS_EMULATOR_DIR "/cuda_on_host.h");
  const std::string own = fmt::format("{}\n#line 1 \"{}\"\n{}\n", kernel.settings, kernel.name, kernel.text);
  const std::string key = std::string(GRADUS_EMULATOR_COMPILER GRADUS_EMULATOR_FLAGS) + cuda_on_host +
                          std::string(formula_functions) + std::string(kernel_prelude) + own +
                          (waits(kernel.text) ? "waits" : "");
  const std::string symbol = fmt::format("{}_{:016x}", kernel.name, hash_of(key));

  const std::filesystem::path folder = GRADUS_EMULATOR_CACHE;
  const std::filesystem::path library = folder / (symbol + ".so");
  if (!std::filesystem::exists(library)) {
    std::filesystem::create_directories(folder);
    // Under names of this process, then renamed: other tests may be compiling the same.
    const std::filesystem::path mine = folder / fmt::format("{}.{}", symbol, getpid());
    const std::filesystem::path source = mine.string() + ".cu";
    std::ofstream(source) << fmt::format(
        "#line 1 \"cuda_on_host.h\"\n{}\n#line 1 \"kernel_prelude.h\"\n{}{}\n#define NAME {}\nnamespace {}_space "
        "{{\n{}\n"
        "}}\nextern \"C\" void entry(void* launch, void* const* arguments) {{\n"
        "  emulator::run<{}>(static_cast<emulator::Launch*>(launch), {}_space::NAME, arguments);\n}}\n"
        "extern \"C\" void describe(void* to) {{\n"
        "  *static_cast<emulator::Arguments*>(to) = emulator::arguments_of({}_space::NAME);\n}}\n",
        cuda_on_host, formula_functions, kernel_prelude, symbol, symbol, own, waits(kernel.text), symbol, symbol);
    const std::string messages = run_compiler(source, mine);
    if (!messages.empty()) fail<DeviceError>("kernel {} does not compile:\n{}", name_, messages);
    std::filesystem::remove(source);
    std::filesystem::rename(mine, library);
  }
  void* opened = dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);  // never closed: a kernel lives as long as the program
  if (opened == nullptr) fail<DeviceError>("kernel {} cannot be loaded: {}", name_, dlerror());
  entry_ = reinterpret_cast<void (*)(void*, void* const*)>(dlsym(opened, "entry"));
  Arguments taken;
  reinterpret_cast<void (*)(void*)>(dlsym(opened, "describe"))(&taken);
  for (int i = 0; i < taken.count; ++i) arguments_.push_back(static_cast<std::size_t>(taken.bytes[i]));
}

void HostKernel::launch(const Grid& grid, std::span<void* const> arguments, const PointerCheck& check) const {
  if (grid.blocks < 0 || grid.blocks > INT32_MAX || grid.threads < 1 || grid.threads > most_threads ||
      grid.threads % warp_size != 0)
    fail<DeviceError>("kernel {}: {} blocks of {} threads; at most {} of a multiple of {} up to {} are expected", name_,
                      grid.blocks, grid.threads, INT32_MAX, warp_size, most_threads);
  if (arguments.size() != arguments_.size())
    fail<DeviceError>("kernel {}: {} arguments are given, {} are taken", name_, arguments.size(), arguments_.size());
  if (grid.blocks == 0) return;
  const std::lock_guard lock(one_launch);
  launched.grid_size.x = static_cast<unsigned>(grid.blocks);
  launched.block_size.x = static_cast<unsigned>(grid.threads);
  launched.wait_for_block = wait_for_block;
  launched.wait_for_warp = wait_for_warp;
  launched.slots = next_slots;
  launched.run_threads = run_threads;
  launched.check_pointer = [](int argument, const void* pointer) { (*pointer_check)(argument, pointer); };
  pointer_check = &check;
  try {
    entry_(&launched, arguments.data());
  } catch (const DeviceError& error) {
    fail<DeviceError>("kernel {}: {}", name_, error.what());
  }
}

}  // namespace gradus::emulator
