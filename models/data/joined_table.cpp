#include <gradus/models/data/joined_table.h>

#include <gradus/core/error.h>
#include <gradus/models/data/column_scale.h>
#include <gradus/models/data/detail/number_text.h>
#include <gradus/models/data/detail/table_learner.h>
#include <gradus/models/data/detail/table_reader.h>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <string_view>
#include <unordered_map>
#include <utility>

namespace gradus {

namespace {

// In the order of u.item's last cells.
constexpr std::array<std::string_view, 19> genres = {"unknown",   "Action",   "Adventure",   "Animation", "Children's",
                                                     "Comedy",    "Crime",    "Documentary", "Drama",     "Fantasy",
                                                     "Film-Noir", "Horror",   "Musical",     "Mystery",   "Romance",
                                                     "Sci-Fi",    "Thriller", "War",         "Western"};
constexpr std::size_t user_cells = 5, item_cells = 5 + genres.size();

std::vector<std::string_view> cells_of(std::string_view line) {
  std::vector<std::string_view> out;
  if (line.ends_with('\r')) line.remove_suffix(1);
  for (;;) {
    const std::size_t end = std::min(line.find('|'), line.size());
    out.push_back(line.substr(0, end));
    if (end == line.size()) return out;
    line.remove_prefix(end + 1);
  }
}

bool is_numeric_cell(std::string_view cell) {
  double number = 0;
  return number_of(cell, number);
}

// Whether the cells are of u.user or u.item: they begin with a number, and ages or genres are where they should be.
bool are_of_movielens(const std::vector<std::string_view>& cells) {
  if (!is_numeric_cell(cells.front())) return false;
  if (cells.size() == user_cells) return is_numeric_cell(cells[1]);
  return cells.size() == item_cells && std::all_of(cells.end() - genres.size(), cells.end(),
                                                   [](std::string_view cell) { return cell == "0" || cell == "1"; });
}

// u.item as records "item|genre;genre": titles are in Latin-1, and tell nothing but which item it is.
std::string items_and_genres(const std::string& name, std::string_view text) {
  std::string out;
  for (std::int64_t line = 1; !text.empty(); ++line) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::vector<std::string_view> cells = cells_of(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (cells.size() == 1 && cells.front().empty()) {
      out += '\n';
      continue;
    }
    if (cells.size() != item_cells || !are_of_movielens(cells))
      fail<IoError>("{}:{}: has {} cells; an item, 4 texts and {} genres of 0 or 1 are expected", name, line,
                    cells.size(), genres.size());
    out += fmt::format("{}|", cells.front());
    for (std::size_t g = 0; g < genres.size(); ++g)
      if (cells[item_cells - genres.size() + g] == "1") out += fmt::format("{};", genres[g]);
    out += '\n';
  }
  return out;
}

// Takes the names of these columns out of a list.
std::vector<std::string> taken(std::vector<std::string>& from, const std::vector<std::string>& columns) {
  const auto is_there = [&](const std::string& name) {
    return std::find(columns.begin(), columns.end(), name) != columns.end();
  };
  const auto rest = std::stable_partition(from.begin(), from.end(), [&](const auto& name) { return !is_there(name); });
  std::vector<std::string> out(std::make_move_iterator(rest), std::make_move_iterator(from.end()));
  from.erase(rest, from.end());
  return out;
}

void take_options(ReadOptions& from, ReadOptions& to, std::vector<std::string> columns, const std::string& key) {
  columns.erase(std::remove(columns.begin(), columns.end(), key), columns.end());
  to.categorical = taken(from.categorical, columns);
  to.numeric = taken(from.numeric, columns);
  to.ignored = taken(from.ignored, columns);
  to.multi = taken(from.multi, columns);
  to.ignored.push_back(key);
}

bool is_said(const ReadOptions& read, const std::string& column) {
  const auto has = [&](const std::vector<std::string>& list) {
    return std::find(list.begin(), list.end(), column) != list.end();
  };
  return has(read.categorical) || has(read.numeric) || has(read.ignored) || has(read.multi);
}

// u.user or u.item; null for other files. `text` is what the rows of the reader lie in.
std::unique_ptr<Reader> open_movielens(const JoinedFile& file, ReadOptions& rows, ReadOptions& read,
                                       std::string& text) {
  Input input(file.path);
  const std::string_view all = input.look(std::string_view::npos).text;
  const std::vector<std::string_view> first = cells_of(all.substr(0, all.find('\n')));
  if (!are_of_movielens(first)) return nullptr;
  const bool items = first.size() == item_cells;
  TableOptions table;
  table.header = items ? std::vector<std::string>{"item", "genre"}
                       : std::vector<std::string>{"user", "age", "gender", "occupation", "zip"};
  if (table.header.front() != file.key)
    fail<IoError>("{}: has no column {}; the columns are {}", file.path, in_quotes(file.key),
                  names_in_quotes(table.header));
  text = items ? items_and_genres(file.path, all) : std::string(all);
  take_options(rows, read, table.header, file.key);
  table.dialect = {"|", false};
  table.categorical = read.categorical;
  table.numeric = read.numeric;
  table.ignored = read.ignored;
  table.multi = read.multi;
  if (items && !is_said(read, "genre")) table.multi.emplace_back("genre");
  if (items) table.separator = ";";
  if (!items && !is_said(read, "age")) table.categorical.emplace_back("age");
  if (!items && !is_said(read, "zip")) table.ignored.emplace_back("zip");
  table.need_target = false;
  table.keep = {file.key};
  table.form = read.form;
  table.threads = read.threads;
  return read_table(Input::of_bytes(file.path, text), std::move(table));
}

std::unique_ptr<Reader> open_joined(const JoinedFile& file, ReadOptions& rows, ReadOptions& read, std::string& text) {
  if (file.path == "-") fail<ValueError>("standard input is to be joined; a file is expected");
  if (auto reader = open_movielens(file, rows, read, text)) return reader;
  Input input(file.path);
  read.format = format_of(input, read);
  const std::vector<std::string> columns = column_names(input, read);
  if (columns.empty())
    fail<IoError>("{}: is to be joined, but columns of {} have no names", file.path, to_string(read.format));
  if (std::find(columns.begin(), columns.end(), file.key) == columns.end())
    fail<IoError>("{}: has no column {}; the columns are {}", file.path, in_quotes(file.key), names_in_quotes(columns));
  take_options(rows, read, columns, file.key);
  read.keep = {file.key};
  return open_rows(std::move(input), read);
}

// Throws where another table has a column of the same name.
void refuse_namesakes(const JoinedTable& joined, const FeatureTable& other, const std::string& name) {
  for (const TableColumn& column : joined.table->columns()) {
    const std::int64_t at = other.find(column.name);
    if (column.kind != ColumnKind::ignored && at >= 0 &&
        other.columns()[static_cast<std::size_t>(at)].kind != ColumnKind::ignored)
      fail<ValueError>("{}: has a column {}, as {} has; one of them is to be called otherwise", joined.name,
                       in_quotes(column.name), name);
  }
}

}  // namespace

JoinedTable read_joined(const JoinedFile& file, ReadOptions& read) {
  ReadOptions of_file;
  of_file.form = read.form;
  of_file.form.no_header = false;
  of_file.separator = read.separator;
  of_file.threads = read.threads;
  of_file.need_target = false;
  std::string text;
  ReadRows records = open_joined(file, read, of_file, text)->next(unlimited);
  const KeptColumn& keys = records.kept.front();
  std::vector<Index> record(keys.values().size(), -1);
  for (std::size_t i = 0; i < keys.of_row().size(); ++i) {
    const auto key = static_cast<std::size_t>(keys.of_row()[i]);
    if (record[key] >= 0)
      fail<IoError>("{}: has {} {} twice, in records {} and {}; one is expected", file.path, file.key,
                    in_quotes(keys.values()[key]), record[key] + 1, i + 1);
    record[key] = static_cast<Index>(i);
  }
  return {file.path, file.key, records.columns.table, records.findings, records.x, keys, records.missing};
}

RelationBlock joined_block(const JoinedTable& joined, const FeatureTable& rows, const Relations& before,
                           const std::string& name) {
  const std::size_t key = key_column(rows, joined.key, name, joined.name);
  refuse_namesakes(joined, rows, name);
  for (const RelationBlock& block : before.blocks) refuse_namesakes(joined, *block.table, block.source);
  std::unordered_map<std::string_view, Index> record;
  for (std::size_t i = 0; i < joined.key_cells.of_row().size(); ++i)
    record.emplace(joined.key_cells.values()[static_cast<std::size_t>(joined.key_cells.of_row()[i])],
                   static_cast<Index>(i));
  const Tensor x = joined.scale.size() > 0 ? divide_columns(joined.x, joined.scale) : joined.x;
  const CsrPattern& from = *x.pattern();
  const std::vector<std::string>& categories = rows.columns()[key].categories;
  const auto pattern = std::make_shared<CsrPattern>();
  pattern->rows = std::ssize(categories);
  pattern->columns = from.columns;
  std::vector<Index> column;
  std::vector<float> value;
  for (const std::string& category : categories) {
    if (const auto found = record.find(category); found != record.end()) {
      const auto row = static_cast<std::size_t>(found->second);
      for (auto at = static_cast<std::size_t>(from.row_start[row]);
           at < static_cast<std::size_t>(from.row_start[row + 1]); ++at) {
        column.push_back(from.column[at]);
        value.push_back(x.span<float>()[at]);
      }
    }
    pattern->row_start.push_back(std::ssize(column));
  }
  pattern->set_column(std::move(column));
  return {joined.key, "", joined.name, joined.table, rows.feature(key), Tensor::csr(pattern, Tensor::from(value))};
}

}  // namespace gradus
