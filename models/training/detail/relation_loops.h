// The loops of a sampler over features that rows have by way of the line of a category (models/data/relations.h). For
// such a feature j, whose value in line l is b, the slopes of the rows n of the line are
//   h_n = b for w_j      h_nf = b (q_nf - v_jf b) for v_jf,   q = X V, to which the line has given
// so that sums over rows of h^2 and h e are of sums that are kept for each line, and no row is visited for a feature
// (Rendle, "Scaling Factorization Machines to Relational Data", VLDB 2013). Four factors of a feature at a time: the
// sums of their products say how each, as it moves, changes the sums of the others.
//
// Where rows have weights, e is that of a row times the square root g of its weight, and so are h.
#pragma once

#include <gradus/core/tensor/sparse.h>

#include <cstdint>

namespace gradus {

/// Of the rows of a line, and what has been added to them since they were visited last.
struct alignas(32) LineSums {
  float qq[16];       // sum g^2 q q^T of four factors
  float q[4], qe[4];  // sum g^2 q; sum g q e
  float count, e;     // sum g^2; sum g e
  // Since then e of each row has grown by g (e_by + <q_by, q>), and then q by q_by.
  float e_by, unused;
  float q_by[4];
};

/// The rows of some lines: what has been added to a line is added to them, and its sums are made anew.
struct LineRows {
  LineSums* lines;            // [lines]
  const std::int64_t* start;  // [lines + 1], into row and e_here
  const Index* row;           // which row of X
  const float* root_weight;   // [n] of X's rows; null: all are 1
  float* e;                   // [n] of X's rows
  float* e_here;              // [rows], line by line
  float* q;                   // [n, stride]
  std::int64_t stride;
};
/// Reads e of X's rows: count and e of the lines; nothing has been added to them.
void begin_lines(const LineRows& rows, std::int64_t first, std::int64_t last);
/// Adds e_by, and q_by to the factors `from` to from + 3 (-1: none); then sums of the factors `to` to to + 3.
void go_on_with_lines(const LineRows& rows, std::int64_t first, std::int64_t last, std::int64_t from, std::int64_t to);
/// Adds likewise, and writes e of X's rows.
void end_lines(const LineRows& rows, std::int64_t first, std::int64_t last, std::int64_t from);

/// Features by the lines that have them, and four parameters of each, or one, that take their new values (as
/// MoveParameters in sampler_loops.h says) one feature after the other.
struct MoveOfLines {
  LineSums* lines;
  std::int64_t features;
  const std::int64_t* start;  // [features + 1], into line and b
  const Index* line;
  const float* b;
  float alpha;
  float* t;                      // [features, 4 or 1]: moved
  const float *mu, *lambda, *z;  // likewise; z null: zeros
};
/// The weights w.
void move_weights_of_lines(const MoveOfLines& task);
/// Four factors; without rows and a prior one stays where it is.
void move_factors_of_lines(const MoveOfLines& task);

}  // namespace gradus
