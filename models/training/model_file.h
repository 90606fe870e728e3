// A trained model in one safetensors file: its parameters as tensors, and in the metadata all that is needed to read
// other data alike and to tell what was learnt how. Whoever has Python reads it with the stock `safetensors` package.
//
//   metadata   gradus_model (the version of this format), task, format, options, metrics, target (its mean, deviation
//              and classes, too), features (how many columns x has), feature_table (JSON; where columns have names),
//              hash_bits, training (how many rows it was learnt from, and their noise), relations, checksum
//   tensors    the parameters (w0 [1], W [p], V [p, k], ...), field [p] where features have fields, indices [p]
//              (64 bits, as int64) of sparse text that was renumbered, column_scale [p]
//              where columns are to be divided by it, item_columns [p] of a ranking; relations/...
//              (data/detail/relations_file.h), whose features have parameters behind those of columns; of mcmc
//              samples/w0 [S, 1], samples/W [S, p], samples/V [S, p, k], whose predictions are averaged (w0, W and V
//              are their means then), and draws/w0, draws/W, draws/V, which say how sure predictions are (samples.h)
//
// Files of another version and damaged ones (the checksum says so) are refused. Writing is all or nothing.
#pragma once

#include <gradus/models/data/read.h>
#include <gradus/models/training/trainer.h>
#include <gradus/models/training/training_data.h>
#include <gradus/models/training/training_options.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace gradus {

struct TrainedModel {
  TrainingOptions options;  // its task is known
  Format format = Format::libsvm;
  Columns columns;
  std::string target;                     // its column, where columns have names
  TargetRange target_range{};             // seen in training
  TargetScale target_scale{};             // of regression: y_hat tells (target - mean) / deviation
  bool zero_one = false;                  // of binary tasks: whether the targets were 0 and 1, else -1 and 1
  std::vector<std::string> classes = {};  // of multiclass tasks, in the order of y_hat's columns
  bool one_two = false;                   // whether the targets of files are 1 and 2, which stand for 0 and 1
  Parameters parameters;
  Samples samples = {};                   // of mcmc: what is predicted is the mean of what their means tell
  std::int64_t rows = 0;                  // that it was learnt from; 0: not known
  double noise = 0;                       // of mcmc for regression: the variance of targets around y_hat, in its units
  Tensor scale;                           // [p]: what columns are divided by; [0]: nothing
  std::map<std::string, double> metrics;  // what training found, as "validation mse"
};

/// Throws IoError, ValueError where the options name no task.
void save_model(const std::string& path, const TrainedModel& model);
/// Throws IoError where the file cannot be read, is no model, is of another version, or is damaged.
TrainedModel load_model(const std::string& path);
/// The model without relations that tells the same of rows as read_options has them read: what a category has by way of
/// it is in its own parameters. Of mcmc its samples too. A model without relations is the same.
TrainedModel folded(TrainedModel model);
/// Whether the file is what save_model writes; files that cannot be read are not.
bool is_model(const std::string& path);

/// How a file is read for the model: as the data that it was trained on. Of a table the columns are found by their
/// names, so that its format may be another. Where the model does not go by fields, features of libffm may have
/// several.
ReadOptions read_options(const TrainedModel& model, ReadOptions given = {});

/// What an index of sparse text counts from: 1 in libsvm, 0 in libfm and libffm.
int first_index(Format format);
/// The name of a feature, as people know it: "user=17" of a table, "17" of sparse text, as its format counts.
std::string feature_name(const TrainedModel& model, std::int64_t feature);

}  // namespace gradus
