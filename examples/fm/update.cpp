// fm update: new users, items and other categories taken into a model, all else of which stays as it is.
#include "commands.h"
#include "files.h"
#include "output.h"

#include <gradus/core/error.h>
#include <gradus/models/data/column_scale.h>
#include <gradus/models/training/model_growth.h>

namespace fm {

using namespace gradus;

int update(const UpdateCommand& command) {
  const std::string& out = command.in_place ? command.model : command.out;
  check_files({{"the data", command.data.file.path}, {"the model", command.in_place ? "" : command.model}},
              {{"--output", out, FileKind::model}}, command.overwrite);
  const TrainedModel given = load_model(command.model), model = folded(given);
  DataFile file = growing(model, data_file(command.data));
  file.read.threads = command.common.threads;
  const LoadedRows loaded = load_rows_for(model, file);
  refuse_streamed(loaded, "fm update");
  const std::vector<bool> is_new = new_features(model, loaded.columns);
  TrainedModel more = grown(model, loaded.columns);
  Rows rows = loaded.rows->block(0);
  if (more.scale.size() > 0) rows.x = divide_columns(rows.x, more.scale);
  const FoldedIn found = fold_in(more, is_new, rows);
  if (found.features == 0)
    fail<ValueError>("{}: has no category that {} does not know, so there is nothing to take in{}", loaded.name,
                     command.model, model.columns.table ? "" : "; columns without names have none");
  save_model(out, more);
  std::vector<std::int64_t> counts;
  if (const FeatureTable* const table = more.columns.table.get()) {
    for (std::size_t i = 0; i < table->columns().size(); ++i)
      counts.push_back(std::ssize(table->columns()[i].categories) -
                       std::ssize(model.columns.table->columns()[i].categories));
  }
  if (command.common.json) {
    print_update_json(found, counts, more.columns.table.get(), *model.options.task, out);
    return 0;
  }
  say("{}: new are {}, in {} of {} examples\n", loaded.name, describe_counts(counts, more.columns.table.get()),
      found.rows, rows.size());
  say("{} of these: {} without what is new, {} with it\n", main_metric(*model.options.task), shown_metric(found.before),
      shown_metric(found.after));
  if (given.columns.relations)
    say("columns by --implicit and --join: what is known keeps what it has by them, what is new has none\n");
  say("model: {}\n", out);
  return 0;
}

}  // namespace fm
