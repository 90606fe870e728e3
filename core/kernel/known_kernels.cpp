#include <gradus/core/cpu.h>
#include <gradus/core/kernel/known_kernels.h>

#include <unordered_map>

namespace gradus {

CompiledKernel::Function known_kernel(std::string_view text) {
  static const auto functions = [] {
    std::unordered_map<std::string_view, CompiledKernel::Function> by_text;
#if defined(__x86_64__)
    if (isa() == Isa::portable) return by_text;
#endif
    for (const KnownKernel& kernel : known_kernels()) by_text.emplace(kernel.text, kernel.function);
    return by_text;
  }();
  const auto found = functions.find(text);
  return found == functions.end() ? nullptr : found->second;
}

}  // namespace gradus
