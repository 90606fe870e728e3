// The table of a training's options: one row an option, from which the program makes its command line, a model file its
// record, and a resumed training what must be as it was.
#pragma once

#include <gradus/models/training/training_options.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <variant>
#include <vector>

namespace gradus {

/// Whether a value is said by a name: an enumeration, one that may be left open, which is called "guess", or a split.
template <class T>
inline constexpr bool is_choice = std::is_enum_v<T> || std::is_same_v<T, RowSplit>;
template <class T>
inline constexpr bool is_choice<std::optional<T>> = std::is_enum_v<T>;

/// An option: how it is called, where its value is, which values it may have, and what it is. An optional value that is
/// not there is found out from the data.
struct Setting {
  using Value = std::variant<double*, std::int64_t*, std::uint64_t*, bool*, std::vector<std::int64_t>*,
                             std::vector<std::string>*, std::optional<double>*, std::optional<std::int64_t>*,
                             std::optional<bool>*, ModelKind*, std::optional<Task>*, std::optional<L2Over>*, Learner*,
                             RateSchedule*, std::optional<Metric>*, RowSplit*>;

  std::string_view name;  // on the command line, behind --
  Value value;
  double least = 0, most = 0;             // of numbers
  bool above = false;                     // least itself is not allowed
  std::vector<std::string> choices = {};  // by name
  std::string_view group;                 // under which --help lists it
  std::string_view what;
  std::string_view alias = {};         // another name on the command line, as "-k"
  std::vector<Learner> learners = {};  // that have a use for it; empty: all
  std::vector<ModelKind> kinds = {};   // likewise
  bool newer = false;                  // than the first model files: where one lacks it, its default holds
};

/// The settings, with pointers into `options`.
std::vector<Setting> settings(TrainingOptions& options);

/// Where a setting's `most` is this, it is a count without a bound that a message would tell.
inline constexpr double most_count = 1e9;

/// Whether the learner has a use for a setting; or the learner and the kind of the model.
bool is_of_learner(const Setting& setting, const TrainingOptions& options);
bool is_used(const Setting& setting, const TrainingOptions& options);

/// The member of TrainingOptions that a setting is, as messages name it: "l2_v".
std::string field_of(const Setting& setting);

/// Gives a choice the value of that name. Throws ValueError, naming the setting and the names that there are, where it
/// is none of them.
void choose(const Setting& setting, std::string_view name);

/// The value of a setting as a message shows it: "0.05", "on", "64,32", "adam", "left open".
std::string shown(const Setting& setting);

}  // namespace gradus
