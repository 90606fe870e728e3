// A run over ranks as text: the plans of its stages, and what is exchanged between them.
#include <gradus/core/at.h>
#include <gradus/core/run/rank_rows.h>
#include <gradus/core/run/rank_runs.h>
#include <gradus/core/run/table_run.h>

#include <fmt/format.h>

#include <algorithm>
#include <bit>

namespace gradus {

namespace {

// The type of a node, all dimensions known.
Type computed_type(const Expr& node, std::span<const FedType> feeds) {
  return make_draft({&node, 1}, feeds, {}, "explain").fetches.front().type();
}

// A node with another number of rows; of a csr matrix, of columns.
FedType with_table_rows(const Expr& node, Type type, std::int64_t rows) {
  type.shape = type.shape.with(type.layout == Layout::csr ? 1 : 0, rows);
  return {node, type};
}

void set(std::vector<FedType>& types, const FedType& type) {
  for (FedType& each : types)
    if (same_node(each.placeholder, type.placeholder)) {
      each.type = type.type;
      return;
    }
  types.push_back(type);
}

}  // namespace

std::string RankRuns::explain(Session::State& session, std::span<const Expr> fetches, std::span<const FedType> feeds,
                              bool kernels) {
  const Distribution& distribution = known(session, fetches, feeds).distribution;
  if (!distribution.exchanges()) return {};
  const std::int64_t first = first_piece(ranks.rank(), ranks.size(), pieces);
  const std::int64_t mine = first_piece(ranks.rank() + 1, ranks.size(), pieces) - first;
  const std::int64_t rows = own_rows(feeds), in_piece = std::max<std::int64_t>(rows / mine, distribution.together);
  const auto steps = [&](std::span<const Expr> wanted, std::span<const FedType> fed) {
    Variables places{.accelerator = nullptr, .transposed = session.variables.transposed, .are_places_only = true};
    Session::State::Compiled compiled = session.compile(wanted, fed, "explain", false, true);
    return to_string(session.make_plan(std::move(compiled.draft), places)->steps(session.graph()), kernels);
  };
  std::string text = fmt::format("rank {} of {} has {} of {} pieces of a batch, here of {} row{} each\n", ranks.rank(),
                                 ranks.size(), mine, pieces, in_piece, plural(in_piece));
  std::vector<FedType> piece = with_rows(feeds, in_piece), all = with_rows(feeds, rows * ranks.size()), last = all;
  const RowOwners owners{ranks.rank(), ranks.size()};
  const auto explain_tables = [&] {
    for (const Expr& early : distribution.early) set(piece, {early, computed_type(early, piece)});
    for (const Distribution::Table& table : distribution.tables) {
      for (const Expr& known : table.known) {
        set(piece, {known, known.type()});
        set(last, with_table_rows(known, known.type(), owners.own(known.shape()[0])));
      }
      if (table.looked_up.empty() || table.indices.empty()) continue;
      const auto capacity =
          static_cast<std::int64_t>(std::bit_ceil(static_cast<std::uint64_t>(std::max<std::int64_t>(1, rows))));
      for (const Expr& index : table.indices) {
        if (index.layout() != Layout::csr) continue;
        const auto fed = std::find_if(piece.begin(), piece.end(),
                                      [&](const FedType& each) { return same_node(each.placeholder, index); });
        fed->type.shape = fed->type.shape.with(1, capacity);
      }
      std::int64_t bytes = 0;
      for (const Expr& node : table.looked_up) {
        const Type small = with_table_rows(node, node.type(), capacity).type;
        if (node.kind() == Kind::variable)
          bytes += small.shape.size() / capacity * static_cast<std::int64_t>(size_of(small.dtype));
        set(piece, {node, small});
      }
      text += fmt::format(
          "\nexchange: which rows of {} the pieces name, {} bytes for each to its owner, which is row i's rank i mod "
          "{}, "
          "and {} to each; and the rows, {} bytes each; here as if they were {}\n",
          names_of(table.looked_up), sizeof(Index), ranks.size(), 2 * sizeof(std::int64_t), bytes, capacity);
    }
  };
  const auto lend = [&](std::vector<FedType> given) {
    for (const Distribution::Lent& lent : distribution.lent) {
      given.push_back({lent.node, lent.type});
      if (lent.table >= 0) given.back() = with_table_rows(lent.node, lent.type, owners.own(lent.type.shape[0]));
    }
    return given;
  };
  const auto explain_of_owners = [&](std::span<const Distribution::Stage::OfOwners> sums) {
    std::vector<Expr> wanted;
    for (const auto& sum : sums) wanted.push_back(sum.node);
    text += fmt::format("\non every rank, of its own rows:\n{}", steps(wanted, lend(last)));
    text += fmt::format(
        "\nexchange: 1 part of {} bytes to each of {} other rank{}, and in each the sums below; the parts of ranks are "
        "sums of other rows for another number of ranks, and the last bits of their sum so too\n",
        bytes_of_part, ranks.size() - 1, plural(ranks.size() - 1));
    for (const Expr& sum : wanted) {
      const Type type = computed_type(sum, all);
      text += fmt::format("  {}: {}, {} bytes  # {}\n", sum.name(), type, bytes_sent_of(type, 0, true),
                          to_string(sum.where()));
      for (std::vector<FedType>* given : {&piece, &all, &last}) given->push_back({sum, type});
    }
  };
  for (std::size_t s = 0; s < distribution.stages.size(); ++s) {
    const Distribution::Stage& stage = distribution.stages[s];
    for (const Expr& counted : stage.counted) {
      piece.push_back({counted, computed_type(counted, all)});
      if (!distribution.tables.empty()) last.push_back(piece.back());
    }
    if (s == 0 && !distribution.early.empty())
      text += fmt::format("\nfor each piece, before rows are looked up:\n{}", steps(distribution.early, piece));
    if (s == 0) explain_tables();
    if (!stage.of_owners.empty()) explain_of_owners(stage.of_owners);
    std::vector<Expr> wanted = stage.sums;
    wanted.insert(wanted.end(), stage.split_fetches.begin(), stage.split_fetches.end());
    if (wanted.empty()) continue;
    text += fmt::format("\nfor each piece:\n{}", steps(wanted, piece));
    const std::int64_t parts = parts_of(first, first + mine);
    for (const bool to_owners : {false, true}) {
      bool is_first = true;
      for (std::size_t i = 0; i < stage.sums.size(); ++i) {
        if ((stage.table[i] >= 0) != to_owners) continue;
        if (std::exchange(is_first, false))
          text += fmt::format("\nexchange{}: {} part{} of {} bytes to each of {} other rank{}, and in each\n",
                              to_owners ? ", to each owner its rows" : "", parts, plural(parts), bytes_of_part,
                              ranks.size() - 1, plural(ranks.size() - 1));
        const Expr& sum = stage.sums[i];
        const Type type = computed_type(sum, all);
        const std::int64_t fixed = bytes_sent_of(type, 0, true);
        text += fmt::format("  {}: {}, {} bytes", sum.name(), type, fixed);
        if (type.layout == Layout::rows)
          text += fmt::format(" and {} for each row held, of them {} for its number, which sums of the same rows share",
                              bytes_sent_of(type, 1, true) - fixed, sizeof(Index));
        text += fmt::format("  # {}\n", to_string(sum.where()));
        if (to_owners) {
          last.push_back(with_table_rows(sum, type, owners.own(type.shape[0])));
        } else {
          piece.push_back({sum, type});
          all.push_back({sum, type});
          last.push_back({sum, type});
        }
      }
    }
  }
  last = lend(std::move(last));
  std::vector<Expr> wanted = distribution.same_fetches;
  wanted.insert(wanted.end(), distribution.own_fetches.begin(), distribution.own_fetches.end());
  if (!wanted.empty()) text += fmt::format("\nthen on every rank:\n{}", steps(wanted, last));
  return text;
}

}  // namespace gradus
