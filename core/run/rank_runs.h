// Runs of a session over ranks: stage by stage, each rank its pieces of the rows, then the sums of all; last what is
// the same on all ranks, once on each. Internal to core: session.cpp and prepared_run.cpp run with it.
#pragma once

#include <gradus/core/cluster/communicator.h>
#include <gradus/core/cluster/distribution.h>
#include <gradus/core/cluster/piece_sums.h>
#include <gradus/core/run/session_state.h>

#include <list>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace gradus {

class RankRuns {
 public:
  /// Throws ValueError where there are more ranks than pieces.
  RankRuns(const Communicator& ranks, std::int64_t pieces);

  /// The values of the fetches; none where the run needs no other rank: it is each rank's own, and no business of
  /// these. Where it throws, all ranks are told.
  std::vector<Tensor> run(Session::State& session, std::span<const Expr> fetches, const Feeds& feeds);
  /// The stages as text, with what they exchange, where the run needs the
  /// other ranks, each of which is taken to have as
  /// many rows as this one; else nothing.
  std::string explain(Session::State& session, std::span<const Expr> fetches, std::span<const FedType> feeds,
                      bool kernels);

  /// All rows of a variable that is shared out by rows.
  Tensor value(Session::State& session, const Expr& variable);

  /// All rows of what each rank has its own of, of a variable's type.
  Tensor all_rows(const Expr& variable, const Tensor& own, std::optional<int> for_rank);

  Communicator ranks;
  std::int64_t pieces;
  std::vector<StageTime>* timed = nullptr;  // where it is profiled: what stages of runs take

 private:
  struct Known {
    std::vector<NodeId> fetches;
    std::vector<FedType> feeds;  // without the number of rows
    Distribution distribution;
    std::vector<std::pair<NodeId, Tensor>> constants = {};  // what goes with rows of tables, and all ranks have whole
    std::int64_t rows_of_storage = -1;  // for which it was last decided which variables are stored transposed
  };
  Known& known(Session::State& session, std::span<const Expr> fetches, std::span<const FedType> feeds);
  static Tensor value_of_constant(Session::State& session, Known& known, const Expr& node);
  std::vector<Tensor> run_stages(Session::State& session, std::span<const Expr> fetches, const Feeds& feeds);

  static std::int64_t checksum_of_variables(Session::State& session);

  bool has_met_ = false;
  std::list<Known> known_;  // the latest used first
};

}  // namespace gradus
