// Where a CSR pattern has its columns from, its checks, and what is found out about its columns.
#include <gradus/core/tensor/sparse.h>

#include <gradus/core/at.h>
#include <gradus/core/cpu.h>
#include <gradus/core/error.h>
#include <gradus/core/workers.h>

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstddef>
#include <mutex>
#include <numeric>
#include <utility>

namespace gradus {

namespace {

std::string name_of(const CsrPattern& pattern) { return fmt::format("csr [{}, {}]", pattern.rows, pattern.columns); }

// A bit for each column, 64 in a word, and for each word how many columns the words before it hold.
struct Words {
  std::vector<std::uint64_t> bits;
  std::vector<Index> before;
  std::vector<std::int64_t> ends;    // of shares: how many columns there are with those before
  std::vector<std::uint64_t> marks;  // of many words: a bit for each that has any
};
// Every batch needs words: a thread keeps those for up to 64 million columns (12 MiB).
constexpr std::size_t words_kept = 1 << 20;
constexpr unsigned word_bits = 64;
constexpr std::int64_t at_once = 4;

// One pass over the non-zeros sets a bit for each column, one over the words counts and lists, one over the non-zeros,
// where slots are wanted, looks up: a column's slot is the number of bits before its own. Where there are more words
// than non-zeros, most are empty; then those that are not have marks, and no others are met.
void set_bit(std::uint64_t* bits, std::size_t number) {
  bits[number / word_bits] |= std::uint64_t{1} << (number % word_bits);
}

struct SetBits {
  [[gnu::always_inline]] static void run(std::span<const Index> column, std::uint64_t* bits) {
    for (const Index c : column) set_bit(bits, static_cast<unsigned>(c));
  }
};

// The words that had none before are noted first, in room for as many as there are columns: often it is few of them,
// and their marks again and again the same.
struct SetMarkedBits {
  [[gnu::always_inline]] static void run(std::span<const Index> column, std::uint64_t* bits, std::uint64_t* marks,
                                         Index* room) {
    std::size_t noted = 0;
    for (const Index c : column) {
      const auto number = static_cast<unsigned>(c);
      std::uint64_t& word = bits[number / word_bits];
      room[noted] = static_cast<Index>(number / word_bits);
      noted += word == 0 ? 1 : 0;
      word |= std::uint64_t{1} << (number % word_bits);
    }
    for (std::size_t i = 0; i < noted; ++i) set_bit(marks, static_cast<unsigned>(room[i]));
  }
};

// Lists the columns of a word, before which there are `count`; the rest as ListColumns.
[[gnu::always_inline]] inline Index list_word(std::uint64_t bits, std::size_t word, Index count, Index* columns,
                                              std::int64_t end) {
  std::uint64_t rest = bits;
  const auto number = static_cast<Index>(word * word_bits);
  std::int64_t t = 0;
  // How many bits a word has is chance, on which a branch would often guess wrong: some are always listed, and what
  // is no column is written over by the next word.
  if (count + at_once <= end)
    for (; t < at_once; ++t, rest &= rest - 1) columns[count + t] = number + static_cast<Index>(std::countr_zero(rest));
  for (; rest != 0; ++t, rest &= rest - 1) columns[count + t] = number + static_cast<Index>(std::countr_zero(rest));
  return count + static_cast<Index>(std::popcount(bits));
}

// Lists the columns of the words [first, last), before which there are `count`, to columns[count] and on, of which
// those from `end` are somebody else's. Returns how many there are with those before.
struct ListColumns {
  [[gnu::always_inline]] static Index run(const std::uint64_t* bits, Index* before, std::size_t first, std::size_t last,
                                          Index count, Index* columns, std::int64_t end) {
    for (std::size_t word = first; word < last; ++word) {
      before[word] = count;
      count = list_word(bits[word], word, count, columns, end);
    }
    return count;
  }
};

// The same of the words that are marked.
struct ListMarkedColumns {
  [[gnu::always_inline]] static Index run(const std::uint64_t* bits, Index* before,
                                          std::span<const std::uint64_t> marks, Index* columns, std::int64_t end) {
    Index count = 0;
    for (std::size_t m = 0; m < marks.size(); ++m)
      for (std::uint64_t rest = marks[m]; rest != 0; rest &= rest - 1) {
        const std::size_t word = m * word_bits + static_cast<std::size_t>(std::countr_zero(rest));
        before[word] = count;
        count = list_word(bits[word], word, count, columns, end);
      }
    return count;
  }
};

struct CountBits {
  [[gnu::always_inline]] static std::int64_t run(std::span<const std::uint64_t> words) {
    std::int64_t count = 0;
    for (const std::uint64_t word : words) count += std::popcount(word);
    return count;
  }
};

struct FindSlots {
  [[gnu::always_inline]] static void run(std::span<const Index> column, const std::uint64_t* bits, const Index* before,
                                         Index* slot) {
    for (std::size_t j = 0; j < column.size(); ++j) {
      const auto c = static_cast<unsigned>(column[j]);
      const std::uint64_t below = bits[c / word_bits] & ((std::uint64_t{1} << (c % word_bits)) - 1);
      slot[j] = before[c / word_bits] + static_cast<Index>(std::popcount(below));
    }
  }
};

void find_slots(std::span<const Index> column, const Words& words, Index* slot) {
  static const auto find =
      compiled_here<FindSlots, std::span<const Index>, const std::uint64_t*, const Index*, Index*>();
  find(column, words.bits.data(), words.before.data(), slot);
}

void find_by_marked_bits(const CsrPattern& pattern, std::vector<Index>& columns, Index* slot) {
  static const auto set_bits =
      compiled_here<SetMarkedBits, std::span<const Index>, std::uint64_t*, std::uint64_t*, Index*>();
  static const auto list_columns = compiled_here<ListMarkedColumns, const std::uint64_t*, Index*,
                                                 std::span<const std::uint64_t>, Index*, std::int64_t>();
  static thread_local Words kept;  // no bit is set but while a pattern is looked at
  Words many;
  const auto count = as_size(pattern.columns / word_bits + 1);
  Words& words = count <= words_kept ? kept : many;
  if (words.bits.size() < count) words.bits.resize(count);
  if (words.before.size() < count) words.before.resize(count);
  words.marks.assign(count / word_bits + 1, 0);
  const std::int64_t end = std::min(pattern.columns, pattern.non_zeros()) + at_once;
  columns.resize(as_size(end));

  set_bits(pattern.column, words.bits.data(), words.marks.data(), columns.data());
  columns.resize(as_size(list_columns(words.bits.data(), words.before.data(), words.marks, columns.data(), end)));
  if (slot != nullptr) find_slots(pattern.column, words, slot);
  for (const Index c : columns) words.bits[static_cast<unsigned>(c) / word_bits] = 0;
}

// Where there are workers, each thread does a share of each pass; bits it sets in words of its own.
void find_by_bits(const CsrPattern& pattern, std::vector<Index>& columns, Index* slot, Workers* workers) {
  constexpr std::size_t worth_a_thread = 1 << 13;  // non-zeros
  static const auto set_bits = compiled_here<SetBits, std::span<const Index>, std::uint64_t*>();
  static const auto list_columns =
      compiled_here<ListColumns, const std::uint64_t*, Index*, std::size_t, std::size_t, Index, Index*, std::int64_t>();
  static const auto count_bits = compiled_here<CountBits, std::span<const std::uint64_t>>();
  static thread_local Words kept;
  Words many;
  const std::span<const Index> column = pattern.column;
  const auto count = as_size(pattern.columns / word_bits + 1);
  const std::size_t shares =
      workers == nullptr ? 1 : std::clamp<std::size_t>(column.size() / worth_a_thread, 1, as_size(workers->threads()));
  Words& words = count * shares <= words_kept ? kept : many;
  if (words.bits.size() < count * shares) words.bits.resize(count * shares);
  if (words.before.size() < count) words.before.resize(count);
  std::uint64_t* const bits = words.bits.data();
  struct Share {
    std::size_t number;
    std::size_t first, non_zeros;
    std::size_t first_word, last_word;
  };
  const auto each = [&](auto&& pass) {
    const auto of = [&](std::size_t share) {
      const std::size_t first = share * column.size() / shares, last = (share + 1) * column.size() / shares;
      pass(Share{share, first, last - first, share * count / shares, (share + 1) * count / shares});
    };
    if (shares == 1) return of(0);
    workers->for_each(static_cast<std::int64_t>(shares), 1,
                      [&](std::int64_t share, std::int64_t) { of(as_size(share)); });
  };

  each([&](const Share& of) {
    std::fill_n(bits + of.number * count, count, 0);
    set_bits(column.subspan(of.first, of.non_zeros), bits + of.number * count);
  });
  std::vector<std::int64_t>& ends = words.ends;
  ends.resize(shares);
  each([&](const Share& of) {
    for (std::size_t word = of.first_word; word < of.last_word; ++word)
      for (std::size_t other = 1; other < shares; ++other) bits[word] |= bits[other * count + word];
    ends[of.number] = count_bits(std::span(bits + of.first_word, of.last_word - of.first_word));
  });
  std::partial_sum(ends.begin(), ends.end(), ends.begin());
  columns.resize(as_size(ends.back()));
  each([&](const Share& of) {
    const Index before = of.number == 0 ? 0 : static_cast<Index>(ends[of.number - 1]);
    list_columns(bits, words.before.data(), of.first_word, of.last_word, before, columns.data(), ends[of.number]);
  });
  if (slot == nullptr) return;
  each([&](const Share& of) { find_slots(column.subspan(of.first, of.non_zeros), words, slot + of.first); });
}

void find_by_sorting(const CsrPattern& pattern, std::vector<Index>& columns, Index* slot) {
  columns.assign(pattern.column.begin(), pattern.column.end());
  std::sort(columns.begin(), columns.end());
  columns.erase(std::unique(columns.begin(), columns.end()), columns.end());
  for (std::size_t j = 0; slot != nullptr && j < pattern.column.size(); ++j)
    slot[j] = static_cast<Index>(std::lower_bound(columns.begin(), columns.end(), pattern.column[j]) - columns.begin());
}

}  // namespace

struct CsrPattern::Found {
  static constexpr std::int64_t unknown = -2;
  std::atomic<std::int64_t> row_length{unknown};
  std::mutex mutex;  // of what follows, while it is being built
  std::atomic<bool> columns_are_built{false};
  std::atomic<bool> active_is_built{false};  // slots as well
  std::atomic<bool> by_column_is_built{false};
  std::atomic<bool> slots_were_asked{true};  // for these columns
  bool slots_will_be{true};                  // as they were for the last ones
  Active active;
  ByColumn by_column;
};

CsrPattern::CsrPattern() : found_(std::make_unique<Found>()) {}
CsrPattern::~CsrPattern() = default;

void CsrPattern::forget() {
  ascends_ = true;
  found_->row_length.store(Found::unknown, std::memory_order_relaxed);
  found_->columns_are_built.store(false, std::memory_order_relaxed);
  found_->active_is_built.store(false, std::memory_order_relaxed);
  found_->by_column_is_built.store(false, std::memory_order_relaxed);
  found_->slots_will_be = found_->slots_were_asked.exchange(false, std::memory_order_relaxed);
}

void CsrPattern::set_column(std::vector<Index> given) {
  own_ = std::move(given);
  column = own_;
  whole_.reset();
  forget();
}

std::span<Index> CsrPattern::new_column(std::int64_t count) {
  own_.resize(as_size(count));
  column = own_;
  whole_.reset();
  forget();
  return own_;
}

// One batch after the other has such rows: where they begin is known already.
void CsrPattern::set_equal_rows(std::int64_t count, std::int64_t length) {
  if (rows == count && found_->row_length.load(std::memory_order_relaxed) == length) return;
  rows = count;
  row_start.resize(as_size(count) + 1);
  for (std::int64_t r = 0; r <= count; ++r) row_start[as_size(r)] = r * length;
}

std::span<Index> CsrPattern::new_rows(std::int64_t count, std::int64_t length) {
  set_equal_rows(count, length);
  const std::span<Index> out = new_column(count * length);
  found_->row_length.store(length, std::memory_order_relaxed);
  return out;
}

void CsrPattern::regroup(const CsrPattern& other, std::int64_t length) {
  columns = other.columns;
  std::ranges::copy(other.column, new_rows(other.non_zeros() / length, length).begin());
  const Active& theirs = other.active();
  ascends_ = false;
  std::shared_ptr<RowIndex> index = index_to_fill();
  index->row = theirs.columns->row;
  found_->active.slot = theirs.slot;
  found_->active.columns = std::move(index);
  found_->columns_are_built.store(true, std::memory_order_release);
  found_->active_is_built.store(true, std::memory_order_release);
}

// The memory of columns that were forgotten, unless somebody still reads them.
std::shared_ptr<RowIndex> CsrPattern::index_to_fill() const {
  std::shared_ptr<RowIndex> index = std::const_pointer_cast<RowIndex>(std::exchange(found_->active.columns, nullptr));
  if (index.use_count() != 1) index = std::make_shared<RowIndex>();
  std::atomic_thread_fence(std::memory_order_acquire);  // whoever dropped them has read them
  return index;
}

void CsrPattern::set_rows(const std::shared_ptr<const CsrPattern>& whole, std::int64_t first, std::int64_t count) {
  const std::int64_t length = whole->row_length();
  const std::int64_t from = whole->row_start[as_size(first)];
  const std::int64_t end = whole->row_start[as_size(first + count)];
  if (length >= 0) {
    set_equal_rows(count, length);
  } else {
    rows = count;
    row_start.resize(as_size(count) + 1);
    const auto begin = whole->row_start.begin() + first;
    std::transform(begin, begin + count + 1, row_start.begin(), [&](std::int64_t start) { return start - from; });
  }
  columns = whole->columns;
  column = whole->column.subspan(as_size(from), as_size(end - from));
  // Rows of rows are rows of the whole: what lies between need not live on.
  whole_ = whole->whole_ ? whole->whole_ : whole;
  forget();
  if (length >= 0) found_->row_length.store(length, std::memory_order_relaxed);
  ascends_ = whole->ascends_;
}

std::int64_t CsrPattern::row_length() const {
  std::int64_t length = found_->row_length.load(std::memory_order_relaxed);
  if (length != Found::unknown) return length;
  length = rows > 0 ? row_start[1] : 0;
  bool equal = true;
  for (std::int64_t r = 0; r <= rows; ++r) equal &= row_start[as_size(r)] == r * length;
  if (!equal) length = -1;
  found_->row_length.store(length, std::memory_order_relaxed);
  return length;
}

const CsrPattern::Active& CsrPattern::active(Workers* workers) const {
  if (!found_->slots_were_asked.load(std::memory_order_relaxed))
    found_->slots_were_asked.store(true, std::memory_order_relaxed);
  if (!found_->active_is_built.load(std::memory_order_acquire)) find_active(true, workers);
  return found_->active;
}

const std::shared_ptr<const RowIndex>& CsrPattern::active_columns(Workers* workers) const {
  if (!found_->columns_are_built.load(std::memory_order_acquire)) find_active(found_->slots_will_be, workers);
  return found_->active.columns;
}

void CsrPattern::find_active(bool slots, Workers* workers) const {
  constexpr std::int64_t most_columns_a_non_zero = 1024;
  Active& active = found_->active;
  const std::lock_guard lock(found_->mutex);
  const bool knows_columns = found_->columns_are_built.load(std::memory_order_relaxed);
  if (found_->active_is_built.load(std::memory_order_relaxed) || (knows_columns && !slots)) return;
  // Where the columns are read already, they are found once more, for the slots.
  std::shared_ptr<RowIndex> index = knows_columns ? std::make_shared<RowIndex>() : index_to_fill();
  if (slots) active.slot.resize(column.size());
  Index* const slot = slots ? active.slot.data() : nullptr;
  if (columns / most_columns_a_non_zero > non_zeros()) {
    find_by_sorting(*this, index->row, slot);
  } else if (2 * (columns / word_bits) > non_zeros()) {
    find_by_marked_bits(*this, index->row, slot);
  } else {
    find_by_bits(*this, index->row, slot, workers);
  }
  if (!knows_columns) active.columns = std::move(index);
  found_->columns_are_built.store(true, std::memory_order_release);
  if (slots) found_->active_is_built.store(true, std::memory_order_release);
}

// A counting sort by slot: stable, so rows ascend within each column.
const CsrPattern::ByColumn& CsrPattern::by_column() const {
  ByColumn& by_column = found_->by_column;
  if (found_->by_column_is_built.load(std::memory_order_acquire)) return by_column;
  const Active& of = active();
  const std::lock_guard lock(found_->mutex);
  if (found_->by_column_is_built.load(std::memory_order_relaxed)) return by_column;
  std::vector<std::int64_t>& start = by_column.start;
  start.assign(as_size(of.columns->count()) + 1, 0);
  for (const Index slot : of.slot) ++start[as_size(slot) + 1];
  std::partial_sum(start.begin(), start.end(), start.begin());
  by_column.row.resize(column.size());
  by_column.position.resize(column.size());
  std::vector<std::int64_t> next = start;
  for (std::int64_t r = 0; r < rows; ++r)
    for (std::int64_t j = row_start[as_size(r)]; j < row_start[as_size(r + 1)]; ++j) {
      const auto to = as_size(next[as_size(of.slot[as_size(j)])]++);
      by_column.row[to] = static_cast<Index>(r);
      by_column.position[to] = j;
    }
  found_->by_column_is_built.store(true, std::memory_order_release);
  return by_column;
}

void CsrPattern::check_row_start(std::int64_t columns_given) const {
  const std::string name = name_of(*this);
  if (rows < 0 || columns < 0 || rows > max_sparse_dimension || columns > max_sparse_dimension)
    fail<ValueError>("{}: a CSR matrix has 0 to {} rows and columns", name, max_sparse_dimension);
  if (row_start.size() != as_size(rows) + 1)
    fail<ValueError>("{}: row_start has {} entries; rows + 1 = {} are needed", name, row_start.size(), rows + 1);
  if (row_start[0] != 0) fail<ValueError>("{}: row_start begins with {}; it must begin with 0", name, row_start[0]);
  for (std::int64_t r = 0; r < rows; ++r)
    if (row_start[as_size(r + 1)] < row_start[as_size(r)])
      fail<ValueError>("{}: row {} starts at {} but ends at {}; row_start must not fall", name, r,
                       row_start[as_size(r)], row_start[as_size(r + 1)]);
  if (row_start.back() != columns_given)
    fail<ValueError>("{}: row_start ends with {} but {} columns are given; the two must agree", name, row_start.back(),
                     columns_given);
}

void CsrPattern::check() const {
  check_row_start(static_cast<std::int64_t>(column.size()));
  const std::string name = name_of(*this);
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::int64_t p = row_start[as_size(r)]; p < row_start[as_size(r + 1)]; ++p) {
      const Index c = column[as_size(p)];
      if (c < 0 || c >= columns)
        fail<ValueError>("{}: row {} names column {}; columns are 0 to {}", name, r, c, columns - 1);
      if (p == row_start[as_size(r)]) continue;
      const Index before = column[as_size(p - 1)];
      if (c == before) fail<ValueError>("{}: row {} names column {} twice", name, r, c);
      if (c < before)
        fail<ValueError>("{}: row {} names column {} after column {}; columns must ascend", name, r, c, before);
    }
  }
}

}  // namespace gradus
