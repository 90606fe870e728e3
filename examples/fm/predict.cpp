// fm evaluate and fm predict: a model on a file, block by block.
#include "commands.h"
#include "files.h"
#include "output.h"

#include <gradus/core/error.h>
#include <gradus/core/listed.h>
#include <gradus/models/training/predictor.h>
#include <gradus/models/training/training_set.h>

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <iterator>

namespace fm {

using namespace gradus;

namespace {

constexpr std::int64_t block_rows = 8192;

struct Predicted {
  std::int64_t examples = 0;
  std::vector<std::int64_t> unseen, missing;
};

// A line for each row: a number, the likeliest of some classes, or the probabilities of all.   [rows, 1], [rows, c]
void add_lines(std::string& text, const Tensor& predictions, const std::vector<std::string>& classes,
               bool probabilities) {
  const auto values = predictions.span<float>();
  const auto columns = static_cast<std::size_t>(predictions.dim(1));
  for (std::size_t first = 0; first < values.size(); first += columns) {
    const auto row = values.subspan(first, columns);
    if (columns == 1 || probabilities)
      text += listed(row, ",");
    else
      text += classes[static_cast<std::size_t>(std::max_element(row.begin(), row.end()) - row.begin())];
    text += '\n';
  }
}

// A line "prediction,deviation" for each row.
void add_lines(std::string& text, const Tensor& predictions, const Tensor& deviations) {
  for (std::size_t n = 0; n < predictions.span<float>().size(); ++n)
    text += fmt::format("{},{}\n", predictions.span<float>()[n], deviations.span<float>()[n]);
}

// Predicts all rows of a reader; gives what is told of them to `write` as text, a line each.
Predicted predict_all(Reader& reader, Predictor& predict, const std::vector<std::string>& classes,
                      const PredictCommand& command, const Write& write) {
  Predicted out;
  std::string text;
  if (command.probabilities) text += listed(classes, ",") + "\n";
  for (;;) {
    const ReadRows block = reader.next(block_rows);
    if (block.size() == 0) return out;
    if (command.deviations)
      add_lines(text, predict(block.x), predict.deviations(block.x));
    else
      add_lines(text, predict(block.x), classes, command.probabilities);
    write(text);
    text.clear();
    out.examples += block.size();
    add_counts(out.unseen, block.unseen);
    add_counts(out.missing, block.missing);
  }
}

}  // namespace

int evaluate(const EvaluateCommand& command) {
  if (command.top > 0) return evaluate_top(command);
  const TrainedModel model = load_model(command.model);
  Predictor predict(model, command.model, trainer_options(command.common));
  const FileEvaluation found = evaluate_file(model, predict, data_file(command.data), command.by);
  if (command.common.json) {
    print_json(found, command.by, model.columns.table.get());
    return 0;
  }
  say("{}: {} examples\n", found.name, found.evaluation.examples);
  print_counts(found.unseen, found.missing, model.columns.table.get());
  say("{}\n", to_string(found.evaluation));
  if (!command.by.empty()) print_groups(command.by, found.groups);
  return 0;
}

int predict(const PredictCommand& command) {
  check_files({{"the model", command.model}, {"the data", command.data.file.path}},
              {{"--out", command.out, FileKind::predictions}}, command.overwrite);
  const TrainedModel model = load_model(command.model);
  Predictor predictor(model, command.model, trainer_options(command.common));
  if (command.probabilities && model.classes.empty())
    fail<ValueError>("{}: --probabilities is for models of several classes; this one is of {}", command.model,
                     to_string(*model.options.task));
  if (command.deviations && model.samples.count() == 0)
    fail<ValueError>("{}: --std tells how far samples differ, but the model has none: it was learnt by {}, not by mcmc",
                     command.model, to_string(model.options.optimizer));
  DataFile file = data_file(command.data);
  file.read = read_options(model, file.read);
  file.read.need_target = false;
  file.read.threads = command.common.threads;
  const OpenedFile opened = open_file(file);

  Predicted found;
  write_output(command.out, [&](const Write& write) {
    found = predict_all(*opened.reader, predictor, model.classes, command, write);
  });
  // Standard output is the predictions', if they go there.
  std::FILE* const about = command.out == "-" ? stderr : stdout;
  if (command.common.json) {
    print_json(about, found.examples, found.unseen, found.missing, model.columns.table.get());
  } else if (command.out != "-") {
    say("{}: {} predictions\n", command.out, found.examples);
  }
  if (!command.common.json) print_counts(found.unseen, found.missing, model.columns.table.get(), about);
  return 0;
}

}  // namespace fm
