// The threads of one CUDA block, as fibers of one host thread: each runs until it waits for its warp or its block, and
// goes on when all that live there wait. What hangs on a GPU (threads that wait while others of the block have
// returned, or wait elsewhere) is an error here.
#pragma once

#include <functional>

namespace gradus::emulator {

inline constexpr int warp_size = 32;
inline constexpr int most_threads = 1024;

/// Runs thread(context) once for each of `threads` fibers; `enter` is told which one goes on. Throws DeviceError where
/// the fibers would wait for ever. One call at a time.
void run_fibers(int threads, void (*thread)(void*), void* context, void (*enter)(int thread));

/// Called by a fiber.
void wait_for_block();
void wait_for_warp();

}  // namespace gradus::emulator
