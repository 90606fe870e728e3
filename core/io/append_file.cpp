#include <gradus/core/io/append_file.h>

#include <gradus/core/io/file.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace gradus {

namespace {

int flags_of(AppendFile::Open open) {
  switch (open) {
    case AppendFile::Open::anew: return O_WRONLY | O_TRUNC;
    case AppendFile::Open::only_new: return O_WRONLY | O_EXCL;
    case AppendFile::Open::lines: break;
  }
  return O_RDWR;
}

}  // namespace

AppendFile::AppendFile(const std::string& path, Open open)
    : path_(path), descriptor_(::open(path.c_str(), flags_of(open) | O_CREAT | O_APPEND | O_CLOEXEC, 0666)) {
  if (descriptor_ < 0) fail_with_system(errno, path_, "cannot be written");
  try {
    if (open == Open::lines) cut_unfinished_line();
  } catch (...) {
    ::close(descriptor_);
    throw;
  }
}

AppendFile::~AppendFile() { ::close(descriptor_); }

void AppendFile::cut_unfinished_line() {
  struct stat status {};
  if (::fstat(descriptor_, &status) != 0) fail_with_system(errno, path_, "cannot be read");
  if (!S_ISREG(status.st_mode)) return;
  std::array<char, 4096> block{};
  std::int64_t end = status.st_size;  // of what is not known to lie in the unfinished line
  while (end > 0) {
    const std::int64_t begin = std::max<std::int64_t>(0, end - static_cast<std::int64_t>(block.size()));
    const ssize_t got = ::pread(descriptor_, block.data(), static_cast<std::size_t>(end - begin), begin);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail_with_system(errno, path_, "cannot be read");
    const std::size_t last = std::string_view(block.data(), static_cast<std::size_t>(got)).rfind('\n');
    end = last == std::string_view::npos ? begin : begin + static_cast<std::int64_t>(last) + 1;
    if (last != std::string_view::npos) break;
  }
  size_ = end;
  if (size_ != status.st_size && ::ftruncate(descriptor_, size_) != 0)
    fail_with_system(errno, path_, "cannot be written");
}

void AppendFile::write(std::string_view bytes) {
  std::string_view left = bytes;
  while (!left.empty()) {
    const ssize_t written = ::write(descriptor_, left.data(), left.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) {
      const int error = errno;
      // Where that fails too, it is the first failure that should be told.
      [[maybe_unused]] const int cut = left.size() == bytes.size() ? 0 : ::ftruncate(descriptor_, size_);
      fail_with_system(error, path_, "cannot be written");
    }
    left.remove_prefix(static_cast<std::size_t>(written));
  }
  size_ += static_cast<std::int64_t>(bytes.size());
}

}  // namespace gradus
