// What programs in C see: headers of fm export --c-header, compiled and run, and the C interface from C and from
// Python.
#include "clicks.h"

#include <cmath>
#include <cstdlib>
#include <functional>
#include <sstream>

using namespace gradus;

namespace {

// Compiles a file of tests/c as C99, with warnings as errors. What the compiler said.
std::string compiled(const Folder& folder, const std::string& file, const std::string& program,
                     const std::string& libraries) {
  const std::string command =
      fmt::format("{} -x c -std=c99 -O1 -pedantic -Wall -Wextra -Werror -I'{}' '{}/{}' -x none -o '{}' {} -lm 2>'{}'",
                  GRADUS_C_COMPILER, folder / ".", GRADUS_C_FOLDER, file, folder / program, libraries, folder / "said");
  return std::system(command.c_str()) == 0 ? "" : text_of(folder / "said");
}

bool is_sanitized() { return std::string(GRADUS_C_COMPILER).find("-fsanitize") != std::string::npos; }

// What a command of the shell prints; "failed" where it fails.
std::string printed(const Folder& folder, const std::string& command) {
  const std::string all = fmt::format("cd '{}' && {} >printed 2>&1", folder / ".", command);
  const bool done = std::system(all.c_str()) == 0;
  return (done ? "" : "failed: ") + text_of(folder / "printed");
}

std::string rows(const std::string& target, const std::function<std::string(int)>& told) {
  std::string csv = "user,item,age," + target + "\n";
  for (int i = 0; i < 120; ++i) csv += fmt::format("u{},i{},{},{}\n", i % 7, (i * i) % 11, 18 + (i * 13) % 50, told(i));
  return csv;
}

std::vector<double> numbers(const std::string& text) {
  std::vector<double> out;
  std::string number;
  for (std::istringstream in(text); std::getline(in, number, ',');) {
    for (std::istringstream line(number); line >> number;) out.push_back(std::strtod(number.c_str(), nullptr));
  }
  return out;
}

}  // namespace

TEST_CASE("a header of C tells what fm predict tells") {
  const Folder folder;
  write_text(folder / "rating.csv",
             rows("rating", [](int i) { return fmt::format("{}", i % 7 + (i * i) % 11 - i % 3); }));
  write_text(folder / "click.csv", rows("click", [](int i) { return i % 7 > (i * i) % 11 ? "1" : "0"; }));
  const std::string classes[] = {"\"no \"\"way\"\"?\?/\"", "\"perhaps\"", "yes"};  // in CSV
  write_text(folder / "class.csv", rows("class", [&](int i) { return classes[(i % 7 + i % 11) % 3]; }));
  const std::vector<std::pair<std::string, Words>> models = {
      {"aware", {"rating.csv", "--kind", "field-aware"}},
      {"binary", {"click.csv", "--kind", "fm"}},
      {"classes", {"class.csv", "--target", "class"}},
      {"clipped", {"rating.csv", "--clip-predictions"}},
      {"deep", {"rating.csv", "--kind", "deep", "--hidden", "5,3"}},
      {"fm", {"rating.csv"}},
      {"higher", {"rating.csv", "--kind", "higher-order", "--order", "4"}},
      {"linear", {"rating.csv", "--kind", "linear"}},
      {"probit", {"click.csv", "--learner", "als"}},
  };
  for (const auto& [name, how] : models) {
    Words words{"train", "--model", name + ".model", "--epochs",      "8",  "--quiet", "--factors",
                "3",     "--l2-v",  "0.001",         "--init-stddev", "0.3"};
    words.insert(words.begin() + 1, how.begin(), how.end());
    const Finished trained = run_fm(folder, words);
    REQUIRE_MESSAGE(trained.code == 0, trained.err);
    const Finished done = run_fm(folder, {"export", name + ".model", "--c-header", name + ".h"});
    REQUIRE_MESSAGE(done.code == 0, done.err);
  }
  REQUIRE(compiled(folder, "score.c", "score", "") == "");
  for (const auto& model : models) {
    const std::string& name = model.first;
    const Words& how = model.second;
    CAPTURE(name);
    Words words{"predict", name + ".model", how.front()};
    if (name == "classes") words.emplace_back("--probabilities");
    std::string told = run_fm(folder, words).out;
    if (name == "classes") told = told.substr(told.find('\n') + 1);
    const std::vector<double> expected = numbers(told);
    const std::vector<double> found = numbers(printed(folder, fmt::format("./score {} {}", name, how.front())));
    REQUIRE(found.size() == expected.size());
    REQUIRE(found.size() >= 120);
    double worst = 0;
    for (std::size_t i = 0; i < found.size(); ++i)
      worst = std::max(worst, std::abs(found[i] - expected[i]) / std::max(1.0, std::abs(expected[i])));
    CHECK(worst < 1e-6 * 12);  // terms are up to some 10
  }
  CHECK(said(folder, {"export", "fm.model", "--c-header", "1.h"}) ==
        "1: fm: fm export: \"1\" is no name in C; letters, digits and _ are expected, as in model.h\n");
  CHECK(said(folder, {"export", "fm.model"}) ==
        "2: fm: --onnx or --c-header names the file to write; neither is given (see fm export --help)\n");
}

TEST_CASE("the C interface from C and from Python has the bits of fm predict") {
  const Folder folder;
  std::string csv = "user,item,rating\nu3,i4,2.5\n";
  for (int i = 0; i < 200; ++i) csv += fmt::format("u{},i{},{}\n", i % 7, (i * i) % 11, i % 7 + (i * i) % 11 - i % 3);
  write_text(folder / "r.csv", csv);
  REQUIRE(run_fm(folder, {"train", "r.csv", "--epochs", "5", "--model", "m", "--quiet"}).code == 0);
  REQUIRE(run_fm(folder, {"predict", "m", "r.csv", "--out", "told"}).code == 0);
  REQUIRE(compiled(folder, "main.c", "main", fmt::format("'{}'", GRADUS_C_LIBRARY)) == "");
  const std::string library = GRADUS_C_LIBRARY;
  const std::string found = fmt::format("LD_LIBRARY_PATH='{}' ", library.substr(0, library.rfind('/')));
  CHECK(printed(folder, found + "./main m r.csv told") == "");
  if (is_sanitized() || std::system("command -v python3 >/dev/null") != 0) {
    MESSAGE("skipped: Python, which is not there or cannot load a library with sanitizers");
    return;
  }
  CHECK(printed(folder, fmt::format("python3 '{}/check.py' '{}' m r.csv told", GRADUS_C_FOLDER, library)) == "");
}
