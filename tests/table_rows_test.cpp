// Rows of tables in memory: which row numbers there are, at the ends of their range; rows of any width copied.
#include <gradus/core/tensor/table_rows.h>

#include <doctest/doctest.h>

#include <cstdint>
#include <limits>
#include <vector>

namespace gradus {
namespace {

template <class I>
bool below(std::int64_t count, const std::vector<I>& rows) {
  return all_below(count, std::span(rows));
}

TEST_CASE_TEMPLATE("row numbers are below a count, wherever one is not", I, Index, std::int64_t) {
  constexpr I least = std::numeric_limits<I>::min(), greatest = std::numeric_limits<I>::max();
  for (const std::size_t size : {1U, 2U, 7U, 8U, 31U, 64U, 1'001U})
    for (const std::size_t place : {std::size_t{0}, size / 2, size - 1}) {
      CAPTURE(size);
      CAPTURE(place);
      std::vector<I> rows(size, 3);
      const auto with = [&](I row) {
        rows[place] = row;
        return rows;
      };
      CHECK(below(5, with(4)));
      CHECK(below(5, with(0)));
      for (const I row : {I{5}, I{-1}, I{-5}, least, greatest}) CHECK_FALSE(below(5, with(row)));
      CHECK(below(std::numeric_limits<std::int64_t>::max(), with(greatest - (sizeof(I) == 8 ? 1 : 0))));
      CHECK_FALSE(below(std::numeric_limits<std::int64_t>::max(), with(-1)));
      CHECK_FALSE(below(greatest, with(greatest)));
      for (const std::int64_t none : {std::int64_t{0}, std::int64_t{-7}}) {
        CHECK_FALSE(below(none, with(0)));
        CHECK_FALSE(below(none, with(greatest)));
      }
    }
  CHECK(below<I>(0, {}));
}

TEST_CASE_TEMPLATE("rows of any width are copied, and nothing beside them", I, Index, std::int64_t) {
  constexpr std::size_t table_rows = 50;
  for (const std::size_t bytes : {1U, 3U, 4U, 8U, 12U, 15U, 16U, 31U, 32U, 40U, 64U, 80U, 96U, 128U, 200U}) {
    CAPTURE(bytes);
    std::vector<std::byte> table(table_rows * bytes);
    for (std::size_t i = 0; i < table.size(); ++i) table[i] = static_cast<std::byte>(i * 37 % 251);
    const std::vector<I> rows{49, 0, 7, 7, 48, 1};
    std::vector<std::byte> block((rows.size() + 1) * bytes, std::byte{0xA5});
    gather_rows(table.data(), std::span(rows), bytes, block.data());
    for (std::size_t r = 0; r < rows.size(); ++r)
      for (std::size_t b = 0; b < bytes; ++b)
        REQUIRE(block[r * bytes + b] == table[static_cast<std::size_t>(rows[r]) * bytes + b]);
    for (std::size_t b = 0; b < bytes; ++b) REQUIRE(block[rows.size() * bytes + b] == std::byte{0xA5});
  }
}

}  // namespace
}  // namespace gradus
