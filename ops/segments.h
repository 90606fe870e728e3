// Sums, means and extremes by group, a chapter of the index of ops (ops.h). The shapes of a graph are known before its
// numbers: where TensorFlow finds out the number of groups from the greatest id, it is given here.
#pragma once

#include <gradus/core/graph/graph.h>
#include <gradus/ops/axes.h>

#include <cstdint>

namespace gradus {

/// Of each segment s, a fold of the slices data[i] with segment_ids[i] = s, in any order. Ids are int32 or int64; one
/// out of range throws ValueError in the run. A segment without any slice has 0.
/// [i, ..., q, ...], [i, ...] -> [num_segments, q, ...]
Expr segment_sum(const Operand& data, const Operand& segment_ids, std::int64_t num_segments);
Expr segment_mean(const Operand& data, const Operand& segment_ids, std::int64_t num_segments);
/// The gradient of an extreme is shared equally among equal ones. NaN wins.
Expr segment_max(const Operand& data, const Operand& segment_ids, std::int64_t num_segments);
Expr segment_min(const Operand& data, const Operand& segment_ids, std::int64_t num_segments);
/// The same, but slices of a negative id are left out, and extremes of nothing are the least and the greatest finite
/// number of the dtype.
Expr unsorted_segment_sum(const Operand& data, const Operand& segment_ids, std::int64_t num_segments);
Expr unsorted_segment_mean(const Operand& data, const Operand& segment_ids, std::int64_t num_segments);
Expr unsorted_segment_max(const Operand& data, const Operand& segment_ids, std::int64_t num_segments);
Expr unsorted_segment_min(const Operand& data, const Operand& segment_ids, std::int64_t num_segments);

struct BincountOptions {
  Expr weights = {};    // summed instead of ones, in their own dtype   [as values]
  DType dtype = int32;  // of counts
};
/// How often each of 0, ..., size - 1 occurs among int32 or int64 values (TensorFlow's minlength and maxlength are
/// `size`): greater ones are not counted, a negative one throws ValueError in the run.   [...] -> [size]
Expr bincount(const Operand& values, std::int64_t size, const BincountOptions& options = {});

struct ValueRange {
  Operand low, high;  // one number each
};
/// How many values fall into each of `nbins` equal parts of a range; those beyond it are counted at its ends, and NaN
/// in the first part.   [...] -> [nbins]; no gradient
Expr histogram_fixed_width(const Operand& values, const ValueRange& value_range, std::int64_t nbins = 100,
                           DType dtype = int32);

/// How the rows of one lookup become one row: their sum by weights w, divided by sum(w) or by sqrt(sum(w^2)).
enum class Combiner : std::uint8_t { sum, mean, sqrtn };
/// Of each row of a csr matrix, the rows of a table at its columns, combined; its values are the weights (1 where there
/// are none). A row without columns gives zeros.   [p, k], csr [n, p] -> [n, k]
Expr embedding_lookup_sparse(const Operand& params, const Operand& sp_ids, Combiner combiner = Combiner::mean);

/// Extremes of what a csr matrix stores, over axis 0, 1 or all; its other zeros do not count, and 0 is the extreme of
/// nothing. (reduce_sum and reduce_mean take csr as it is.) The gradient is shared equally among equal extremes.
Expr sparse_reduce_max(const Operand& x, const Axes& axes = {}, KeepDims keep = KeepDims::no);
Expr sparse_reduce_min(const Operand& x, const Axes& axes = {}, KeepDims keep = KeepDims::no);

}  // namespace gradus
