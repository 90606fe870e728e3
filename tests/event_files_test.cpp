// Event files for TensorBoard, read by their checksums, and files that grow: what a full disk leaves.
#include "folder.h"
#include "refusal.h"

#include <gradus/core/io/append_file.h>
#include <gradus/models/formats/tensorboard.h>

#include <doctest/doctest.h>

#include <chrono>
#include <cmath>
#include <csignal>
#include <cstring>
#include <fstream>
#include <iterator>
#include <limits>
#include <string>
#include <vector>

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

namespace gradus {
namespace {

std::string contents(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

double now() { return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count(); }

TEST_CASE("a file that cannot grow keeps what it has") {
  const Folder folder;
  CHECK(refusal<IoError>([&] { AppendFile log(folder / "no/log.jsonl", AppendFile::Open::anew); }) ==
        folder / "no/log.jsonl: cannot be written: No such file or directory");
  { AppendFile made(folder / "there", AppendFile::Open::only_new); }
  CHECK(refusal<IoError>([&] { AppendFile made(folder / "there", AppendFile::Open::only_new); }) ==
        folder / "there: cannot be written: File exists");

  // The limit of a file's size stands for a full disk: the second write is cut short, then fails.
  const std::string path = folder / "full";
  const pid_t child = ::fork();
  if (child == 0) {
    std::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{100, 100};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    AppendFile file(path, AppendFile::Open::anew);
    file.write(std::string(60, 'a') + "\n");
    std::string told;
    try {
      file.write(std::string(60, 'b') + "\n");
    } catch (const IoError& error) {
      told = error.what();
    }
    ::_exit(told == path + ": cannot be written: File too large" ? 0 : 1);
  }
  int status = -1;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(status == 0);
  CHECK(contents(path) == std::string(60, 'a') + "\n");
}

// CRC-32C bit by bit, from its polynomial: independent of the table.
std::uint32_t crc_by_division(std::string_view bytes) {
  std::uint32_t crc = 0xffffffffU;
  for (const char byte : bytes) {
    for (unsigned bit = 0; bit < 8; ++bit) {
      const bool odd = ((crc ^ (static_cast<unsigned>(static_cast<unsigned char>(byte)) >> bit)) & 1U) != 0;
      crc = (crc >> 1U) ^ (odd ? 0x82f63b78U : 0U);
    }
  }
  return ~crc;
}

TEST_CASE("CRC-32C has the values of RFC 3720") {
  CHECK(crc32c("") == 0);
  CHECK(crc32c("123456789") == 0xe3069283U);
  CHECK(crc32c(std::string(32, '\0')) == 0x8a9136aaU);
  CHECK(crc32c(std::string(32, '\xff')) == 0x62a8ab43U);
  std::string ascending;
  for (int i = 0; i < 32; ++i) ascending += static_cast<char>(i);
  CHECK(crc32c(ascending) == 0x46dd794eU);
  CHECK(crc32c(ascending) == crc_by_division(ascending));
}

struct Record {
  std::string event;
  bool whole = false;
};

std::vector<Record> records(const std::string& text) {
  const auto masked = [](std::string_view bytes) {
    const std::uint32_t crc = crc_by_division(bytes);
    return (crc >> 15U | crc << 17U) + 0xa282ead8U;
  };
  std::vector<Record> out;
  for (std::size_t at = 0; at + 12 <= text.size();) {
    std::uint64_t length = 0;
    std::uint32_t crc[2] = {};
    std::memcpy(&length, text.data() + at, 8);
    std::memcpy(&crc[0], text.data() + at + 8, 4);
    const std::string event = text.substr(at + 12, length);
    std::memcpy(&crc[1], text.data() + at + 12 + length, 4);
    out.push_back({event, crc[0] == masked(std::string_view(text).substr(at, 8)) && crc[1] == masked(event)});
    at += 16 + length;
  }
  return out;
}

TEST_CASE("an event file is a row of checked records, whole after each epoch") {
  const Folder folder;
  TensorBoardLog log(folder / "a/b");
  CHECK(log.path().find("/a/b/events.out.tfevents.") != std::string::npos);
  CHECK(records(contents(log.path())).size() == 1);
  log.write(7, {{"loss", 0.5}, {"rmse", NAN}});
  const std::vector<Record> read = records(contents(log.path()));
  REQUIRE(read.size() == 2);
  CHECK(read[0].whole);
  CHECK(read[1].whole);
  // wall_time: field 1, 8 bytes; file_version: field 3, text.
  CHECK(read[0].event.substr(0, 1) == "\x09");
  double time = 0;
  std::memcpy(&time, read[0].event.data() + 1, 8);
  CHECK(std::abs(time - now()) < 60);
  CHECK(read[0].event.substr(9) ==
        "\x1a\x0d"
        "brain.Event:2");
  // step: field 2; summary: field 5 of two values: field 1, of a tag (field 1) and a float (field 2).
  CHECK(read[1].event.substr(9, 15) == "\x10\x07\x2a\x1a\x0a\x0b\x0a\x04loss\x15" + std::string("\x00\x00", 2));
  TensorBoardLog second(folder / "a/b");
  CHECK(second.path() != log.path());
  std::ofstream(folder / "file") << "x";
  CHECK(refusal<IoError>([&] { TensorBoardLog bad(folder / "file/below"); }) ==
        folder / "file/below: the folder cannot be made: Not a directory");
}

}  // namespace
}  // namespace gradus
