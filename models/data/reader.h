// Rows of people's files from front to back. `Reader` is what each format has one of; read.h picks it.
#pragma once

#include <gradus/models/data/column_findings.h>
#include <gradus/models/data/columns.h>
#include <gradus/models/data/input.h>
#include <gradus/models/data/kept_column.h>
#include <gradus/models/data/rows.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace gradus {

/// Rows in the order of the file, and what is known of their columns. x is csr; zeros of sparse text are stored, those
/// of tables are not. y is [0] where the file has no target column and none is needed.
struct ReadRows : Rows {
  Columns columns;
  /// Of tables that were learnt from: what was found out of each of the file's columns, in their order; else null.
  std::shared_ptr<const std::vector<ColumnFinding>> findings;

  /// The columns that ReadOptions::keep names, in that order.
  std::vector<KeptColumn> kept;

  /// What the columns given have no room for and was left out: categories, indices. By column of the table, where there
  /// is one, else a single number.
  std::vector<std::int64_t> unseen;
  /// Empty cells of numeric columns, read as 0. By column of the table; empty where there is none.
  std::vector<std::int64_t> missing;
  /// libffm: non-zeros that name another field than their feature did first.
  std::int64_t other_fields = 0;
};

/// Adds the counts of a block to those of the blocks before it.
void add_counts(std::vector<std::int64_t>& sums, const std::vector<std::int64_t>& counts);

class Reader {
 public:
  Reader() = default;
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;
  virtual ~Reader() = default;

  /// The next rows: at most `count`, none at the end of the file. Throws IoError, naming file and line, for what is
  /// malformed, where the whole file has no row, and where memory does not suffice; the reader is of no use after that.
  ReadRows next(std::int64_t count);
  /// How far it is: "data.csv:17", the lines taken, or the file alone.
  virtual std::string place() const = 0;

 private:
  virtual ReadRows read(std::int64_t count) = 0;
};

}  // namespace gradus
