// The commands that README.md shows are run as they stand there, one after another; what they print is what it shows,
// numbers aside (those differ from machine to machine, if only in how fast it was). Without MovieLens-100k they run on
// a stand-in, whose output is another.
#include "../data_folder.h"
#include "ratings_text.h"
#include "run_program.h"

#include <doctest/doctest.h>

#include <cctype>
#include <cstdlib>
#include <fstream>
#include <sstream>

using namespace gradus;

namespace {

struct Shown {
  std::string command;
  std::vector<std::string> output;
};

// The commands of the blocks ```console: after "$ ", up to the next one what they print.
std::vector<Shown> shown_in(const std::string& path) {
  std::ifstream file(path);
  std::vector<Shown> out;
  bool inside = false;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("```")) {
      inside = line == "```console";
    } else if (inside && line.starts_with("$ ")) {
      out.push_back({line.substr(2), {}});
    } else if (inside && !out.empty()) {
      out.back().output.push_back(line);
    }
  }
  return out;
}

// Each number as #, with the blanks before it as one.
std::string without_numbers(const std::string& line) {
  std::string out;
  for (std::size_t i = 0; i < line.size(); ++i) {
    const auto digit = [&](std::size_t at) {
      return at < line.size() && std::isdigit(static_cast<unsigned char>(line[at])) != 0;
    };
    if (line[i] == ' ' && i + 1 < line.size() && line[i + 1] == ' ') continue;
    if (!digit(i)) {
      out += line[i];
      continue;
    }
    while (digit(i) || (i < line.size() && line[i] == '.' && digit(i + 1))) ++i;
    --i;
    out += '#';
  }
  // "2.3 M" and "950.1 k" examples a second.
  for (const std::string_view unit : {"# M", "# k"})
    if (out.ends_with(unit)) out.resize(out.size() - 2);
  return out;
}

// Whether the lines are those shown, among which "..." stands for any.
bool agree(const std::vector<std::string>& shown, const std::vector<std::string>& lines) {
  std::size_t at = 0;
  for (std::size_t i = 0; i < shown.size(); ++i) {
    if (shown[i] == "...") {
      const std::size_t rest = shown.size() - i - 1;
      if (lines.size() < at + rest) return false;
      at = lines.size() - rest;
      continue;
    }
    if (at == lines.size() || without_numbers(shown[i]) != without_numbers(lines[at])) return false;
    ++at;
  }
  return at == lines.size();
}

}  // namespace

TEST_CASE("the commands of the README") {
  const Folder folder;
  const std::filesystem::path data = data_folder("ml-100k");
  const bool real = std::filesystem::exists(data / "ua.base");
  if (real) {
    std::filesystem::create_directory_symlink(std::filesystem::absolute(data), folder / "ml-100k");
  } else {
    MESSAGE("MovieLens-100k is not there: the commands run on other ratings");
    std::filesystem::create_directory(folder / "ml-100k");
    write_text(folder / "ml-100k/ua.base", ratings_text({}));
    write_text(folder / "ml-100k/ua.test", ratings_text({.count = 1000, .seed = 2}));
    write_text(folder / "ml-100k/u.user", users_text(RatingsShape().users));
    write_text(folder / "ml-100k/u.item", items_text(RatingsShape().items));
  }
  const auto run = [&](const std::string& command) {
    const std::string bin = std::filesystem::path(GRADUS_FM).parent_path();
    return std::system(
        ("cd " + (folder / ".") + " && PATH='" + bin + "':$PATH && export PATH && { " + command + "\n} >.shown 2>&1")
            .c_str());
  };
  REQUIRE(run("{ echo user,item,rating; cut -f1-3 ml-100k/ua.base | tr '\\t' ,; } >ratings.csv; { echo user,item; cut "
              "-f1,2 ml-100k/ua.test | tr '\\t' ,; } >new.csv") == 0);
  const std::vector<Shown> all = shown_in(std::string(GRADUS_GOLDEN_DIR) + "/../../README.md");
  CHECK(all.size() >= 8);
  for (const Shown& each : all) {
    CAPTURE(each.command);
    CHECK(run(each.command) == 0);
    std::istringstream printed(text_of(folder / ".shown"));
    std::vector<std::string> lines;
    for (std::string line; std::getline(printed, line);) lines.push_back(line);
    CAPTURE(printed.str());
    if (real) CHECK(agree(each.output, lines));
  }
  if (!real) return;
  // What is claimed: a mean squared error of 0.865 or less on ratings that played no part in any choice.
  REQUIRE(run("fm evaluate best.model ml-100k/ua.test --json") == 0);
  const std::string json = text_of(folder / ".shown");
  const std::size_t at = json.find("\"mse\": ");
  REQUIRE(at != std::string::npos);
  CHECK(std::atof(json.c_str() + at + 7) <= 0.865);
}
