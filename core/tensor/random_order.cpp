#include <gradus/core/tensor/random_order.h>

#include <gradus/core/error.h>
#include <gradus/core/tensor/random.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <numeric>
#include <utility>

namespace gradus {

namespace {

constexpr std::size_t per_block = 4;  // random numbers of 32 bits in a Philox block

std::array<std::uint32_t, 2> words_of(std::uint64_t x) {
  return {static_cast<std::uint32_t>(x), static_cast<std::uint32_t>(x >> 32)};
}

std::array<std::uint32_t, 4> counter_of(std::uint64_t stream, std::uint64_t number, std::uint32_t attempt) {
  const auto [low, high] = words_of(stream);
  return {static_cast<std::uint32_t>(number), attempt, low, high};
}

// Any number below `range` with the same probability, from a random word; draw(attempt) gives another word for the few
// that would favour some (Lemire, "Fast random integer generation in an interval", 2019).
template <class Draw>
std::uint32_t below(std::uint32_t range, std::uint32_t word, Draw&& draw) {
  std::uint64_t product = std::uint64_t{word} * range;
  if (static_cast<std::uint32_t>(product) < range) {
    const std::uint32_t first_fair = (0 - range) % range;
    for (std::uint32_t attempt = 1; static_cast<std::uint32_t>(product) < first_fair; ++attempt)
      product = std::uint64_t{draw(attempt)} * range;
  }
  return static_cast<std::uint32_t>(product >> 32);
}

}  // namespace

RandomOrder::RandomOrder(std::int64_t count, std::uint64_t seed, std::uint64_t stream) : seed_(seed), stream_(stream) {
  if (count < 0 || count > max_sparse_dimension)
    fail<ValueError>("an order of {} rows; 0 to {} can be ordered", count, max_sparse_dimension);
  order_.resize(static_cast<std::size_t>(count));
  std::iota(order_.begin(), order_.end(), Index{0});
}

// Position i is exchanged with one of i to count - 1. Those of a stretch are drawn first and asked for, since a large
// order is far away; at once they would each be waited for.
void RandomOrder::extend(std::size_t end) {
  constexpr std::size_t stretch = per_block * philox_run_blocks;
  std::array<std::uint32_t, stretch> word;  // of the positions from `aligned` on
  std::array<std::size_t, stretch> with;
  while (done_ < end) {
    const std::size_t aligned = done_ / per_block * per_block;
    const std::size_t count = std::min(aligned + stretch, end) - done_;
    philox_run(counter_of(stream_, aligned / per_block, 0), words_of(seed_), word);
    for (std::size_t j = 0; j < count; ++j) {
      const std::size_t i = done_ + j;
      const auto range = static_cast<std::uint32_t>(order_.size() - i);
      with[j] = i + below(range, word[i - aligned], [&](std::uint32_t attempt) {
                  return philox(counter_of(stream_, i / per_block, attempt), words_of(seed_))[i % per_block];
                });
      __builtin_prefetch(&order_[with[j]], 1);
    }
    for (std::size_t j = 0; j < count; ++j) std::swap(order_[done_ + j], order_[with[j]]);
    done_ += count;
  }
}

std::span<const Index> RandomOrder::at(std::int64_t first, std::int64_t count) {
  extend(static_cast<std::size_t>(first + count));
  return std::span(order_).subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(count));
}

}  // namespace gradus
