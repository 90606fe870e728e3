#include <gradus/core/io/file.h>

#include <gradus/core/error.h>

#include <fmt/format.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <system_error>
#include <utility>

namespace gradus {

namespace {

// At most so much at once: what Linux reads and writes in one call.
constexpr std::size_t piece = std::size_t{1} << 30;

// A descriptor that is closed at the end, and a name that is removed with it unless it was given another.
struct Temporary {
  Temporary() = default;
  Temporary(const Temporary&) = delete;
  Temporary& operator=(const Temporary&) = delete;
  ~Temporary() {
    if (descriptor >= 0) ::close(descriptor);
    if (!name.empty()) ::unlink(name.c_str());
  }

  int descriptor = -1;
  std::string name;
};

// A new file beside `target`.
void open_beside(const std::string& path, const std::string& target, Temporary& temporary) {
  static std::atomic<unsigned> count{0};
  do {
    std::string name = fmt::format("{}.{}-{}.tmp", target, ::getpid(), count++);
    temporary.descriptor = ::open(name.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (temporary.descriptor >= 0) temporary.name = std::move(name);
  } while (temporary.descriptor < 0 && (errno == EEXIST || errno == EINTR));
  if (temporary.descriptor < 0) fail_with_system(errno, path, "cannot be written");
}

// So that the new name survives a crash as well; some file systems cannot, which is no reason to fail.
void flush_folder(const std::string& target) {
  const std::size_t slash = target.rfind('/');
  const std::string folder = slash == std::string::npos ? "." : target.substr(0, slash + 1);
  const int descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return;
  ::fsync(descriptor);
  ::close(descriptor);
}

}  // namespace

void fail_with_system(int error, const std::string& path, std::string_view what) {
  fail<IoError>("{}: {}: {}", path, what, std::generic_category().message(error));
}

void fail_damaged(const std::string& path, std::string_view what) { fail<IoError>("{}: is damaged: {}", path, what); }

FileStamp::FileStamp(int descriptor, const std::string& path) {
  struct stat status {};
  if (::fstat(descriptor, &status) != 0) fail_with_system(errno, path, "cannot be read");
  regular_ = S_ISREG(status.st_mode);
  size_ = static_cast<std::uint64_t>(status.st_size);
  seconds_ = status.st_mtim.tv_sec;
  nanoseconds_ = status.st_mtim.tv_nsec;
}

void FileStamp::check_unchanged(int descriptor, const std::string& path) const {
  const FileStamp now(descriptor, path);
  if (!regular_) return;
  if (now.size_ < size_) fail<IoError>("{}: became shorter while it was read", path);
  if (now.size_ != size_ || now.seconds_ != seconds_ || now.nanoseconds_ != nanoseconds_)
    fail<IoError>("{}: was written to while it was read", path);
}

namespace {

int opened(const std::string& path) {
  int descriptor = -1;
  do {  // a FIFO that nobody writes to would be waited for
    descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  } while (descriptor < 0 && errno == EINTR);
  if (descriptor < 0) fail_with_system(errno, path, "cannot be opened");
  return descriptor;
}

}  // namespace

FileReader::FileReader(const std::string& path)
    : path_(path), descriptor_(opened(path)), stamp_(descriptor_, path), left_(stamp_.size()) {
  if (stamp_.is_regular()) return;
  ::close(descriptor_);
  fail<IoError>("{}: cannot be read: it is not a regular file", path);
}

FileReader::~FileReader() { ::close(descriptor_); }

void FileReader::read(void* to, std::size_t bytes) {
  if (bytes > left_) fail<IoError>("{}: ends too early: {} bytes are needed but {} are left", path_, bytes, left_);
  auto* out = static_cast<std::byte*>(to);
  while (bytes > 0) {
    const ssize_t got = ::read(descriptor_, out, std::min(bytes, piece));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail_with_system(errno, path_, "cannot be read");
    if (got == 0) fail<IoError>("{}: became shorter while it was read", path_);
    out += got;
    bytes -= static_cast<std::size_t>(got);
    left_ -= static_cast<std::uint64_t>(got);
  }
  if (left_ == 0) stamp_.check_unchanged(descriptor_, path_);
}

void FileReader::read_at(std::uint64_t begin, void* to, std::size_t bytes) const {
  auto* out = static_cast<std::byte*>(to);
  while (bytes > 0) {
    const ssize_t got = ::pread(descriptor_, out, std::min(bytes, piece), static_cast<off_t>(begin));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail_with_system(errno, path_, "cannot be read");
    if (got == 0) fail<IoError>("{}: became shorter while it was read", path_);
    out += got;
    begin += static_cast<std::uint64_t>(got);
    bytes -= static_cast<std::size_t>(got);
  }
  stamp_.check_unchanged(descriptor_, path_);
}

void FileWriter::write(const void* from, std::size_t bytes) {
  const auto* next = static_cast<const std::byte*>(from);
  while (bytes > 0) {
    const ssize_t put = ::write(descriptor_, next, std::min(bytes, piece));
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) fail_with_system(errno, path_, "cannot be written");
    next += put;
    bytes -= static_cast<std::size_t>(put);
  }
}

SpoolFile::SpoolFile(const std::string& path) : path_(path) {
  Temporary temporary;
  open_beside(path, path, temporary);
  descriptor_ = std::exchange(temporary.descriptor, -1);  // its name goes here
}

SpoolFile::~SpoolFile() { ::close(descriptor_); }

void SpoolFile::write(std::span<const std::byte> bytes) { FileWriter(path_, descriptor_).write(bytes); }

void SpoolFile::copy_to(FileWriter& file) const {
  std::vector<std::byte> bytes(std::size_t{1} << 20);
  for (off_t at = 0;;) {
    const ssize_t got = ::pread(descriptor_, bytes.data(), bytes.size(), at);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail_with_system(errno, path_, "cannot be read");
    if (got == 0) return;
    file.write(bytes.data(), static_cast<std::size_t>(got));
    at += got;
  }
}

std::vector<std::byte> read_file(const std::string& path) {
  FileReader file(path);
  std::vector<std::byte> bytes(file.size());
  file.read(bytes.data(), bytes.size());
  return bytes;
}

void write_file_atomically(const std::string& path, const std::function<void(FileWriter&)>& write) {
  // A link stays a link: what it points to is replaced. A name that is free has nothing to resolve.
  const std::unique_ptr<char, decltype(&std::free)> resolved(::realpath(path.c_str(), nullptr), &std::free);
  const std::string target = resolved ? resolved.get() : path;
  struct stat status {};
  const bool exists = ::stat(target.c_str(), &status) == 0;
  if (exists && !S_ISREG(status.st_mode)) fail<IoError>("{}: cannot be written: it is not a regular file", path);

  Temporary temporary;
  open_beside(path, target, temporary);
  if (exists && ::fchmod(temporary.descriptor, status.st_mode & 07777) != 0)
    fail_with_system(errno, path, "cannot be written");
  FileWriter writer(path, temporary.descriptor);
  write(writer);
  if (::fsync(temporary.descriptor) != 0) fail_with_system(errno, path, "cannot be written");
  // A disk over the network may say only now that it is full.
  if (::close(std::exchange(temporary.descriptor, -1)) != 0) fail_with_system(errno, path, "cannot be written");
  if (::rename(temporary.name.c_str(), target.c_str()) != 0) fail_with_system(errno, path, "cannot be written");
  temporary.name.clear();
  flush_folder(target);
}

void write_file_atomically(const std::string& path, std::span<const std::byte> bytes) {
  write_file_atomically(path, [&](FileWriter& file) { file.write(bytes); });
}

bool is_same_file(const std::string& a, const std::string& b) {
  struct stat of_a {};
  struct stat of_b {};
  const bool has_a = ::stat(a.c_str(), &of_a) == 0;
  const bool has_b = ::stat(b.c_str(), &of_b) == 0;
  if (has_a && has_b) return of_a.st_dev == of_b.st_dev && of_a.st_ino == of_b.st_ino;
  if (has_a != has_b) return false;
  std::error_code error;
  const auto name = [&](const std::string& path) {
    return std::filesystem::weakly_canonical(std::filesystem::absolute(path, error), error);
  };
  return name(a) == name(b);
}

void check_bools(const std::string& name, std::span<const std::byte> bytes) {
  const auto odd = std::find_if(bytes.begin(), bytes.end(), [](std::byte b) { return b > std::byte{1}; });
  if (odd != bytes.end())
    fail<IoError>("{}: bool number {} is {}; it must be 0 or 1", name, odd - bytes.begin(), std::to_integer<int>(*odd));
}

}  // namespace gradus
