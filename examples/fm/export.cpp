// fm export: a model in the words of other programs.
#include "commands.h"
#include "output.h"

#include <gradus/models/onnx.h>

#include <fmt/format.h>

namespace fm {

using namespace gradus;

int export_model(const ExportCommand& command) {
  const TrainedModel model = load_model(command.model);
  Predictor predict(model, command.model, {1, Device::cpu()});
  write_onnx(command.onnx, predict.session(), {{"X", predict.input()}}, {{"prediction", predict.output()}});
  if (command.common.json)
    print_export_json(command.onnx, model);
  else
    fmt::print("{}: X [n, {}] -> prediction [n, 1]\n", command.onnx, model.features);
  return 0;
}

}  // namespace fm
