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

/// "path: is damaged: what is wrong".
[[noreturn]] void fail_damaged(const std::string& path, std::string_view what);

/// What the system says of an open file, to tell whether somebody has written to it since.
class FileStamp {
 public:
  /// Of a descriptor. Throws, naming `path`, where the system cannot say.
  FileStamp(int descriptor, const std::string& path);

  /// Whether it is a file with a size, as opposed to a pipe, a terminal or a folder.
  bool is_regular() const { return regular_; }
  /// Bytes.
  std::uint64_t size() const { return size_; }
  /// Throws where a regular file is not as it was.
  void check_unchanged(int descriptor, const std::string& path) const;

 private:
  bool regular_ = false;
  std::uint64_t size_ = 0;
  std::int64_t seconds_ = 0, nanoseconds_ = 0;  // of the last change
};

/// A file read from front to back, or by pieces from wherever. A file that somebody writes to meanwhile is refused:
/// what was read would be neither the old one nor the new.
class FileReader {
 public:
  explicit FileReader(const std::string& path);
  FileReader(const FileReader&) = delete;
  FileReader& operator=(const FileReader&) = delete;
  ~FileReader();

  const std::string& path() const { return path_; }
  /// Bytes of the whole file, as it was when it was opened.
  std::uint64_t size() const { return stamp_.size(); }
  /// Bytes not read yet.
  std::uint64_t left() const { return left_; }
  /// The next `bytes` bytes. Throws where the file has fewer.
  void read(void* to, std::size_t bytes);
  /// The `bytes` bytes from byte `begin` on, for any number of threads at once.
  void read_at(std::uint64_t begin, void* to, std::size_t bytes) const;

 private:
  std::string path_;
  int descriptor_ = -1;
  FileStamp stamp_;
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
  friend class SpoolFile;
  FileWriter(const std::string& path, int descriptor) : path_(path), descriptor_(descriptor) {}

  const std::string& path_;
  int descriptor_;
};

/// What is written before it is known where in a file it belongs: a file without a name, beside `path`, which errors
/// name.
class SpoolFile {
 public:
  explicit SpoolFile(const std::string& path);
  SpoolFile(const SpoolFile&) = delete;
  SpoolFile& operator=(const SpoolFile&) = delete;
  ~SpoolFile();

  void write(std::span<const std::byte> bytes);
  /// All that was written.
  void copy_to(FileWriter& file) const;

 private:
  std::string path_;
  int descriptor_ = -1;
};

/// Throws IoError: the file, what could not be done, and what errno says of it.
[[noreturn]] void fail_with_system(int error, const std::string& path, std::string_view what);

std::vector<std::byte> read_file(const std::string& path);

/// An exception from `write` leaves the file as it was and passes through.
void write_file_atomically(const std::string& path, const std::function<void(FileWriter&)>& write);
void write_file_atomically(const std::string& path, std::span<const std::byte> bytes);

/// Whether two names are of one file: through links, `..`, or as hard links. Names that are free are one where a file
/// made by either would be the other's.
bool is_same_file(const std::string& a, const std::string& b);

/// Throws, naming `name`, unless each byte is 0 or 1: no other is a bool of C++.
void check_bools(const std::string& name, std::span<const std::byte> bytes);

}  // namespace gradus
