#include "launch_cases.h"

#include <gradus/core/graph/op.h>
#include <gradus/core/listed.h>
#include <gradus/core/tensor/create.h>
#include <gradus/ops/ops.h>
#include <gradus/ops/unbroadcast.h>

#include <fmt/format.h>

#include <limits>

namespace gradus {

namespace {

const std::vector<DType> all_dtypes = {float32, float64, int32, int64, boolean};
const std::vector<DType> numbers = {float32, float64, int32, int64};

// A stream of numbers below `below`.
class Stream {
 public:
  explicit Stream(std::uint64_t seed) : state_(seed * 2 + 1) {}
  std::int64_t below(std::int64_t n) {
    state_ = state_ * 6364136223846793005U + 1442695040888963407U;
    return static_cast<std::int64_t>((state_ >> 33U) % static_cast<std::uint64_t>(n));
  }

 private:
  std::uint64_t state_;
};

using Inputs = std::vector<Expr>;

// 33, 256 and 2048 are where a kernel goes over to warps, blocks and pieces.
const std::vector<Shape> folded_shapes = {
    {},         {1},     {0},       {5},        {32},   {33},   {3000},    {70001},      {3, 40},       {2, 3000},
    {1100, 33}, {40, 3}, {3000, 2}, {70000, 3}, {0, 3}, {3, 0}, {2, 1, 3}, {4, 5, 6, 7}, {2, 300, 4, 3}};

using Reducer = Expr (*)(const Operand&, const Axes&, KeepDims);

void add_reduction(std::vector<LaunchCase>& cases, const char* name, Reducer reducer, DType dtype, bool rounds) {
  for (const Shape& shape : folded_shapes)
    for (unsigned bits = 0; bits < 1U << static_cast<unsigned>(shape.rank()); ++bits) {
      if (bits == 0 && shape.rank() > 0) continue;  // of no axes: a view
      std::vector<int> axes;
      for (int axis = 0; axis < shape.rank(); ++axis)
        if (((bits >> static_cast<unsigned>(axis)) & 1U) != 0) axes.push_back(axis);
      if (shape.rank() == 0 && dtype != boolean) continue;
      cases.push_back({fmt::format("{} of {} {} over [{}]", name, to_string(dtype), to_string(shape), listed(axes)),
                       {some_numbers(shape, dtype)},
                       [=](Graph&, const Inputs& x) { return reducer(x[0], Axes(axes), KeepDims::no); },
                       rounds ? dtype == float64 ? 1e-14 : 1e-6 : 0});
    }
}

// The gradient of y by its input, a part of it, given dy: an op on dy and what lends its shape.
Expr gradient_of(const Expr& y, const Inputs& in) { return y.op().gradient(y, in[0], 0); }

Tensor with(const Tensor& x, std::vector<std::size_t> places, double value) {
  return dispatch_floating(x.dtype(), [&]<class T>(TypeTag<T>) {
    std::vector<T> values(x.span<T>().begin(), x.span<T>().end());
    for (const std::size_t place : places) values[place] = static_cast<T>(value);
    return Tensor::from<T>(values, x.shape());
  });
}

}  // namespace

Tensor some_numbers(const Shape& shape, DType dtype, std::uint64_t seed) {
  Stream stream(seed);
  return dispatch(dtype, [&]<class T>(TypeTag<T>) {
    return Tensor::make<T>(shape, [&](std::span<T> out) {
      for (T& value : out) {
        if constexpr (std::is_same_v<T, bool>) {
          value = stream.below(2) == 1;
        } else if constexpr (std::is_integral_v<T>) {
          value = static_cast<T>(stream.below(2001) - 1000);
        } else {
          value = static_cast<T>(stream.below(4001) - 2000) / T(1024);
        }
      }
    });
  });
}

std::vector<LaunchCase> folding_launch_cases() {
  std::vector<LaunchCase> cases;
  for (const DType dtype : numbers) {
    add_reduction(cases, "sum", reduce_sum, dtype, is_floating(dtype));
    add_reduction(cases, "max", reduce_max, dtype, false);
    add_reduction(cases, "min", reduce_min, dtype, false);
  }
  for (const DType dtype : {float32, float64}) add_reduction(cases, "mean", reduce_mean, dtype, true);
  for (const DType dtype : numbers) add_reduction(cases, "prod", reduce_prod, dtype, is_floating(dtype));
  add_reduction(cases, "any", reduce_any, boolean, false);
  add_reduction(cases, "all", reduce_all, boolean, false);

  const double nan = std::numeric_limits<double>::quiet_NaN();
  for (const DType dtype : {float32, float64})
    for (const Reducer reducer : {Reducer(reduce_max), Reducer(reduce_min)})
      cases.push_back({"extreme with NaN",
                       {with(some_numbers({3, 100}, dtype), {150}, nan)},
                       [=](Graph&, const Inputs& x) { return reducer(x[0], 1, KeepDims::no); }});

  for (const DType dtype : all_dtypes)
    for (const Shape& shape :
         {Shape{1}, Shape{7}, Shape{100}, Shape{3, 1000}, Shape{50, 3}, Shape{4, 5, 6}, Shape{0, 3}})
      for (int axis = 0; axis < shape.rank(); ++axis) {
        const std::string on = fmt::format("{} {} axis {}", to_string(dtype), to_string(shape), axis);
        if (shape[axis] > 0) {
          cases.push_back({"argmax " + on, {some_numbers(shape, dtype)}, [=](Graph&, const Inputs& x) {
                             return argmax(x[0], axis);
                           }});
          cases.push_back({"argmin " + on, {some_numbers(shape, dtype)}, [=](Graph&, const Inputs& x) {
                             return argmin(x[0], axis);
                           }});
        }
        if (dtype == boolean) continue;
        for (const bool exclusive : {false, true})
          for (const bool reverse : {false, true})
            cases.push_back({fmt::format("cumsum {} {} {}", on, exclusive, reverse),
                             {some_numbers(shape, dtype)},
                             [=](Graph&, const Inputs& x) {
                               return cumsum(x[0], axis, {.exclusive = exclusive, .reverse = reverse});
                             }});
      }
  cases.push_back({"argmax with NaN",
                   {with(some_numbers({200}, float32), {60, 150}, nan)},
                   [](Graph&, const Inputs& x) { return argmax(x[0], 0); }});
  for (const Direction d : {ascending, descending})
    cases.push_back({"argsort with NaN and equal ones",
                     {with(with(some_numbers({200}, float32), {60, 61, 150}, nan), {3, 90, 199}, 0.5)},
                     [=](Graph&, const Inputs& x) { return argsort(x[0], -1, d); }});
  cases.push_back({"argmin with NaN", {with(some_numbers({3, 5}, float64), {7}, nan)}, [](Graph&, const Inputs& x) {
                     return argmin(x[0], 1);
                   }});
  return cases;
}

std::vector<LaunchCase> moving_launch_cases() {
  std::vector<LaunchCase> cases;
  const auto add = [&](const std::string& name, std::vector<Tensor> inputs, auto build, double rtol = 0) {
    cases.push_back({name, std::move(inputs), build, rtol});
  };
  for (const DType dtype : all_dtypes) {
    const std::string of = std::string(to_string(dtype));
    const auto x = [&](const Shape& shape) { return some_numbers(shape, dtype); };
    for (const Shape& shape : {Shape{2, 3}, Shape{100, 70}, Shape{8, 8}, Shape{0, 5}, Shape{33, 64}})
      add("transpose " + of + to_string(shape), {x(shape)}, [](Graph&, const Inputs& in) { return transpose(in[0]); });
    for (const std::vector<int>& perm : std::vector<std::vector<int>>{{2, 0, 1}, {0, 2, 1}, {1, 0, 2}})
      add("transpose of rank 3 " + of, {x({4, 40, 35})},
          [=](Graph&, const Inputs& in) { return transpose(in[0], perm); });
    add("broadcast_to " + of, {x({3, 1, 2})}, [](Graph&, const Inputs& in) {
      return broadcast_to(in[0], {2, 3, 4, 2});
    });
    add("broadcast_to nothing " + of, {x({1, 3})}, [](Graph&, const Inputs& in) {
      return broadcast_to(in[0], {0, 3});
    });
    add("broadcast_like " + of, {x({3, 1}), x({3, 5})},
        [](Graph&, const Inputs& in) { return broadcast_like(in[0], in[1]); });
    add("fill " + of, {x({})}, [](Graph&, const Inputs& in) { return fill({4, 300}, in[0]); });
    add("concat " + of, {x({2, 3, 2}), x({2, 0, 2}), x({2, 50, 2})}, [](Graph&, const Inputs& in) {
      return concat({in[0], in[1], in[2]}, 1);
    });
    add("slice " + of, {x({5, 6, 7})}, [](Graph&, const Inputs& in) { return slice(in[0], {1, 0, 2}, {3, 6, 4}); });
    add("strided_slice " + of, {x({5, 6, 7})}, [](Graph&, const Inputs& in) {
      return at(in[0], {{_, _, -2}, _, {5, 1, -1}});
    });
    add("set_into " + of, {x({2, 3}), x({5, 6})}, [](Graph& g, const Inputs& in) {
      return gradient_of(strided_slice(g.placeholder("x", {5, 6}, in[0].dtype()), {3, 5}, {-5, 0}, {-2, -2}), in);
    });
    if (dtype != int32 && dtype != float64)
      for (const Direction d : {ascending, descending})
        for (const Shape& shape : {Shape{70}, Shape{3, 5}, Shape{2, 1}, Shape{0, 4}, Shape{2, 0}})
          add(fmt::format("argsort {} {} {}", of, to_string(shape), d == ascending), {x(shape)},
              [=](Graph&, const Inputs& in) { return argsort(in[0], -1, d); });
    add("pad " + of, {x({3, 4})}, [](Graph&, const Inputs& in) { return pad(in[0], {{1, 2}, {0, 3}}, 1); });
    add("pad with zeros " + of, {x({3, 4})}, [](Graph&, const Inputs& in) { return pad(in[0], {{0, 0}, {2, 0}}, 0); });
    add("tile " + of, {x({3, 2})}, [](Graph&, const Inputs& in) { return tile(in[0], {2, 5}); });
    add("zeros_like " + of, {x({3, 2})}, [](Graph&, const Inputs& in) { return zeros_like(in[0]); });
    add("ones_like " + of, {x({3, 2})}, [](Graph&, const Inputs& in) { return ones_like(in[0]); });
    add("shape_of " + of, {x({3, 0, 2})}, [](Graph&, const Inputs& in) { return shape_of(in[0]); });
    add("shape_of a number " + of, {x({})}, [](Graph&, const Inputs& in) { return shape_of(in[0]); });
    add("size_of " + of, {x({3, 5, 2})}, [](Graph&, const Inputs& in) { return size_of(in[0]); });
    for (const DType index : {int32, int64}) {
      const Tensor rows = Tensor({{3, 0}, {3, 6}, {1, 1}}, index);
      for (const Shape& table : {Shape{7}, Shape{7, 1}, Shape{7, 4}, Shape{7, 3, 2}, Shape{7, 0}})
        add(fmt::format("gather {} of {}", to_string(index), to_string(table)), {x(table), rows},
            [](Graph&, const Inputs& in) { return gather(in[0], in[1]); });
      for (const Shape& table : {Shape{5, 7}, Shape{2, 7, 3}, Shape{0, 7}, Shape{2, 7, 0}})
        add(fmt::format("gather {} along axis 1 of {}", to_string(index), to_string(table)), {x(table), rows},
            [](Graph&, const Inputs& in) { return gather(in[0], in[1], 1); });
      const Tensor of_each = Tensor({{3, 0, 3}, {6, 1, 1}}, index);
      add(fmt::format("gather {} with batches", to_string(index)), {x({2, 4, 7, 3}), of_each},
          [](Graph&, const Inputs& in) { return gather(in[0], in[1], 2, 1); });
      if (is_floating(dtype))
        add(fmt::format("scatter_add {} with batches", to_string(index)), {of_each, x({2, 4, 3, 3}), x({2, 4, 7, 3})},
            [](Graph&, const Inputs& in) {
              const Expr y = gather(in[2], in[0], 2, 1);
              return y.op().gradient(y, in[1], 0);
            });
      if (dtype == float32)
        add(fmt::format("gather_nd {}", to_string(index)), {of_each, x({7, 2, 4, 3})},
            [](Graph&, const Inputs& in) { return gather_nd(in[1], in[0]).input(1); });
      if (is_floating(dtype))
        add(fmt::format("scatter_add {} along axis 1", to_string(index)), {rows, x({2, 3, 2, 3}), x({2, 7, 3})},
            [](Graph&, const Inputs& in) {
              const Expr y = gather(in[2], in[0], 1);
              return y.op().gradient(y, in[1], 0);
            });
      add("one_hot " + of, {Tensor({{0, 4}, {-1, 5}}, index)},
          [=](Graph&, const Inputs& in) { return one_hot(in[0], 5, dtype); });
    }
  }
  for (const DType dtype : {float32, float64}) {
    const std::string of = std::string(to_string(dtype));
    for (const std::int64_t n : {0, 1, 3, 1001}) {
      add(fmt::format("random_uniform {} {}", of, n), {}, [=](Graph& g, const Inputs&) {
        return random_uniform(g, {n}, {.low = -0.7, .high = 2.1, .seed = 9, .dtype = dtype});
      });
      // The sine and logarithm of another library may round otherwise.
      add(
          fmt::format("random_normal {} {}", of, n), {},
          [=](Graph& g, const Inputs&) {
            return random_normal(g, {n}, {.mean = 0.3, .stddev = 1.7, .seed = 9, .dtype = dtype});
          },
          dtype == float64 ? 1e-14 : 1e-6);
      add(
          fmt::format("truncated_normal {} {}", of, n), {},
          [=](Graph& g, const Inputs&) {
            return truncated_normal(g, {n}, {.mean = 0.3, .stddev = 1.7, .seed = 9, .dtype = dtype});
          },
          dtype == float64 ? 1e-14 : 1e-6);
    }
    add("random_uniform_like " + of, {some_numbers({13, 3}, dtype)},
        [](Graph&, const Inputs& in) { return random_uniform_like(in[0], 4); });
  }
  return cases;
}

std::vector<LaunchCase> gradient_launch_cases() {
  std::vector<LaunchCase> cases;
  for (const DType dtype : {float32, float64}) {
    const auto x = [&](const Shape& shape) { return some_numbers(shape, dtype); };
    const double rtol = dtype == float64 ? 1e-14 : 1e-6;
    cases.push_back({"sum_copies",
                     {x({15})},
                     [](Graph& g, const Inputs& in) {
                       const Expr y = tile(g.placeholder("x", {3}, in[0].dtype()), {5});
                       return y.op().gradient(y, in[0], 0);
                     },
                     rtol});
    cases.push_back({"concat_part", {x({3, 7}), x({3, 2}), x({3, 5})}, [](Graph& g, const Inputs& in) {
                       const Expr first = g.placeholder("a", {3, any}, in[0].dtype());
                       const Expr y = concat({first, g.placeholder("b", {3, any}, in[0].dtype())}, 1);
                       return y.op().gradient(y, in[0], 1);
                     }});
    cases.push_back({"pad_like", {x({2, 4}), x({5, 4})}, [](Graph& g, const Inputs& in) {
                       const Expr y = slice(g.placeholder("x", {any, 4}, in[0].dtype()), {1, 0}, {2, 4});
                       return y.op().gradient(y, in[0], 0);
                     }});
    for (const Shape& own : {Shape{}, Shape{1, 3}, Shape{4, 1}, Shape{3}, Shape{1, 1}})
      for (const Shape& g : {Shape{4, 3}, Shape{4, 1}, Shape{1, 3}, Shape{}})
        cases.push_back({fmt::format("unbroadcast {} to {}", to_string(g), to_string(own)),
                         {x(g), x(own), x({4, 3})},
                         [](Graph&, const Inputs& in) { return unbroadcast(in[0], in[1], in[2]); },
                         rtol});
    cases.push_back({"unbroadcast_factor", {x({4, 1}), x({4, 1}), x({4, 3})}, [](Graph&, const Inputs& in) {
                       const Expr y = unbroadcast(in[0], in[1], in[2]);
                       return y.op().gradient(y, y, 0).input(1);  // of dy * factor
                     }});
  }
  return cases;
}

std::vector<LaunchCase> refused_launch_cases() {
  std::vector<LaunchCase> cases;
  for (const double wrong : {-1.0, 7.0}) {
    cases.push_back({"gather",
                     {some_numbers({7, 2}, float32), Tensor({3.0, wrong}, int64)},
                     [](Graph&, const Inputs& x) { return gather(x[0], x[1]); }});
    cases.push_back({"gather along axis 1",
                     {some_numbers({2, 7}, float32), Tensor({3.0, wrong}, int64)},
                     [](Graph&, const Inputs& x) { return gather(x[0], x[1], 1); }});
    cases.push_back({"gather_nd",
                     {Tensor({{0.0, 3.0}, {1.0, wrong}}, int32), some_numbers({2, 7}, float32)},
                     [](Graph&, const Inputs& x) { return gather_nd(x[1], x[0]).input(1); }});
    cases.push_back(
        {"scatter_add", {Tensor({3.0, wrong}, int32), some_numbers({2, 2}, float32)}, [](Graph&, const Inputs& x) {
           return scatter_add(x[0], x[1], {7, 2}).input(2);
         }});
  }
  return cases;
}

}  // namespace gradus
