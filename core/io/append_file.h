// A file that grows, for logs: each write is handed to the system whole before the call returns, so that what a killed
// program leaves is what it wrote. A write that fails, on a full disk, is taken back: what was there stays whole.
// Everything here throws IoError, naming the file and what the system says is wrong.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace gradus {

class AppendFile {
 public:
  enum class Open : std::uint8_t {
    anew,      // empty, whatever was there
    only_new,  // refused where there is such a file
    lines,     // after the last whole line of what is there; a line without its end is cut off
  };

  AppendFile(const std::string& path, Open open);
  AppendFile(const AppendFile&) = delete;
  AppendFile& operator=(const AppendFile&) = delete;
  ~AppendFile();

  void write(std::string_view bytes);
  const std::string& path() const { return path_; }

 private:
  void cut_unfinished_line();

  std::string path_;
  int descriptor_;
  std::int64_t size_ = 0;
};

}  // namespace gradus
