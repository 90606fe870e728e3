// Memory that the plans of a session work in, one plan at a time: what a run leaves there the next may write over. So
// plans for many sizes of batches need no more of it than the largest does.
#pragma once

#include <gradus/core/graph/op.h>

#include <cstddef>
#include <deque>

namespace gradus {

struct WorkingMemory {
  /// What a piece of a region works in while others do.
  struct Lane {
    Buffer tiles;
    Buffer sums;
    Buffer scratch;
    std::deque<Growing> growing;  // by member of the region
  };

  Buffer arena;
  Buffer scratch;
  std::deque<Growing> growing;  // of results whose size only a run knows, in the order in which a plan asks for them
  std::deque<Lane> lanes;

  /// Makes room for elements 0 to count - 1, which stay where they are.
  template <class T>
  static void make_room(std::deque<T>& of, std::size_t count) {
    while (of.size() < count) of.emplace_back();
  }
};

}  // namespace gradus
