#include <gradus/models/training/training_set.h>

#include <gradus/core/error.h>
#include <gradus/models/data/column_scale.h>
#include <gradus/models/data/number_text.h>

#include <fmt/format.h>

#include <cstdint>
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

// What has been made of rows in memory is made once and kept there.
SharedBlocks kept(const LoadedData& about, const SharedBlocks& rows) {
  return about.streamed_mib > 0 ? rows : in_one_block(rows->block(0));
}

// Targets as a binary task takes them: -1 and 1.
SharedBlocks with_signs(const LoadedBlocks& loaded, BinaryForm form) {
  if (form != BinaryForm::zero_one) return loaded.rows;
  return kept(loaded.about, changed(loaded.rows, [form](Dataset rows) {
                rows.y = binary_targets(rows.y, form).y;  // [n, 1]
                return rows;
              }));
}

// Targets 1 and 2 as 0 and 1.
SharedBlocks with_zero_one(const LoadedBlocks& loaded) {
  return kept(loaded.about, changed(loaded.rows, [](Dataset rows) {
                dispatch_floating(rows.y.dtype(), [&]<class T>(TypeTag<T>) {
                  const Tensor y = rows.y;
                  rows.y = Tensor::make<T>(y.shape(), [&](std::span<T> to) {
                    std::transform(y.span<T>().begin(), y.span<T>().end(), to.begin(), [](T x) { return x - T{1}; });
                  });  // [n, 1]
                });
                return rows;
              }));
}

SharedBlocks divided(const LoadedData& about, const SharedBlocks& rows, const Tensor& scale) {
  return kept(about, changed(rows, [scale](Dataset part) {
                part.x = divide_columns(part.x, scale);
                return part;
              }));
}

}  // namespace

TrainingSet load_training_set(const DataFile& data, const DataFile& validation, TrainingOptions& options,
                              const ItemColumns& items) {
  TrainingSet out;
  LoadedBlocks all = load_blocks(data, options.stream_above);
  out.about = all.about;
  if (options.batch == 0) refuse_streamed(out.about, "--batch 0");
  if (options.task == "ranking") refuse_streamed(out.about, "a ranking");
  DataSummary summary = summary_of(*all.rows);
  if (summary.weight_sum == 0) fail<ValueError>("{}: all weights are 0, so no example counts", out.about.name);
  if (options.task == "guess" && summary.least == 1 && summary.greatest == 1)
    fail<ValueError>(
        "{}: all targets are 1, so there is nothing to tell; where they say who took what, .task ranking "
        "learns whom to show what",
        out.about.name);
  if ((options.task == "guess" || options.task == "binary") && summary.are_one_two()) {
    all.rows = with_zero_one(all);
    summary = summary_of(*all.rows);
    out.one_two = true;
  }
  if (options.task == "guess") options.task = summary.are_classes() ? "binary" : "regression";
  out.features = summary.columns;
  out.range = summary.range();
  out.columns.field = out.about.field;
  if (options.task == "ranking") out.columns.of_item = columns_of_items(out.about, out.features, items);
  if (options.task == "binary") {
    const BinaryForm form = form_of_classes(summary, *all.rows, out.about.name);
    out.zero_one = form == BinaryForm::zero_one;
    all.rows = with_signs(all, form);
  }
  LoadedData about_validation = out.about;
  if (!validation.path.empty()) {
    LoadedBlocks loaded = load_blocks_for(untrained_model(out, options), validation);
    about_validation = std::move(loaded.about);
    out.validation = std::move(loaded.rows);
    out.train = std::move(all.rows);
  } else if (options.valid_fraction * static_cast<double>(all.rows->size()) >= 1) {
    const SplitBlocks parts = split(all.rows, options.valid_fraction, options.seed);
    out.train = kept(out.about, parts.train);
    out.validation = kept(out.about, parts.validation);
  } else {
    out.train = std::move(all.rows);
  }
  if (options.normalize) {
    ColumnScale scale(out.features);
    for (std::int64_t b = 0; b < out.train->blocks(); ++b) scale.add(out.train->block(b).x);
    out.scale = scale.tensor();  // [p]
    out.train = divided(out.about, out.train, out.scale);
    if (out.validation) out.validation = divided(about_validation, out.validation, out.scale);
  }
  return out;
}

SharedBlocks all_rows(const TrainingSet& set) {
  if (!set.validation) return set.train;
  if (set.train->blocks() > 1 || set.validation->blocks() > 1) return joined({set.train, set.validation});
  const Dataset parts[] = {set.train->block(0), set.validation->block(0)};
  return in_one_block(joined(parts));
}

TrainedModel untrained_model(const TrainingSet& set, const TrainingOptions& options) {
  TrainedModel model;
  model.options = options;
  model.format = set.about.format;
  model.features = set.features;
  model.table = set.about.table;
  model.ids = set.about.ids;
  if (!model.table) model.hash_bits = set.about.hash_bits;
  model.columns = set.columns;
  model.scale = set.scale;
  model.target = set.about.target;
  model.target_range = set.range;
  model.zero_one = set.zero_one;
  model.one_two = set.one_two;
  return model;
}

LoadedBlocks load_blocks_for(const TrainedModel& model, DataFile file) {
  file.read = read_options(model, file.read);
  const bool ranking = model.options.task == "ranking";  // which needs all rows at once
  LoadedBlocks out = load_blocks(file, ranking ? INT64_MAX : model.options.stream_above);
  if (model.one_two) {
    if (!summary_of(*out.rows).only_one_two)
      fail<ValueError>("{}: has targets that are neither 1 nor 2, the classes of the model", out.about.name);
    out.rows = with_zero_one(out);
  }
  if (model.options.task == "binary")
    out.rows = with_signs(out, form_of_classes(summary_of(*out.rows), *out.rows, out.about.name));
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
