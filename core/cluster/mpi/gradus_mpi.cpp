// The module gradus_mpi, which core/cluster/mpi_link.cpp loads: MPI's calls and nothing else.
#include <gradus/core/cluster/mpi_functions.h>

// MPI's C functions are all that is used.
#define OMPI_SKIP_MPICXX 1
#define MPICH_SKIP_MPICXX 1
#include <mpi.h>

#include <cstdio>
#include <cstdlib>
#include <vector>

namespace {

std::vector<MPI_Request> requests;  // by number; MPI_REQUEST_NULL: free

int numbered(MPI_Request request) {
  for (std::size_t i = 0; i < requests.size(); ++i)
    if (requests[i] == MPI_REQUEST_NULL) {
      requests[i] = request;
      return static_cast<int>(i);
    }
  requests.push_back(request);
  return static_cast<int>(requests.size()) - 1;
}

bool open(int* rank, int* size, char* error, std::size_t error_bytes) {
  // Who waits sleeps here: Open MPI need not yield at every look, which on a busy machine takes many times as long.
  setenv("OMPI_MCA_mpi_yield_when_idle", "0", 0);
  int running = 0, threads = 0;
  MPI_Initialized(&running);
  if (running == 0 && MPI_Init_thread(nullptr, nullptr, MPI_THREAD_FUNNELED, &threads) != MPI_SUCCESS) {
    std::snprintf(error, error_bytes, "MPI_Init_thread failed");
    return false;
  }
  MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
  MPI_Comm_rank(MPI_COMM_WORLD, rank);
  MPI_Comm_size(MPI_COMM_WORLD, size);
  return true;
}

void close() {
  int ended = 0;
  MPI_Finalized(&ended);
  if (ended != 0) return;
  for (MPI_Request& request : requests)  // what was awaited and will not come
    if (request != MPI_REQUEST_NULL) {
      MPI_Cancel(&request);
      MPI_Request_free(&request);
    }
  MPI_Finalize();
}

void abort_all(int code) {
  MPI_Abort(MPI_COMM_WORLD, code);
  std::_Exit(code);
}

int send(int to, int tag, const void* bytes, std::size_t count) {
  MPI_Request request = MPI_REQUEST_NULL;
  const int result = MPI_Isend(bytes, static_cast<int>(count), MPI_BYTE, to, tag, MPI_COMM_WORLD, &request);
  return result == MPI_SUCCESS ? numbered(request) : -1;
}

int receive(int from, int tag, void* bytes, std::size_t count) {
  MPI_Request request = MPI_REQUEST_NULL;
  const int result = MPI_Irecv(bytes, static_cast<int>(count), MPI_BYTE, from, tag, MPI_COMM_WORLD, &request);
  return result == MPI_SUCCESS ? numbered(request) : -1;
}

int done(int number) {
  int is_done = 0;
  const int result = MPI_Test(&requests[static_cast<std::size_t>(number)], &is_done, MPI_STATUS_IGNORE);
  return result == MPI_SUCCESS ? is_done : -1;
}

}  // namespace

extern "C" __attribute__((visibility("default"))) const GradusMpi* gradus_mpi_functions(int version) {
  static const GradusMpi functions{open, close, abort_all, send, receive, done};
  return version == gradus_mpi_version ? &functions : nullptr;
}
