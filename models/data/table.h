// What the columns of a table mean to a model: the one that is the target, those that are numbers, and those that are
// categories, each of which becomes a column of x (one-hot). It is found out from training data or said by the user,
// and is kept with the model, so that data read later get the same columns.
//   features of a table, in the order of its columns: a numeric column has one, a categorical one has one for each of
//   its categories. With hash_bits, all categories of all columns share 2^hash_bits features behind the numeric ones.
#pragma once

#include <gradus/core/tensor/sparse.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace gradus {

/// How the cells of a file are written; kept with a model, whose other files are read alike.
struct CellForm {
  char decimal = '.';                  // or ','
  std::vector<std::string> missing{};  // what says "unknown" beside the usual words
  bool no_header = false;              // the first record is an example; columns are called 1, 2, 3, ...

  bool operator==(const CellForm&) const = default;
};

enum class ColumnKind : std::uint8_t { ignored, target, weight, numeric, categorical };

/// "ignored", "target", "weight", "numeric" or "categorical".
std::string_view to_string(ColumnKind kind);

struct TableColumn {
  std::string name;
  ColumnKind kind = ColumnKind::ignored;
  /// Each once, in the order of before(); empty where they are hashed. Of a target whose values name classes: these.
  std::vector<std::string> categories{};
  std::string separator{};  // between the categories of a cell, each of which is 1; "": it has one

  bool operator==(const TableColumn&) const = default;
};

/// The order of categories: whole numbers by value, then all else by its bytes.
bool before(std::string_view a, std::string_view b);

class FeatureTable {
 public:
  static constexpr int most_hash_bits = 30;

  /// Puts the categories in order. Throws ValueError where two columns have one name, a column two equal categories,
  /// there are two targets or weights, more features than 2^31 - 1, hash_bits is not 0 to 30, or categories are to be
  /// hashed and listed.
  explicit FeatureTable(std::vector<TableColumn> columns, int hash_bits = 0, CellForm form = {});

  FeatureTable(FeatureTable&&) = default;
  FeatureTable& operator=(FeatureTable&&) = default;
  FeatureTable(const FeatureTable&) = delete;  // it may be large: it is shared instead
  FeatureTable& operator=(const FeatureTable&) = delete;
  ~FeatureTable() = default;

  const std::vector<TableColumn>& columns() const { return columns_; }
  /// 0: categories are looked up in the lists.
  int hash_bits() const { return hash_bits_; }
  /// How the cells of its files are written.
  const CellForm& form() const { return form_; }
  /// Columns of x.
  std::int64_t features() const { return features_; }
  /// The number of a column by its name; -1 where there is none.
  std::int64_t find(std::string_view name) const;
  /// The number of the target's column or the weight's; -1 where there is none.
  std::int64_t find(ColumnKind kind) const;

  /// The feature of a numeric column.
  Index feature(std::size_t column) const { return first_[column]; }
  /// The feature of a category; -1 where it has none. Of a class of the target: its number, behind feature(column).
  Index feature(std::size_t column, std::string_view category) const;
  /// "user=17", "age", or "hashed 5". Throws ValueError unless 0 <= feature < features().
  std::string name(std::int64_t feature) const;
  /// The feature of such a name; -1 where there is none, and of those that are hashed.
  std::int64_t feature_named(std::string_view name) const;
  /// The field of each feature for models with fields: its column, counted among those that have features. Empty where
  /// categories are hashed: then a feature may be of several columns.   [features]
  std::vector<Index> fields() const;

  bool operator==(const FeatureTable& other) const {
    return columns_ == other.columns_ && hash_bits_ == other.hash_bits_ && form_ == other.form_;
  }

 private:
  std::vector<TableColumn> columns_;
  int hash_bits_;
  CellForm form_;
  std::int64_t features_ = 0;
  std::vector<Index> first_;  // feature of each column, where it has any
  Index first_hashed_ = 0;
  std::unordered_map<std::string_view, std::int64_t> by_name_;       // keys lie in columns_
  std::vector<std::unordered_map<std::string_view, Index>> lookup_;  // of each column; keys lie in columns_
};

/// The number that a category of a column is hashed to, the same on every machine: FNV-1a (64 bits) of the column's
/// name, a byte 0 and the category, mixed as MurmurHash3 ends (fmix64).
std::uint64_t category_hash(std::string_view column, std::string_view category);

/// A table as JSON text and back: {"version": 1, "hash_bits": 0, "columns": [{"name": ..., "kind": "categorical",
/// "categories": [...], "separator": "|"}, ...], "decimal": ",", "missing": [...], "no_header": true}, of which what is
/// as usual is left out. A text that is not UTF-8 is written as {"bytes": ...}, each byte as the character of that
/// number. Reading throws IoError, which begins with `name`, where the text is not such a table.
std::string to_json(const FeatureTable& table);
FeatureTable feature_table_from_json(std::string_view json, const std::string& name = "feature table");

}  // namespace gradus
