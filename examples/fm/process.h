// What a program owes the system that it runs on before it does anything: its three streams, signals, stack and end.
#pragma once

#include <functional>

namespace fm {

/// Sees to it that no file is opened as a standard stream that is closed (what is meant for it would land in the file),
/// and that writing to a pipe which nobody reads is an error like others, not the end of the program.
void prepare_streams();

/// Calls `work`, and returns what it does, on a stack of 8 MiB where the limit (ulimit -s) leaves less than 1 MiB; so
/// are those of the threads that it starts.
int with_enough_stack(const std::function<int()>& work);

/// Ends the program. All that was opened has been closed, and all that was printed was flushed.
[[noreturn]] void end_program(int code);

}  // namespace fm
