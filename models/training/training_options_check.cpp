// What training options refuse: values out of range, and options that do not go together.
#include <gradus/core/error.h>
#include <gradus/core/listed.h>
#include <gradus/models/data/relations.h>
#include <gradus/models/training/training_options.h>
#include <gradus/models/training/training_settings.h>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <type_traits>

namespace gradus {

namespace {

void check_number(const Setting& setting, double value) {
  const bool fits =
      std::isfinite(value) && value <= setting.most && (setting.above ? value > setting.least : value >= setting.least);
  if (fits) return;
  const std::string range =
      std::isinf(setting.most) || setting.most == most_count
          ? (setting.above ? fmt::format("a number above {}", setting.least)
                           : fmt::format("a number of at least {}", setting.least))
          : fmt::format("a number {} {} to {}", setting.above ? "above" : "from", setting.least, setting.most);
  fail<ValueError>(".{} is {}; {} is expected", field_of(setting), value, range);
}

void check_setting(const Setting& setting) {
  std::visit(
      [&](const auto* value) {
        using T = std::remove_cvref_t<decltype(*value)>;
        if constexpr (std::is_same_v<T, std::vector<std::int64_t>>) {
          for (const std::int64_t each : *value) check_number(setting, static_cast<double>(each));
        } else if constexpr (std::is_same_v<T, std::optional<double>> ||
                             std::is_same_v<T, std::optional<std::int64_t>>) {
          if (*value) check_number(setting, static_cast<double>(**value));
        } else if constexpr (std::is_same_v<T, double> || std::is_same_v<T, std::int64_t>) {
          check_number(setting, static_cast<double>(*value));
        }
      },
      setting.value);
}

bool visits(Learner learner) { return learner == Learner::als || learner == Learner::mcmc; }

// The learner has no use for what is not as usual. Settings of another optimizer may stay, for the next change of it.
void check_learner(const TrainingOptions& options) {
  TrainingOptions copy = options, usual;
  const std::vector<Setting> of_usual = settings(usual);
  for (std::size_t i = 0; const Setting& setting : settings(copy)) {
    const bool is_of_samplers = std::all_of(setting.learners.begin(), setting.learners.end(), visits);
    const std::string value = shown(setting);
    if (!is_of_learner(setting, options) && (is_of_samplers || visits(options.optimizer)) &&
        value != shown(of_usual[i]))
      fail<ValueError>(".{} is {}, but {} has no use for it", field_of(setting), value, to_string(options.optimizer));
    ++i;
  }
  if (!visits_parameters(options)) return;
  if (options.kind == ModelKind::deep)
    fail<ValueError>(".kind is deep, but {} learns models that are linear in each parameter: all kinds but deep",
                     to_string(options.optimizer));
  if (options.task == Task::ranking || options.task == Task::multiclass)
    fail<ValueError>(".task is {}, but {} learns regression and binary alone", to_string(*options.task),
                     to_string(options.optimizer));
}

}  // namespace

bool visits_parameters(const TrainingOptions& options) { return visits(options.optimizer); }

void check(const TrainingOptions& options) {
  TrainingOptions copy = options;
  for (const Setting& setting : settings(copy)) check_setting(setting);
  check_learner(options);
  for (std::size_t i = 0; i < options.implicit.size(); ++i) {
    implicit_columns_named(options.implicit[i]);
    if (std::find(options.implicit.begin(), options.implicit.begin() + static_cast<std::ptrdiff_t>(i),
                  options.implicit[i]) != options.implicit.begin() + static_cast<std::ptrdiff_t>(i))
      fail<ValueError>(".implicit is {} twice", options.implicit[i]);
  }
  if (!options.implicit.empty() && options.kind != ModelKind::linear && options.kind != ModelKind::fm)
    fail<ValueError>(".implicit is {}, but a {} model cannot have such columns; linear and fm can",
                     listed(options.implicit, ","), to_string(options.kind));
  if (options.schedule == RateSchedule::steps && options.schedule_at.empty())
    fail<ValueError>(".schedule is steps but .schedule_at names no epoch");
  if (!std::is_sorted(options.schedule_at.begin(), options.schedule_at.end(), std::less_equal<>()))
    fail<ValueError>(".schedule_at is {}; epochs that ascend are expected", listed(options.schedule_at, ","));
}

}  // namespace gradus
