// Rows that tests of trainings learn from.
#pragma once

#include <gradus/models/data/rows.h>

#include <cmath>
#include <cstdint>
#include <vector>

namespace gradus {

// A table of users and items with targets that a factorization machine can learn.
inline Rows ratings(std::int64_t rows, std::int64_t users = 20, std::int64_t items = 30) {
  std::vector<std::int64_t> row_start{0}, column;
  std::vector<float> y;
  for (std::int64_t i = 0; i < rows; ++i) {
    const std::int64_t user = (i * 7) % users, item = (i * i + 3 * i) % items;
    column.push_back(user);
    column.push_back(users + item);
    row_start.push_back(std::ssize(column));
    y.push_back(static_cast<float>(3 + std::sin(user) + std::cos(item) + std::sin(user + 1) * std::cos(item + 2)));
  }
  const std::vector<float> ones(column.size(), 1);
  return {Tensor::csr(rows, users + items, row_start, column, ones), Tensor::from(y, {rows, 1})};
}

}  // namespace gradus
