// fm export: a model in the words of other programs.
#include "commands.h"
#include "files.h"
#include "output.h"

#include <gradus/models/formats/c_header.h>
#include <gradus/models/formats/onnx.h>

#include <fmt/format.h>

#include <algorithm>

namespace fm {

using namespace gradus;

namespace {

void export_onnx(const ExportCommand& command, const TrainedModel& model) {
  Predictor predict(model, command.model, {1, Device::cpu()});
  // ONNX multiplies where this program divides.
  const Tensor factor = model.scale.size() == 0 ? Tensor() : Tensor::make<float>({model.columns.count}, [&](auto out) {
    const auto scale = model.scale.span<float>();
    std::transform(scale.begin(), scale.end(), out.begin(), [](float s) { return 1 / s; });
  });  // [p]
  write_onnx(command.onnx, predict.session(), {{"X", predict.input(), factor}}, {{"prediction", predict.output()}});
}

}  // namespace

int export_model(const ExportCommand& command) {
  check_files({{"the model", command.model}},
              {{"--onnx", command.onnx, FileKind::onnx}, {"--c-header", command.c_header, FileKind::c_header}},
              command.overwrite);
  const TrainedModel model = load_model(command.model);
  if (!command.onnx.empty()) export_onnx(command, model);
  if (!command.c_header.empty()) write_c_header(command.c_header, model);
  if (command.common.json) {
    print_export_json(command, model);
    return 0;
  }
  const std::int64_t outputs = std::max<std::int64_t>(std::ssize(model.classes), 1);
  if (!command.onnx.empty()) say("{}: X [n, {}] -> prediction [n, {}]\n", command.onnx, model.columns.count, outputs);
  if (!command.c_header.empty())
    say("{}: {} column{} -> {} value{}\n", command.c_header, model.columns.count, plural(model.columns.count), outputs,
        plural(outputs));
  if (model.samples.count() > 0)
    say("  what is written is one model, of the mean of the {} samples' parameters: fm predict tells the mean of their "
        "predictions instead\n",
        model.samples.count());
  return 0;
}

}  // namespace fm
