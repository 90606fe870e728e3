// Rows of the op table: reductions and shapes.
#include "op_cases.h"

#include <gradus/core/listed.h>
#include <gradus/ops/ops.h>

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <utility>

namespace gradus {

namespace {

using Reduction = Expr (*)(const Operand&, const Axes&, KeepDims);

struct AxesCase {
  std::vector<int> axes;  // none: all
  bool keep;
};

const std::vector<AxesCase> few_axes = {{{}, false},   {{0}, false},   {{1}, true},
                                        {{-1}, false}, {{0, 2}, true}, {{-1, 0}, false}};
const std::vector<AxesCase> all_axes = {{{}, false},      {{}, true},        {{0}, false},    {{0}, true},
                                        {{1}, false},     {{1}, true},       {{-1}, false},   {{-1}, true},
                                        {{-3}, false},    {{2}, true},       {{0, 2}, false}, {{0, 2}, true},
                                        {{-1, 0}, false}, {{0, 1, 2}, true}, {{1, 2}, false}};

void add_reduction(std::vector<OpCase>& rows, const char* name, Reduction op, const std::vector<AxesCase>& cases) {
  for (const auto& [axes, keep] : cases) {
    std::string row = name;
    if (!axes.empty()) row += fmt::format(" axis={}", listed(axes, ","));
    if (keep) row += " keep_dims";
    const Axes reduced = axes.empty() ? Axes() : Axes(axes);
    rows.push_back({row, [op, reduced, keep = keep](const Inputs& x) {
                      return op(x[0], reduced, keep ? KeepDims::yes : KeepDims::no);
                    }});
  }
}

std::vector<Expr> all_of(const Inputs& x) { return {x.begin(), x.end()}; }

void add_rearranging(std::vector<OpCase>& rows) {
  const std::pair<const char*, Shape> shapes[] = {{"3,2", {3, 2}}, {"3,-1", {3, any}},   {"-1", {any}},
                                                  {"scalar", {}},  {"2,1,3", {2, 1, 3}}, {"3,0", {3, 0}}};
  for (const auto& [name, shape] : shapes) {
    rows.push_back(
        {fmt::format("reshape {}", name), [shape = shape](const Inputs& x) { return reshape(x[0], shape); }});
  }
  rows.push_back({"transpose", [](const Inputs& x) { return transpose(x[0]); }});
  const std::vector<int> perms[] = {{0, 1}, {1, 0}, {0, 2, 1}, {2, 0, 1}, {1, 0, 2}, {3, 1, 0, 2}};
  for (const auto& perm : perms) {
    rows.push_back(
        {fmt::format("transpose {}", listed(perm, ",")), [perm](const Inputs& x) { return transpose(x[0], perm); }});
  }
  for (int axis : {0, 1, -1, -2}) {
    rows.push_back({fmt::format("expand_dims {}", axis), [axis](const Inputs& x) { return expand_dims(x[0], axis); }});
  }
  rows.push_back({"squeeze", [](const Inputs& x) { return squeeze(x[0]); }});
  rows.back().known_shapes_only = "without axes, the rank of the result depends on which sizes are 1";
  rows.push_back({"squeeze axis=0", [](const Inputs& x) { return squeeze(x[0], 0); }});
  rows.push_back({"squeeze axis=-1", [](const Inputs& x) { return squeeze(x[0], -1); }});
  rows.push_back({"squeeze axis=0,2", [](const Inputs& x) { return squeeze(x[0], {0, 2}); }});
  for (const Shape& shape : {Shape{2, 3}, Shape{2, 3, 2}, Shape{0, 3}}) {
    rows.push_back({fmt::format("broadcast_to {}", listed(shape, ",")),
                    [shape](const Inputs& x) { return broadcast_to(x[0], shape); }});
  }
}

void add_joining(std::vector<OpCase>& rows) {
  for (int axis : {0, -2, 1, -1}) {
    rows.push_back({fmt::format("concat axis={}", axis), [axis](const Inputs& x) { return concat(all_of(x), axis); }});
  }
  rows.push_back({"concat repeated", [](const Inputs& x) { return concat({x[0], x[0], 2 * x[0]}, 0); }});
  for (int axis : {0, 1, -1}) {
    rows.push_back({fmt::format("stack axis={}", axis), [axis](const Inputs& x) { return stack(all_of(x), axis); }});
  }
  const std::string needs_size = "split needs to know the size that it divides";
  rows.push_back({"split count=3 part=1", [](const Inputs& x) { return split(x[0], 3)[1]; }});
  rows.back().known_shapes_only = needs_size;
  rows.push_back({"split count=2 axis=-1 difference", [](const Inputs& x) {
                    const auto parts = split(x[0], 2, -1);
                    return parts[0] - parts[1];
                  }});
  rows.back().known_shapes_only = needs_size;
  rows.push_back({"split count=1 axis=1", [](const Inputs& x) { return split(x[0], 1, 1)[0]; }});
  rows.back().known_shapes_only = needs_size;

  using Numbers = std::vector<std::int64_t>;
  const std::pair<Numbers, Numbers> slices[] = {
      {{1}, {2}}, {{1, 0}, {2, 2}}, {{0, 1}, {-1, -1}}, {{1, 1}, {0, 1}}, {{0, 1, 1}, {1, -1, 2}}};
  for (const auto& [begin, size] : slices) {
    rows.push_back({fmt::format("slice begin={} size={}", listed(begin, ","), listed(size, ",")),
                    [begin = begin, size = size](const Inputs& x) { return slice(x[0], begin, size); }});
  }
  rows.push_back({"slice scalar", [](const Inputs& x) { return slice(x[0], {}, {}); }});

  using Paddings = std::vector<std::pair<std::int64_t, std::int64_t>>;
  const std::pair<const char*, Paddings> pads[] = {{"1+2", {{1, 2}}},
                                                   {"0+1,2+0", {{0, 1}, {2, 0}}},
                                                   {"0+0,0+0", {{0, 0}, {0, 0}}},
                                                   {"1+0,0+0,1+1", {{1, 0}, {0, 0}, {1, 1}}}};
  for (const auto& [name, paddings] : pads) {
    rows.push_back({fmt::format("pad {}", name), [p = paddings](const Inputs& x) { return pad(x[0], p); }});
  }
  rows.push_back({"pad 1+0,0+1 value=1.5", [](const Inputs& x) { return pad(x[0], {{1, 0}, {0, 1}}, 1.5); }});
  const Numbers tiles[] = {{3}, {2, 1}, {2, 3}, {0, 2}, {2, 1, 2}};
  for (const Numbers& multiples : tiles) {
    rows.push_back({fmt::format("tile {}", listed(multiples, ",")),
                    [multiples](const Inputs& x) { return tile(x[0], multiples); }});
  }
}

void add_indexing(std::vector<OpCase>& rows) {
  rows.push_back({"gather", [](const Inputs& x) { return gather(x[0], x[1]); }});
  for (const int axis : {1, -1, 2}) {
    rows.push_back({fmt::format("gather axis={}", axis), [axis](const Inputs& x) { return gather(x[0], x[1], axis); }});
  }
  rows.push_back({"gather twice", [](const Inputs& x) { return gather(x[0], x[1]) * gather(x[0], x[2]); }});
  for (const Shape& shape : {Shape{4, 2}, Shape{5}, Shape{3, 2, 2}}) {
    rows.push_back({fmt::format("scatter_add {}", listed(shape, ",")),
                    [shape](const Inputs& x) { return scatter_add(x[0], x[1], shape); }});
  }
  for (DType dtype : {float32, float64, int32}) {
    rows.push_back(
        {fmt::format("one_hot 3 {}", to_string(dtype)), [dtype](const Inputs& x) { return one_hot(x[0], 3, dtype); }});
    rows.back().fixed_dtype = true;
  }
  rows.push_back({"shape_of", [](const Inputs& x) { return shape_of(x[0]); }});
  rows.push_back({"size_of", [](const Inputs& x) { return size_of(x[0]); }});
  rows.push_back({"zeros_like", [](const Inputs& x) { return zeros_like(x[0]); }});
  rows.push_back({"ones_like", [](const Inputs& x) { return ones_like(x[0]); }});
  const std::pair<const char*, Shape> fills[] = {{"2,3", {2, 3}}, {"scalar", {}}, {"0,2", {0, 2}}};
  for (const auto& [name, shape] : fills) {
    rows.push_back({fmt::format("fill {}", name), [shape = shape](const Inputs& x) { return fill(shape, x[0]); }});
  }
  const double ranges[][3] = {{0, 5, 1}, {1, 2, 0.25}, {3, -1, -1.5}, {2, 2, 1}};
  for (const auto& [start, limit, delta] : ranges) {
    rows.push_back({fmt::format("range {:g},{:g},{:g}", start, limit, delta),
                    [start = start, limit = limit, delta = delta](const Inputs& x) {
                      return x[0] * range(x[0].graph(), start, limit, delta, x[0].dtype());
                    }});
  }
  rows.push_back({"broadcast_like", [](const Inputs& x) { return broadcast_like(x[0], x[1]); }});
  rows.push_back({"sum_like", [](const Inputs& x) { return sum_like(x[0], x[1]); }});
  rows.push_back({"reshape_like", [](const Inputs& x) { return reshape_like(x[0], x[1]); }});
}

}  // namespace

std::vector<OpCase> reduction_cases() {
  std::vector<OpCase> rows;
  add_reduction(rows, "reduce_sum", reduce_sum, all_axes);
  add_reduction(rows, "reduce_mean", reduce_mean, all_axes);
  add_reduction(rows, "reduce_max", reduce_max, few_axes);
  add_reduction(rows, "reduce_min", reduce_min, few_axes);
  add_reduction(rows, "reduce_prod", reduce_prod, few_axes);
  add_reduction(rows, "reduce_logsumexp", reduce_logsumexp, few_axes);
  add_reduction(rows, "norm", norm, few_axes);
  add_reduction(rows, "reduce_any", reduce_any, few_axes);
  add_reduction(rows, "reduce_all", reduce_all, few_axes);

  using Extreme = Expr (*)(const Operand&, int);
  const std::pair<const char*, Extreme> extremes[] = {{"argmax", argmax}, {"argmin", argmin}};
  for (const auto& [name, op] : extremes) {
    for (int axis : {0, 1, -1}) {
      rows.push_back(
          {fmt::format("{} axis={}", name, axis), [op = op, axis](const Inputs& x) { return op(x[0], axis); }});
    }
    rows.push_back({fmt::format("{} nan", name), [op = op](const Inputs& x) { return op(x[0], 1); }});
  }
  rows.push_back({"argmax", [](const Inputs& x) { return argmax(x[0]); }});
  rows.push_back({"argmin", [](const Inputs& x) { return argmin(x[0]); }});
  for (int axis : {0, 1, -1}) {
    for (bool exclusive : {false, true}) {
      for (bool reverse : {false, true}) {
        rows.push_back(
            {fmt::format("cumsum axis={}{}{}", axis, exclusive ? " exclusive" : "", reverse ? " reverse" : ""),
             [axis, exclusive, reverse](const Inputs& x) {
               return cumsum(x[0], axis, {.exclusive = exclusive, .reverse = reverse});
             }});
      }
    }
  }
  rows.push_back({"cumsum", [](const Inputs& x) { return cumsum(x[0]); }});
  return rows;
}

std::vector<OpCase> shape_cases() {
  std::vector<OpCase> rows;
  add_rearranging(rows);
  add_joining(rows);
  add_indexing(rows);
  return rows;
}

}  // namespace gradus
