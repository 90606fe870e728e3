// X by columns first: then each row of dV is one sum.
#include <cstddef>
#include <map>
#include <utility>
#include <vector>

namespace exercise {

struct Csr {
  std::vector<std::size_t> row_start, column;  // row i has the positions row_start[i] to row_start[i + 1] - 1
  std::vector<double> value;
};

inline std::map<std::size_t, std::vector<double>> gradient_of_table(const Csr& x, const std::vector<double>& dy,
                                                                    std::size_t k) {
  std::map<std::size_t, std::vector<std::pair<std::size_t, double>>> columns;
  for (std::size_t row = 0; row + 1 < x.row_start.size(); ++row)
    for (std::size_t at = x.row_start[row]; at < x.row_start[row + 1]; ++at)
      columns[x.column[at]].emplace_back(row, x.value[at]);
  std::map<std::size_t, std::vector<double>> dv;
  for (const auto& [column, entries] : columns)
    for (std::size_t f = 0; f < k; ++f) {
      double sum = 0;
      for (const auto& [row, value] : entries) sum += value * dy[row * k + f];
      dv[column].push_back(sum);
    }
  return dv;
}

}  // namespace exercise
