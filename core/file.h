// Files, whole. Reading is checked against the size of the file; writing is all or nothing: the bytes go to a
// new file beside the old one, are flushed to the disk, and take its name in one step. Whoever reads meanwhile,
// or after a crash or with a full disk, finds the old file or the new one, never a half.
// Everything here throws IoError, naming the file and what the system says is wrong.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace gradus {

/// A file read from front to back.
class FileReader {
 public:
  explicit FileReader(const std::string& path);
  FileReader(const FileReader&) = delete;
  FileReader& operator=(const FileReader&) = delete;
  ~FileReader();

  const std::string& path() const { return path_; }
  /// Bytes of the whole file, as it was when it was opened.
  std::uint64_t size() const { return size_; }
  /// Bytes not read yet.
  std::uint64_t left() const { return left_; }
  /// The next `bytes` bytes. Throws where the file has fewer.
  void read(void* to, std::size_t bytes);

 private:
  std::string path_;
  int descriptor_ = -1;
  std::uint64_t size_ = 0;
  std::uint64_t left_ = 0;
};

/// What write_file_atomically hands to those who write in pieces.
class FileWriter {
 public:
  FileWriter(const FileWriter&) = delete;
  FileWriter& operator=(const FileWriter&) = delete;

  void write(const void* from, std::size_t bytes);
  void write(std::span<const std::byte> bytes) { write(bytes.data(), bytes.size()); }

 private:
  friend void write_file_atomically(const std::string& path, const std::function<void(FileWriter&)>& write);
  FileWriter(const std::string& path, int descriptor) : path_(path), descriptor_(descriptor) {}

  const std::string& path_;
  int descriptor_;
};

/// Throws IoError: the file, what could not be done, and what errno says of it.
[[noreturn]] void fail_with_system(int error, const std::string& path, std::string_view what);

std::vector<std::byte> read_file(const std::string& path);

/// An exception from `write` leaves the file as it was and passes through.
void write_file_atomically(const std::string& path, const std::function<void(FileWriter&)>& write);
void write_file_atomically(const std::string& path, std::span<const std::byte> bytes);

/// Throws, naming `name`, unless each byte is 0 or 1: no other is a bool of C++.
void check_bools(const std::string& name, std::span<const std::byte> bytes);

}  // namespace gradus
