#include <gradus/core/tensor/table_rows.h>

#include <gradus/core/cpu.h>
#include <gradus/core/tensor/as_constant.h>
#include <gradus/core/tensor/buffer.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <type_traits>

namespace gradus {

namespace {

// How many rows on a row is asked for: as many as memory delivers at once while one is waited for.
constexpr std::size_t ahead_of(std::size_t bytes) { return bytes < 32 ? 64 : 32; }

// f(the size as a constant) for the usual sizes, f(0) for others.
template <class F>
void by_bytes(std::size_t bytes, F&& f) {
  as_constant<std::size_t, 4, 8, 32, 64, 80, 128>(bytes, f);
}

using Vector = long long __attribute__((vector_size(32)));
struct [[gnu::packed, gnu::may_alias]] Unaligned {
  Vector v;
};

// Copies a row. What is no usual size is copied in blocks of which the last two may overlap: calling memcpy for a few
// bytes takes longer than they do.
template <std::size_t fixed>
[[gnu::always_inline]] inline void copy_row(std::byte* to, const std::byte* from, std::size_t bytes) {
  const auto in_blocks = [&](auto block) {
    for (std::size_t at = 0; at + block < bytes; at += block) std::memcpy(to + at, from + at, block);
    std::memcpy(to + bytes - block, from + bytes - block, block);
  };
  if constexpr (fixed > 0 && fixed % sizeof(Vector) == 0) {  // a memcpy would be by 16 bytes
    for (std::size_t at = 0; at < fixed; at += sizeof(Vector))
      reinterpret_cast<Unaligned*>(to + at)->v = reinterpret_cast<const Unaligned*>(from + at)->v;
  } else if constexpr (fixed > 0) {
    std::memcpy(to, from, fixed);
  } else if (bytes >= 16) {
    in_blocks(std::integral_constant<std::size_t, 16>{});
  } else if (bytes >= 4) {
    in_blocks(std::integral_constant<std::size_t, 4>{});
  } else {
    std::memcpy(to, from, bytes);
  }
}

// Calls move(row of the table, number in the block) with the rows ahead on their way.
template <class I, class Move>
[[gnu::always_inline]] inline void for_each_row(const std::byte* table, std::span<const I> rows, std::size_t next_rows,
                                                std::size_t bytes, Move&& move) {
  const std::size_t ahead = ahead_of(bytes);
  const std::size_t known = rows.size() + next_rows;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (i + ahead < known) {
      const std::byte* next = table + static_cast<std::size_t>(rows.data()[i + ahead]) * bytes;
      for (std::size_t at = 0; at < bytes; at += Buffer::alignment) __builtin_prefetch(next + at);
      if (bytes % Buffer::alignment != 0) __builtin_prefetch(next + bytes - 1);  // it may end in a line more
    }
    move(static_cast<std::size_t>(rows[i]) * bytes, i * bytes);
  }
}

}  // namespace

std::int64_t rows_at_a_time(std::size_t bytes) {
  constexpr std::size_t bytes_at_a_time = 1 << 18;
  return static_cast<std::int64_t>(std::max<std::size_t>(1, bytes_at_a_time / std::max<std::size_t>(1, bytes)));
}

namespace {

// Of a row that is negative, or greater than the last one, the sign bit is set in it or in the difference; those of all
// are found without an exit.
template <class I>
struct SignsOf {
  [[gnu::always_inline]] static I run(const I* rows, std::size_t count, I last) {
    using Unsigned = std::make_unsigned_t<I>;
    Unsigned signs = 0;
    for (std::size_t i = 0; i < count; ++i) {
      const auto row = static_cast<Unsigned>(rows[i]);
      signs |= row | (static_cast<Unsigned>(last) - row);
    }
    return static_cast<I>(signs);
  }
};

template <class I>
bool are_below(std::int64_t count, std::span<const I> rows) {
  const auto last = static_cast<I>(std::clamp<std::int64_t>(count - 1, -1, std::numeric_limits<I>::max()));
  return compiled_here<SignsOf<I>, const I*, std::size_t, I>()(rows.data(), rows.size(), last) >= 0;
}

}  // namespace

bool all_below(std::int64_t count, std::span<const Index> rows) { return are_below(count, rows); }
bool all_below(std::int64_t count, std::span<const std::int64_t> rows) { return are_below(count, rows); }

namespace {

template <class I, std::size_t fixed>
struct Gather {
  [[gnu::always_inline]] static void run(const std::byte* table, std::span<const I> rows, std::size_t bytes,
                                         std::byte* block, std::size_t next_rows) {
    for_each_row(table, rows, next_rows, fixed > 0 ? fixed : bytes,
                 [&](std::size_t from, std::size_t to) { copy_row<fixed>(block + to, table + from, bytes); });
  }
};

template <class I>
void gather(const std::byte* table, std::span<const I> rows, std::size_t bytes, std::byte* block,
            std::size_t next_rows) {
  if (bytes == 0) return;
  by_bytes(bytes, [&](auto fixed) {
    compiled_here<Gather<I, fixed>, const std::byte*, std::span<const I>, std::size_t, std::byte*, std::size_t>()(
        table, rows, bytes, block, next_rows);
  });
}

}  // namespace

void gather_rows(const std::byte* table, std::span<const Index> rows, std::size_t bytes, std::byte* block,
                 std::size_t next_rows) {
  gather(table, rows, bytes, block, next_rows);
}

void gather_rows(const std::byte* table, std::span<const std::int64_t> rows, std::size_t bytes, std::byte* block,
                 std::size_t next_rows) {
  gather(table, rows, bytes, block, next_rows);
}

void scatter_rows(const std::byte* block, std::span<const Index> rows, std::size_t bytes, std::byte* table,
                  std::size_t next_rows) {
  if (bytes == 0) return;
  by_bytes(bytes, [&](auto fixed) {
    for_each_row(table, rows, next_rows, fixed > 0 ? fixed : bytes,
                 [&](std::size_t to, std::size_t from) { copy_row<fixed>(table + to, block + from, bytes); });
  });
}

}  // namespace gradus
