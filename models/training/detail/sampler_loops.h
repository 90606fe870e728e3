// The loops of a sampler over the rows that hold one feature, vectorised. H holds, for every parameter c of the feature
// and each of these rows n, the slope h_nc = d y_hat(x_n) / d t_c, a row of H for each parameter; rows are padded with
// zeros to a multiple of slope_lanes.
#pragma once

#include <gradus/core/tensor/sparse.h>

#include <cstdint>
#include <span>
#include <vector>

namespace gradus {

inline constexpr std::int64_t slope_lanes = 16;
constexpr std::int64_t padded(std::int64_t rows) {
  const std::int64_t whole = (rows + slope_lanes - 1) / slope_lanes * slope_lanes;
  // Rows of H a power of two apart would share a few lines of the first cache.
  return whole % 256 == 0 && whole > 0 ? whole + slope_lanes : whole;
}

/// The slopes of the factors of feature i in rows that hold it as x_n: of A_2 + ... + A_{T + 1}, A_m(v, x) the sum of
/// the products of m of the v_j x_j of a row (models/higher_order.h). A row of the table has E_1, ..., E_T, one behind
/// the other, where E_t is A_t of all features of the row; that of all but i follows from these, as E'_0 = 1 and
///   E'_t = E_t - v_i x_n E'_{t - 1}          H_cn = scale_n (E'_1 + ... + E'_T)[c],   c < columns
/// T is 1 of a factorization machine of order 2, and without `own`, which then is 0, E'_1 is E_1. Columns are read, and
/// written to H, in fours.
struct GatherSlopes {
  const float* table;
  std::int64_t stride;  // of the table's rows
  std::int64_t columns;
  const Index* index;  // [rows]
  const float* scale;  // [rows]
  const float* x;      // [rows]; null without
  const float* own;    // [columns, in fours]: v_i; or null
  std::int64_t rows;
  float* H;                // [columns, in fours, padded(rows)]
  std::int64_t terms = 1;  // T
};
void gather_slopes(const GatherSlopes& task);

/// E_t of the rows after v_i, which was `own`, has grown by delta:  E_t += x_n delta E'_{t - 1}, in fours of columns.
struct AddToRows {
  float* table;
  std::int64_t stride;
  std::int64_t columns;
  const Index* index;  // [rows]
  const float* x;      // [rows]
  const float* own;    // [columns, in fours]; null: 0, or not needed as T is 1
  const float* delta;  // [columns, in fours]
  std::int64_t rows;
  std::int64_t terms = 1;
};
void add_to_rows(const AddToRows& task);

/// The slopes of field-aware factors v_i,g of feature i of field f, for each field g (models/field_aware.h):
///   H_gn = scale_n sum of v_j,f x_nj over the other features j of field g in row n         [fields k, padded(rows)]
struct FieldSlopes {
  const float* V;  // of feature j from stride j on: its vector for each field, k numbers each
  std::int64_t stride, fields, k;
  const std::int64_t* row_start;  // of X
  const Index* column;
  const float* value;
  const Index* field_of;  // [p]; -1: none
  Index feature;
  const Index* index;  // [rows]
  const float* scale;  // [rows]
  std::int64_t rows;
  float* H;
};
void gather_field_slopes(const FieldSlopes& task);

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
  float* e_here;                 // [padded(rows)], to work in
};
/// Of features of which no row holds two. Each waits for its own sums alone, so that several fill each other's time.
/// Four parameters move at a time: one pass over their slopes finds the sums of h e and of the products of slopes.
void move_parameters(std::span<const MoveParameters> features);

/// The same for a feature of many rows, whose slopes are not kept but made some rows at a time: from these
///   G_cd = sum h_c h_d      b_c = sum h_c e
/// which say how every parameter moves: by delta, b becomes b + delta G_c.
struct Gram {
  explicit Gram(std::int64_t parameters)
      : count(parameters),
        side((parameters + 3) / 4 * 4),
        G(static_cast<std::size_t>(side * side)),
        b(static_cast<std::size_t>(side)) {}
  std::int64_t count, side;
  std::vector<double> G;  // [side, side], of which the rows and columns up to `count` count, and G_cd for c >= d
  std::vector<double> b;  // [side]
};
inline constexpr std::int64_t gram_rows = 240;  // at a time, whose slopes stay in the first cache
/// Adds what at most gram_rows rows have to a Gram matrix. H [side, padded(rows)], the rows past `count` anything
/// finite.
void add_rows(Gram& gram, const float* H, const float* e, const Index* index, std::int64_t rows);
/// The moves that `task` asks for, of which it has all but rows.
void move_by_gram(const Gram& gram, const MoveParameters& task);
/// e += sum of delta_c H_c.
void add_moves(const float* H, const float* delta, std::int64_t count, float* e, const Index* index, std::int64_t rows);

/// sum a b, and sum a, in double from blocks of float32.
double dot(std::span<const float> a, std::span<const float> b);
double sum(std::span<const float> a);

}  // namespace gradus
