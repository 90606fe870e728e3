// Rows in an accelerator's memory, copied by index: what gather, part_of and whatever follows a permutation share.
#pragma once

#include <gradus/core/device/device_call.h>

namespace gradus {

/// Row i of `to` becomes row index[i] of `from`, for i < count; rows of so many bytes. Indices must be in range.
void gather_rows(DeviceCall& call, const std::byte* from, const Index* index, std::int64_t count, std::size_t row_bytes,
                 std::byte* to);
void gather_rows(DeviceCall& call, const std::byte* from, const std::int64_t* index, std::int64_t count,
                 std::size_t row_bytes, std::byte* to);

}  // namespace gradus
