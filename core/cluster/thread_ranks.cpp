// Ranks that are threads of one process: what tests run on, and who wants to see the whole in a debugger. They meet in
// a place with a lock; whoever waits sleeps.
#include <gradus/core/at.h>
#include <gradus/core/cluster/communicator.h>

#include <fmt/format.h>

#include <array>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <mutex>

namespace gradus {

namespace {

struct MeetingPlace {
  struct Seat {
    std::uint64_t arrived = 0;  // exchanges that the rank has come to
    // Of the last two: a rank may come to the next exchange while others still read this one, but not to the one after.
    std::array<std::shared_ptr<const RankMessage>, 2> messages;
    std::string note;
    bool left = false;
  };
  std::mutex lock;
  std::condition_variable changed;
  std::vector<Seat> seats;
  std::array<std::size_t, 2> taken{};  // how many ranks have the messages; none is kept when all do
  std::string failure;                 // the first
  std::chrono::milliseconds limit;
};

class ThreadLink final : public RankLink {
 public:
  ThreadLink(std::shared_ptr<MeetingPlace> place, int rank) : place_(std::move(place)), rank_(rank) {}
  ThreadLink(const ThreadLink&) = delete;
  ThreadLink& operator=(const ThreadLink&) = delete;
  ~ThreadLink() override {
    const std::lock_guard hold(place_->lock);
    place_->seats[at(rank_)].left = true;
    place_->changed.notify_all();
  }

  int rank() const override { return rank_; }
  int size() const override { return static_cast<int>(place_->seats.size()); }

  std::vector<std::shared_ptr<const RankMessage>> exchange(RankMessage mine) override {
    MeetingPlace& p = *place_;
    const auto message = std::make_shared<const RankMessage>(std::move(mine));
    std::unique_lock hold(p.lock);
    MeetingPlace::Seat& seat = p.seats[at(rank_)];
    const std::uint64_t number = ++seat.arrived;
    seat.messages[number % 2] = message;
    seat.note = message->note;
    p.changed.notify_all();
    const auto here = [&](const MeetingPlace::Seat& each) { return each.arrived >= number; };
    const auto missing = [&](auto&& wanted) {
      std::string names;
      for (std::size_t r = 0; r < p.seats.size(); ++r)
        if (!here(p.seats[r]) && wanted(p.seats[r]))
          names += (names.empty() ? "" : ", ") + rank_and_note(static_cast<int>(r), p.seats[r].note);
      return names;
    };
    const auto any_missing = [&] { return missing([](const auto&) { return true; }); };
    const auto gone = [&] { return missing([](const auto& each) { return each.left; }); };
    const bool answered = p.changed.wait_for(
        hold, p.limit, [&] { return !p.failure.empty() || any_missing().empty() || !gone().empty(); });
    if (p.failure.empty() && !any_missing().empty()) {
      p.failure = !answered ? waited_in_vain(rank_, p.limit, message->step, any_missing())
                            : fmt::format("{} has left while rank {} waits in step '{}'", gone(), rank_, message->step);
      p.changed.notify_all();
    }
    if (!p.failure.empty()) gradus::fail<ClusterError>("{}", p.failure);
    std::vector<std::shared_ptr<const RankMessage>> all;
    for (const MeetingPlace::Seat& each : p.seats) all.push_back(each.messages[number % 2]);
    if (++p.taken[number % 2] == p.seats.size()) {
      p.taken[number % 2] = 0;
      for (MeetingPlace::Seat& each : p.seats) each.messages[number % 2].reset();
    }
    return all;
  }

  void fail(std::string_view why) noexcept override {
    const std::lock_guard hold(place_->lock);
    if (place_->failure.empty()) place_->failure = fmt::format("rank {} has failed: {}", rank_, why);
    place_->changed.notify_all();
  }

  void abort(std::string_view why) override {
    fail(why);
    if (!why.empty()) fmt::print(stderr, "rank {}: {}\n", rank_, why);
    std::_Exit(1);
  }

 private:
  std::shared_ptr<MeetingPlace> place_;
  int rank_;
};

}  // namespace

std::vector<Communicator> Communicator::threads(int ranks, const CommunicatorOptions& options) {
  if (ranks < 1) gradus::fail<ValueError>("Communicator::threads of {} ranks; 1 or more is expected", ranks);
  const auto place = std::make_shared<MeetingPlace>();
  place->seats.resize(at(ranks));
  place->limit = options.limit;
  std::vector<Communicator> all;
  for (int r = 0; r < ranks; ++r) all.push_back(Communicator(std::make_unique<ThreadLink>(place, r)));
  return all;
}

}  // namespace gradus
