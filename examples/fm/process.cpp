#include "process.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>

namespace fm {

namespace {

struct Work {
  const std::function<int()>& work;
  int result = 1;
};

void* run(void* of) {
  auto* const work = static_cast<Work*>(of);
  work->result = work->work();
  return nullptr;
}

}  // namespace

void prepare_streams() {
  // Opened so that what the stream is for fails as it does where it is closed: reading the first, writing the others.
  for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
    if (::fcntl(stream, F_GETFD) < 0 && ::open("/dev/null", stream == STDIN_FILENO ? O_WRONLY : O_RDONLY) != stream)
      std::_Exit(1);
  std::signal(SIGPIPE, SIG_IGN);
}

int with_enough_stack(const std::function<int()>& work) {
  constexpr std::size_t enough = std::size_t{8} << 20;
  struct rlimit limit {};
  if (::getrlimit(RLIMIT_STACK, &limit) != 0 || limit.rlim_cur >= (std::size_t{1} << 20)) return work();
  pthread_attr_t attributes;
  pthread_t thread{};
  Work here{work};
  ::pthread_attr_init(&attributes);
  ::pthread_attr_setstacksize(&attributes, enough);
  ::pthread_setattr_default_np(&attributes);
  if (::pthread_create(&thread, &attributes, &run, &here) != 0) {
    std::fputs("fm: the stack is too small (see ulimit -s), and there is no memory for a larger one\n", stderr);
    return 1;
  }
  ::pthread_join(thread, nullptr);
  return here.result;
}

void end_program(int code) {
  // OpenBLAS's own threads, which fm never uses, look for memory for ever where the address space is limited, and its
  // end waits for theirs.
  struct rlimit limit {};
  if (::getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY) std::_Exit(code);
  std::exit(code);
}

}  // namespace fm
