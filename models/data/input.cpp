#include <gradus/models/data/input.h>

#include <gradus/core/error.h>
#include <gradus/core/io/file.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <optional>
#include <system_error>
#include <utility>

namespace gradus {

namespace {

constexpr std::size_t block = std::size_t{4} << 20;          // read from a stream at a time
constexpr std::size_t records_block = block;                 // of a stream, handed out as records at a time
constexpr std::size_t least_growth = std::size_t{64} << 10;  // what a pipe holds

// What is often fed by mistake, told by its first bytes.
std::string_view unreadable_kind(std::string_view head) {
  constexpr std::pair<std::string_view, std::string_view> kinds[] = {
      {{"PK\x03\x04", 4}, "a zip archive; unpack it first"},
      {{"BZh", 3}, "compressed by bzip2; unpack it first"},
      {{"\xfd"
        "7zXZ",
        5},
       "compressed by xz; unpack it first"},
      {{"\x28\xb5\x2f\xfd", 4}, "compressed by zstd; unpack it first"},
      {{"\xff\xfe", 2}, "UTF-16 text; save it as UTF-8"},
      {{"\xfe\xff", 2}, "UTF-16 text; save it as UTF-8"},
  };
  for (const auto& [magic, kind] : kinds)
    if (head.starts_with(magic)) return kind;
  return {};
}

// Bytes as they lie in the file: in memory as a whole, or read from a descriptor.
class RawBytes {
 public:
  RawBytes(std::string name, std::string_view bytes) : name_(std::move(name)), whole_(bytes), in_memory_(true) {}

  explicit RawBytes(const std::string& path) : name_(path == "-" ? "standard input" : path) {
    if (path == "-") {
      descriptor_ = STDIN_FILENO;
    } else {
      do {
        descriptor_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
      } while (descriptor_ < 0 && errno == EINTR);
      opened_ = descriptor_ >= 0;
    }
    if (descriptor_ < 0) fail_with_system(errno, name_, "cannot be read");
    struct stat status {};
    const int error = ::fstat(descriptor_, &status) != 0 ? errno : S_ISDIR(status.st_mode) ? EISDIR : 0;
    if (error != 0) {
      release();  // a constructor that throws has no destructor run
      fail_with_system(error, name_, "cannot be read");
    }
    // Files of size 0 in /proc hold something all the same, and have no past to be compared with.
    if (S_ISREG(status.st_mode) && status.st_size > 0) stamp_.emplace(descriptor_, name_);
  }

  RawBytes(const RawBytes&) = delete;
  RawBytes& operator=(const RawBytes&) = delete;
  ~RawBytes() { release(); }

  const std::string& name() const { return name_; }
  bool in_memory() const { return in_memory_; }
  std::string_view whole() const { return whole_; }

  // Bytes to make room for at a time: no more than a small file has, and one to see its end.
  std::size_t block_size() const {
    return stamp_ ? static_cast<std::size_t>(std::clamp<std::uint64_t>(stamp_->size() + 1, least_growth, block))
                  : block;
  }

  // Up to `bytes` of what comes next; 0 at the end. Not for what is in memory.
  std::size_t read(char* to, std::size_t bytes) {
    for (;;) {
      const ssize_t got = ::read(descriptor_, to, bytes);
      if (got == 0 && bytes > 0 && stamp_) stamp_->check_unchanged(descriptor_, name_);
      if (got >= 0) return static_cast<std::size_t>(got);
      if (errno != EINTR) fail_with_system(errno, name_, "cannot be read");
    }
  }

 private:
  void release() {
    if (opened_) ::close(descriptor_);
  }

  std::string name_;
  std::string_view whole_;
  bool in_memory_ = false;
  bool opened_ = false;
  int descriptor_ = -1;
  std::optional<FileStamp> stamp_;  // of a file, as it was when it was opened
};

// Unpacks gzip data, which may be several members one after another (pigz, bgzip, `cat a.gz b.gz`).
class Inflater {
 public:
  explicit Inflater(const std::string& name) : name_(name) {
    if (inflateInit2(&stream_, 15 + 16) != Z_OK) fail<IoError>("{}: zlib cannot be started", name_);
  }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;
  ~Inflater() { inflateEnd(&stream_); }

  // Unpacks from `in`, which it shortens, to at most `bytes` at `to`; returns how many it wrote. `last`: nothing
  // follows `in`. Writes nothing only where `in` is used up.
  std::size_t unpack(std::string_view& in, bool last, char* to, std::size_t bytes) {
    std::size_t done = 0;
    while (done < bytes && (!in.empty() || (last && in_member_))) {
      if (!in_member_ && !begin_member(in)) break;
      constexpr std::size_t most = 1U << 30;  // zlib counts in 32 bits
      stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(in.data()));
      stream_.avail_in = static_cast<uInt>(std::min(in.size(), most));
      stream_.next_out = reinterpret_cast<Bytef*>(to + done);
      stream_.avail_out = static_cast<uInt>(std::min(bytes - done, most));
      const uInt in_before = stream_.avail_in;
      const uInt out_before = stream_.avail_out;
      const int result = inflate(&stream_, Z_NO_FLUSH);
      in.remove_prefix(in_before - stream_.avail_in);
      done += out_before - stream_.avail_out;
      if (result == Z_STREAM_END) {
        in_member_ = false;
        inflateReset(&stream_);
      } else if (result == Z_BUF_ERROR || (result == Z_OK && in.empty() && stream_.avail_out > 0)) {
        if (last) fail<IoError>("{}: its gzip data end too early; was it copied or downloaded whole?", name_);
        break;
      } else if (result != Z_OK) {
        fail<IoError>("{}: its gzip data are corrupt: {}", name_, stream_.msg != nullptr ? stream_.msg : "no reason");
      }
    }
    return done;
  }

 private:
  // Whether another member begins. Tapes and disks fill up with zeros, which gzip ignores as well.
  bool begin_member(std::string_view& in) {
    if (members_ > 0) {
      const std::size_t zeros = std::min(in.find_first_not_of('\0'), in.size());
      in.remove_prefix(zeros);
      if (in.empty()) return false;
      if (zeros > 0 || in[0] != '\x1f') fail<IoError>("{}: its gzip data are followed by something else", name_);
    }
    ++members_;
    return in_member_ = true;
  }

  const std::string& name_;
  z_stream stream_{};
  bool in_member_ = false;
  std::int64_t members_ = 0;
};

}  // namespace

// Plain bytes in memory are seen where they lie; all else passes through `buffer`.
struct Input::Source {
  template <class... Args>
  explicit Source(Args&&... args) : raw(std::forward<Args>(args)...) {
    if (raw.in_memory()) {
      packed = raw.whole();
      packed_ends = true;
    } else {
      fill_packed();
    }
    if (const std::string_view kind = unreadable_kind(packed); !kind.empty())
      fail<IoError>("{}: is {}", raw.name(), kind);
    if (packed.starts_with("\x1f\x8b")) inflater = std::make_unique<Inflater>(raw.name());
    // Plain bytes that have been read already are the first of the buffer.
    if (!inflater && !raw.in_memory()) {
      buffer = std::move(packed_buffer);
      used = packed.size();
    }
  }

  // More of the raw bytes, behind none: all that were there have been used. At least 16, if there are, to know the
  // kind.
  void fill_packed() {
    packed_buffer.resize(raw.block_size());
    std::size_t got = 0;
    while (got < 16 && !packed_ends) {
      const std::size_t more = raw.read(packed_buffer.data() + got, packed_buffer.size() - got);
      packed_ends = more == 0;
      got += more;
    }
    packed = {packed_buffer.data(), got};
  }

  // Adds to the buffer, whose end it moves up; false at the end of the input.
  bool fill() {
    buffer.resize(std::max(buffer.size(), used + raw.block_size()));
    char* const to = buffer.data() + used;
    const std::size_t room = buffer.size() - used;
    std::size_t got = 0;
    if (!inflater) {
      if (!packed_ends) got = raw.read(to, room);
    } else {
      for (;;) {
        got = inflater->unpack(packed, packed_ends, to, room);
        if (got > 0 || packed_ends) break;
        if (packed.empty()) fill_packed();
      }
    }
    const std::size_t newline = std::string_view(to, got).rfind('\n');
    line_bytes = newline == std::string_view::npos ? line_bytes + got : got - newline;
    if (line_bytes > longest_record)
      fail<IoError>("{}: a line is longer than {} MiB", raw.name(), longest_record >> 20);
    used += got;
    return got > 0;
  }

  Window look(std::size_t bytes) {
    if (raw.in_memory() && !inflater) return {raw.whole().substr(taken), true};
    if (used - taken < bytes && !ended) {
      // What was taken makes room.
      std::memmove(buffer.data(), buffer.data() + taken, used - taken);
      used -= std::exchange(taken, 0);
      while (used < bytes && !ended) ended = !fill();
    }
    return {std::string_view(buffer).substr(taken, used - taken), ended};
  }

  RawBytes raw;
  std::unique_ptr<Inflater> inflater;  // of gzip data
  std::string packed_buffer;
  std::string_view packed;  // raw bytes that wait to be unpacked
  bool packed_ends = false;
  std::string buffer;
  std::size_t line_bytes = 0;  // of its last line
  std::size_t used = 0;        // bytes of the buffer that hold something
  std::size_t taken = 0;       // of these, or of the bytes in memory
  bool ended = false;
};

Input::Input(std::unique_ptr<Source> source) : source_(std::move(source)) {
  if (look(3).text.starts_with("\xef\xbb\xbf")) take(3);
}
namespace {

// A folder of MovieLens stands for the file of ratings in it.
std::string data_file(const std::string& path) {
  std::error_code none;
  if (!std::filesystem::is_directory(path, none)) return path;
  for (const char* const name : {"u.data", "ratings.dat", "ratings.csv"})
    if (const auto file = std::filesystem::path(path) / name; std::filesystem::exists(file, none)) return file.string();
  fail<IoError>("{}: is a folder without MovieLens' u.data, ratings.dat or ratings.csv; a file is expected", path);
}

}  // namespace

Input::Input(const std::string& path) : Input(std::make_unique<Source>(data_file(path))) {}
Input Input::of_bytes(std::string name, std::string_view bytes) {
  return Input(std::make_unique<Source>(std::move(name), bytes));
}
Input::Input(Input&&) noexcept = default;
Input& Input::operator=(Input&&) noexcept = default;
Input::~Input() = default;

const std::string& Input::name() const { return source_->raw.name(); }
Input::Window Input::look(std::size_t bytes) { return source_->look(bytes); }
void Input::take(std::size_t bytes) { source_->taken += bytes; }

std::string_view Input::records(std::int64_t count, bool quoted) {
  Cut cut;  // of what has been looked at
  for (std::size_t bytes = 1;;) {
    const auto [text, last] = look(bytes);
    if (last && count >= static_cast<std::int64_t>(text.size())) return text;
    // One record is looked for no further than it may be long.
    const std::string_view within = count == 1 ? text.substr(0, longest_record + 1) : text;
    const Cut more = whole_records(within.substr(cut.bytes), count - cut.records, within.size(), quoted);
    cut = {cut.bytes + more.bytes, cut.records + more.records};
    if (cut.records == count) return text.substr(0, cut.bytes);
    if (last && within.size() == text.size()) return text;
    // More would be wanted, but a part is as good.
    if (cut.bytes > 0 && text.size() >= records_block) return text.substr(0, cut.bytes);
    if (cut.bytes == 0 && text.size() > longest_record)
      fail<IoError>("{}: a {} is longer than {} MiB", name(), quoted ? "record (is a quote not closed?)" : "line",
                    longest_record >> 20);
    bytes = std::min(std::max(2 * text.size(), least_growth), longest_record + 1);
  }
}

Cut whole_records(std::string_view text, std::int64_t count, std::size_t enough, bool quoted) {
  Cut cut;
  if (!quoted && count >= static_cast<std::int64_t>(text.size()) && enough >= text.size()) {
    cut.bytes = text.rfind('\n') + 1;  // npos + 1 is 0
    cut.records = cut.bytes == 0 ? 0 : 1;
    return cut;
  }
  bool inside = false;  // quotes: a doubled one leaves and enters again, so their parity is all that counts
  for (std::size_t line = 0; cut.records < count && cut.bytes < enough;) {
    const std::size_t newline = text.find('\n', line);
    if (newline == std::string_view::npos) break;
    if (quoted && std::count(text.begin() + static_cast<std::ptrdiff_t>(line),
                             text.begin() + static_cast<std::ptrdiff_t>(newline), '"') %
                          2 !=
                      0)
      inside = !inside;
    line = newline + 1;
    if (inside) continue;
    cut.bytes = line;
    ++cut.records;
  }
  return cut;
}

std::vector<std::string_view> pieces_of(std::string_view text, bool quoted) {
  constexpr std::size_t piece = std::size_t{1} << 20;
  std::vector<std::string_view> pieces;
  while (text.size() > piece) {
    // Where nothing is quoted, the lines before the last are of no interest.
    const std::size_t bytes =
        quoted ? whole_records(text, unlimited, piece, true).bytes : text.find('\n', piece) + 1;  // npos + 1 is 0
    if (bytes == 0) break;
    pieces.push_back(text.substr(0, bytes));
    text.remove_prefix(bytes);
  }
  if (!text.empty()) pieces.push_back(text);
  return pieces;
}

}  // namespace gradus
