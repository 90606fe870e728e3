// Rows to learn from: of each a row of X and a target, and, where they do not all count alike, a weight. A cheap
// handle, as its tensors are. Batches (batches.h) are made of it:
//
//   Rows data{x, y};                                // [n, p], [n, 1]
//   const auto [train, validation] = data.split(0.1);  // a tenth of the rows to validate with
#pragma once

#include <gradus/core/tensor/buffer.h>
#include <gradus/core/tensor/sparse.h>
#include <gradus/core/tensor/tensor.h>

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace gradus {

/// Memory for some rows, to be used again when no tensor lies there any more.
struct RowMemory {
  CsrPattern pattern;
  Buffer x, y, weight;
};

struct Rows {
  Tensor x;            // csr or dense [n, p]
  Tensor y;            // [n, 1]
  Tensor weight = {};  // [n, 1], or [0] where all rows count alike

  /// Rows.
  std::int64_t size() const { return x.rank() == 2 ? x.dim(0) : 0; }
  bool weighted() const { return weight.size() > 0; }

  /// Throws ValueError, saying what differs, unless x is a csr or dense matrix with a row at least, y and weight have
  /// its rows, and their numbers are finite, those of weight not negative.
  void check() const;

  /// Rows first to first + count; shares their storage. Throws ValueError when there are not all of these rows.
  /// The csr pattern of x lies in `memory`, if any is given, which nobody else may then use.
  Rows range(std::int64_t first, std::int64_t count, const std::shared_ptr<RowMemory>& memory = nullptr) const;
  /// A copy of these rows in this order; a row may be named more than once. Throws ValueError for a row out of range.
  /// It lies in `memory`, if any is given, which nobody else may then use.
  Rows take(std::span<const Index> rows, const std::shared_ptr<RowMemory>& memory = nullptr) const;

  struct Split;
  /// Copies of two parts, drawn by `seed`: round(fraction * size()) rows to validate with, the others to train with,
  /// both in the order they have here. Throws ValueError when the fraction leaves one of them empty.
  Split split(double fraction, std::uint64_t seed = 0) const;
};

struct Rows::Split {
  Rows train;
  Rows validation;
};

/// All rows of several parts one after another; csr, of one dtype and number of columns, and all weighted or none
/// (TypeError otherwise).
Rows joined(std::span<const Rows> parts);

/// Some rows of `count`, each equally likely, and the others, both ascending: a function of what is given alone.
struct DrawnRows {
  std::vector<Index> drawn;
  std::vector<Index> others;
};
DrawnRows draw_rows(std::int64_t count, std::int64_t drawn, std::uint64_t seed, std::uint64_t stream);

/// How many of `rows` rows are set aside by a split. Throws ValueError where that leaves a part empty.
std::int64_t check_split(std::int64_t rows, double fraction);

}  // namespace gradus
