// Ranks that compute together, and what they send one another: processes that mpirun started, or threads of one
// process. A communicator is a handle on one rank's end; the others' must call the same, in the same order.
//
//   Communicator ranks = Communicator::mpi();
//   Session session(g, Device::cpu(), ranks);
//
// No call waits for ever: one that has waited for the limit throws, and names the step and the ranks that it has waited
// for; where a rank has failed, or has come to another step, all others are told so and throw as well.
#pragma once

#include <gradus/core/error.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace gradus {

/// Ranks that are not to be had, or that do not answer, or do something else.
struct ClusterError : Error {
  using Error::Error;
};

struct CommunicatorOptions {
  std::chrono::milliseconds limit = std::chrono::minutes(10);  // of one exchange
};

/// What one rank brings to an exchange: its bytes, and what the others tell of it should it come to no other.
struct RankMessage {
  std::string step, note;
  bool flag = false;
  std::vector<std::byte> bytes = {};                 // for all, or
  std::vector<std::vector<std::byte>> by_rank = {};  // for each rank its own

  const std::vector<std::byte>& bytes_for(int rank) const {
    return by_rank.empty() ? bytes : by_rank[static_cast<std::size_t>(rank)];
  }
};

/// How ranks reach one another. Internal to core/cluster: one for threads, one for MPI.
class RankLink {
 public:
  virtual ~RankLink() = default;
  virtual int rank() const = 0;
  virtual int size() const = 0;
  /// The messages of all ranks, by rank, each with bytes_for() this one at least; none is kept. Throws ClusterError.
  virtual std::vector<std::shared_ptr<const RankMessage>> exchange(RankMessage mine) = 0;
  virtual void fail(std::string_view why) noexcept = 0;
  virtual void abort(std::string_view why) = 0;  // does not return
};

class Communicator {
 public:
  /// This process's end among those that mpirun has started; once a process. MPI is loaded here, by the module
  /// gradus_mpi. Throws ClusterError, which says what is missing, where there is none.
  static Communicator mpi(const CommunicatorOptions& options = {});
  /// Whether a launcher of MPI has started this process.
  static bool is_launched();
  /// The number of this process among those that the launcher has started on this machine, as it says; 0 where it says
  /// nothing. A card for each: Device::cuda(Communicator::local_rank()).
  static int local_rank();
  /// Ends for so many ranks, each for a thread of its own. An end that is dropped has left: whoever waits for it
  /// throws.
  static std::vector<Communicator> threads(int ranks, const CommunicatorOptions& options = {});

  int rank() const { return state_->link->rank(); }
  int size() const { return state_->link->size(); }

  /// What every rank gives, by rank, until the next exchange. `step` says in messages what the exchange is for: it must
  /// be the same for all.
  std::vector<std::span<const std::byte>> all_gather(std::string_view step, std::span<const std::byte> mine);
  /// What every rank gives to this one, by rank. `for_ranks` is what this one gives to each, itself included. Throws
  /// ValueError unless it has as many entries as there are ranks.
  std::vector<std::span<const std::byte>> all_to_all(std::string_view step,
                                                     std::vector<std::vector<std::byte>> for_ranks);
  /// Lets go of what a rank, or all, gave in the last exchange, before the next: the span of it ends.
  void release(int rank) { state_->last.at(static_cast<std::size_t>(rank)).reset(); }
  void release() { state_->last.clear(); }
  /// What the last exchange gave, by rank, to be kept past the next: spans of it stay as long as it is held.
  std::vector<std::shared_ptr<const RankMessage>> take() { return std::exchange(state_->last, {}); }
  /// Returns when all ranks have called it.
  void barrier(std::string_view step) { all_gather(step, {}); }
  /// Tells all ranks that this one has failed: their exchanges throw, and so do its own from now on.
  void fail(std::string_view why) noexcept { state_->link->fail(why); }
  /// The same, and ends the process, and under MPI all others.
  [[noreturn]] void abort(std::string_view why);

  /// What this rank is about to do, for the messages of others: "epoch 2, batch 311".
  void note(std::string_view what) { state_->note = what; }
  /// Goes with this rank's next exchanges; flag_seen() says whether any rank's was up in the last one, the same on all.
  void raise_flag(bool up = true) { state_->flag = up; }
  bool flag_seen() const { return state_->flag_seen; }
  /// Bytes of all_gather and all_to_all that this rank has sent to others.
  std::int64_t bytes_sent() const { return state_->bytes_sent; }
  /// In exchanges, all together: for others to come, and for what they send.
  double seconds_waited() const { return state_->seconds_waited; }

 private:
  struct State {
    std::unique_ptr<RankLink> link;
    std::string note;
    bool flag = false, flag_seen = false;
    std::int64_t bytes_sent = 0;
    double seconds_waited = 0;
    std::vector<std::shared_ptr<const RankMessage>> last;  // what the spans of an exchange show
  };
  explicit Communicator(std::unique_ptr<RankLink> link);
  std::vector<std::span<const std::byte>> exchanged(RankMessage mine);

  std::shared_ptr<State> state_;
};

/// "rank 3 has waited 600 s in step 'V' for rank 1 (last heard: epoch 2, batch 311)"
std::string waited_in_vain(int rank, std::chrono::milliseconds limit, std::string_view step, std::string_view for_whom);
/// "rank 1 (last heard: epoch 2, batch 311)"
std::string rank_and_note(int rank, std::string_view note);
/// Throws ClusterError unless all are in one step.
void check_steps(std::span<const std::shared_ptr<const RankMessage>> all);

}  // namespace gradus
