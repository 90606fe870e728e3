// A small matrix laid out the other way, for what reads its columns again and again.
#pragma once

#include <cstdint>
#include <cstring>

namespace gradus {

/// to[c, r] = from[r, c] for r < rows, c < columns; rows of `from` are from_row elements apart, those of `to` to_row.
/// The two must not overlap. T has four bytes or eight: squares of 16 bytes a row change places in registers.
template <class T>
void transpose_block(const T* from, std::int64_t from_row, std::int64_t rows, std::int64_t columns, T* to,
                     std::int64_t to_row) {
  using V [[gnu::vector_size(16)]] = T;
  constexpr std::int64_t side = sizeof(V) / sizeof(T);
  static_assert(side == 4 || side == 2);
  std::int64_t r = 0;
  for (; r + side <= rows; r += side) {
    std::int64_t c = 0;
    for (; c + side <= columns; c += side) {
      V x[side], y[side];
      for (std::int64_t i = 0; i < side; ++i) std::memcpy(&x[i], from + (r + i) * from_row + c, sizeof(V));
      if constexpr (side == 4) {
        const V low[2] = {__builtin_shufflevector(x[0], x[1], 0, 4, 1, 5),
                          __builtin_shufflevector(x[2], x[3], 0, 4, 1, 5)};
        const V high[2] = {__builtin_shufflevector(x[0], x[1], 2, 6, 3, 7),
                           __builtin_shufflevector(x[2], x[3], 2, 6, 3, 7)};
        y[0] = __builtin_shufflevector(low[0], low[1], 0, 1, 4, 5);
        y[1] = __builtin_shufflevector(low[0], low[1], 2, 3, 6, 7);
        y[2] = __builtin_shufflevector(high[0], high[1], 0, 1, 4, 5);
        y[3] = __builtin_shufflevector(high[0], high[1], 2, 3, 6, 7);
      } else {
        y[0] = __builtin_shufflevector(x[0], x[1], 0, 2);
        y[1] = __builtin_shufflevector(x[0], x[1], 1, 3);
      }
      for (std::int64_t i = 0; i < side; ++i) std::memcpy(to + (c + i) * to_row + r, &y[i], sizeof(V));
    }
    for (; c < columns; ++c)
      for (std::int64_t i = r; i < r + side; ++i) to[c * to_row + i] = from[i * from_row + c];
  }
  for (; r < rows; ++r)
    for (std::int64_t c = 0; c < columns; ++c) to[c * to_row + r] = from[r * from_row + c];
}

}  // namespace gradus
