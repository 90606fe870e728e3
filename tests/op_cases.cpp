#include "op_cases.h"

namespace gradus {

std::vector<OpCase> op_cases() {
  std::vector<OpCase> rows;
  for (const auto& section :
       {elementwise_cases, reduction_cases, shape_cases, product_cases, subject_cases, nn_cases}) {
    for (OpCase& row : section()) rows.push_back(std::move(row));
  }
  return rows;
}

std::string_view op_of(std::string_view row) { return row.substr(0, row.find(' ')); }

}  // namespace gradus
