// Numbers: the same bits and the same end as std::from_chars, wherever both take the text.
#include <gradus/models/data/detail/number_text.h>

#include <bit>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <system_error>

using namespace gradus;

namespace {

template <class T>
void compare(const char* first, const char* end) {
  T ours = 0, theirs = 0;
  const char* const p = read_number(first, end, ours);
  (void)why_not_a_number<T>(std::string_view(first, end));
  const bool plus = first != end && *first == '+';
  const auto [q, error] = std::from_chars(first + (plus ? 1 : 0), end, theirs);
  const bool taken = error == std::errc() && std::isfinite(theirs) && !(plus && first[1] == '-');
  if (taken != (p != nullptr) && error != std::errc::result_out_of_range) std::abort();
  if (p != nullptr && error == std::errc::result_out_of_range && ours != 0) std::abort();
  if (!taken) return;
  if (p != q || ours != theirs || std::signbit(ours) != std::signbit(theirs)) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const char* const first = reinterpret_cast<const char*>(data);
  compare<float>(first, first + size);
  compare<double>(first, first + size);
  return 0;
}
