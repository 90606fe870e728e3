// What a training begins with and what it ends in: files become rows to train and to validate with, targets fit the
// task, and a trainer's parameters become a model that can be written.
#pragma once

#include <gradus/models/training/model_file.h>
#include <gradus/models/training/trainer.h>
#include <gradus/models/training/training_data.h>

#include <optional>
#include <string>
#include <vector>

namespace gradus {

struct TrainingSet {
  LoadedRows about;         // without its rows and columns, which are now these:
  SharedBlocks train;       // in memory as one block; or, where the data are streamed, a part of each of their blocks
  SharedBlocks validation;  // null where there are no rows to validate with
  SplitKeys keys;           // of the rows of `train`, for options.split
  Columns columns;          // with relations: those of joined tables, and those that follow from the rows of `train`
  Tensor scale;             // what the columns of both were divided by   [p]; [0]: nothing
  bool zero_one = false;
  bool one_two = false;  // whether its targets were 1 and 2, and have become 0 and 1
  TargetRange range{};
  std::vector<std::string> classes = {};  // of multiclass tasks: their names, as y counts them
  // By what a row of each class counts, where classes are balanced: of -1 and 1, or of all. Else empty.
  std::vector<double> class_weights = {};
  std::optional<TrainedModel> from = {};  // the model that is trained on, with these columns
  std::vector<bool> is_new = {};          // which features of it are new   [p]

  std::vector<JoinedTable> joined = {};  // whose columns are among the relations

  std::int64_t validation_size() const { return validation ? validation->size() : 0; }
};

/// The columns of a ranking's items, by name: of a feature table or ratings.
using ItemColumns = std::vector<std::string>;

/// Reads the data and the file to validate with, if one is named; else holds out options.valid_fraction of the rows,
/// where that is one at least: as options.split says; of a cache that is streamed, of every block (split of
/// row_blocks.h). Caches of more than options.stream_above MiB are streamed: their blocks are read again for every use,
/// and memory is that of a few blocks. Finds out the task where the options leave it open (multiclass where targets are
/// words), and what else the options leave open (settled), and says so there; of at most 200,000 rows in memory, of
/// which it holds out some itself, the model is to learn again from all. Throws as load_rows does, and ValueError where
/// targets do not fit the task or are all the same number, it is not known which columns of a ranking are the item's
/// (`items`, else the column item), a table cannot be joined or an implicit column be made, or the options need all
/// rows at once of data that are streamed: a ranking, and a batch of 0.
/// With a model to go on `from` the rows are read as data for it, new categories added (growing); kind, task and sizes
/// are the model's, and so is the learner where the options name none and the model's visits parameters; als has its
/// penalties where none is named, and gradients none, since what the model has learnt is no reason to be small. Throws
/// ValueError where the options say otherwise; where als and mcmc, which learn from the rows alone, would forget
/// features that no row has; and for classes that are new. Of a model with columns by way of others, known categories
/// keep what they have by these, in parameters of their own (folded), and new ones have none; als and mcmc keep the
/// columns, where implicit ones are made of the rows, and new categories have no line of joined tables.
TrainingSet load_training_set(const DataFile& data, const DataFile& validation, TrainingOptions& options,
                              const ItemColumns& items = {}, const TrainedModel* from = nullptr);

/// Where a training of `set.from` begins on these rows: the parameters of the model (of its last sample, for mcmc), and
/// what fold_in finds for what is new, where it can, and there are no columns by way of others. Without such a model a
/// start of its own.
TrainingStart start_of(const TrainingSet& set, const TrainingOptions& options, const RowBlocks& rows);

/// "age by 48.2, price by 61.3": what columns are divided by; "" where none is.
std::string describe_scale(const Tensor& scale, const Columns& columns, Format format = Format::csv);

/// The rows of both parts.
SharedBlocks all_rows(const TrainingSet& set);

/// What is known of the model before it is trained.
TrainedModel untrained_model(const TrainingSet& set, const TrainingOptions& options);

/// The file as the model's training data were: the same columns (or with new categories, as growing says); targets as
/// the task takes them. Caches are streamed as in training.
LoadedRows load_rows_for(const TrainedModel& model, DataFile file);

/// "2623 features (943 user, 1680 item)"
std::string describe_features(const Columns& columns);
/// "implicit: 943 user x 1680 item, 90570 entries"; "joined: u.user: 82 features (61 age, 21 job) of 943 user".
std::string describe(const RelationBlock& block);

/// "2 item, 5 age" of the columns of which something is counted; "" where nothing is.
std::string describe_counts(const std::vector<std::int64_t>& counts, const FeatureTable* table);

}  // namespace gradus
