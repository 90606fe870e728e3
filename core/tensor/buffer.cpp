#include <gradus/core/tensor/buffer.h>

#include <gradus/core/error.h>

#include <cstdlib>

#ifdef __linux__
#include <sys/mman.h>
#endif

namespace gradus {

namespace {

// Rows of a large table are read in no order: with small pages, most of them would need an address translation of
// their own from memory.
constexpr std::size_t huge_page = std::size_t{2} << 20;
constexpr std::size_t large = 2 * huge_page;

}  // namespace

Buffer::Buffer(std::size_t bytes) : bytes_(bytes) {
  if (bytes == 0) return;
  const std::size_t unit = bytes < large ? alignment : huge_page;
  const std::size_t rounded = (bytes + unit - 1) / unit * unit;
  data_ = static_cast<std::byte*>(rounded < bytes ? nullptr : std::aligned_alloc(unit, rounded));
  if (data_ == nullptr) fail<DeviceError>("out of memory: {} bytes were asked for", bytes);
#ifdef __linux__
  if (unit == huge_page) madvise(data_, rounded, MADV_HUGEPAGE);  // a wish: it may be refused
#endif
}

Buffer::~Buffer() { std::free(data_); }

void Buffer::reserve(std::size_t bytes) {
  // A half more than asked: a size that creeps up from run to run settles after a few.
  if (bytes > bytes_) *this = Buffer(bytes_ == 0 ? bytes : bytes + bytes / 2);
}

}  // namespace gradus
