#include <gradus/models/data/table.h>

#include <gradus/core/error.h>
#include <gradus/models/data/detail/number_text.h>

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <utility>

namespace gradus {

namespace {

constexpr std::string_view kind_names[] = {"ignored", "target", "weight", "numeric", "categorical"};

bool is_whole(std::string_view text) { return !text.empty() && std::all_of(text.begin(), text.end(), is_digit); }

}  // namespace

std::string_view to_string(ColumnKind kind) { return kind_names[static_cast<int>(kind)]; }

bool before(std::string_view a, std::string_view b) {
  const bool a_whole = is_whole(a);
  if (a_whole != is_whole(b)) return a_whole;
  if (!a_whole) return a < b;
  const auto digits = [](std::string_view text) {
    return text.substr(std::min(text.find_first_not_of('0'), text.size()));
  };
  const std::string_view x = digits(a), y = digits(b);
  if (x.size() != y.size()) return x.size() < y.size();
  return x != y ? x < y : a < b;
}

FeatureTable::FeatureTable(std::vector<TableColumn> columns, int hash_bits, CellForm form)
    : columns_(std::move(columns)), hash_bits_(hash_bits), form_(std::move(form)) {
  if (hash_bits < 0 || hash_bits > most_hash_bits)
    fail<ValueError>("hash_bits is {}; 0 (a dictionary) to {} are expected", hash_bits, most_hash_bits);
  int of_kind[std::size(kind_names)] = {};
  for (TableColumn& column : columns_) {
    if (!by_name_.emplace(column.name, &column - columns_.data()).second)
      fail<ValueError>("there are two columns {}", in_quotes(column.name));
    if (++of_kind[static_cast<int>(column.kind)] > 1 &&
        (column.kind == ColumnKind::target || column.kind == ColumnKind::weight))
      fail<ValueError>("column {} would be a second {}; one is expected", in_quotes(column.name),
                       to_string(column.kind));
    const bool may_list =
        column.kind == ColumnKind::target || (column.kind == ColumnKind::categorical && hash_bits == 0);
    if (!column.categories.empty() && !may_list)
      fail<ValueError>("column {} is {}{} but lists categories", in_quotes(column.name), hash_bits > 0 ? "hashed " : "",
                       to_string(column.kind));
    std::sort(column.categories.begin(), column.categories.end(), before);
    const auto twice = std::adjacent_find(column.categories.begin(), column.categories.end());
    if (twice != column.categories.end())
      fail<ValueError>("column {} lists category {} twice", in_quotes(column.name), in_quotes(*twice));
  }
  for (const TableColumn& column : columns_) {
    first_.push_back(static_cast<Index>(features_));
    if (column.kind == ColumnKind::numeric) ++features_;
    if (column.kind == ColumnKind::categorical) features_ += static_cast<std::int64_t>(column.categories.size());
    if (features_ > max_sparse_dimension)
      fail<ValueError>("the table has more than {} features; hash_bits would bound their number", max_sparse_dimension);
  }
  if (hash_bits > 0 && of_kind[static_cast<int>(ColumnKind::categorical)] > 0) {
    first_hashed_ = static_cast<Index>(features_);
    features_ += std::int64_t{1} << hash_bits;
  }
  // The keys are views of strings that do not move any more: a moved vector takes its strings with it.
  lookup_.resize(columns_.size());
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    lookup_[i].reserve(columns_[i].categories.size());
    Index feature = first_[i];
    for (const std::string& category : columns_[i].categories) lookup_[i].emplace(category, feature++);
  }
}

std::int64_t FeatureTable::find(std::string_view name) const {
  const auto found = by_name_.find(name);
  return found == by_name_.end() ? -1 : found->second;
}

std::int64_t FeatureTable::find(ColumnKind kind) const {
  const auto found =
      std::find_if(columns_.begin(), columns_.end(), [&](const TableColumn& column) { return column.kind == kind; });
  return found == columns_.end() ? -1 : found - columns_.begin();
}

Index FeatureTable::feature(std::size_t column, std::string_view category) const {
  if (hash_bits_ > 0 && columns_[column].kind == ColumnKind::categorical) {
    const std::uint64_t hash = category_hash(columns_[column].name, category);
    return first_hashed_ + static_cast<Index>(hash & ((std::uint64_t{1} << hash_bits_) - 1));
  }
  const auto found = lookup_[column].find(category);
  return found == lookup_[column].end() ? -1 : found->second;
}

std::string FeatureTable::name(std::int64_t feature) const {
  if (feature < 0 || feature >= features_)
    fail<ValueError>("feature {} is asked for; 0 to {} are there", feature, features_ - 1);
  for (std::size_t i = columns_.size(); i-- > 0;) {
    const TableColumn& column = columns_[i];
    const std::int64_t at = feature - first_[i];
    if (column.kind == ColumnKind::numeric && at == 0) return column.name;
    if (column.kind == ColumnKind::categorical && at >= 0 && at < static_cast<std::int64_t>(column.categories.size()))
      return column.name + "=" + column.categories[static_cast<std::size_t>(at)];
  }
  return fmt::format("hashed {}", feature - first_hashed_);
}

std::int64_t FeatureTable::feature_named(std::string_view name) const {
  const auto kind_of = [&](std::int64_t column) {
    return column < 0 ? ColumnKind::ignored : columns_[static_cast<std::size_t>(column)].kind;
  };
  if (const std::int64_t column = find(name); kind_of(column) == ColumnKind::numeric)
    return feature(static_cast<std::size_t>(column));
  // A column's name may hold '=' itself.
  for (std::size_t at = name.find('='); hash_bits_ == 0 && at != std::string_view::npos; at = name.find('=', at + 1))
    if (const std::int64_t column = find(name.substr(0, at)); kind_of(column) == ColumnKind::categorical)
      if (const Index found = feature(static_cast<std::size_t>(column), name.substr(at + 1)); found >= 0) return found;
  return -1;
}

std::vector<Index> FeatureTable::fields() const {
  std::vector<Index> field;
  if (hash_bits_ > 0) return field;
  Index next = 0;
  for (const TableColumn& column : columns_) {
    if (column.kind != ColumnKind::numeric && column.kind != ColumnKind::categorical) continue;
    field.resize(field.size() + (column.kind == ColumnKind::numeric ? 1 : column.categories.size()), next);
    ++next;
  }
  return field;
}

std::uint64_t category_hash(std::string_view column, std::string_view category) {
  std::uint64_t hash = 0xcbf29ce484222325;
  const auto add = [&hash](char c) { hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3; };
  std::for_each(column.begin(), column.end(), add);
  add('\0');
  std::for_each(category.begin(), category.end(), add);
  hash = (hash ^ (hash >> 33)) * 0xff51afd7ed558ccd;
  hash = (hash ^ (hash >> 33)) * 0xc4ceb9fe1a85ec53;
  return hash ^ (hash >> 33);
}

}  // namespace gradus
