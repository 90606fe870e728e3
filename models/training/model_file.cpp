#include <gradus/models/training/model_file.h>

#include <gradus/core/error.h>
#include <gradus/core/io/file.h>
#include <gradus/core/io/json.h>
#include <gradus/core/io/safetensors.h>
#include <gradus/models/data/detail/columns_file.h>
#include <gradus/models/data/detail/relations_file.h>
#include <gradus/models/training/detail/folding.h>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace gradus {

namespace {

constexpr const char* model_key = "gradus_model";
constexpr std::string_view model_version = "2";
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
    if (!out.options.task) damaged("its options name no task");
    try {
      out.format = format_named(text("format"));
    } catch (const ValueError& error) {
      damaged(error.what());
    }
    out.columns = columns_in(file_, path_);
    if (out.columns.count == 0) damaged("it has no features");
    out.columns.relations = relations_in(file_, out.columns, path_);
    const Json target = json("target");
    out.target = member(target, "column").is_string() ? target["column"].get<std::string>() : "";
    out.target_range = {real(target, "least"), real(target, "greatest")};
    out.target_scale = {real(target, "mean"), real(target, "deviation")};
    out.zero_one = member(target, "zero_one") == true;
    if (!std::isfinite(out.target_scale.mean) || !(out.target_scale.deviation > 0))
      damaged("the mean and deviation of its target are no such");
    if (out.options.task == Task::multiclass) {
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
    if (file_.metadata.contains("training")) {  // which the first model files have not
      const Json training = json("training");
      const double rows = real(training, "rows");
      out.noise = real(training, "noise");
      if (!(rows >= 0 && rows < 1e18) || !(out.noise >= 0)) damaged("what it says of its training is no such");
      out.rows = static_cast<std::int64_t>(rows);
    }
    const Json metrics = json("metrics");
    if (!metrics.is_object()) damaged("\"metrics\" is not an object");
    for (const auto& [name, value] : metrics.items())
      out.metrics[name] = value.is_number() ? value.get<double>() : std::nan("");
    take_tensors(out);
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

  [[noreturn]] void damaged(std::string_view what) const { fail_damaged(path_, what); }

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
  double real(const Json& object, const char* key) const {
    const Json& value = member(object, key);
    if (!value.is_number()) damaged(fmt::format("\"{}\" is not a number", key));
    return value.get<double>();
  }

  void take_tensors(TrainedModel& out) {
    for (const auto& [name, tensor] : file_.tensors) {
      if (is_of_columns(name) || is_of_relations(name) || !sampled_parameter(name).empty()) continue;
      if (name != scale_name) {
        out.parameters.emplace(name, tensor);
        continue;
      }
      const Type expected{float32, {out.columns.count}, Layout::dense};
      if (tensor.type() != expected) damaged(fmt::format("{} is {}; {} is expected", name, tensor.type(), expected));
      out.scale = tensor;
    }
  }

  // Before a graph is made: options and fields that are nonsense might ask for more memory than there is.
  void check_parameters(const TrainedModel& model) const {
    if (model.columns.relations && model.options.kind != ModelKind::linear && model.options.kind != ModelKind::fm)
      damaged(fmt::format("it has relations, but is a {} model", to_string(model.options.kind)));
    std::map<std::string, Shape> shapes;
    try {
      shapes = parameter_shapes(model.columns.features(), model_options(model.options, model.columns));
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
    const bool is_mcmc = model.options.optimizer == Learner::mcmc;
    if (sampled != (is_mcmc ? 2 * shapes.size() : 0) || (is_mcmc && samples < 1))
      damaged(fmt::format("it has {} tensors of {} samples, but was learnt by {}", sampled, samples,
                          to_string(model.options.optimizer)));
  }

  const std::string& path_;
  SafeTensors file_;
};

}  // namespace

void save_model(const std::string& path, const TrainedModel& model) {
  if (!model.options.task) fail<ValueError>("save_model: .task is left open");
  SafeTensors file;
  file.tensors = model.parameters;
  const TensorStacks samples = stacked(model.samples);
  add_columns(file, model.columns);
  add_relations(file, model.columns.relations.get());
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
  file.metadata.insert({
      {model_key, std::string(model_version)},
      {"task", std::string(to_string(*model.options.task))},
      {"format", std::string(to_string(model.format))},
      {"options", to_json(model.options)},
      {"metrics", to_text(metrics)},
      {"target", to_text_replacing(target)},
  });
  if (model.rows > 0) file.metadata.emplace("training", to_text(Json{{"rows", model.rows}, {"noise", model.noise}}));
  file.metadata.emplace(checksum_key, checksum(file.tensors, file.metadata, samples));
  save_safetensors(path, file, samples);
}

bool is_model(const std::string& path) { return has_metadata(path, model_key); }

TrainedModel load_model(const std::string& path) { return ModelReader(path).read(); }

TrainedModel folded(TrainedModel model) {
  if (!model.columns.relations) return model;
  const Folding folding(model.columns.relations->matrix(model.columns.count),
                        std::max<std::int64_t>(std::ssize(model.classes), 1));
  model.parameters = folding.folded(std::move(model.parameters));
  for (std::vector<Parameters>* all : {&model.samples.means, &model.samples.draws})
    for (Parameters& each : *all) each = folding.folded(std::move(each));
  model.columns.relations = nullptr;
  model.options.implicit.clear();
  if (!model.columns.l2.empty()) model.columns.l2.resize(static_cast<std::size_t>(model.columns.count));
  return model;
}

ReadOptions read_options(const TrainedModel& model, ReadOptions given) {
  given.columns = model.columns;
  if (!model.columns.table && given.format == Format::guess) given.format = model.format;
  given.otherwise = model.format;
  if (!goes_by_fields(model.options.kind)) given.other_field = OtherField::keep_first;
  return given;
}

int first_index(Format format) { return format == Format::libsvm ? 1 : 0; }

std::string feature_name(const TrainedModel& model, std::int64_t feature) {
  return model.columns.name(feature, first_index(model.format));
}

}  // namespace gradus
