// New features taken in down the gradients, for the models and tasks of which fold_in (model_growth.h) knows no closed
// form: all parameters but those of the new features stay as they are, and these go by Adam, over all rows at once, to
// where the loss that the model was trained by is least. The rate falls to 0, so that rankings, whose pairs are drawn
// anew in each step, settle too.
#pragma once

#include <gradus/models/training/model_growth.h>

#include <vector>

namespace gradus {

/// Of a grown model without samples, whose new features begin as they would in a training. `holding` are those of
/// `rows` that have some of the `features`; a ranking draws its pairs from the items of all `rows`.
FoldedIn fold_in_by_gradients(TrainedModel& model, const std::vector<Index>& features, const Rows& rows,
                              const Rows& holding);

}  // namespace gradus
