// fm inspect: what a model has learnt, by the names of its features.
#include "commands.h"
#include "output.h"

#include <gradus/models/training/inspection.h>
#include <gradus/models/training/training_set.h>

#include <fmt/format.h>

namespace fm {

using namespace gradus;

namespace {

void print_list(const char* title, const std::vector<NamedWeight>& list) {
  say("\n{}\n", title);
  for (const NamedWeight& each : list) say("  {:>+10.4f}  {}\n", each.weight, each.name);
}

}  // namespace

int inspect(const InspectCommand& command) {
  const TrainedModel model = load_model(command.model);
  Inspection found{&model, strongest_features(model, command.count), strongest_pairs(model, command.count), {}, {}};
  if (!command.feature.empty()) {
    found.feature = command.feature;
    found.nearest = nearest_features(model, command.feature, command.count);
  }
  if (command.common.json) {
    print_json(found);
    return 0;
  }
  say("{}: {}, {}, trained on {}, {}\n", command.model, to_string(model.options.kind), to_string(*model.options.task),
      format_name(model.format), describe_features(model.columns));
  if (model.columns.relations)
    for (const RelationBlock& block : model.columns.relations->blocks) say("  {}\n", describe(block));
  for (const auto& [name, value] : model.metrics) say("  {} {:.6g}\n", name, value);
  if (model.samples.count() > 0)
    say("weights and factors below are means of {} samples; predictions are the mean of the samples' predictions\n",
        model.samples.count());
  if (!found.nearest.empty()) {
    print_list(fmt::format("nearest to {} (cosine)", found.feature).c_str(), found.nearest);
    return 0;
  }
  print_list("strongest features (weight)", found.features);
  if (found.pairs.empty()) return 0;
  say("\nstrongest pairs (product of their factors)\n");
  for (const NamedPair& pair : found.pairs) say("  {:>+10.4f}  {} and {}\n", pair.weight, pair.first, pair.second);
  return 0;
}

}  // namespace fm
