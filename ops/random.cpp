// Random numbers as nodes: random_normal, truncated_normal, random_uniform, random_uniform_like, and dropout built from
// the last.
// Number i of a node is a pure function of (seed, run, the node's stream, i): every run draws anew, and the same
// program draws the same again, with any number of threads.
#include <gradus/core/device/device_call.h>
#include <gradus/core/error.h>
#include <gradus/core/graph/op.h>
#include <gradus/ops/checks.h>
#include <gradus/ops/ops.h>
#include <gradus/ops/random.h>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <optional>
#include <span>

namespace gradus {

std::uint64_t seed_of_run(std::uint64_t seed, std::uint64_t run) {
  std::uint64_t z = seed + (run + 1) * 0x9E3779B97F4A7C15U;
  z = (z ^ (z >> 30U)) * 0xBF58476D1CE4E5B9U;
  z = (z ^ (z >> 27U)) * 0x94D049BB133111EBU;
  return z ^ (z >> 31U);
}

namespace {

void draw(Call& call, Random::Distribution distribution, double a, double b, std::uint64_t seed) {
  const Type& type = call.out().type;
  const Random random(type.shape, distribution, a, b, seed_of_run(seed, call.run), type.dtype);
  dispatch_floating(type.dtype, [&]<class T>(TypeTag<T>) {
    T* out = call.out<T>();
    call.workers().for_each(type.shape.size(), 16384, [&](std::int64_t first, std::int64_t last) {
      random.draw(call.stream, static_cast<std::uint64_t>(first),
                  std::span(out + first, static_cast<std::size_t>(last - first)));
    });
  });
}

// As core/tensor/random.cpp, whose bits it gives: uniform numbers exactly, normal ones as the mathematics library
// rounds.
constexpr std::string_view draw_text = R"cuda(
__device__ inline float unit(gr_Philox b, int j, float) { return float(b.word[j] >> 8) * 5.9604644775390625e-8f; }  // 2^-24
__device__ inline double bits53(unsigned high, unsigned low) { return double(((gr_uint64(high) << 32) | low) >> 11); }
__device__ inline double unit(gr_Philox b, int j, double) {
  return bits53(b.word[2 * j], b.word[2 * j + 1]) * 1.1102230246251565e-16;  // 2^-53
}
__device__ inline double box_muller(double u, double v, int j) {
  const double radius = sqrt(-2 * log(u)), angle = 2 * 3.141592653589793 * v;
  return radius * (j % 2 == 0 ? cos(angle) : sin(angle));
}
__device__ inline float normal(gr_Philox b, int j, float) {
  const double unit = 2.3283064365386963e-10;  // 2^-32
  const int pair = j / 2 * 2;
  return float(box_muller((double(b.word[pair]) + 1) * unit, double(b.word[pair + 1]) * unit, j));
}
__device__ inline double normal(gr_Philox b, int j, double) {
  const double unit = 1.1102230246251565e-16;
  return box_muller((bits53(b.word[0], b.word[1]) + 1) * unit, bits53(b.word[2], b.word[3]) * unit, j);
}
constexpr int of_block = sizeof(T) == 4 ? 4 : 2;  // so many numbers
__device__ inline gr_Philox bits_of(gr_int64 block, unsigned attempt, gr_uint64 seed, gr_uint64 stream) {
  return gr_philox({{unsigned(block), (unsigned(block >> 32) & 0xFFFFFFu) | attempt << 24, unsigned(stream),
                     unsigned(stream >> 32)}}, seed);
}
__device__ inline T truncated(gr_int64 i, gr_uint64 seed, gr_uint64 stream) {
  for (unsigned attempt = 0; attempt < 256; ++attempt) {
    const gr_Philox bits = bits_of(i, attempt, seed, stream);
    for (int j = 0; j < of_block; ++j) {
      const T z = normal(bits, j, T());
      if (-2 < z && z < 2) return z;
    }
  }
  return 0;
}
// A thread for each block of random bits, or for each truncated number. For uniform numbers `last` is the greatest.
extern "C" __global__ void NAME(T* y, gr_int64 n, gr_uint64 seed, gr_uint64 stream, T scale, T shift, T last) {
  constexpr int each = is_truncated ? 1 : of_block;
  for (gr_int64 block = gr_first(); block * each < n; block += gr_step()) {
    const gr_Philox bits = bits_of(block, 0, seed, stream);
    for (int j = 0; j < each && block * each + j < n; ++j) {
      const T z = is_truncated ? truncated(block, seed, stream) : uniform ? unit(bits, j, T()) : normal(bits, j, T());
      const T x = gr_scaled(z, scale, shift);
      y[block * each + j] = uniform && last < x ? last : x;
    }
  }
}
)cuda";

void draw(DeviceCall& call, Random::Distribution distribution, double a, double b, std::uint64_t seed) {
  const Type& type = call.out().type;
  const std::int64_t n = type.shape.size();
  if (n == 0) return;
  dispatch_floating(type.dtype, [&]<class T>(TypeTag<T>) {
    const bool uniform = distribution == Random::Distribution::uniform;
    const bool truncated = distribution == Random::Distribution::truncated_normal;
    const T shift = static_cast<T>(a);
    const T scale = uniform ? static_cast<T>(b) - shift : static_cast<T>(b);
    const T last = uniform ? std::max(shift, std::nextafter(static_cast<T>(b), shift)) : T{};
    call.launch(
        {"random", draw_text,
         fmt::format("{} constexpr bool uniform = {}, is_truncated = {};", using_type(type.dtype), uniform, truncated)},
        grid_for(truncated ? n : n / 2 + 1), call.out().data, n, seed_of_run(seed, call.run), call.stream, scale, shift,
        last);
  });
}

// Of a shape that is given, or that of an input.
class RandomNode : public Op {
 public:
  RandomNode(std::string_view name, const Shape& shape, Random::Distribution distribution, double a, double b,
             std::uint64_t seed, DType dtype)
      : name_(name), type_{dtype, shape, Layout::dense}, distribution_(distribution), a_(a), b_(b), seed_(seed) {
    Random(shape, distribution, a, b, seed, dtype);  // throws where these do not fit
  }

  std::string_view name() const override { return name_; }
  Attributes attributes() const override {
    const bool uniform = distribution_ == Random::Distribution::uniform;
    return {{uniform ? "low" : "mean", a_}, {uniform ? "high" : "stddev", b_}, {"seed", seed_}};
  }
  Traits traits() const override { return {.takes_any_rank = true, .is_random = true, .reads = 0}; }
  std::string_view no_gradient(int) const override { return "only its shape is used"; }
  Type infer(const OpInputs& in) const override {
    return in.count() == 0 ? type_ : Type{type_.dtype, in[0].shape, Layout::dense};
  }
  void compute(Call& call) const override { draw(call, distribution_, a_, b_, seed_); }
  void launch(DeviceCall& call) const override { draw(call, distribution_, a_, b_, seed_); }

 private:
  std::string_view name_;
  Type type_;
  Random::Distribution distribution_;
  double a_;
  double b_;
  std::uint64_t seed_;
};

std::shared_ptr<const Op> normal_node(const Shape& shape, const NormalOptions& options) {
  return std::make_shared<RandomNode>("random_normal", shape, Random::Distribution::normal, options.mean,
                                      options.stddev, options.seed, options.dtype);
}

std::shared_ptr<const Op> truncated_node(const Shape& shape, const NormalOptions& options) {
  return std::make_shared<RandomNode>("truncated_normal", shape, Random::Distribution::truncated_normal, options.mean,
                                      options.stddev, options.seed, options.dtype);
}

std::shared_ptr<const Op> uniform_node(const Shape& shape, const UniformOptions& options) {
  return std::make_shared<RandomNode>("random_uniform", shape, Random::Distribution::uniform, options.low, options.high,
                                      options.seed, options.dtype);
}

}  // namespace

Expr random_normal(Graph& graph, const Shape& shape, const NormalOptions& options, Location where) {
  return graph.add(normal_node(shape, options), {}, where);
}

Expr truncated_normal(Graph& graph, const Shape& shape, const NormalOptions& options, Location where) {
  return graph.add(truncated_node(shape, options), {}, where);
}

Expr random_uniform(Graph& graph, const Shape& shape, const UniformOptions& options, Location where) {
  return graph.add(uniform_node(shape, options), {}, where);
}

Expr detail::normal_of_shape(const Expr& shape, const NormalOptions& options, Location where) {
  const Expr like = zeros_of_shape(shape, options.dtype, where);
  return shape.graph().add(normal_node({}, options), std::span(&like, 1), where);
}

Expr detail::truncated_of_shape(const Expr& shape, const NormalOptions& options, Location where) {
  const Expr like = zeros_of_shape(shape, options.dtype, where);
  return shape.graph().add(truncated_node({}, options), std::span(&like, 1), where);
}

Expr detail::uniform_of_shape(const Expr& shape, const UniformOptions& options, Location where) {
  const Expr like = zeros_of_shape(shape, options.dtype, where);
  return shape.graph().add(uniform_node({}, options), std::span(&like, 1), where);
}

Expr random_uniform_like(const Operand& x, std::uint64_t seed) {
  const Expr like = require_expr("random_uniform_like", x);
  if (!is_floating(like.dtype()))
    fail<TypeError>("random_uniform_like: x is {} ({}, {}); float32 or float64 is right", to_string(like.dtype()),
                    like.name(), to_string(like.where()));
  return apply(std::make_shared<RandomNode>("random_uniform_like", Shape(), Random::Distribution::uniform, 0, 1, seed,
                                            like.dtype()),
               {x});
}

Expr dropout(const Operand& x, const Operand& rate, std::uint64_t seed) {
  const Expr kept = require_expr("dropout", x);
  const auto pin = kept.graph().pin(x.where());
  const auto kept_at = [&](const auto& p) {
    return mask(greater_equal(random_uniform_like(kept, seed), p), kept) / (1 - p);
  };
  if (const std::optional<double> number = rate.number()) {
    if (!(*number >= 0 && *number < 1)) fail<ValueError>("dropout: rate is {}; it lies in [0, 1)", *number);
    return *number == 0 ? identity(x) : kept_at(*number);
  }
  const Expr given = rate.in(kept.graph(), kept.dtype(), "dropout");
  if (!is_floating(given.dtype()) || given.rank() != 0)
    fail<TypeError>("dropout: rate is {}; a floating scalar is expected", to_string(given));
  const Expr in_range = Assert(given >= 0 && given < 1, {given}, "the rate of dropout lies in [0, 1)");
  return kept_at(with_dependencies({in_range}, cast(given, kept.dtype())));
}

}  // namespace gradus
