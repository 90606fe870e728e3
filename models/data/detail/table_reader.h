// Tables of people's data (CSV and the like): the first record names the columns, the others are examples. A column is
// the target, a weight, numbers, categories or ignored, as the options or a trained model's table say; what a column is
// that they do not name is found out (column_findings.h). What was chosen is in ReadRows::columns, why in
// ReadRows::findings. A cell that is empty or says "unknown" is a category like others, but in a numeric column, or one
// of several values a cell, it is nothing and counted as missing; a category that a given table does not know has no
// column and is counted as unseen. Targets may be words of two classes: true and yes are 1, false and no 0. Without a
// table the whole file is looked at before the first example is given (a stream is then held in memory).
#pragma once

#include <gradus/models/data/detail/csv.h>
#include <gradus/models/data/read.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace gradus {

struct TableOptions {
  Dialect dialect{};
  /// The columns, where the file does not name them.
  std::vector<std::string> header{};
  /// Leaves out the first record: it names the columns in other words than `header`.
  bool skip_first = false;

  std::string target{};
  std::string weight{};  // "": none
  std::vector<std::string> categorical{}, numeric{}, ignored{};
  std::vector<std::string> multi{};  // categorical, several values in a cell: Action|Drama; each is 1
  std::string separator{};           // of these: one character; "": found out
  CellForm form{};
  bool whole_categories = false;  // refuse categories that are not whole numbers
  TargetCells targets = TargetCells::numbers;
  int hash_bits = 0;  // hash categories to 2^hash_bits columns; 0: a dictionary

  /// Of a trained model; its columns are found by their names, others are ignored. Excludes the options of columns.
  std::shared_ptr<const FeatureTable> table{};
  /// Of a trained model, to be learnt from: its columns, and categories that they do not list.
  std::shared_ptr<const FeatureTable> extended{};
  std::vector<std::string> keep{};                 // columns for ReadRows::kept
  std::optional<std::vector<std::string>> only{};  // of the table's columns those that are read; not given: all
  bool need_target = true;  // false: the target column may be absent, and is not read: y is empty
  DType dtype = float32;    // or float64
  int threads = 1;          // 0: all cores; results are the same
};

/// The files one after another, which have the same columns, in any order. next() throws ValueError for options that do
/// not fit the files, IoError for what is wrong with them.
std::unique_ptr<Reader> read_table(std::vector<Input> inputs, TableOptions options);
std::unique_ptr<Reader> read_table(Input input, TableOptions options);

}  // namespace gradus
