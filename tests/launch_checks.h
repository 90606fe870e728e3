// What an op launches on a device against what it computes on the CPU, op by op, without a plan: each dtype and layout
// that it takes, sizes at which its kernel works otherwise (one thread, a warp, a block, pieces), empty ones and those
// of size 1; and that what the CPU refuses is refused in the same words.
#pragma once

#include "op_table.h"

#include <array>
#include <span>

namespace gradus {

inline constexpr std::array all_dtypes{float32, float64, int32, int64, boolean};

/// Runs the cases of launch_cases.h whose inputs are of these dtypes on the device, which is not the CPU, and says how
/// many they are.
int check_launches(const Device& device, std::span<const DType> dtypes, const Complain& complain);

}  // namespace gradus
