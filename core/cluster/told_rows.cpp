#include <gradus/core/cluster/told_rows.h>

#include <gradus/core/at.h>

#include <algorithm>
#include <cstring>
#include <limits>

namespace gradus {

namespace {

constexpr std::size_t most_groups = 32;

std::size_t bytes_of(const Type& row) { return at(row.shape.size()) * size_of(row.dtype); }

}  // namespace

ToldRows::ToldRows(std::vector<std::shared_ptr<const RowIndex>> by_piece, int ranks)
    : by_piece_(std::move(by_piece)), ranks_(ranks), groups_(std::min(by_piece_.size(), most_groups)) {
  count_.resize(groups_, 0);
  for (const auto& each : by_piece_) named_in_all_ += each->row.size();
  named_.reserve(named_in_all_);
  group_.reserve(named_in_all_);
  std::vector<std::size_t> next(by_piece_.size(), 0);
  while (true) {
    constexpr std::int64_t none = std::numeric_limits<std::int64_t>::max();
    std::int64_t least = none;
    for (std::size_t p = 0; p < next.size(); ++p)
      if (next[p] < by_piece_[p]->row.size()) least = std::min<std::int64_t>(least, by_piece_[p]->row[next[p]]);
    if (least == none) break;
    std::size_t last = 0;
    for (std::size_t p = 0; p < next.size(); ++p)
      if (next[p] < by_piece_[p]->row.size() && by_piece_[p]->row[next[p]] == least) {
        ++next[p];
        last = p;
      }
    named_.push_back(static_cast<Index>(least));
    group_.push_back(static_cast<std::uint8_t>(group_of(last)));
    ++count_[group_.back()];
  }
}

void ToldRows::expect(const Type& row, std::span<const std::int64_t> capacity) {
  Variable& made = variables_.emplace_back(Variable{row, {}, std::vector<std::size_t>(groups_, 0)});
  for (std::size_t g = 0; g < groups_; ++g) {
    // Where a group is one piece, its rows become the piece's small table.
    const std::int64_t room = groups_ == by_piece_.size() ? std::max(capacity[g], count_[g]) : count_[g];
    made.rows.push_back(Tensor::uninitialized({row.dtype, row.shape.with(0, room), Layout::dense}));
  }
}

void ToldRows::take(std::size_t variable, std::size_t first, std::size_t last, std::span<const std::byte*> from) {
  Variable& v = variables_.at(variable);
  const std::size_t bytes = bytes_of(v.row);
  if (bytes == 0) return;
  std::vector<std::byte*> to;
  for (std::size_t g = 0; g < groups_; ++g) to.push_back(v.rows[g].writable_data() + v.taken[g]);
  for (std::size_t i = first; i < last; ++i) {
    const std::byte*& theirs = from[at(named_[i] % ranks_)];
    std::memcpy(to[group_[i]], theirs, bytes);
    to[group_[i]] += bytes;
    v.taken[group_[i]] += bytes;
    theirs += bytes;
  }
}

Tensor ToldRows::rows_of(std::size_t variable, std::size_t piece, std::int64_t capacity, bool last) {
  Variable& v = variables_.at(variable);
  const std::size_t bytes = bytes_of(v.row), group = group_of(piece);
  const std::vector<Index>& wanted = by_piece_[piece]->row;
  const bool in_place = last && groups_ == by_piece_.size() && v.rows[group].dim(0) == capacity;
  Tensor small =
      in_place ? v.rows[group] : Tensor::uninitialized({v.row.dtype, v.row.shape.with(0, capacity), Layout::dense});
  if (small.stored() > 0) {
    std::byte* const to = small.writable_data();
    std::vector<const std::byte*> from;
    for (const Tensor& rows : v.rows) from.push_back(rows.data());
    // From the last on: rows of the piece's own group move up, over those that have moved.
    std::vector<std::size_t> left(count_.begin(), count_.end());
    std::size_t i = wanted.size();
    for (std::size_t n = named_.size(); n > 0 && i > 0; --n) {
      const std::size_t place = --left[group_[n - 1]];
      if (wanted[i - 1] != named_[n - 1]) continue;
      --i;
      const std::byte* const row = from[group_[n - 1]] + place * bytes;
      if (row != to + i * bytes) std::memcpy(to + i * bytes, row, bytes);
    }
    const std::size_t held = wanted.size() * bytes, all = at(capacity) * bytes;
    if (all > held) std::memset(to + held, 0, all - held);
  }
  const bool ends_group = piece + 1 == by_piece_.size() || group_of(piece + 1) != group;
  for (std::size_t g = 0; last && g < groups_; ++g)
    if (g < group || (g == group && ends_group)) v.rows[g] = Tensor();
  return small;
}

}  // namespace gradus
