#include <gradus/core/cpu.h>
#include <gradus/core/error.h>

#include <cstdlib>

namespace gradus {

namespace {

bool has_avx2() {
#if defined(__x86_64__)
  return __builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("fma") != 0;
#else
  return false;
#endif
}

}  // namespace

Isa isa_named(const char* name) {
  if (name == nullptr) return has_avx2() ? Isa::avx2 : Isa::portable;
  const std::string_view wanted = name;
  if (wanted == "portable") return Isa::portable;
  if (wanted != "avx2") fail<ValueError>("GRADUS_ISA is \"{}\"; portable or avx2 is expected", wanted);
  if (!has_avx2()) fail<ValueError>("GRADUS_ISA is avx2, which this machine does not have; portable runs everywhere");
  return Isa::avx2;
}

Isa isa() {
  static const Isa chosen = isa_named(std::getenv("GRADUS_ISA"));
  return chosen;
}

}  // namespace gradus
