#include <gradus/core/cpu.h>
#include <gradus/core/error.h>

#include <cstdlib>

namespace gradus {

namespace {

constexpr std::string_view names[] = {"portable", "avx2", "avx512"};

Isa best() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2") == 0 || __builtin_cpu_supports("fma") == 0) return Isa::portable;
  const bool has_avx512 = __builtin_cpu_supports("avx512f") != 0 && __builtin_cpu_supports("avx512vl") != 0 &&
                          __builtin_cpu_supports("avx512dq") != 0 && __builtin_cpu_supports("avx512bw") != 0;
  return has_avx512 ? Isa::avx512 : Isa::avx2;
#else
  return Isa::portable;
#endif
}

}  // namespace

Isa isa_named(const char* name) {
  if (name == nullptr) return best();
  for (std::size_t i = 0; i < isa_count; ++i) {
    if (names[i] != name) continue;
    if (static_cast<Isa>(i) > best())
      fail<ValueError>("GRADUS_ISA is {}, which this machine does not have; portable runs everywhere", names[i]);
    return static_cast<Isa>(i);
  }
  fail<ValueError>("GRADUS_ISA is \"{}\"; portable, avx2 or avx512 is expected", name);
}

Isa isa() {
  static const Isa chosen = isa_named(std::getenv("GRADUS_ISA"));
  return chosen;
}

}  // namespace gradus
