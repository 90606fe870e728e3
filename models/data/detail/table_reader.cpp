#include <gradus/models/data/detail/table_reader.h>

#include <gradus/models/data/detail/cell.h>
#include <gradus/models/data/detail/number_text.h>
#include <gradus/models/data/detail/row_pieces.h>
#include <gradus/models/data/detail/table_learner.h>

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <functional>
#include <utility>

namespace gradus {

namespace {

template <class T>
class TableReader final : public Reader {
 public:
  TableReader(std::vector<Input> inputs, TableOptions options)
      : options_(std::move(options)), workers_(options_.threads) {
    for (Input& input : inputs) files_.push_back({std::move(input)});
  }

  std::string place() const override {
    const TableFile& file = files_[std::min(at_, files_.size() - 1)];
    return fmt::format("{}:{}", file.input.name(), file.line);
  }

 private:
  ReadRows read(std::int64_t count) override {
    if (!table_) begin();
    std::vector<RowPiece<T>> pieces;
    std::int64_t rows = 0;
    while (rows < count && at_ < files_.size()) {
      TableFile& file = files_[at_];
      const std::string_view text = file.input.records(count - rows, options_.dialect.quotes);
      if (text.empty()) {
        if (of_file_ == 0) no_examples(file, options_);
        of_file_ = 0;
        if (++at_ < files_.size()) find_uses();
        continue;
      }
      const std::size_t first = pieces.size();
      read_pieces(workers_, file.input.name(), pieces_of(text, options_.dialect.quotes), file.line, pieces,
                  [this](std::string_view part, RowPiece<T>& out) { encode(part, out); });
      for (std::size_t k = first; k < pieces.size(); ++k) {
        rows += std::ssize(pieces[k].row_end);
        of_file_ += std::ssize(pieces[k].row_end);
      }
      file.input.take(text.size());
    }
    ReadRows out = joined(pieces, table_->features(), workers_);
    out.unseen.resize(table_->columns().size());
    out.missing.resize(table_->columns().size());
    out.kept.resize(options_.keep.size());
    out.columns.table = table_;
    out.findings = findings_;
    out.columns.field = field_;
    return out;
  }

  // Column of the table that a column of the file is.
  struct Use {
    ColumnKind kind = ColumnKind::ignored;
    std::size_t column = 0;
    char separator = '\0';
  };

  void begin() {
    const FeatureTable* const known = options_.table ? options_.table.get() : options_.extended.get();
    if (known != nullptr) options_.form = known->form();
    for (TableFile& file : files_) read_header(file, options_, options_.form);
    auto table = options_.table;
    if (known != nullptr) {
      if (!options_.target.empty() || !options_.weight.empty() || !options_.categorical.empty() ||
          !options_.numeric.empty() || !options_.ignored.empty() || !options_.multi.empty() || options_.hash_bits != 0)
        fail<ValueError>("{}: columns are named although a feature table says what they are",
                         files_.front().input.name());
      for (const TableFile& file : files_) find_columns(*known, file);
    }
    if (!table) {
      LearntTable learnt = learn_table(files_, options_, workers_);
      table = std::move(learnt.table);
      findings_ = std::move(learnt.findings);
    }
    if (table->features() == 0)
      fail<ValueError>("{}: no column is left to learn from; the columns are {}", files_.front().input.name(),
                       names_in_quotes(files_.front().names));
    std::vector<Index> field = table->fields();
    if (!field.empty()) field_ = std::make_shared<const std::vector<Index>>(std::move(field));
    table_ = std::move(table);
    find_uses();
  }

  // What the columns of the file are that is read next.
  void find_uses() {
    names_ = files_[at_].names;
    uses_.assign(names_.size(), {});
    for (std::size_t i = 0; i < names_.size(); ++i) {
      const std::int64_t at = is_read(names_[i]) ? table_->find(names_[i]) : -1;
      if (at < 0) continue;
      const TableColumn& column = table_->columns()[static_cast<std::size_t>(at)];
      if (column.kind == ColumnKind::target && !options_.need_target) continue;
      uses_[i] = {column.kind, static_cast<std::size_t>(at), column.separator.empty() ? '\0' : column.separator[0]};
    }
    find_kept();
  }

  // Where in the file the columns are that are kept.
  void find_kept() {
    kept_.clear();
    for (const std::string& name : options_.keep) {
      const auto found = std::find(names_.begin(), names_.end(), name);
      if (found == names_.end())
        fail<IoError>("{}: has no column {}; the columns are {}", files_[at_].input.name(), in_quotes(name),
                      names_in_quotes(names_));
      kept_.push_back(static_cast<std::size_t>(found - names_.begin()));
    }
  }

  void find_columns(const FeatureTable& table, const TableFile& file) const {
    for (const TableColumn& column : table.columns()) {
      const bool needed = column.kind == ColumnKind::numeric || column.kind == ColumnKind::categorical ||
                          (column.kind == ColumnKind::target && options_.need_target);
      if (needed && is_read(column.name) &&
          std::find(file.names.begin(), file.names.end(), column.name) == file.names.end())
        fail<IoError>("{}: has no column {}, which the model has as {}; the columns are {}", file.input.name(),
                      in_quotes(column.name), to_string(column.kind), names_in_quotes(file.names));
    }
  }

  bool is_read(const std::string& column) const {
    return !options_.only || std::find(options_.only->begin(), options_.only->end(), column) != options_.only->end();
  }

  void encode(std::string_view text, RowPiece<T>& out) const {
    out.unseen.resize(table_->columns().size());
    out.missing.resize(table_->columns().size());
    out.kept.resize(kept_.size());
    CsvRecords records(text, options_.dialect);
    while (records.next()) {
      check_width(records, names_);
      const std::size_t first = out.column.size();
      for (std::size_t i = 0; i < uses_.size(); ++i) add_cell(records, i, out);
      for (std::size_t k = 0; k < kept_.size(); ++k) out.kept[k].add(records.cells()[kept_[k]]);
      if (!std::is_sorted(out.column.begin() + static_cast<std::ptrdiff_t>(first), out.column.end(),
                          std::less_equal<>()))
        sort_row(out, first,
                 {.of_field = Duplicates::sum});  // categories that were hashed to one feature count as often
      out.row_end.push_back(static_cast<std::int64_t>(out.column.size()));
    }
    out.lines = records.lines_passed();
  }

  void add_cell(const CsvRecords& records, std::size_t i, RowPiece<T>& out) const {
    const auto [kind, column, separator] = uses_[i];
    const std::string_view cell = records.cells()[i];
    T number = 1;
    Index feature = -1;
    switch (kind) {
      case ColumnKind::ignored: return;
      case ColumnKind::target:
        if (table_->columns()[column].categories.empty()) {
          out.y.push_back(target_in(records, i));
          return;
        }
        feature = table_->feature(column, cell);
        if (feature < 0) wrong_cell(records, i, "is a class that training has not seen");
        out.y.push_back(static_cast<T>(feature - table_->feature(column)));
        return;
      case ColumnKind::weight:
        number = number_in(records, i);
        if (number < 0) wrong_cell(records, i, "is negative; weights are 0 or more");
        out.weight.push_back(number);
        return;
      case ColumnKind::numeric: {
        Marks marks = 0;
        if (is_named_missing(cell, options_.form) || !cell_number(cell, options_.form.decimal, number, marks)) {
          if (!is_missing(cell, options_.form)) number_in(records, i);  // which throws
          ++out.missing[column];
          return;
        }
        if (number == 0) return;
        feature = table_->feature(column);
        break;
      }
      case ColumnKind::categorical:
        if (separator != '\0') {
          add_categories(cell, uses_[i], out);
          return;
        }
        if (options_.whole_categories && !(std::all_of(cell.begin(), cell.end(), is_digit) && !cell.empty()))
          wrong_cell(records, i, "is not a whole number");
        feature = table_->feature(column, cell);
        if (feature < 0) {
          ++out.unseen[column];
          return;
        }
        break;
    }
    out.column.push_back(feature);
    out.value.push_back(number);
  }

  // A cell of several values, each once.
  void add_categories(std::string_view cell, const Use& use, RowPiece<T>& out) const {
    if (is_missing(cell, options_.form)) {
      ++out.missing[use.column];
      return;
    }
    const auto first = static_cast<std::ptrdiff_t>(out.column.size());
    for_each_part(cell, use.separator, [&](std::string_view part) {
      const Index feature = table_->feature(use.column, part);
      if (feature < 0) {
        ++out.unseen[use.column];
      } else if (std::find(out.column.begin() + first, out.column.end(), feature) == out.column.end()) {
        out.column.push_back(feature);
        out.value.push_back(1);
      }
    });
  }

  T target_in(const CsvRecords& records, std::size_t i) const {
    bool truth = false;
    const std::string_view cell = records.cells()[i];
    if (truth_of(cell, truth)) return truth ? T{1} : T{0};
    const bool is_word = !cell.empty() && std::isalpha(static_cast<unsigned char>(cell.front())) != 0;
    return number_in(records, i, is_word && !options_.whole_categories ? "; .targets takes it for a class" : "");
  }

  // `otherwise` says what helps where the cell is a word.
  T number_in(const CsvRecords& records, std::size_t i, std::string_view otherwise = {}) const {
    T number = 0;
    Marks marks = 0;
    const std::string_view cell = records.cells()[i];
    const char decimal = options_.form.decimal;
    if (cell_number(cell, decimal, number, marks)) return number;
    if (marked_number(cell, decimal == '.' ? ',' : '.', number, marks))
      wrong_cell(records, i,
                 decimal == '.' ? "is a number if commas are decimal marks: say .decimal ','"
                                : "is a number if points are decimal marks: leave out .decimal");
    wrong_cell(records, i,
               cell.empty()                      ? "is empty; a number is expected"
               : is_missing(cell, options_.form) ? "says that nothing is known; a number is expected"
                                                 : why_not_a_number<T>(cell) + std::string(otherwise));
  }

  [[noreturn, gnu::noinline, gnu::cold]] void wrong_cell(const CsvRecords& records, std::size_t i,
                                                         std::string_view what) const {
    const std::string_view cell = records.cells()[i];
    throw Mistake{records.line(), fmt::format("column {}: {}{}{}", in_quotes(names_[i]),
                                              cell.empty() ? "" : in_quotes(cell), cell.empty() ? "" : " ", what)};
  }

  std::vector<TableFile> files_;
  std::size_t at_ = 0;        // the file that is read
  std::int64_t of_file_ = 0;  // rows of it so far
  TableOptions options_;
  Workers workers_;
  std::vector<std::string> names_;  // columns of the file that is read
  std::vector<Use> uses_;           // of these
  std::vector<std::size_t> kept_;   // those among them that are kept
  std::shared_ptr<const FeatureTable> table_;
  std::shared_ptr<const std::vector<ColumnFinding>> findings_;
  std::shared_ptr<const std::vector<Index>> field_;
};

}  // namespace

std::unique_ptr<Reader> read_table(std::vector<Input> inputs, TableOptions options) {
  const std::string& name = inputs.front().name();
  if (options.dtype != float32 && options.dtype != float64)
    fail<ValueError>("{}: dtype is {}; examples are read as float32 or float64", name, options.dtype);
  if (options.form.decimal != '.' && options.form.decimal != ',')
    fail<ValueError>("{}: the decimal mark is {}; . or , is expected", name, in_quotes({&options.form.decimal, 1}));
  if (options.separator.size() > 1)
    fail<ValueError>("{}: {} separates several values of a cell; one character is expected", name,
                     in_quotes(options.separator));
  if (options.dtype == float64) return std::make_unique<TableReader<double>>(std::move(inputs), std::move(options));
  return std::make_unique<TableReader<float>>(std::move(inputs), std::move(options));
}

std::unique_ptr<Reader> read_table(Input input, TableOptions options) {
  std::vector<Input> inputs;
  inputs.push_back(std::move(input));
  return read_table(std::move(inputs), std::move(options));
}

}  // namespace gradus
