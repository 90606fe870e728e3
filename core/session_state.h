// What a session holds. Internal to core: session.cpp runs with it, checkpoint.cpp writes and reads it.
#pragma once

#include <gradus/core/device/device_state.h>
#include <gradus/core/plan.h>
#include <gradus/core/session.h>

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

  bool is_for(const Graph& graph, std::span<const Expr> wanted, const Feeds& given) const;
  bool is_for(const Graph& graph, std::span<const Expr> wanted, std::span<const FedType> given) const;
};

struct Session::State {
  State(Graph& g, const Device& d, const SessionOptions& options)
      : graph(g), device(d), without(options.without), workers(options.threads) {
    if (device.is_cpu()) return;
    on_device = std::make_unique<DeviceState>(device.open());
    variables.accelerator = on_device->accelerator;
  }

  /// Throws FeedError where a fetch or a feed does not fit the graph.
  void check(std::span<const Expr> fetches, const Feeds& feeds) const;
  std::shared_ptr<Plan> compile(std::span<const Expr> fetches, std::span<const FedType> feeds);
  /// Stores these variables the other way from now on.
  void turn(std::span<const Expr> turned);
  /// A kept plan or a new one; it becomes the first of `plans`.
  Plan& plan_for(std::span<const Expr> fetches, const Feeds& feeds);
  /// A copy of a variable's value.
  Tensor value(const Expr& variable);

  Graph& graph;
  Device device;
  std::vector<std::string> without;  // passes that plans do without
  Workers workers;
  std::unique_ptr<DeviceState> on_device;  // null: the CPU
  Variables variables;
  std::list<CachedPlan> plans;       // the latest used first
  std::vector<const Tensor*> bound;  // the feeds' values, in their order
  int storages = 0;                  // how often variables were stored another way: plans made before are void
  std::uint64_t runs = 0;            // runs that ended well: with a node's stream, what its random numbers depend on
};

}  // namespace gradus
