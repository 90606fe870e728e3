// Offsets in one block of memory for values that live at different times.
#pragma once

#include <gradus/core/tensor/buffer.h>

#include <cstdint>
#include <iterator>
#include <map>

namespace gradus {

/// Free stretches of an arena by offset; first fit, neighbours merged.
class Arena {
 public:
  /// Bytes rounded up to whole cache lines: what take() and give() are for.
  static std::int64_t whole_lines(std::int64_t bytes) {
    constexpr auto line = static_cast<std::int64_t>(Buffer::alignment);
    return (bytes + line - 1) / line * line;
  }

  std::int64_t take(std::int64_t bytes) {
    for (auto it = free_.begin(); it != free_.end(); ++it) {
      const auto [offset, length] = *it;
      if (length < bytes) continue;
      free_.erase(it);
      if (length > bytes) free_[offset + bytes] = length - bytes;
      return offset;
    }
    std::int64_t offset = end_;
    if (!free_.empty()) {  // grow the last stretch if it reaches the end
      const auto last = std::prev(free_.end());
      if (last->first + last->second == end_) {
        offset = last->first;
        free_.erase(last);
      }
    }
    end_ = offset + bytes;
    return offset;
  }

  void give(std::int64_t offset, std::int64_t bytes) {
    auto [it, inserted] = free_.emplace(offset, bytes);
    if (const auto next = std::next(it); next != free_.end() && offset + bytes == next->first) {
      it->second += next->second;
      free_.erase(next);
    }
    if (it != free_.begin()) {
      const auto before = std::prev(it);
      if (before->first + before->second == it->first) {
        before->second += it->second;
        free_.erase(it);
      }
    }
  }

  std::int64_t bytes() const { return end_; }

 private:
  std::map<std::int64_t, std::int64_t> free_;
  std::int64_t end_ = 0;
};

}  // namespace gradus
