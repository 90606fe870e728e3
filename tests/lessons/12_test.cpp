// Hint 1: dV = X^T dY. Written as a sum: dV[j, f] = sum over i of X[i, j] dY[i, f].
// Hint 2: Only the non-zeros of X contribute. Each of them, X[i, j], adds a multiple of row i of dY to row j of dV.
// Hint 3: for each row i, for each position of the row: d = dv[column]; d[f] += value * dy[i * k + f] for all f.
#include "lesson_test.h"

namespace exercise {

CASE("one non-zero") {
  const auto dv = gradient_of_table({{0, 1}, {5}, {2}}, {3, 4}, 2);
  lessons::expect("how many rows dV has", static_cast<double>(dv.size()), 1,
                  "rows that X does not touch are not there");
  lessons::require(dv.contains(5), "row 5 of dV is missing", "a row of V belongs to a column of X");
  lessons::expect("dV[5, 1]", dv.at(5)[1], 8, "the value of X times dY");
}
CASE("a feature in two rows") {
  const auto dv = gradient_of_table({{0, 1, 2}, {7, 7}, {1, 10}}, {1, 2}, 1);
  lessons::require(dv.contains(7), "row 7 of dV is missing", "a row of V belongs to a column of X");
  lessons::expect("dV[7]", dv.at(7)[0], 21, "two rows of X that have the feature both add their part");
}
CASE("an empty row") {
  const auto dv = gradient_of_table({{0, 0, 1}, {3}, {1}}, {5, 6}, 1);
  lessons::expect("how many rows dV has", static_cast<double>(dv.size()), 1, "an empty row touches nothing");
  lessons::require(dv.contains(3), "row 3 of dV is missing", "a row of V belongs to a column of X");
  lessons::expect("dV[3]", dv.at(3)[0], 6, "the second row of dY");
}
CASE("what Gradus says") {
  lessons::Draw draw("gradus");
  Csr x{{0}, {}, {}};
  for (int row = 0; row < 6; ++row) {
    for (std::size_t column = 0; column < 20; ++column)
      if (draw.whole(0, 5) == 0) {
        x.column.push_back(column);
        x.value.push_back(draw.between(1, 2));
      }
    x.row_start.push_back(x.column.size());
  }
  const std::vector<double> dy = draw.many(18);
  const auto dv = gradient_of_table(x, dy, 3);
  gradus::Graph g;
  const gradus::Expr X = g.sparse_placeholder("X", {6, 20}, gradus::float64);
  const gradus::Expr V = g.variable("V", gradus::zeros({20, 3}, gradus::float64));
  gradus::Session session(g);
  const std::vector<std::int64_t> start(x.row_start.begin(), x.row_start.end()),
      column(x.column.begin(), x.column.end());
  const gradus::Tensor rows =
      session.run(gradients(reduce_sum(matmul(X, V) * gradus::Tensor::from(dy, {6, 3})), {V})[0],
                  {{X, gradus::Tensor::csr(6, 20, start, column, x.value)}});
  lessons::expect("how many rows dV has", static_cast<double>(dv.size()), static_cast<double>(rows.index()->count()),
                  "rows that X does not touch are not there");
  for (const auto& [row, values] : dv)
    for (std::size_t f = 0; f < 3; ++f)
      lessons::expect(fmt::format("dV[{}, {}]", row, f), values[f], rows.to_dense().at(row, f),
                      "two rows of X that have the feature both add their part");
}

}  // namespace exercise
