// Requests to end, which a training hears between two batches.
#pragma once

#include <csignal>

namespace fm {

inline volatile std::sig_atomic_t interrupted = 0;  // whether somebody has asked

// While it lives, Ctrl-C and a request to end only say so; a second one ends the program at once.
class Interruptions {
 public:
  Interruptions() {
    struct sigaction action {};
    action.sa_handler = [](int) { interrupted = 1; };
    action.sa_flags = static_cast<int>(SA_RESETHAND) | SA_RESTART;
    ::sigaction(SIGINT, &action, &old_interrupt_);
    ::sigaction(SIGTERM, &action, &old_end_);
  }
  Interruptions(const Interruptions&) = delete;
  Interruptions& operator=(const Interruptions&) = delete;
  ~Interruptions() {
    ::sigaction(SIGINT, &old_interrupt_, nullptr);
    ::sigaction(SIGTERM, &old_end_, nullptr);
  }

 private:
  struct sigaction old_interrupt_ {};
  struct sigaction old_end_ {};
};

}  // namespace fm
