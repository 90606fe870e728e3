#include <gradus/models/data/detail/row_pieces.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <numeric>

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

template <class T>
Index sort_row(RowPiece<T>& piece, std::size_t first, Duplicates duplicates) {
  const std::size_t count = piece.column.size() - first;
  std::vector<std::size_t> order(count);
  std::iota(order.begin(), order.end(), first);
  // Stable, so that equal columns are added in the order of the file.
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return piece.column[a] < piece.column[b]; });
  RowPiece<T> row;
  for (const std::size_t at : order) {
    if (!row.column.empty() && row.column.back() == piece.column[at]) {
      if (duplicates == Duplicates::refuse) return piece.column[at];
      row.value.back() += piece.value[at];
      if (!std::isfinite(row.value.back())) return piece.column[at];
      if (!piece.field.empty() && row.field.back() != piece.field[at]) ++piece.other_fields;
      continue;
    }
    row.column.push_back(piece.column[at]);
    row.value.push_back(piece.value[at]);
    if (!piece.field.empty()) row.field.push_back(piece.field[at]);
  }
  const auto replace = [first](auto& all, const auto& part) {
    all.resize(first);
    all.insert(all.end(), part.begin(), part.end());
  };
  replace(piece.column, row.column);
  replace(piece.value, row.value);
  if (!piece.field.empty()) replace(piece.field, row.field);
  return -1;
}

template Index sort_row(RowPiece<float>&, std::size_t, Duplicates);
template Index sort_row(RowPiece<double>&, std::size_t, Duplicates);

}  // namespace gradus
