#include <gradus/core/cluster/row_numbers.h>

#include <gradus/core/at.h>
#include <gradus/core/error.h>
#include <gradus/core/tensor/table_rows.h>

#include <algorithm>
#include <cstring>

namespace gradus {

namespace {

// f(values, as int32 or int64)
template <class F>
void with_integers(const Tensor& index, F&& f) {
  if (index.dtype() == int32)
    f(index.span<std::int32_t>());
  else
    f(index.span<std::int64_t>());
}

std::size_t row_bytes_of(const Tensor& table) {
  std::size_t bytes = size_of(table.dtype());
  for (int axis = 1; axis < table.rank(); ++axis) bytes *= static_cast<std::size_t>(table.dim(axis));
  return bytes;
}

}  // namespace

std::shared_ptr<const RowIndex> rows_named(std::span<const Tensor> indices) {
  if (indices.size() == 1 && indices[0].layout() == Layout::csr) return indices[0].pattern()->active_columns();
  auto out = std::make_shared<RowIndex>();
  std::vector<Index>& row = out->row;
  for (const Tensor& index : indices) {
    if (index.layout() == Layout::csr) {
      const std::vector<Index>& columns = index.pattern()->active_columns()->row;
      row.insert(row.end(), columns.begin(), columns.end());
      continue;
    }
    with_integers(index, [&](const auto values) {
      for (const auto value : values) {
        if (value < 0 || value > max_sparse_dimension)
          fail<ValueError>("index {} names no row of a table; 0 or more is expected", value);
        row.push_back(static_cast<Index>(value));
      }
    });
  }
  std::sort(row.begin(), row.end());
  row.erase(std::unique(row.begin(), row.end()), row.end());
  return out;
}

Tensor renumbered(const Tensor& index, const RowIndex& rows, std::int64_t capacity) {
  const auto place_of = [&](auto row) {
    return std::lower_bound(rows.row.begin(), rows.row.end(), static_cast<Index>(row)) - rows.row.begin();
  };
  if (index.layout() != Layout::csr) {
    Tensor out = Tensor::uninitialized(index.type());
    dispatch(index.dtype(), [&]<class T>(TypeTag<T>) {
      std::ranges::transform(index.span<T>(), out.writable<T>().begin(),
                             [&](T value) { return static_cast<T>(place_of(value)); });
    });
    return out;
  }
  const CsrPattern& from = *index.pattern();
  const CsrPattern::Active& active = from.active();
  std::vector<Index> place;  // of each of the columns that it touches
  if (active.columns->row != rows.row)
    for (const Index column : active.columns->row) place.push_back(static_cast<Index>(place_of(column)));
  auto pattern = std::make_shared<CsrPattern>();
  pattern->rows = from.rows;
  pattern->columns = capacity;
  pattern->row_start = from.row_start;
  const std::span<Index> to = pattern->new_column(from.non_zeros());
  std::ranges::transform(active.slot, to.begin(), [&](Index slot) { return place.empty() ? slot : place[at(slot)]; });
  return index.ones() ? index.ones_at(pattern) : Tensor::csr(pattern, index.values());
}

Tensor rows_of(const Tensor& table, const RowIndex& rows, std::int64_t capacity) {
  Tensor out = Tensor::uninitialized({table.dtype(), table.shape().with(0, capacity), Layout::dense});
  const std::size_t bytes = row_bytes_of(table), held = rows.row.size() * bytes;
  gather_rows(table.data(), std::span<const Index>(rows.row), bytes, out.writable_data());
  if (const std::size_t all = at(out.stored()) * size_of(out.dtype()); all > held)
    std::memset(out.writable_data() + held, 0, all - held);
  return out;
}

Tensor in_table(const Tensor& sum, const std::shared_ptr<const RowIndex>& rows, std::int64_t table_rows) {
  auto index = std::make_shared<RowIndex>();
  index->row.reserve(sum.index()->row.size());
  for (const Index place : sum.index()->row) index->row.push_back(rows->row.at(at(place)));
  Tensor numbers = sum.values().reshape(sum.shape().with(0, index->count()));
  return Tensor::rows(sum.shape().with(0, table_rows), std::move(index), numbers);
}

}  // namespace gradus
