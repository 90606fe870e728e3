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

// Where each feature of the model is among those of the columns.   [p of the model]
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
  if (model.columns.relations)
    fail<ValueError>(
        "{}: the model has columns by way of others, whose lines would have to grow with it; `folded` brings them into "
        "its categories",
        file.path);
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
  const std::vector<Index> places = places_in(model, columns);
  Graph graph;
  const Model begun = make_model(graph, columns.count, model_options(model.options, out.columns, model.target_scale));
  Session session(graph);
  const Parameters start = parameters_of(session, begun), none = zeros_like(start);
  for (const auto& [name, value] : model.parameters)
    if (!is_of_features(name, value, model.columns.count) && value.shape() != start.at(name).shape())
      fail<ValueError>("{} of the model is {}, but with other columns it would be {}", name, value.type(),
                       start.at(name).type());
  out.parameters = placed(model.parameters, start, places);
  for (std::size_t s = 0; s < model.samples.means.size(); ++s) {
    out.samples.means[s] = placed(model.samples.means[s], none, places);
    out.samples.draws[s] = placed(model.samples.draws[s], none, places);
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
