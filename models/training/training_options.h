// All that a training can be told, in one struct. training_settings.h has the table of it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace gradus {

struct TrainingOptions {
  // The model.
  std::string model = "fm";
  std::string task = "guess";
  std::int64_t factors = 8;
  std::int64_t order = 3;
  std::vector<std::int64_t> hidden = {64, 32};
  double init_stddev = 0.05;
  double l2_w0 = 0, l2_w = 0.001, l2_v = 0.01;
  std::string l2_over = "touched";
  bool normalize = false;

  // The optimizer. A rate of 0 is the optimizer's default; an epsilon of 0 likewise.
  std::string optimizer = "adam";
  double rate = 0;
  double momentum = 0.9;
  bool nesterov = false;
  double initial_accumulator = 0.1;
  double rho = 0.95;
  double decay = 0.9;
  double rmsprop_momentum = 0;
  bool centered = false;
  double beta1 = 0.9, beta2 = 0.999;
  double epsilon = 0;
  double weight_decay = 0.004;
  double l1 = 0;
  std::string schedule = "constant";
  double schedule_decay = 0.5;
  std::vector<std::int64_t> schedule_at = {};
  double clip_norm = 0, clip_value = 0;  // 0: none

  // The course.
  std::int64_t epochs = 50;
  std::int64_t batch = 1024;  // rows; 0: all
  std::int64_t patience = 3;  // epochs without improvement on the validation set; 0: any number
  double valid_fraction = 0.1;
  std::int64_t stream_above = 1024;  // MiB
  bool refit = false;
  bool clip_predictions = false;
  std::uint64_t seed = 1;
};

/// Throws ValueError, naming the option, for a value that it may not have.
void check(const TrainingOptions& options);

/// {"model": "fm", ...}, a member for each setting.
std::string to_json(const TrainingOptions& options);
/// What to_json wrote. Throws IoError, which begins with `name`, where the text is not that.
TrainingOptions training_options_from_json(std::string_view json, const std::string& name);

/// The first setting in which two trainings differ, as ".rate is 0.1 but was 0.2"; empty where there is none.
std::string difference(const TrainingOptions& now, const TrainingOptions& before);

}  // namespace gradus
