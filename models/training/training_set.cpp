#include <gradus/models/training/training_set.h>

#include <gradus/core/error.h>
#include <gradus/models/data/column_scale.h>
#include <gradus/models/data/detail/number_text.h>
#include <gradus/models/training/model_growth.h>
#include <gradus/models/training/training_settings.h>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <utility>

namespace gradus {

namespace {

// Which columns of x describe the item.
std::vector<bool> columns_of_items(const LoadedRows& about, const Columns& columns, const ItemColumns& items) {
  if (!columns.table || columns.table->hash_bits() != 0)
    fail<ValueError>("{}: a ranking has to know which columns are the item's, but columns of {} have no names",
                     about.name, columns.table ? "hashed categories" : to_string(about.format));
  std::vector<bool> is_item(columns.table->columns().size(), false);
  for (const std::string& name : items.empty() ? ItemColumns{"item"} : items) {
    const std::int64_t column = columns.table->find(name);
    if (column < 0)
      fail<ValueError>("{}: there is no column {} that could be the item's; ItemColumns names it", about.name,
                       in_quotes(name));
    is_item[static_cast<std::size_t>(column)] = true;
  }
  std::vector<bool> out(static_cast<std::size_t>(columns.count), false);
  // Fields count the columns that have features.
  std::vector<bool> of_field;
  for (std::size_t i = 0; i < is_item.size(); ++i) {
    const ColumnKind kind = columns.table->columns()[i].kind;
    if (kind == ColumnKind::numeric || kind == ColumnKind::categorical) of_field.push_back(is_item[i]);
  }
  const std::vector<Index> fields = columns.table->fields();
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = of_field[static_cast<std::size_t>(fields[i])];
  return out;
}

// What has been made of rows in memory is made once and kept there.
SharedBlocks kept(const LoadedRows& about, const SharedBlocks& rows) {
  return about.streamed_mib > 0 ? rows : in_one_block(rows->block(0));
}

// Targets as a binary task takes them: -1 and 1.
SharedBlocks with_signs(const LoadedRows& loaded, BinaryForm form) {
  if (form != BinaryForm::zero_one) return loaded.rows;
  return kept(loaded, changed(loaded.rows, [form](Rows rows) {
                rows.y = binary_targets(rows.y, form).y;  // [n, 1]
                return rows;
              }));
}

// Targets 1 and 2 as 0 and 1.
SharedBlocks with_zero_one(const LoadedRows& loaded) {
  return kept(loaded, changed(loaded.rows, [](Rows rows) {
                dispatch_floating(rows.y.dtype(), [&]<class T>(TypeTag<T>) {
                  const Tensor y = rows.y;
                  rows.y = Tensor::make<T>(y.shape(), [&](std::span<T> to) {
                    std::transform(y.span<T>().begin(), y.span<T>().end(), to.begin(), [](T x) { return x - T{1}; });
                  });  // [n, 1]
                });
                return rows;
              }));
}

SharedBlocks divided(const LoadedRows& about, const SharedBlocks& rows, const Tensor& scale) {
  return kept(about, changed(rows, [scale](Rows part) {
                part.x = divide_columns(part.x, scale);
                return part;
              }));
}

// By what a row of each class is to count, so that classes count alike and the mean weight stays as it is.
std::vector<double> weights_of_classes(const LoadedRows& about, const RowBlocks& rows, Task task) {
  const DataSummary summary = summary_of(rows);
  std::vector<double> sums = summary.class_sums;
  if (task == Task::binary) {
    const double mean = summary.target_scale().mean;
    sums = {summary.weight_sum * (1 - mean) / 2, summary.weight_sum * (1 + mean) / 2};
  } else if (task != Task::multiclass) {
    fail<ValueError>("{}: classes are to be balanced, but a {} has none", about.name, to_string(task));
  }
  for (double& sum : sums) {
    if (sum <= 0)
      fail<ValueError>("{}: classes are to be balanced, but one of them has no rows that count", about.name);
    sum = summary.weight_sum / (static_cast<double>(sums.size()) * sum);
  }
  return sums;
}

SharedBlocks balanced(const LoadedRows& about, const SharedBlocks& rows, const std::vector<double>& by) {
  return kept(about, changed(rows, [by](Rows part) {
                dispatch_floating(part.y.dtype(), [&]<class T>(TypeTag<T>) {
                  const std::span<const T> y = part.y.span<T>();
                  const std::span<const T> before = part.weighted() ? part.weight.span<T>() : std::span<const T>();
                  part.weight = Tensor::make<T>(part.y.shape(), [&](std::span<T> to) {
                    for (std::size_t i = 0; i < to.size(); ++i) {
                      const std::size_t of = y[i] < 0 ? 0 : static_cast<std::size_t>(y[i]);
                      to[i] = static_cast<T>(by[of]) * (before.empty() ? T{1} : before[i]);
                    }
                  });  // [n, 1]
                });
                return part;
              }));
}

// The different targets as the names of classes, ascending.
std::vector<std::string> names_of_classes(const LoadedRows& about, const RowBlocks& rows) {
  std::set<double> found;
  for (std::int64_t b = 0; b < rows.blocks(); ++b)
    for (const double target : rows.block(b).y) {
      found.insert(target);
      if (std::ssize(found) > most_classes)
        fail<ValueError>("{}: there are more than {} different targets; classes are expected", about.name,
                         most_classes);
    }
  std::vector<std::string> names;
  for (const double target : found) names.push_back(fmt::format("{}", target));
  return names;
}

// Targets as a multiclass task takes them: the number of the class, as the names count them.
SharedBlocks with_classes(const LoadedRows& loaded, const std::vector<std::string>& names) {
  std::map<double, std::size_t> number;
  for (const std::string& name : names) number.emplace(std::strtod(name.c_str(), nullptr), number.size());
  return kept(loaded, changed(loaded.rows, [number, name = loaded.name](Rows rows) {
                std::vector<double> y;
                for (const double target : rows.y) {
                  const auto found = number.find(target);
                  if (found == number.end())
                    fail<ValueError>("{}: target {} is a class that training has not seen", name, target);
                  y.push_back(static_cast<double>(found->second));
                }
                rows.y = Tensor::from(y, rows.y.shape()).cast(rows.y.dtype());  // [n, 1]
                return rows;
              }));
}

// The classes that the target's cells name; empty where they are numbers.
std::vector<std::string> listed_classes(const Columns& columns) {
  const std::int64_t column = columns.table ? columns.table->find(ColumnKind::target) : -1;
  if (column < 0) return {};
  return columns.table->columns()[static_cast<std::size_t>(column)].categories;
}

// The penalty of each feature, where columns have some of their own: "user=0.1".   [p] or [0]
std::vector<double> l2_of_features(const LoadedRows& about, const Columns& columns,
                                   const std::vector<std::string>& l2) {
  if (l2.empty()) return {};
  if (!columns.table || columns.table->hash_bits() != 0)
    fail<ValueError>("{}: a column has a penalty of its own, but columns of {} have no features of their own",
                     about.name, columns.table ? "hashed categories" : to_string(about.format));
  std::vector<double> out(static_cast<std::size_t>(columns.count), -1);
  for (const std::string& each : l2) {
    const std::size_t at = each.rfind('=');
    double lambda = -1;
    const std::string_view number = std::string_view(each).substr(at == std::string::npos ? each.size() : at + 1);
    if (!number_of(number, lambda) || !std::isfinite(lambda) || lambda < 0)
      fail<ValueError>("the penalty {} is no column with a number of at least 0, as user=0.1", in_quotes(each));
    const std::int64_t column = columns.table->find(std::string_view(each).substr(0, at));
    const auto kind =
        column < 0 ? ColumnKind::ignored : columns.table->columns()[static_cast<std::size_t>(column)].kind;
    if (kind != ColumnKind::numeric && kind != ColumnKind::categorical)
      fail<ValueError>("{}: the penalty {} names no column with features", about.name, in_quotes(each));
    const TableColumn& of = columns.table->columns()[static_cast<std::size_t>(column)];
    const std::size_t count = kind == ColumnKind::numeric ? 1 : of.categories.size();
    std::fill_n(out.begin() + columns.table->feature(static_cast<std::size_t>(column)), count, lambda);
  }
  return out;
}

// The joined tables as relations, large columns divided as those of the rows are.
std::shared_ptr<const Relations> relations_of(TrainingSet& set, const std::optional<bool>& normalize) {
  if (set.joined.empty()) return nullptr;
  if (!set.columns.table)
    fail<ValueError>("{}: {} is to be joined, but columns of {} have no names", set.about.name, set.joined.front().name,
                     to_string(set.about.format));
  Relations out;
  for (JoinedTable& each : set.joined) {
    ColumnScale scale(each.x.dim(1));
    scale.add(each.x);
    if (normalize.value_or(true)) each.scale = normalize ? scale.tensor() : scale.usual();  // [q] or [0]
    out.blocks.push_back(joined_block(each, *set.columns.table, out, set.about.name));
  }
  return std::make_shared<const Relations>(std::move(out));
}

// The rows to learn from and those to validate with; keys are then of the first.
SplitBlocks split_of(const SharedBlocks& rows, SplitKeys& keys, const TrainingOptions& options) {
  if (options.split.by == SplitBy::random) return split(rows, options.valid_fraction, options.seed);
  const Rows all = rows->block(0);
  const DrawnRows drawn = hold_out(options.split.by, keys, all.size(), options.valid_fraction, options.seed);
  keys = keys.take(drawn.others);
  return {in_one_block(all.take(drawn.others)), in_one_block(all.take(drawn.drawn))};
}

// The options with what a model fixes that is trained on.
void take_over(const TrainedModel& from, TrainingOptions& options) {
  TrainingOptions usual, before = from.options;
  const std::vector<Setting> now = settings(options), of_model = settings(before), open = settings(usual);
  for (std::size_t i = 0; i < now.size(); ++i) {
    constexpr std::array<std::string_view, 5> fixed = {"kind", "task", "factors", "order", "hidden"};
    if (std::find(fixed.begin(), fixed.end(), now[i].name) == fixed.end()) continue;
    if (shown(now[i]) != shown(open[i]) && shown(now[i]) != shown(of_model[i]))
      fail<ValueError>(".{} is {}, but that of the model to go on from is {}", field_of(now[i]), shown(now[i]),
                       shown(of_model[i]));
  }
  options.kind = before.kind;
  options.task = before.task;
  options.factors = before.factors;
  options.order = before.order;
  options.hidden = before.hidden;
  options.clip_predictions = options.clip_predictions || before.clip_predictions;
  if (options.optimizer == usual.optimizer && visits_parameters(before)) options.optimizer = before.optimizer;
  const bool named = options.l2_w || options.l2_v || !options.l2.empty();
  if (options.optimizer == Learner::als && before.optimizer == Learner::als && !named) {
    options.l2_over = before.l2_over;
    options.l2_w = before.l2_w;
    options.l2_v = before.l2_v;
    options.l2_rows = before.l2_rows;
  }
  if (!visits_parameters(options)) {
    if (!options.l2_over) options.l2_over = L2Over::touched;  // steps leave alone what no row has
    if (!options.l2_w) options.l2_w = 0;
    if (!options.l2_v) options.l2_v = 0;
  }
  check(options);
}

// Throws where learning from the rows alone would forget features of the model.
void check_all_occur(const LoadedRows& about, const RowBlocks& rows, const std::vector<bool>& is_new,
                     const TrainingOptions& options) {
  const std::vector<Index>& occurring = rows.block(0).x.pattern()->active_columns()->row;
  const auto known = std::count(is_new.begin(), is_new.end(), false);
  const auto of_rows =
      std::count_if(occurring.begin(), occurring.end(), [&](Index i) { return !is_new[static_cast<std::size_t>(i)]; });
  if (of_rows < known)
    fail<ValueError>(
        "{}: {} learns from these rows alone, and would forget {} of the model's {} features, which none of them has; "
        "rows of its training beside them keep them, and fold_in learns what is new alone",
        about.name, to_string(options.optimizer), known - of_rows, known);
}

// What the rows are to a model that is trained on.
void begin_from(const TrainedModel& from, const TrainingOptions& options, const RowBlocks& rows, TrainingSet& set) {
  if (const std::vector<std::string> classes = listed_classes(set.columns);
      !classes.empty() && classes.size() != from.classes.size())
    fail<ValueError>("{}: names {} classes, but the model has {}", set.about.name, classes.size(), from.classes.size());
  set.zero_one = from.zero_one;
  set.one_two = from.one_two;
  set.classes = from.classes;
  set.columns.classes = from.columns.classes;
  set.from = grown(from, set.columns);
  set.columns.relations = set.from->columns.relations;
  set.columns.of_item = set.from->columns.of_item;
  set.is_new = new_features(from, set.columns);
  if (visits_parameters(options)) check_all_occur(set.about, rows, set.is_new, options);
}

}  // namespace

TrainingSet load_training_set(const DataFile& data, const DataFile& validation, TrainingOptions& options,
                              const ItemColumns& items, const TrainedModel* from) {
  TrainingSet out;
  if (from != nullptr && (!options.implicit.empty() || !data.joined.empty()))
    fail<ValueError>("{}: --from goes on with the columns of the model, but --{} adds some", data.path,
                     options.implicit.empty() ? "join" : "implicit");
  if (from != nullptr) take_over(*from, options);
  std::optional<TrainedModel> plain;
  if (from != nullptr && from->columns.relations) {
    // Who visits parameters learns from all rows anew, and so makes implicit columns of them; steps down the gradients
    // may see new rows alone.
    if (visits_parameters(options))
      options.implicit = from->options.implicit;
    else
      plain = folded(*from);
    if (plain) from = &*plain;
  }
  DataFile file = from != nullptr ? growing(*from, data) : data;
  file.read.targets = options.task == Task::multiclass ? TargetCells::classes
                      : !options.task                  ? TargetCells::either
                                                       : TargetCells::numbers;
  file.may_lack_target = options.task == Task::ranking;
  file.split = options.split;
  if (!goes_by_fields(options.kind)) file.read.other_field = OtherField::keep_first;
  for (const JoinedFile& each : std::exchange(file.joined, {})) out.joined.push_back(read_joined(each, file.read));
  LoadedRows all = from != nullptr ? load_rows_for(*from, file) : load_rows(file, options.stream_above);
  out.about = all;
  out.about.rows = nullptr;
  out.keys = std::exchange(out.about.keys, {});
  if (options.split.by != SplitBy::random && !validation.path.empty())
    fail<ValueError>(".split is {}, but the rows to validate with are those of {}", to_string(options.split),
                     validation.path);
  out.columns = std::exchange(out.about.columns, {});
  if (from == nullptr) out.classes = listed_classes(out.columns);
  if (!options.task && !out.classes.empty()) options.task = Task::multiclass;
  if (from == nullptr && options.task != Task::multiclass && !out.classes.empty())
    fail<ValueError>("{}: the targets name classes, as .task multiclass takes them; a {} takes numbers", out.about.name,
                     to_string(*options.task));
  if (options.batch && *options.batch == 0) refuse_streamed(out.about, "a batch of all rows");
  if (options.task == Task::ranking) refuse_streamed(out.about, "a ranking");
  if (visits_parameters(options)) refuse_streamed(out.about, to_string(options.optimizer));
  DataSummary summary = summary_of(*all.rows);
  if (summary.weight_sum == 0) fail<ValueError>("{}: all weights are 0, so no example counts", out.about.name);
  if (!options.task && summary.least == 1 && summary.greatest == 1)
    fail<ValueError>(
        "{}: all targets are 1, so there is nothing to tell; where they say who took what, .task ranking "
        "learns whom to show what",
        out.about.name);
  if ((!options.task || options.task == Task::binary) && summary.are_one_two()) {
    all.rows = with_zero_one(all);
    summary = summary_of(*all.rows);
    out.one_two = true;
  }
  if (!options.task) options.task = summary.are_classes() ? Task::binary : Task::regression;
  if (visits_parameters(options) && options.task == Task::binary && (summary.weighted || options.balance))
    fail<ValueError>("{}: its examples have weights, which {} cannot count where the task is binary", out.about.name,
                     to_string(options.optimizer));
  if (from == nullptr && options.task == Task::regression && summary.target_scale().deviation == 0)
    fail<ValueError>("{}: all targets are {}, so there is nothing to learn", out.about.name, summary.first);
  out.columns.count = summary.columns;
  out.columns.relations = relations_of(out, options.normalize);
  out.range = summary.range();
  if (from != nullptr) {
    out.range = {std::min(out.range.least, from->target_range.least),
                 std::max(out.range.greatest, from->target_range.greatest)};
    begin_from(*from, options, *all.rows, out);
  } else if (options.task == Task::ranking) {
    out.columns.of_item = columns_of_items(out.about, out.columns, items);
  }
  if (from == nullptr && options.task == Task::binary) {
    const BinaryForm form = form_of_classes(summary, *all.rows, out.about.name);
    out.zero_one = form == BinaryForm::zero_one;
    all.rows = with_signs(all, form);
  }
  if (from == nullptr && options.task == Task::multiclass) {
    const bool listed = !out.classes.empty();
    if (!listed) out.classes = names_of_classes(out.about, *all.rows);
    out.columns.classes = std::ssize(out.classes);
    if (out.columns.classes < 2 || out.columns.classes > most_classes)
      fail<ValueError>("{}: the target has {} class{}; 2 to {} are expected", out.about.name, out.columns.classes,
                       out.columns.classes == 1 ? "" : "es", most_classes);
    if (!listed) all.rows = with_classes(all, out.classes);
  }
  out.columns.l2 = l2_of_features(out.about, out.columns, options.l2);
  if (options.balance) {
    out.class_weights = weights_of_classes(out.about, *all.rows, *options.task);
    all.rows = balanced(out.about, all.rows, out.class_weights);
  }
  LoadedRows about_validation = out.about;
  if (!validation.path.empty()) {
    LoadedRows loaded = load_rows_for(untrained_model(out, options), validation);
    out.validation = options.balance ? balanced(loaded, loaded.rows, out.class_weights) : loaded.rows;
    about_validation = std::move(loaded);
    out.train = std::move(all.rows);
  } else if (options.valid_fraction * static_cast<double>(all.rows->size()) >= 1) {
    const SplitBlocks parts = split_of(all.rows, out.keys, options);
    out.train = kept(out.about, parts.train);
    out.validation = kept(out.about, parts.validation);
  } else {
    out.train = std::move(all.rows);
  }
  out.columns.relations =
      with_implicit(out.columns.relations, options.implicit, out.columns.table.get(), *out.train, out.about.name);
  const TrainingSize size = summary.size(out.columns.relations.get());
  const double part = static_cast<double>(out.train->size()) / size.rows;
  constexpr double few = 200'000;
  if (!options.refit) options.refit = validation.path.empty() && out.about.streamed_mib == 0 && size.rows <= few;
  options = settled(options, {size.rows * part, size.features, size.non_zeros * part, size.ones});
  if (from != nullptr) {
    out.scale = out.from->scale;  // [p] or [0]
  } else if (options.normalize.value_or(true)) {
    ColumnScale scale(out.columns.count);
    for (std::int64_t b = 0; b < out.train->blocks(); ++b) scale.add(out.train->block(b).x);
    out.scale = options.normalize ? scale.tensor() : scale.usual();  // [p] or [0]
  }
  if (out.scale.size() > 0) {
    out.train = divided(out.about, out.train, out.scale);
    if (out.validation) out.validation = divided(about_validation, out.validation, out.scale);
  }
  return out;
}

TrainingStart start_of(const TrainingSet& set, const TrainingOptions& options, const RowBlocks& rows) {
  if (!set.from) return {};
  TrainedModel model = *set.from;
  const bool folds = (model.options.kind == ModelKind::linear || model.options.kind == ModelKind::fm) &&
                     (model.options.task == Task::regression || model.options.task == Task::binary);
  if (folds && !model.columns.relations && rows.blocks() == 1) fold_in(model, set.is_new, rows.block(0));
  const bool of_sample = options.optimizer == Learner::mcmc && model.samples.count() > 0;
  return {of_sample ? model.samples.draws.back() : model.parameters, model.target_scale};
}

SharedBlocks all_rows(const TrainingSet& set) {
  if (!set.validation) return set.train;
  if (set.train->blocks() > 1 || set.validation->blocks() > 1) return joined({set.train, set.validation});
  const Rows parts[] = {set.train->block(0), set.validation->block(0)};
  return in_one_block(joined(parts));
}

TrainedModel untrained_model(const TrainingSet& set, const TrainingOptions& options) {
  TrainedModel model;
  model.options = options;
  model.format = set.about.format;
  model.columns = set.columns;
  model.scale = set.scale;
  model.target = set.about.target;
  model.target_range = set.range;
  model.zero_one = set.zero_one;
  model.classes = set.classes;
  model.one_two = set.one_two;
  return model;
}

LoadedRows load_rows_for(const TrainedModel& model, DataFile file) {
  if (!file.read.extended) file.read = read_options(model, file.read);
  const bool ranking = model.options.task == Task::ranking;  // which needs all rows at once
  file.may_lack_target = ranking && model.columns.table && model.columns.table->find(ColumnKind::target) < 0;
  LoadedRows out = load_rows(file, ranking ? INT64_MAX : model.options.stream_above);
  if (model.one_two) {
    if (!summary_of(*out.rows).only_one_two)
      fail<ValueError>("{}: has targets that are neither 1 nor 2, the classes of the model", out.name);
    out.rows = with_zero_one(out);
  }
  if (model.options.task == Task::binary)
    out.rows = with_signs(out, form_of_classes(summary_of(*out.rows), *out.rows, out.name));
  if (model.options.task == Task::multiclass && listed_classes(out.columns).empty())
    out.rows = with_classes(out, model.classes);
  return out;
}

}  // namespace gradus
