// What the module gradus_mpi gives: the few calls of MPI that ranks need, as plain functions. The module alone is
// compiled with MPI's header and linked with its library, so that programs need neither until they ask for ranks.
#pragma once

#include <cstddef>

extern "C" {

struct GradusMpi {
  /// Begins; says which rank this is of how many, or in `error` what is wrong (then false).
  bool (*open)(int* rank, int* size, char* error, std::size_t error_bytes);
  /// Ends, once all ranks are done.
  void (*close)();
  void (*abort)(int code);  // of all ranks; does not return
  /// A message is begun here, of at most 2^31 - 1 bytes, and is done when done() says so. The memory is the caller's
  /// until then.
  int (*send)(int to, int tag, const void* bytes, std::size_t count);
  int (*receive)(int from, int tag, void* bytes, std::size_t count);
  /// Whether message `number` is done, which frees its number; -1: it failed.
  int (*done)(int number);
};

/// In the module: extern "C" const GradusMpi* gradus_mpi_functions(int version). Null: of another version.
inline constexpr int gradus_mpi_version = 1;
}
