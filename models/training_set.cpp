#include <gradus/models/training_set.h>

#include <gradus/core/error.h>

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <utility>

namespace gradus {

TrainingSet load_training_set(const DataFile& data, const DataFile& validation, TrainingOptions& options) {
  TrainingSet out;
  out.about = load_data(data);
  Dataset all = std::exchange(out.about.data, {});
  if (all.y.size() == 0) fail<ValueError>("{}: has no targets to learn from", out.about.name);
  if (all.weighted() && std::all_of(all.weight.begin(), all.weight.end(), [](double w) { return w == 0; }))
    fail<ValueError>("{}: all weights are 0, so no example counts", out.about.name);
  if (options.task == "guess") options.task = are_classes(all.y) ? "binary" : "regression";
  out.range = range_of(all.y);
  if (options.task == "binary") {
    out.zero_one = out.range.least == 0;
    all.y = classes(all.y, out.about.name);  // [n, 1]
  }
  if (!validation.path.empty()) {
    TrainedModel model = untrained_model(out, options);
    model.features = all.x.dim(1);
    DataFile file = validation;
    out.validation = load_data_for(model, std::move(file)).data;
    out.train = std::move(all);
  } else if (options.valid_fraction * static_cast<double>(all.size()) >= 1) {
    Dataset::Split split = all.split(options.valid_fraction, options.seed);
    out.train = std::move(split.train);
    out.validation = std::move(split.validation);
  } else {
    out.train = std::move(all);
  }
  return out;
}

TrainedModel untrained_model(const TrainingSet& set, const TrainingOptions& options) {
  TrainedModel model;
  model.options = options;
  model.format = set.about.format;
  model.features = set.train.x.rank() == 2 ? set.train.x.dim(1) : 0;
  model.table = set.about.table;
  model.field = set.about.field;
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

Dataset together(const Dataset& a, const Dataset& b) {
  const auto both = [](const Tensor& x, const Tensor& y) {
    Tensor out =
        Tensor::uninitialized({x.dtype(), x.shape().with(0, x.dim(0) + y.dim(0)), Layout::dense});  // [n + m, ...]
    auto* to = out.writable_data();
    to = std::copy_n(x.data(), static_cast<std::size_t>(x.stored()) * size_of(x.dtype()), to);
    std::copy_n(y.data(), static_cast<std::size_t>(y.stored()) * size_of(y.dtype()), to);
    return out;
  };
  const CsrPattern& first = *a.x.pattern();
  const CsrPattern& second = *b.x.pattern();
  const auto pattern = std::make_shared<CsrPattern>();
  pattern->rows = first.rows + second.rows;
  pattern->columns = first.columns;
  pattern->row_start = first.row_start;
  for (std::size_t row = 1; row < second.row_start.size(); ++row)
    pattern->row_start.push_back(first.non_zeros() + second.row_start[row]);
  const std::span<Index> column = pattern->new_column(first.non_zeros() + second.non_zeros());
  std::copy(second.column.begin(), second.column.end(),
            std::copy(first.column.begin(), first.column.end(), column.begin()));
  Dataset out{Tensor::csr(pattern, both(a.x.values(), b.x.values())), both(a.y, b.y)};
  if (a.weighted() != b.weighted())
    fail<ValueError>("one of the data sets has weights and the other has none; both or neither are expected");
  if (a.weighted()) out.weight = both(a.weight, b.weight);
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
