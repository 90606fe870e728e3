// All that a training can be told, in one struct, and the table of its settings: one row an option, from which the
// program makes its command line, a model file its record, and a resumed training what must be as it was.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
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

/// An option: how it is called, where its value is, which values it may have, and what it is.
struct Setting {
  using Value = std::variant<double*, std::int64_t*, std::uint64_t*, bool*, std::string*, std::vector<std::int64_t>*>;

  std::string_view name;  // on the command line, behind --
  Value value;
  double least = 0, most = 0;                  // of numbers
  bool above = false;                          // least itself is not allowed
  std::vector<std::string_view> choices = {};  // of texts
  std::string_view group;                      // under which --help lists it
  std::string_view what;
};

/// The settings, with pointers into `options`.
std::vector<Setting> settings(TrainingOptions& options);

/// The value of a setting as a message shows it: "0.05", "on", "64,32".
std::string shown(const Setting& setting);

/// Throws ValueError, naming the option, for a value that it may not have.
void check(const TrainingOptions& options);

/// {"model": "fm", ...}, a member for each setting.
std::string to_json(const TrainingOptions& options);
/// What to_json wrote. Throws IoError, which begins with `name`, where the text is not that.
TrainingOptions training_options_from_json(std::string_view json, const std::string& name);

/// The first setting in which two trainings differ, as "--rate is 0.1 but was 0.2"; empty where there is none.
std::string difference(const TrainingOptions& now, const TrainingOptions& before);

}  // namespace gradus
