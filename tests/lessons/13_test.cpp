// Hint 1: If you knew the column, how well could you guess y? Which number says that, whatever the column's unit is?
// Hint 2: The correlation: the covariance of the column and y, divided by both standard deviations.
// Hint 3: Take its absolute value, leave out columns that do not vary, and return the column with the greatest.
#include "lesson_test.h"

namespace exercise {

struct Problem {
  Matrix x;
  std::vector<double> y;
};
// Six honest columns, of which some are in large units; column `at` is scale * y and a little noise.
inline Problem drawn(std::string_view test, std::size_t at, double scale) {
  lessons::Draw draw(test);
  Problem p;
  for (int i = 0; i < 200; ++i) {
    const double y = draw.between(-1, 1);
    std::vector<double> row;
    for (std::size_t j = 0; j < 6; ++j) row.push_back((j % 2 == 0 ? 1 : 1000) * (0.5 * y + draw.between(-1, 1)));
    row[at] = scale * (y + draw.between(-0.05, 0.05));
    p.x.push_back(row);
    p.y.push_back(y);
  }
  return p;
}
inline void expect_found(const Problem& p, std::size_t at, std::string_view hint) {
  lessons::expect("the column", static_cast<double>(leak(p.x, p.y)), static_cast<double>(at), hint);
}

CASE("a column that is y") {
  const auto at = static_cast<std::size_t>(lessons::Draw("plain at").whole(0, 5));
  expect_found(drawn("plain", at, 100000), at, "which column goes with y?");
}
CASE("a column in small units") {
  expect_found(drawn("small", 2, 0.001), 2, "a column in large units is not more suspicious");
}
CASE("a column that falls") { expect_found(drawn("falls", 4, -3), 4, "a column that falls as y rises tells as much"); }
CASE("a column that is constant") {
  Problem p = drawn("constant", 3, 1);
  for (auto& row : p.x) row[0] = 7;
  expect_found(p, 3, "a column that does not vary tells nothing; mind 0 / 0");
}

}  // namespace exercise
