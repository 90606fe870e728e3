// For fuzzers of binary files whose checksums would stop them at the first byte: a good file in parts, which the
// fuzzer's input changes; what holds the parts together is made anew.
#pragma once

#include "../folder.h"

#include <gradus/core/io/file.h>

#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

/// Changes `text` as the input says, 4 bytes a change: where (16 bits, as a part of the length), what (replace, insert,
/// remove up to 16, or a digit), and with which byte.
inline void change(std::string& text, std::string_view input) {
  for (; input.size() >= 4; input.remove_prefix(4)) {
    const auto byte = [&](std::size_t i) { return static_cast<std::size_t>(static_cast<unsigned char>(input[i])); };
    const std::size_t at = (byte(0) << 8 | byte(1)) * (text.size() + 1) >> 16;
    switch (byte(2) % 4) {
      case 0: text.insert(at, 1, input[3]); break;
      case 1: text.erase(at, byte(3) % 16); break;
      case 2: text.insert(at, 1, static_cast<char>('0' + byte(3) % 10)); break;
      default:
        if (at < text.size()) text[at] = input[3];
    }
  }
}

/// A file in memory.
class MemoryFile {
 public:
  explicit MemoryFile(std::string_view bytes) : descriptor_(::memfd_create("fuzz", MFD_CLOEXEC)) {
    if (descriptor_ < 0) std::abort();
    for (std::string_view rest = bytes; !rest.empty();) {
      const ssize_t written = ::write(descriptor_, rest.data(), rest.size());
      if (written < 0) std::abort();
      rest.remove_prefix(static_cast<std::size_t>(written));
    }
  }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;
  ~MemoryFile() { ::close(descriptor_); }

  std::string path() const { return "/proc/self/fd/" + std::to_string(descriptor_); }

 private:
  int descriptor_;
};

/// The bytes of a good file. `write` gets the path that it is to have.
template <class Write>
std::string bytes_of_file(const Write& write) {
  const gradus::Folder folder;
  write(folder / "file");
  const std::vector<std::byte> bytes = gradus::read_file(folder / "file");
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

template <class T>
std::string bytes_of(const T& number) {
  return {reinterpret_cast<const char*>(&number), sizeof number};
}
