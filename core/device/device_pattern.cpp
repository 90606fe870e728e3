#include <gradus/core/device/device_pattern.h>

#include <fmt/format.h>

#include <string_view>
#include <utility>

namespace gradus {

namespace {

// Fewer values the host finds sooner than a kernel could be launched for them.
constexpr std::int64_t worth_a_launch = 1 << 15;
constexpr int warp = 32, block = 256;

// Of the sort, which goes by one digit of the keys after the other.
constexpr int digit_bits = 5;
constexpr std::int64_t digits = 1 << digit_bits;
constexpr std::int64_t tile_size = 4096;

const KernelText equal_rows{"equal_rows", R"(
extern "C" __global__ void NAME(gr_int64 rows, gr_int64 length, gr_int64* start) {
  for (gr_int64 r = gr_first(); r <= rows; r += gr_step()) start[r] = r * length;
}
)"};

// Where each column stands among the active ones, which are sorted and of which it is one.
const KernelText find_slots{"find_slots", R"(
extern "C" __global__ void NAME(gr_int64 n, gr_int64 count, const int* column, const int* active, int* slot) {
  for (gr_int64 i = gr_first(); i < n; i += gr_step()) {
    int first = 0;
    for (int left = int(count); left > 1;) {
      const int half = left / 2;
      if (active[first + half] <= column[i]) first += half;
      left -= half;
    }
    slot[i] = first;
  }
}
)"};

const KernelText row_of_each{"row_of_each", R"(
extern "C" __global__ void NAME(gr_int64 rows, const gr_int64* start, int* row) {
  for (gr_int64 r = gr_first() / 32; r < rows; r += gr_step() / 32)
    for (gr_int64 j = start[r] + threadIdx.x % 32; j < start[r + 1]; j += 32) row[j] = int(r);
}
)"};

// A step of the sort. First, how often each digit stands in each tile: totals [digits, tiles].
constexpr std::string_view count_digits = R"(
extern "C" __global__ void NAME(gr_int64 n, int shift, const int* key, gr_int64 tiles, gr_int64* totals) {
  __shared__ int count[digits];
  for (gr_int64 tile = blockIdx.x; tile < tiles; tile += gridDim.x) {
    if (threadIdx.x < digits) count[threadIdx.x] = 0;
    __syncthreads();
    const gr_int64 begin = tile * tile_size, end = begin + tile_size < n ? begin + tile_size : n;
    for (gr_int64 i = begin + threadIdx.x; i < end; i += blockDim.x)
      atomicAdd(&count[key[i] >> shift & (digits - 1)], 1);
    __syncthreads();
    if (threadIdx.x < digits) totals[threadIdx.x * tiles + tile] = count[threadIdx.x];
    __syncthreads();
  }
}
)";

// Second, where in the result the first key of each digit and tile stands: sums of the totals before them, by one
// block. Several are read before any is written.
constexpr std::string_view sums_before = R"(
extern "C" __global__ void NAME(gr_int64 n, gr_int64* x) {
  const gr_int64 each = (n + blockDim.x - 1) / blockDim.x, first = threadIdx.x * each;
  const gr_int64 end = first + each < n ? first + each : n;
  gr_int64 sum = 0;
#pragma unroll 8
  for (gr_int64 i = first; i < end; ++i) sum += x[i];
  gr_int64 before = gr_block_sum_before(sum);
  constexpr int at_once = 8;
  for (gr_int64 i = first; i < end; i += at_once) {
    gr_int64 here[at_once];
    for (int u = 0; u < at_once; ++u) here[u] = i + u < end ? x[i + u] : 0;
    for (int u = 0; u < at_once; ++u) {
      if (i + u < end) x[i + u] = before;
      before += here[u];
    }
  }
}
)";

// Third, each key to its place, with the position that it had at first. A thread has a stretch of the tile, whose keys
// stay in their order; the tile is sorted before it is written, so that neighbours are written together.
constexpr std::string_view place_by_digit = R"(
extern "C" __global__ void NAME(gr_int64 n, int shift, const int* key, const int* position, gr_int64 tiles,
                                const gr_int64* first, int* sorted, int* sorted_position) {
  constexpr int threads = 256, stretch = tile_size / threads;
  __shared__ unsigned short place[digits * threads];  // by digit and thread: of its next such key in the sorted tile
  __shared__ unsigned short digit_first[digits], from[tile_size];
  const int t = threadIdx.x;
  for (gr_int64 tile = blockIdx.x; tile < tiles; tile += gridDim.x) {
    const gr_int64 begin = tile * tile_size;
    const int count = begin + tile_size < n ? tile_size : int(n - begin);
    const int stretch_end = (t + 1) * stretch < count ? (t + 1) * stretch : count;
    const int* keys = key + begin;
    for (int digit = 0; digit < digits; ++digit) place[digit * threads + t] = 0;
    for (int i = t * stretch; i < stretch_end; ++i) ++place[(keys[i] >> shift & (digits - 1)) * threads + t];
    __syncthreads();
    int sum = 0;
    for (int j = t * digits; j < (t + 1) * digits; ++j) sum += place[j];
    int before = gr_block_sum_before(sum);
    for (int j = t * digits; j < (t + 1) * digits; ++j) {
      const int here = place[j];
      place[j] = (unsigned short)before;
      before += here;
    }
    __syncthreads();
    if (t < digits) digit_first[t] = place[t * threads];
    __syncthreads();
    for (int i = t * stretch; i < stretch_end; ++i)
      from[place[(keys[i] >> shift & (digits - 1)) * threads + t]++] = (unsigned short)i;
    __syncthreads();
    for (int i = t; i < count; i += threads) {
      const int k = keys[from[i]], digit = k >> shift & (digits - 1);
      const gr_int64 to = first[digit * tiles + tile] + (i - digit_first[digit]);
      sorted[to] = k;
      sorted_position[to] = position != nullptr ? position[begin + from[i]] : int(begin + from[i]);
    }
    __syncthreads();
  }
}
)";

const KernelText columns_of_sorted{"columns_of_sorted", R"(
extern "C" __global__ void NAME(gr_int64 n, gr_int64 columns, const int* slot, const int* sorted, const int* row,
                                gr_int64* start, int* by_row, gr_int64* position) {
  for (gr_int64 i = gr_first(); i < n; i += gr_step()) {
    by_row[i] = row[sorted[i]];
    position[i] = sorted[i];
    if (i == 0 || slot[i] != slot[i - 1]) start[slot[i]] = i;
    if (i + 1 == n) start[columns] = n;
  }
}
)"};

KernelText of_sort(std::string_view name, std::string_view text) {
  return {name, text, fmt::format("constexpr int digits = {}, tile_size = {};", digits, tile_size)};
}

template <class T>
const T* as(const DeviceMemory& memory) {
  return reinterpret_cast<const T*>(memory.data());
}

}  // namespace

const Index* DeviceRows::of(const std::shared_ptr<const RowIndex>& index) {
  Uploaded& found = uploaded_[index.get()];
  if (!found.host) {
    const auto bytes = static_cast<std::int64_t>(index->row.size() * sizeof(Index));
    found = {index, DeviceMemory(accelerator_, bytes)};
    if (bytes > 0)
      accelerator_->upload(found.memory.data(), reinterpret_cast<const std::byte*>(index->row.data()), bytes);
  }
  return as<Index>(found.memory);
}

void DeviceRows::drop_unused() {
  std::erase_if(uploaded_, [](const auto& entry) { return entry.second.host.use_count() == 1; });
}

DevicePattern::DevicePattern(std::shared_ptr<Accelerator> accelerator, DeviceRows& rows,
                             std::shared_ptr<const CsrPattern> pattern)
    : accelerator_(std::move(accelerator)), rows_(rows), pattern_(std::move(pattern)) {}

bool DevicePattern::is_large() const {
  return pattern_->non_zeros() >= worth_a_launch && pattern_->non_zeros() <= INT32_MAX;
}

template <class T>
const T* DevicePattern::uploaded(DeviceMemory& memory, std::span<const T> from) {
  const auto bytes = static_cast<std::int64_t>(from.size_bytes());
  if (memory.data() == nullptr && bytes > 0) {
    memory = DeviceMemory(accelerator_, bytes);
    accelerator_->upload(memory.data(), reinterpret_cast<const std::byte*>(from.data()), bytes);
  }
  return reinterpret_cast<const T*>(memory.data());
}

const std::int64_t* DevicePattern::row_start() {
  const std::int64_t rows = pattern_->rows, length = pattern_->row_length();
  if (length < 0 || rows < worth_a_launch) return uploaded(row_start_, std::span(pattern_->row_start));
  if (row_start_.data() == nullptr) {
    row_start_ = DeviceMemory(accelerator_, (rows + 1) * std::int64_t{sizeof(std::int64_t)});
    launch_on(*accelerator_, equal_rows, grid_for(rows + 1), rows, length, row_start_.data());
  }
  return as<std::int64_t>(row_start_);
}

const Index* DevicePattern::column() { return uploaded(column_, pattern_->column); }
const Index* DevicePattern::active() { return rows_.of(pattern_->active_columns()); }

const Index* DevicePattern::slot() {
  if (!is_large()) return uploaded(slot_, std::span(pattern_->active().slot));
  if (slot_.data() == nullptr) {
    const std::int64_t n = pattern_->non_zeros();
    slot_ = DeviceMemory(accelerator_, n * std::int64_t{sizeof(Index)});
    launch_on(*accelerator_, find_slots, grid_for(n), n, pattern_->active_columns()->count(), column(), active(),
              slot_.data());
  }
  return as<Index>(slot_);
}

const Index* DevicePattern::row() {
  if (row_.data() == nullptr && pattern_->non_zeros() > 0) {
    row_ = DeviceMemory(accelerator_, pattern_->non_zeros() * std::int64_t{sizeof(Index)});
    launch_on(*accelerator_, row_of_each, grid_for(pattern_->rows * warp), pattern_->rows, row_start(), row_.data());
  }
  return as<Index>(row_);
}

DevicePattern::ByColumn DevicePattern::by_column() {
  if (!is_large()) {
    const CsrPattern::ByColumn& host = pattern_->by_column();
    return {uploaded(start_, std::span(host.start)), uploaded(by_row_, std::span(host.row)),
            uploaded(position_, std::span(host.position))};
  }
  if (start_.data() == nullptr) sort_by_column();
  return {as<std::int64_t>(start_), as<Index>(by_row_), as<std::int64_t>(position_)};
}

// A radix sort of the non-zeros by their slots: stable, so rows ascend within each column.
void DevicePattern::sort_by_column() {
  const std::int64_t n = pattern_->non_zeros(), columns = pattern_->active_columns()->count();
  const std::int64_t tiles = (n + tile_size - 1) / tile_size;
  const Grid grid = grid_for(tiles * block);  // a block a tile
  const auto memory = [&](std::int64_t count, std::size_t size) {
    return DeviceMemory(accelerator_, count * static_cast<std::int64_t>(size));
  };
  const DeviceMemory total = memory(tiles * digits, sizeof(std::int64_t));
  struct Sorted {
    DeviceMemory key, position;
  };
  Sorted steps[2] = {{memory(n, sizeof(Index)), memory(n, sizeof(Index))},
                     {memory(n, sizeof(Index)), memory(n, sizeof(Index))}};
  const Index* key = slot();
  const Index* position = nullptr;
  for (int shift = 0, step = 0; step == 0 || (columns - 1) >> shift > 0; shift += digit_bits, ++step) {
    const Sorted& to = steps[step % 2];
    launch_on(*accelerator_, of_sort("count_digits", count_digits), grid, n, shift, key, tiles, total.data());
    launch_on(*accelerator_, of_sort("sums_before", sums_before), {1}, tiles * digits, total.data());
    launch_on(*accelerator_, of_sort("place_by_digit", place_by_digit), grid, n, shift, key, position, tiles,
              total.data(), to.key.data(), to.position.data());
    key = as<Index>(to.key);
    position = as<Index>(to.position);
  }
  start_ = memory(columns + 1, sizeof(std::int64_t));
  by_row_ = memory(n, sizeof(Index));
  position_ = memory(n, sizeof(std::int64_t));
  launch_on(*accelerator_, columns_of_sorted, grid_for(n), n, columns, key, position, row(), start_.data(),
            by_row_.data(), position_.data());
}

struct DeviceIndices::State {
  explicit State(std::shared_ptr<Accelerator> device) : accelerator(std::move(device)), rows(accelerator) {}

  std::shared_ptr<Accelerator> accelerator;
  DeviceRows rows;
  std::map<const CsrPattern*, std::unique_ptr<DevicePattern>> patterns;
  std::map<const CsrPattern*, std::shared_ptr<const CsrPattern>> hosts;
};

DeviceIndices::DeviceIndices(std::shared_ptr<Accelerator> accelerator)
    : state_(std::make_shared<State>(std::move(accelerator))) {}

DevicePattern& DeviceIndices::of(const std::shared_ptr<const CsrPattern>& pattern) {
  std::unique_ptr<DevicePattern>& found = state_->patterns[pattern.get()];
  if (!found) {
    found = std::make_unique<DevicePattern>(state_->accelerator, state_->rows, pattern);
    state_->hosts[pattern.get()] = pattern;
  }
  return *found;
}

const Index* DeviceIndices::of(const std::shared_ptr<const RowIndex>& index) { return state_->rows.of(index); }

void DeviceIndices::drop_unused() {
  std::erase_if(state_->patterns, [&](const auto& entry) {
    const auto host = state_->hosts.find(entry.first);
    if (host->second.use_count() > 2) return false;  // the pattern's own and the map's
    state_->hosts.erase(host);
    return true;
  });
  state_->rows.drop_unused();
}

}  // namespace gradus
