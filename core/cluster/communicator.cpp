#include <gradus/core/cluster/communicator.h>

#include <gradus/core/at.h>

#include <cstdlib>

namespace gradus {

Communicator::Communicator(std::unique_ptr<RankLink> link) : state_(std::make_shared<State>()) {
  state_->link = std::move(link);
}

std::vector<std::span<const std::byte>> Communicator::all_gather(std::string_view step,
                                                                 std::span<const std::byte> mine) {
  State& s = *state_;
  s.last = s.link->exchange({std::string(step), s.note, s.flag, std::vector(mine.begin(), mine.end())});
  check_steps(s.last);
  s.bytes_sent += std::ssize(mine) * (size() - 1);
  s.flag_seen = false;
  std::vector<std::span<const std::byte>> all;
  for (const auto& message : s.last) {
    s.flag_seen = s.flag_seen || message->flag;
    all.emplace_back(message->bytes);
  }
  return all;
}

void Communicator::abort(std::string_view why) {
  state_->link->abort(why);
  std::abort();  // not reached
}

std::string rank_and_note(int rank, std::string_view note) {
  return note.empty() ? fmt::format("rank {}", rank) : fmt::format("rank {} (last heard: {})", rank, note);
}

std::string waited_in_vain(int rank, std::chrono::milliseconds limit, std::string_view step,
                           std::string_view for_whom) {
  return fmt::format("rank {} has waited {:.3g} s in step '{}' for {}", rank,
                     std::chrono::duration<double>(limit).count(), step, for_whom);
}

void check_steps(std::span<const std::shared_ptr<const RankMessage>> all) {
  for (std::size_t r = 1; r < all.size(); ++r)
    if (all[r]->step != all[0]->step)
      fail<ClusterError>(
          "rank 0 is in step '{}' while rank {} is in step '{}'; all ranks must run the same, in the same order",
          all[0]->step, r, all[r]->step);
}

}  // namespace gradus
