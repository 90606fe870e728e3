#include <gradus/models/data/read.h>

#include <gradus/core/error.h>
#include <gradus/models/data/detail/csv.h>
#include <gradus/models/data/detail/libsvm.h>
#include <gradus/models/data/detail/number_text.h>
#include <gradus/models/data/detail/row_pieces.h>
#include <gradus/models/data/detail/table_reader.h>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <utility>

namespace gradus {

namespace {

constexpr std::string_view names[] = {"guess", "libsvm", "libfm", "libffm", "movielens", "csv", "tsv"};
constexpr std::size_t looked_at = std::size_t{1} << 14;

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return out;
}

// The first line that is not empty, without its end.
std::string_view first_line(std::string_view text) {
  while (!text.empty() && (text[0] == '\n' || text[0] == '\r')) text.remove_prefix(1);
  std::string_view line = text.substr(0, text.find('\n'));
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

bool names_ratings(std::string_view line) { return lower(line) == "userid,movieid,rating,timestamp"; }

bool is_number(std::string_view text) {
  double number = 0;
  return number_of(text, number);
}

// Two ids, a rating and a time: "196::242::3::881250949", or with tabs. Other tables of four numbers are none.
bool is_rating(std::string_view line, std::string_view delimiter) {
  double number[4];
  for (int i = 0; i < 4; ++i) {
    const std::size_t end = i < 3 ? line.find(delimiter) : line.size();
    if (end == std::string_view::npos || !number_of(line.substr(0, end), number[i])) return false;
    line.remove_prefix(i < 3 ? end + delimiter.size() : end);
  }
  if (delimiter == "::") return true;  // which no other table has
  const auto is_id = [](double x) { return x >= 0 && x == std::floor(x); };
  constexpr double year_1990 = 631152000, year_2100 = 4102444800;
  return is_id(number[0]) && is_id(number[1]) && number[2] >= 0 && number[2] <= 10 &&
         number[2] * 2 == std::floor(number[2] * 2) && is_id(number[3]) && number[3] >= year_1990 &&
         number[3] <= year_2100;
}

// The form of a line of sparse text: by its first pair. guess where it has none; csv where it is something else.
Format sparse_form(std::string_view line) {
  line = line.substr(0, line.find('#'));
  const auto token = [&line] {
    const std::size_t first = std::min(line.find_first_not_of(" \t\r"), line.size());
    line.remove_prefix(first);
    const std::string_view found = line.substr(0, line.find_first_of(" \t\r"));
    line.remove_prefix(found.size());
    return found;
  };
  const std::string_view target = token();
  if (target.empty()) return Format::guess;
  if (!is_number(target)) return Format::csv;
  Format form = Format::guess;
  for (std::string_view pair = token(); !pair.empty(); pair = token()) {
    const auto colons = std::count(pair.begin(), pair.end(), ':');
    if ((colons != 1 && colons != 2) || !is_digit(pair[0])) return Format::csv;
    if (colons == 2) return Format::libffm;
    if (pair.starts_with("0:")) return Format::libfm;
    form = Format::libsvm;
  }
  return form;
}

Format format_of_name(std::string_view path) {
  constexpr std::pair<std::string_view, Format> ends[] = {
      {".libsvm", Format::libsvm}, {".svm", Format::libsvm}, {".svmlight", Format::libsvm}, {".libfm", Format::libfm},
      {".libffm", Format::libffm}, {".ffm", Format::libffm}, {".csv", Format::csv},         {".tsv", Format::tsv},
  };
  std::string name = lower(path);
  if (name.ends_with(".gz")) name.resize(name.size() - 3);
  const auto* const found =
      std::find_if(std::begin(ends), std::end(ends), [&](const auto& end) { return name.ends_with(end.first); });
  return found == std::end(ends) ? Format::guess : found->second;
}

// The first lines of the input, not taken. A line that is cut off at the end is left out, unless it is the only one.
std::string_view head_of(Input& input) {
  const std::string_view text = input.look(looked_at).text;
  const std::size_t newline = text.substr(0, looked_at).rfind('\n');
  return newline == std::string_view::npos ? text : text.substr(0, newline);
}

TableOptions table_options(const ReadOptions& options) {
  TableOptions table;
  table.target = options.target;
  table.targets = options.targets;
  table.weight = options.weight;
  table.categorical = options.categorical;
  table.numeric = options.numeric;
  table.ignored = options.ignored;
  table.multi = options.multi;
  table.separator = options.separator;
  table.form = options.form;
  table.hash_bits = options.hash_bits;
  table.table = options.columns.table;
  table.need_target = options.need_target;
  table.keep = options.keep;
  table.only = options.only;
  table.extended = options.extended;
  table.dtype = options.dtype;
  table.threads = options.threads;
  return table;
}

std::vector<std::string> rating_columns() { return {"user", "item", "rating", "timestamp"}; }

std::unique_ptr<Reader> open_ratings(std::vector<Input> inputs, const ReadOptions& options) {
  Input& input = inputs.front();
  if (!options.target.empty() || !options.weight.empty() || !options.categorical.empty() || !options.numeric.empty() ||
      !options.ignored.empty() || !options.multi.empty())
    fail<ValueError>("{}: columns are named, but those of ratings are known: user, item, rating, timestamp",
                     input.name());
  const std::string_view line = first_line(head_of(input));
  TableOptions table = table_options(options);
  table.header = rating_columns();
  table.whole_categories = true;
  table.skip_first = names_ratings(line);
  const bool double_colon = line.find("::") != std::string_view::npos;
  table.dialect = {table.skip_first ? "," : double_colon ? "::" : "\t", false};
  if (!table.table && !table.extended) {
    table.target = "rating";
    table.categorical = {"user", "item"};
    table.ignored = {"timestamp"};
  }
  return read_table(std::move(inputs), std::move(table));
}

// What separates the cells of a table.
char delimiter_of(Input& input, const ReadOptions& options, Format format) {
  char delimiter = options.delimiter;
  if (delimiter == '"' || delimiter == '\n' || delimiter == '\r')
    fail<ValueError>("{}: the delimiter is {}; a character that ends neither quotes nor lines is expected",
                     input.name(), in_quotes({&delimiter, 1}));
  if (delimiter == '\0') {
    const std::string_view line = first_line(head_of(input));
    const bool semicolons = line.find(',') == std::string_view::npos && line.find(';') != std::string_view::npos;
    delimiter = format == Format::tsv ? '\t' : semicolons ? ';' : ',';
  }
  return delimiter;
}

std::unique_ptr<Reader> open_table(std::vector<Input> inputs, const ReadOptions& options, Format format) {
  TableOptions table = table_options(options);
  table.dialect.delimiter = std::string(1, delimiter_of(inputs.front(), options, format));
  return read_table(std::move(inputs), std::move(table));
}

}  // namespace

std::string_view to_string(Format format) { return names[static_cast<int>(format)]; }

Format format_named(std::string_view name) {
  const auto* const found = std::find(std::begin(names), std::end(names), name);
  if (found == std::end(names))
    fail<ValueError>("there is no format {}; guess, libsvm, libfm, libffm, movielens, csv and tsv are there",
                     in_quotes(name));
  return static_cast<Format>(found - std::begin(names));
}

Format guess_format(std::string_view name, std::string_view first_lines) {
  const std::string_view line = first_line(first_lines);
  const Format named = format_of_name(name);
  if (named == Format::csv && names_ratings(line)) return Format::movielens;
  if (named != Format::guess) return named;
  if (names_ratings(line) || is_rating(line, "::") || is_rating(line, "\t")) return Format::movielens;

  constexpr int most_lines = 100;
  Format sparse = Format::guess;
  std::string_view rest = first_lines;
  for (int i = 0; i < most_lines && !rest.empty(); ++i) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    const Format form = sparse_form(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (form == Format::guess) continue;
    sparse = form;
    if (form != Format::libsvm) break;  // which the lines to come may still show to be libfm
  }
  if (sparse == Format::libsvm || sparse == Format::libfm || sparse == Format::libffm) return sparse;
  if (line.find('\t') != std::string_view::npos) return Format::tsv;
  if (line.find_first_of(",;") != std::string_view::npos) return Format::csv;
  fail<ValueError>(
      "{}: its format cannot be told from its name or its first line, {}; say which of libsvm, libfm, libffm, "
      "movielens, csv and tsv it is",
      name, in_quotes(line));
}

Format guess_format(Input& input) {
  if (input.look(1).text.empty()) fail<IoError>("{}: is empty", input.name());
  return guess_format(input.name(), head_of(input));
}

Format format_of(Input& input, const ReadOptions& options) {
  if (options.format != Format::guess) return options.format;
  if (options.otherwise == Format::guess) return guess_format(input);
  if (!options.columns.table) return options.otherwise;
  try {
    const Format found = guess_format(input);
    return found == Format::csv || found == Format::tsv || found == Format::movielens ? found : options.otherwise;
  } catch (const ValueError&) {
    return options.otherwise;
  }
}

std::vector<std::string> column_names(Input& input, const ReadOptions& options) {
  const Format format = format_of(input, options);
  if (format == Format::movielens) return rating_columns();
  if (format != Format::csv && format != Format::tsv) return {};
  const Dialect dialect{std::string(1, delimiter_of(input, options, format))};
  // Empty lines are no records.
  for (std::int64_t count = 1;; count *= 2) {
    const std::string_view text = input.records(count, dialect.quotes);
    CsvRecords records(text, dialect);
    try {
      if (records.next()) {
        std::vector<std::string> names(records.cells().begin(), records.cells().end());
        for (std::size_t i = 0; options.form.no_header && i < names.size(); ++i) names[i] = fmt::to_string(i + 1);
        return names;
      }
    } catch (const Mistake& mistake) {
      fail<IoError>("{}:{}: {}", input.name(), mistake.line + 1, mistake.what);
    }
    if (std::int64_t lines = records.lines_passed(); lines < count) return {};
  }
}

std::string csv_cell(std::string_view text) {
  const auto is_blank = [](char c) { return c == ' ' || c == '\t'; };
  if (text.find_first_of(",\"\r\n") == std::string_view::npos && !text.empty() && !is_blank(text.front()) &&
      !is_blank(text.back()))
    return std::string(text);
  std::string out = "\"";
  for (const char c : text) out += c == '"' ? std::string("\"\"") : std::string(1, c);
  return out + "\"";
}

std::unique_ptr<Reader> open_rows(Input input, const ReadOptions& options) {
  std::vector<Input> inputs;
  inputs.push_back(std::move(input));
  return open_rows(std::move(inputs), options);
}

std::unique_ptr<Reader> open_rows(std::vector<Input> inputs, const ReadOptions& options) {
  const Format format = format_of(inputs.front(), options);
  switch (format) {
    case Format::movielens: return open_ratings(std::move(inputs), options);
    case Format::csv:
    case Format::tsv: return open_table(std::move(inputs), options, format);
    default: break;
  }
  if (!options.target.empty() || !options.weight.empty() || !options.categorical.empty() || !options.numeric.empty() ||
      !options.ignored.empty() || !options.multi.empty() || options.columns.table)
    fail<ValueError>("{}: columns are named, but {} has no names for them", inputs.front().name(), to_string(format));
  if (!options.keep.empty())
    fail<ValueError>("{}: column {} is asked for, but columns of {} have no names", inputs.front().name(),
                     in_quotes(options.keep.front()), to_string(format));
  SparseTextOptions sparse;
  sparse.form = format == Format::libfm    ? SparseText::libfm
                : format == Format::libffm ? SparseText::libffm
                                           : SparseText::libsvm;
  sparse.dtype = options.dtype;
  sparse.threads = options.threads;
  sparse.duplicates = options.duplicates;
  sparse.other_field = options.other_field;
  sparse.ids = options.columns.ids;
  sparse.hash_bits = std::max(options.hash_bits, options.columns.hash_bits);
  if (!sparse.ids && sparse.hash_bits == 0) sparse.columns = options.columns.count;
  sparse.need_target = options.need_target;
  return read_sparse_text(std::move(inputs), sparse);
}

std::unique_ptr<Reader> open_rows(const std::string& path, const ReadOptions& options) {
  return open_rows(Input(path), options);
}

ReadRows read_rows(const std::string& path, const ReadOptions& options) {
  return open_rows(path, options)->next(unlimited);
}

}  // namespace gradus
