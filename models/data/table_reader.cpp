#include <gradus/models/data/table_reader.h>

#include <gradus/models/data/number_text.h>
#include <gradus/models/data/row_pieces.h>

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <map>
#include <unordered_set>
#include <utility>

namespace gradus {

namespace {

struct StringHash {
  using is_transparent = void;  // NOLINT(readability-identifier-naming): the library looks for this name
  std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
};
using Categories = std::unordered_set<std::string, StringHash, std::equal_to<>>;

// What a piece of a file tells of the columns that nobody has said anything about.
struct Learnt {
  std::vector<bool> any_number, any_text;  // by column of the file: cells that are numbers, that are something else
  std::vector<Categories> categories;
  std::int64_t records = 0;
  std::int64_t lines = 0;
};

std::string listed(const std::vector<std::string>& names) {
  constexpr std::size_t most = 20;
  std::string text;
  for (std::size_t i = 0; i < std::min(names.size(), most); ++i) text += (i > 0 ? ", " : "") + in_quotes(names[i]);
  return text + (names.size() > most ? fmt::format(" and {} more", names.size() - most) : "");
}

template <class T>
class TableSource final : public ExampleSource {
 public:
  TableSource(Input input, TableOptions options)
      : input_(std::move(input)), options_(std::move(options)), workers_(options_.threads) {}

  Examples next(std::int64_t count) override {
    if (!table_) begin();
    std::vector<RowPiece<T>> pieces;
    std::int64_t rows = 0;
    while (rows < count) {
      const std::string_view text = input_.records(count - rows, options_.dialect.quotes);
      if (text.empty()) break;
      const std::size_t first = pieces.size();
      read_pieces(workers_, input_.name(), pieces_of(text, options_.dialect.quotes), line_, pieces,
                  [this](std::string_view part, RowPiece<T>& out) { encode(part, out); });
      for (std::size_t k = first; k < pieces.size(); ++k) rows += static_cast<std::int64_t>(pieces[k].row_end.size());
      input_.take(text.size());
    }
    examples_ += rows;
    if (examples_ == 0 && count > 0) no_examples();
    Examples out = joined(pieces, table_->features(), workers_);
    out.unseen.resize(table_->columns().size());
    out.missing.resize(table_->columns().size());
    out.table = table_;
    out.field = field_;
    return out;
  }

 private:
  // Column of the table that a column of the file is.
  struct Use {
    ColumnKind kind = ColumnKind::ignored;
    std::size_t column = 0;
  };

  void begin() {
    read_header();
    for (std::size_t i = 0; i < names_.size(); ++i)
      if (!place_.emplace(names_[i], i).second)
        fail<IoError>("{}:{}: two columns are named {}", input_.name(), line_, in_quotes(names_[i]));
    uses_.resize(names_.size());
    auto table = options_.table;
    if (table) {
      if (!options_.target.empty() || !options_.weight.empty() || !options_.categorical.empty() ||
          !options_.numeric.empty() || !options_.ignored.empty() || options_.hash_bits != 0)
        fail<ValueError>("{}: columns are named although a feature table says what they are", input_.name());
      find_columns(*table);
    } else {
      table = std::make_shared<const FeatureTable>(learn(), options_.hash_bits);
    }
    if (table->features() == 0)
      fail<ValueError>("{}: no column is left to learn from; the columns are {}", input_.name(), listed(names_));
    for (std::size_t i = 0; i < names_.size(); ++i) {
      const std::int64_t column = table->find(names_[i]);
      if (column >= 0)
        uses_[i] = {table->columns()[static_cast<std::size_t>(column)].kind, static_cast<std::size_t>(column)};
    }
    std::vector<Index> field = table->fields();
    if (!field.empty()) field_ = std::make_shared<const std::vector<Index>>(std::move(field));
    table_ = std::move(table);
  }

  void read_header() {
    const auto first_record = [this] {
      std::vector<std::string> cells;
      for (;;) {
        const std::string_view text = input_.records(1, options_.dialect.quotes);
        if (text.empty()) break;
        CsvRecords records(text, options_.dialect);
        bool found = false;
        try {
          found = records.next();
        } catch (const Mistake& mistake) {
          fail<IoError>("{}:{}: {}", input_.name(), line_ + mistake.line + 1, mistake.what);
        }
        if (found) cells.assign(records.cells().begin(), records.cells().end());
        line_ += records.lines_passed();
        input_.take(records.bytes_passed());
        if (found) break;
      }
      return cells;
    };
    if (options_.header.empty()) {
      names_ = first_record();
      if (names_.empty()) fail<IoError>("{}: is empty; a record that names the columns is expected", input_.name());
    } else {
      names_ = options_.header;
      if (options_.skip_first) first_record();
    }
  }

  void find_columns(const FeatureTable& table) const {
    for (const TableColumn& column : table.columns()) {
      const bool needed = column.kind == ColumnKind::numeric || column.kind == ColumnKind::categorical ||
                          (column.kind == ColumnKind::target && options_.need_target);
      if (needed && !place_.contains(column.name))
        fail<IoError>("{}: has no column {}, which the model has as {}; the columns are {}", input_.name(),
                      in_quotes(column.name), to_string(column.kind), listed(names_));
    }
  }

  // The kind of each column, as far as the options say it.
  std::vector<bool> apply_options(std::vector<TableColumn>& columns) const {
    std::vector<bool> said(names_.size(), false);
    const auto say = [&](const std::string& name, ColumnKind kind) {
      const auto found = place_.find(name);
      if (found == place_.end())
        fail<ValueError>("{}: there is no column {} to be {}; the columns are {}", input_.name(), in_quotes(name),
                         to_string(kind), listed(names_));
      const std::size_t i = found->second;
      if (said[i])
        fail<ValueError>("{}: column {} is to be {} and {}; one is expected", input_.name(), in_quotes(name),
                         to_string(columns[i].kind), to_string(kind));
      said[i] = true;
      columns[i].kind = kind;
    };
    if (options_.target.empty() && options_.need_target)
      fail<ValueError>("{}: no target column is named; the columns are {}", input_.name(), listed(names_));
    if (!options_.target.empty()) say(options_.target, ColumnKind::target);
    if (!options_.weight.empty()) say(options_.weight, ColumnKind::weight);
    for (const std::string& name : options_.categorical) say(name, ColumnKind::categorical);
    for (const std::string& name : options_.numeric) say(name, ColumnKind::numeric);
    for (const std::string& name : options_.ignored) say(name, ColumnKind::ignored);
    return said;
  }

  // What the columns are, from the options and, where they leave something open, from the whole file.
  std::vector<TableColumn> learn() {
    std::vector<TableColumn> columns;
    for (const std::string& name : names_) columns.push_back({name, ColumnKind::ignored});
    const std::vector<bool> said = apply_options(columns);
    if (std::find(said.begin(), said.end(), false) != said.end()) {
      for (const Learnt& part :
           look_through([&](const CsvRecords&records, Learnt&out) { sort_out(records, said, out); })) {
        for (std::size_t i = 0; i < names_.size(); ++i) {
          if (said[i]) continue;
          // Numeric until a text is seen, ignored until a number is.
          if (part.any_number[i] && columns[i].kind == ColumnKind::ignored) columns[i].kind = ColumnKind::numeric;
          if (part.any_text[i]) columns[i].kind = ColumnKind::categorical;
        }
      }
      // A column of empty cells alone has one category.
      for (std::size_t i = 0; i < names_.size(); ++i)
        if (!said[i] && columns[i].kind == ColumnKind::ignored) columns[i].kind = ColumnKind::categorical;
    }
    if (std::any_of(columns.begin(), columns.end(), [this](const TableColumn& column) { return is_listed(column); }))
      collect_categories(columns);
    return columns;
  }

  // Whether the column's different cells are listed: categories that are not hashed, and classes.
  bool is_listed(const TableColumn& column) const {
    return column.kind == ColumnKind::categorical ? options_.hash_bits == 0
                                                  : column.kind == ColumnKind::target && options_.classes;
  }

  void collect_categories(std::vector<TableColumn>& columns) {
    std::vector<Learnt> parts = look_through([&](const CsvRecords& records, Learnt& out) {
      for (std::size_t i = 0; i < names_.size(); ++i) {
        const std::string_view cell = records.cells()[i];
        if (is_listed(columns[i]) && !out.categories[i].contains(cell)) out.categories[i].emplace(cell);
      }
    });
    for (std::size_t i = 0; i < names_.size(); ++i) {
      Categories all;
      for (Learnt& part : parts) all.merge(part.categories[i]);
      for (auto at = all.begin(); at != all.end();)
        columns[i].categories.push_back(std::move(all.extract(at++).value()));
    }
  }

  void sort_out(const CsvRecords& records, const std::vector<bool>& said, Learnt& out) const {
    for (std::size_t i = 0; i < names_.size(); ++i) {
      const std::string_view cell = records.cells()[i];
      if (said[i] || out.any_text[i] || cell.empty()) continue;
      T number = 0;
      if (number_of(cell, number)) {
        out.any_number[i] = true;
      } else {
        out.any_text[i] = true;
      }
    }
  }

  // Shows all records of the file to see(records, learnt), without taking them.
  template <class See>
  std::vector<Learnt> look_through(See&& see) {
    std::vector<Learnt> parts;
    std::int64_t line = line_;
    const std::string_view text = input_.look(std::string_view::npos).text;
    read_pieces(workers_, input_.name(), pieces_of(text, options_.dialect.quotes), line, parts,
                [&](std::string_view piece, Learnt& out) {
                  out.any_number.resize(names_.size());
                  out.any_text.resize(names_.size());
                  out.categories.resize(names_.size());
                  CsvRecords records(piece, options_.dialect);
                  while (records.next()) {
                    check_width(records);
                    see(records, out);
                    ++out.records;
                  }
                  out.lines = records.lines_passed();
                });
    if (std::all_of(parts.begin(), parts.end(), [](const Learnt& part) { return part.records == 0; })) no_examples();
    return parts;
  }

  void check_width(const CsvRecords& records) const {
    const std::size_t found = records.cells().size();
    if (found != names_.size())
      throw Mistake{records.line(), fmt::format("has {} cell{}; {} are expected: {}", found, found == 1 ? "" : "s",
                                                names_.size(), listed(names_))};
  }

  [[noreturn]] void no_examples() const {
    if (!options_.header.empty() && !options_.skip_first)
      fail<IoError>("{}: is empty; records of {} are expected", input_.name(), listed(names_));
    fail<IoError>("{}: has a header but no examples", input_.name());
  }

  void encode(std::string_view text, RowPiece<T>& out) const {
    out.unseen.resize(table_->columns().size());
    out.missing.resize(table_->columns().size());
    CsvRecords records(text, options_.dialect);
    while (records.next()) {
      check_width(records);
      const std::size_t first = out.column.size();
      for (std::size_t i = 0; i < uses_.size(); ++i) add_cell(records, i, out);
      if (!std::is_sorted(out.column.begin() + static_cast<std::ptrdiff_t>(first), out.column.end(),
                          std::less_equal<>()))
        sort_row(out, first, Duplicates::sum);  // categories that were hashed to one feature count as often
      out.row_end.push_back(static_cast<std::int64_t>(out.column.size()));
    }
    out.lines = records.lines_passed();
  }

  void add_cell(const CsvRecords& records, std::size_t i, RowPiece<T>& out) const {
    const auto [kind, column] = uses_[i];
    const std::string_view cell = records.cells()[i];
    T number = 1;
    Index feature = -1;
    switch (kind) {
      case ColumnKind::ignored: return;
      case ColumnKind::target:
        if (table_->columns()[column].categories.empty()) {
          out.y.push_back(number_in(records, i));
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
      case ColumnKind::numeric:
        if (cell.empty()) {
          ++out.missing[column];
          return;
        }
        number = number_in(records, i);
        if (number == 0) return;
        feature = table_->feature(column);
        break;
      case ColumnKind::categorical:
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

  T number_in(const CsvRecords& records, std::size_t i) const {
    T number = 0;
    const std::string_view cell = records.cells()[i];
    if (!number_of(cell, number))
      wrong_cell(records, i, cell.empty() ? "is empty; a number is expected" : why_not_a_number<T>(cell));
    return number;
  }

  [[noreturn, gnu::noinline, gnu::cold]] void wrong_cell(const CsvRecords& records, std::size_t i,
                                                         std::string_view what) const {
    const std::string_view cell = records.cells()[i];
    throw Mistake{records.line(), fmt::format("column {}: {}{}{}", in_quotes(names_[i]),
                                              cell.empty() ? "" : in_quotes(cell), cell.empty() ? "" : " ", what)};
  }

  Input input_;
  TableOptions options_;
  Workers workers_;
  std::vector<std::string> names_;            // columns of the file
  std::map<std::string, std::size_t> place_;  // of these, by name
  std::vector<Use> uses_;                     // of these
  std::shared_ptr<const FeatureTable> table_;
  std::shared_ptr<const std::vector<Index>> field_;
  std::int64_t line_ = 0;  // lines read
  std::int64_t examples_ = 0;
};

}  // namespace

std::unique_ptr<ExampleSource> table_source(Input input, TableOptions options) {
  if (options.dtype != float32 && options.dtype != float64)
    fail<ValueError>("{}: dtype is {}; examples are read as float32 or float64", input.name(), options.dtype);
  if (options.dtype == float64) return std::make_unique<TableSource<double>>(std::move(input), std::move(options));
  return std::make_unique<TableSource<float>>(std::move(input), std::move(options));
}

}  // namespace gradus
