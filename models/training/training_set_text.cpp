// What is said of a training set: its columns, what they are divided by, the tables that are joined.
#include <gradus/models/training/training_set.h>

#include <fmt/format.h>

#include <cstdint>
#include <string>
#include <vector>

namespace gradus {

std::string describe_scale(const Tensor& scale, const Columns& columns, Format format) {
  constexpr std::int64_t most = 6;
  std::string text;
  std::int64_t count = 0;
  for (std::int64_t i = 0; i < scale.size(); ++i) {
    const float by = scale.span<float>()[static_cast<std::size_t>(i)];
    if (by == 1 || ++count > most) continue;
    text += fmt::format("{}{} by {:.4g}", text.empty() ? "" : ", ", columns.name(i, first_index(format)), by);
  }
  return count > most ? fmt::format("{} and {} columns more", text, count - most) : text;
}

std::string describe_features(const Columns& columns) {
  const FeatureTable* const table = columns.table.get();
  std::string text = fmt::format("{} feature{}", columns.count, columns.count == 1 ? "" : "s");
  if (table == nullptr) return text;
  std::string parts;
  constexpr int most = 12;
  int shown = 0;
  for (const TableColumn& column : table->columns()) {
    const bool categorical = column.kind == ColumnKind::categorical;
    if (!categorical && column.kind != ColumnKind::numeric) continue;
    if (++shown > most) continue;
    parts += parts.empty() ? "" : ", ";
    if (categorical && table->hash_bits() == 0)
      parts += fmt::format("{} {}", column.categories.size(), column.name);
    else
      parts += fmt::format("{}{}", categorical ? "hashed " : "", column.name);
  }
  if (shown > most) parts += fmt::format(" and {} columns more", shown - most);
  return fmt::format("{} ({})", text, parts);
}

std::string describe(const RelationBlock& block) {
  const CsrPattern& lines = *block.lines.pattern();
  if (block.is_implicit())
    return fmt::format("implicit: {} {} x {} {}, {} entries", lines.rows, block.key, lines.columns, block.of,
                       lines.non_zeros());
  std::int64_t empty = 0;
  for (std::size_t i = 0; i < static_cast<std::size_t>(lines.rows); ++i)
    if (lines.row_start[i] == lines.row_start[i + 1]) ++empty;
  return fmt::format("joined: {}: {} of {} {}{}", block.source,
                     describe_features({.count = lines.columns, .table = block.table}), lines.rows, block.key,
                     empty == 0 ? "" : fmt::format(", {} of which {} not there", empty, empty == 1 ? "is" : "are"));
}

std::string describe_counts(const std::vector<std::int64_t>& counts, const FeatureTable* table) {
  std::string text;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    if (counts[i] == 0) continue;
    text += text.empty() ? "" : ", ";
    text += fmt::format("{}", counts[i]);
    if (table != nullptr) text += fmt::format(" {}", table->columns()[i].name);
  }
  return text;
}

}  // namespace gradus
