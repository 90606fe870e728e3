// What an op launches on a device against what it computes on the CPU, op by op, without a plan: each dtype and layout
// that it takes, sizes at which its kernel works otherwise (one thread, a warp, a block, pieces), empty ones and those
// of size 1; and that what the CPU refuses is refused in the same words.
#pragma once

#include "op_table.h"

namespace gradus {

/// Runs all cases of launch_cases.h on the device, which is not the CPU, and says how many they are.
int check_launches(const Device& device, const Complain& complain);

}  // namespace gradus
