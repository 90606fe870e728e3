// Which vector instructions the loops use. The library is compiled for the plain instruction set, so that it runs on
// any machine of its kind; its hot loops are compiled a second time for AVX2 with FMA, those that gain by it a third
// time for AVX-512, and the version is chosen when the program runs. All compute the same formula; products
// differ where FMA rounds a * b + c once instead of twice, elementwise ops do not.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>

namespace gradus {

enum class Isa : std::uint8_t { portable, avx2, avx512 };
inline constexpr std::size_t isa_count = 3;

/// The best this machine has, or what the environment's GRADUS_ISA names ("portable", "avx2" or "avx512"), read once.
/// Throws ValueError if GRADUS_ISA is none of them, or names what the machine has not.
Isa isa();

/// What isa() gives for this value of GRADUS_ISA, null where it is not set.
Isa isa_named(const char* name);

namespace detail {

// Of the x86 machines of the last ten years hardly any runs this one: so it is made small, which saves much of the
// library's time to compile.
template <class Body, class... Args>
#if defined(__x86_64__)
[[gnu::cold]]
#endif
[[gnu::flatten]] auto
run_portable(Args... args) {
  return Body::run(args...);
}

// Flattened: a call that is not inlined would run code of the plain instruction set.
template <class Body, class... Args>
#if defined(__x86_64__)
[[gnu::target("avx2,fma"), gnu::flatten]]
#endif
auto run_avx2(Args... args) {
  return Body::run(args...);
}

template <class Body, class... Args>
#if defined(__x86_64__)
[[gnu::target("avx2,fma,avx512f,avx512vl,avx512dq,avx512bw"), gnu::flatten]]
#endif
auto run_avx512(Args... args) {
  return Body::run(args...);
}

}  // namespace detail

// Not for files that are compiled without optimisation (CMakeLists.txt): of a kernel that several files have, the
// linker keeps any one.
#ifndef GRADUS_COLD

/// Body::run, a static function that is always inlined, compiled for `isa`; for none in particular where
/// GRADUS_PORTABLE is defined, as under sanitizers, which see as much of one of them as of three.
template <Isa isa, class Body, class... Args>
constexpr auto compiled_for() {
#if defined(GRADUS_PORTABLE)
  return &detail::run_portable<Body, Args...>;
#else
  if constexpr (isa == Isa::avx512) {
    return &detail::run_avx512<Body, Args...>;
  } else if constexpr (isa == Isa::avx2) {
    return &detail::run_avx2<Body, Args...>;
  } else {
    return &detail::run_portable<Body, Args...>;
  }
#endif
}

/// Body::run for the machine at hand. Where Body::gains_from_avx512 is not there or false, AVX-512 machines run what is
/// compiled for AVX2: on those measured it is as fast, and takes no time to compile.
template <class Body, class... Args>
auto compiled_here() {
  if constexpr (requires { requires Body::gains_from_avx512; })
    if (isa() == Isa::avx512) return compiled_for<Isa::avx512, Body, Args...>();
  return isa() == Isa::portable ? compiled_for<Isa::portable, Body, Args...>()
                                : compiled_for<Isa::avx2, Body, Args...>();
}

#endif

}  // namespace gradus
