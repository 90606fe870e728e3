// Questions that tests ask of a plan's steps.
#pragma once

#include <gradus/core/run/steps.h>

#include <algorithm>
#include <string_view>

namespace gradus {

/// The step that writes a variable; null where none does.
inline const PlanStep* writer_of(const PlanSteps& plan, std::string_view variable) {
  const auto found = std::find_if(plan.list.begin(), plan.list.end(), [&](const PlanStep& step) {
    return step.target >= 0 && plan.list[static_cast<std::size_t>(step.target)].name == variable;
  });
  return found == plan.list.end() ? nullptr : &*found;
}

/// Where a variable is written; StepPlace::none for one that is not.
inline StepPlace written(const PlanSteps& plan, std::string_view variable) {
  const PlanStep* const step = writer_of(plan, variable);
  return step == nullptr ? StepPlace::none : step->place;
}

inline std::int64_t count_computed(const PlanSteps& plan) {
  return std::count_if(plan.list.begin(), plan.list.end(), [](const PlanStep& step) { return step.is_computed(); });
}

}  // namespace gradus
