#include <gradus/ops/device_rows.h>

namespace gradus {

namespace {

constexpr std::string_view gather_rows_text = R"cuda(
extern "C" __global__ void NAME(const T* from, const I* index, T* to, gr_int64 count, gr_int64 width) {
  for (gr_int64 i = gr_first(); i < count * width; i += gr_step()) {
    const gr_int64 row = i / width;
    to[i] = from[gr_int64(index[row]) * width + (i - row * width)];
  }
}
)cuda";

template <class I>
void gather(DeviceCall& call, const std::byte* from, const I* index, std::int64_t count, std::size_t row_bytes,
            std::byte* to) {
  if (count == 0 || row_bytes == 0) return;
  // In pieces as wide as rows and addresses allow.
  const std::size_t bits = row_bytes | reinterpret_cast<std::uintptr_t>(from) | reinterpret_cast<std::uintptr_t>(to);
  const std::size_t cell = bits % 16 == 0 ? 16 : bits % 8 == 0 ? 8 : bits % 4 == 0 ? 4 : 1;
  const std::string_view cells = cell == 16  ? "using T = uint4; "
                                 : cell == 8 ? "using T = uint2; "
                                 : cell == 4 ? "using T = unsigned; "
                                             : "using T = unsigned char; ";
  const auto width = static_cast<std::int64_t>(row_bytes / cell);
  call.launch({"gather_rows", gather_rows_text,
               std::string(cells) + (sizeof(I) == 4 ? "using I = int;" : "using I = gr_int64;")},
              grid_for(count * width), from, index, to, count, width);
}

}  // namespace

void gather_rows(DeviceCall& call, const std::byte* from, const Index* index, std::int64_t count, std::size_t row_bytes,
                 std::byte* to) {
  gather(call, from, index, count, row_bytes, to);
}

void gather_rows(DeviceCall& call, const std::byte* from, const std::int64_t* index, std::int64_t count,
                 std::size_t row_bytes, std::byte* to) {
  gather(call, from, index, count, row_bytes, to);
}

}  // namespace gradus
