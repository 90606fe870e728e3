// The loops of a sampler that make slopes of the rows that hold features, eight rows at a time, vectorised. H holds,
// for every parameter c of a feature and each of these rows n, the slope h_nc = d y_hat(x_n) / d t_c.
#pragma once

#include <gradus/core/tensor/sparse.h>

#include <array>
#include <cstdint>
#include <span>

namespace gradus {

/// The slopes of some factors of the feature i of each lane (lane_elements.h) in rows that hold it as x_n: of A_2 + ...
/// + A_{T + 1}, A_m(v, x) the sum of the products of m of the v_j x_j of a row (models/higher_order.h). A row of the
/// table has E_1, ..., E_T, where E_t is A_t of all features of the row; that of all but i follows from these, as
/// E'_0 = 1 and
///   E'_t = E_t - v_i x_n E'_{t - 1}          H_cn = scale_n (E'_1 + ... + E'_T)[c],   c < columns
/// T is 1 of a factorization machine of order 2; without x, E'_1 is E_1.
struct GatherSlopes {
  const float* table;
  std::int64_t stride;               // of the table's rows; without x it is 4
  const Index* index;                // [length, 8]
  const std::uint16_t* short_index;  // the same, where it is not null; without x and scale
  std::int64_t columns;              // in fours
  const float* scale;                // [length, 8]; null: 1
  const float* x;                    // [length, 8]; or null
  std::array<const float*, 8> own;   // [columns] of each lane, with x: v_i
  std::int64_t length;
  float* H;                  // [columns, length, 8]
  std::int64_t terms = 1;    // T
  std::int64_t of_term = 0;  // from E_t to E_{t + 1}
};
void gather_slopes(const GatherSlopes& task);

/// Eight rows of a table into columns of eight.   of[j]: [columns], in fours; t [columns, 8]
void turn(const std::array<const float*, 8>& of, std::int64_t columns, float* t);

/// E_t of the rows of one lane after v_i, which was `own`, has grown by delta:  E_t += x_n delta E'_{t - 1}, in fours
/// of columns.
struct AddToRows {
  float* table;
  std::int64_t stride;
  std::int64_t columns;
  const Index* index;  // of step r: index[8 r]
  const float* x;      // likewise
  const float* own;    // [columns, in fours]; null: 0, or not needed as T is 1
  const float* delta;  // [columns, in fours]
  std::int64_t rows;
  std::int64_t terms = 1;
};
void add_to_rows(const AddToRows& task);

/// The slopes of field-aware factors v_i,g of feature i of field f, for each field g (models/field_aware.h):
///   H_gn = scale_n sum of v_j,f x_nj over the other features j of field g in row n
struct FieldSlopes {
  const float* V;  // of feature j from stride j on: its vector for each field, k numbers each
  std::int64_t stride, fields, k;
  const std::int64_t* row_start;  // of X
  const Index* column;
  const float* value;
  const Index* field_of;              // [p]; -1: none
  std::array<Index, 8> feature;       // of each lane
  std::array<std::int64_t, 8> count;  // rows of it
  const Index* row;                   // [length, 8]
  const float* scale;                 // [length, 8]
  std::int64_t length;
  float* H;  // [fields k, in fours, length, 8]
};
void gather_field_slopes(const FieldSlopes& task);

/// sum a b, and sum a, in double from blocks of float32.
double dot(std::span<const float> a, std::span<const float> b);
double sum(std::span<const float> a);

}  // namespace gradus
