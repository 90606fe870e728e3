// The bytes of people's data from front to back: a file, gzip'd or not (told by its first bytes, not by its name), or
// standard input, which is called "-". There is as much in memory as was looked for. A byte order mark of UTF-8 at the
// start is left out. A file that is written to while it is read is refused: what was read would be neither version.
// Everything here throws IoError, naming the file and what is wrong.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace gradus {

/// The most bytes of a record.
inline constexpr std::size_t longest_record = std::size_t{256} << 20;

/// All there is, where a number of records or bytes is asked for.
inline constexpr std::int64_t unlimited = std::numeric_limits<std::int64_t>::max();

class Input {
 public:
  /// A folder as MovieLens has them, ml-100k, ml-1m, ml-10M100K or ml-25m, is the file of ratings in it.
  explicit Input(const std::string& path);
  /// Bytes in memory, as if they were a file of this name; they must outlive the Input.
  static Input of_bytes(std::string name, std::string_view bytes);
  Input(Input&&) noexcept;
  Input& operator=(Input&&) noexcept;
  ~Input();

  /// The path, or "standard input".
  const std::string& name() const;

  struct Window {
    std::string_view text;
    bool last;  // whether the input ends with it
  };
  /// What comes next, not taken yet: `bytes` bytes or more, fewer where the input ends. Valid until the next call.
  Window look(std::size_t bytes);
  /// Goes on by `bytes` bytes of what was seen.
  void take(std::size_t bytes);

  /// The next whole records, not taken yet: at most `count`, and none only at the end of the input. Of a stream there
  /// may be fewer, to keep memory small. Records end with newlines; where cells may be `quoted`, not with those
  /// inside quotes. Only the last may lack one. Throws where one is longer than 256 MiB.
  std::string_view records(std::int64_t count, bool quoted);

 private:
  struct Source;
  explicit Input(std::unique_ptr<Source> source);
  std::unique_ptr<Source> source_;
};

/// The front of a text that is whole records.
struct Cut {
  std::size_t bytes = 0;
  std::int64_t records = 0;
};
/// The first records of a text that begins with one: at most `count`, and none beyond the first `enough` bytes but the
/// one that goes over them. What follows the last newline is not counted. Where nothing is quoted and neither is a
/// limit, `records` says only whether there are any.
Cut whole_records(std::string_view text, std::int64_t count, std::size_t enough, bool quoted);

/// A text of whole records cut into pieces of about 1 MiB, each of whole records, to be read by several threads. Where
/// they are cut depends on the text alone.
std::vector<std::string_view> pieces_of(std::string_view text, bool quoted);

}  // namespace gradus
