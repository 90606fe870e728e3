// What the options of a training leave open, found out from the size of the data.
#include <gradus/models/training/training_options.h>

#include <algorithm>
#include <cmath>

namespace gradus {

TrainingOptions settled(TrainingOptions o, const TrainingSize& size) {
  const double rows = std::max(size.rows, 1.0);
  if (visits_parameters(o)) {
    const bool mcmc = o.optimizer == Learner::mcmc;
    if (!o.epochs) o.epochs = mcmc ? 500 : 200;
    if (!o.init_stddev) o.init_stddev = 0.1;  // as libFM's
    if (mcmc) {
      o.clip_predictions = true;
      return o;
    }
    if (!o.patience) o.patience = 5;
  } else if (!o.batch) {
    o.batch = std::clamp<std::int64_t>(std::int64_t{1} << std::lround(std::log2(rows / 50 + 1)), 16, 1024);
  }
  const double steps = o.batch.value_or(0) == 0 ? 1 : std::ceil(rows / static_cast<double>(*o.batch));
  if (!o.epochs) o.epochs = std::max<std::int64_t>(std::llround(5000 / steps), 50);
  if (!o.patience) o.patience = std::clamp<std::int64_t>(std::llround(300 / steps), 3, 50);
  // The interactions of a row of m ones have the deviation m sqrt(k / 2) stddev^2.
  if (!o.init_stddev)
    o.init_stddev = std::min(
        0.05, std::sqrt(0.1 / (std::max(size.non_zeros / rows, 1.0) * std::sqrt(static_cast<double>(o.factors) / 2))));
  const double of_step = size.non_zeros / steps;
  const bool als = visits_parameters(o);
  const bool named = o.l2_w || o.l2_v || !o.l2.empty();
  if (!o.l2_over) {
    const bool each_row_pays = als ? size.ones : size.features > std::min(4 * of_step, 5e4);
    o.l2_over = named || each_row_pays ? L2Over::touched : L2Over::all;
  }
  // What is known of ratings: the penalty of a user or an item grows with its rows (ALS-WR, Zhou et al. 2008), but of
  // those with few it is more than in proportion.
  if (als && o.l2_over == L2Over::touched) {
    if (!named && !o.l2_rows) o.l2_rows = 30;
    if (!o.l2_w) o.l2_w = o.l2_rows.value_or(0) > 0 ? 0.05 : 0.1;
    if (!o.l2_v) o.l2_v = 0.12;
  }
  // A penalty that every row pays for its own features reaches a feature as often as it occurs.
  const double rows_of_feature = size.non_zeros / std::max(size.features, 1.0);
  const double count = o.l2_over == L2Over::all ? rows : std::max(rows_of_feature, 1.0);
  if (!o.l2_w) o.l2_w = (als ? 5 : 0.5) / count;  // weights that are found exactly fit closer
  if (!o.l2_v) o.l2_v = 10 / count;
  return o;
}

}  // namespace gradus
