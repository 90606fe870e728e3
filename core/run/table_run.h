// What a run over ranks has to do with tables that are shared out by rows (tables.h): the rows that its part of the
// batch names are asked of their owners, and each piece's plan is fed its own as a small table; sums of rows go to the
// owners. Internal to core/run: rank_runs.cpp runs with it.
#pragma once

#include <gradus/core/cluster/communicator.h>
#include <gradus/core/cluster/distribution.h>
#include <gradus/core/cluster/owner_sums.h>
#include <gradus/core/cluster/told_rows.h>
#include <gradus/core/run/fed_values.h>
#include <gradus/core/run/session_state.h>

#include <optional>
#include <span>
#include <string>
#include <vector>

namespace gradus {

class TableRun {
 public:
  TableRun(Session::State& session, Communicator& ranks, const Distribution& distribution);

  /// Asks the owners for the rows that indices of the pieces name, and holds their answers.
  void look_up(std::span<const FedValues* const> pieces);
  /// Feeds piece number i of those the rows that its indices name, and these with other numbers. What is known of the
  /// tables' rows is found in `of_all`. `last`: neither it nor those before it need rows any more.
  void give_rows(std::size_t i, FedValues& piece, const FedValues& of_all, bool last);
  /// What that piece gives to a sum of a table's rows: `sum` has rows of the small table that it was fed.
  OwnerSums::Given given_to(const Expr& node, int table, std::size_t i, const Tensor& sum,
                            std::optional<double> factor) const;
  void keep_own_rows_of_known(FedValues& of_all) const;
  /// What is fed for its shape alone.
  void lend(FedValues& of_all) const;
  /// Sums over tables' rows: of the own rows' parts of all ranks, added in the order of a tree over the ranks.
  std::vector<Tensor> summed_over_owners(std::span<const Distribution::Stage::OfOwners> sums,
                                         std::vector<Tensor> parts);
  /// In how many slices rows are exchanged: one, unless they are many.
  std::size_t slices() const { return slices_; }
  /// Whether, of many rows, few are named by several pieces of this rank.
  bool few_are_shared() const;
  /// Sums of all ranks' pieces, of the rows of these tables that are this rank's.
  std::vector<Tensor> summed_by_owners(const std::string& step, OwnerSums sums, std::span<const int> tables);
  /// All rows of what each rank has its own of; where a rank is named, for this one, and nothing for others.
  static Tensor gathered(Communicator& ranks, const std::string& step, std::span<const std::byte> own,
                         const Type& whole, std::optional<int> for_rank = {});

 private:
  struct Rows {
    ToldRows told{};
    RowSlices slices{};
    std::int64_t most_own = 0;  // rows of this rank's that others, and it, have asked for
  };
  // What a rank asks of this one for each table that is looked up: its rows, by their numbers here.
  using Question = std::vector<std::span<const Index>>;

  std::vector<Question> ask(std::span<const Expr> names, std::vector<std::shared_ptr<const RankMessage>>& kept);
  void cut_into_slices(std::span<const Expr> names);
  std::vector<std::byte> answer(Question& asked, std::size_t slice);
  void take(std::span<const std::span<const std::byte>> theirs, std::size_t slice);
  std::size_t end_of_slice(const Rows& rows, std::size_t slice) const;
  void check(const Distribution::Table& table, const std::vector<Index>& named) const;
  RowOwners owners() const { return session_.variables.owners; }

  Session::State& session_;
  Communicator& ranks_;
  const Distribution& distribution_;
  std::vector<Rows> rows_;  // by table
  std::size_t slices_ = 1;
};

/// "W and V", "W and 2 more".
std::string names_of(std::span<const Expr> nodes);

}  // namespace gradus
