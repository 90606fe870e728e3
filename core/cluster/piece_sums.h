// How a batch is cut into pieces of rows, which rank has which of them, and how what the pieces give is added up. The
// pieces are the same however many ranks share them, and so is the binary tree along which they are added: a node of it
// is the sum of its left half and its right. A rank has neighbouring pieces, adds what halves it has of the tree, and
// sends these; all add the rest alike. So sums are the same bits for any number of ranks.
#pragma once

#include <gradus/core/tensor/tensor.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <utility>
#include <vector>

namespace gradus {

/// The first piece of a rank; that of rank `ranks` is the number of pieces.
constexpr std::int64_t first_piece(std::int64_t rank, std::int64_t ranks, std::int64_t pieces) {
  return rank * pieces / ranks;
}
/// The first row of a piece of `rows` rows in all, of which so many stay together.
constexpr std::int64_t first_row(std::int64_t piece, std::int64_t pieces, std::int64_t rows, std::int64_t together) {
  return piece == pieces ? rows : piece * (rows / together) / pieces * together;
}

/// Sums of dense tensors and of rows: several of each piece, in one order.
class PieceSums {
 public:
  explicit PieceSums(std::int64_t pieces) : pieces_(pieces) {}

  /// What a piece gives, in ascending order of the pieces; nothing of one without rows.
  void add(std::int64_t piece, std::vector<Tensor> given);
  /// From now on what is added is kept apart, until it is asked to be joined: for when there is memory for all of it,
  /// but not for sums that are made beside it.
  void keep_apart() { apart_ = true; }
  void join();
  /// What this rank has, as bytes, and what another has, from them. Throws ClusterError for what is no such bytes.
  std::vector<std::byte> to_bytes() const;
  void add_bytes(std::span<const std::byte> bytes);
  /// The sums of all pieces, when all are there; nothing where no piece has rows. They are gone from here then.
  std::vector<Tensor> total() { return taken(root()); }

 private:
  using Place = std::pair<int, std::int64_t>;  // level and number of a node of the tree
  Place root() const;
  std::vector<Tensor> taken(const Place& place);

  std::int64_t pieces_;
  std::map<Place, std::vector<Tensor>> nodes_;
  bool apart_ = false;
};

/// How many sums a rank sends that has pieces first to last - 1: one, where there are 2^n ranks, and as many pieces or
/// a multiple.
std::int64_t parts_of(std::int64_t first, std::int64_t last);
/// Bytes of a sum in what a rank sends to another, of rows with so many rows held; each part has bytes_of_part more.
std::int64_t bytes_sent_of(const Type& sum, std::int64_t rows, bool first_of_its_index);
inline constexpr std::int64_t bytes_of_part = 16;

/// a + b, elementwise, or of two rows tensors the union of their rows. Those of `a` that share an index, as those of
/// `b` then must, share one after.
/// Each is let go of once it is added.
std::vector<Tensor> sums_of(std::vector<Tensor> a, std::vector<Tensor> b);
/// A dense or rows tensor of floating numbers times a number.
Tensor times(const Tensor& x, double factor);

}  // namespace gradus
