// What the columns of tables mean, learnt from all their rows: kinds (column_findings.h), then the different cells of
// those that are categories. The files are looked at, not taken.
#pragma once

#include <gradus/core/workers.h>
#include <gradus/models/data/detail/csv.h>
#include <gradus/models/data/detail/table_reader.h>

#include <memory>
#include <string>
#include <vector>

namespace gradus {

/// A table's file, whose header has been read.
struct TableFile {
  Input input;
  std::vector<std::string> names{};  // of its columns
  std::int64_t line = 0;             // lines taken
};

/// Names the columns of a file by its first record, which is taken, or as the options say. Throws IoError where the
/// record names none: it is missing, nothing but numbers, or has a name twice.
void read_header(TableFile& file, const TableOptions& options, const CellForm& form);

/// Throws Mistake unless the record has a cell for each name.
void check_width(const CsvRecords& records, const std::vector<std::string>& names);

/// The names in quotes, the first of them where they are many.
std::string names_in_quotes(const std::vector<std::string>& names);

/// Throws IoError, as fits a file without a row.
[[noreturn]] void no_examples(const TableFile& file, const TableOptions& options);

struct LearntTable {
  std::shared_ptr<const FeatureTable> table;
  std::shared_ptr<const std::vector<ColumnFinding>> findings;
};
/// Throws ValueError for options that do not fit, IoError for malformed files, or files without a row.
LearntTable learn_table(std::vector<TableFile>& files, const TableOptions& options, Workers& workers);

}  // namespace gradus
