// People's data in one call, whatever their format:
//   libsvm, libfm, libffm   sparse text
//   csv, tsv                tables whose first record names the columns
//   movielens               ratings: u.data, ratings.dat or ratings.csv, or the folder of one, as the table user, item,
//                           rating, timestamp
// Any of them may be packed by gzip, and "-" is standard input.
#pragma once

#include <gradus/models/data/reader.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace gradus {

enum class Format : std::uint8_t { guess, libsvm, libfm, libffm, movielens, csv, tsv };

/// "guess", "libsvm", "libfm", "libffm", "movielens", "csv" or "tsv".
std::string_view to_string(Format format);
/// Throws ValueError for a name that is none of these.
Format format_named(std::string_view name);

/// The format of a file by the end of its name (.libsvm, .svm, .libfm, .ffm, .csv, .tsv and the like, before .gz) or
/// else by its first lines. libsvm and libfm look alike: it is libfm where one of these lines has an index 0. So let a
/// model remember the format that it was trained on, rather than have each file's guessed. Throws ValueError where the
/// lines look like no format.
Format guess_format(std::string_view name, std::string_view first_lines);
/// The same for what comes next of an input, which is not taken. Throws IoError where that is nothing.
Format guess_format(Input& input);

/// What the cells of the target's column are. Classes are listed by the table, and y takes their numbers.
enum class TargetCells : std::uint8_t {
  numbers,
  classes,
  either,  // classes where none is a number and not all are true and false, yes and no; found out by learning
};

/// A feature of libffm that has another field than where it was first, on its own line or one before: refused, or taken
/// for one of its first field, where the values that a line has for it are added up.
enum class OtherField : std::uint8_t { refuse, keep_first };

struct ReadOptions {
  Format format = Format::guess;
  Format otherwise = Format::guess;  // of a guess: what it is where the file does not tell
  DType dtype = float32;             // or float64
  int threads = 1;                   // 0: all cores; results are the same
  /// The columns that x is to have, of rows read before or of a model: what has no place there is left out and counted
  /// as unseen. Those of a table are found by their names. Excludes what else is said of columns below.
  Columns columns = {};

  /// Columns of a table that are known, with categories to be added that they do not list. What it says of columns
  /// holds, and others are left out; the table that comes back is this one with more categories. Excludes `columns`,
  /// and what else is said of columns below.
  std::shared_ptr<const FeatureTable> extended = {};

  // Of sparse text.
  Duplicates duplicates = Duplicates::refuse;  // an index that a line names twice
  OtherField other_field = OtherField::refuse;

  // Of tables, whose first record names the columns. Of ratings the target is rating, user and item are categories.
  std::string target{}, weight{};                                         // weight "": none
  std::vector<std::string> categorical{}, numeric{}, ignored{}, multi{};  // multi: several categories in a cell
  std::string separator{};  // of multi: between the values of a cell; "": found out
  CellForm form{};
  char delimiter = '\0';    // of csv: , or else ; whichever the first line has
  int hash_bits = 0;        // hash categories, or indices of sparse text, to 2^hash_bits columns; 0: each has its own
  bool need_target = true;  // false: targets may be absent, and are not read: y is empty
  TargetCells targets = TargetCells::numbers;
  /// Columns to be told with the rows as they are written (ReadRows::kept), whatever else they are.
  std::vector<std::string> keep{};
  /// Of the columns of a given table those that are read, which are all that the file must have; of the others x has
  /// nothing. Not given: all.
  std::optional<std::vector<std::string>> only{};
};

/// A file to be read by blocks: reader->next(1000) until it gives none. Memory is constant where `columns` are given.
/// Throws IoError where it cannot be opened, ValueError for wrong options.
std::unique_ptr<Reader> open_rows(const std::string& path, const ReadOptions& options = {});
std::unique_ptr<Reader> open_rows(Input input, const ReadOptions& options = {});
/// Several files of one kind, one after another; of tables with the same columns, in any order.
std::unique_ptr<Reader> open_rows(std::vector<Input> inputs, const ReadOptions& options = {});

/// The format that the options name, or that is guessed for what comes next of an input: by its lines alone where
/// columns of a table are given, which any format with names of columns fits.
Format format_of(Input& input, const ReadOptions& options);

/// The columns that the next record of a table names, not taken; those of ratings; none for sparse text.
std::vector<std::string> column_names(Input& input, const ReadOptions& options);

/// A text as a cell of csv: in quotes where it needs them.
std::string csv_cell(std::string_view text);

/// All rows of a file.
ReadRows read_rows(const std::string& path, const ReadOptions& options = {});

}  // namespace gradus
