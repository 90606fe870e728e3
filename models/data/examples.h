// Examples as the readers of this room give them: rows of a sparse design matrix with their targets, and what the
// file's format knows of the columns. `ExampleSource` is what each format's reader is; read.h picks one.
#pragma once

#include <gradus/core/tensor/tensor.h>
#include <gradus/models/data/column_findings.h>
#include <gradus/models/data/input.h>
#include <gradus/models/data/table.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace gradus {

/// Rows come in the order of the file, one for each example.
struct Examples {
  Tensor x;       // csr [n, p]; zeros of sparse text are stored, those of tables are not
  Tensor y;       // [n, 1]; [0] where the file has no target column and none is needed
  Tensor weight;  // [n, 1]; [0] where the format has none

  std::shared_ptr<const FeatureTable> table;  // of tables and ratings: what each column of x means; else null
  /// Of tables that were learnt from: what was found out of each of the file's columns, in their order; else null.
  std::shared_ptr<const std::vector<ColumnFinding>> findings;
  /// Of sparse text whose indices were renumbered: the index of each column; else null.
  std::shared_ptr<const class SparseIds> ids;
  int hash_bits = 0;  // of sparse text whose indices were hashed, to 2^this columns
  /// The field of each column, -1 where it has not occurred; null where fields are unknown.   [p]
  std::shared_ptr<const std::vector<Index>> field;

  /// What the columns given have no room for and was left out: categories, indices. By column of the table, where there
  /// is one, else a single number.
  std::vector<std::int64_t> unseen;
  /// Empty cells of numeric columns, read as 0. By column of the table; empty where there is none.
  std::vector<std::int64_t> missing;
  /// libffm: non-zeros that name another field than their feature did first.
  std::int64_t other_fields = 0;

  std::int64_t count() const { return x.rank() == 2 ? x.dim(0) : 0; }
};

/// Reads a file from front to back.
class ExampleSource {
 public:
  ExampleSource() = default;
  ExampleSource(const ExampleSource&) = delete;
  ExampleSource& operator=(const ExampleSource&) = delete;
  virtual ~ExampleSource() = default;

  /// The next examples: at most `count`, none at the end of the file. Throws IoError, naming file and line, for what is
  /// malformed, where the whole file has no example, and where memory does not suffice; the source is of no use after
  /// that.
  Examples next(std::int64_t count);
  /// How far it is: "data.csv:17", the lines taken, or the file alone.
  virtual std::string place() const = 0;

 private:
  virtual Examples read(std::int64_t count) = 0;
};

}  // namespace gradus
