#include <gradus/models/training/model_file.h>

#include <gradus/core/error.h>
#include <gradus/core/io/checksum.h>
#include <gradus/core/io/file.h>
#include <gradus/core/io/json.h>
#include <gradus/core/io/safetensors.h>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace gradus {

namespace {

constexpr const char* model_key = "gradus_model";
constexpr std::string_view model_version = "2";
constexpr const char* checksum_key = "checksum";
constexpr const char* field_name = "field";
constexpr const char* ids_name = "indices";
constexpr const char* item_name = "item_columns";
constexpr const char* scale_name = "column_scale";

// Reads the parts of one model file, each of which may be wrong.
class ModelReader {
 public:
  explicit ModelReader(const std::string& path) : path_(path), file_(loaded(path)) {
    const auto found = file_.metadata.find(model_key);
    if (found == file_.metadata.end()) fail<IoError>("{}: is no model: its metadata have no {}", path_, model_key);
    if (found->second != model_version)
      fail<IoError>("{}: is a model of version {}; this program reads version {}", path_, found->second, model_version);
    const std::string written = text(checksum_key);
    const std::string now = checksum(file_.tensors, file_.metadata);
    if (written != now)
      fail<IoError>("{}: is damaged: its checksum is {} but that of its contents is {}", path_, written, now);
  }

  TrainedModel read() {
    TrainedModel out;
    out.options = training_options_from_json(text("options"), path_);
    try {
      out.format = format_named(text("format"));
    } catch (const ValueError& error) {
      damaged(error.what());
    }
    out.features = number(json("features"), "features");
    if (out.features < 1 || out.features > max_sparse_dimension) damaged("\"features\" is out of range");
    if (file_.metadata.contains("feature_table")) {
      out.table = std::make_shared<const FeatureTable>(feature_table_from_json(text("feature_table"), path_));
      if (out.table->features() != out.features)
        damaged(fmt::format("it has {} features but its table has {}", out.features, out.table->features()));
    }
    if (file_.metadata.contains("hash_bits")) {
      const std::int64_t bits = number(json("hash_bits"), "hash_bits");
      if (bits < 1 || bits > FeatureTable::most_hash_bits || out.features != std::int64_t{1} << bits)
        damaged("\"hash_bits\" does not fit its features");
      out.hash_bits = static_cast<int>(bits);
    }
    const Json target = json("target");
    out.target = member(target, "column").is_string() ? target["column"].get<std::string>() : "";
    out.target_range = {real(target, "least"), real(target, "greatest")};
    out.target_scale = {real(target, "mean"), real(target, "deviation")};
    out.zero_one = member(target, "zero_one") == true;
    if (!std::isfinite(out.target_scale.mean) || !(out.target_scale.deviation > 0))
      damaged("the mean and deviation of its target are no such");
    if (out.options.task == "multiclass") {
      const Json& classes = member(target, "classes");
      if (!classes.is_array()) damaged("\"classes\" is not a list");
      for (const Json& each : classes) {
        if (!each.is_string()) damaged("a class has no name");
        out.classes.push_back(each.get<std::string>());
      }
      out.columns.classes = std::ssize(out.classes);
      if (out.columns.classes < 2 || out.columns.classes > most_classes)
        damaged("the number of classes is out of range");
    }
    out.one_two = target.contains("one_two") && target["one_two"] == true;
    const Json metrics = json("metrics");
    if (!metrics.is_object()) damaged("\"metrics\" is not an object");
    for (const auto& [name, value] : metrics.items())
      out.metrics[name] = value.is_number() ? value.get<double>() : std::nan("");
    take_tensors(out);
    if ((out.table != nullptr) + (out.ids != nullptr) + (out.hash_bits > 0) > 1)
      damaged("its columns are described twice");
    check_parameters(out);
    out.samples = unstacked(file_.tensors);
    return out;
  }

 private:
  // What is no safetensors file at all is rather another file than a damaged one.
  static SafeTensors loaded(const std::string& path) {
    FileReader(path).size();  // throws where it cannot be opened
    try {
      return load_safetensors(path);
    } catch (const IoError& error) {
      const std::string_view what(error.what());
      fail<IoError>("{}: is no model, or is damaged: {}", path, what.substr(std::min(what.size(), path.size() + 2)));
    }
  }

  [[noreturn]] void damaged(std::string_view what) const { fail<IoError>("{}: is damaged: {}", path_, what); }

  const std::string& text(const char* key) const {
    const auto found = file_.metadata.find(key);
    if (found == file_.metadata.end()) damaged(fmt::format("its metadata have no {}", key));
    return found->second;
  }
  Json json(const char* key) const {
    Json parsed = parse_json(text(key));
    if (parsed.is_discarded()) damaged(fmt::format("its {} are not JSON", key));
    return parsed;
  }
  const Json& member(const Json& object, const char* key) const {
    const auto found = object.is_object() ? object.find(key) : object.end();
    if (!object.is_object() || found == object.end()) damaged(fmt::format("\"{}\" is missing", key));
    return *found;
  }
  std::int64_t number(const Json& value, const char* key) const {
    if (!value.is_number_integer()) damaged(fmt::format("\"{}\" is not a whole number", key));
    return value.get<std::int64_t>();
  }
  double real(const Json& object, const char* key) const {
    const Json& value = member(object, key);
    if (!value.is_number()) damaged(fmt::format("\"{}\" is not a number", key));
    return value.get<double>();
  }

  void take_tensors(TrainedModel& out) {
    const Shape columns{out.features};
    for (auto& [name, tensor] : file_.tensors) {
      const bool is_field = name == field_name, is_item = name == item_name, is_scale = name == scale_name;
      const bool is_ids = name == ids_name;
      if (!sampled_parameter(name).empty()) continue;
      if (!is_field && !is_item && !is_scale && !is_ids) {
        out.parameters.emplace(name, tensor);
        continue;
      }
      const Type expected{is_field ? int32 : is_ids ? int64 : is_item ? boolean : float32, columns, Layout::dense};
      if (tensor.type() != expected) damaged(fmt::format("{} is {}; {} is expected", name, tensor.type(), expected));
      if (is_field) {
        const auto field = tensor.span<std::int32_t>();
        out.columns.field = std::make_shared<const std::vector<Index>>(field.begin(), field.end());
      } else if (is_ids) {
        const auto ids = tensor.span<std::int64_t>();
        try {
          out.ids = std::make_shared<const SparseIds>(std::vector<std::uint64_t>(ids.begin(), ids.end()));
        } catch (const ValueError& error) {
          damaged(error.what());
        }
      } else if (is_item) {
        const auto of_item = tensor.span<bool>();
        out.columns.of_item.assign(of_item.begin(), of_item.end());
      } else {
        out.scale = tensor;
      }
    }
  }

  // Before a graph is made: options and fields that are nonsense might ask for more memory than there is.
  void check_parameters(const TrainedModel& model) const {
    std::map<std::string, Shape> shapes;
    try {
      shapes = parameter_shapes(model.features, model_options(model.options, model.columns));
    } catch (const ValueError& error) {
      damaged(error.what());
    }
    for (const auto& [name, shape] : shapes) {
      const auto found = model.parameters.find(name);
      if (found == model.parameters.end()) damaged(fmt::format("it lacks {}", name));
      const Type expected{float32, shape, Layout::dense};
      if (found->second.type() != expected)
        damaged(fmt::format("{} is {}; {} is expected", name, found->second.type(), expected));
    }
    if (model.parameters.size() > shapes.size()) damaged("it has a tensor that its model has not");
    check_samples(model, shapes);
  }

  // As many of each parameter, where they are of mcmc.
  void check_samples(const TrainedModel& model, const std::map<std::string, Shape>& shapes) const {
    std::int64_t samples = 0;
    std::size_t sampled = 0;
    for (const auto& [name, tensor] : file_.tensors) {
      const std::string parameter = sampled_parameter(name);
      if (parameter.empty()) continue;
      if (sampled++ == 0) samples = tensor.rank() > 0 ? tensor.dim(0) : 0;
      const auto found = shapes.find(parameter);
      if (found == shapes.end()) damaged(fmt::format("its model has no {}", parameter));
      const Type expected{float32, found->second.insert(0, samples), Layout::dense};
      if (tensor.type() != expected) damaged(fmt::format("{} is {}; {} is expected", name, tensor.type(), expected));
    }
    const bool is_mcmc = model.options.optimizer == "mcmc";
    if (sampled != (is_mcmc ? 2 * shapes.size() : 0) || (is_mcmc && samples < 1))
      damaged(fmt::format("it has {} tensors of {} samples, but was learnt by {}", sampled, samples,
                          model.options.optimizer));
  }

  const std::string& path_;
  SafeTensors file_;
};

}  // namespace

std::string checksum(const std::map<std::string, Tensor>& tensors, const std::map<std::string, std::string>& metadata) {
  std::uint32_t crc = 0;
  const auto add = [&crc](const void* bytes, std::size_t count) { crc = crc32_of(bytes, count, crc); };
  for (const auto& [name, tensor] : tensors) {
    add(name.c_str(), name.size() + 1);
    add(tensor.data(), static_cast<std::size_t>(tensor.stored()) * size_of(tensor.dtype()));
  }
  for (const auto& [key, text] : metadata) {
    if (key == checksum_key) continue;
    add(key.c_str(), key.size() + 1);
    add(text.c_str(), text.size() + 1);
  }
  return fmt::format("{:08x}", crc);
}

void save_model(const std::string& path, const TrainedModel& model) {
  SafeTensors file;
  file.tensors = model.parameters;
  file.tensors.merge(stacked(model.samples));
  if (model.columns.field) file.tensors.emplace(field_name, Tensor::from(*model.columns.field));  // [p]
  if (model.ids)
    file.tensors.emplace(ids_name, Tensor::make<std::int64_t>({model.features}, [&](std::span<std::int64_t> out) {
                           const auto& index = model.ids->index();
                           std::transform(index.begin(), index.end(), out.begin(),
                                          [](std::uint64_t i) { return static_cast<std::int64_t>(i); });
                         }));  // [p]
  if (!model.columns.of_item.empty())
    file.tensors.emplace(item_name, Tensor::make<bool>({model.features}, [&](std::span<bool> out) {
                           std::copy(model.columns.of_item.begin(), model.columns.of_item.end(), out.begin());
                         }));                                                 // [p]
  if (model.scale.size() > 0) file.tensors.emplace(scale_name, model.scale);  // [p]
  Json metrics = Json::object();
  for (const auto& [name, value] : model.metrics) metrics[name] = value;
  Json target{{"column", model.target},
              {"least", model.target_range.least},
              {"greatest", model.target_range.greatest},
              {"mean", model.target_scale.mean},
              {"deviation", model.target_scale.deviation},
              {"classes", model.classes},
              {"zero_one", model.zero_one}};
  if (model.one_two) target["one_two"] = true;
  file.metadata = {
      {model_key, std::string(model_version)},
      {"task", model.options.task},
      {"format", std::string(to_string(model.format))},
      {"features", fmt::to_string(model.features)},
      {"options", to_json(model.options)},
      {"metrics", to_text(metrics)},
      {"target", to_text_replacing(target)},
  };
  if (model.table) file.metadata.emplace("feature_table", to_json(*model.table));
  if (model.hash_bits > 0) file.metadata.emplace("hash_bits", fmt::to_string(model.hash_bits));
  file.metadata.emplace(checksum_key, checksum(file.tensors, file.metadata));
  save_safetensors(path, file);
}

bool is_model(const std::string& path) { return has_metadata(path, model_key); }

TrainedModel load_model(const std::string& path) { return ModelReader(path).read(); }

ReadOptions read_options(const TrainedModel& model, ReadOptions given) {
  given.table = model.table;
  given.ids = model.ids;
  if (!model.table) {
    if (given.format == Format::guess) given.format = model.format;
    given.hash_bits = model.hash_bits;
    if (!model.ids && model.hash_bits == 0) given.columns = model.features;
  }
  given.otherwise = model.format;
  return given;
}

std::string feature_name(const TrainedModel& model, std::int64_t feature) {
  if (model.table) return model.table->name(feature);
  if (model.hash_bits > 0) return fmt::format("hashed {}", feature);
  if (model.ids) return fmt::to_string(model.ids->index()[static_cast<std::size_t>(feature)]);
  return fmt::to_string(feature + (model.format == Format::libsvm ? 1 : 0));
}

}  // namespace gradus
