// People's files as data sets: read block by block into memory that grows as they do, so that little more is used than
// the data take, or left where they are in a cache that is too large for that; targets and weights checked; and what a
// model must remember in order to read other files alike.
#pragma once

#include <gradus/models/data/joined_table.h>
#include <gradus/models/data/read.h>
#include <gradus/models/data/row_blocks.h>
#include <gradus/models/model.h>
#include <gradus/models/task.h>
#include <gradus/models/training/row_split.h>
#include <gradus/models/training/training_options.h>

#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace gradus {

struct DataFile {
  std::string path;                    // "-": standard input
  std::vector<std::string> more = {};  // files of the same kind and columns, whose rows come behind
  ReadOptions read = {};
  std::string weights = {};  // a file of as many numbers, one a line; "": none
  RowSplit split = {};       // the columns that it goes by are looked for, and told as keys
  /// Whether there may be no target: then each row's is 1, as of a ranking's rows that say who took what.
  bool may_lack_target = false;
  std::vector<JoinedFile> joined = {};  // of data to train on: tables with more columns of their categories
};

/// The rows of a file, and what is known of them.
struct LoadedRows {
  std::string name;  // of the file, for messages
  Format format = Format::guess;
  /// In memory as one block; or, of a cache that is streamed, its blocks, which are read when they are asked for.
  SharedBlocks rows;
  std::string target;  // its column, where columns have names
  Columns columns;
  std::shared_ptr<const std::vector<ColumnFinding>> findings;  // of its columns, where they were found out
  std::vector<std::int64_t> unseen, missing;                   // as in ReadRows
  std::vector<std::string> classes = {};                       // that the target's cells name, as y counts them
  std::int64_t streamed_mib = 0;                               // of a cache that is not read whole: its size; else 0
  std::vector<KeptColumn> kept = {};                           // as in ReadRows
  SplitKeys keys = {};                                         // of the rows, for DataFile::split
  std::string user_column = {}, time_column = {};              // that these are of; "": none
};

/// Reads a file, unless it is a cache of more than `stream_above` MiB (of 2^20 bytes, begun ones counted), which is
/// streamed. Of a table whose target is not named it is the column called target, label, y, rating, class, click,
/// clicked, stars or score, else the last whose name speaks neither of things nor of time; where there is none that is
/// a ValueError, unless the target may be lacking. Throws IoError and ValueError as the readers do, and for weights
/// that do not fit, and a file without targets.
LoadedRows load_rows(const DataFile& file, std::int64_t stream_above = INT64_MAX);

/// Opens a file as load_rows does, to be read from front to back; says which format and target it has.
struct OpenedFile {
  std::string name;
  Format format;
  std::string target;
  std::string user_column, time_column;  // for DataFile::split, kept behind ReadOptions::keep
  std::unique_ptr<Reader> reader;
};
OpenedFile open_file(const DataFile& file);

/// Throws ValueError, which says what would help, where the data are streamed, though `what` needs all rows at once.
void refuse_streamed(const LoadedRows& about, std::string_view what);

struct TargetRange {
  double least, greatest;
};

/// The most classes of a multiclass task.
inline constexpr std::int64_t most_classes = 1000;

/// What is to be known of all rows before any is learnt from.
struct DataSummary {
  std::int64_t columns = 0, non_zeros = 0;
  bool weighted = false;
  bool ones = true;                       // whether all non-zeros are 1
  double weight_sum = 0, target_sum = 0;  // of the weights, 1 for each row where there are none; of weight * target
  double square_sum = 0;                  // of weight * (target - the first target)^2
  double first = 0;                       // target
  std::vector<double> class_sums = {};    // of the weights of the rows of target 0, 1, ..., if they are classes
  std::int64_t rows = 0;
  double least = std::numeric_limits<double>::infinity(), greatest = -least;     // target
  bool has_minus = false, has_zero = false, has_one = false, has_other = false;  // among the targets: -1, 0, 1
  bool only_one_two = true;  // whether there are no other targets than 1 and 2

  void add(const Rows& rows);
  TargetRange range() const { return {least, greatest}; }
  /// Of the targets, weighted; 0 and 1 where no row counts. The deviation of equal targets is 0.
  TargetScale target_scale() const;
  TrainingSize size(const Relations* relations = nullptr) const;
  /// Whether the targets are two classes: 0 and 1, or -1 and 1, and both occur.
  bool are_classes() const { return !has_other && has_one && has_minus != has_zero; }
  /// Whether they are 1 and 2, as some programs number classes, and both occur.
  bool are_one_two() const { return only_one_two && least == 1 && greatest == 2; }
};
/// Reads every block once.
DataSummary summary_of(const RowBlocks& rows);

/// How the classes of a binary task are written. Throws ValueError, which begins with `name`, as binary_targets does;
/// only then it reads the rows.
BinaryForm form_of_classes(const DataSummary& summary, const RowBlocks& rows, const std::string& name);

}  // namespace gradus
