#include <gradus/core/device/device_call.h>

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <map>

namespace gradus {

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

}  // namespace gradus
