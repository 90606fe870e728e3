// The page of --walkthrough: a training small enough that each of its numbers can be looked at.
#include "records.h"
#include "say.h"

#include <gradus/core/run/session.h>
#include <gradus/models/data/rows.h>
#include <gradus/models/formats/walkthrough.h>
#include <gradus/models/training/training_step.h>

#include <algorithm>

namespace fm {

using namespace gradus;

namespace {

constexpr std::int64_t most_rows = 8, most_factors = 8, steps = 200;

// A column for each feature that the rows hold, in their order.
struct Small {
  Tensor x;
  std::vector<Index> feature;  // of each column
};

Small without_other_features(const Tensor& x) {
  const CsrPattern& pattern = *x.pattern();
  Small small;
  small.feature = pattern.active().columns->row;
  std::vector<Index> column;
  for (const Index each : pattern.column)
    column.push_back(
        static_cast<Index>(std::lower_bound(small.feature.begin(), small.feature.end(), each) - small.feature.begin()));
  const auto narrow = std::make_shared<CsrPattern>();
  narrow->rows = pattern.rows;
  narrow->columns = static_cast<std::int64_t>(small.feature.size());
  narrow->row_start = pattern.row_start;
  narrow->set_column(std::move(column));
  small.x = Tensor::csr(narrow, x.values());
  return small;
}

// What is known of those features.
Columns columns_of(const Columns& all, const std::vector<Index>& features) {
  Columns columns;
  columns.classes = all.classes;
  std::vector<Index> field;
  for (const Index feature : features) {
    if (all.field) field.push_back((*all.field)[static_cast<std::size_t>(feature)]);
    if (!all.l2.empty()) columns.l2.push_back(all.l2[static_cast<std::size_t>(feature)]);
  }
  if (all.field) columns.field = std::make_shared<const std::vector<Index>>(std::move(field));
  return columns;
}

}  // namespace

void write_walkthrough(const std::string& path, const TrainingSet& set, TrainingOptions options, bool text) {
  const Rows block = set.train->block(0);
  const Rows rows = block.range(0, std::min(block.size(), most_rows));
  const Small small = without_other_features(rows.x.to_csr());
  DataSummary summary;
  summary.add(rows);
  options.factors = std::min(options.factors, most_factors);
  for (std::int64_t& width : options.hidden) width = std::min(width, most_factors);
  const bool numbers = *options.task == Task::regression;
  const ModelOptions small_options =
      model_options(options, columns_of(set.columns, small.feature), numbers ? summary.target_scale() : TargetScale{});
  Graph graph;
  const auto features = static_cast<std::int64_t>(small.feature.size());
  const Model model = make_model(graph, features, small_options);
  const TrainingStep step = training_step(model.loss, model.parameters, options, steps);
  Session session(graph);
  const WalkthroughOptions watched = {
      .loss = model.loss,
      .train = step.run,
      .steps = steps,
      .title = fmt::format("{}: the first {} rows, {} features", set.about.name.substr(set.about.name.rfind('/') + 1),
                           rows.size(), features)};
  gradus::write_page(record_walkthrough(session, watched, {{model.X, small.x}, {model.y, rows.y}}), path);
  if (text)
    say("walkthrough: {}: {} rows and the {} features that they hold, trained by themselves for {} steps\n", path,
        rows.size(), features, steps);
}

}  // namespace fm
