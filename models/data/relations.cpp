#include <gradus/models/data/relations.h>

#include <gradus/core/error.h>
#include <gradus/core/io/checksum.h>
#include <gradus/models/data/detail/number_text.h>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <span>
#include <utility>

namespace gradus {

namespace {

// A categorical column whose categories have features of their own.
std::size_t category_column(const FeatureTable& table, std::string_view column, const std::string& name,
                            std::string_view what) {
  const std::int64_t found = table.find(column);
  if (found < 0) fail<ValueError>("{}: {} goes by column {}, which is not there", name, what, in_quotes(column));
  const ColumnKind kind = table.columns()[static_cast<std::size_t>(found)].kind;
  if (kind != ColumnKind::categorical)
    fail<ValueError>("{}: {} goes by column {}, which is {}; a categorical one is expected", name, what,
                     in_quotes(column), to_string(kind));
  if (table.hash_bits() > 0)
    fail<ValueError>("{}: {} goes by column {}, whose categories are hashed; .hash_bits 0 tells them apart", name, what,
                     in_quotes(column));
  return static_cast<std::size_t>(found);
}

// The features of a column: [first, end).
struct FeatureRange {
  FeatureRange(const FeatureTable& table, std::size_t column)
      : first(table.feature(column)), end(first + static_cast<Index>(table.columns()[column].categories.size())) {}
  bool has(Index feature) const { return feature >= first && feature < end; }
  std::int64_t count() const { return end - first; }

  Index first, end;
};

}  // namespace

std::size_t key_column(const FeatureTable& table, std::string_view key, const std::string& name,
                       std::string_view what) {
  const std::size_t column = category_column(table, key, name, what);
  if (!table.columns()[column].separator.empty())
    fail<ValueError>("{}: {} goes by column {}, which has several values in a cell; one is expected", name, what,
                     in_quotes(key));
  return column;
}

std::int64_t Relations::features() const {
  std::int64_t out = 0;
  for (const RelationBlock& block : blocks) out += block.table->features();
  return out;
}

std::string Relations::name(std::int64_t feature) const {
  for (const RelationBlock& block : blocks) {
    if (feature < block.table->features()) return block.table->name(feature);
    feature -= block.table->features();
  }
  fail<ValueError>("feature {} of relation blocks is asked for; there are {}", feature, features());
}

std::int64_t Relations::find(std::string_view name) const {
  std::int64_t before = 0;
  for (const RelationBlock& block : blocks) {
    if (const std::int64_t found = block.table->feature_named(name); found >= 0) return before + found;
    before += block.table->features();
  }
  return -1;
}

std::vector<Index> Relations::fields(Index first) const {
  std::vector<Index> out;
  for (const RelationBlock& block : blocks) {
    const std::vector<Index> of_block = block.table->fields();
    for (const Index field : of_block) out.push_back(first + field);
    first = out.empty() ? first : out.back() + 1;
  }
  return out;
}

Tensor Relations::matrix(std::int64_t columns) const {
  const auto pattern = std::make_shared<CsrPattern>();
  pattern->rows = columns;
  pattern->columns = features();
  pattern->row_start.reserve(static_cast<std::size_t>(columns) + 1);
  std::vector<Index> column;
  std::vector<float> value;
  for (std::int64_t i = 0; i < columns; ++i) {
    Index before = 0;
    for (const RelationBlock& block : blocks) {
      const CsrPattern& lines = *block.lines.pattern();
      const std::int64_t line = i - block.first;
      if (line >= 0 && line < lines.rows)
        for (auto at = static_cast<std::size_t>(lines.row_start[static_cast<std::size_t>(line)]);
             at < static_cast<std::size_t>(lines.row_start[static_cast<std::size_t>(line) + 1]); ++at) {
          column.push_back(before + lines.column[at]);
          value.push_back(block.lines.span<float>()[at]);
        }
      before += static_cast<Index>(lines.columns);
    }
    pattern->row_start.push_back(std::ssize(column));
  }
  pattern->set_column(std::move(column));
  return Tensor::csr(pattern, Tensor::from(value));
}

std::uint32_t Relations::fingerprint() const {
  std::uint32_t crc = 0;
  const auto add = [&crc]<class T>(std::span<const T> numbers) {
    crc = crc32_of(numbers.data(), numbers.size_bytes(), crc);
  };
  for (const RelationBlock& block : blocks) {
    const std::string names = fmt::format("{} {} {} {}", block.key, block.of, block.first, to_json(*block.table));
    add(std::span<const char>(names));
    add(std::span<const std::int64_t>(block.lines.pattern()->row_start));
    add(block.lines.pattern()->column);
    add(block.lines.span<float>());
  }
  return crc;
}

ImplicitColumns implicit_columns_named(std::string_view text) {
  const std::size_t colon = text.find(':');
  ImplicitColumns out;
  if (colon != std::string_view::npos) out = {std::string(text.substr(0, colon)), std::string(text.substr(colon + 1))};
  if (out.key.empty() || out.of.empty() || out.key == out.of || out.of.find(':') != std::string::npos)
    fail<ValueError>(".implicit is {}; two columns are expected, as user:item", in_quotes(text));
  return out;
}

RelationBlock implicit_block(const ImplicitColumns& columns, const FeatureTable& table, const RowBlocks& rows,
                             const std::string& name) {
  const std::string text = fmt::format("{}:{}", columns.key, columns.of), what = ".implicit " + text;
  const FeatureRange key(table, key_column(table, columns.key, name, what));
  const std::size_t of_column = category_column(table, columns.of, name, what);
  const FeatureRange of(table, of_column);
  std::vector<std::vector<Index>> lines(static_cast<std::size_t>(key.count()));
  for (std::int64_t b = 0; b < rows.blocks(); ++b) {
    const Rows block = rows.block(b);
    const CsrPattern& x = *block.x.pattern();
    for (std::size_t n = 0; n < static_cast<std::size_t>(x.rows); ++n) {
      const auto row = x.column.subspan(static_cast<std::size_t>(x.row_start[n]),
                                        static_cast<std::size_t>(x.row_start[n + 1] - x.row_start[n]));
      const auto found = std::find_if(row.begin(), row.end(), [&](Index i) { return key.has(i); });
      if (found == row.end()) continue;
      std::vector<Index>& line = lines[static_cast<std::size_t>(*found - key.first)];
      for (const Index i : row)
        if (of.has(i)) line.push_back(i - of.first);
    }
  }
  std::vector<std::int64_t> start{0}, column;
  std::vector<float> value;
  for (std::vector<Index>& line : lines) {
    std::sort(line.begin(), line.end());
    line.erase(std::unique(line.begin(), line.end()), line.end());
    column.insert(column.end(), line.begin(), line.end());
    value.resize(column.size(), static_cast<float>(1 / std::sqrt(static_cast<double>(line.size()))));
    start.push_back(std::ssize(column));
    line = {};
  }
  std::vector<TableColumn> of_block;
  of_block.push_back({text, ColumnKind::categorical, table.columns()[of_column].categories});
  return {columns.key, columns.of,
          "",          std::make_shared<const FeatureTable>(std::move(of_block)),
          key.first,   Tensor::csr(key.count(), of.count(), start, column, value)};
}

std::shared_ptr<const Relations> with_implicit(const std::shared_ptr<const Relations>& relations,
                                               const std::vector<std::string>& implicit, const FeatureTable* table,
                                               const RowBlocks& rows, const std::string& name) {
  Relations out;
  if (relations)
    std::copy_if(relations->blocks.begin(), relations->blocks.end(), std::back_inserter(out.blocks),
                 [](const RelationBlock& block) { return !block.is_implicit(); });
  for (const std::string& text : implicit) {
    if (table == nullptr) fail<ValueError>("{}: .implicit is {}, but its columns have no names", name, text);
    out.blocks.push_back(implicit_block(implicit_columns_named(text), *table, rows, name));
  }
  return out.blocks.empty() ? nullptr : std::make_shared<const Relations>(std::move(out));
}

}  // namespace gradus
