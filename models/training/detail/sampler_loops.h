// The loops of a sampler over the rows that hold one feature, vectorised. H holds, for every parameter c of the feature
// and each of these rows n, the slope h_nc = d y_hat(x_n) / d t_c, a row of H for each parameter; rows are padded with
// zeros to a multiple of slope_lanes.
#pragma once

#include <gradus/core/tensor/sparse.h>

#include <cstdint>
#include <span>

namespace gradus {

inline constexpr std::int64_t slope_lanes = 16;
constexpr std::int64_t padded(std::int64_t rows) { return (rows + slope_lanes - 1) / slope_lanes * slope_lanes; }

/// Rows of a table, read at `index` and turned: H_cn = scale_n (table[index_n][c] - x_n minus[c]), c < columns; without
/// `minus` scale_n table[index_n][c]. Columns are read, and written to H, in fours.
struct GatherSlopes {
  const float* table;
  std::int64_t stride;  // of the table's rows
  std::int64_t columns;
  const Index* index;  // [rows]
  const float* scale;  // [rows]
  const float* x;      // [rows]; null without
  const float* minus;  // [columns, in fours]; or null
  std::int64_t rows;
  float* H;  // [columns, in fours, padded(rows)]
};
void gather_slopes(const GatherSlopes& task);

/// table[index_n][c] += x_n delta[c], c < columns, in fours.
struct AddToRows {
  float* table;
  std::int64_t stride;
  std::int64_t columns;
  const Index* index;  // [rows]
  const float* x;      // [rows]
  const float* delta;  // [columns, in fours]
  std::int64_t rows;
};
void add_to_rows(const AddToRows& task);

/// One parameter after the other takes its new value t + delta (Rendle, "Factorization Machines with libFM", ACM TIST
/// 2012, section 4.3): with h = H_c, noise of precision alpha and the prior N(mu, 1/lambda),
///   s2 = 1 / (alpha sum h^2 + lambda)
///   delta = -s2 (alpha sum h e + lambda (t - mu)) + sqrt(s2) z        and then        e += delta h
/// which is the mean of the conditional distribution, less t, and a draw around it for a standard normal z.
struct MoveParameters {
  const float* H;      // [count, padded(rows)]
  std::int64_t count;  // of all features alike
  const Index* index;  // [rows]: where e holds them
  std::int64_t rows;
  float* e;  // of all rows of X: y_hat - y
  float alpha;
  const float *t, *mu, *lambda;  // [count]
  const float* z;                // [count]; null: zeros
  float* delta;                  // [count], written
  float *s2, *e_here;            // [count] and [padded(rows)], to work in
};
/// Of features of which no row holds two. Each waits for its own sums alone, so that several fill each other's time.
void move_parameters(std::span<const MoveParameters> features);

/// sum a b, in double from blocks of float32.
double dot(std::span<const float> a, std::span<const float> b);

}  // namespace gradus
