// Where data come from: files, gzip files of one or several members, streams; windows and records of them; and what is
// said of files that are not there, cut short, damaged or of another kind.
#include <gradus/models/data/input.h>

#include <doctest/doctest.h>

#include "refusal.h"
#include "scratch_file.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <random>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace gradus {
namespace {

// All of an input, by windows of `bytes` bytes.
std::string drained(Input& input, std::size_t bytes = 1000) {
  std::string all;
  for (;;) {
    const auto [text, last] = input.look(bytes);
    const std::string_view part = text.substr(0, bytes);
    all += part;
    input.take(part.size());
    if (last && part.size() == text.size()) return all;
  }
}

std::string drained(const std::string& path) {
  Input input(path);
  return drained(input);
}

std::string unreadable(std::string_view bytes) {
  const ScratchFile file(bytes);
  const std::string message = refusal<IoError>([&] { drained(file.path()); });
  CHECK(message.starts_with(file.path() + ": "));
  return message.substr(file.path().size() + 2);
}

std::string random_text(std::size_t size) {
  std::mt19937 random(3);
  std::string text(size, ' ');
  for (char& c : text) c = static_cast<char>("0123456789:. \n"[random() % 14]);
  return text;
}

// A pipe with a name, and a thread that writes to it.
class Pipe {
 public:
  explicit Pipe(const std::string& bytes) : file_("") {
    ::unlink(path().c_str());
    REQUIRE(::mkfifo(path().c_str(), 0600) == 0);
    writer_ = std::thread([this, bytes] { std::ofstream(path(), std::ios::binary) << bytes; });
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  ~Pipe() { writer_.join(); }
  const std::string& path() const { return file_.path(); }

 private:
  ScratchFile file_;
  std::thread writer_;
};

}  // namespace

TEST_CASE("plain files, gzip files and pipes give the same bytes") {
  const std::string text = random_text(9'000'000);  // more than two blocks of a stream
  const std::string half = text.substr(0, 4'000'000);
  const std::string packed = gzipped(text);
  const std::string two_members = gzipped(half) + gzipped("") + gzipped(text.substr(half.size()));
  CHECK(drained(ScratchFile(text).path()) == text);
  CHECK(drained(ScratchFile(packed).path()) == text);
  CHECK(drained(ScratchFile(two_members).path()) == text);
  CHECK(drained(ScratchFile(packed + std::string(1000, '\0')).path()) == text);  // as tapes do
  {
    const Pipe pipe(text);
    CHECK(drained(pipe.path()) == text);
  }
  {
    const Pipe pipe(two_members);
    CHECK(drained(pipe.path()) == text);
  }
  Input memory = Input::of_bytes("memory", text);
  CHECK(memory.name() == "memory");
  CHECK(drained(memory) == text);
  Input packed_memory = Input::of_bytes("memory", packed);
  CHECK(drained(packed_memory, 5'000'000) == text);
}

TEST_CASE("standard input") {
  const ScratchFile file("line one\nline two\n");
  const int kept = ::dup(STDIN_FILENO);
  std::FILE* const opened = std::fopen(file.path().c_str(), "rb");
  REQUIRE(::dup2(::fileno(opened), STDIN_FILENO) == STDIN_FILENO);
  // What somebody has read from it already is not there any more.
  char five[5];
  REQUIRE(::read(STDIN_FILENO, five, 5) == 5);
  {
    Input input("-");
    CHECK(input.name() == "standard input");
    CHECK(drained(input) == "one\nline two\n");
  }
  ::dup2(kept, STDIN_FILENO);
  ::close(kept);
  std::fclose(opened);
}

TEST_CASE("empty files, files of /proc, and byte order marks") {
  CHECK(drained(ScratchFile("").path()).empty());
  CHECK(drained(ScratchFile(gzipped("")).path()).empty());
  CHECK(drained("/dev/null").empty());
  CHECK(!drained("/proc/self/status").empty());  // its size is said to be 0
  CHECK(drained(ScratchFile("\xef\xbb\xbf"
                            "1 2")
                    .path()) == "1 2");
  CHECK(drained(ScratchFile(gzipped("\xef\xbb\xbf"
                                    "1 2"))
                    .path()) == "1 2");
  CHECK(drained(ScratchFile("1 \xef\xbb\xbf").path()) == "1 \xef\xbb\xbf");
}

TEST_CASE("records") {
  const std::string text = "a\n\nb \"x\ny\" c\nlast";
  Input lines = Input::of_bytes("memory", text);
  CHECK(lines.records(1, false) == "a\n");
  CHECK(lines.records(3, false) == "a\n\nb \"x\n");
  CHECK(lines.records(4, false) == "a\n\nb \"x\ny\" c\n");
  CHECK(lines.records(5, false) == text);
  CHECK(lines.records(unlimited, false) == text);
  CHECK(lines.records(3, true) == "a\n\nb \"x\ny\" c\n");
  CHECK(lines.records(4, true) == text);
  lines.take(text.size());
  CHECK(lines.records(1, false).empty());

  // Of a stream, whatever its blocks: the same, and never half a record.
  const std::string many = random_text(12'000'000);
  const ScratchFile packed(gzipped(many));
  Input stream(packed.path());
  std::string all;
  for (std::string_view part; !(part = stream.records(100'000, false)).empty(); stream.take(part.size())) {
    all += part;
    if (all.size() < many.size()) {
      CHECK(part.ends_with('\n'));
      CHECK(std::count(part.begin(), part.end(), '\n') == 100'000);
    }
  }
  CHECK(all == many);
}

TEST_CASE("pieces join to the whole and end where records do") {
  std::string text = random_text(3'500'000) + "\"";
  for (int i = 0; i < 300'000; ++i) text += "quoted\n";
  text += "\"\nend";
  for (const bool quoted : {false, true}) {
    std::string all;
    std::size_t largest = 0;
    const auto pieces = pieces_of(text, quoted);
    for (const std::string_view piece : pieces) {
      if (!all.empty()) CHECK(all.ends_with('\n'));
      CHECK((!quoted || std::count(piece.begin(), piece.end(), '"') % 2 == 0));
      all += piece;
      largest = std::max(largest, piece.size());
    }
    CHECK(all == text);
    CHECK(pieces.size() >= 4);
    CHECK(largest < (quoted ? std::size_t{4} << 20 : (std::size_t{1} << 20) + 1000));
  }
}

TEST_CASE("a record without end is refused rather than kept") {
  std::string line = gzipped(std::string(64 << 20, 'x'));  // 64 MiB in 64 KiB
  std::string all;
  for (int i = 0; i < 5; ++i) all += line;
  const ScratchFile file(all);
  Input input(file.path());
  CHECK(refusal<IoError>([&] { input.records(1, false); }) == file.path() + ": a line is longer than 256 MiB");
  CHECK(refusal<IoError>([&] { input.records(1, true); }) == file.path() + ": a line is longer than 256 MiB");
}

TEST_CASE("files that cannot be read") {
  CHECK(refusal<IoError>([] { Input("/nowhere/data.svm"); }) ==
        "/nowhere/data.svm: cannot be read: No such file or directory");
  CHECK(refusal<IoError>([] { Input(""); }) == ": cannot be read: No such file or directory");

  const std::string packed = gzipped(random_text(100'000));
  const std::string cut = "its gzip data end too early; was it copied or downloaded whole?";
  for (const std::size_t left : {std::size_t{2}, std::size_t{5}, std::size_t{12}, packed.size() / 2, packed.size() - 1})
    CHECK(unreadable(packed.substr(0, left)) == cut);
  CHECK(unreadable(packed + packed.substr(0, 30)) == cut);
  CHECK(unreadable(packed + "more") == "its gzip data are followed by something else");
  CHECK(unreadable(packed + std::string(3, '\0') + "more") == "its gzip data are followed by something else");
  CHECK(unreadable("\x1f\x8bnot gzip at all") == "its gzip data are corrupt: unknown compression method");
  std::string damaged = packed;
  damaged[packed.size() - 6] ^= 1;  // of the check sum
  CHECK(unreadable(damaged) == "its gzip data are corrupt: incorrect data check");
  damaged = packed;
  damaged[packed.size() - 2] ^= 1;
  CHECK(unreadable(damaged) == "its gzip data are corrupt: incorrect length check");

  CHECK(unreadable("PK\x03\x04 and so on") == "is a zip archive; unpack it first");
  CHECK(unreadable("BZh91AY") == "is compressed by bzip2; unpack it first");
  CHECK(unreadable("\xfd"
                   "7zXZ") == "is compressed by xz; unpack it first");
  CHECK(unreadable("\x28\xb5\x2f\xfd") == "is compressed by zstd; unpack it first");
  CHECK(unreadable(std::string("\xff\xfe"
                               "1\0",
                               4)) == "is UTF-16 text; save it as UTF-8");
}

}  // namespace gradus
