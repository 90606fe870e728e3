// A mixture by gradient, layers with GELU and layer norm, and a chain of elementwise functions over tensors of one size
// and several shapes.
#include "loops_papers.h"
#include "papers.h"

#include <fmt/core.h>

#include <algorithm>
#include <numbers>

namespace bench {

using namespace gradus;

namespace {

// Bishop: Pattern Recognition and Machine Learning (2006), equation 9.14 with diagonal covariances, maximised by
// gradient: the mean over x of -log sum_k pi_k prod_d N(x_d | mu_kd, sigma_kd), with pi = softmax(logits) and sigma =
// exp(s).   Adam
struct Mixture : Formula {
  static constexpr std::int64_t n = 10000, components = loops::Mixture::components, dims = loops::Mixture::dims;
  explicit Mixture(double rate) {
    const Expr X = g.placeholder("X", {n, dims});
    const Expr logits = g.variable("logits", zeros({components}));
    const Expr mu = g.variable("mu", random_normal({components, dims}, {.seed = 1}));
    const Expr s = g.variable("s", zeros({components, dims}));
    const Expr z = (expand_dims(X, 1) - mu) / exp(s);                                                     // [n, 16, 8]
    const Expr log_density = -reduce_sum(0.5 * square(z) + s + 0.5 * std::log(2 * std::numbers::pi), 2);  // [n, 16]
    loss = -reduce_mean(reduce_logsumexp(log_softmax(logits) + log_density, 1));                          // []
    train = Adam(rate).minimize(loss);
    inputs = {X};
    parameters = {logits, mu, s};
  }
};

void mixture(benchmark::State& state) {
  constexpr double rate = 0.01;
  // Around 16 points.
  const Tensor centres = random_normal({Mixture::components, Mixture::dims}, {.stddev = 2, .seed = 2});
  std::vector<float> x = vector_of(random_normal({Mixture::n, Mixture::dims}, {.seed = 3}));
  for (std::size_t i = 0; i < x.size(); ++i)
    x[i] += centres.span<float>()[i % static_cast<std::size_t>(centres.size())];
  Mixture formula(rate);
  FormulaSteps gradus(formula, {Tensor::from(x, {Mixture::n, Mixture::dims})});
  loops::Mixture machine(gradus.values()[1], static_cast<float>(rate));
  const auto step = [&](std::size_t /*batch*/, bool want_loss) {
    return machine.step(x.data(), Mixture::n, want_loss);
  };
  compare_formula(state, 2, gradus, {step, [&] { return machine.values(); }});
}

// Hendrycks, Gimpel: Gaussian Error Linear Units (2016), section 2, the form with tanh; Ba, Kiros, Hinton: Layer
// Normalization (2016), equations 3 and 4. Three layers of h = gelu(normalised(h W + b) * scale + shift) and softmax
// cross entropy.   Adam
struct GeluLayers : Formula {
  static constexpr std::int64_t n = loops::GeluLayers::batch, width = loops::GeluLayers::width,
                                classes = loops::GeluLayers::classes;
  explicit GeluLayers(double rate) {
    const Expr X = g.placeholder("X", {n, width});
    const Expr Y = g.placeholder("Y", {n, classes});
    const NormalOptions normal{.stddev = 0.06, .seed = 1};
    Expr h = X;
    for (std::int64_t layer = 1; layer <= loops::GeluLayers::layers; ++layer) {
      const Expr W = g.variable(fmt::format("W{}", layer), random_normal({width, width}, normal));
      const Expr b = g.variable(fmt::format("b{}", layer), zeros({width}));
      const Expr scale = g.variable(fmt::format("scale{}", layer), ones({width}));
      const Expr shift = g.variable(fmt::format("shift{}", layer), zeros({width}));
      const Expr a = matmul(h, W) + b;                                   // [n, width]
      const Expr centred = a - reduce_mean(a, 1, keep_dims);             // [n, width]
      const Expr variance = reduce_mean(square(centred), 1, keep_dims);  // [n, 1]
      const Expr z = centred / sqrt(variance + 1e-5) * scale + shift;    // [n, width]
      const double root = std::sqrt(2 / std::numbers::pi);
      h = 0.5 * z * (1 + tanh(root * (z + 0.044715 * pow(z, 3))));  // [n, width]
      parameters.insert(parameters.end(), {W, b, scale, shift});
    }
    const Expr W = g.variable("W", random_normal({width, classes}, normal));
    const Expr b = g.variable("b", zeros({classes}));
    loss = reduce_mean(softmax_cross_entropy_with_logits(Y, matmul(h, W) + b));  // []
    train = Adam(rate).minimize(loss);
    inputs = {X, Y};
    parameters.insert(parameters.end(), {W, b});
  }
};

void gelu_layers(benchmark::State& state) {
  constexpr double rate = 0.001;
  const Tensor x = random_normal({GeluLayers::n, GeluLayers::width}, {.seed = 2});
  std::vector<float> classes;
  std::mt19937_64 random(1);
  for (std::int64_t r = 0; r < GeluLayers::n; ++r)
    classes.push_back(static_cast<float>(random() % static_cast<std::uint64_t>(GeluLayers::classes)));
  const Tensor labels = labels_of(classes, GeluLayers::classes);
  GeluLayers formula(rate);
  FormulaSteps gradus(formula, {x, labels});
  const Values start = gradus.values();
  loops::GeluLayers machine({start[0], start[4], start[8], start[12]}, static_cast<float>(rate));
  const auto step = [&](std::size_t /*batch*/, bool /*want_loss*/) {
    return machine.step(x.span<float>().data(), labels.span<float>().data());
  };
  compare_formula(state, 2, gradus, {step, [&] { return machine.values(); }});
}

// No paper's, but like many: ten operations on three operands of which nobody has thought.
struct Rational {
  static constexpr std::int64_t size = 4000000;
  Graph g;
  Expr a, b, c, sum;
  Tensor a_data, b_data, c_data;
  Session session;
  PreparedRun run;

  explicit Rational(const Shape& shape)
      : a(g.placeholder("a", shape)),
        b(g.placeholder("b", shape)),
        c(g.placeholder("c", shape)),
        sum(of(a, b, c)),
        a_data(random_uniform(shape, {.low = -1, .high = 1, .seed = 1})),
        b_data(random_uniform(shape, {.low = -1, .high = 1, .seed = 2})),
        c_data(random_uniform(shape, {.low = -1, .high = 1, .seed = 3})),
        session(g, Device::cpu(), {.threads = 1}),
        run(session.prepare(sum, {a, b, c})) {}

  static Expr of(const Expr& a, const Expr& b, const Expr& c) {
    const Expr u = (a * b + c) / (1 + a * a);
    const Expr v = u * u * u - 3 * u * b + c * c;
    return reduce_sum(v / sqrt(1 + v * v) * a - b * u / 2);
  }
  double value() { return run(a_data, b_data, c_data).item(); }
  double loop() const {
    return loops::rational(a_data.span<float>().data(), b_data.span<float>().data(), c_data.span<float>().data(), size);
  }
  Steps steps() {
    return [this](std::int64_t count) {
      for (std::int64_t i = 0; i < count; ++i) benchmark::DoNotOptimize(value());
    };
  }
};

void rational(benchmark::State& state) {
  Rational gradus({4000, 1000});
  if (!same_way(
          state, 1, [&] { return gradus.value(); }, [&] { return gradus.loop(); }))
    return;
  compare(state, 2, gradus.steps(), [&](std::int64_t count) {
    for (std::int64_t i = 0; i < count; ++i) benchmark::DoNotOptimize(gradus.loop());
  });
}

// The same elements in five shapes: the ratio is the slowest shape's time to the fastest's.
void rational_shapes(benchmark::State& state) {
  const std::vector<Shape> shapes{{4000, 1000}, {4000000}, {250000, 16}, {200, 20000}, {4, 1000000}};
  std::vector<std::unique_ptr<Rational>> sides;
  std::vector<Steps> steps;
  for (const Shape& shape : shapes) {
    sides.push_back(std::make_unique<Rational>(shape));
    steps.push_back(sides.back()->steps());
    if (!same_way(
            state, 1, [&] { return sides.back()->value(); }, [&] { return sides.back()->loop(); }))
      return;
  }
  for (auto _ : state) {
    const auto times = take_turns(steps);
    std::size_t slowest = 0, fastest = 0;
    std::string label = "times, of [4000, 1000]'s:";
    for (std::size_t i = 0; i < shapes.size(); ++i) {
      if (median(times[i]) > median(times[slowest])) slowest = i;
      if (median(times[i]) < median(times[fastest])) fastest = i;
      label += fmt::format(" {} {:.2f}", to_string(shapes[i]), median_ratio(times[i], times[0]));
    }
    state.SetLabel(label);
    state.SetIterationTime(median(times[slowest]));
    state.counters["threads"] = 1;
    state.counters["gradus_s"] = median(times[slowest]);
    state.counters["loop_s"] = median(times[fastest]);
    state.counters["ratio"] = median_ratio(times[slowest], times[fastest]);
    state.counters["target"] = 1.3;
  }
}

}  // namespace

void add_paper_dense_rows() {
  add_row("paper mixture", mixture);
  add_row("paper gelu layers", gelu_layers);
  add_row("paper rational", rational);
}

void add_shape_rows() { add_row("rational shapes", rational_shapes); }

}  // namespace bench
