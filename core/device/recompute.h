// A pass for accelerators, whose kernels are bound by memory: a function of what is fed, like the square of a data
// matrix, is computed again by each that reads it instead of being written once and read again. Where their kernels
// read the matrix anyway, it costs nothing.
#pragma once

#include <gradus/core/plan/draft.h>

namespace gradus {

Draft recompute(const Draft& draft);

}  // namespace gradus
