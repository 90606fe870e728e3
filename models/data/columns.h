// The columns of a design matrix X [n, p], as far as somebody knows what they mean: found out when rows are read, kept
// with a model, and given to whoever reads other files for it, so that these get the same columns:
//
//   const ReadRows train = read_rows("train.csv", {.target = "clicked"});
//   const ReadRows test = read_rows("test.csv", {.columns = train.columns});
#pragma once

#include <gradus/models/data/relations.h>
#include <gradus/models/data/sparse_ids.h>
#include <gradus/models/data/table.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace gradus {

struct Columns {
  std::int64_t count = 0;  // p; 0: not known

  // Where they come from: at most one of these three; of none, each is an index of sparse text.
  std::shared_ptr<const FeatureTable> table = {};  // of tables and ratings
  std::shared_ptr<const SparseIds> ids = {};       // of sparse text whose indices were renumbered
  int hash_bits = 0;                               // of sparse text whose indices were hashed, to 2^this columns

  /// The field of each, -1 where it has not occurred; null where fields are unknown.   [p]
  std::shared_ptr<const std::vector<Index>> field = {};

  /// What rows have by way of these columns; null: nothing.
  std::shared_ptr<const Relations> relations = {};

  // What a training takes them for.
  std::vector<bool> of_item = {};  // of rankings: whether it describes the item   [p]
  std::vector<double> l2 = {};     // penalty of each instead of the options'; -1: theirs. Empty: theirs everywhere  [p]
  std::int64_t classes = 0;        // columns of y_hat, of multiclass tasks; 0: as many as the greatest target tells

  /// What a model has parameters for: the columns, and behind them what rows have by way of them.
  std::int64_t features() const { return count + (relations ? relations->features() : 0); }
  /// The group of each feature: its field, and of relations the column of their tables. Empty where fields are unknown.
  /// [features]
  std::vector<Index> groups() const;
  /// The name of a feature, as people know it: "user=17" of a table, "hashed 5", else the index of sparse text, which
  /// counts from `first_index`.
  std::string name(std::int64_t column, int first_index = 0) const;
};

}  // namespace gradus
