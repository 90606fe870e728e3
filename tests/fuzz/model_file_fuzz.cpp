// Model files: refused by an Error of ours, or models that predict, and tell what they have learnt. The first byte
// chooses what the rest is: a whole file; or changes to the header and to the numbers of a good one, whose checksum and
// lengths are made anew, so that what lies behind them is reached.
#include "tensor_file.h"

#include <gradus/core/tensor/create.h>
#include <gradus/models/training/inspection.h>
#include <gradus/models/training/predictor.h>

using namespace gradus;

namespace {

TensorFileParts good(ModelKind kind, bool table) {
  TrainedModel model;
  model.options.task = Task::binary;
  model.options.kind = kind;
  model.options.factors = 2;
  model.options.hidden = {2};
  const std::string_view text = table ? "u,n,y\na,2,0\nb,3,1\na,1,1\n" : "1 1:1 2:1\n0 3:1\n1 4:1\n";
  const ReadRows rows = open_rows(Input::of_bytes("data", text),
                                  {.format = table ? Format::csv : Format::libsvm, .target = table ? "y" : ""})
                            ->next(unlimited);
  model.columns = rows.columns;
  model.scale = ones({model.columns.count});
  model.metrics["validation log loss"] = 0.5;
  Trainer trainer(rows, {}, model.columns, [&] {
    TrainingOptions options = model.options;
    options.task = Task::regression;
    options.epochs = 1;
    return options;
  }());
  trainer.run();
  model.parameters = trainer.parameters();
  return parts_of(bytes_of_file([&](const std::string& path) { save_model(path, model); }));
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
    (void)nearest_features(model, feature_name(model, model.columns.count - 1), 3);
  });
  attempt([](const TrainedModel& model) {
    Predictor predict(model, "model");
    const std::vector<std::int64_t> start{0, 1}, column{model.columns.count - 1};
    const Tensor out = predict(Tensor::csr(1, model.columns.count, start, column, std::vector<float>{1}));
    if (out.shape() != Shape{1, 1}) std::abort();
  });
  return used;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const TensorFileParts base[] = {good(ModelKind::fm, true), good(ModelKind::fm, false),
                                         good(ModelKind::field_aware, true), good(ModelKind::deep, true),
                                         good(ModelKind::higher_order, true)};
  if (size == 0) return 0;
  const std::string_view rest(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::size_t which = data[0] % 6;
  if (which == 5) {
    use(std::string(rest));
    return 0;
  }
  TensorFileParts parts = base[which];
  const std::size_t third = rest.size() / 3 / 4 * 4;
  change(parts.metadata, rest.substr(0, third));
  change(parts.header, rest.substr(third, third));
  change(parts.numbers, rest.substr(2 * third));
  const bool used = use(
      mended(parts, [](SafeTensors& file) { file.metadata[checksum_key] = checksum(file.tensors, file.metadata); }));
  if (rest.empty() && !used) std::abort();  // a good file
  return 0;
}
