// Hint 1: Walk upwards. When you come to a step, its inputs are settled already.
// Hint 2: Replace the inputs of the step by what computes them; then look whether (op, inputs) has been seen.
// Hint 3: A std::map from (op, inputs) to the first step that has them; random steps are never looked up or entered.
#include "lesson_test.h"

namespace exercise {

inline void expect_shared(const std::vector<Step>& steps, std::size_t step, std::size_t expected,
                          std::string_view hint) {
  lessons::expect(fmt::format("what computes step {}", step), static_cast<double>(shared(steps)[step]),
                  static_cast<double>(expected), hint);
}

CASE("written twice") {
  expect_shared({{"X", {}}, {"square", {0}}, {"square", {0}}}, 2, 1, "the same op of the same step");
}
CASE("another op") { expect_shared({{"X", {}}, {"square", {0}}, {"exp", {0}}}, 2, 2, "the ops differ"); }
CASE("the same, one level up") {
  expect_shared({{"X", {}}, {"square", {0}}, {"square", {0}}, {"exp", {1}}, {"exp", {2}}}, 4, 3,
                "their inputs became one step before");
}
CASE("another order") {
  expect_shared({{"X", {}}, {"y", {}}, {"subtract", {0, 1}}, {"subtract", {1, 0}}}, 3, 3, "a - b is not b - a");
}
CASE("random numbers") {
  expect_shared({{"random", {}}, {"random", {}}, {"exp", {0}}, {"exp", {1}}}, 3, 3, "two random numbers are not one");
}
CASE("programs that are drawn") {
  lessons::Draw draw("drawn");
  std::vector<Step> steps = {{"X", {}}, {"y", {}}};
  for (int i = 0; i < 40; ++i) {
    const int last = static_cast<int>(steps.size()) - 1;
    const auto any = [&] { return static_cast<std::size_t>(draw.whole(0, std::min(last, 6))); };
    steps.push_back({draw.whole(0, 1) == 0 ? "add" : "multiply", {any(), any()}});
  }
  std::map<std::string, std::size_t> written;  // what each step computes, spelt out
  std::vector<std::string> text;
  const std::vector<std::size_t> found = shared(steps);
  for (std::size_t i = 0; i < steps.size(); ++i) {
    std::string all = steps[i].op + "(";
    for (const std::size_t input : steps[i].inputs) all += text[input] + ",";
    text.push_back(all + ")");
    lessons::expect(fmt::format("what computes step {}", i), static_cast<double>(found[i]),
                    static_cast<double>(written.try_emplace(text[i], i).first->second),
                    "their inputs became one step before");
  }
}

}  // namespace exercise
