#include <gradus/core/run/rank_runs.h>

#include <gradus/core/at.h>
#include <gradus/core/cluster/row_numbers.h>
#include <gradus/core/io/checksum.h>
#include <gradus/core/run/rank_rows.h>
#include <gradus/core/run/table_run.h>

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <functional>
#include <utility>

namespace gradus {

namespace {

constexpr std::size_t most_known = 64;

// Which rows of a batch each rank has, and where its pieces of them begin.
struct Share {
  std::int64_t rows = 0;               // of all ranks
  std::int64_t piece = 0;              // the first of this rank
  std::vector<std::int64_t> begins{};  // by piece of this rank, and the end: rows of this rank's
};

// The pieces are those of the whole batch where each rank was given just the rows of its own, as Session::rows_of says;
// else a rank's rows are cut evenly.
Share share_of(const std::vector<std::int64_t>& rows_by_rank, int rank, std::int64_t pieces, std::int64_t together) {
  Share out;
  const std::int64_t ranks = std::ssize(rows_by_rank);
  for (const std::int64_t rows : rows_by_rank) out.rows += rows;
  bool as_whole = true;
  std::int64_t before = 0;
  for (std::int64_t r = 0; r < ranks; ++r) {
    as_whole = as_whole && before == first_row(first_piece(r, ranks, pieces), pieces, out.rows, together);
    before += rows_by_rank[at(r)];
  }
  const std::int64_t first = first_piece(rank, ranks, pieces), last = first_piece(rank + 1, ranks, pieces);
  const std::int64_t start = first_row(first, pieces, out.rows, together);
  out.piece = first;
  for (std::int64_t p = first; p <= last; ++p)
    out.begins.push_back(as_whole ? first_row(p, pieces, out.rows, together) - start
                                  : first_row(p - first, last - first, rows_by_rank[at(rank)], together));
  return out;
}

// One below the other; of pieces without rows there is nothing.
Tensor one_below_other(std::span<const Tensor> parts) {
  std::int64_t rows = 0;
  for (const Tensor& part : parts) rows += part.dim(0);
  const Tensor& first = parts.front();
  if (parts.size() == 1) return first;
  std::vector<std::byte> bytes;
  std::vector<std::int64_t> row_start{0};
  std::vector<Index> column;
  for (const Tensor& part : parts) {
    bytes.insert(bytes.end(), part.data(), part.data() + as_size(part.stored()) * size_of(part.dtype()));
    if (part.layout() != Layout::csr) continue;
    for (std::size_t r = 1; r < part.pattern()->row_start.size(); ++r)
      row_start.push_back(static_cast<std::int64_t>(column.size()) + part.pattern()->row_start[r]);
    column.insert(column.end(), part.pattern()->column.begin(), part.pattern()->column.end());
  }
  const bool csr = first.layout() == Layout::csr;
  Tensor numbers = Tensor::uninitialized(
      {first.dtype(), csr ? Shape({std::ssize(column)}) : first.shape().with(0, rows), Layout::dense});
  if (!bytes.empty()) std::memcpy(numbers.writable_data(), bytes.data(), bytes.size());
  if (!csr) return numbers;
  auto pattern = std::make_shared<CsrPattern>();
  pattern->rows = rows;
  pattern->columns = first.dim(1);
  pattern->row_start = std::move(row_start);
  pattern->set_column(std::move(column));
  return Tensor::csr(pattern, numbers);
}

// What ranks tell one another before a run.
struct Greeting {
  std::int64_t rows = 0, pieces = 0, fetches = 0;
  std::int64_t variables = 0;    // before the first run
  std::int64_t shard_above = 0;  // bytes
};

std::int64_t checksum_of(std::span<const Expr> fetches) {
  std::uint32_t sum = crc32_of(nullptr, 0);
  for (const Expr& fetch : fetches) {
    const NodeId id = fetch.id();
    sum = crc32_of(fetch.name().data(), fetch.name().size(), crc32_of(&id, sizeof id, sum));
  }
  return sum;
}

std::vector<FedType> types_fed(const Feeds& feeds) {
  std::vector<FedType> types;
  for (const Feed& feed : feeds) types.push_back(fed_type(feed.placeholder, feed.value));
  return types;
}

std::span<const std::byte> bytes_in(const Tensor& dense) {
  return {dense.data(), as_size(dense.stored()) * size_of(dense.dtype())};
}

const Tensor& found(std::span<const Expr> nodes, const std::vector<Tensor>& values, const Expr& node) {
  static const Tensor none;
  for (std::size_t i = 0; i < nodes.size(); ++i)
    if (same_node(nodes[i], node)) return values[i];
  return none;
}

// What the stages of a run take, one after the other, where that is wanted.
class StageClock {
 public:
  StageClock(std::vector<StageTime>* to, const Communicator& ranks) : to_(to), ranks_(ranks) { begin(); }

  /// Ends a stage, which began where the last one ended.
  void ends(const std::function<std::string()>& what) {
    if (to_ == nullptr) return;
    to_->push_back({what(), std::chrono::duration<double>(Clock::now() - start_).count(),
                    ranks_.seconds_waited() - waited_, ranks_.bytes_sent() - sent_});
    begin();
  }

 private:
  using Clock = std::chrono::steady_clock;
  void begin() {
    if (to_ == nullptr) return;
    start_ = Clock::now();
    waited_ = ranks_.seconds_waited();
    sent_ = ranks_.bytes_sent();
  }

  std::vector<StageTime>* to_;
  const Communicator& ranks_;
  Clock::time_point start_{};
  double waited_ = 0;
  std::int64_t sent_ = 0;
};

}  // namespace

RankRuns::RankRuns(const Communicator& communicator, std::int64_t count) : ranks(communicator), pieces(count) {
  if (pieces < ranks.size())
    fail<ValueError>("a session over {} ranks with {} piece{}; each rank needs one at least", ranks.size(), pieces,
                     plural(pieces));
}

std::int64_t RankRuns::checksum_of_variables(Session::State& session) {
  std::uint32_t sum = crc32_of(nullptr, 0);
  for (const Expr& variable : session.graph().variables()) {
    if (session.variables.is_shared_out(variable)) continue;  // each rank has other rows
    const Tensor value = session.value(variable);
    sum = crc32_of(value.data(), as_size(value.stored()) * size_of(value.dtype()), sum);
  }
  return sum;
}

// Of what depends on constants alone, once.
Tensor RankRuns::value_of_constant(Session::State& session, Known& known, const Expr& node) {
  for (const auto& [id, value] : known.constants)
    if (id == node.id()) return value;
  Plan& plan = session.plan_of({&node, 1}, {});
  plan.run({}, session.runs);
  known.constants.emplace_back(node.id(), plan.result(0));
  return known.constants.back().second;
}

RankRuns::Known& RankRuns::known(Session::State& session, std::span<const Expr> fetches,
                                 std::span<const FedType> feeds) {
  const std::vector<FedType> without_rows = with_rows(feeds, 0);
  const auto same = std::find_if(known_.begin(), known_.end(), [&](const Known& each) {
    return std::equal(each.fetches.begin(), each.fetches.end(), fetches.begin(), fetches.end(),
                      [](NodeId id, const Expr& e) { return id == e.id(); }) &&
           are_same(each.feeds, without_rows);
  });
  if (same != known_.end()) {
    known_.splice(known_.begin(), known_, same);
    return known_.front();
  }
  const auto is_large = [&](const Expr& variable) { return session.variables.is_shared_out(variable); };
  Known made{{}, without_rows, distribute(fetches, feeds, ranks.size(), is_large)};
  // Variables that go with large ones are shared out from now on, also in runs that know nothing of these.
  bool any_new = false;
  for (const Distribution::Table& table : made.distribution.tables)
    for (const Expr& variable : table.variables) {
      any_new = any_new || !session.variables.is_shared_out(variable);
      session.variables.share_out(variable);
    }
  if (any_new) {
    known_.clear();
    session.plans.clear();
    ++session.storages;
  }
  for (const Expr& fetch : fetches) made.fetches.push_back(fetch.id());
  if (known_.size() == most_known) known_.pop_back();
  known_.push_front(std::move(made));
  return known_.front();
}

std::vector<Tensor> RankRuns::run(Session::State& session, std::span<const Expr> fetches, const Feeds& feeds) {
  if (ranks.size() == 1) return run_stages(session, fetches, feeds);
  try {
    return run_stages(session, fetches, feeds);
  } catch (const std::exception& error) {
    ranks.fail(error.what());
    throw;
  }
}

std::vector<Tensor> RankRuns::run_stages(Session::State& session, std::span<const Expr> fetches, const Feeds& feeds) {
  if (fetches.empty()) return {};
  StageClock clock(timed, ranks);
  session.check(fetches, feeds, "run");
  const std::vector<FedType> fed = types_fed(feeds);
  Known& k = known(session, fetches, fed);
  if (!k.distribution.exchanges()) return {};

  // Which rows all have, and whether all run the same, and have begun with the same.
  const Greeting mine{own_rows(fed), pieces, checksum_of(fetches),
                      std::exchange(has_met_, true) ? 0 : checksum_of_variables(session),
                      session.variables.shard_above};
  if (mine.rows % k.distribution.together != 0)
    fail<FeedError>("run: rank {} is fed {} rows, but they are read {} at a time; Session::rows_of parts none of them",
                    ranks.rank(), mine.rows, k.distribution.together);
  std::vector<std::int64_t> rows_by_rank;
  Greeting first;  // rank 0's, by which all go, so that all say the same
  for (const std::span<const std::byte> bytes :
       ranks.all_gather(fmt::format("the rows of {}", fetches.front().name()), std::as_bytes(std::span(&mine, 1)))) {
    Greeting theirs;
    std::memcpy(&theirs, bytes.data(), std::min(bytes.size(), sizeof theirs));
    const std::size_t rank = rows_by_rank.size();
    if (rank == 0) first = theirs;
    if (theirs.pieces != first.pieces)
      fail<ClusterError>("rank {} cuts a batch into {} pieces, rank 0 into {}; all must cut it alike", rank,
                         theirs.pieces, first.pieces);
    if (theirs.fetches != first.fetches)
      fail<ClusterError>("rank {} runs another graph than rank 0, or fetches something else of it", rank);
    if (theirs.variables != first.variables)
      fail<ClusterError>("rank {} has begun with other values of variables than rank 0; all must begin with the same",
                         rank);
    if (theirs.shard_above != first.shard_above)
      fail<ClusterError>(
          "rank {} shares out tables above {} bytes, rank 0 those above {}; shard_above must be the same", rank,
          theirs.shard_above, first.shard_above);
    rows_by_rank.push_back(theirs.rows);
  }
  clock.ends([] { return std::string("which rows all have"); });
  Share share = share_of(rows_by_rank, ranks.rank(), pieces, k.distribution.together);
  // Rows that are summed nowhere, as predictions, are computed at once, as by a session on its own.
  const auto sums_rows = [](const Distribution::Stage& stage) { return !stage.sums.empty(); };
  if (std::none_of(k.distribution.stages.begin(), k.distribution.stages.end(), sums_rows))
    share.begins = {0, rows_by_rank[at(ranks.rank())]};
  const std::vector<FedType> whole = with_rows(fed, share.rows);
  if (k.rows_of_storage != share.rows) {
    session.turn(session.compile(fetches, whole, "run").turned);
    k.rows_of_storage = share.rows;
  }

  FedValues of_all;  // what is the same on all ranks; of split feeds the types, with all rows
  for (std::size_t i = 0; i < fed.size(); ++i) of_all.add(whole[i], feeds.begin()[i].value);
  // The pieces that are computed, and what each is fed: its rows, and what is the same. One of each rank's is where a
  // row's own is fetched, and one of all ranks' where a sum is, so that rows and sums have a type.
  struct Piece {
    std::int64_t number, rows;
    FedValues given;
  };
  std::vector<Piece> parts;
  const bool has_row_fetches = std::any_of(k.distribution.stages.begin(), k.distribution.stages.end(),
                                           [](const auto& stage) { return !stage.split_fetches.empty(); });
  for (std::size_t p = 0; p + 1 < share.begins.size(); ++p) {
    const std::int64_t begin = share.begins[p], count = share.begins[p + 1] - begin;
    const std::int64_t number = share.piece + static_cast<std::int64_t>(p);
    const bool is_last = p + 2 == share.begins.size();
    if (count == 0 && !(number == 0 && share.rows == 0) && !(is_last && has_row_fetches && parts.empty())) continue;
    Piece& part = parts.emplace_back(Piece{number, count, {}});
    for (std::size_t i = 0; i < fed.size(); ++i) {
      const Tensor& value = feeds.begin()[i].value;
      if (is_split(fed[i].placeholder))
        part.given.add(with_rows(fed[i], count), value.row_range(begin, count));
      else
        part.given.add(fed[i], value);
    }
  }
  const auto add_to_parts = [&](std::span<const Expr> added, const std::vector<Tensor>& of_added) {
    for (Piece& part : parts) part.given.add(added, of_added);
  };
  std::vector<Expr> nodes;     // whose values are known,
  std::vector<Tensor> values;  // and these
  const auto keep = [&](std::span<const Expr> of, const std::vector<Tensor>& found_values) {
    nodes.insert(nodes.end(), of.begin(), of.end());
    values.insert(values.end(), found_values.begin(), found_values.end());
  };
  const auto computed = [&](std::span<const Expr> wanted, const FedValues& given, bool of_own_rows = true,
                            bool lent = false) {
    Plan& plan = session.plan_of(wanted, given.types, of_own_rows);
    std::vector<const Tensor*> at_values;
    for (const Tensor& value : given.values) at_values.push_back(&value);
    plan.lend_rows(lent);
    plan.run(at_values, session.runs);
    std::vector<Tensor> results;
    for (std::size_t i = 0; i < wanted.size(); ++i) results.push_back(plan.take_result(i));
    return results;
  };

  TableRun tables(session, ranks, k.distribution);
  for (const Distribution::Table& table : k.distribution.tables)
    for (const Expr& known : table.known)
      if (of_all.find(known) == nullptr) of_all.add(known, value_of_constant(session, k, known));

  std::size_t stages_of_pieces = k.distribution.stages.size();  // the last of them has something for pieces to compute
  const auto computes = [](const Distribution::Stage& stage) {
    return !stage.sums.empty() || !stage.split_fetches.empty();
  };
  while (stages_of_pieces > 0 && !computes(k.distribution.stages[stages_of_pieces - 1])) --stages_of_pieces;
  for (std::size_t s = 0; s < k.distribution.stages.size(); ++s) {
    const Distribution::Stage& stage = k.distribution.stages[s];
    if (!stage.counted.empty()) {
      const std::vector<Tensor> counted = computed(stage.counted, of_all, false);
      add_to_parts(stage.counted, counted);
      // With own rows of tables their shapes do not tell it any more.
      if (!k.distribution.tables.empty()) of_all.add(stage.counted, counted);
    }
    if (s == 0 && !k.distribution.tables.empty()) {
      std::vector<const FedValues*> given;
      for (Piece& part : parts) {
        if (!k.distribution.early.empty())
          part.given.add(k.distribution.early, computed(k.distribution.early, part.given));
        given.push_back(&part.given);
      }
      tables.look_up(given);
      clock.ends([] { return std::string("rows of tables, from their owners"); });
    }
    if (!stage.of_owners.empty()) {
      FedValues of_own = of_all;
      tables.keep_own_rows_of_known(of_own);
      tables.lend(of_own);
      std::vector<Expr> sums;
      for (const auto& sum : stage.of_owners) sums.push_back(sum.node);
      const std::vector<Tensor> total = tables.summed_over_owners(stage.of_owners, computed(sums, of_own));
      keep(sums, total);
      add_to_parts(sums, total);
      of_all.add(sums, total);
      clock.ends([&] { return fmt::format("sums over own rows of tables: {}", names_of(sums)); });
    }
    std::vector<Expr> wanted = stage.sums;
    wanted.insert(wanted.end(), stage.split_fetches.begin(), stage.split_fetches.end());
    if (wanted.empty()) continue;
    PieceSums sums(pieces);
    OwnerSums to_owners(pieces, session.variables.owners, tables.slices(), tables.few_are_shared());
    std::vector<Expr> of_ranks, of_owners;
    std::vector<int> tables_of_sums;
    for (std::size_t i = 0; i < stage.sums.size(); ++i) {
      (stage.table[i] >= 0 ? of_owners : of_ranks).push_back(stage.sums[i]);
      if (stage.table[i] >= 0) tables_of_sums.push_back(stage.table[i]);
    }
    std::vector<std::vector<Tensor>> rows(stage.split_fetches.size());
    auto part = parts.begin();
    for (std::int64_t number = share.piece; number < share.piece + std::ssize(share.begins) - 1; ++number) {
      std::vector<Tensor> given;
      std::vector<OwnerSums::Given> given_to_owners;
      if (part != parts.end() && part->number == number) {
        const auto i_of_part = at(part - parts.begin());
        std::vector<Tensor> results;
        {
          const bool is_last = s + 1 == stages_of_pieces;
          FedValues with_rows = is_last ? std::move(part->given) : part->given;  // for the length of a piece's plan
          tables.give_rows(i_of_part, with_rows, of_all, is_last);
          results = computed(wanted, with_rows, true, true);
        }
        for (std::size_t i = 0; i < rows.size(); ++i) rows[i].push_back(results[stage.sums.size() + i]);
        for (std::size_t i = 0; i < stage.sums.size() && (part->rows > 0 || share.rows == 0); ++i) {
          std::optional<double> factor;
          if (stage.is_mean[i] && share.rows > 0)
            factor = static_cast<double>(part->rows) / static_cast<double>(share.rows);
          const Tensor sum = std::exchange(results[i], Tensor());
          if (stage.table[i] >= 0)
            given_to_owners.push_back(tables.given_to(stage.sums[i], stage.table[i], i_of_part, sum, factor));
          else
            given.push_back(sum.layout() == Layout::dense && !factor ? sum : times(sum, factor.value_or(1)));
        }
        ++part;
      }
      sums.add(number, std::move(given));
      if (!of_owners.empty()) to_owners.add(number, given_to_owners);
    }
    clock.ends([&] { return fmt::format("{} pieces: {}", parts.size(), names_of(wanted)); });
    if (s + 1 == stages_of_pieces) parts.clear();
    for (std::size_t i = 0; i < rows.size(); ++i) keep({&stage.split_fetches[i], 1}, {one_below_other(rows[i])});
    if (!of_ranks.empty()) {
      if (ranks.size() > 1) {
        const auto all = ranks.all_gather(names_of(of_ranks), sums.to_bytes());
        for (int r = 0; r < ranks.size(); ++r)
          if (r != ranks.rank()) sums.add_bytes(all[at(r)]);
      }
      const std::vector<Tensor> total = sums.total();
      keep(of_ranks, total);
      add_to_parts(of_ranks, total);
      of_all.add(of_ranks, total);
      clock.ends([&] { return fmt::format("sums over ranks: {}", names_of(of_ranks)); });
    }
    if (!of_owners.empty()) {
      of_all.add(of_owners,
                 tables.summed_by_owners(names_of(of_owners) + ", to owners", std::move(to_owners), tables_of_sums));
      clock.ends([&] { return fmt::format("sums to owners: {}", names_of(of_owners)); });
    }
  }

  std::vector<Expr> wanted = k.distribution.same_fetches;
  wanted.insert(wanted.end(), k.distribution.own_fetches.begin(), k.distribution.own_fetches.end());
  if (!wanted.empty()) {
    tables.keep_own_rows_of_known(of_all);
    tables.lend(of_all);
    std::vector<Tensor> results = computed(wanted, of_all);
    for (std::size_t i = k.distribution.same_fetches.size(); i < wanted.size(); ++i) {
      const Type whole{results[i].dtype(), results[i].shape().with(0, wanted[i].shape()[0]), Layout::dense};
      results[i] = TableRun::gathered(ranks, wanted[i].name(), bytes_in(results[i]), whole);
    }
    keep(wanted, results);
    clock.ends([&] { return fmt::format("then on every rank: {}", names_of(wanted)); });
  }
  ++session.runs;
  std::vector<Tensor> out;
  for (const Expr& fetch : fetches) out.push_back(found(nodes, values, fetch));
  return out;
}

Tensor RankRuns::all_rows(const Expr& variable, const Tensor& own, std::optional<int> for_rank) {
  return TableRun::gathered(ranks, variable.name(), bytes_in(own), variable.type(), for_rank);
}

Tensor RankRuns::value(Session::State& session, const Expr& variable) {
  session.variables.initialize(variable);
  const auto bytes = as_size(session.variables.type_here(variable).shape.size()) * size_of(variable.dtype());
  return TableRun::gathered(ranks, variable.name(), {session.variables.data(variable), bytes}, variable.type());
}

}  // namespace gradus
