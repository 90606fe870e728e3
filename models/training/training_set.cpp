#include <gradus/models/training/training_set.h>

#include <gradus/core/error.h>
#include <gradus/models/data/column_scale.h>
#include <gradus/models/data/number_text.h>

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <utility>

namespace gradus {

namespace {

// Which columns of x describe the item.
std::vector<bool> columns_of_items(const LoadedData& data, std::int64_t features, const ItemColumns& items) {
  if (!data.table || data.table->hash_bits() != 0)
    fail<ValueError>("{}: a ranking has to know which columns are the item's, but columns of {} have no names",
                     data.name, data.table ? "hashed categories" : to_string(data.format));
  std::vector<bool> is_item(data.table->columns().size(), false);
  for (const std::string& name : items.empty() ? ItemColumns{"item"} : items) {
    const std::int64_t column = data.table->find(name);
    if (column < 0)
      fail<ValueError>("{}: there is no column {} that could be the item's; --item names it", data.name,
                       in_quotes(name));
    is_item[static_cast<std::size_t>(column)] = true;
  }
  std::vector<bool> out(static_cast<std::size_t>(features), false);
  // Fields count the columns that have features.
  std::vector<bool> of_field;
  for (std::size_t i = 0; i < is_item.size(); ++i) {
    const ColumnKind kind = data.table->columns()[i].kind;
    if (kind == ColumnKind::numeric || kind == ColumnKind::categorical) of_field.push_back(is_item[i]);
  }
  const std::vector<Index> fields = data.table->fields();
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = of_field[static_cast<std::size_t>(fields[i])];
  return out;
}

}  // namespace

TrainingSet load_training_set(const DataFile& data, const DataFile& validation, TrainingOptions& options,
                              const ItemColumns& items) {
  TrainingSet out;
  out.about = load_data(data);
  Dataset all = std::exchange(out.about.data, {});
  if (all.y.size() == 0) fail<ValueError>("{}: has no targets to learn from", out.about.name);
  if (all.weighted() && std::all_of(all.weight.begin(), all.weight.end(), [](double w) { return w == 0; }))
    fail<ValueError>("{}: all weights are 0, so no example counts", out.about.name);
  if (options.task == "guess") options.task = are_classes(all.y) ? "binary" : "regression";
  out.range = range_of(all.y);
  out.columns.field = out.about.field;
  if (options.task == "ranking") out.columns.of_item = columns_of_items(out.about, all.x.dim(1), items);
  if (options.task == "binary") {
    out.zero_one = out.range.least == 0;
    all.y = classes(all.y, out.about.name);  // [n, 1]
  }
  if (!validation.path.empty()) {
    TrainedModel model = untrained_model(out, options);
    model.features = all.x.dim(1);
    out.validation = load_data_for(model, validation).data;
    out.train = std::move(all);
  } else if (options.valid_fraction * static_cast<double>(all.size()) >= 1) {
    Dataset::Split split = all.split(options.valid_fraction, options.seed);
    out.train = std::move(split.train);
    out.validation = std::move(split.validation);
  } else {
    out.train = std::move(all);
  }
  if (options.normalize) {
    ColumnScale scale(out.train.x.dim(1));
    scale.add(out.train.x);
    out.scale = scale.tensor();  // [p]
    out.train.x = divide_columns(out.train.x, out.scale);
    if (out.validation_size() > 0) out.validation.x = divide_columns(out.validation.x, out.scale);
  }
  return out;
}

TrainedModel untrained_model(const TrainingSet& set, const TrainingOptions& options) {
  TrainedModel model;
  model.options = options;
  model.format = set.about.format;
  model.features = set.train.x.rank() == 2 ? set.train.x.dim(1) : 0;
  model.table = set.about.table;
  model.columns = set.columns;
  model.scale = set.scale;
  model.target = set.about.target;
  model.target_range = set.range;
  model.zero_one = set.zero_one;
  return model;
}

LoadedData load_data_for(const TrainedModel& model, DataFile file) {
  const ReadOptions known = read_options(model);
  file.read.table = known.table;
  file.read.columns = known.columns;
  if (file.read.format == Format::guess) file.read.format = known.format;
  LoadedData out = load_data(file);
  if (model.options.task == "binary" && out.data.y.size() > 0) out.data.y = classes(out.data.y, out.name);  // [n, 1]
  return out;
}

std::string describe_features(std::int64_t features, const FeatureTable* table) {
  std::string text = fmt::format("{} feature{}", features, features == 1 ? "" : "s");
  if (table == nullptr) return text;
  std::string parts;
  constexpr int most = 12;
  int shown = 0;
  for (const TableColumn& column : table->columns()) {
    const bool categorical = column.kind == ColumnKind::categorical;
    if (!categorical && column.kind != ColumnKind::numeric) continue;
    if (++shown > most) continue;
    parts += parts.empty() ? "" : ", ";
    if (categorical && table->hash_bits() == 0)
      parts += fmt::format("{} {}", column.categories.size(), column.name);
    else
      parts += fmt::format("{}{}", categorical ? "hashed " : "", column.name);
  }
  if (shown > most) parts += fmt::format(" and {} columns more", shown - most);
  return fmt::format("{} ({})", text, parts);
}

std::string describe_counts(const std::vector<std::int64_t>& counts, const FeatureTable* table) {
  std::string text;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    if (counts[i] == 0) continue;
    text += text.empty() ? "" : ", ";
    text += fmt::format("{}", counts[i]);
    if (table != nullptr) text += fmt::format(" {}", table->columns()[i].name);
  }
  return text;
}

}  // namespace gradus
