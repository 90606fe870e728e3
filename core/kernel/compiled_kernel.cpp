#include <gradus/core/kernel/compiled_kernel.h>

#include <gradus/core/cpu.h>
#include <gradus/core/error.h>
#include <gradus/core/io/file.h>
#include <gradus/core/io/kept.h>
#include <gradus/core/kernel/kernel.h>
#include <gradus/core/kernel/known_kernels.h>
#include <gradus/core/listed.h>

#include <dlfcn.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <condition_variable>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <filesystem>
#include <mutex>
#include <thread>
#include <unordered_map>
#include <vector>

extern char** environ;

namespace gradus {

namespace {

constexpr std::chrono::seconds longest(60);  // that a compiler may take
constexpr std::chrono::milliseconds look_again(2);

std::string compiler_name() {
  const char* named = std::getenv("GRADUS_CXX");
  return named != nullptr && *named != '\0' ? named : "c++";
}

// No multiplication is fused with an addition: the row kernels of the ops fuse none either. Nor does g++ pass on from
// one choice to the next what the first has found out: of the ways through a loop that come of it, it makes no vectors.
// clang does not, and does not know these two. `version`: what the compiler says of itself.
std::vector<std::string> compiler_flags(std::string_view version) {
  std::vector<std::string> flags{"-std=c++20",         "-O3",   "-ffp-contract=off", "-fno-math-errno",
                                 "-fno-trapping-math", "-fPIC", "-shared",           "-nostdlib"};
  if (version.find("clang") == std::string_view::npos)
    flags.insert(flags.end(), {"-fno-tree-pre", "-fno-thread-jumps"});
#if defined(__x86_64__)
  if (isa() == Isa::avx2) flags.insert(flags.end(), {"-mavx2", "-mfma", "-mprefer-vector-width=256"});
  if (isa() == Isa::avx512)
    flags.insert(flags.end(), {"-mavx2", "-mfma", "-mavx512f", "-mavx512vl", "-mavx512dq", "-mavx512bw",
                               "-mprefer-vector-width=512"});
#endif
  return flags;
}

// A folder of its own for what is being made, gone at the end.
class WorkingFolder {
 public:
  explicit WorkingFolder(const std::string& kept) {
    std::error_code none;
    for (const std::string& place : {kept, std::filesystem::temp_directory_path(none).string(), std::string("/tmp")}) {
      std::string name = place + "/making.XXXXXX";
      if (!place.empty() && mkdtemp(name.data()) != nullptr) {
        path_ = name;
        return;
      }
    }
  }
  WorkingFolder(const WorkingFolder&) = delete;
  WorkingFolder& operator=(const WorkingFolder&) = delete;
  ~WorkingFolder() {
    std::error_code none;
    if (!path_.empty()) std::filesystem::remove_all(path_, none);
  }

  bool exists() const { return !path_.empty(); }
  std::string file(std::string_view name) const { return fmt::format("{}/{}", path_, name); }

 private:
  std::string path_;
};

std::string bytes_of(const std::string& path) {
  try {
    const std::vector<std::byte> bytes = read_file(path);
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  } catch (const IoError&) {
    return {};
  }
}

bool write_bytes(const std::string& path, std::string_view bytes) {
  try {
    write_file_atomically(path, std::as_bytes(std::span(bytes)));
    return true;
  } catch (const IoError&) {
    return false;
  }
}

}  // namespace

// The compiler's queue and the thread that works it off. A process that was forked off has no such thread: it goes on
// without.
class HostCompiler {
 public:
  HostCompiler() = default;
  HostCompiler(const HostCompiler&) = delete;
  HostCompiler& operator=(const HostCompiler&) = delete;
  ~HostCompiler() {
    if (getpid() != owner_) {
      if (thread_.joinable()) thread_.detach();
      return;
    }
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    changed_.notify_all();
    if (thread_.joinable()) thread_.join();
  }

  std::shared_ptr<CompiledKernel> kernel(const std::string& text) {
    const std::lock_guard lock(mutex_);
    std::weak_ptr<CompiledKernel>& known = kernels_[text];
    std::shared_ptr<CompiledKernel> kernel = known.lock();
    if (!kernel) known = kernel = std::make_shared<CompiledKernel>(text);
    if (kernels_.size() > 2 * swept_ + 64) sweep();
    return kernel;
  }

  void ask_for(const std::shared_ptr<CompiledKernel>& kernel) {
    if (getpid() != owner_) return;
    CompiledKernel::State expected = CompiledKernel::State::waiting;
    if (!kernel->state_.compare_exchange_strong(expected, CompiledKernel::State::compiling)) return;
    {
      const std::lock_guard lock(mutex_);
      if (!thread_.joinable()) start();
      asked_for_.push_back(kernel);
    }
    changed_.notify_all();
  }

  void wait_for(const CompiledKernel& kernel) {
    if (getpid() != owner_) return;
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return kernel.state() != CompiledKernel::State::compiling; });
  }

 private:
  // Signals are for the program's own threads.
  void start() {
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    thread_ = std::thread([this] { work(); });
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
  }

  void sweep() {
    std::erase_if(kernels_, [](const auto& entry) { return entry.second.expired(); });
    swept_ = kernels_.size();
  }

  void work() {
    std::unique_lock lock(mutex_);
    for (;;) {
      changed_.wait(lock, [&] { return stopping_ || !asked_for_.empty(); });
      if (stopping_) return;
      const std::shared_ptr<CompiledKernel> kernel = asked_for_.front();
      asked_for_.pop_front();
      lock.unlock();
      bool kept = false;
      CompiledKernel::Function function = nullptr;
      try {
        function = make(cpu_prelude() + kernel->text(), kept);
      } catch (const std::exception&) {
        // Without memory, say: the kernel stays as it is.
      }
      lock.lock();
      kernel->function_.store(function, std::memory_order_release);
      kernel->state_.store(function == nullptr ? CompiledKernel::State::refused
                           : kept              ? CompiledKernel::State::kept
                                               : CompiledKernel::State::compiled,
                           std::memory_order_release);
      if (function != nullptr) made_.push_back(kernel);
      changed_.notify_all();
    }
  }

  CompiledKernel::Function make(const std::string& text, bool& kept) {
    const std::string folder = kept_folder();
    if (version_.empty()) {
      version_ = ask_version(folder);
      sweep_kept(folder);
    }
    if (version_.empty()) return nullptr;
    const std::string key = fmt::format("{}{}\n{}", version_, listed(compiler_flags(version_), " "), text);
    std::string library = read_kept(folder, "kernel", key);
    kept = !library.empty();
    const WorkingFolder working(folder);
    const std::string to = working.file(fmt::format("kernel{}.so", number_++));
    if (!working.exists()) return nullptr;
    if (kept) {
      if (!write_bytes(to, library)) return nullptr;
    } else {
      const std::string from = working.file("kernel.cpp");
      std::vector<std::string> words{compiler_name()};
      for (std::string& flag : compiler_flags(version_)) words.push_back(std::move(flag));
      words.insert(words.end(), {"-o", to, from});
      if (!write_bytes(from, text) || !run(words, working.file("log"))) return nullptr;
      write_kept(folder, "kernel", key, bytes_of(to));
    }
    // Never closed: whoever has the kernel may call it as long as the program runs.
    void* opened = dlopen(to.c_str(), RTLD_NOW | RTLD_LOCAL);
    return opened == nullptr ? nullptr : reinterpret_cast<CompiledKernel::Function>(dlsym(opened, "gradus_kernel"));
  }

  // What the compiler says of itself; empty where there is none.
  std::string ask_version(const std::string& folder) {
    const WorkingFolder working(folder);
    const std::string log = working.file("version");
    return working.exists() && run({compiler_name(), "--version"}, log) ? bytes_of(log) : std::string();
  }

  // Whether the command ended well, in time. What it prints is in the file `log`.
  bool run(std::vector<std::string> words, const std::string& log) {
    std::vector<char*> arguments;
    for (std::string& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    posix_spawn_file_actions_t files;
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&files, STDOUT_FILENO, log.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    posix_spawn_file_actions_adddup2(&files, STDOUT_FILENO, STDERR_FILENO);
    // A group of its own, so that what it starts ends with it.
    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawnattr_setpgroup(&attributes, 0);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    pid_t child = 0;
    const int error = posix_spawnp(&child, arguments[0], &files, &attributes, arguments.data(), environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&files);
    return error == 0 && wait_for(child);
  }

  bool wait_for(pid_t child) {
    const auto end = std::chrono::steady_clock::now() + longest;
    for (;;) {
      int status = 0;
      const pid_t ended = waitpid(child, &status, WNOHANG);
      if (ended == child) return WIFEXITED(status) && WEXITSTATUS(status) == 0;
      if (ended < 0 && errno != EINTR) return true;  // the program waits for its children itself: it has ended
      bool stopping = false;
      {
        std::unique_lock lock(mutex_);
        stopping = changed_.wait_for(lock, look_again, [&] { return stopping_; });
      }
      if (!stopping && std::chrono::steady_clock::now() < end) continue;
      kill(-child, SIGKILL);
      waitpid(child, &status, 0);
      return false;
    }
  }

  const pid_t owner_ = getpid();
  std::mutex mutex_;
  std::condition_variable changed_;
  bool stopping_ = false;
  std::unordered_map<std::string, std::weak_ptr<CompiledKernel>> kernels_;  // by text
  std::size_t swept_ = 0;
  std::vector<std::shared_ptr<CompiledKernel>> made_;  // which stay
  std::deque<std::shared_ptr<CompiledKernel>> asked_for_;
  std::thread thread_;
  // The thread's:
  std::string version_;
  int number_ = 0;
};

namespace {

HostCompiler& host_compiler() {
  static HostCompiler compiler;
  return compiler;
}

}  // namespace

Compiling compiling() {
  static const Compiling chosen = [] {
    const char* set = std::getenv("GRADUS_COMPILE");
    const std::string_view name = set == nullptr ? "background" : set;
    if (name == "off") return Compiling::off;
    if (name == "now") return Compiling::now;
    if (name != "background") fail<ValueError>("GRADUS_COMPILE is '{}'; off, background or now is expected", name);
    return Compiling::background;
  }();
  return chosen;
}

std::string word_of(CompiledKernel::State state) {
  constexpr std::string_view words[] = {
      "step by step",        "being compiled", "compiled", "compiled, from disk", "step by step: not compiled",
      "compiled with Gradus"};
  return std::string(words[static_cast<std::size_t>(state)]);
}

std::shared_ptr<CompiledKernel> compiled_kernel(const std::string& text) {
  std::shared_ptr<CompiledKernel> kernel = host_compiler().kernel(text);
  host_compiler().ask_for(kernel);
  if (compiling() == Compiling::now) host_compiler().wait_for(*kernel);
  return kernel;
}

PlanKernel::PlanKernel(Kernel kernel) : kernel_(std::move(kernel)) {
  if (const std::string text = any_width_text(kernel_); !text.empty()) known_ = known_kernel(text);
  settled_ = compiling() == Compiling::off || (known_ != nullptr && has_own_loop(kernel_));
  if (!settled_ && compiling() == Compiling::now) code_ = compiled_kernel(text());
}

CompiledKernel::Function PlanKernel::function(std::int64_t work) {
  if (code_)
    if (const CompiledKernel::Function function = code_->function()) return function;
  if (!settled_ && !code_ && (work_ += work) >= enough) code_ = compiled_kernel(text());
  return known_;
}

CompiledKernel::State PlanKernel::state() const {
  if (known_ != nullptr && (!code_ || code_->function() == nullptr)) return CompiledKernel::State::known;
  return code_ ? code_->state() : CompiledKernel::State::waiting;
}

}  // namespace gradus
