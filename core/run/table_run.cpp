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

void TableRun::check(const Distribution::Table& table, const RowIndex& named) const {
  if (named.row.empty()) return;
  for (const Expr& variable : table.looked_up)
    if (named.row.back() >= variable.shape()[0])
      fail<ValueError>("run: {} ({}) is looked up at row {}, but it has {} rows", variable.name(),
                       to_string(variable.where()), named.row.back(), variable.shape()[0]);
}

void TableRun::look_up(std::span<const Given* const> pieces) {
  std::vector<Expr> names;
  const int ranks = ranks_.size();
  // To each owner for each table: how many of its rows are asked for, and which.
  std::vector<std::vector<std::byte>> asked(at(ranks));
  for (std::size_t t = 0; t < rows_.size(); ++t) {
    const Distribution::Table& table = distribution_.tables[t];
    if (!is_looked_up(table)) continue;
    std::vector<Tensor> indices;
    for (const Given* piece : pieces)
      for (const Expr& index : table.indices) indices.push_back(*piece->find(index));
    Rows& rows = rows_[t];
    rows.named = rows_named(indices);
    check(table, *rows.named);
    rows.of_owner.assign(at(ranks), 0);
    for (const Index row : rows.named->row) ++rows.of_owner[at(row % ranks)];
    for (std::size_t r = 0; r < asked.size(); ++r) {
      asked[r].reserve(asked[r].size() + sizeof(std::int64_t) + at(rows.of_owner[r]) * sizeof(Index));
      append(asked[r], &rows.of_owner[r], sizeof(std::int64_t));
    }
    for (const Index row : rows.named->row) {
      const auto there = static_cast<Index>(row / ranks);
      append(asked[at(row % ranks)], &there, sizeof there);
    }
    names.insert(names.end(), table.looked_up.begin(), table.looked_up.end());
  }
  if (names.empty()) return;
  std::vector<std::vector<std::byte>> answers;
  for (const std::span<const std::byte> theirs :
       ranks_.all_to_all(fmt::format("which rows of {}", names_of(names)), std::move(asked)))
    answers.push_back(answer(theirs));
  const auto theirs = ranks_.all_to_all(fmt::format("rows of {}", names_of(names)), std::move(answers));
  told_.assign(theirs.begin(), theirs.end());
  kept_ = ranks_.take();
}

// As an owner: the rows that a rank asks for, one table's variables after the other.
std::vector<std::byte> TableRun::answer(std::span<const std::byte> asked) {
  std::vector<std::byte> out;
  for (const bool counts : {true, false}) {
    Unread question{asked};
    std::size_t before = 0;
    for (const Distribution::Table& table : distribution_.tables) {
      if (!is_looked_up(table)) continue;
      std::int64_t count = 0;
      std::memcpy(&count, question.take(sizeof count).data(), sizeof count);
      std::vector<Index> rows(at(count));
      const std::span<const std::byte> numbers = question.take(rows.size() * sizeof(Index));
      if (!rows.empty()) std::memcpy(rows.data(), numbers.data(), numbers.size());
      for (const Expr& variable : table.looked_up) {
        if (variable.kind() != Kind::variable) continue;
        const std::size_t bytes = bytes_of_row(variable.type());
        if (!counts) {
          session_.variables.initialize(variable);
          if (!all_below(session_.variables.type_here(variable).shape[0], std::span<const Index>(rows)))
            fail<ClusterError>("a rank has asked for rows of {} that there are not", variable.name());
          gather_rows(session_.variables.data(variable), std::span<const Index>(rows), bytes, out.data() + before);
        }
        before += rows.size() * bytes;
      }
    }
    if (counts) out.resize(before);
  }
  return out;
}

// Owners' answers are in the order of the rows, each owner's by themselves.
Tensor TableRun::rows_told(const Expr& variable, const Rows& rows, const RowIndex& wanted, std::int64_t capacity,
                           std::vector<std::size_t>& from) const {
  Tensor small = Tensor::uninitialized({variable.dtype(), variable.shape().with(0, capacity), Layout::dense});
  const std::size_t bytes = bytes_of_row(variable.type());
  std::vector<const std::byte*> next;
  for (std::size_t r = 0; r < told_.size(); ++r) {
    next.push_back(told_[r].subspan(from[r], at(rows.of_owner[r]) * bytes).data());
    from[r] += at(rows.of_owner[r]) * bytes;
  }
  std::byte* to = small.writable_data();
  std::size_t i = 0;
  for (const Index row : rows.named->row) {
    const std::byte*& theirs = next[at(row % ranks_.size())];
    if (i < wanted.row.size() && wanted.row[i] == row) {
      std::memcpy(to + i * bytes, theirs, bytes);
      ++i;
    }
    theirs += bytes;
  }
  if (const std::size_t held = i * bytes, all = at(capacity) * bytes; all > held) std::memset(to + held, 0, all - held);
  return small;
}

TableRun::RowsOfPiece TableRun::give_rows(Given& piece, const Given& of_all) const {
  RowsOfPiece out(rows_.size());
  std::vector<std::size_t> from(told_.size(), 0);  // of each rank's answer, what is of tables before
  for (std::size_t t = 0; t < rows_.size(); ++t) {
    const Distribution::Table& table = distribution_.tables[t];
    if (!is_looked_up(table)) continue;
    std::vector<Tensor> indices;
    for (const Expr& index : table.indices) indices.push_back(*piece.find(index));
    out[t] = rows_named(indices);
    const std::int64_t capacity = capacity_of(table, std::ssize(out[t]->row), indices);
    for (const Expr& node : table.looked_up)
      piece.set(node, node.kind() == Kind::variable ? rows_told(node, rows_[t], *out[t], capacity, from)
                                                    : rows_of(*of_all.find(node), *out[t], capacity));
    for (const Expr& index : table.indices) piece.set(index, renumbered(*piece.find(index), *out[t], capacity));
  }
  return out;
}

void TableRun::forget_rows() {
  told_.clear();
  kept_.clear();
}

void TableRun::keep_own_rows_of_known(Given& of_all) const {
  for (const Distribution::Table& table : distribution_.tables)
    for (const Expr& node : table.known) {
      const Tensor& whole = *of_all.find(node);
      RowIndex own;
      for (std::int64_t i = 0; i < owners().own(whole.dim(0)); ++i)
        own.row.push_back(static_cast<Index>(owners().row(i)));
      of_all.set(node, rows_of(whole, own, std::ssize(own.row)));
    }
}

void TableRun::lend(Given& of_all) const {
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

// Of the rows that were gathered no more than two copies are there at a time: sums and what is sent of them, what is
// sent and what has come, what has come and the sums of it.
std::vector<Tensor> TableRun::summed_by_owners(const std::string& step, PieceSums sums) {
  std::vector<std::vector<std::byte>> for_owners = sums.to_owners(owners());
  PieceSums own = sums.of_owner(owners());
  sums = PieceSums(0);
  const auto theirs = ranks_.all_to_all(step, std::move(for_owners));
  for (int r = 0; r < ranks_.size(); ++r) {
    if (r != ranks_.rank()) own.add_bytes(theirs[at(r)]);
    ranks_.release(r);
  }
  return own.total();
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
