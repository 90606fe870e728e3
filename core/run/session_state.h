// What a session holds. Internal to core: session.cpp runs with it, checkpoint.cpp writes and reads it.
#pragma once

#include <gradus/core/device/device_state.h>
#include <gradus/core/error.h>
#include <gradus/core/run/plan.h>
#include <gradus/core/run/session.h>
#include <gradus/core/run/working_memory.h>

#include <atomic>
#include <cstdint>
#include <list>
#include <memory>
#include <utility>
#include <vector>

namespace gradus {

/// A plan and what it was made for.
struct CachedPlan {
  std::vector<NodeId> fetches;
  std::vector<FedType> feeds;
  std::shared_ptr<Plan> plan;  // shared with prepared runs

  bool is_for(const GraphToken& graph, std::span<const Expr> wanted, const Feeds& given) const;
  bool is_for(const GraphToken& graph, std::span<const Expr> wanted, std::span<const FedType> given) const;
};

/// Whether plans made for one serve the other.
bool are_same(std::span<const FedType> a, std::span<const FedType> b);

/// Throws FeedError unless the node may be fed in a run of the graph; the message begins with the caller's name.
void check_fed_node(const GraphToken& graph, const Expr& node, std::string_view caller);

class RankRuns;

struct Session::State {
  State(Graph& g, const Device& d, const SessionOptions& options)
      : token(g.token()), device(d), without(options.without), workers(options.threads) {
    if (device.is_cpu()) return;
    on_device = std::make_unique<DeviceState>(device.open());
    variables.accelerator = on_device->accelerator;
  }

  /// The graph. Throws ValueError where it has been destroyed.
  Graph& graph() const;
  /// Throws FeedError where a fetch or a feed does not fit the graph; the message begins with the caller's name.
  void check(std::span<const Expr> fetches, const Feeds& feeds, std::string_view caller) const;
  bool is_variable(const Expr& e) const { return e.belongs_to(token) && e.kind() == Kind::variable; }

  /// What a plan is made of: the nodes to compute, and the variables that it wants stored the other way than they are.
  struct Compiled {
    Draft draft;
    std::vector<Expr> turned = {};
  };
  /// Changes nothing in the session. Of tables that ranks share out it is all rows, or those that this rank has.
  Compiled compile(std::span<const Expr> fetches, std::span<const FedType> feeds, std::string_view caller,
                   bool may_turn = true, bool of_own_rows = false) const;
  /// A plan of it on these variables, which must be stored as it wants them.
  std::shared_ptr<Plan> make_plan(Draft draft, Variables& stored);
  /// Stores these variables the other way from now on.
  void turn(std::span<const Expr> turned);
  /// A kept plan or a new one; it becomes the first of `plans`.
  Plan& plan_for(std::span<const Expr> fetches, const Feeds& feeds);
  /// The same for feeds of any layout, in their order, that are known to fit. Variables stay stored as they are, and
  /// tables have this rank's rows.
  Plan& plan_of(std::span<const Expr> fetches, std::span<const FedType> feeds, bool of_own_rows = true);
  /// Keeps a plan of what was compiled, as the first.
  Plan& keep(CachedPlan made, Compiled compiled);
  /// A copy of a variable's value; of one that ranks share out all rows, so that all ranks must ask for it.
  Tensor value(const Expr& variable);

  GraphToken token;  // of the graph
  std::atomic<bool> in_use = false;
  Device device;
  std::vector<std::string> without;  // passes that plans do without
  Workers workers;
  std::unique_ptr<DeviceState> on_device;  // null: the CPU
  Variables variables;
  WorkingMemory working;
  std::list<CachedPlan> plans;           // the latest used first
  std::shared_ptr<RankRuns> over_ranks;  // null: the session is on its own
  std::vector<Tensor> results;           // of the last run, where it was one over ranks
  std::vector<const Tensor*> bound;      // the feeds' values, in their order
  int storages = 0;                      // how often variables were stored another way: plans made before are void
  std::uint64_t runs = 0;  // runs that ended well: with a node's stream, what its random numbers depend on
};

/// Holds a session for the length of a call. Throws Error where another call, on whatever thread, holds it: two would
/// write over one another's values.
class Session::Use {
 public:
  explicit Use(State& state) : state_(state) {
    if (state_.in_use.exchange(true, std::memory_order_acquire))
      fail<Error>(
          "a session was used while another call was using it; a session is for one thread at a time (several may "
          "share a graph)");
  }
  Use(const Use&) = delete;
  Use& operator=(const Use&) = delete;
  ~Use() { state_.in_use.store(false, std::memory_order_release); }

 private:
  State& state_;
};

}  // namespace gradus
