// What ops share that draw random numbers in a run. Internal to ops.
#pragma once

#include <cstdint>

namespace gradus {

/// The seed of one run: splitmix64 (Steele, Lea, Flood, "Fast splittable pseudorandom number generators", OOPSLA
/// 2014), number `run` of the sequence that begins at `seed`.
std::uint64_t seed_of_run(std::uint64_t seed, std::uint64_t run);

}  // namespace gradus
