// A run's log as fm writes it: JSON lines, read by a JSON parser, and what a killed run leaves.
#include "../folder.h"

#include <fm/run_log.h>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <chrono>
#include <cmath>
#include <fstream>
#include <iterator>
#include <limits>
#include <string>
#include <vector>

using namespace fm;
using gradus::AppendFile;
using gradus::Folder;

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

}  // namespace

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
