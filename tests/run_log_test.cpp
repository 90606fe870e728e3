// Logs of runs: JSON lines read by a JSON parser, event files by their checksums, and files that grow: what a killed
// run leaves, and a full disk.
#include "folder.h"
#include "refusal.h"

#include <gradus/core/io/append_file.h>
#include <gradus/models/formats/run_log.h>
#include <gradus/models/formats/tensorboard.h>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

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

std::vector<std::string> lines(const std::string& text) {
  std::vector<std::string> out;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    out.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return out;
}

double now() { return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count(); }

TEST_CASE("a log has an object a line, in the order of what was told") {
  const Folder folder;
  RunLog log(folder / "log.jsonl");
  log.write("start", {{"data", "a \"b\"\n"}, {"rows", 3}}, {{"rate", 0.1}, {"sparse", true}, {"optimizer", "adam"}});
  log.write("epoch", {{"epoch", 1}, {"loss", std::numeric_limits<double>::quiet_NaN()}, {"worst", -INFINITY}});
  CHECK(lines(contents(folder / "log.jsonl")).size() == 2);  // before the log is closed
  log.write("end", {{"name \xff", "text \xfe"}});
  const std::vector<std::string> text = lines(contents(folder / "log.jsonl"));
  REQUIRE(text.size() == 3);
  CHECK(text[0].starts_with(R"({"event":"start","time":)"));
  const std::size_t rest = text[0].find(",\"gradus\":\"");
  REQUIRE(rest != std::string::npos);
  CHECK(text[0].substr(text[0].find(",\"data\"")) ==
        R"(,"data":"a \"b\"\n","rows":3,"options":{"rate":0.1,"sparse":true,"optimizer":"adam"}})");
  const auto epoch = nlohmann::json::parse(text[1]);
  CHECK(epoch.at("epoch") == 1);
  CHECK(epoch.at("loss") == "nan");
  CHECK(epoch.at("worst") == "-inf");
  CHECK(!epoch.contains("options"));
  CHECK(std::abs(epoch.at("time").get<double>() - now()) < 60);
  CHECK(nlohmann::json::parse(text[2]).at("name \xef\xbf\xbd") == "text \xef\xbf\xbd");
}

TEST_CASE("numbers of a log are read back as they were") {
  const Folder folder;
  const std::vector<double> numbers = {0.1, 1e-300, 1e300, -0.0, 123456789.123456789, 1.0 / 3, 2e5};
  RunLog log(folder / "log.jsonl");
  for (const double number : numbers) log.write("epoch", {{"number", number}});
  log.write("epoch", {{"number", std::numeric_limits<std::int64_t>::min()}});
  const std::vector<std::string> text = lines(contents(folder / "log.jsonl"));
  for (std::size_t i = 0; i < numbers.size(); ++i)
    CHECK(nlohmann::json::parse(text[i]).at("number").get<double>() == numbers[i]);
  CHECK(nlohmann::json::parse(text.back()).at("number").get<std::int64_t>() ==
        std::numeric_limits<std::int64_t>::min());
}

TEST_CASE("a log that goes on begins after the last whole line") {
  const Folder folder;
  const std::string path = folder / "log.jsonl";
  for (const std::string& torn : {std::string(), std::string("{\"event\":\"ep"), std::string(10000, 'x')}) {
    for (const std::string& whole : {std::string(), std::string("{\"event\":\"start\"}\n"),
                                     std::string("{}\n") + std::string(9000, ' ') + "{}\n"}) {
      std::ofstream(path, std::ios::binary) << whole << torn;
      RunLog(path, AppendFile::Open::lines).write("epoch", {});
      const std::string text = contents(path);
      REQUIRE(text.starts_with(whole));
      CHECK(text.substr(whole.size()).starts_with("{\"event\":\"epoch\""));
      CHECK(lines(text).size() == lines(whole).size() + 1);
    }
  }
  RunLog anew(path);
  CHECK(contents(path).empty());
  RunLog(folder / "new.jsonl", AppendFile::Open::lines).write("start", {});
  CHECK(lines(contents(folder / "new.jsonl")).size() == 1);
}

TEST_CASE("a file that cannot grow keeps what it has") {
  const Folder folder;
  CHECK(refusal<IoError>([&] { RunLog log(folder / "no/log.jsonl"); }) ==
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
