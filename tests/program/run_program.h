// Runs the program `fm` as a shell would, and says what came of it.
#pragma once

#include "../folder.h"

#include <gradus/core/io/file.h>

#include <fcntl.h>
#include <malloc.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <fstream>
#include <iterator>
#include <span>
#include <string>
#include <thread>
#include <vector>

namespace gradus {

inline std::string text_of(const std::string& path) {
  const std::vector<std::byte> bytes = read_file(path);
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

inline void write_text(const std::string& path, const std::string& text) {
  write_file_atomically(path, std::as_bytes(std::span(text)));
}

struct Finished {
  int code = -1;    // exit code; -1 where a signal ended it
  int signal = 0;   // which
  std::string out;  // what it printed
  std::string err;
  long peak_kib = 0;  // memory, at most
};

/// Where its output goes and its input comes from; "" is a file of its own, and nothing.
struct Streams {
  std::string in = "", out = "";
};

/// A program that runs. Its working folder is `folder`, where its output lands in .out and .err.
class Running {
 public:
  Running(const Folder& folder, const std::vector<std::string>& arguments, const Streams& streams = {})
      : out_(streams.out.empty() ? folder / ".out" : streams.out), err_(folder / ".err") {
    const std::string in = streams.in.empty() ? "/dev/null" : streams.in;
    const std::string where = folder / ".";
    std::vector<char*> words{const_cast<char*>(GRADUS_FM)};
    for (const std::string& argument : arguments) words.push_back(const_cast<char*>(argument.c_str()));
    words.push_back(nullptr);
    if (streams.out.empty()) ::unlink(out_.c_str());  // what the program before it printed
    // Here, so that they are there even when it is killed before it has begun.
    const int descriptors[] = {::open(in.c_str(), O_RDONLY | O_CLOEXEC),
                               ::open(out_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666),
                               ::open(err_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666)};
    ::malloc_trim(0);  // the peak that the system counts for a program starts at what this process holds
    pid_ = ::fork();
    if (pid_ != 0) {
      for (const int descriptor : descriptors) ::close(descriptor);
      return;
    }
    for (int i = 0; i < 3; ++i) ::dup2(descriptors[i], i);
    if (::chdir(where.c_str()) == 0) ::execv(GRADUS_FM, words.data());
    ::_exit(127);
  }
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;
  ~Running() {
    if (pid_ > 0) wait();
  }

  void send(int signal) const { ::kill(pid_, signal); }
  /// Waits until it has printed the text; false where it ends before, or has not in five minutes.
  [[nodiscard]] bool prints(const std::string& text) const {
    for (int i = 0; i < 60'000; ++i) {
      siginfo_t ended{};
      ::waitid(P_PID, static_cast<id_t>(pid_), &ended, WEXITED | WNOHANG | WNOWAIT);
      std::ifstream so_far(out_);  // read_file would refuse what is written to meanwhile
      const std::string printed{std::istreambuf_iterator<char>(so_far), {}};
      if (printed.find(text) != std::string::npos) return true;
      if (ended.si_pid != 0) return false;
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return false;
  }
  Finished wait() {
    int status = 0;
    struct rusage usage {};
    ::wait4(pid_, &status, 0, &usage);
    pid_ = -1;
    Finished done;
    if (WIFEXITED(status)) done.code = WEXITSTATUS(status);
    if (WIFSIGNALED(status)) done.signal = WTERMSIG(status);
    if (out_.find("/dev/") != 0) done.out = text_of(out_);
    done.err = text_of(err_);
    done.peak_kib = usage.ru_maxrss;
    return done;
  }

 private:
  std::string out_, err_;
  pid_t pid_ = -1;
};

inline Finished run_fm(const Folder& folder, const std::vector<std::string>& arguments, const Streams& streams = {}) {
  return Running(folder, arguments, streams).wait();
}

}  // namespace gradus
