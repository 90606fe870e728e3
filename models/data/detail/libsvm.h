// Sparse text, a line for an example, in the forms of three programs:
//   libsvm   target index:value ...         indices from 1
//   libfm    target index:value ...         indices from 0
//   libffm   target field:index:value ...   indices and fields from 0; a feature has one field
// Blanks are spaces and tabs, any number of them; # begins a comment; lines that are empty or only comments hold no
// example. Indices may come in any order. A line may end with \r\n, and the last without. Where no pair of a line has a
// value, all values are 1: "1 3 13".
// Indices are the columns of x, unless they are much further apart than there are non-zeros, or beyond 2^31 - 2: then
// each that occurs gets a column of its own, in the order of their first occurrence, which Columns::ids tells. What is
// remembered grows with what occurs.
#pragma once

#include <gradus/models/data/read.h>

#include <cstdint>
#include <memory>
#include <vector>

namespace gradus {

enum class SparseText : std::uint8_t { libsvm, libfm, libffm };

struct SparseTextOptions {
  SparseText form = SparseText::libsvm;
  DType dtype = float32;  // or float64
  int threads = 1;        // 0: all cores; results are the same
  /// Columns of x. Indices beyond them are left out and counted as unseen. 0: as many as the largest index needs.
  std::int64_t columns = 0;
  /// An index that a line names twice.
  Duplicates duplicates = Duplicates::refuse;
  OtherField other_field = OtherField::refuse;
  /// Columns of indices that were renumbered, as Columns::ids had them. Excludes `columns`.
  std::shared_ptr<const SparseIds> ids{};
  int hash_bits = 0;  // hash indices to 2^hash_bits columns; 0: no hashing. Excludes both.
  /// false: targets may be absent, and are not kept: y is empty. A line whose first token is a pair has none.
  bool need_target = true;
};

/// The files one after another. Throws ValueError where an option is out of range.
std::unique_ptr<Reader> read_sparse_text(std::vector<Input> inputs, const SparseTextOptions& options);
std::unique_ptr<Reader> read_sparse_text(Input input, const SparseTextOptions& options);

}  // namespace gradus
