// fm inspect: what a model has learnt, by the names of its features.
#include "commands.h"
#include "output.h"

#include <fmt/format.h>

namespace fm {

using namespace gradus;

int inspect(const InspectCommand& command) {
  const TrainedModel model = load_model(command.model);
  fmt::print("{}: {}\n", command.model, model.options.task);
  return 0;
}

}  // namespace fm
