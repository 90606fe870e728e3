#include <gradus/core/cluster/communicator.h>

#include <gradus/core/at.h>

#include <cstdlib>

namespace gradus {

Communicator::Communicator(std::unique_ptr<RankLink> link) : state_(std::make_shared<State>()) {
  state_->link = std::move(link);
}

std::vector<std::span<const std::byte>> Communicator::exchanged(RankMessage mine) {
  State& s = *state_;
  std::int64_t sent = 0;
  for (int r = 0; r < size(); ++r)
    if (r != rank()) sent += std::ssize(mine.bytes_for(r));
  mine.note = s.note;
  mine.flag = s.flag;
  const auto start = std::chrono::steady_clock::now();
  s.last = s.link->exchange(std::move(mine));
  s.seconds_waited += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  check_steps(s.last);
  s.bytes_sent += sent;
  s.flag_seen = false;
  std::vector<std::span<const std::byte>> all;
  for (const auto& message : s.last) {
    s.flag_seen = s.flag_seen || message->flag;
    all.emplace_back(message->bytes_for(rank()));
  }
  return all;
}

std::vector<std::span<const std::byte>> Communicator::all_gather(std::string_view step,
                                                                 std::span<const std::byte> mine) {
  return exchanged({std::string(step), {}, false, std::vector(mine.begin(), mine.end()), {}});
}

std::vector<std::span<const std::byte>> Communicator::all_to_all(std::string_view step,
                                                                 std::vector<std::vector<std::byte>> for_ranks) {
  if (std::ssize(for_ranks) != size())
    gradus::fail<ValueError>("all_to_all in step '{}': {} messages are given for {} ranks; one for each is expected",
                             step, for_ranks.size(), size());
  return exchanged({std::string(step), {}, false, {}, std::move(for_ranks)});
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
