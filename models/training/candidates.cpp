#include <gradus/models/training/candidates.h>

#include <gradus/core/error.h>
#include <gradus/core/listed.h>
#include <gradus/core/tensor/create.h>
#include <gradus/models/data/data_cache.h>
#include <gradus/models/data/detail/cell.h>
#include <gradus/models/data/detail/column_tally.h>

#include <algorithm>
#include <iterator>
#include <numeric>
#include <string_view>
#include <unordered_map>

namespace gradus {

namespace {

bool has_features(const TableColumn& column) {
  return column.kind == ColumnKind::numeric || column.kind == ColumnKind::categorical;
}

const FeatureTable& table_of(const TrainedModel& model) {
  if (!model.columns.table)
    fail<ValueError>("the model was trained on {}, whose columns have no names; columns of a table are expected",
                     model.format == Format::guess ? "a cache" : to_string(model.format));
  return *model.columns.table;
}

// The names of the model's columns of which `is` says so.
template <class Is>
std::vector<std::string> columns_that(const TrainedModel& model, const Is& is) {
  std::vector<std::string> out;
  for (const TableColumn& column : table_of(model).columns())
    if (has_features(column) && is(column)) out.push_back(column.name);
  return out;
}

std::string all_columns(const TrainedModel& model) {
  return listed(columns_that(model, [](const TableColumn&) { return true; }));
}

bool holds(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// A column of categories, one a cell.
const TableColumn& categories_of(const TrainedModel& model, const std::string& name) {
  const FeatureTable& table = table_of(model);
  const std::int64_t at = table.find(name);
  if (at < 0 || !has_features(table.columns()[static_cast<std::size_t>(at)]))
    fail<ValueError>("the model has no column {}; it learnt from {}", in_quotes(name), all_columns(model));
  const TableColumn& column = table.columns()[static_cast<std::size_t>(at)];
  if (column.kind != ColumnKind::categorical || !column.separator.empty())
    fail<ValueError>("column {} holds {}; one category in each cell is expected", in_quotes(name),
                     column.separator.empty() ? "numbers" : "several categories in a cell");
  return column;
}

// Its categories, which `who` has to know.
const std::vector<std::string>& listed(const TrainedModel& model, const std::string& name, std::string_view otherwise) {
  const TableColumn& column = categories_of(model, name);
  if (table_of(model).hash_bits() > 0)
    fail<ValueError>("the model has hashed its categories, so it cannot name those of column {}; {}", in_quotes(name),
                     otherwise);
  return column.categories;
}

struct NamedRows {
  std::string name;                  // of the file
  std::vector<std::string> columns;  // that were read, of the model's
  ReadRows rows;
};

// Rows of a file: of the model's columns those that it has and `is_read` agrees to. Kept are `keep`, or else these.
template <class IsRead>
NamedRows read_named(const TrainedModel& model, Input input, ReadOptions read, std::vector<std::string> keep,
                     const IsRead& is_read) {
  table_of(model);
  read = read_options(model, std::move(read));
  NamedRows out{input.name(), {}, {}};
  if (input.look(1).text.empty()) fail<IoError>("{}: is empty", out.name);
  read.format = format_of(input, read);
  const std::vector<std::string> columns = column_names(input, read);
  if (columns.empty())
    fail<ValueError>("{}: looks like {}, whose columns have no names; a table is expected", out.name,
                     to_string(read.format));
  out.columns = columns_that(
      model, [&](const TableColumn& column) { return holds(columns, column.name) && is_read(column.name); });
  read.only = out.columns;
  if (const std::int64_t target = table_of(model).find(ColumnKind::target); read.need_target && target >= 0)
    read.only->push_back(table_of(model).columns()[static_cast<std::size_t>(target)].name);
  read.keep = keep.empty() ? out.columns : std::move(keep);
  out.rows = open_rows(std::move(input), read)->next(unlimited);
  return out;
}

template <class IsRead>
NamedRows read_named(const TrainedModel& model, const DataFile& file, std::vector<std::string> keep,
                     const IsRead& is_read, bool needs_target = false) {
  if (is_data_cache(file.path))
    fail<ValueError>("{}: is a cache, whose columns have no names; a table is expected", file.path);
  ReadOptions read = file.read;
  read.need_target = needs_target;
  return read_named(model, Input(file.path), read, std::move(keep), is_read);
}

Tensor taken(const Tensor& x, const std::vector<Index>& rows) { return Rows{x, zeros({x.dim(0), 1}), {}}.take(rows).x; }

bool equal_rows(const Tensor& x, Index a, Index b) {
  const std::vector<std::int64_t>& start = x.pattern()->row_start;
  const auto part = [&](auto numbers, Index row) {
    const auto first = static_cast<std::size_t>(start[static_cast<std::size_t>(row)]);
    return numbers.subspan(first, static_cast<std::size_t>(start[static_cast<std::size_t>(row) + 1]) - first);
  };
  const auto alike = [&](auto numbers) {
    const auto of_a = part(numbers, a), of_b = part(numbers, b);
    return std::equal(of_a.begin(), of_a.end(), of_b.begin(), of_b.end());
  };
  return alike(x.pattern()->column) && alike(x.span<float>());
}

bool is_empty(const Tensor& x, Index row) {
  const std::vector<std::int64_t>& start = x.pattern()->row_start;
  return start[static_cast<std::size_t>(row)] == start[static_cast<std::size_t>(row) + 1];
}

// Of each different cell of a column whether it is the value, or has it among its parts.
std::vector<bool> matches(const TrainedModel& model, const KeptColumn& cells, const NamedCell& wanted) {
  const std::int64_t at = table_of(model).find(wanted.first);
  const std::string separator = at < 0 ? "" : table_of(model).columns()[static_cast<std::size_t>(at)].separator;
  std::vector<bool> out;
  for (const std::string& cell : cells.values()) {
    bool found = cell == wanted.second;
    for_each_part(cell, separator.empty() ? '|' : separator.front(),
                  [&](std::string_view part) { found = found || part == wanted.second; });
    out.push_back(found);
  }
  return out;
}

// Of each row the number of its cell among the names; -1 where it is none of them.
std::vector<Index> numbers_in(const std::vector<std::string>& names, const KeptColumn& cells) {
  std::unordered_map<std::string_view, Index> number;
  for (const std::string& name : names) number.emplace(name, static_cast<Index>(number.size()));
  std::vector<Index> of_value, out;
  for (const std::string& cell : cells.values()) {
    const auto found = number.find(cell);
    of_value.push_back(found == number.end() ? -1 : found->second);
  }
  for (const Index value : cells.of_row()) out.push_back(of_value[static_cast<std::size_t>(value)]);
  return out;
}

// Each once, ascending.
void keep_different(std::vector<Index>& items) {
  std::sort(items.begin(), items.end());
  items.erase(std::unique(items.begin(), items.end()), items.end());
}

Contexts contexts_in(const TrainedModel& model, NamedRows read, const Candidates& candidates) {
  Contexts out{std::move(read.columns), std::move(read.rows.kept), read.rows.x, std::move(read.rows.unseen), {}};
  out.lacking = columns_that(model, [&](const TableColumn& column) {
    return !holds(out.columns, column.name) && !holds(candidates.features, column.name);
  });
  return out;
}

}  // namespace

std::string item_column(const TrainedModel& model, const std::string& named) {
  if (!named.empty()) return categories_of(model, named).name;
  const FeatureTable& table = table_of(model);
  const auto is_one = [&](const TableColumn& column) {
    return column.kind == ColumnKind::categorical && column.separator.empty();
  };
  std::vector<std::string> found = columns_that(model, [&](const TableColumn& column) {
    const std::int64_t first = is_one(column) && !column.categories.empty()
                                   ? table.feature(static_cast<std::size_t>(table.find(column.name)))
                                   : -1;
    return first >= 0 && !model.columns.of_item.empty() && model.columns.of_item[static_cast<std::size_t>(first)];
  });
  if (found.size() != 1)
    found = columns_that(model, [&](const TableColumn& column) { return is_one(column) && column.name == "item"; });
  if (found.empty())
    found = columns_that(model, [&](const TableColumn& column) {
      return is_one(column) && names_things(column.name) && !names_people(column.name);
    });
  if (found.size() != 1)
    fail<ValueError>(
        "by their names {} of the model's columns hold what could be recommended; item_column names one "
        "of {}",
        found.empty() ? "none" : "several", all_columns(model));
  return found.front();
}

std::string user_column(const TrainedModel& model, const std::string& named) {
  if (!named.empty()) return categories_of(model, named).name;
  const std::vector<std::string> found = columns_that(model, [](const TableColumn& column) {
    return column.kind == ColumnKind::categorical && column.separator.empty() && names_people(column.name);
  });
  return found.size() == 1 ? found.front() : "";
}

Candidates candidates_of(const TrainedModel& model, const std::string& column) {
  Candidates out{column, {column}, listed(model, column, "a file of candidates can"), {}};
  const auto m = std::ssize(out.names);
  if (m == 0) fail<ValueError>("the model has no category of column {} that could be recommended", in_quotes(column));
  const FeatureTable& table = table_of(model);
  std::vector<std::int64_t> row_start(static_cast<std::size_t>(m) + 1), feature(static_cast<std::size_t>(m));
  std::iota(row_start.begin(), row_start.end(), 0);
  std::iota(feature.begin(), feature.end(), table.feature(static_cast<std::size_t>(table.find(column))));
  out.x = Tensor::csr(m, model.columns.count, row_start, feature, std::vector<float>(feature.size(), 1));
  return out;
}

Candidates read_candidates(const TrainedModel& model, const DataFile& file, const std::string& column,
                           const std::string& users, const std::vector<NamedCell>& where) {
  std::vector<std::string> keep{column};
  for (const NamedCell& each : where) keep.push_back(each.first);
  const auto [name, features, rows] =
      read_named(model, file, keep, [&](const std::string& each) { return each != users; });
  std::vector<std::vector<bool>> wanted;
  for (std::size_t k = 0; k < where.size(); ++k) wanted.push_back(matches(model, rows.kept[k + 1], where[k]));
  const KeptColumn& items = rows.kept.front();
  Candidates out{column, features, {}, {}};
  std::vector<Index> first(items.values().size(), -1), found;
  for (Index row = 0; row < rows.size(); ++row) {
    const auto item = static_cast<std::size_t>(items.of_row()[static_cast<std::size_t>(row)]);
    if (first[item] >= 0 && !equal_rows(rows.x, first[item], row))
      fail<ValueError>("{}: {} {} is there with different cells of {}; a row for each is expected", name, column,
                       in_quotes(items.values()[item]), listed(features));
    if (first[item] >= 0) continue;
    first[item] = row;
    bool fits = true;
    for (std::size_t k = 0; k < where.size(); ++k)
      fits = fits && wanted[k][static_cast<std::size_t>(rows.kept[k + 1].of_row()[static_cast<std::size_t>(row)])];
    if (fits && is_empty(rows.x, row)) ++out.unknown;
    if (fits && !is_empty(rows.x, row)) found.push_back(row);
  }
  const auto name_of = [&](Index row) -> const std::string& {
    return items.values()[static_cast<std::size_t>(items.of_row()[static_cast<std::size_t>(row)])];
  };
  if (found.empty())
    fail<ValueError>("{}: has no {} to recommend{}{}", name, column, where.empty() ? "" : " with the cells asked for",
                     out.unknown > 0 ? " that the model knows" : "");
  std::sort(found.begin(), found.end(), [&](Index a, Index b) { return before(name_of(a), name_of(b)); });
  for (const Index row : found) out.names.push_back(name_of(row));
  out.x = taken(rows.x, found);
  return out;
}

const KeptColumn* Contexts::find(const std::string& column) const {
  const auto found = std::find(columns.begin(), columns.end(), column);
  return found == columns.end() ? nullptr : &cells[static_cast<std::size_t>(found - columns.begin())];
}

Contexts contexts_of(const TrainedModel& model, const Candidates& candidates, const std::vector<NamedCell>& cells,
                     const std::string& users) {
  if (cells.empty() && users.empty())
    fail<ValueError>("a context has none of the model's columns, which are {}", all_columns(model));
  std::vector<NamedCell> given = cells;
  const std::vector<std::string> nobody{""};
  const std::vector<std::string>& all = users.empty() ? nobody : listed(model, users, "a file of contexts can");
  if (!users.empty()) given.insert(given.begin(), {users, ""});
  for (const NamedCell& of : given) {
    const std::string& column = of.first;
    if (holds(candidates.features, column))
      fail<ValueError>("column {} is the candidates'; contexts have the others of {}", in_quotes(column),
                       all_columns(model));
    if (!holds(columns_that(model, [](const TableColumn&) { return true; }), column))
      fail<ValueError>("the model has no column {}; it learnt from {}", in_quotes(column), all_columns(model));
    if (std::count_if(given.begin(), given.end(), [&](const NamedCell& each) { return each.first == column; }) > 1)
      fail<ValueError>("column {} is given twice", in_quotes(column));
  }
  // As a file, so that cells are read as those of files are.
  const FeatureTable& table = table_of(model);
  const bool by_place = table.form().no_header;
  std::string text;
  const auto add_row = [&](const auto& cell_of) {
    std::string separator;
    const auto add = [&](const std::string& cell) {
      text += separator + csv_cell(cell);
      separator = ",";
    };
    if (by_place)
      for (const TableColumn& column : table.columns()) add(cell_of(column.name));
    else
      for (const NamedCell& each : given) add(cell_of(each.first));
    text += "\n";
  };
  if (!by_place) add_row([](const std::string& column) { return column; });
  for (const std::string& user : all)
    add_row([&](const std::string& column) {
      if (column == users) return user;
      const auto found =
          std::find_if(cells.begin(), cells.end(), [&](const NamedCell& each) { return each.first == column; });
      return found == cells.end() ? std::string() : found->second;
    });
  ReadOptions read;
  read.format = Format::csv;
  read.delimiter = ',';
  read.need_target = false;
  const auto is_given = [&](const std::string& column) {
    return std::any_of(given.begin(), given.end(), [&](const NamedCell& each) { return each.first == column; });
  };
  return contexts_in(model, read_named(model, Input::of_bytes("the context", text), read, {}, is_given), candidates);
}

Contexts read_contexts(const TrainedModel& model, const DataFile& file, const Candidates& candidates) {
  NamedRows read =
      read_named(model, file, {}, [&](const std::string& column) { return !holds(candidates.features, column); });
  if (read.columns.empty())
    fail<ValueError>("{}: has no column of a context; the model learnt from {}, the candidates have {}", read.name,
                     all_columns(model), listed(candidates.features));
  return contexts_in(model, std::move(read), candidates);
}

std::vector<std::vector<Index>> read_pairs(const TrainedModel& model, const DataFile& file,
                                           const Candidates& candidates, const Contexts& contexts,
                                           const std::string& users, std::vector<std::int64_t>* rows) {
  const KeptColumn* const of_contexts = contexts.find(users);
  if (of_contexts == nullptr)
    fail<ValueError>("{}: says what users have, but the contexts have no column of users; user_column names it",
                     file.path);
  const NamedRows read = read_named(model, file, {users, candidates.column}, [](const std::string&) { return false; });
  const std::vector<Index> user = numbers_in(of_contexts->values(), read.rows.kept[0]),
                           item = numbers_in(candidates.names, read.rows.kept[1]);
  std::vector<std::vector<Index>> of_user(of_contexts->values().size());
  if (rows != nullptr) rows->assign(candidates.names.size(), 0);
  for (std::size_t row = 0; row < user.size(); ++row) {
    if (item[row] < 0) continue;
    if (rows != nullptr) ++(*rows)[static_cast<std::size_t>(item[row])];
    if (user[row] >= 0) of_user[static_cast<std::size_t>(user[row])].push_back(item[row]);
  }
  for (std::vector<Index>& items : of_user) keep_different(items);
  std::vector<std::vector<Index>> out;
  for (const Index each : of_contexts->of_row()) out.push_back(of_user[static_cast<std::size_t>(each)]);
  return out;
}

TakenItems read_taken(const TrainedModel& model, const DataFile& file, const Candidates& candidates,
                      const std::string& users, std::optional<double> liked) {
  NamedRows read = read_named(
      model, file, {users, candidates.column},
      [&](const std::string& column) { return !holds(candidates.features, column); }, liked.has_value());
  if (liked && read.rows.y.size() == 0)
    fail<ValueError>("{}: has no targets, by which rows are to be told that say what was taken", read.name);
  const KeptColumn &user = read.rows.kept[0], &item = read.rows.kept[1];
  const std::vector<Index> known = numbers_in(candidates.names, item);
  std::vector<Index> first_row;
  std::vector<std::vector<Index>> others(user.values().size());
  TakenItems out{read.name, {}, std::vector<std::vector<Index>>(user.values().size()), {}};
  for (std::size_t row = 0; row < known.size(); ++row) {
    const auto of = static_cast<std::size_t>(user.of_row()[row]);
    if (of == first_row.size()) first_row.push_back(static_cast<Index>(row));
    if (liked && read.rows.y.stored_value(static_cast<std::int64_t>(row)) < *liked) continue;
    if (known[row] >= 0)
      out.items[of].push_back(known[row]);
    else
      others[of].push_back(item.of_row()[row]);
  }
  for (std::vector<Index>& items : out.items) keep_different(items);
  for (std::vector<Index>& items : others) {
    keep_different(items);
    out.others.push_back(std::ssize(items));
  }
  KeptColumn names;
  for (const std::string& each : user.values()) names.add(each);
  const Tensor x = taken(read.rows.x, first_row);
  out.users = contexts_in(model, std::move(read), candidates);
  out.users.columns = {users};
  out.users.cells = {names};
  out.users.x = x;
  return out;
}

}  // namespace gradus
