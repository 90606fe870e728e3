// Small data for tests of samplers, and models of every kind on them.
#pragma once

#include <gradus/models/data/rows.h>
#include <gradus/models/model.h>

#include <cmath>
#include <cstdint>
#include <random>
#include <vector>

namespace gradus {

enum class RowKind { pairs, mixed };

// Users and items; of mixed ones a number and, in two of three rows, a genre or two as well.
inline Rows data_of(RowKind kind, std::int64_t n, bool weighted = false) {
  constexpr std::int64_t users = 5, items = 6, genres = 3;
  std::mt19937 random(7);
  std::normal_distribution<float> normal;
  std::vector<std::int64_t> start{0}, column;
  std::vector<float> value, y, weight;
  for (std::int64_t i = 0; i < n; ++i) {
    const auto user = static_cast<std::int64_t>(random() % users), item = static_cast<std::int64_t>(random() % items);
    column.insert(column.end(), {user, users + item});
    value.insert(value.end(), {1, 1});
    if (kind == RowKind::mixed) {
      column.push_back(users + items);
      value.push_back(normal(random));
      for (std::int64_t g = 0; g < genres - 1; ++g)
        if (i % 3 > g) {
          column.push_back(users + items + 1 + g);
          value.push_back(0.5);
        }
    }
    start.push_back(std::ssize(column));
    y.push_back(std::sin(static_cast<float>(user)) * std::cos(static_cast<float>(item)) + 0.3F * normal(random));
    weight.push_back(0.5F + static_cast<float>(i % 3));
  }
  const std::int64_t p = users + items + (kind == RowKind::mixed ? 1 + genres : 0);  // of which one genre never occurs
  return {Tensor::csr(n, p, start, column, value), Tensor::from(y, {n, 1}),
          weighted ? Tensor::from(weight, {n, 1}) : Tensor()};
}

inline std::vector<Index> groups_of(RowKind kind) {
  std::vector<Index> out{0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1};
  if (kind == RowKind::mixed) out.insert(out.end(), {2, 3, 3, 3});
  return out;
}

inline Rows with_signs(Rows data) {
  std::vector<float> y;
  for (const double target : data.y) y.push_back(target > 0 ? 1.F : -1.F);
  data.y = Tensor::from(y, data.y.shape());
  return data;
}

inline ModelOptions small_model(ModelKind kind, RowKind rows, std::int64_t factors = 3) {
  ModelOptions out{.kind = kind, .factors = factors, .init_stddev = 0.3, .seed = 3};
  if (kind != ModelKind::field_aware) return out;
  out.field_of = groups_of(rows);
  if (rows == RowKind::mixed) out.field_of[12] = -1;  // a genre that is of no field
  return out;
}

}  // namespace gradus
