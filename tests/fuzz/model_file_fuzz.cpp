// Model files: refused by an Error of ours, or models that predict, and tell what they have learnt. The first byte
// chooses what the rest is: a whole file; or changes to the header and to the numbers of a good one, whose checksum and
// lengths are made anew, so that what lies behind them is reached.
#include "damage.h"

#include <gradus/core/error.h>
#include <gradus/core/io/safetensors.h>
#include <gradus/core/tensor/create.h>
#include <gradus/models/training/inspection.h>
#include <gradus/models/training/predictor.h>

#include <nlohmann/json.hpp>

using namespace gradus;

namespace {

using Json = nlohmann::ordered_json;

struct Parts {
  std::string header, metadata, numbers;
};

constexpr const char* key = "__metadata__";

Parts good(std::string_view kind, bool table) {
  TrainedModel model;
  model.options.task = "binary";
  model.options.model = kind;
  model.options.factors = 2;
  model.options.hidden = {2};
  const std::string_view text = table ? "u,n,y\na,2,0\nb,3,1\na,1,1\n" : "1 1:1 2:1\n0 3:1\n1 4:1\n";
  const Examples rows = open_examples(Input::of_bytes("data", text),
                                      {.format = table ? Format::csv : Format::libsvm, .target = table ? "y" : ""})
                            ->next(unlimited);
  model.table = rows.table;
  model.columns.field = rows.field;
  model.features = rows.x.dim(1);
  model.scale = ones({model.features});
  model.metrics["validation log loss"] = 0.5;
  Trainer trainer({rows.x, rows.y}, {}, model.columns, [&] {
    TrainingOptions options = model.options;
    options.task = "regression";
    options.epochs = 1;
    return options;
  }());
  trainer.run();
  model.parameters = trainer.parameters();
  const std::string bytes = bytes_of_file([&](const std::string& path) { save_model(path, model); });
  std::uint64_t length = 0;
  std::memcpy(&length, bytes.data(), sizeof length);
  Json header = Json::parse(bytes.substr(8, length));
  Parts out{"", header[key].dump(), bytes.substr(8 + length)};
  header.erase(key);
  out.header = header.dump();
  return out;
}

std::string file_of(const Json& header, const std::string& numbers) {
  const std::string text = header.dump(-1, ' ', false, Json::error_handler_t::replace);
  return bytes_of(std::uint64_t{text.size()}) + text + numbers;
}

std::string mended(const Parts& parts) {
  Json header = Json::parse(parts.header, nullptr, false);
  Json metadata = Json::parse(parts.metadata, nullptr, false);
  if (!header.is_object() || !metadata.is_object()) return {};
  header[key] = metadata;
  std::string bytes = file_of(header, parts.numbers);
  try {
    const MemoryFile file(bytes);
    const SafeTensors read = load_safetensors(file.path());
    header[key]["checksum"] = checksum(read.tensors, read.metadata);
    bytes = file_of(header, parts.numbers);
  } catch (const IoError&) {
  }
  return bytes;
}

// Whether it could be used.
bool use(const std::string& bytes) {
  const MemoryFile file(bytes);
  bool used = true;
  const auto attempt = [&](const auto& f) {
    try {
      f(load_model(file.path()));
    } catch (const Error&) {
      used = false;
    }
  };
  attempt([](const TrainedModel& model) {
    (void)strongest_features(model, 5);
    (void)strongest_pairs(model, 5);
    (void)nearest_features(model, feature_name(model, model.features - 1), 3);
  });
  attempt([](const TrainedModel& model) {
    Predictor predict(model, "model");
    const std::vector<std::int64_t> start{0, 1}, column{model.features - 1};
    const Tensor out = predict(Tensor::csr(1, model.features, start, column, std::vector<float>{1}));
    if (out.shape() != Shape{1, 1}) std::abort();
  });
  return used;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Parts base[] = {good("fm", true), good("fm", false), good("field-aware", true), good("deep", true),
                               good("higher-order", true)};
  if (size == 0) return 0;
  const std::string_view rest(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::size_t which = data[0] % 6;
  if (which == 5) {
    use(std::string(rest));
    return 0;
  }
  Parts parts = base[which];
  const std::size_t third = rest.size() / 3 / 4 * 4;
  change(parts.metadata, rest.substr(0, third));
  change(parts.header, rest.substr(third, third));
  change(parts.numbers, rest.substr(2 * third));
  const bool used = use(mended(parts));
  if (rest.empty() && !used) std::abort();  // a good file
  return 0;
}
