// Runs the tests of exercises and says how far a reader has come, in one line:
//   exercise_02 "02 reverse"      02 reverse: 3 of 7 pass; first failure: a diamond: dy/da is 8, expected 16 (...)
// With --prove it runs all variants of all exercises with six seeds: holes fail as unsolved only,
// solutions and others that are right pass, and each wrong solution fails with what the first line of its file
// promises.
#define DOCTEST_CONFIG_IMPLEMENT
#include "lesson_test.h"

#include <filesystem>
#include <fstream>
#include <stdexcept>

namespace {

struct Outcome {
  int cases = 0, passed = 0, unsolved = 0;
  std::string first_failure;
};
Outcome outcome;  // of the run at hand, for the reporter that doctest makes

struct LineReporter : doctest::IReporter {
  explicit LineReporter(const doctest::ContextOptions&) {}

  void test_case_start(const doctest::TestCaseData& in) override {
    const std::string name = in.m_name;
    name_ = name.substr(name.find(": ") + 2);
    ++outcome.cases;
  }
  void test_case_end(const doctest::CurrentTestCaseStats& in) override {
    if (in.testCaseSuccess) ++outcome.passed;
  }
  void test_case_exception(const doctest::TestCaseException& in) override {
    const std::string text = in.error_string.c_str();
    if (text.find("is not written yet") != std::string::npos) ++outcome.unsolved;
    failed(text);
  }
  void log_message(const doctest::MessageData& in) override { failed(in.m_string.c_str()); }
  void log_assert(const doctest::AssertData& in) override {
    if (in.m_failed) failed(in.m_expr);
  }
  void report_query(const doctest::QueryData&) override {}
  void test_run_start() override {}
  void test_run_end(const doctest::TestRunStats&) override {}
  void test_case_reenter(const doctest::TestCaseData&) override {}
  void subcase_start(const doctest::SubcaseSignature&) override {}
  void subcase_end() override {}
  void test_case_skipped(const doctest::TestCaseData&) override {}

 private:
  void failed(const std::string& text) {
    if (outcome.first_failure.empty()) outcome.first_failure = fmt::format("{}: {}", name_, text);
  }
  std::string name_;
};
REGISTER_REPORTER("line", 1, LineReporter);

// The tests of a variant.
Outcome run(const std::string& variant) {
  outcome = {};
  doctest::Context context;
  context.setOption("reporters", "line");
  context.setOption("order-by", "file");
  context.setOption("test-case", (variant + ": *").c_str());
  context.run();
  return outcome;
}

int check(const std::string& title) {
  const Outcome got = run("*");
  if (got.unsolved == got.cases) {
    fmt::print("{}: not solved yet: {}\n", title, got.first_failure.substr(got.first_failure.find(": ") + 2));
  } else {
    fmt::print("{}: {} of {} pass{}{}\n", title, got.passed, got.cases,
               got.first_failure.empty() ? "" : "; first failure: ", got.first_failure);
  }
  return got.passed == got.cases ? 0 : 1;
}

// What is not as it should be with a variant of an exercise, or nothing.
std::string fault(const std::string& variant, const std::string& promised) {
  for (int seed = 1; seed <= 6; ++seed) {
    setenv("GRADUS_EXERCISE_SEED", std::to_string(seed).c_str(), 1);
    const Outcome got = run(variant);
    const auto says = [&](const std::string& what) { return fmt::format("{}, seed {}: {}", variant, seed, what); };
    if (got.cases == 0) return says("there are no tests");
    if (variant.starts_with("hole") && got.unsolved != got.cases)
      return says(fmt::format("{} of {} fail as unsolved; {}", got.unsolved, got.cases, got.first_failure));
    if ((variant.starts_with("solution") || variant.starts_with("other")) && got.passed != got.cases)
      return says(got.first_failure);
    if (variant.starts_with("wrong") && got.first_failure.find(promised) == std::string::npos)
      return says(fmt::format("\"{}\" was promised; {}", promised, got.first_failure));
  }
  return {};
}

// The names of the files in a folder, without ".cpp", in order.
std::vector<std::string> files_of(const std::filesystem::path& folder) {
  std::vector<std::string> names;
  for (const auto& file : std::filesystem::directory_iterator(folder)) names.push_back(file.path().stem());
  std::sort(names.begin(), names.end());
  return names;
}

// What the first line of a wrong solution says that the tests will say.
std::string promise_of(const std::filesystem::path& file) {
  std::string first;
  std::ifstream in(file);
  std::getline(in, first);
  const std::string begins = "// Promised: ";
  if (!first.starts_with(begins)) throw std::runtime_error(file.string() + " does not begin with " + begins);
  return first.substr(begins.size());
}

int prove(const std::filesystem::path& folder) {
  int exercises = 0, right = 0, wrong = 0, faults = 0;
  const auto holds = [&](const std::string& variant, const std::string& promised = {}) {
    const std::string found = fault(variant, promised);
    if (found.empty()) return 1;
    ++faults;
    fmt::print("{}\n", found);
    return 0;
  };
  for (const std::string& name : files_of(folder / "solutions")) {
    exercises += holds("hole_" + name.substr(0, 2));
    right += holds("solution_" + name.substr(0, 2));
  }
  for (const std::string& name : files_of(folder / "other")) right += holds("other_" + name);
  for (const std::string& name : files_of(folder / "wrong"))
    wrong += holds("wrong_" + name, promise_of(folder / "wrong" / (name + ".cpp")));
  fmt::print("{} exercises fail as unsolved, {} solutions pass with six seeds, {} wrong ones fail as promised; {}\n",
             exercises, right, wrong,
             faults == 0 ? "all is well" : fmt::format("{} are not as they should be", faults));
  return faults == 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc == 3 && std::string_view(argv[1]) == "--prove") return prove(argv[2]);
  return check(argc > 1 ? argv[1] : "");
} catch (const std::exception& error) {
  fmt::print(stderr, "{}\n", error.what());
  return 1;
}
