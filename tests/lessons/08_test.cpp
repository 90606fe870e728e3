// Hint 1: Write out (a + b + c)^2. Which of its nine terms do you want, and how often are they there?
// Hint 2: For each factor: half of (the square of the sum, minus the sum of the squares) of v_if x_i.
// Hint 3: By v_if the derivative is x_i times (the sum of v_jf x_j over all j, minus i's own term).
#include "lesson_test.h"

namespace exercise {

struct Problem {
  Row x;
  std::vector<double> v;
  double factor(int i, int f) const { return v[static_cast<std::size_t>(i * 3 + f)]; }
  double naive() const {
    double sum = 0;
    for (std::size_t i = 0; i < x.size(); ++i)
      for (std::size_t j = i + 1; j < x.size(); ++j)
        for (int f = 0; f < 3; ++f) sum += factor(x[i].first, f) * factor(x[j].first, f) * x[i].second * x[j].second;
    return sum;
  }
};
inline Problem drawn(std::string_view test, int features) {
  lessons::Draw draw(test);
  Problem p;
  for (int i = 0; i < features; ++i) p.x.emplace_back(2 * i, draw.between(1, 2));
  p.v = draw.many(6 * features, 1, 2);
  return p;
}

CASE("one feature") {
  const Problem p = drawn("one", 1);
  lessons::expect("the sum",
                  interactions(
                      p.x, [&](int i, int f) { return p.factor(i, f); }, 3),
                  0, "a feature makes no pair with itself");
}
CASE("two features") {
  const Problem p = drawn("two", 2);
  lessons::expect("the sum",
                  interactions(
                      p.x, [&](int i, int f) { return p.factor(i, f); }, 3),
                  p.naive(), "each pair once");
}
CASE("many features") {
  const Problem p = drawn("many", 30);
  lessons::expect("the sum",
                  interactions(
                      p.x, [&](int i, int f) { return p.factor(i, f); }, 3),
                  p.naive(), "each pair once");
}
CASE("the work") {
  const Problem p = drawn("work", 40);
  int asked = 0;
  interactions(
      p.x, [&](int i, int f) { return ++asked, p.factor(i, f); }, 3);
  lessons::expect("how often v is asked for", asked, 120, "the work may not grow with the square of the features");
}
CASE("the gradient") {
  Problem p = drawn("gradient", 5);
  const Factors v = [&](int i, int f) { return p.factor(i, f); };
  const double found = gradient(p.x, v, 1, 2);
  double& moved = p.v[static_cast<std::size_t>(p.x[2].first * 3 + 1)];
  moved += 1e-5;
  const double up = p.naive();
  moved -= 2e-5;
  lessons::expect("the derivative", found, (up - p.naive()) / 2e-5, "a feature makes no pair with itself", 1e-6);
}

}  // namespace exercise
