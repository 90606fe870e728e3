// Models that take in what they were not trained on: new categories of the columns of their table, such as new users
// and items. Columns keep their places and kinds; each new category stands among those of its column in the order of
// the dictionary, and the rows of all parameters go with their features.
//
//   const TrainedModel model = load_model("m.safetensors");
//   const LoadedRows rows = load_rows_for(model, growing(model, {.path = "new.csv"}));
//   TrainedModel more = grown(model, rows.columns);       // what is new begins as it would in a training: small
//
// A Trainer goes on from there (TrainingStart); or fold_in finds the new features' parameters alone.
#pragma once

#include <gradus/models/data/rows.h>
#include <gradus/models/training/model_file.h>
#include <gradus/models/training/training_data.h>

#include <cstdint>
#include <vector>

namespace gradus {

/// The file read as data for the model, with categories that it has not seen added to its columns: of tables whose
/// categories are listed. Others, and caches, are read with the model's columns as they are.
DataFile growing(const TrainedModel& model, DataFile file);

/// The model with these columns, which have all features of its own by the same names. Parameters of new features are
/// those that a training of the model would begin with; in samples they are 0. Of its relations, new categories have no
/// line, and no line has them.
TrainedModel grown(const TrainedModel& model, const Columns& columns);

/// Which of the columns' features the model does not have.   [p]
std::vector<bool> new_features(const TrainedModel& model, const Columns& columns);

/// What a fold-in came to.
struct FoldedIn {
  std::int64_t features = 0;     // that it found
  std::int64_t rows = 0;         // that hold them
  double before = 0, after = 0;  // the mean error of these rows: without them, and with them
};

/// Finds the parameters of the new features (of a grown model) from the rows that hold them, all others as they are:
/// the least of the loss that the model was trained by, with its penalties, over w and v of one feature after the other
/// until all are settled. That is exact by a Cholesky factor of (1 + k) x (1 + k) where the error is squared, and
/// Newton's method else. Of mcmc each sample takes them in as the sampler would, given all else of it: the mean of
/// their distribution, and a draw of it, w and v jointly (by Laplace's approximation of binary tasks), with the normal
/// prior that the sample's other features of the column tell. Other models than linear and fm, rankings and several
/// classes take them in down the gradients (detail/gradient_folding.h). x csr float32 [n, p], divided by the model's
/// scale; y as the task has it. Throws ValueError for samples of other models than linear and fm, and for a model with
/// relations, which `folded` (model_file.h) brings into the categories that are known.
FoldedIn fold_in(TrainedModel& model, const std::vector<bool>& is_new, const Rows& rows);

}  // namespace gradus
