#include <gradus/models/data/detail/libsvm.h>

#include <gradus/models/data/detail/number_text.h>
#include <gradus/models/data/detail/row_pieces.h>

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <utility>

namespace gradus {

namespace {

constexpr std::uint64_t last_column = max_sparse_dimension - 1;
// Thrown by a piece that has an index beyond all columns: it is read again, and indices get numbers.
struct NeedsNumbers {};
Index hashed(std::uint64_t index, int bits) {
  index = (index ^ (index >> 33)) * 0xff51afd7ed558ccd;  // as MurmurHash3 ends
  index = (index ^ (index >> 33)) * 0xc4ceb9fe1a85ec53;
  return static_cast<Index>((index ^ (index >> 33)) & ((std::uint64_t{1} << bits) - 1));
}

bool is_blank(char c) { return c == ' ' || c == '\t'; }

// Reads one piece of text. What it meets is mostly well-formed: where it is not, what is wrong is found out afterwards,
// from the token at fault.
template <class T, SparseText form>
class LineParser {
 public:
  // With `renumbers`, indices get no columns yet.
  LineParser(std::string_view text, const SparseTextOptions& options, bool renumbers, RowPiece<T>& out)
      : p_(text.data()), end_(p_ + text.size()), options_(options), renumbers_(renumbers), out_(out) {
    limit_ = options.columns > 0 ? static_cast<std::uint64_t>(options.columns) : last_column + 1;
    if (renumbers || options.ids || options.hash_bits > 0) limit_ = 0;
  }

  void run() {
    // A pair of index and value is seldom shorter than 6 bytes; what is too much is never touched.
    const auto bytes = static_cast<std::size_t>(end_ - p_);
    out_.column.reserve(bytes / 6);
    out_.value.reserve(bytes / 6);
    while (p_ != end_) {
      row();
      if (p_ != end_) {
        ++p_;  // the newline
        ++out_.lines;
      }
    }
    if (options_.columns > 0 || options_.ids) out_.unseen = {unseen_};
  }

 private:
  static constexpr std::uint64_t base = form == SparseText::libsvm ? 1 : 0;  // of indices

  // Moves on to a token of this line, or to its end.
  bool at_token() {
    while (p_ != end_ && is_blank(*p_)) ++p_;
    return !at_end();
  }
  bool at_end() {
    if (p_ == end_ || *p_ == '\n') return true;
    if (*p_ == '\r' && (p_ + 1 == end_ || p_[1] == '\n')) {
      ++p_;
      return true;
    }
    if (*p_ != '#') return false;
    p_ = std::find(p_, end_, '\n');
    return true;
  }
  static bool ends_token(const char* p, const char* end) {
    return p == end || is_blank(*p) || *p == '\n' || *p == '#' || (*p == '\r' && (p + 1 == end || p[1] == '\n'));
  }

  void row() {
    if (!at_token()) return;
    T y = 0;
    const char* after = read_number(p_, end_, y);
    if (after != nullptr && ends_token(after, end_)) {
      p_ = after;
    } else if (options_.need_target || token_at(p_).find(':') == std::string_view::npos) {
      wrong_target();
    }
    const std::size_t first = out_.column.size();
    std::int64_t previous = -1;
    bool sorted = true;
    bool bare = false;  // pairs have no values
    const std::int64_t unseen_here = unseen_;
    while (at_token()) {
      const char* const token = p_;
      std::uint64_t field = 0, index = 0;
      const char* p = token;
      if constexpr (form == SparseText::libffm) {
        p = read_digits(p, end_, field);
        if (p == nullptr || p == end_ || *p != ':' || field > last_column) wrong_pair(token);
        ++p;
      }
      p = read_index(p, end_, index);
      if (p == nullptr || index < base) wrong_pair(token);
      T value = 1;
      if (p == end_ || *p != ':' || bare) [[unlikely]] {
        bare = bare || (out_.column.size() == first && unseen_here == unseen_);
        if (form == SparseText::libffm || !bare || !ends_token(p, end_)) wrong_pair(token);
      } else if (++p; end_ - p >= 2 && is_digit(*p) && (p[1] == ' ' || p[1] == '\n')) {
        // One-hot data are full of single digits.
        value = static_cast<T>(*p++ - '0');
      } else {
        p = read_number(p, end_, value);
        if (p == nullptr || !ends_token(p, end_)) wrong_pair(token);
      }
      p_ = p;
      auto column = static_cast<Index>(index - base);
      if (index - base >= limit_) {
        column = other_column(index);
        if (column < 0) continue;
      }
      sorted = sorted && column > previous;
      previous = column;
      out_.column.push_back(column);
      out_.value.push_back(value);
      if constexpr (form == SparseText::libffm) out_.field.push_back(static_cast<Index>(field));
    }
    if (!sorted && out_.index.empty()) sort(first);
    if (out_.column.size() > first) out_.largest = std::max(out_.largest, out_.column.back());
    out_.row_end.push_back(static_cast<std::int64_t>(out_.column.size()));
    if (options_.need_target) out_.y.push_back(y);
    if (form == SparseText::libffm || renumbers_) out_.row_line.push_back(out_.lines);
  }

  // The column of an index that is not its own number; -1 where it has none, which is counted.
  Index other_column(std::uint64_t index) {
    if (options_.hash_bits > 0) return hashed(index, options_.hash_bits);
    if (renumbers_) {
      out_.index.push_back(index);
      return 0;  // which is yet to be found
    }
    if (!options_.ids && options_.columns == 0) throw NeedsNumbers();
    const Index column = options_.ids ? options_.ids->column(index) : -1;
    if (column < 0) ++unseen_;
    return column;
  }

  [[gnu::noinline]] void sort(std::size_t first) {
    const RowFault fault = sort_row(out_, first, {options_.duplicates, options_.other_field});
    if (fault.column < 0) return;
    const auto column = static_cast<std::size_t>(fault.column);
    wrong(fault.text(options_.ids ? options_.ids->index()[column] : column + base, dtype_of<T>));
  }

  [[noreturn]] void wrong(std::string what) const { throw Mistake{out_.lines, std::move(what)}; }

  std::string_view token_at(const char* first) const {
    const char* last = first;
    while (!ends_token(last, end_)) ++last;
    return {first, last};
  }

  [[noreturn, gnu::noinline, gnu::cold]] void wrong_target() const {
    const std::string_view token = token_at(p_);
    if (token.find(':') != std::string_view::npos)
      wrong(fmt::format("the line begins with {} where its target is expected; write 0 if it is not known",
                        in_quotes(token)));
    wrong(fmt::format("the target {} {}", in_quotes(token), why_not_a_number<T>(token)));
  }

  [[noreturn, gnu::noinline, gnu::cold]] void wrong_pair(const char* first) const {
    constexpr std::size_t parts = form == SparseText::libffm ? 3 : 2;
    constexpr std::string_view expected = parts == 3 ? "field:index:value" : "index:value";
    const std::string_view token = token_at(first);
    if (token.starts_with("qid:"))
      wrong(
          fmt::format("{} groups the rows of a query, which is not read; leave such pairs out, or write the groups as "
                      "a column of a table for a ranking",
                      in_quotes(token)));
    const auto colons = static_cast<std::size_t>(std::count(token.begin(), token.end(), ':'));
    if (colons + 1 != parts) {
      const std::string_view hint = colons == 2   ? "; field:index:value is read with Format::libffm"
                                    : colons == 1 ? "; index:value is read with Format::libsvm or libfm"
                                                  : "";
      wrong(fmt::format("{} has {} colon{}; {} is expected{}", in_quotes(token),
                        colons == 0 ? "no" : fmt::to_string(colons), colons <= 1 ? "" : "s", expected, hint));
    }
    std::string_view rest = token;
    for (std::size_t part = 0; part + 1 < parts; ++part) {
      const std::string_view digits = rest.substr(0, rest.find(':'));
      rest.remove_prefix(digits.size() + 1);
      check_index(token, digits, part + 2 < parts ? "field" : "index", part + 2 < parts ? 0 : base);
    }
    wrong(fmt::format("the value {} of {} {}", in_quotes(rest), in_quotes(token), why_not_a_number<T>(rest)));
  }

  // Throws unless the digits are a whole number from `least` to the greatest that there may be.
  void check_index(std::string_view token, std::string_view digits, std::string_view what, std::uint64_t least) const {
    const std::uint64_t most = what == "field" ? last_column : std::numeric_limits<std::uint64_t>::max();
    if (digits.size() > 1 && digits[0] == '-' && std::all_of(digits.begin() + 1, digits.end(), is_digit))
      wrong(fmt::format("the {} of {} is negative; {} to {} is expected", what, in_quotes(token), least, most));
    std::uint64_t number = 0;
    const char* const end = digits.data() + digits.size();
    if (digits.empty() || !std::all_of(digits.begin(), digits.end(), is_digit))
      wrong(fmt::format("the {} of {} is not a whole number", what, in_quotes(token)));
    if (read_index(digits.data(), end, number) != end) number = most;
    if (number < least)
      wrong(
          fmt::format("the index of {} is 0, but libsvm counts from 1; Format::libfm counts from 0", in_quotes(token)));
    if (number >= most)
      wrong(fmt::format("the {} of {} is too large; {} to {} is expected", what, in_quotes(token), least, most));
  }

  const char* p_;
  const char* const end_;
  const SparseTextOptions& options_;
  const bool renumbers_;
  RowPiece<T>& out_;
  std::uint64_t limit_ = 0;  // columns
  std::int64_t unseen_ = 0;
};

template <class T, SparseText form>
class SparseTextReader final : public Reader {
 public:
  SparseTextReader(std::vector<Input> inputs, const SparseTextOptions& options)
      : inputs_(std::move(inputs)), options_(options), workers_(options.threads) {
    if (options_.hash_bits == 0) return;
    options_.duplicates = Duplicates::sum;
    options_.other_field = OtherField::keep_first;
  }

  std::string place() const override { return fmt::format("{}:{}", input().name(), line_); }

 private:
  Input& input() { return inputs_[std::min(at_, inputs_.size() - 1)]; }
  const Input& input() const { return inputs_[std::min(at_, inputs_.size() - 1)]; }
  ReadRows read(std::int64_t count) override {
    std::vector<RowPiece<T>> pieces;
    std::int64_t rows = 0;
    // Lines may hold no example: then the block is filled up with those that follow.
    while (rows < count && at_ < inputs_.size()) {
      const std::string_view text = input().records(count - rows, false);
      if (text.empty()) {
        if (of_file_ == 0) no_examples();
        ++at_;
        of_file_ = line_ = 0;
        continue;
      }
      const std::size_t first = pieces.size();
      const std::int64_t line = line_;
      parse(text, pieces);
      std::int64_t at = line;
      for (std::size_t k = first; k < pieces.size(); ++k) {
        if (renumbers_) number(pieces[k], at);
        if constexpr (form == SparseText::libffm)
          if (options_.hash_bits == 0) find_fields(pieces[k], at);
        at += pieces[k].lines;
        columns_ = std::max(columns_, std::int64_t{pieces[k].largest} + 1);
        non_zeros_ += std::ssize(pieces[k].column);
        rows += std::ssize(pieces[k].row_end);
        of_file_ += std::ssize(pieces[k].row_end);
      }
      input().take(text.size());
    }
    ReadRows out = joined(pieces, columns(), workers_);
    if (renumbers_ && (!ids_ || ids_->index().size() < index_.size())) ids_ = std::make_shared<const SparseIds>(index_);
    out.columns.ids = options_.ids ? options_.ids : ids_;
    out.columns.hash_bits = options_.hash_bits;
    if constexpr (form == SparseText::libffm)
      if (options_.hash_bits == 0) {
        std::vector<Index> field = field_;
        field.resize(static_cast<std::size_t>(out.x.dim(1)), -1);
        out.columns.field = std::make_shared<const std::vector<Index>>(std::move(field));
        out.other_fields += std::exchange(other_fields_, 0);
      }
    return out;
  }

  std::int64_t columns() const {
    if (options_.hash_bits > 0) return std::int64_t{1} << options_.hash_bits;
    if (options_.ids) return std::ssize(options_.ids->index());
    return options_.columns > 0 ? options_.columns : columns_;
  }

  [[noreturn]] void no_examples() const {
    fail<IoError>("{}: has no examples; lines of {} are expected", input().name(),
                  form == SparseText::libffm ? "target field:index:value ..." : "target index:value ...");
  }

  // Adds the pieces of a text. Where its indices turn out to lie too far apart, it is read again, to number them.
  void parse(std::string_view text, std::vector<RowPiece<T>>& pieces) {
    const std::size_t before = pieces.size();
    const std::int64_t line = line_;
    const auto parse_all = [&] {
      read_pieces(
          workers_, input().name(), pieces_of(text, false), line_, pieces,
          [&](std::string_view part, RowPiece<T>& out) { LineParser<T, form>(part, options_, renumbers_, out).run(); });
    };
    const bool may_renumber = !renumbers_ && options_.columns == 0 && !options_.ids && options_.hash_bits == 0;
    try {
      parse_all();
      if (!may_renumber) return;
      std::int64_t largest = columns_ - 1, non_zeros = non_zeros_;
      for (std::size_t k = before; k < pieces.size(); ++k) {
        largest = std::max(largest, std::int64_t{pieces[k].largest});
        non_zeros += std::ssize(pieces[k].column);
      }
      // A column that never occurs costs some 16 numbers, of a model and its optimizer.
      constexpr std::int64_t few = std::int64_t{1} << 20, spread = 64;
      if (largest <= few + spread * non_zeros) return;
    } catch (const NeedsNumbers&) {
    }
    pieces.resize(before);
    line_ = line;
    renumbers_ = true;
    // Columns that have been given already stay.
    for (std::int64_t column = 0; column < columns_; ++column) column_of(static_cast<std::uint64_t>(column) + base);
    parse_all();
  }

  Index column_of(std::uint64_t index) {
    const auto [found, is_new] = numbers_.emplace(index, static_cast<Index>(index_.size()));
    if (!is_new) return found->second;
    if (std::ssize(index_) == max_sparse_dimension)
      fail<IoError>("{}: there are more than {} different indices; hashing (.hash_bits) bounds their number", place(),
                    max_sparse_dimension);
    index_.push_back(index);
    return found->second;
  }

  // Gives the indices of a piece their columns, and its rows the order of these.
  void number(RowPiece<T>& piece, std::int64_t line) {
    RowPiece<T> sorted;
    std::size_t entry = 0;
    for (std::size_t row = 0; row < piece.row_end.size(); ++row) {
      const std::size_t first = entry;
      for (; entry < static_cast<std::size_t>(piece.row_end[row]); ++entry) {
        sorted.column.push_back(column_of(piece.index[entry]));
        sorted.value.push_back(piece.value[entry]);
        if constexpr (form == SparseText::libffm) sorted.field.push_back(piece.field[entry]);
      }
      const std::size_t begin = sorted.column.size() - (entry - first);
      const RowFault fault = sort_row(sorted, begin, {options_.duplicates, options_.other_field});
      if (fault.column >= 0)
        fail<IoError>("{}:{}: {}", input().name(), line + piece.row_line[row] + 1,
                      fault.text(index_[static_cast<std::size_t>(fault.column)], dtype_of<T>));
      if (sorted.column.size() > begin) piece.largest = std::max(piece.largest, sorted.column.back());
      piece.row_end[row] = std::ssize(sorted.column);
    }
    piece.column = std::move(sorted.column);
    piece.value = std::move(sorted.value);
    piece.field = std::move(sorted.field);
    piece.other_fields += sorted.other_fields;
    piece.index = {};
  }

  // What a feature's field is, is known only in the order of the file.
  void find_fields(const RowPiece<T>& piece, std::int64_t line) {
    const auto columns = static_cast<std::size_t>(std::int64_t{piece.largest} + 1);
    if (field_.size() < columns) {
      field_.resize(columns, -1);
      field_line_.resize(columns);
    }
    std::size_t entry = 0;
    for (std::size_t row = 0; row < piece.row_end.size(); ++row) {
      for (; entry < static_cast<std::size_t>(piece.row_end[row]); ++entry) {
        const auto column = static_cast<std::size_t>(piece.column[entry]);
        const std::int64_t here = line + piece.row_line[row] + 1;
        if (field_[column] < 0) {
          field_[column] = piece.field[entry];
          field_line_[column] = here;
        } else if (field_[column] != piece.field[entry]) {
          ++other_fields_;
          if (options_.other_field == OtherField::refuse)
            fail<IoError>(
                "{}:{}: feature {} is in field {} here but in field {} on line {}; each feature has one field, and "
                "OtherField::keep_first lets it stay in its first",
                input().name(), here, renumbers_ ? index_[column] : column, piece.field[entry], field_[column],
                field_line_[column]);
        }
      }
    }
  }

  static constexpr std::uint64_t base = form == SparseText::libsvm ? 1 : 0;  // of indices
  std::vector<Input> inputs_;
  std::size_t at_ = 0;  // the file that is read
  SparseTextOptions options_;
  Workers workers_;
  std::int64_t line_ = 0;       // lines of it that are read
  std::int64_t of_file_ = 0;    // rows of it
  std::int64_t non_zeros_ = 0;  // read
  bool renumbers_ = false;
  std::vector<std::uint64_t> index_;                  // of each column, where they are renumbered
  std::unordered_map<std::uint64_t, Index> numbers_;  // and the column of each
  std::shared_ptr<const SparseIds> ids_;              // both, as they are given
  std::int64_t columns_ = 0;                          // that the largest index so far needs
  std::vector<Index> field_;                          // of each feature, -1 where it has not occurred
  std::vector<std::int64_t> field_line_;              // where it was first
  std::int64_t other_fields_ = 0;
};

template <class T>
std::unique_ptr<Reader> reader_of(std::vector<Input> inputs, const SparseTextOptions& options) {
  switch (options.form) {
    case SparseText::libfm: return std::make_unique<SparseTextReader<T, SparseText::libfm>>(std::move(inputs), options);
    case SparseText::libffm:
      return std::make_unique<SparseTextReader<T, SparseText::libffm>>(std::move(inputs), options);
    case SparseText::libsvm: break;
  }
  return std::make_unique<SparseTextReader<T, SparseText::libsvm>>(std::move(inputs), options);
}

}  // namespace

std::unique_ptr<Reader> read_sparse_text(std::vector<Input> inputs, const SparseTextOptions& options) {
  const std::string& name = inputs.front().name();
  if (options.columns < 0 || options.columns > max_sparse_dimension)
    fail<ValueError>("{}: columns are {}; 0 (found out) to {} are expected", name, options.columns,
                     max_sparse_dimension);
  if (options.hash_bits < 0 || options.hash_bits > FeatureTable::most_hash_bits)
    fail<ValueError>("{}: hash_bits is {}; 0 (no hashing) to {} are expected", name, options.hash_bits,
                     FeatureTable::most_hash_bits);
  if ((options.columns > 0) + (options.hash_bits > 0) + (options.ids != nullptr) > 1)
    fail<ValueError>("{}: two of columns, ids and hash_bits are given; one is expected", name);
  if (options.dtype != float32 && options.dtype != float64)
    fail<ValueError>("{}: dtype is {}; examples are read as float32 or float64", name, options.dtype);
  return options.dtype == float64 ? reader_of<double>(std::move(inputs), options)
                                  : reader_of<float>(std::move(inputs), options);
}

std::unique_ptr<Reader> read_sparse_text(Input input, const SparseTextOptions& options) {
  std::vector<Input> inputs;
  inputs.push_back(std::move(input));
  return read_sparse_text(std::move(inputs), options);
}

}  // namespace gradus
