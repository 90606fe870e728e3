// Kernels that are compiled when Gradus is built, so that a program is fast without a compiler, and from its first
// step: the updates of tables' rows that the shipped models make with the shipped optimizers (models/known/). CMake has
// the definition of known_kernels() written.
#pragma once

#include <gradus/core/kernel/compiled_kernel.h>

#include <span>
#include <string_view>

namespace gradus {

struct KnownKernel {
  std::string_view text;  // any_width_text
  CompiledKernel::Function function;
};
std::span<const KnownKernel> known_kernels();

/// The function of this text; null where there is none, and on x86 without AVX2, which they need there.
CompiledKernel::Function known_kernel(std::string_view text);

}  // namespace gradus
