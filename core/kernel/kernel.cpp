#include <gradus/core/kernel/kernel.h>

#include <fmt/format.h>

#include <algorithm>
#include <map>

namespace gradus {

bool Kernel::looks_up() const {
  return std::any_of(steps.begin(), steps.end(), [](const Step& s) { return s.table >= 0; }) ||
         std::any_of(reads.begin(), reads.end(),
                     [](const Read& r) { return r.operand.access == LoopOperand::Access::looked_up; });
}

bool Kernel::has_products() const {
  return std::any_of(folds.begin(), folds.end(), [](const Fold& fold) { return fold.matrix.has_value(); });
}

std::int64_t Kernel::inner(std::size_t axis) const {
  std::int64_t size = 1;
  for (std::size_t a = axis; a < dims.size(); ++a) size *= dims[a];
  return size;
}

StepFunctions step_functions(const Kernel& kernel, std::string_view qualifiers,
                             std::string_view (*name_of)(DType, bool computed)) {
  StepFunctions made;
  std::map<std::string, int> numbers;
  for (const Kernel::Step& step : kernel.steps) {
    std::string parameters;
    for (std::size_t i = 0; i < step.inputs.size(); ++i)
      parameters += fmt::format("{}{} x{}", i == 0 ? "" : ", ", name_of(step.types[i], step.operands[i].computed),
                                step.inputs[i]);
    const std::string body = fmt::format("({}) {{ return {}; }}\n", parameters, step.formula);
    const std::string_view type = name_of(step.dtype, true);
    const auto [found, is_new] =
        numbers.try_emplace(fmt::format("{} {}", type, body), static_cast<int>(numbers.size()));
    if (is_new) made.text += fmt::format("{} {} f{}{}", qualifiers, type, found->second, body);
    made.of_step.push_back(found->second);
  }
  return made;
}

}  // namespace gradus
