// Sparse text, a line for an example, in the forms of three programs:
//   libsvm   target index:value ...         indices from 1
//   libfm    target index:value ...         indices from 0
//   libffm   target field:index:value ...   indices and fields from 0; a feature has one field
// Blanks are spaces and tabs, any number of them; # begins a comment; lines that are empty or only comments hold no
// example. Indices may come in any order. A line may end with \r\n, and the last without.
#pragma once

#include <gradus/models/data/examples.h>

#include <cstdint>
#include <memory>

namespace gradus {

enum class SparseText : std::uint8_t { libsvm, libfm, libffm };

/// Where a feature of libffm names another field than on the line where it was first.
enum class OtherField : std::uint8_t { refuse, keep_first };

struct SparseTextOptions {
  SparseText form = SparseText::libsvm;
  DType dtype = float32;  // or float64
  int threads = 1;        // 0: all cores; results are the same
  /// Columns of x. Indices beyond them are left out and counted as unseen. 0: as many as the largest index needs.
  std::int64_t columns = 0;
  /// An index that a line names twice.
  Duplicates duplicates = Duplicates::refuse;
  OtherField other_field = OtherField::refuse;
};

/// Throws ValueError where an option is out of range.
std::unique_ptr<ExampleSource> sparse_text_source(Input input, const SparseTextOptions& options);

}  // namespace gradus
