#include <gradus/models/data/libsvm.h>

#include <gradus/models/data/number_text.h>
#include <gradus/models/data/row_pieces.h>

#include <fmt/format.h>

#include <algorithm>
#include <type_traits>
#include <utility>

namespace gradus {

namespace {

constexpr std::uint64_t last_column = max_sparse_dimension - 1;

bool is_blank(char c) { return c == ' ' || c == '\t'; }

// Reads one piece of text. What it meets is mostly well-formed: where it is not, what is wrong is found out afterwards,
// from the token at fault.
template <class T, SparseText form>
class LineParser {
 public:
  LineParser(std::string_view text, const SparseTextOptions& options, RowPiece<T>& out)
      : p_(text.data()), end_(p_ + text.size()), options_(options), out_(out) {
    limit_ = options.columns > 0 ? static_cast<std::uint64_t>(options.columns) : last_column + 1;
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
    if (options_.columns > 0) out_.unseen = {unseen_};
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
    if (after == nullptr || !ends_token(after, end_)) wrong_target();
    p_ = after;
    const std::size_t first = out_.column.size();
    std::int64_t previous = -1;
    bool sorted = true;
    while (at_token()) {
      const char* const token = p_;
      std::uint64_t field = 0, index = 0;
      const char* p = token;
      if constexpr (form == SparseText::libffm) {
        p = read_digits(p, end_, field);
        if (p == nullptr || p == end_ || *p != ':' || field > last_column) wrong_pair(token);
        ++p;
      }
      p = read_digits(p, end_, index);
      if (p == nullptr || p == end_ || *p != ':' || index < base || index - base > last_column) wrong_pair(token);
      T value = 0;
      ++p;
      // One-hot data are full of single digits.
      if (end_ - p >= 2 && is_digit(*p) && (p[1] == ' ' || p[1] == '\n')) {
        value = static_cast<T>(*p++ - '0');
      } else {
        p = read_number(p, end_, value);
        if (p == nullptr || !ends_token(p, end_)) wrong_pair(token);
      }
      p_ = p;
      if (index - base >= limit_) {
        ++unseen_;
        continue;
      }
      const auto column = static_cast<Index>(index - base);
      sorted = sorted && column > previous;
      previous = column;
      out_.column.push_back(column);
      out_.value.push_back(value);
      if constexpr (form == SparseText::libffm) out_.field.push_back(static_cast<Index>(field));
    }
    if (!sorted) sort(first);
    if (out_.column.size() > first) out_.largest = std::max(out_.largest, out_.column.back());
    out_.row_end.push_back(static_cast<std::int64_t>(out_.column.size()));
    out_.y.push_back(y);
    if constexpr (form == SparseText::libffm) out_.row_line.push_back(out_.lines);
  }

  [[gnu::noinline]] void sort(std::size_t first) {
    const std::int64_t other_fields = out_.other_fields;
    const Index at_fault = sort_row(out_, first, options_.duplicates);
    const auto index = static_cast<std::uint64_t>(at_fault) + base;
    if (at_fault >= 0 && options_.duplicates == Duplicates::refuse)
      wrong(fmt::format("index {} is there twice; Duplicates::sum adds up its values", index));
    if (at_fault >= 0) wrong(fmt::format("the values of index {} add up to more than {} can hold", index, dtype_of<T>));
    if (out_.other_fields > other_fields && options_.other_field == OtherField::refuse)
      wrong("an index is there twice, in two fields; OtherField::keep_first lets it stay in its first");
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
    const std::uint64_t most = last_column + least;
    if (digits.size() > 1 && digits[0] == '-' && std::all_of(digits.begin() + 1, digits.end(), is_digit))
      wrong(fmt::format("the {} of {} is negative; {} to {} is expected", what, in_quotes(token), least, most));
    std::uint64_t number = 0;
    const char* const end = digits.data() + digits.size();
    if (read_digits(digits.data(), end, number) != end)
      wrong(fmt::format("the {} of {} is not a whole number", what, in_quotes(token)));
    if (number < least)
      wrong(
          fmt::format("the index of {} is 0, but libsvm counts from 1; Format::libfm counts from 0", in_quotes(token)));
    if (number > most)
      wrong(fmt::format("the {} of {} is too large; {} to {} is expected", what, in_quotes(token), least, most));
  }

  const char* p_;
  const char* const end_;
  const SparseTextOptions& options_;
  RowPiece<T>& out_;
  std::uint64_t limit_ = 0;  // columns
  std::int64_t unseen_ = 0;
};

template <class T, SparseText form>
class Source final : public ExampleSource {
 public:
  Source(Input input, const SparseTextOptions& options)
      : input_(std::move(input)), options_(options), workers_(options.threads) {}

  Examples next(std::int64_t count) override {
    std::vector<RowPiece<T>> pieces;
    std::int64_t rows = 0;
    // Lines may hold no example: then the block is filled up with those that follow.
    while (rows < count) {
      const std::string_view text = input_.records(count - rows, false);
      if (text.empty()) break;
      const std::size_t first = pieces.size();
      const std::int64_t line = line_;
      read_pieces(workers_, input_.name(), pieces_of(text, false), line_, pieces,
                  [&](std::string_view part, RowPiece<T>& out) { LineParser<T, form>(part, options_, out).run(); });
      std::int64_t at = line;
      for (std::size_t k = first; k < pieces.size(); ++k) {
        if constexpr (form == SparseText::libffm) find_fields(pieces[k], at);
        at += pieces[k].lines;
        columns_ = std::max(columns_, std::int64_t{pieces[k].largest} + 1);
        rows += static_cast<std::int64_t>(pieces[k].row_end.size());
      }
      input_.take(text.size());
    }
    examples_ += rows;
    if (examples_ == 0 && count > 0)
      fail<IoError>("{}: has no examples; lines of {} are expected", input_.name(),
                    form == SparseText::libffm ? "target field:index:value ..." : "target index:value ...");
    Examples out = joined(pieces, options_.columns > 0 ? options_.columns : columns_, workers_);
    if constexpr (form == SparseText::libffm) {
      std::vector<Index> field = field_;
      field.resize(static_cast<std::size_t>(out.x.dim(1)), -1);
      out.field = std::make_shared<const std::vector<Index>>(std::move(field));
      out.other_fields += std::exchange(other_fields_, 0);
    }
    return out;
  }

 private:
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
                "{}:{}: feature {} is in field {} here but in field {} on line {}; each feature has one field",
                input_.name(), here, column, piece.field[entry], field_[column], field_line_[column]);
        }
      }
    }
  }

  Input input_;
  SparseTextOptions options_;
  Workers workers_;
  std::int64_t line_ = 0;  // lines read
  std::int64_t examples_ = 0;
  std::int64_t columns_ = 0;              // that the largest index so far needs
  std::vector<Index> field_;              // of each feature, -1 where it has not occurred
  std::vector<std::int64_t> field_line_;  // where it was first
  std::int64_t other_fields_ = 0;
};

template <class T>
std::unique_ptr<ExampleSource> source_of(Input input, const SparseTextOptions& options) {
  switch (options.form) {
    case SparseText::libfm: return std::make_unique<Source<T, SparseText::libfm>>(std::move(input), options);
    case SparseText::libffm: return std::make_unique<Source<T, SparseText::libffm>>(std::move(input), options);
    case SparseText::libsvm: break;
  }
  return std::make_unique<Source<T, SparseText::libsvm>>(std::move(input), options);
}

}  // namespace

std::unique_ptr<ExampleSource> sparse_text_source(Input input, const SparseTextOptions& options) {
  if (options.columns < 0 || options.columns > max_sparse_dimension)
    fail<ValueError>("{}: columns are {}; 0 (found out) to {} are expected", input.name(), options.columns,
                     max_sparse_dimension);
  if (options.dtype != float32 && options.dtype != float64)
    fail<ValueError>("{}: dtype is {}; examples are read as float32 or float64", input.name(), options.dtype);
  return options.dtype == float64 ? source_of<double>(std::move(input), options)
                                  : source_of<float>(std::move(input), options);
}

}  // namespace gradus
