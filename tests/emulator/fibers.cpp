// A fiber starts on its own stack by makecontext; from then on switches are _setjmp and _longjmp, which leave the
// signal mask alone and so cost no system call.
#include "fibers.h"

#include "../sanitized.h"

#include <gradus/core/error.h>

#include <sys/mman.h>
#include <ucontext.h>

#include <algorithm>
#include <array>
#include <csetjmp>
#include <cstdint>
#include <memory>

#ifdef GRADUS_ASAN
#include <sanitizer/common_interface_defs.h>
#endif

namespace gradus::emulator {

namespace {

constexpr std::size_t stack_bytes = std::size_t{256} * 1024;  // touched as far as it is needed

// What the address sanitizer must be told of a switch between stacks.
struct Stack {
  const void* bottom = nullptr;
  std::size_t bytes = 0;
  void* fake = nullptr;

  void leave_for(const Stack& to) {
#ifdef GRADUS_ASAN
    __sanitizer_start_switch_fiber(&fake, to.bottom, to.bytes);
#else
    static_cast<void>(to);
#endif
  }
  void arrive(Stack* from) {
#ifdef GRADUS_ASAN
    __sanitizer_finish_switch_fiber(fake, from != nullptr ? &from->bottom : nullptr,
                                    from != nullptr ? &from->bytes : nullptr);
#else
    static_cast<void>(from);
#endif
  }
};

enum class State : std::uint8_t { ready, waits_for_warp, waits_for_block, done };

struct Fiber {
  ucontext_t start;
  jmp_buf at;
  Stack stack;
  bool started = false;
  State state = State::done;
};

struct Scheduler {
  std::array<std::unique_ptr<Fiber>, most_threads> fibers;
  jmp_buf at;
  Stack stack;
  Fiber* current = nullptr;
  void (*thread)(void*) = nullptr;
  void* context = nullptr;
};

Scheduler scheduler;

void back_to_scheduler(State state) {
  Fiber& self = *scheduler.current;
  self.state = state;
  if (_setjmp(self.at) == 0) {
    self.stack.leave_for(scheduler.stack);
    _longjmp(scheduler.at, 1);
  }
  scheduler.current->stack.arrive(&scheduler.stack);
}

void fiber_main() {
  scheduler.current->stack.arrive(&scheduler.stack);
  for (;;) {
    scheduler.thread(scheduler.context);
    back_to_scheduler(State::done);
  }
}

void prepare(Fiber& fiber) {
  if (fiber.stack.bottom == nullptr) {
    void* memory =
        mmap(nullptr, stack_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) fail<DeviceError>("emulator: no memory for {} bytes of stack", stack_bytes);
    fiber.stack.bottom = memory;
    fiber.stack.bytes = stack_bytes;
  }
  getcontext(&fiber.start);
  fiber.start.uc_stack.ss_sp = const_cast<void*>(fiber.stack.bottom);
  fiber.start.uc_stack.ss_size = stack_bytes;
  fiber.start.uc_link = nullptr;
  fiber.stack.fake = nullptr;
  makecontext(&fiber.start, fiber_main, 0);
}

// Until the fiber waits or is done.
void go_on(Fiber& fiber) {
  scheduler.current = &fiber;
  if (_setjmp(scheduler.at) == 0) {
    scheduler.stack.leave_for(fiber.stack);
    if (fiber.started) _longjmp(fiber.at, 1);
    fiber.started = true;
    setcontext(&fiber.start);
  }
  scheduler.stack.arrive(nullptr);
}

bool all_wait(int first, int last, State state) {
  bool any = false;
  for (int i = first; i < last; ++i) {
    const State mine = scheduler.fibers[static_cast<std::size_t>(i)]->state;
    if (mine != state) return false;
    any = true;
  }
  return any;
}

bool all_are(int threads, State state) { return all_wait(0, threads, state); }

void release(int first, int last) {
  for (int i = first; i < last; ++i) scheduler.fibers[static_cast<std::size_t>(i)]->state = State::ready;
}

}  // namespace

void run_fibers(int threads, void (*thread)(void*), void* context, void (*enter)(int thread)) {
  scheduler.thread = thread;
  scheduler.context = context;
  for (int i = 0; i < threads; ++i) {
    std::unique_ptr<Fiber>& fiber = scheduler.fibers[static_cast<std::size_t>(i)];
    if (!fiber) fiber = std::make_unique<Fiber>();
    if (!fiber->started) prepare(*fiber);
    fiber->state = State::ready;
  }
  while (!all_are(threads, State::done)) {
    for (int first = 0; first < threads; first += warp_size) {
      const int last = std::min(first + warp_size, threads);
      do {
        for (int i = first; i < last; ++i) {
          Fiber& fiber = *scheduler.fibers[static_cast<std::size_t>(i)];
          if (fiber.state != State::ready) continue;
          enter(i);
          go_on(fiber);
        }
        if (!all_wait(first, last, State::waits_for_warp)) break;
        release(first, last);
      } while (true);
    }
    if (all_are(threads, State::done)) return;
    if (!all_are(threads, State::waits_for_block)) {
      // They stay where they are; the next kernel has new ones.
      for (const auto& fiber : scheduler.fibers)
        if (fiber) fiber->started = false;
      fail<DeviceError>("threads of a block wait for others that have returned or wait elsewhere");
    }
    release(0, threads);
  }
}

void wait_for_block() { back_to_scheduler(State::waits_for_block); }
void wait_for_warp() { back_to_scheduler(State::waits_for_warp); }

}  // namespace gradus::emulator
