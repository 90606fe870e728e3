// The checksum of the library's files. Internal.
#pragma once

#include <cstddef>
#include <cstdint>

namespace gradus {

/// The CRC-32 of gzip (ISO 3309), of these bytes after others whose it is `so_far`.
std::uint32_t crc32_of(const void* bytes, std::size_t count, std::uint32_t so_far = 0);

}  // namespace gradus
