// What a run over ranks has to do with tables that are shared out by rows (tables.h): the rows that its part of the
// batch names are asked of their owners, and each piece's plan is fed its own as a small table; sums of rows go to the
// owners. Internal to core/run: rank_runs.cpp runs with it.
#pragma once

#include <gradus/core/cluster/communicator.h>
#include <gradus/core/cluster/distribution.h>
#include <gradus/core/cluster/piece_sums.h>
#include <gradus/core/run/given.h>
#include <gradus/core/run/session_state.h>

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace gradus {

class TableRun {
 public:
  TableRun(Session::State& session, Communicator& ranks, const Distribution& distribution);

  /// Asks the owners for the rows that indices of the pieces name, and holds their answers.
  void look_up(std::span<const Given* const> pieces);
  /// Feeds a piece the rows that its indices name, and these with other numbers. What is known of the tables' rows is
  /// found in `of_all`. Returns by table which rows it has.
  using RowsOfPiece = std::vector<std::shared_ptr<const RowIndex>>;
  RowsOfPiece give_rows(Given& piece, const Given& of_all) const;
  /// When no piece needs rows any more.
  void forget_rows();
  void keep_own_rows_of_known(Given& of_all) const;
  /// What is fed for its shape alone.
  void lend(Given& of_all) const;
  /// Sums over tables' rows: of the own rows' parts of all ranks, added in the order of a tree over the ranks.
  std::vector<Tensor> summed_over_owners(std::span<const Distribution::Stage::OfOwners> sums,
                                         std::vector<Tensor> parts);
  /// Sums of all ranks' pieces, of the rows that are this rank's.
  std::vector<Tensor> summed_by_owners(const std::string& step, PieceSums sums);
  /// All rows of what each rank has its own of; where a rank is named, for this one, and nothing for others.
  static Tensor gathered(Communicator& ranks, const std::string& step, std::span<const std::byte> own,
                         const Type& whole, std::optional<int> for_rank = {});

 private:
  struct Rows {
    std::shared_ptr<const RowIndex> named{};
    std::vector<std::int64_t> of_owner{};  // how many of them
  };
  std::vector<std::byte> answer(std::span<const std::byte> asked);
  Tensor rows_told(const Expr& variable, const Rows& rows, const RowIndex& wanted, std::int64_t capacity,
                   std::vector<std::size_t>& from) const;
  void check(const Distribution::Table& table, const RowIndex& named) const;
  RowOwners owners() const { return session_.variables.owners; }

  Session::State& session_;
  Communicator& ranks_;
  const Distribution& distribution_;
  std::vector<Rows> rows_;                                // by table
  std::vector<std::span<const std::byte>> told_;          // rows, by owner: of one table's variables after the other
  std::vector<std::shared_ptr<const RankMessage>> kept_;  // where these are
};

/// "W and V", "W and 2 more".
std::string names_of(std::span<const Expr> nodes);

}  // namespace gradus
