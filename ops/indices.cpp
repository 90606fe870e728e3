#include <gradus/core/tensor/table_rows.h>
#include <gradus/ops/checks.h>
#include <gradus/ops/indices.h>
#include <gradus/ops/ops.h>

#include <algorithm>

namespace gradus {

void require_indices(std::string_view op, const OpInputs& in, int i) {
  if (!is_integer(in[i].dtype)) fail<TypeError>("{}: indices is {}; int32 or int64 is expected", op, in.dtype(i));
  require_dense(op, in, i, "indices");
}

std::optional<std::int64_t> index_out_of_range(const Value& indices, std::int64_t dimension) {
  std::optional<std::int64_t> found;
  by_index_type(indices, [&]<class I>(const I* index) {
    const std::span all(index, static_cast<std::size_t>(indices.stored));
    if (all_below(dimension, all)) return;
    found = *std::find_if(all.begin(), all.end(), [&](I i) { return i < 0 || i >= dimension; });
  });
  return found;
}

Value on_host(DeviceCall& call, int i) {
  Value value = call.in(i);
  value.data = const_cast<std::byte*>(call.numbers(i).data());  // only read
  return value;
}

Expr positions(const Expr& x, int axis) {
  const std::int64_t n = x.shape()[axis];
  if (n != any) return range(x.graph(), 0, n, 1, int64, x.where());
  std::vector<int> others;
  for (int i = 0; i < x.rank(); ++i)
    if (i != axis) others.push_back(i);
  // Where the size is not known, of something of that size, whose numbers are not looked at.
  const Expr sums = reduce_sum(cast(x, int64), Axes(others));
  return cumsum(ones_like(sums), 0, {.exclusive = true});
}

}  // namespace gradus
