#include <gradus/core/device/device_call.h>

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <map>

namespace gradus {

namespace {

std::string_view cuda_names[] = {"float", "double", "int", "gr_int64", "bool"};

}  // namespace

DevicePattern::DevicePattern(std::shared_ptr<Accelerator> accelerator, std::shared_ptr<const CsrPattern> pattern)
    : accelerator_(std::move(accelerator)), pattern_(std::move(pattern)) {}

template <class T>
const T* DevicePattern::uploaded(DeviceMemory& memory, std::span<const T> from) {
  const auto bytes = static_cast<std::int64_t>(from.size_bytes());
  if (memory.data() == nullptr && bytes > 0) {
    memory = DeviceMemory(accelerator_, bytes);
    accelerator_->upload(memory.data(), reinterpret_cast<const std::byte*>(from.data()), bytes);
  }
  return reinterpret_cast<const T*>(memory.data());
}

const std::int64_t* DevicePattern::row_start() { return uploaded(row_start_, std::span(pattern_->row_start)); }
const Index* DevicePattern::column() { return uploaded(column_, pattern_->column); }
const Index* DevicePattern::slot() { return uploaded(slot_, std::span(pattern_->touched().slot)); }
const Index* DevicePattern::touched() { return uploaded(touched_, std::span(pattern_->touched().columns->row)); }

const Index* DevicePattern::row() {
  if (row_.data() != nullptr) return reinterpret_cast<const Index*>(row_.data());
  std::vector<Index> row(static_cast<std::size_t>(pattern_->non_zeros()));
  for (std::int64_t r = 0; r < pattern_->rows; ++r)
    std::fill(row.begin() + pattern_->row_start[static_cast<std::size_t>(r)],
              row.begin() + pattern_->row_start[static_cast<std::size_t>(r) + 1], static_cast<Index>(r));
  return uploaded(row_, std::span<const Index>(row));
}

DevicePattern::ByColumn DevicePattern::by_column() {
  const CsrPattern::ByColumn& host = pattern_->by_column();
  return {uploaded(start_, std::span(host.start)), uploaded(by_row_, std::span(host.row)),
          uploaded(position_, std::span(host.position))};
}

struct DeviceIndices::State {
  struct Rows {
    std::shared_ptr<const RowIndex> host;
    DeviceMemory memory;
  };
  std::shared_ptr<Accelerator> accelerator;
  std::map<const CsrPattern*, std::unique_ptr<DevicePattern>> patterns;
  std::map<const CsrPattern*, std::shared_ptr<const CsrPattern>> hosts;
  std::map<const RowIndex*, Rows> rows;
};

DeviceIndices::DeviceIndices(std::shared_ptr<Accelerator> accelerator) : state_(std::make_shared<State>()) {
  state_->accelerator = std::move(accelerator);
}

DevicePattern& DeviceIndices::of(const std::shared_ptr<const CsrPattern>& pattern) {
  std::unique_ptr<DevicePattern>& found = state_->patterns[pattern.get()];
  if (!found) {
    found = std::make_unique<DevicePattern>(state_->accelerator, pattern);
    state_->hosts[pattern.get()] = pattern;
  }
  return *found;
}

const Index* DeviceIndices::of(const std::shared_ptr<const RowIndex>& index) {
  State::Rows& found = state_->rows[index.get()];
  if (!found.host) {
    const auto bytes = static_cast<std::int64_t>(index->row.size() * sizeof(Index));
    found = {index, DeviceMemory(state_->accelerator, bytes)};
    if (bytes > 0)
      state_->accelerator->upload(found.memory.data(), reinterpret_cast<const std::byte*>(index->row.data()), bytes);
  }
  return reinterpret_cast<const Index*>(found.memory.data());
}

void DeviceIndices::drop_unused() {
  std::erase_if(state_->rows, [](const auto& entry) { return entry.second.host.use_count() == 1; });
  std::erase_if(state_->patterns, [&](const auto& entry) {
    const auto host = state_->hosts.find(entry.first);
    if (host->second.use_count() > 2) return false;  // the pattern's own and the map's
    state_->hosts.erase(host);
    return true;
  });
}

std::byte* DeviceCall::scratch(std::int64_t bytes) {
  scratch_.reserve(accelerator_, bytes);
  return scratch_.data();
}

void DeviceCall::set_pattern(std::shared_ptr<const CsrPattern> pattern) {
  output_.stored = pattern->non_zeros();
  growing_.numbers.reserve(accelerator_, output_.stored * static_cast<std::int64_t>(size_of(output_.type.dtype)));
  output_.data = growing_.numbers.data();
  output_.pattern = std::move(pattern);
}

void DeviceCall::set_index(std::shared_ptr<const RowIndex> index) {
  output_.stored = index->count() * output_.row_size();
  growing_.numbers.reserve(accelerator_, output_.stored * static_cast<std::int64_t>(size_of(output_.type.dtype)));
  output_.data = growing_.numbers.data();
  output_.index = std::move(index);
}

std::shared_ptr<RowIndex> DeviceCall::new_index() {
  std::shared_ptr<RowIndex>& index = growing_.index;
  if (index.use_count() != 1) index = std::make_shared<RowIndex>();
  std::atomic_thread_fence(std::memory_order_acquire);  // whoever dropped it has read it
  index->row.clear();
  return index;
}

std::byte* DeviceCall::keep(std::int64_t bytes) {
  growing_.kept.reserve(accelerator_, bytes);
  return growing_.kept.data();
}

std::span<const std::byte> DeviceCall::numbers(int i) {
  const KnownNumbers known = known_of(i);
  looked_at_numbers_ = true;
  if (!known.of_feeds) looked_at_changing_numbers_ = true;
  const std::size_t bytes = static_cast<std::size_t>(in(i).stored) * size_of(in(i).type.dtype);
  if (known.here != nullptr) return {known.here, bytes};
  downloaded_.resize(bytes);
  if (bytes > 0) accelerator_->download(downloaded_.data(), in(i).data, static_cast<std::int64_t>(bytes));
  return downloaded_;
}

std::string DeviceCall::source(int i) const {
  const Expr input = node.input(i);
  return fmt::format("({}, {})", input.name(), to_string(input.where()));
}

Grid grid_for(std::int64_t n, int threads) {
  constexpr std::int64_t most_blocks = 4096;
  return {std::min(most_blocks, (n + threads - 1) / threads), threads};
}

std::string_view cuda_name(DType dtype) { return cuda_names[static_cast<std::size_t>(dtype)]; }

std::string using_type(DType dtype) { return fmt::format("using T = {};", cuda_name(dtype)); }

}  // namespace gradus
