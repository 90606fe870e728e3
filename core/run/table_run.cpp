#include <gradus/core/run/table_run.h>

#include <gradus/core/at.h>
#include <gradus/core/cluster/row_numbers.h>
#include <gradus/core/tensor/create.h>
#include <gradus/core/tensor/table_rows.h>

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>

namespace gradus {

namespace {

// Rows that a rank names are exchanged in slices of about so many bytes, of which there are not too many.
constexpr std::int64_t most_bytes_at_once = std::int64_t{4} << 20;
constexpr std::size_t most_slices = 16;

std::size_t bytes_of_row(const Type& table) {
  std::size_t bytes = size_of(table.dtype);
  for (int axis = 1; axis < table.shape.rank(); ++axis) bytes *= as_size(table.shape[axis]);
  return bytes;
}

void append(std::vector<std::byte>& to, const void* from, std::size_t bytes) {
  const std::size_t before = to.size();
  to.resize(before + bytes);
  if (bytes > 0) std::memcpy(to.data() + before, from, bytes);
}

// Of messages, what is left to read.
struct Unread {
  std::span<const std::byte> left;

  std::span<const std::byte> take(std::size_t bytes) {
    if (left.size() < bytes) fail<ClusterError>("a rank has sent rows of a table that end too early");
    const auto out = left.first(bytes);
    left = left.subspan(bytes);
    return out;
  }
  std::int64_t number() {
    std::int64_t value = 0;
    std::memcpy(&value, take(sizeof value).data(), sizeof value);
    if (value < 0) fail<ClusterError>("a rank has sent {} as a number of rows", value);
    return value;
  }
};

// How many rows the small table has: a multiple of an eighth of a power of two, for few plans; and as many as an index
// has, if the table has, since what plans do depends on which is larger.
std::int64_t capacity_of(const Distribution::Table& table, std::int64_t named, std::span<const Tensor> indices) {
  std::int64_t most = std::max<std::int64_t>(1, named), rows = std::numeric_limits<std::int64_t>::max();
  for (const Tensor& index : indices)
    most = std::max(most, index.layout() == Layout::csr ? index.dim(0) : index.size());
  for (const Expr& node : table.looked_up) rows = std::min(rows, node.shape()[0]);
  const std::int64_t step = std::max<std::int64_t>(1, static_cast<std::int64_t>(std::bit_ceil(as_size(most))) / 8);
  return std::max<std::int64_t>(1, std::min(rows, (most + step - 1) / step * step));
}

std::vector<Tensor> indices_of(const Distribution::Table& table, const FedValues& piece) {
  std::vector<Tensor> indices;
  for (const Expr& index : table.indices) indices.push_back(*piece.find(index));
  return indices;
}

bool is_looked_up(const Distribution::Table& table) { return !table.looked_up.empty() && !table.indices.empty(); }

}  // namespace

std::string names_of(std::span<const Expr> nodes) {
  std::string text = nodes.front().name();
  if (nodes.size() == 2) text += fmt::format(" and {}", nodes[1].name());
  if (nodes.size() > 2) text += fmt::format(" and {} more", nodes.size() - 1);
  return text;
}

TableRun::TableRun(Session::State& session, Communicator& ranks, const Distribution& distribution)
    : session_(session), ranks_(ranks), distribution_(distribution), rows_(distribution.tables.size()) {}

void TableRun::check(const Distribution::Table& table, const std::vector<Index>& named) const {
  if (named.empty()) return;
  for (const Expr& variable : table.looked_up)
    if (named.back() >= variable.shape()[0])
      fail<ValueError>("run: {} ({}) is looked up at row {}, but it has {} rows", variable.name(),
                       to_string(variable.where()), named.back(), variable.shape()[0]);
}

void TableRun::look_up(std::span<const FedValues* const> pieces) {
  std::vector<Expr> names;
  for (std::size_t t = 0; t < rows_.size(); ++t) {
    const Distribution::Table& table = distribution_.tables[t];
    if (!is_looked_up(table)) continue;
    std::vector<std::shared_ptr<const RowIndex>> named;
    std::vector<std::int64_t> capacity;
    for (const FedValues* piece : pieces) {
      const std::vector<Tensor> indices = indices_of(table, *piece);
      named.push_back(rows_named(indices));
      capacity.push_back(capacity_of(table, named.back()->count(), indices));
    }
    ToldRows& told = rows_[t].told;
    told = ToldRows(std::move(named), ranks_.size());
    check(table, told.named());
    for (const Expr& node : table.looked_up)
      if (node.kind() == Kind::variable) told.expect({node.dtype(), node.shape().with(0, 1), Layout::dense}, capacity);
    names.insert(names.end(), table.looked_up.begin(), table.looked_up.end());
  }
  if (names.empty()) return;
  std::vector<std::shared_ptr<const RankMessage>> kept;  // where the questions are
  std::vector<Question> asked = ask(names, kept);
  cut_into_slices(names);
  for (std::size_t slice = 0; slice < slices_; ++slice) {
    std::vector<std::vector<std::byte>> answers;
    for (Question& question : asked) answers.push_back(answer(question, slice));
    take(ranks_.all_to_all(fmt::format("rows of {}", names_of(names)), std::move(answers)), slice);
    ranks_.release();
  }
}

// To each owner for each table: how many of its rows are asked for, and which; and first how many bytes the asking rank
// will be told by all.
std::vector<TableRun::Question> TableRun::ask(std::span<const Expr> names,
                                              std::vector<std::shared_ptr<const RankMessage>>& kept) {
  const int ranks = ranks_.size();
  std::int64_t bytes = 0;
  for (std::size_t t = 0; t < rows_.size(); ++t)
    for (const Expr& node : distribution_.tables[t].looked_up)
      if (node.kind() == Kind::variable)
        bytes += std::ssize(rows_[t].told.named()) * static_cast<std::int64_t>(bytes_of_row(node.type()));
  std::vector<std::vector<std::byte>> questions(at(ranks));
  for (std::vector<std::byte>& question : questions) append(question, &bytes, sizeof bytes);
  for (std::size_t t = 0; t < rows_.size(); ++t) {
    if (!is_looked_up(distribution_.tables[t])) continue;
    const std::vector<Index>& named = rows_[t].told.named();
    std::vector<std::int64_t> of_owner(at(ranks), 0);
    for (const Index row : named) ++of_owner[at(row % ranks)];
    for (std::size_t r = 0; r < questions.size(); ++r) {
      questions[r].reserve(questions[r].size() + sizeof(std::int64_t) + at(of_owner[r]) * sizeof(Index));
      append(questions[r], &of_owner[r], sizeof(std::int64_t));
    }
    for (const Index row : named) {
      const auto there = static_cast<Index>(row / ranks);
      append(questions[at(row % ranks)], &there, sizeof there);
    }
  }
  std::int64_t most = 0;
  std::vector<Question> asked;
  for (const std::span<const std::byte> theirs :
       ranks_.all_to_all(fmt::format("which rows of {}", names_of(names)), std::move(questions))) {
    Unread unread{theirs};
    most = std::max(most, unread.number());
    Question& question = asked.emplace_back(rows_.size());
    for (std::size_t t = 0; t < rows_.size(); ++t) {
      if (!is_looked_up(distribution_.tables[t])) continue;
      const std::int64_t count = unread.number();
      const std::span<const std::byte> rows = unread.take(at(count) * sizeof(Index));
      question[t] = {reinterpret_cast<const Index*>(rows.data()), at(count)};
      for (const Expr& variable : distribution_.tables[t].looked_up) {
        if (variable.kind() != Kind::variable) continue;
        session_.variables.initialize(variable);
        if (!all_below(session_.variables.type_here(variable).shape[0], question[t]))
          fail<ClusterError>("a rank has asked for rows of {} that there are not", variable.name());
      }
      rows_[t].most_own += count;
    }
  }
  kept = ranks_.take();
  slices_ =
      std::clamp<std::size_t>(std::bit_ceil(at((most + most_bytes_at_once - 1) / most_bytes_at_once)), 1, most_slices);
  return asked;
}

// The first rank says where slices begin, so that each has as many rows as another of those that it names itself.
void TableRun::cut_into_slices(std::span<const Expr> names) {
  if (slices_ == 1) return;
  std::vector<Index> begins;
  for (std::size_t t = 0; t < rows_.size() && ranks_.rank() == 0; ++t) {
    const std::vector<Index>& named = rows_[t].told.named();
    for (std::size_t slice = 1; slice < slices_; ++slice)
      begins.push_back(named.empty() ? 0 : named[slice * named.size() / slices_]);
  }
  Unread first{
      ranks_.all_gather(fmt::format("where slices of {} begin", names_of(names)), std::as_bytes(std::span(begins)))[0]};
  for (Rows& rows : rows_) {
    rows.slices.begin.resize(slices_ - 1);
    const std::span<const std::byte> bytes = first.take((slices_ - 1) * sizeof(Index));
    std::memcpy(rows.slices.begin.data(), bytes.data(), bytes.size());
  }
  ranks_.release();
}

// As an owner: the rows of a slice that a rank asks for, one table's variables after the other. They are gone from the
// question then.
std::vector<std::byte> TableRun::answer(Question& asked, std::size_t slice) {
  std::vector<std::byte> out;
  std::vector<std::size_t> counts;
  std::size_t bytes = 0, before = 0;
  for (std::size_t t = 0; t < rows_.size(); ++t) {
    const std::vector<Index>& begin = rows_[t].slices.begin;
    const auto is_before = [&](Index row, Index border) { return owners().row(row) < border; };
    counts.push_back(
        slice < begin.size()
            ? at(std::lower_bound(asked[t].begin(), asked[t].end(), begin[slice], is_before) - asked[t].begin())
            : asked[t].size());
    for (const Expr& node : distribution_.tables[t].looked_up)
      if (node.kind() == Kind::variable) bytes += counts[t] * bytes_of_row(node.type());
  }
  out.resize(bytes);
  for (std::size_t t = 0; t < rows_.size(); ++t) {
    for (const Expr& variable : distribution_.tables[t].looked_up) {
      if (variable.kind() != Kind::variable || counts[t] == 0) continue;
      const std::size_t row = bytes_of_row(variable.type());
      gather_rows(session_.variables.data(variable), asked[t].first(counts[t]), row, out.data() + before);
      before += counts[t] * row;
    }
    asked[t] = asked[t].subspan(counts[t]);
  }
  return out;
}

std::size_t TableRun::end_of_slice(const Rows& rows, std::size_t slice) const {
  const std::vector<Index>&named = rows.told.named(), &begin = rows.slices.begin;
  if (slice >= begin.size()) return named.size();
  return at(std::lower_bound(named.begin(), named.end(), begin[slice]) - named.begin());
}

// What owners answer.
void TableRun::take(std::span<const std::span<const std::byte>> theirs, std::size_t slice) {
  std::vector<std::size_t> bytes(theirs.size(), 0);
  std::vector<const std::byte*> from;
  for (const std::span<const std::byte> each : theirs) from.push_back(each.data());
  struct Expected {
    std::size_t first, last, row_bytes, variables;
  };
  std::vector<Expected> expected;
  for (std::size_t t = 0; t < rows_.size(); ++t) {
    const Rows& rows = rows_[t];
    Expected& mine = expected.emplace_back(
        Expected{slice == 0 ? 0 : end_of_slice(rows, slice - 1), end_of_slice(rows, slice), 0, 0});
    if (!is_looked_up(distribution_.tables[t])) continue;
    for (const Expr& node : distribution_.tables[t].looked_up) {
      if (node.kind() != Kind::variable) continue;
      mine.row_bytes += bytes_of_row(node.type());
      ++mine.variables;
    }
    for (std::size_t i = mine.first; i < mine.last; ++i)
      bytes[at(rows.told.named()[i] % ranks_.size())] += mine.row_bytes;
  }
  for (std::size_t r = 0; r < theirs.size(); ++r)
    if (theirs[r].size() != bytes[r])
      fail<ClusterError>("rank {} has sent {} bytes of rows; {} were asked for", r, theirs[r].size(), bytes[r]);
  for (std::size_t t = 0; t < rows_.size(); ++t)
    for (std::size_t v = 0; v < expected[t].variables; ++v)
      rows_[t].told.take(v, expected[t].first, expected[t].last, from);
}

void TableRun::give_rows(std::size_t i, FedValues& piece, const FedValues& of_all, bool last) {
  for (std::size_t t = 0; t < rows_.size(); ++t) {
    const Distribution::Table& table = distribution_.tables[t];
    if (!is_looked_up(table)) continue;
    const std::vector<Tensor> indices = indices_of(table, piece);
    const RowIndex& named = *rows_[t].told.named_by(i);
    const std::int64_t capacity = capacity_of(table, named.count(), indices);
    std::size_t number = 0;
    for (const Expr& node : table.looked_up)
      piece.set(node, node.kind() == Kind::variable ? rows_[t].told.rows_of(number++, i, capacity, last)
                                                    : rows_of(*of_all.find(node), named, capacity));
    for (const Expr& index : table.indices) piece.set(index, renumbered(*piece.find(index), named, capacity));
  }
}

bool TableRun::few_are_shared() const {
  std::size_t named = 0, in_all = 0;
  for (const Rows& rows : rows_) {
    named += rows.told.named().size();
    in_all += rows.told.named_in_all();
  }
  return slices_ > 1 && 2 * in_all < 3 * named;
}

OwnerSums::Given TableRun::given_to(const Expr& node, int table, std::size_t i, const Tensor& sum,
                                    std::optional<double> factor) const {
  const Rows& rows = rows_.at(at(table));
  const bool is_small = is_looked_up(distribution_.tables[at(table)]);
  return {sum, is_small ? rows.told.named_by(i) : nullptr, node.shape()[0], &rows.slices, factor};
}

std::vector<Tensor> TableRun::summed_by_owners(const std::string& step, OwnerSums sums, std::span<const int> tables) {
  std::vector<std::int64_t> rows;
  for (const int table : tables) rows.push_back(rows_[at(table)].most_own);
  return sums.exchanged(ranks_, step, rows);
}

void TableRun::keep_own_rows_of_known(FedValues& of_all) const {
  for (const Distribution::Table& table : distribution_.tables)
    for (const Expr& node : table.known) {
      const Tensor& whole = *of_all.find(node);
      RowIndex own;
      for (std::int64_t i = 0; i < owners().own(whole.dim(0)); ++i)
        own.row.push_back(static_cast<Index>(owners().row(i)));
      of_all.set(node, rows_of(whole, own, std::ssize(own.row)));
    }
}

void TableRun::lend(FedValues& of_all) const {
  for (const Distribution::Lent& lent : distribution_.lent) {
    Type type = lent.type;
    if (lent.table >= 0) type.shape = type.shape.with(0, owners().own(type.shape[0]));
    if (holds_rows(type)) {
      const Tensor none = Tensor::uninitialized({type.dtype, type.shape.with(0, 0), Layout::dense});
      of_all.add(lent.node, Tensor::rows(type.shape, std::make_shared<RowIndex>(), none, type.layout));
    } else {
      of_all.add(lent.node, zeros(type.shape, type.dtype));
    }
  }
}

std::vector<Tensor> TableRun::summed_over_owners(std::span<const Distribution::Stage::OfOwners> sums,
                                                 std::vector<Tensor> parts) {
  std::vector<Expr> nodes;
  for (std::size_t i = 0; i < sums.size(); ++i) {
    nodes.push_back(sums[i].node);
    if (const std::int64_t rows = sums[i].mean_of; rows > 0)
      parts[i] = owners().own(rows) == 0
                     ? zeros(parts[i].shape(), parts[i].dtype())  // a mean of nothing is no number
                     : times(parts[i], static_cast<double>(owners().own(rows)) / static_cast<double>(rows));
  }
  PieceSums all(ranks_.size());
  all.add(ranks_.rank(), std::move(parts));
  const auto theirs = ranks_.all_gather(names_of(nodes), all.to_bytes());
  for (int r = 0; r < ranks_.size(); ++r)
    if (r != ranks_.rank()) all.add_bytes(theirs[at(r)]);
  return all.total();
}

Tensor TableRun::gathered(Communicator& ranks, const std::string& step, std::span<const std::byte> own,
                          const Type& whole, std::optional<int> for_rank) {
  constexpr std::int64_t most_bytes = std::int64_t{16} << 20;  // of a message: no rank need hold a second table
  const bool is_here = !for_rank || *for_rank == ranks.rank();
  Tensor out = is_here ? Tensor::uninitialized(whole) : Tensor();
  const std::size_t bytes = bytes_of_row(whole);
  const std::int64_t rows = whole.shape[0], number = ranks.size();
  const std::int64_t at_once =
      std::max<std::int64_t>(1, most_bytes / static_cast<std::int64_t>(std::max<std::size_t>(1, bytes)));
  for (std::int64_t first = 0; first < RowOwners::count(rows, 0, number); first += at_once) {
    const std::int64_t mine =
        std::clamp<std::int64_t>(RowOwners::count(rows, ranks.rank(), number) - first, 0, at_once);
    const std::span<const std::byte> some = own.subspan(mine > 0 ? at(first) * bytes : 0, at(mine) * bytes);
    std::vector<std::span<const std::byte>> all;
    if (for_rank) {
      std::vector<std::vector<std::byte>> for_ranks(at(number));
      for_ranks[at(*for_rank)].assign(some.begin(), some.end());
      all = ranks.all_to_all(step, std::move(for_ranks));
    } else {
      all = ranks.all_gather(step, some);
    }
    for (std::int64_t r = 0; r < number && is_here; ++r)
      for (std::size_t i = 0; bytes > 0 && i < all[at(r)].size() / bytes; ++i)
        std::memcpy(out.writable_data() + at((first + static_cast<std::int64_t>(i)) * number + r) * bytes,
                    all[at(r)].data() + i * bytes, bytes);
  }
  return out;
}

}  // namespace gradus
