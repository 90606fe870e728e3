// Rows of the op table: the headers that ops.h includes (slicing, sorting, segments, linear algebra), and statistics.
#include "op_cases.h"

#include <gradus/core/listed.h>
#include <gradus/ops/ops.h>

#include <fmt/format.h>

#include <utility>

namespace gradus {

namespace {

using Numbers = std::vector<std::int64_t>;

void add_slicing(std::vector<OpCase>& rows) {
  const std::pair<const char*, std::vector<Slice>> slices[] = {
      {"[1]", {1}},
      {"[-1]", {-1}},
      {"[:, -1]", {_, -1}},
      {"[1:3, ::-1]", {{1, 3}, {_, _, -1}}},
      {"[..., 0]", {ellipsis, 0}},
      {"[:, None]", {_, new_axis}},
      {"[::2]", {{_, _, 2}}},
      {"[-1:-4:-2]", {{-1, -4, -2}}},
      {"[7:]", {{7, _}}},
      {"[:-9]", {{_, -9}}},
      {"[None, 1, ..., ::-2]", {new_axis, 1, ellipsis, {_, _, -2}}}};
  for (const auto& [name, s] : slices)
    rows.push_back({fmt::format("at {}", name), [s = s](const Inputs& x) { return at(x[0], s); }});
  rows.push_back({"at broadcast repeated", [](const Inputs& x) {
                    return x[0] * at(x[0], {{_, 1}}) - at(x[0], {{_, _, -1}});
                  }});
  const std::vector<Numbers> strided[] = {{{1}, {3}, {1}}, {{0, -1}, {3, -9}, {2, -2}}, {{2}, {0}, {-1}}};
  for (const auto& s : strided)
    rows.push_back({fmt::format("strided_slice {} {} {}", listed(s[0], ","), listed(s[1], ","), listed(s[2], ",")),
                    [s](const Inputs& x) { return strided_slice(x[0], s[0], s[1], s[2]); }});
  rows.push_back({"unstack part=1", [](const Inputs& x) { return unstack(x[0])[1]; }});
  rows.back().known_shapes_only = "unstack needs to know how many parts there are";
  rows.push_back({"unstack num=2 axis=-1 difference", [](const Inputs& x) {
                    const auto parts = unstack(x[0], 2, -1);
                    return parts[0] - parts[1];
                  }});
  rows.back().known_shapes_only = "unstack needs to know how many parts there are";
  for (const std::vector<int>& axes : std::vector<std::vector<int>>{{0}, {1}, {-1, 0}})
    rows.push_back({fmt::format("reverse axis={}", listed(axes, ",")),
                    [axes](const Inputs& x) { return reverse(x[0], Axes(axes)); }});
  const std::pair<std::int64_t, int> rolls[] = {{1, 0}, {-5, 1}, {6, -1}, {0, 0}};
  for (const auto& [shift, axis] : rolls)
    rows.push_back({fmt::format("roll {} axis={}", shift, axis),
                    [shift = shift, axis = axis](const Inputs& x) { return roll(x[0], shift, axis); }});
  const std::pair<int, int> batches[] = {{1, 1}, {2, 1}, {-1, -1}};
  for (const auto& [axis, batch] : batches)
    rows.push_back({fmt::format("gather axis={} batch_dims={}", axis, batch),
                    [axis = axis, batch = batch](const Inputs& x) { return gather(x[0], x[1], axis, batch); }});
  rows.push_back({"gather_nd", [](const Inputs& x) { return gather_nd(x[0], x[1]); }});
  rows.back().known_shapes_only = "gather_nd needs to know how many axes an index is of";
}

void add_sorting(std::vector<OpCase>& rows) {
  const std::pair<const char*, Direction> directions[] = {{"", ascending}, {" descending", descending}};
  for (const auto& [name, d] : directions) {
    rows.push_back({fmt::format("sort{}", name), [d = d](const Inputs& x) { return sort(x[0], -1, d); }});
    rows.push_back({fmt::format("argsort{}", name), [d = d](const Inputs& x) { return argsort(x[0], -1, d); }});
    rows.back().fixed_dtype = true;
    rows.push_back({fmt::format("sort nan{}", name), [d = d](const Inputs& x) { return sort(x[0], 1, d); }});
  }
  rows.push_back({"argsort bool", [](const Inputs& x) { return argsort(x[0]); }, {}, 1e-5, {}, true});
  rows.push_back({"sort axis=0", [](const Inputs& x) { return sort(x[0], 0); }});
  rows.push_back({"argsort axis=0", [](const Inputs& x) { return argsort(x[0], 0); }, {}, 1e-5, {}, true});
  for (const int k : {1, 3}) {
    rows.push_back({fmt::format("top_k {}", k), [k](const Inputs& x) { return top_k(x[0], k).values; }});
    rows.push_back({fmt::format("top_k {} indices", k), [k](const Inputs& x) { return top_k(x[0], k).indices; }});
    rows.back().fixed_dtype = true;
  }
  rows.push_back({"top_k 0", [](const Inputs& x) { return top_k(x[0], 0).values; }});
  for (const int k : {1, 2})
    rows.push_back({fmt::format("in_top_k {}", k), [k](const Inputs& x) { return in_top_k(x[0], x[1], k); }});
  rows.push_back({"unique", [](const Inputs& x) { return unique(x[0]).y; }});
  rows.push_back({"unique idx", [](const Inputs& x) { return unique(x[0]).idx; }, {}, 1e-5, {}, true});
  rows.push_back({"unique count", [](const Inputs& x) { return unique(x[0]).count; }, {}, 1e-5, {}, true});
}

void add_segments(std::vector<OpCase>& rows) {
  using Segments = Expr (*)(const Operand&, const Operand&, std::int64_t);
  const std::pair<const char*, Segments> ops[] = {{"segment_sum", segment_sum},
                                                  {"segment_mean", segment_mean},
                                                  {"segment_max", segment_max},
                                                  {"segment_min", segment_min},
                                                  {"unsorted_segment_sum", unsorted_segment_sum},
                                                  {"unsorted_segment_mean", unsorted_segment_mean},
                                                  {"unsorted_segment_max", unsorted_segment_max},
                                                  {"unsorted_segment_min", unsorted_segment_min}};
  for (const auto& [name, op] : ops) rows.push_back({name, [op = op](const Inputs& x) { return op(x[0], x[1], 4); }});
  rows.push_back({"bincount 4", [](const Inputs& x) { return bincount(x[0], 4); }, {}, 1e-5, {}, true});
  rows.push_back({"bincount 4 float64",
                  [](const Inputs& x) { return bincount(x[0], 4, {.dtype = float64}); },
                  {},
                  1e-5,
                  {},
                  true});
  rows.push_back({"bincount 3 weights", [](const Inputs& x) { return bincount(x[0], 3, {.weights = x[1]}); }});
  rows.push_back({"histogram_fixed_width 0 to 5 nbins=5",
                  [](const Inputs& x) {
                    return histogram_fixed_width(x[0], {0, 5}, 5);
                  },
                  {},
                  1e-5,
                  {},
                  true});
  rows.push_back({"histogram_fixed_width -1 to 1",
                  [](const Inputs& x) {
                    return histogram_fixed_width(x[0], {-1, 1});
                  },
                  {},
                  1e-5,
                  {},
                  true});
  rows.push_back({"histogram_fixed_width int",
                  [](const Inputs& x) {
                    return histogram_fixed_width(x[0], {-4, 8}, 3);
                  },
                  {},
                  1e-5,
                  {},
                  true});
  const std::pair<const char*, Combiner> combiners[] = {
      {"sum", Combiner::sum}, {"mean", Combiner::mean}, {"sqrtn", Combiner::sqrtn}};
  for (const auto& [name, combiner] : combiners)
    rows.push_back({fmt::format("embedding_lookup_sparse {}", name), [combiner = combiner](const Inputs& x) {
                      return embedding_lookup_sparse(x[0], to_csr(x[1]), combiner);
                    }});
}

struct NamedAxes {
  Axes axes;
  const char* name;
  KeepDims keep = KeepDims::no;
};
const NamedAxes some_axes[] = {{{}, ""}, {0, " axis=0"}, {1, " axis=1 keep_dims", keep_dims}, {-1, " axis=-1"}};

void add_statistics(std::vector<OpCase>& rows) {
  using Reduction = Expr (*)(const Operand&, const Axes&, KeepDims);
  const auto add = [&](const char* name, Reduction op, const NamedAxes& c, bool of_csr = false) {
    rows.push_back({fmt::format("{}{}", name, c.name),
                    [op, c, of_csr](const Inputs& x) { return op(of_csr ? to_csr(x[0]) : x[0], c.axes, c.keep); }});
  };
  const NamedAxes first_kept{0, " axis=0 keep_dims", keep_dims}, second{1, " axis=1"};
  for (const NamedAxes& c : some_axes) {
    add("reduce_variance", reduce_variance, c);
    add("reduce_std", reduce_std, c);
    add("sparse_reduce_max", sparse_reduce_max, c, true);
    add("sparse_reduce_min", sparse_reduce_min, c, true);
  }
  add("reduce_variance", reduce_variance, {{0, 2}, " axis=0,2 keep_dims", keep_dims});
  add("sparse_reduce_max", sparse_reduce_max, first_kept, true);
  add("sparse_reduce_min", sparse_reduce_min, first_kept, true);
  for (const NamedAxes& c : {some_axes[0], first_kept, second}) {
    add(
        "moments mean", [](const Operand& x, const Axes& a, KeepDims k) { return moments(x, a, k).mean; }, c);
    add(
        "moments variance", [](const Operand& x, const Axes& a, KeepDims k) { return moments(x, a, k).variance; }, c);
  }
  const Reduction count = [](const Operand& x, const Axes& a, KeepDims k) { return count_nonzero(x, a, k); };
  for (const NamedAxes& c : {some_axes[0], some_axes[1], some_axes[2]}) {
    add("count_nonzero", count, c);
    rows.back().fixed_dtype = true;
    add("count_nonzero of csr", count, c, true);
    rows.back().fixed_dtype = true;
  }
  rows.push_back({"count_nonzero int32",
                  [](const Inputs& x) { return count_nonzero(x[0], {}, KeepDims::no, int32); },
                  {},
                  1e-5,
                  {},
                  true});
}

Expr positive(const Expr& x) {
  const Expr identity = matrix_band_part(ones_like(matmul(x, x, {.transpose_b = true})), 0, 0);
  return matmul(x, x, {.transpose_b = true}) + 2 * identity;
}

void add_matrices(std::vector<OpCase>& rows) {
  rows.push_back({"matrix_transpose", [](const Inputs& x) { return matrix_transpose(x[0]); }});
  const std::pair<int, int> bands[] = {{-1, 0}, {0, -1}, {0, 0}, {1, 0}, {-1, -1}, {1, 2}};
  for (const auto& [low, up] : bands)
    rows.push_back({fmt::format("matrix_band_part {},{}", low, up),
                    [low = low, up = up](const Inputs& x) { return matrix_band_part(x[0], low, up); }});
  rows.push_back({"cholesky of positive", [](const Inputs& x) { return cholesky(positive(x[0])); }});
  rows.push_back({"cholesky", [](const Inputs& x) { return cholesky(x[0]); }});
  for (const bool adjoint : {false, true}) {
    const std::string name = adjoint ? " adjoint" : "";
    rows.push_back(
        {"matrix_solve" + name, [adjoint](const Inputs& x) { return matrix_solve(x[0], x[1], {.adjoint = adjoint}); }});
    for (const bool lower : {true, false})
      rows.push_back({fmt::format("matrix_triangular_solve {}{}", lower ? "lower" : "upper", name),
                      [lower, adjoint](const Inputs& x) {
                        return matrix_triangular_solve(x[0], x[1], {.lower = lower, .adjoint = adjoint});
                      }});
  }
  const std::string diagonal = "einsum takes the diagonal of a matrix whose size is known";
  const std::string merging = "einsum reshapes two letters into one, and a reshape works out one unknown size alone";
  const std::pair<const char*, std::string> equations[] = {{"ij->ji", ""},
                                                           {"ijk->", ""},
                                                           {"ijk->ki", ""},
                                                           {"ba", ""},
                                                           {"i->i", ""},
                                                           {"ii->i", diagonal},
                                                           {"ii", diagonal},
                                                           {"iji->j", diagonal},
                                                           {"iii->i", diagonal},
                                                           {"...ii->...i", diagonal},
                                                           {"...ij->...ji", ""},
                                                           {"i...->...i", ""},
                                                           {"...", ""},
                                                           {"...ij,...jk->...ik", merging},
                                                           {"...ij,jk->...ik", merging},
                                                           {"...i,...i->...", ""},
                                                           {"...i,...j", ""},
                                                           {"ii,ij->j", diagonal},
                                                           {"ii,jj->ij", diagonal},
                                                           {"ij,jk,kl->il", ""},
                                                           {"i,ij,j", ""},
                                                           {"nf,nf,nf->n", ""},
                                                           {"i,j,k->kij", ""},
                                                           {"...i,ij,...j->...", ""},
                                                           {"ab,bc,cd,dd->a", diagonal}};
  for (const auto& [equation, known_only] : equations) {
    rows.push_back({fmt::format("einsum {}", equation), [e = std::string(equation)](const Inputs& x) {
                      if (x.size() <= 2) return x.size() == 1 ? einsum(e, x[0]) : einsum(e, x[0], x[1]);
                      return x.size() == 3 ? einsum(e, x[0], x[1], x[2]) : einsum(e, x[0], x[1], x[2], x[3]);
                    }});
    rows.back().known_shapes_only = known_only;
  }
}

}  // namespace

std::vector<OpCase> subject_cases() {
  std::vector<OpCase> rows;
  add_slicing(rows);
  add_sorting(rows);
  add_segments(rows);
  add_statistics(rows);
  add_matrices(rows);
  return rows;
}

}  // namespace gradus
