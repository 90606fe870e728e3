// What must hold of a session on any device but the CPU: it gives the CPU's numbers. The emulated device, the collector
// of kernels and the GPU are held to the same.
#pragma once

#include "op_table.h"

#include <gradus/core/device/device.h>

#include <vector>

namespace gradus {

/// Every row of the op table, forward and gradient: float64 to 1e-10, float32 to the row's tolerance, and each node a
/// kernel of its own.
void check_op_table(const Device& device, const Complain& complain);

/// The first case of one row in `share`, fused, in float32 where the row has it. All kernels together take minutes to
/// compile for an emulated device.
void check_op_table_fused(const Device& device, int share, const Complain& complain);

/// Likewise in float64, each node a kernel of its own; all cases of all rows where `share` is 1.
void check_op_table_alone(const Device& device, int share, const Complain& complain);

/// The article's machine over a dense or a csr X by one optimizer in `share`, each step's loss and the variables at the
/// end: float64 to 1e-10, float32 to 1e-4.
void check_optimizers(const Device& device, const std::vector<Layout>& layouts, const std::vector<DType>& dtypes,
                      int share, const Complain& complain);

/// The factorization machine of models/ on shuffled csr batches, whose gradients are rows, by one optimizer in `share`;
/// L2 or none.
void check_batches(const Device& device, int share, const Complain& complain);

/// Feeds that are others in every step, and the same again: dense ones, which are copied to where a recording reads
/// them, and indices of rows that are looked up and trained.
void check_changing_feeds(const Device& device, const Complain& complain);

/// Large matrices of which products by narrow ones are taken, from the left and the right, transposed or not, beside
/// sums of their elements, and of what is computed of them: in one kernel; of one case in `share`.
void check_passes(const Device& device, int share, const Complain& complain);

/// The article's second experiment, MovieLens-100k where it is found and else synthetic ratings, its first `rows` (or
/// all) at once: the losses of so many steps in float32 to 1e-4.
void check_movielens(const Device& device, std::int64_t rows, int steps, const Complain& complain);

}  // namespace gradus
