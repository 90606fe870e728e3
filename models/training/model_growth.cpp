#include <gradus/models/training/model_growth.h>

#include <gradus/core/error.h>
#include <gradus/core/run/session.h>
#include <gradus/models/data/data_cache.h>
#include <gradus/models/training/trainer.h>

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

namespace gradus {

namespace {

// Whether the model's features can be more.
bool can_grow(const Columns& columns) { return columns.table && columns.table->hash_bits() == 0; }

// The relations of the model whose categories are those of the columns: joined tables have no line for a new one, and
// implicit columns none of it.
std::shared_ptr<const Relations> grown_relations(const Columns& before, const Columns& columns) {
  if (!before.relations) return nullptr;
  Relations out;
  for (RelationBlock block : before.relations->blocks) {
    const FeatureTable &old = *before.table, &now = *columns.table;
    const auto column_of = [&](const std::string& name) { return static_cast<std::size_t>(now.find(name)); };
    const std::size_t key = column_of(block.key);
    const Tensor lines = block.lines;
    const CsrPattern& pattern = *lines.pattern();
    std::vector<Index> to(static_cast<std::size_t>(pattern.columns));
    std::iota(to.begin(), to.end(), Index{0});
    if (block.is_implicit()) {
      const TableColumn& more = now.columns()[column_of(block.of)];
      const std::vector<TableColumn> of_block{{block.table->columns().front().name, more.kind, more.categories}};
      const auto table = std::make_shared<const FeatureTable>(of_block);
      for (std::size_t j = 0; j < to.size(); ++j)
        to[j] = table->feature(0, block.table->columns().front().categories[j]);
      block.table = table;
    }
    // The line of the model that each category has, if it has one.
    std::vector<Index> line(now.columns()[key].categories.size(), -1);
    const std::vector<std::string>& known = old.columns()[static_cast<std::size_t>(old.find(block.key))].categories;
    for (std::size_t i = 0; i < known.size(); ++i)
      line[static_cast<std::size_t>(now.feature(key, known[i]) - now.feature(key))] = static_cast<Index>(i);
    std::vector<std::int64_t> start{0}, column;
    std::vector<float> value;
    for (const Index i : line) {
      for (auto at = i < 0 ? 0 : pattern.row_start[static_cast<std::size_t>(i)];
           i >= 0 && at < pattern.row_start[static_cast<std::size_t>(i) + 1]; ++at) {
        column.push_back(to[static_cast<std::size_t>(pattern.column[static_cast<std::size_t>(at)])]);
        value.push_back(lines.span<float>()[static_cast<std::size_t>(at)]);
      }
      start.push_back(std::ssize(column));
    }
    block.first = now.feature(key);
    block.lines = Tensor::csr(std::ssize(line), block.table->features(), start, column, value);
    out.blocks.push_back(std::move(block));
  }
  return std::make_shared<const Relations>(std::move(out));
}

// Where each column of the model is among the columns.   [columns of the model]
std::vector<Index> places_in(const TrainedModel& model, const Columns& columns) {
  std::vector<Index> out(static_cast<std::size_t>(model.columns.count));
  std::iota(out.begin(), out.end(), Index{0});
  if (!can_grow(model.columns)) return out;
  const FeatureTable &before = *model.columns.table, &now = *columns.table;
  for (std::size_t i = 0; i < before.columns().size(); ++i) {
    const TableColumn& column = before.columns()[i];
    if (column.kind != ColumnKind::numeric && column.kind != ColumnKind::categorical) continue;
    const auto at = static_cast<std::size_t>(now.find(column.name));
    auto to = out.begin() + before.feature(i);
    if (column.kind == ColumnKind::numeric) *to = now.feature(at);
    for (const std::string& category : column.categories) *to++ = now.feature(at, category);
  }
  return out;
}

// The same of all features, those that the relations bring along behind the columns.   [features of the model]
std::vector<Index> places_of_features(const TrainedModel& model, const Columns& columns) {
  std::vector<Index> out = places_in(model, columns);
  const Relations* const of_model = model.columns.relations.get();
  for (std::int64_t j = 0; of_model != nullptr && j < of_model->features(); ++j)
    out.push_back(static_cast<Index>(columns.count + columns.relations->find(of_model->name(j))));
  return out;
}

// Whether a parameter has a row for each feature.
bool is_of_features(const std::string& name, const Tensor& value, std::int64_t p) {
  return value.rank() > 0 && value.dim(0) == p && !name.starts_with("deep/") && name != "w0";
}

// The rows of `from` at their places in `to`.
Tensor placed(const Tensor& from, const Tensor& to, const std::vector<Index>& places) {
  return Tensor::make<float>(to.shape(), [&](std::span<float> out) {
    const std::span<const float> begin = to.span<float>(), old = from.span<float>();
    std::copy(begin.begin(), begin.end(), out.begin());
    const std::size_t width = old.size() / places.size();
    for (std::size_t i = 0; i < places.size(); ++i)
      std::copy_n(old.begin() + static_cast<std::ptrdiff_t>(i * width), width,
                  out.begin() + static_cast<std::ptrdiff_t>(static_cast<std::size_t>(places[i]) * width));
  });
}

Parameters placed(const Parameters& from, const Parameters& to, const std::vector<Index>& places) {
  Parameters out;
  for (const auto& [name, value] : from)
    out.emplace(name, is_of_features(name, value, std::ssize(places)) ? placed(value, to.at(name), places) : value);
  return out;
}

Parameters zeros_like(const Parameters& parameters) {
  Parameters out;
  for (const auto& [name, value] : parameters)
    out.emplace(name,
                Tensor::make<float>(value.shape(), [](std::span<float> to) { std::fill(to.begin(), to.end(), 0); }));
  return out;
}

}  // namespace

DataFile growing(const TrainedModel& model, DataFile file) {
  if (can_grow(model.columns) && !is_data_cache(file.path))
    file.read.extended = model.columns.table;
  else
    file.read = read_options(model, file.read);
  return file;
}

std::vector<bool> new_features(const TrainedModel& model, const Columns& columns) {
  std::vector<bool> out(static_cast<std::size_t>(columns.count), true);
  for (const Index place : places_in(model, columns)) out[static_cast<std::size_t>(place)] = false;
  return out;
}

TrainedModel grown(const TrainedModel& model, const Columns& columns) {
  TrainedModel out = model;
  out.columns.count = columns.count;
  out.columns.table = columns.table;
  out.columns.field = columns.field;
  out.columns.relations = grown_relations(model.columns, columns);
  const std::vector<Index> places = places_in(model, columns), of_features = places_of_features(model, out.columns);
  Graph graph;
  const Model begun = make_model(graph, columns.count, model_options(model.options, out.columns, model.target_scale));
  Session session(graph);
  const Parameters start = parameters_of(session, begun), none = zeros_like(start);
  for (const auto& [name, value] : model.parameters)
    if (!is_of_features(name, value, std::ssize(of_features)) && value.shape() != start.at(name).shape())
      fail<ValueError>("{} of the model is {}, but with other columns it would be {}", name, value.type(),
                       start.at(name).type());
  out.parameters = placed(model.parameters, start, of_features);
  for (std::size_t s = 0; s < model.samples.means.size(); ++s) {
    out.samples.means[s] = placed(model.samples.means[s], none, of_features);
    out.samples.draws[s] = placed(model.samples.draws[s], none, of_features);
  }
  if (model.scale.size() > 0) {
    const Tensor ones =
        Tensor::make<float>({columns.count}, [](std::span<float> to) { std::fill(to.begin(), to.end(), 1); });
    out.scale = placed(model.scale, ones, places);  // [p]
  }
  if (!model.columns.of_item.empty()) {
    // New categories are the item's where the others of their column are.
    std::vector<bool> of_field;
    for (std::size_t i = 0; i < places.size(); ++i) {
      const auto field = static_cast<std::size_t>((*columns.field)[static_cast<std::size_t>(places[i])]);
      of_field.resize(std::max(of_field.size(), field + 1));
      of_field[field] = model.columns.of_item[i];
    }
    out.columns.of_item.clear();
    for (const Index field : *columns.field) out.columns.of_item.push_back(of_field[static_cast<std::size_t>(field)]);
  }
  return out;
}

}  // namespace gradus
