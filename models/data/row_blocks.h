// Rows that need not fit in memory, in blocks each of which does; and blocks made of others': a part of each block's
// rows, those of several one after another, blocks that are changed on the way. Such read a block when it is asked for
// and keep none.
#pragma once

#include <gradus/models/data/rows.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

namespace gradus {

/// Threads may ask at once.
class RowBlocks {
 public:
  RowBlocks() = default;
  RowBlocks(const RowBlocks&) = delete;
  RowBlocks& operator=(const RowBlocks&) = delete;
  virtual ~RowBlocks() = default;

  /// How many blocks there are, and how many rows each has: one at least.
  virtual std::int64_t blocks() const = 0;
  virtual std::int64_t rows_of(std::int64_t block) const = 0;
  /// Reads a block.
  virtual Rows block(std::int64_t block) const = 0;
  /// What tells these data from others: a CRC-32, of all rows where nothing else is known, which reads them.
  virtual std::uint32_t fingerprint() const;

  /// Rows of all blocks.
  std::int64_t size() const;
};

using SharedBlocks = std::shared_ptr<const RowBlocks>;

/// The stream of random numbers that a block has for itself, apart from the others'; that of block 0 is `stream`, as of
/// data in memory.
std::uint64_t stream_of_block(std::uint64_t stream, std::int64_t block);

/// Rows in memory. Throws ValueError where it does not pass its check().
SharedBlocks in_one_block(const Rows& data);

/// Two parts, drawn by `seed`: of every block about `fraction` of its rows to validate with, round(fraction * size())
/// in all, and the others to train with; of a single block the rows that Rows::split draws. Reading either part
/// reads all. Throws ValueError when the fraction leaves one of them empty.
struct SplitBlocks {
  SharedBlocks train;
  SharedBlocks validation;
};
SplitBlocks split(const SharedBlocks& data, double fraction, std::uint64_t seed = 0);

/// The blocks of all parts, one part after another.
SharedBlocks joined(std::vector<SharedBlocks> parts);

/// Each block as `change` returns it, which must leave the number of its rows; threads may call it at once. Its
/// fingerprint is that of `data`.
SharedBlocks changed(SharedBlocks data, std::function<Rows(Rows)> change);

}  // namespace gradus
