// Hint 1: Row r has the positions row_start[r] to row_start[r + 1] - 1. column[] says where, x.span<double>() what.
// Hint 2: For each row, go through all pairs of its positions. Columns ascend within a row, so the pair is in order.
// Hint 3: Put (column[i], column[j]) into a std::set where both values are not zero; the answer is its size.
#include "lesson_test.h"

namespace exercise {

inline Tensor csr(const std::vector<std::int64_t>& row_start, const std::vector<std::int64_t>& column,
                  const std::vector<double>& values, std::int64_t columns = 9) {
  return Tensor::csr(static_cast<std::int64_t>(row_start.size()) - 1, columns, row_start, column, values);
}
inline void expect_pairs(const Tensor& x, double expected, std::string_view hint) {
  lessons::expect("the number of pairs", static_cast<double>(pairs_with_evidence(x)), expected, hint);
}

CASE("one row") { expect_pairs(csr({0, 4}, {1, 3, 4, 8}, {1, 1, 2, 1}), 6, "4 features make 4 * 3 / 2 pairs"); }
CASE("a row with one non-zero") { expect_pairs(csr({0, 1, 1}, {2}, {1}), 0, "a feature makes no pair with itself"); }
CASE("the same pair again") {
  expect_pairs(csr({0, 2, 4, 6}, {1, 3, 1, 3, 1, 4}, {1, 1, 1, 1, 1, 1}), 2,
               "a pair that meets in two rows is one pair");
}
CASE("a zero that is stored") { expect_pairs(csr({0, 3}, {1, 3, 4}, {1, 0, 2}), 1, "a stored zero is a zero"); }
CASE("a matrix that is drawn") {
  lessons::Draw draw("drawn");
  std::vector<double> dense(12 * 9, 0);
  for (double& value : dense)
    if (draw.whole(0, 3) == 0) value = draw.between(1, 2);
  double expected = 0;
  for (std::size_t i = 0; i < 9; ++i)
    for (std::size_t j = i + 1; j < 9; ++j) {
      bool meet = false;
      for (std::size_t row = 0; row < 12; ++row) meet = meet || (dense[row * 9 + i] != 0 && dense[row * 9 + j] != 0);
      expected += meet ? 1 : 0;
    }
  expect_pairs(Tensor::from(dense, {12, 9}).to_csr(), expected, "the loop over all pairs says otherwise");
}

}  // namespace exercise
