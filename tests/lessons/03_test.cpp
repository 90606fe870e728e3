// Hint 1: You cannot read the rules, but you can call them. What would f(x + h) - f(x - h) be if the claim were true?
// Hint 2: Compare at many x, on both sides of 0. An h near 1e-5 is good for a double: see the table of lesson 3.
// Hint 3: Divide the error by the size of the derivative, and return the rule whose greatest error is the greatest.
#include "lesson_test.h"

namespace exercise {

inline std::vector<Rule> honest() {
  return {{[](double x) { return std::exp(x); }, [](double x) { return std::exp(x); }},
          {[](double x) { return std::sin(x); }, [](double x) { return std::cos(x); }},
          {[](double x) { return x * x * x; }, [](double x) { return 3 * x * x; }},
          {[](double x) { return std::tanh(x); }, [](double x) { return 1 - std::tanh(x) * std::tanh(x); }},
          {[](double x) { return 2 * x + 1; }, [](double) { return 2.0; }}};
}

CASE("a sign that is wrong") {
  std::vector<Rule> rules = honest();
  const auto i = static_cast<std::size_t>(lessons::Draw("sign").whole(0, 4));
  rules[i].derivative = [right = rules[i].derivative](double x) { return -right(x); };
  lessons::expect("the liar", static_cast<double>(liar(rules)), static_cast<double>(i), "its sign is wrong everywhere");
}

CASE("wrong for negative numbers only") {
  std::vector<Rule> rules = honest();
  const auto i = static_cast<std::size_t>(lessons::Draw("negative").whole(1, 4));
  rules[i].derivative = [right = rules[i].derivative](double x) { return x < 0 ? 0.5 * right(x) : right(x); };
  lessons::expect("the liar", static_cast<double>(liar(rules)), static_cast<double>(i),
                  "was the difference looked at in one place only?");
}

CASE("wrong by one percent") {
  std::vector<Rule> rules = honest();
  const auto i = static_cast<std::size_t>(lessons::Draw("percent").whole(0, 4));
  rules[i].derivative = [right = rules[i].derivative](double x) { return 1.01 * right(x); };
  lessons::expect("the liar", static_cast<double>(liar(rules)), static_cast<double>(i),
                  "are your differences better than one percent?");
}

CASE("large derivatives beside small ones") {
  std::vector<Rule> rules = honest();
  for (const std::size_t big : {0U, 2U}) {
    rules[big].f = [f = rules[big].f](double x) { return 10000 * f(x); };
    rules[big].derivative = [d = rules[big].derivative](double x) { return 10000 * d(x); };
  }
  const std::size_t i = lessons::Draw("large").whole(0, 1) == 0 ? 1 : 4;
  rules[i].derivative = [right = rules[i].derivative](double x) { return 1.01 * right(x); };
  lessons::expect("the liar", static_cast<double>(liar(rules)), static_cast<double>(i),
                  "an error of 0.02 is much where the derivative is 2, and nothing where it is 10000");
}

}  // namespace exercise
