#include <gradus/models/data/detail/csv.h>

#include <gradus/models/data/detail/number_text.h>
#include <gradus/models/data/detail/row_pieces.h>

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

namespace gradus {

namespace {

bool is_blank(char c, const Dialect& dialect) { return (c == ' ' || c == '\t') && c != dialect.delimiter[0]; }

}  // namespace

CsvRecords::CsvRecords(std::string_view text, const Dialect& dialect)
    : begin_(text.data()), p_(begin_), end_(begin_ + text.size()), dialect_(dialect) {
  for (const char c : {dialect.delimiter[0], '\n', '\r', '"', '\0'}) ends_run_[static_cast<unsigned char>(c)] = true;
}

bool CsvRecords::at_delimiter() const {
  const std::string& delimiter = dialect_.delimiter;
  return *p_ == delimiter[0] &&
         (delimiter.size() == 1 || std::string_view(p_, end_).substr(0, delimiter.size()) == delimiter);
}

bool CsvRecords::at_newline() const { return *p_ == '\n' || (*p_ == '\r' && (p_ + 1 == end_ || p_[1] == '\n')); }

bool CsvRecords::next() {
  const auto pass_newline = [this] {
    if (p_ != end_ && *p_ == '\r') ++p_;
    if (p_ != end_) {
      ++p_;
      ++next_line_;
    }
  };
  cells_.clear();
  unquoted_.clear();
  while (p_ != end_ && at_newline()) pass_newline();
  line_ = next_line_;
  if (p_ == end_) return false;
  for (;;) {
    if (dialect_.quotes && pass_blanks_to_quote()) {
      quoted_cell();
    } else {
      plain_cell();
    }
    if (p_ == end_ || at_newline()) break;
    p_ += dialect_.delimiter.size();
  }
  pass_newline();
  return true;
}

// Whether the cell is in quotes; then goes to the first.
bool CsvRecords::pass_blanks_to_quote() {
  const char* p = p_;
  while (p != end_ && is_blank(*p, dialect_)) ++p;
  if (p == end_ || *p != '"') return false;
  p_ = p;
  return true;
}

void CsvRecords::plain_cell() {
  while (p_ != end_ && is_blank(*p_, dialect_)) ++p_;
  const char* const first = p_;
  for (;; ++p_) {
    while (p_ != end_ && !ends_run_[static_cast<unsigned char>(*p_)]) ++p_;
    if (p_ == end_ || at_delimiter() || at_newline()) break;
    if (*p_ == '\0')
      throw Mistake{next_line_, fmt::format("cell {} holds a NUL byte; is it text, in UTF-8?", cells_.size() + 1)};
    if (*p_ == '"' && dialect_.quotes)
      throw Mistake{next_line_,
                    fmt::format("cell {}, {}, has a quote inside; write the whole cell in quotes and that "
                                "one twice",
                                cells_.size() + 1, in_quotes({first, std::find(p_, std::min(end_, p_ + 20), '\n')}))};
  }
  const char* last = p_;
  while (last != first && is_blank(last[-1], dialect_)) --last;
  cells_.emplace_back(first, last - first);
}

void CsvRecords::quoted_cell() {
  const std::int64_t opened = next_line_;
  const char* const first = ++p_;
  std::string* doubled = nullptr;  // the cell so far, where it is not just what stands there
  const char* from = first;
  for (;;) {
    const char* const quote = std::find(p_, end_, '"');
    next_line_ += std::count(p_, quote, '\n');
    if (std::find(p_, quote, '\0') != quote)
      throw Mistake{opened, fmt::format("cell {} holds a NUL byte; is it text, in UTF-8?", cells_.size() + 1)};
    if (quote == end_)
      throw Mistake{opened, fmt::format("cell {}, {}, begins with a quote that is not closed", cells_.size() + 1,
                                        in_quotes({first, std::min(end_, first + 40)}))};
    p_ = quote + 1;
    if (p_ == end_ || *p_ != '"') {
      if (doubled == nullptr) {
        cells_.emplace_back(first, quote - first);
      } else {
        doubled->append(from, quote);
        cells_.emplace_back(*doubled);
      }
      break;
    }
    if (doubled == nullptr) doubled = &unquoted_.emplace_back();
    doubled->append(from, p_);  // one of the two
    from = ++p_;
  }
  while (p_ != end_ && is_blank(*p_, dialect_)) ++p_;
  if (p_ != end_ && !at_delimiter() && !at_newline())
    throw Mistake{next_line_, fmt::format("cell {} goes on with {} after its closing quote", cells_.size(),
                                          in_quotes({p_, std::find(p_, std::min(end_, p_ + 20), '\n')}))};
}

}  // namespace gradus
