#include <gradus/models/data/detail/row_pieces.h>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <numeric>
#include <span>

namespace gradus {

namespace {

template <class T>
Tensor column_of(const std::vector<RowPiece<T>>& pieces, std::vector<T> RowPiece<T>::*numbers) {
  std::size_t count = 0;
  for (const auto& piece : pieces) count += (piece.*numbers).size();
  if (count == 0) return {};
  return Tensor::make<T>({static_cast<std::int64_t>(count), 1}, [&](std::span<T> out) {
    auto to = out.begin();
    for (const auto& piece : pieces) to = std::copy((piece.*numbers).begin(), (piece.*numbers).end(), to);
  });
}

}  // namespace

template <class T>
ReadRows joined(std::vector<RowPiece<T>>& pieces, std::int64_t columns, Workers& workers) {
  ReadRows out;
  std::vector<std::int64_t> row_before{0}, entry_before{0};
  for (const auto& piece : pieces) {
    row_before.push_back(row_before.back() + static_cast<std::int64_t>(piece.row_end.size()));
    entry_before.push_back(entry_before.back() + static_cast<std::int64_t>(piece.column.size()));
    add_counts(out.unseen, piece.unseen);
    add_counts(out.missing, piece.missing);
    out.other_fields += piece.other_fields;
    out.kept.resize(std::max(out.kept.size(), piece.kept.size()));
    for (std::size_t k = 0; k < piece.kept.size(); ++k) out.kept[k].append(piece.kept[k]);
  }
  out.y = column_of(pieces, &RowPiece<T>::y);            // [n, 1]
  out.weight = column_of(pieces, &RowPiece<T>::weight);  // [n, 1]

  const auto pattern = std::make_shared<CsrPattern>();
  pattern->rows = row_before.back();
  pattern->columns = columns;
  pattern->row_start.resize(static_cast<std::size_t>(pattern->rows) + 1);
  const std::span<Index> column = pattern->new_column(entry_before.back());
  Tensor values = Tensor::uninitialized({dtype_of<T>, {entry_before.back()}, Layout::dense});
  const std::span<T> value = values.writable<T>();
  workers.for_each(static_cast<std::int64_t>(pieces.size()), 1, [&](std::int64_t i, std::int64_t) {
    RowPiece<T>& piece = pieces[static_cast<std::size_t>(i)];
    const std::int64_t before = entry_before[static_cast<std::size_t>(i)];
    std::copy(piece.column.begin(), piece.column.end(), column.begin() + before);
    std::copy(piece.value.begin(), piece.value.end(), value.begin() + before);
    std::transform(piece.row_end.begin(), piece.row_end.end(),
                   pattern->row_start.begin() + row_before[static_cast<std::size_t>(i)] + 1,
                   [before](std::int64_t end) { return before + end; });
    piece = {};  // the whole is in memory once and a bit, not twice
  });
  out.x = Tensor::csr(pattern, values);  // [n, columns]
  return out;
}

template ReadRows joined(std::vector<RowPiece<float>>&, std::int64_t, Workers&);
template ReadRows joined(std::vector<RowPiece<double>>&, std::int64_t, Workers&);

std::string RowFault::text(std::uint64_t index, DType of_values) const {
  if (too_much) return fmt::format("the values of index {} add up to more than {} can hold", index, of_values);
  if (field < 0) return fmt::format("index {} is there twice; Duplicates::sum adds up its values", index);
  return fmt::format(
      "index {} is there {}, in fields {} and {}; {}OtherField::keep_first adds up its values in the first", index,
      twice ? "several times" : "twice", field, other, twice ? "Duplicates::sum with " : "");
}

namespace {

// What is refused of some entries of one column, which `order` has in the order of the file.
template <class T>
RowFault fault_of(const RowPiece<T>& piece, std::span<const std::size_t> order, const SeveralEntries& allowed) {
  RowFault out;
  std::vector<Index> fields;
  for (const std::size_t at : order) fields.push_back(piece.field.empty() ? 0 : piece.field[at]);
  const auto other = std::find_if(fields.begin(), fields.end(), [&](Index each) { return each != fields.front(); });
  if (other != fields.end() && allowed.of_fields == OtherField::refuse) {
    out.field = fields.front();
    out.other = *other;
  }
  std::sort(fields.begin(), fields.end());
  out.twice =
      allowed.of_field == Duplicates::refuse && std::adjacent_find(fields.begin(), fields.end()) != fields.end();
  if (out.twice || out.field >= 0) out.column = piece.column[order.front()];
  return out;
}

}  // namespace

template <class T>
RowFault sort_row(RowPiece<T>& piece, std::size_t first, const SeveralEntries& allowed) {
  const std::size_t count = piece.column.size() - first;
  std::vector<std::size_t> order(count);
  std::iota(order.begin(), order.end(), first);
  // Stable, so that equal columns are added in the order of the file.
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return piece.column[a] < piece.column[b]; });
  RowPiece<T> row;
  for (std::size_t begin = 0, end = 0; begin < count; begin = end) {
    const Index column = piece.column[order[begin]];
    T sum = piece.value[order[begin]];
    for (end = begin + 1; end < count && piece.column[order[end]] == column; ++end) {
      sum += piece.value[order[end]];
      if (!piece.field.empty() && piece.field[order[end]] != piece.field[order[begin]]) ++piece.other_fields;
    }
    if (end > begin + 1) {
      const RowFault fault = fault_of(piece, std::span(order).subspan(begin, end - begin), allowed);
      if (fault.column >= 0) return fault;
      if (!std::isfinite(sum)) return {.column = column, .too_much = true};
    }
    row.column.push_back(column);
    row.value.push_back(sum);
    if (!piece.field.empty()) row.field.push_back(piece.field[order[begin]]);
  }
  const auto replace = [first](auto& all, const auto& part) {
    all.resize(first);
    all.insert(all.end(), part.begin(), part.end());
  };
  replace(piece.column, row.column);
  replace(piece.value, row.value);
  if (!piece.field.empty()) replace(piece.field, row.field);
  return {};
}

template RowFault sort_row(RowPiece<float>&, std::size_t, const SeveralEntries&);
template RowFault sort_row(RowPiece<double>&, std::size_t, const SeveralEntries&);

}  // namespace gradus
