// Tables of people's data (CSV and the like): the first record names the columns, the others are examples. A column is
// the target, a weight, numbers, categories or ignored, as the options or a trained model's table say; a column that
// they do not name is numeric where all its cells that are not empty are numbers, else categorical. What was chosen is
// in Examples::table. An empty cell is a category like others, but in a numeric column it is 0 and counted as missing;
// a category that a given table does not know has no column and is counted as unseen.
// Without a table the whole file is looked at before the first example is given (a stream is then held in memory).
#pragma once

#include <gradus/models/data/csv.h>
#include <gradus/models/data/examples.h>

#include <memory>
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
  bool whole_categories = false;  // refuse categories that are not whole numbers
  bool classes = false;           // the target's cells name classes, whose numbers y takes
  int hash_bits = 0;              // hash categories to 2^hash_bits columns; 0: a dictionary

  /// Of a trained model; its columns are found by their names, others are ignored. Excludes the options of columns.
  std::shared_ptr<const FeatureTable> table{};
  bool need_target = true;  // false: y is empty where there is no target column
  DType dtype = float32;    // or float64
  int threads = 1;          // 0: all cores; results are the same
};

/// next() throws ValueError for options that do not fit the file, IoError for what is wrong with it.
std::unique_ptr<ExampleSource> table_source(Input input, TableOptions options);

}  // namespace gradus
