#include <gradus/core/kernel/kernel.h>

#include <algorithm>

namespace gradus {

bool Kernel::looks_up() const {
  return std::any_of(steps.begin(), steps.end(), [](const Step& s) { return s.table >= 0; }) ||
         std::any_of(reads.begin(), reads.end(),
                     [](const Read& r) { return r.operand.access == LoopOperand::Access::looked_up; });
}

std::int64_t Kernel::inner(std::size_t axis) const {
  std::int64_t size = 1;
  for (std::size_t a = axis; a < dims.size(); ++a) size *= dims[a];
  return size;
}

}  // namespace gradus
