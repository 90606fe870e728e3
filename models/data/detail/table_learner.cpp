#include <gradus/models/data/detail/table_learner.h>

#include <gradus/models/data/detail/column_tally.h>
#include <gradus/models/data/detail/number_text.h>
#include <gradus/models/data/detail/row_pieces.h>

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <set>
#include <unordered_set>
#include <utility>

namespace gradus {

namespace {

struct StringHash {
  using is_transparent = void;  // NOLINT(readability-identifier-naming): the library looks for this name
  std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
};
using Categories = std::unordered_set<std::string, StringHash, std::equal_to<>>;

// What a piece of a file tells, by column of the first file.
struct Learnt {
  std::vector<ColumnTally> tallies;
  std::vector<Categories> categories;
  std::int64_t records = 0;
  std::int64_t lines = 0;
  std::int64_t first_line = 0;
  std::size_t file = 0;
};

// Sequences of bytes that UTF-8 has (RFC 3629), but for surrogates.
bool is_utf8(std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if (byte < 0x80) continue;
    const std::size_t more = byte >= 0xf0 ? 3 : byte >= 0xe0 ? 2 : 1;
    if (byte < 0xc2 || byte > 0xf4 || i + more >= text.size()) return false;
    for (std::size_t k = 0; k < more; ++k)
      if ((static_cast<unsigned char>(text[++i]) & 0xc0) != 0x80) return false;
  }
  return true;
}

// Calls take(category) for each of a cell's values.
template <class Take>
void for_each_value(std::string_view cell, const std::string& separator, const Take& take) {
  if (separator.empty()) {
    take(cell);
    return;
  }
  for_each_part(cell, separator.front(), take);
}

class Learner {
 public:
  Learner(std::vector<TableFile>& files, const TableOptions& options, Workers& workers)
      : files_(files), options_(options), workers_(workers), names_(files.front().names) {
    for (const TableFile& file : files_) {
      std::vector<std::size_t>& places = place_.emplace_back();
      for (const std::string& name : file.names) places.push_back(place_of(name, file));
      if (places.size() != names_.size())
        fail<IoError>("{}: has {} columns but {} has {}: {}", file.input.name(), places.size(),
                      files_.front().input.name(), names_.size(), names_in_quotes(names_));
    }
  }

  LearntTable learn() {
    apply_options();
    for (std::size_t i = 0; i < names_.size(); ++i) surveyed_.push_back(unsaid_[i] || may_name_classes(i));
    if (std::find(surveyed_.begin(), surveyed_.end(), true) != surveyed_.end()) survey();
    for (std::size_t i = 0; i < names_.size(); ++i) {
      columns_[i].kind = findings_[i].kind;
      listed_.push_back((findings_[i].kind == ColumnKind::categorical && options_.hash_bits == 0) || names_classes(i) ||
                        (unsaid_[i] && findings_[i].kind == ColumnKind::numeric && may_be_categories(tallies_[i])));
    }
    if (std::find(listed_.begin(), listed_.end(), true) != listed_.end()) collect_categories();
    if (options_.extended) columns_ = extended_columns();
    return {std::make_shared<const FeatureTable>(std::move(columns_), options_.hash_bits, options_.form),
            std::make_shared<const std::vector<ColumnFinding>>(std::move(findings_))};
  }

 private:
  std::size_t place_of(const std::string& name, const TableFile& file) const {
    const auto found = std::find(names_.begin(), names_.end(), name);
    if (found == names_.end())
      fail<IoError>("{}: has a column {} that {} has not; its columns are {}", file.input.name(), in_quotes(name),
                    files_.front().input.name(), names_in_quotes(names_));
    return static_cast<std::size_t>(found - names_.begin());
  }

  // What a table says that is extended.
  void apply_extended() {
    for (std::size_t i = 0; i < names_.size(); ++i) {
      const std::int64_t at = options_.extended->find(names_[i]);
      unsaid_[i] = false;
      if (at < 0) {
        findings_[i].why = "the model does not have it";
        continue;
      }
      const TableColumn& column = options_.extended->columns()[static_cast<std::size_t>(at)];
      findings_[i].kind = column.kind;
      columns_[i].separator = column.separator;
      if (!column.separator.empty()) multi_.insert(i);
    }
  }

  // Its columns with the categories that were found as well.
  std::vector<TableColumn> extended_columns() const {
    std::vector<TableColumn> out = options_.extended->columns();
    for (std::size_t i = 0; i < names_.size(); ++i) {
      const std::int64_t at = options_.extended->find(names_[i]);
      if (at < 0) continue;
      for (const std::string& category : columns_[i].categories)
        if (options_.extended->feature(static_cast<std::size_t>(at), category) < 0)
          out[static_cast<std::size_t>(at)].categories.push_back(category);
    }
    return out;
  }

  // The kind of each column, as far as the options say it.
  void apply_options() {
    const std::string& file = files_.front().input.name();
    unsaid_.assign(names_.size(), true);
    tallies_.resize(names_.size());
    for (const std::string& name : names_) {
      columns_.push_back({name});
      findings_.emplace_back().name = name;
    }
    const auto say = [&](const std::string& name, ColumnKind kind) {
      const auto found = std::find(names_.begin(), names_.end(), name);
      if (found == names_.end())
        fail<ValueError>("{}: there is no column {} to be {}; the columns are {}", file, in_quotes(name),
                         to_string(kind), names_in_quotes(names_));
      const auto i = static_cast<std::size_t>(found - names_.begin());
      if (!unsaid_[i])
        fail<ValueError>("{}: column {} is to be {} and {}; one is expected", file, in_quotes(name),
                         to_string(findings_[i].kind), to_string(kind));
      unsaid_[i] = false;
      findings_[i].kind = kind;
      return i;
    };
    if (options_.extended) return apply_extended();
    if (options_.target.empty() && options_.need_target)
      fail<ValueError>("{}: no target column is named; the columns are {}", file, names_in_quotes(names_));
    if (!options_.target.empty()) say(options_.target, ColumnKind::target);
    if (!options_.weight.empty()) say(options_.weight, ColumnKind::weight);
    for (const std::string& name : options_.categorical) say(name, ColumnKind::categorical);
    for (const std::string& name : options_.numeric) say(name, ColumnKind::numeric);
    for (const std::string& name : options_.ignored) say(name, ColumnKind::ignored);
    for (const std::string& name : options_.multi) {
      const std::size_t i = say(name, ColumnKind::categorical);
      multi_.insert(i);
      unsaid_[i] = options_.separator.empty();
      columns_[i].separator = options_.separator;
    }
  }

  bool may_name_classes(std::size_t i) const {
    return !options_.extended && findings_[i].kind == ColumnKind::target && options_.targets == TargetCells::either;
  }
  bool names_classes(std::size_t i) const {
    if (options_.extended && findings_[i].kind == ColumnKind::target)
      return !options_.extended->columns()[static_cast<std::size_t>(options_.extended->find(names_[i]))]
                  .categories.empty();
    if (may_name_classes(i)) return tallies_[i].texts > 0 && tallies_[i].numbers == 0;
    return findings_[i].kind == ColumnKind::target && options_.targets == TargetCells::classes;
  }

  void survey() {
    std::vector<Learnt> parts =
        look_through([&](const CsvRecords& records, std::size_t place, std::size_t i, Learnt& out) {
          if (surveyed_[place]) out.tallies[place].add(records.cells()[i], options_.form, records.line());
        });
    for (std::size_t i = 0; i < names_.size(); ++i) {
      if (!surveyed_[i]) continue;
      for (Learnt& part : parts) {
        part.tallies[i].where =
            fmt::format("{}:{}", files_[part.file].input.name(), part.first_line + part.tallies[i].text_line + 1);
        tallies_[i].append(part.tallies[i]);
      }
      if (!unsaid_[i]) continue;
      if (multi_.contains(i)) {
        unsaid_[i] = false;
        columns_[i].separator = separator_of(tallies_[i]);
        findings_[i].why = columns_[i].separator.empty()
                               ? "no cell has several values that | ; , / or blanks separate"
                               : fmt::format("values separated by {}", in_quotes(columns_[i].separator));
      } else {
        findings_[i] = finding_of(names_[i], tallies_[i], options_.form);
      }
    }
  }

  void collect_categories() {
    std::vector<Learnt> parts =
        look_through([&](const CsvRecords& records, std::size_t place, std::size_t i, Learnt& out) {
          if (!listed_[place]) return;
          const std::string_view whole = records.cells()[i];
          if (multi_.contains(place) && is_missing(whole, options_.form)) return;
          if (names_classes(place)) check_class(records, place, whole);
          for_each_value(whole, columns_[place].separator, [&](std::string_view cell) {
            if (out.categories[place].contains(cell)) return;
            if (!is_utf8(cell))
              throw Mistake{records.line(), fmt::format("column {}: {} is not UTF-8 text; save the file as UTF-8",
                                                        in_quotes(names_[place]), in_quotes(cell))};
            out.categories[place].emplace(cell);
          });
        });
    for (std::size_t i = 0; i < names_.size(); ++i) {
      if (!listed_[i]) continue;
      Categories all;
      for (Learnt& part : parts) all.merge(part.categories[i]);
      count_categories(findings_[i], tallies_[i], std::ssize(all));
      columns_[i].kind = findings_[i].kind;
      if (may_name_classes(i) && std::all_of(all.begin(), all.end(), [truth = false](const auto& cell) mutable {
            return truth_of(cell, truth);
          }))
        continue;
      if (!names_classes(i) && (columns_[i].kind != ColumnKind::categorical || options_.hash_bits > 0)) continue;
      for (auto at = all.begin(); at != all.end();)
        columns_[i].categories.push_back(std::move(all.extract(at++).value()));
    }
  }

  void check_class(const CsvRecords& records, std::size_t i, std::string_view cell) const {
    const std::string column = in_quotes(names_[i]);
    if (cell.empty()) throw Mistake{records.line(), fmt::format("column {}: is empty; a class is expected", column)};
    if (may_name_classes(i) && is_missing(cell, options_.form))
      throw Mistake{records.line(),
                    fmt::format("column {}: {} says that nothing is known; .targets takes it for a class", column,
                                in_quotes(cell))};
  }

  // Shows all cells of the files to see(records, column of the first file, column of this file, learnt), without taking
  // them.
  template <class See>
  std::vector<Learnt> look_through(const See& see) {
    std::vector<Learnt> parts;
    for (std::size_t f = 0; f < files_.size(); ++f) {
      TableFile& file = files_[f];
      std::int64_t line = file.line;
      const std::size_t first = parts.size();
      const std::string_view text = file.input.look(std::string_view::npos).text;
      read_pieces(workers_, file.input.name(), pieces_of(text, options_.dialect.quotes), line, parts,
                  [&](std::string_view piece, Learnt& out) {
                    out.tallies.resize(names_.size());
                    out.categories.resize(names_.size());
                    CsvRecords records(piece, options_.dialect);
                    while (records.next()) {
                      check_width(records, file.names);
                      for (std::size_t i = 0; i < names_.size(); ++i) see(records, place_[f][i], i, out);
                      ++out.records;
                    }
                    out.lines = records.lines_passed();
                  });
      line = file.line;
      for (std::size_t k = first; k < parts.size(); ++k) {
        parts[k].file = f;
        parts[k].first_line = line;
        line += parts[k].lines;
      }
      if (std::all_of(parts.begin() + static_cast<std::ptrdiff_t>(first), parts.end(),
                      [](const Learnt& part) { return part.records == 0; }))
        no_examples(file, options_);
    }
    return parts;
  }

  std::vector<TableFile>& files_;
  const TableOptions& options_;
  Workers& workers_;
  const std::vector<std::string>& names_;        // of the first file's columns
  std::vector<std::vector<std::size_t>> place_;  // of each file's columns among these
  std::vector<TableColumn> columns_;
  std::vector<ColumnFinding> findings_;
  std::vector<ColumnTally> tallies_;
  std::vector<bool> unsaid_, surveyed_, listed_;
  std::set<std::size_t> multi_;
};

}  // namespace

void read_header(TableFile& file, const TableOptions& options, const CellForm& form) {
  const std::string& name = file.input.name();
  const bool headless = form.no_header && options.header.empty();
  const auto first_record = [&](bool taken) {
    std::vector<std::string> cells;
    for (std::int64_t count = 1; cells.empty();) {
      const std::string_view text = file.input.records(count, options.dialect.quotes);
      if (text.empty()) break;
      CsvRecords records(text, options.dialect);
      bool found = false;
      try {
        found = records.next();
      } catch (const Mistake& mistake) {
        fail<IoError>("{}:{}: {}", name, file.line + mistake.line + 1, mistake.what);
      }
      if (found) cells.assign(records.cells().begin(), records.cells().end());
      if (found && !taken) break;
      file.line += records.lines_passed();
      file.input.take(records.bytes_passed());  // empty lines are no records
    }
    return cells;
  };
  if (!options.header.empty()) {
    file.names = options.header;
    if (options.skip_first) first_record(true);
    return;
  }
  file.names = first_record(!headless);
  if (file.names.empty() && headless) fail<IoError>("{}: is empty; records are expected", name);
  if (file.names.empty()) fail<IoError>("{}: is empty; a record that names the columns is expected", name);
  double number = 0;
  if (headless) {
    for (std::size_t i = 0; i < file.names.size(); ++i) file.names[i] = fmt::to_string(i + 1);
  } else if (std::all_of(file.names.begin(), file.names.end(),
                         [&](const std::string& cell) { return number_of(cell, number); })) {
    fail<IoError>(
        "{}:{}: the first record, {}, is nothing but numbers, not the names of columns; write a line of names "
        "first, or say .no_header, and columns are called 1, 2, 3",
        name, file.line, names_in_quotes(file.names));
  }
  std::set<std::string_view> seen;
  for (std::size_t i = 0; i < file.names.size(); ++i) {
    if (file.names[i].empty() && seen.contains("")) file.names[i] = fmt::format("Unnamed: {}", i);
    if (!seen.insert(file.names[i]).second)
      fail<IoError>("{}:{}: two columns are named {}", name, file.line, in_quotes(file.names[i]));
  }
}

void check_width(const CsvRecords& records, const std::vector<std::string>& names) {
  const std::size_t found = records.cells().size();
  if (found != names.size())
    throw Mistake{records.line(), fmt::format("has {} cell{}; {} are expected: {}", found, found == 1 ? "" : "s",
                                              names.size(), names_in_quotes(names))};
}

std::string names_in_quotes(const std::vector<std::string>& names) {
  constexpr std::size_t most = 20;
  std::string text;
  for (std::size_t i = 0; i < std::min(names.size(), most); ++i) text += (i > 0 ? ", " : "") + in_quotes(names[i]);
  return text + (names.size() > most ? fmt::format(" and {} more", names.size() - most) : "");
}

void no_examples(const TableFile& file, const TableOptions& options) {
  if (options.form.no_header || (!options.header.empty() && !options.skip_first))
    fail<IoError>("{}: is empty; records of {} are expected", file.input.name(), names_in_quotes(file.names));
  fail<IoError>("{}: has a header but no examples", file.input.name());
}

LearntTable learn_table(std::vector<TableFile>& files, const TableOptions& options, Workers& workers) {
  return Learner(files, options, workers).learn();
}

}  // namespace gradus
