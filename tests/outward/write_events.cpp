// Writes an event file for check_events.py, which knows what must be in it. usage: gradus_outward events FOLDER
#include "write.h"

#include <gradus/models/formats/tensorboard.h>

#include <fmt/format.h>

namespace gradus {

void write_events(const std::string& folder) {
  TensorBoardLog log(folder + "/run");
  for (int epoch = 1; epoch <= 300; ++epoch)
    log.write(epoch, {{"loss/train", 1.0 / epoch}, {"RMSE/validation", 0.5 + 1.0 / epoch}});
  log.write(std::int64_t{1} << 40, {{"näme \xff", -1.5}});
  log.write(0, {});
  fmt::print("{}\n", log.path());
}

}  // namespace gradus
