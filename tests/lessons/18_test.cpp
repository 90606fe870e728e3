// Hint 1: How does y_hat of a row change when v becomes t? By (t - v) h, and h does not depend on v. What is h?
// Hint 2: h_n = x_n (q_n - v x_n). The sum to make small is (e_n + (t - v) h_n)^2 over the rows, plus lambda t^2: a
//         parabola in t. Where is its derivative 0?
// Hint 3: t = v - (sum h e + lambda v) / (sum h^2 + lambda).
#include "lesson_test.h"

namespace exercise {

// A factor of all features of some rows, the first of which is the one to move.
struct Rows {
  std::vector<std::vector<double>> x;  // [n][p]
  std::vector<double> y, v;

  double y_hat(std::size_t n) const {
    double sum = 0;
    for (std::size_t i = 0; i < v.size(); ++i)
      for (std::size_t j = i + 1; j < v.size(); ++j) sum += v[i] * v[j] * x[n][i] * x[n][j];
    return sum;
  }
  double loss(double lambda) const {
    double sum = lambda * v[0] * v[0];
    for (std::size_t n = 0; n < x.size(); ++n) sum += (y_hat(n) - y[n]) * (y_hat(n) - y[n]);
    return sum;
  }
  double best(double lambda) const {
    std::vector<double> own, q, e;
    for (std::size_t n = 0; n < x.size(); ++n) {
      own.push_back(x[n][0]);
      q.push_back(0);
      for (std::size_t j = 0; j < v.size(); ++j) q.back() += v[j] * x[n][j];
      e.push_back(y_hat(n) - y[n]);
    }
    return best_factor(v[0], own, q, e, lambda);
  }
};
inline Rows drawn(std::string_view test, int n, int p) {
  lessons::Draw draw(test);
  Rows rows;
  for (int i = 0; i < n; ++i) rows.x.push_back(draw.many(p, 0.5, 2));
  rows.y = draw.many(n, 1, 5);
  rows.v = draw.many(p, 0.5, 1);
  return rows;
}

CASE("rows that are right already") {
  Rows rows = drawn("right", 3, 4);
  for (std::size_t n = 0; n < rows.x.size(); ++n) rows.y[n] = rows.y_hat(n);
  lessons::expect("the factor", rows.best(0), rows.v[0],
                  "e is what is left with v as it is: it says how far v must move");
}
CASE("one row, no penalty") {
  Rows rows = drawn("one", 1, 4);
  rows.v[0] = rows.best(0);
  lessons::expect("y_hat", rows.y_hat(0), rows.y[0], "a feature makes no pair with itself: its own part is in q");
}
CASE("the penalty alone") {
  Rows rows = drawn("penalty", 3, 4);
  for (auto& row : rows.x) row[0] = 0;
  lessons::expect("the factor", rows.best(2), 0, "the penalty is on the new value, not on how far it moves");
}
CASE("the least of all values") {
  Rows rows = drawn("least", 7, 5);
  const double found = rows.best(0.3);
  const auto slope = [&](double t) {
    rows.v[0] = t + 1e-4;
    const double above = rows.loss(0.3);
    rows.v[0] = t - 1e-4;
    return (above - rows.loss(0.3)) / 2e-4;
  };
  lessons::expect("d loss / dv there", slope(found), 0, "at the least value the derivative is 0", 1e-6);
}

}  // namespace exercise
