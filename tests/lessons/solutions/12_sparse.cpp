#include <cstddef>
#include <map>
#include <vector>

namespace exercise {

struct Csr {
  std::vector<std::size_t> row_start, column;  // row i has the positions row_start[i] to row_start[i + 1] - 1
  std::vector<double> value;
};

// [solution]
inline std::map<std::size_t, std::vector<double>> gradient_of_table(const Csr& x, const std::vector<double>& dy,
                                                                    std::size_t k) {
  std::map<std::size_t, std::vector<double>> dv;
  for (std::size_t row = 0; row + 1 < x.row_start.size(); ++row)
    for (std::size_t at = x.row_start[row]; at < x.row_start[row + 1]; ++at) {
      std::vector<double>& d = dv[x.column[at]];
      d.resize(k);  // a new row starts from zeros
      for (std::size_t f = 0; f < k; ++f) d[f] += x.value[at] * dy[row * k + f];
    }
  return dv;
}
// [/]

}  // namespace exercise
