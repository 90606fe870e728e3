// A column of a table that is no feature but told with the rows, as text: what splits and metrics by group go by.
#pragma once

#include <gradus/core/tensor/sparse.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace gradus {

class KeptColumn {
 public:
  /// Its cell of the next row.
  void add(std::string_view cell);
  /// The rows of another part of the column, behind these.
  void append(const KeptColumn& next);

  /// The different cells, in the order of their first occurrence.
  const std::vector<std::string>& values() const { return values_; }
  /// Which of them each row has.   [n]
  const std::vector<Index>& of_row() const { return of_row_; }

 private:
  Index number_of(std::string_view cell);

  std::vector<std::string> values_;
  std::vector<Index> of_row_;
  std::unordered_map<std::string, Index> numbers_;
};

}  // namespace gradus
