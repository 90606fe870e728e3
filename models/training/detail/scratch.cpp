#include <gradus/models/training/detail/scratch.h>

#include <gradus/core/error.h>

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <system_error>

namespace gradus {

namespace {

constexpr std::size_t least_bytes = std::size_t{1} << 16;

// So many bytes of a file that nothing else can open. Its blocks are there before any is written to: a full disk would
// end the program otherwise.
void* mapped_file(const std::string& folder, std::size_t bytes) {
  std::string path = folder + "/.gradus-scratch-XXXXXX";
  const int file = ::mkstemp(path.data());
  const auto refuse = [&](int error) {
    if (file >= 0) ::close(file);
    fail<IoError>("{}: no file of {} bytes for samples can be made there: {}", folder, bytes,
                  std::generic_category().message(error));
  };
  if (file < 0) refuse(errno);
  ::unlink(path.c_str());
  if (const int error = ::posix_fallocate(file, 0, static_cast<off_t>(bytes)); error != 0) refuse(error);
  void* const memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  if (memory == MAP_FAILED) refuse(errno);
  ::close(file);
  return memory;
}

}  // namespace

Tensor Scratch::tensor(const Type& type) {
  const auto bytes = static_cast<std::size_t>(type.shape.size()) * size_of(type.dtype);
  if (folder_.empty() || bytes < least_bytes) return Tensor::uninitialized(type);
  const std::shared_ptr<std::byte> memory(static_cast<std::byte*>(mapped_file(folder_, bytes)),
                                          [bytes](std::byte* at) { ::munmap(at, bytes); });
  mappings_.push_back({memory, bytes});
  return Tensor::on(type, memory);
}

void Scratch::let_go() {
  for (const Mapping& each : mappings_)
    if (const auto memory = each.memory.lock()) ::madvise(memory.get(), each.bytes, MADV_DONTNEED);
}

}  // namespace gradus
