#include <gradus/core/run/rank_runs.h>

#include <gradus/core/at.h>
#include <gradus/core/io/checksum.h>

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
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

FedType with_rows(FedType fed, std::int64_t rows) {
  if (is_split(fed.placeholder)) fed.type.shape = fed.type.shape.with(0, rows);
  return fed;
}

std::vector<FedType> with_rows(std::span<const FedType> fed, std::int64_t rows) {
  std::vector<FedType> out;
  for (const FedType& each : fed) out.push_back(with_rows(each, rows));
  return out;
}

// The rows that a rank has of what is split; they must be as many of each.
std::int64_t own_rows(std::span<const FedType> fed) {
  const FedType* first = nullptr;
  for (const FedType& each : fed) {
    if (!is_split(each.placeholder)) continue;
    if (first == nullptr) first = &each;
    if (each.type.shape[0] != first->type.shape[0])
      fail<FeedError>("run: {} has {} rows but {} has {}; over several ranks all that is split by rows has as many",
                      first->placeholder.name(), first->type.shape[0], each.placeholder.name(), each.type.shape[0]);
  }
  return first == nullptr ? 0 : first->type.shape[0];
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

// "V gradients", "W and 2 more": the sums of a stage, for messages.
std::string names_of(std::span<const Expr> sums) {
  std::string text = sums.front().name();
  if (sums.size() > 1) text += fmt::format(" and {} more", sums.size() - 1);
  return text;
}

// The type of a node, all dimensions known.
Type computed_type(const Expr& node, std::span<const FedType> feeds) {
  return make_draft({&node, 1}, feeds, {}, "explain").fetches.front().type();
}

// What ranks tell one another before a run.
struct Greeting {
  std::int64_t rows = 0, pieces = 0, fetches = 0;
  std::int64_t variables = 0;  // before the first run
};

std::int64_t checksum_of(std::span<const Expr> fetches) {
  std::uint32_t sum = crc32_of(nullptr, 0);
  for (const Expr& fetch : fetches) {
    const NodeId id = fetch.id();
    sum = crc32_of(fetch.name().data(), fetch.name().size(), crc32_of(&id, sizeof id, sum));
  }
  return sum;
}

// Values that plans are fed, by node.
struct Given {
  std::vector<FedType> types{};
  std::vector<Tensor> values{};

  void add(const Expr& node, const Tensor& value) { add(fed_type(node, value), value); }
  void add(const FedType& type, const Tensor& value) {
    types.push_back(type);
    values.push_back(value);
  }
  void add(std::span<const Expr> nodes, const std::vector<Tensor>& of_nodes) {
    for (std::size_t i = 0; i < nodes.size(); ++i) add(nodes[i], of_nodes.at(i));
  }
};

std::vector<FedType> types_fed(const Feeds& feeds) {
  std::vector<FedType> types;
  for (const Feed& feed : feeds) types.push_back(fed_type(feed.placeholder, feed.value));
  return types;
}

const Tensor& found(std::span<const Expr> nodes, const std::vector<Tensor>& values, const Expr& node) {
  static const Tensor none;
  for (std::size_t i = 0; i < nodes.size(); ++i)
    if (same_node(nodes[i], node)) return values[i];
  return none;
}

}  // namespace

RankRuns::RankRuns(const Communicator& communicator, std::int64_t count) : ranks(communicator), pieces(count) {
  if (pieces < ranks.size())
    fail<ValueError>("a session over {} ranks with {} piece{}; each rank needs one at least", ranks.size(), pieces,
                     plural(pieces));
}

std::int64_t RankRuns::checksum_of_variables(Session::State& session) {
  std::uint32_t sum = crc32_of(nullptr, 0);
  for (const Expr& variable : session.graph().variables()) {
    const Tensor value = session.value(variable);
    sum = crc32_of(value.data(), as_size(value.stored()) * size_of(value.dtype()), sum);
  }
  return sum;
}

RankRuns::Known& RankRuns::known(std::span<const Expr> fetches, std::span<const FedType> feeds) {
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
  Known made{{}, without_rows, distribute(fetches, feeds, ranks.size())};
  for (const Expr& fetch : fetches) made.fetches.push_back(fetch.id());
  if (known_.size() == most_known) known_.pop_back();
  known_.push_front(std::move(made));
  return known_.front();
}

std::string RankRuns::explain(Session::State& session, std::span<const Expr> fetches, std::span<const FedType> feeds,
                              bool kernels) {
  const Distribution& distribution = known(fetches, feeds).distribution;
  if (!distribution.exchanges()) return {};
  const std::int64_t first = first_piece(ranks.rank(), ranks.size(), pieces);
  const std::int64_t mine = first_piece(ranks.rank() + 1, ranks.size(), pieces) - first;
  const std::int64_t rows = own_rows(feeds), in_piece = std::max<std::int64_t>(rows / mine, distribution.together);
  const auto steps = [&](std::span<const Expr> wanted, std::span<const FedType> fed) {
    Variables places{.accelerator = nullptr, .transposed = session.variables.transposed, .are_places_only = true};
    Session::State::Compiled compiled = session.compile(wanted, fed, "explain", false);
    return to_string(session.make_plan(std::move(compiled.draft), places)->steps(session.graph()), kernels);
  };
  std::string text = fmt::format("rank {} of {} has {} of {} pieces of a batch, here of {} row{} each\n", ranks.rank(),
                                 ranks.size(), mine, pieces, in_piece, plural(in_piece));
  std::vector<FedType> piece = with_rows(feeds, in_piece), all = with_rows(feeds, rows * ranks.size());
  for (std::size_t s = 0; s < distribution.stages.size(); ++s) {
    const Distribution::Stage& stage = distribution.stages[s];
    for (const Expr& counted : stage.counted) piece.push_back({counted, computed_type(counted, all)});
    std::vector<Expr> wanted = stage.sums;
    wanted.insert(wanted.end(), stage.split_fetches.begin(), stage.split_fetches.end());
    if (wanted.empty()) continue;
    text += fmt::format("\nfor each piece:\n{}", steps(wanted, piece));
    if (stage.sums.empty()) continue;
    const std::int64_t parts = parts_of(first, first + mine);
    text += fmt::format("\nexchange: {} part{} of {} bytes to each of {} other rank{}, and in each\n", parts,
                        plural(parts), bytes_of_part, ranks.size() - 1, plural(ranks.size() - 1));
    for (const Expr& sum : stage.sums) {
      const Type type = computed_type(sum, all);
      const std::int64_t fixed = bytes_sent_of(type, 0, true);
      text += fmt::format("  {}: {}, {} bytes", sum.name(), type, fixed);
      if (type.layout == Layout::rows)
        text += fmt::format(" and {} for each row held, of them {} for its number, which sums of the same rows share",
                            bytes_sent_of(type, 1, true) - fixed, sizeof(Index));
      text += fmt::format("  # {}\n", to_string(sum.where()));
      piece.push_back({sum, type});
      all.push_back({sum, type});
    }
  }
  if (!distribution.same_fetches.empty())
    text += fmt::format("\nthen on every rank:\n{}", steps(distribution.same_fetches, all));
  return text;
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
  session.check(fetches, feeds, "run");
  const std::vector<FedType> fed = types_fed(feeds);
  Known& k = known(fetches, fed);
  if (!k.distribution.exchanges()) return {};

  // Which rows all have, and whether all run the same, and have begun with the same.
  const Greeting mine{own_rows(fed), pieces, checksum_of(fetches),
                      std::exchange(has_met_, true) ? 0 : checksum_of_variables(session)};
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
    rows_by_rank.push_back(theirs.rows);
  }
  const Share share = share_of(rows_by_rank, ranks.rank(), pieces, k.distribution.together);
  const std::vector<FedType> whole = with_rows(fed, share.rows);
  if (k.rows_of_storage != share.rows) {
    session.turn(session.compile(fetches, whole, "run").turned);
    k.rows_of_storage = share.rows;
  }

  Given of_all;  // what is the same on all ranks; of split feeds the types, with all rows
  for (std::size_t i = 0; i < fed.size(); ++i) of_all.add(whole[i], feeds.begin()[i].value);
  Given beside;  // what pieces are fed beside their rows
  for (std::size_t i = 0; i < fed.size(); ++i)
    if (!is_split(fed[i].placeholder)) beside.add(fed[i], feeds.begin()[i].value);
  std::vector<Expr> nodes;     // whose values are known,
  std::vector<Tensor> values;  // and these
  const auto keep = [&](std::span<const Expr> of, const std::vector<Tensor>& found_values) {
    nodes.insert(nodes.end(), of.begin(), of.end());
    values.insert(values.end(), found_values.begin(), found_values.end());
  };

  const auto computed = [&](std::span<const Expr> wanted, const Given& given) {
    Plan& plan = session.plan_of(wanted, given.types);
    std::vector<const Tensor*> at_values;
    for (const Tensor& value : given.values) at_values.push_back(&value);
    plan.run(at_values, session.runs);
    std::vector<Tensor> results;
    for (std::size_t i = 0; i < wanted.size(); ++i) results.push_back(plan.result(i));
    return results;
  };

  for (std::size_t s = 0; s < k.distribution.stages.size(); ++s) {
    const Distribution::Stage& stage = k.distribution.stages[s];
    if (!stage.counted.empty()) beside.add(stage.counted, computed(stage.counted, of_all));
    std::vector<Expr> wanted = stage.sums;
    wanted.insert(wanted.end(), stage.split_fetches.begin(), stage.split_fetches.end());
    if (wanted.empty()) continue;
    PieceSums sums(pieces);
    std::vector<std::vector<Tensor>> rows(stage.split_fetches.size());
    for (std::size_t p = 0; p + 1 < share.begins.size(); ++p) {
      const std::int64_t begin = share.begins[p], count = share.begins[p + 1] - begin;
      const std::int64_t piece = share.piece + static_cast<std::int64_t>(p);
      // One piece at least is computed, so that sums and rows have a type.
      const bool is_asked = count > 0 || (piece == 0 && share.rows == 0) ||
                            (p + 2 == share.begins.size() && !rows.empty() && rows.front().empty());
      if (!is_asked) {
        sums.add(piece, {});
        continue;
      }
      Given given = beside;
      for (std::size_t i = 0; i < fed.size(); ++i)
        if (is_split(fed[i].placeholder))
          given.add(with_rows(fed[i], count), feeds.begin()[i].value.row_range(begin, count));
      std::vector<Tensor> results = computed(wanted, given);
      for (std::size_t i = 0; i < rows.size(); ++i) rows[i].push_back(results[stage.sums.size() + i]);
      results.resize(stage.sums.size());
      for (std::size_t i = 0; i < results.size(); ++i)
        if (stage.is_mean[i] && share.rows > 0)
          results[i] = times(results[i], static_cast<double>(count) / static_cast<double>(share.rows));
      if (count == 0 && share.rows > 0) results.clear();
      sums.add(piece, std::move(results));
    }
    for (std::size_t i = 0; i < rows.size(); ++i) keep({&stage.split_fetches[i], 1}, {one_below_other(rows[i])});
    if (stage.sums.empty()) continue;
    if (ranks.size() > 1) {
      const auto all = ranks.all_gather(names_of(stage.sums), sums.to_bytes());
      for (int r = 0; r < ranks.size(); ++r)
        if (r != ranks.rank()) sums.add_bytes(all[at(r)]);
    }
    const std::vector<Tensor> total = sums.total();
    keep(stage.sums, total);
    beside.add(stage.sums, total);
    of_all.add(stage.sums, total);
  }

  if (!k.distribution.same_fetches.empty())
    keep(k.distribution.same_fetches, computed(k.distribution.same_fetches, of_all));
  ++session.runs;
  std::vector<Tensor> out;
  for (const Expr& fetch : fetches) out.push_back(found(nodes, values, fetch));
  return out;
}

}  // namespace gradus
