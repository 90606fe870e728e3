// What a Recommender (recommender.h) is shown, by the names of people's tables: candidates, which are the categories of
// one column of the model, such as items, with what a file says of each; and contexts, such as users, which have the
// model's other columns. Both are csr float32 with the columns of the model.
#pragma once

#include <gradus/models/data/kept_column.h>
#include <gradus/models/training/model_file.h>
#include <gradus/models/training/training_data.h>

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace gradus {

/// "genre=Comedy": a column and a cell of it.
using NamedCell = std::pair<std::string, std::string>;

/// The column of what is recommended: the one named; where none is, that of a ranking's items, the column item, or the
/// only categories whose name speaks of things and not of people. Throws ValueError where that is no column of
/// categories, and for a model whose columns have no names.
std::string item_column(const TrainedModel& model, const std::string& named = "");
/// The column of those to whom it is recommended: the one named, or the only categories whose name speaks of people;
/// "" where there is none. Throws ValueError where the one named is none of the model's.
std::string user_column(const TrainedModel& model, const std::string& named = "");

struct Candidates {
  std::string column;
  std::vector<std::string> features;  // the model's columns that are the candidates'; contexts have the others
  std::vector<std::string> names;     // in the order of the dictionary (before)   [m]
  Tensor x;                           // [m, p]
  std::int64_t unknown = 0;           // left out: the model knows nothing of them
};

/// All categories of the column that the model knows.
Candidates candidates_of(const TrainedModel& model, const std::string& column);
/// Those of a file, a row each, with all of the model's columns that the file has, but for the users'; of them only
/// rows with all these cells (in a cell of several values, between | or what the model's column has, one of them).
/// Throws ValueError and IoError as readers do, where a candidate occurs again with other cells, and where none is
/// left.
Candidates read_candidates(const TrainedModel& model, const DataFile& file, const std::string& column,
                           const std::string& users, const std::vector<NamedCell>& where = {});

struct Contexts {
  std::vector<std::string> columns;  // those that were given
  std::vector<KeptColumn> cells;     // of each of these, as they are written
  Tensor x;                          // [n, p]
  std::vector<std::int64_t> unseen;  // as in ReadRows
  std::vector<std::string> lacking;  // columns of the model that neither these nor the candidates have

  std::int64_t size() const { return x.dim(0); }
  /// The cells of a column; null where it was not given.
  const KeptColumn* find(const std::string& column) const;
};

/// One context of these cells, or, with a column of users, one for each of its categories and these cells. Throws
/// ValueError for columns that are not the model's, or are the candidates', and where categories are hashed, so that
/// they are not known; IoError for cells that are no numbers where these are expected.
Contexts contexts_of(const TrainedModel& model, const Candidates& candidates, const std::vector<NamedCell>& cells,
                     const std::string& users = "");
/// Those of a file, a row each, with all of the model's columns that the file has, but for the candidates'. Throws
/// ValueError where it has none.
Contexts read_contexts(const TrainedModel& model, const DataFile& file, const Candidates& candidates);

/// Candidates of users, from a file with both columns: of each context the candidates beside its user, ascending; and
/// the rows of each candidate, where they are asked for. Throws IoError where the file lacks a column, ValueError where
/// the contexts have none of users.
std::vector<std::vector<Index>> read_pairs(const TrainedModel& model, const DataFile& file,
                                           const Candidates& candidates, const Contexts& contexts,
                                           const std::string& users, std::vector<std::int64_t>* rows = nullptr);

/// What users took, in the order of their first rows in a file.
struct TakenItems {
  std::string name;                       // of the file
  Contexts users;                         // each as in its first row
  std::vector<std::vector<Index>> items;  // of each user: candidates, ascending
  std::vector<std::int64_t> others;       // of each user: how many more, which are no candidates
};
/// Of rows with targets from `liked` on, where it is given. Throws ValueError where the file has no targets then.
TakenItems read_taken(const TrainedModel& model, const DataFile& file, const Candidates& candidates,
                      const std::string& users, std::optional<double> liked = {});

}  // namespace gradus
