// Spellings of a factorization machine on a sparse batch, and of the optimizers that train it.
#include "spellings.h"

#include <gradus/optim/update.h>

#include <cmath>
#include <memory>
#include <utility>

namespace gradus {

namespace {

constexpr std::int64_t k = 16;

// The parts of the machine's formula that have several spellings.
struct Words {
  Expr (*factors)(const Expr& V) = [](const Expr& V) { return V; };
  Expr (*square_of_factors)(const Expr& V) = [](const Expr& V) { return square(V); };
  Expr (*square_of_batch)(const Expr& X) = [](const Expr& X) { return square(X); };
  Expr (*half_of_sums)(const Expr& x) = [](const Expr& x) { return 0.5 * reduce_sum(x, 1, keep_dims); };
  Expr (*squared_error)(const Expr& y_hat, const Expr& y) = [](const Expr& y_hat, const Expr& y) {
    return square(y_hat - y);
  };
};

Expr machine_loss(SpelledStep& s, const Words& words = {}) {
  const Expr X = s.batch();
  const Expr w0 = s.normal("w0", {1});
  const Expr W = s.normal("W", {s.sizes.features}, 0.1);
  const Expr V = words.factors(s.normal("V", {s.sizes.features, k}, 0.1));
  const Expr squares = matmul(words.square_of_batch(X), words.square_of_factors(V));             // [n, k]
  const Expr interactions = words.half_of_sums(square(matmul(X, V)) - squares);                  // [n, 1]
  const Expr y_hat = w0 + reduce_sum(X * W, 1, keep_dims) + interactions;                        // [n, 1]
  return reduce_mean(words.squared_error(y_hat, s.data("y", {s.sizes.rows, std::int64_t{1}})));  // []
}

Writing machine(const Words& words = {}) {
  return [words](SpelledStep& s) {
    s.loss = machine_loss(s, words);
    s.train = Adagrad(0.1).minimize(s.loss);
  };
}

Spelling machine_spelling(std::string name, std::string usual_text, std::string other_text, const Words& words) {
  return {std::move(name), std::move(usual_text), std::move(other_text), machine(), machine(words)};
}

Spelling other_factors(std::string name, std::string other_text, Expr (*factors)(const Expr& V)) {
  Spelling spelling = machine_spelling(std::move(name), "V", std::move(other_text), {.factors = factors});
  spelling.tolerance = 0;
  return spelling;
}

// A table's rows that a batch looks up.
Writing look_up(Expr (*rows)(SpelledStep& s, const Expr& table)) {
  return [rows](SpelledStep& s) {
    const Expr found = rows(s, s.normal("V", {s.sizes.features, k}));  // [n, k]
    s.loss = reduce_mean(square(found - s.data("t", {s.sizes.rows, k})));
    s.train = Adagrad(0.1).minimize(s.loss);
  };
}

Spelling rows_of_table() {
  Spelling spelling{
      "rows, one-hot", "gather(V, i)", "matmul(X, V)",
      look_up([](SpelledStep& s, const Expr& table) { return gather(table, s.first_feature()); }),
      look_up([](SpelledStep& s, const Expr& table) { return matmul(s.first_feature_one_hot(), table); })};
  spelling.stores_more = "a product first gathers the rows that it reads";
  return spelling;
}

// --- optimizers ------------------------------------------------------------------------------------------

constexpr double rate = 0.01, decay = 0.9, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8;

enum class Rate : std::uint8_t { plain, corrected };  // corrected as Adam's for the averages' start at 0

// An optimizer as users write their own: the formula is called with what a variable's update is written in.
template <class Formula>
class Written final : public Optimizer {
 public:
  Written(Formula formula, Rate corrected)
      : Optimizer("Written", rate), formula_(std::move(formula)), corrected_(corrected) {}

 private:
  void update(Update& u) const override { formula_(u); }
  Operand step_size(Step& step) const override {
    if (corrected_ == Rate::plain) return Optimizer::step_size(step);
    const Expr t = step.number();
    return step.rate() * sqrt(1 - pow(beta2, t)) / (1 - pow(beta1, t));
  }

  Formula formula_;
  Rate corrected_;
};

template <class Formula>
std::shared_ptr<Optimizer> written(Formula formula, Rate corrected = Rate::plain) {
  return std::make_shared<Written<Formula>>(std::move(formula), corrected);
}

Writing trained_by(std::function<std::shared_ptr<Optimizer>()> make) {
  return [make = std::move(make)](SpelledStep& s) {
    s.loss = machine_loss(s);
    s.train = make()->minimize(s.loss);
  };
}

Spelling optimizer(std::string name, std::function<std::shared_ptr<Optimizer>()> usual, std::string other_text,
                   std::function<std::shared_ptr<Optimizer>()> other) {
  Spelling spelling{name, "ours", std::move(other_text), trained_by(std::move(usual)), trained_by(std::move(other))};
  spelling.target = 1.6;
  return spelling;
}

template <class Ours, class... Options>
auto ours(const Options&... options) {
  return [=]() -> std::shared_ptr<Optimizer> { return std::make_shared<Ours>(rate, options...); };
}

std::vector<Spelling> of_one_state() {
  return {
      optimizer("descent, sum", ours<GradientDescent>(), "w + -rate * g",
                [] { return written([](auto& u) { u.set(u.variable(), u.old(u.variable()) + -rate * u.g()); }); }),
      optimizer("descent, order", ours<GradientDescent>(), "w - g * rate",
                [] { return written([](auto& u) { u.set(u.variable(), u.old(u.variable()) - u.g() * rate); }); }),
      optimizer("momentum, Keras", ours<Momentum>(), "v = momentum * v - rate * g; w = w + v",
                [] {
                  return written([](auto& u) {
                    const Expr velocity = u.slot("velocity", 0);
                    const Expr v = u.set(velocity, decay * u.old(velocity) - rate * u.g());
                    u.set(u.variable(), u.old(u.variable()) + v);
                  });
                }),
      optimizer("Adagrad, quotient", ours<Adagrad>(), "w - rate * (g / sqrt(acc))",
                [] {
                  return written([](auto& u) {
                    const Expr accumulator = u.slot("accumulator", 0.1);
                    const Expr a = u.set(accumulator, u.g() * u.g() + u.old(accumulator));
                    u.set(u.variable(), u.old(u.variable()) - rate * (u.g() / sqrt(a)));
                  });
                }),
      optimizer("Adagrad, rsqrt", ours<Adagrad>(), "w - rate * (g * rsqrt(acc))",
                [] {
                  return written([](auto& u) {
                    const Expr accumulator = u.slot("accumulator", 0.1);
                    const Expr a = u.set(accumulator, u.old(accumulator) + square(u.g()));
                    u.set(u.variable(), u.old(u.variable()) - rate * (u.g() * rsqrt(a)));
                  });
                }),
      optimizer("RMSProp, Keras", ours<RMSProp>(), "v + (1 - decay) * (g^2 - v), w - rate * g * rsqrt(v + epsilon)",
                [] {
                  return written([](auto& u) {
                    const Expr rms = u.slot("rms", 1);
                    const Expr old = u.old(rms);
                    const Expr v = u.set(rms, old + (1 - decay) * (square(u.g()) - old));
                    u.set(u.variable(), u.old(u.variable()) - rate * u.g() * rsqrt(v + 1e-10));
                  });
                }),
  };
}

// m and v as Keras has them: m += (g - m) * (1 - beta1), v += (g^2 - v) * (1 - beta2).
template <class Update>
Expr adam_as_keras(Update& u) {
  const Expr mean = u.slot("m", 0), mean_square = u.slot("v", 0);
  const Expr old_m = u.old(mean), old_v = u.old(mean_square);
  const Expr m = u.set(mean, old_m + (u.g() - old_m) * (1 - beta1));
  const Expr v = u.set(mean_square, old_v + (square(u.g()) - old_v) * (1 - beta2));
  return m * u.step_size() / (sqrt(v) + epsilon);
}

std::vector<Spelling> of_two_states() {
  return {
      optimizer("Adam, Keras", ours<Adam>(), "m + (g - m) * (1 - beta1), ...",
                [] {
                  return written([](auto& u) { u.set(u.variable(), u.old(u.variable()) - adam_as_keras(u)); },
                                 Rate::corrected);
                }),
      optimizer("AdamW, Keras", ours<AdamW>(), "w - w * decay * rate, then Adam's",
                [] {
                  return written(
                      [](auto& u) {
                        const Expr w = u.old(u.variable());
                        const Expr decayed = w - w * 0.004 * rate;
                        u.set(u.variable(), decayed - adam_as_keras(u));
                      },
                      Rate::corrected);
                }),
      optimizer("Ftrl, Keras", ours<Ftrl>(FtrlOptions{.l1 = 1e-4, .l2 = 1e-3}),
                "(clip_by_value(z, -l1, l1) - z) / (sqrt(n) / rate + 2 * l2)",
                [] {
                  return written([](auto& u) {
                    const Expr accum = u.slot("accum", 0.1), linear = u.slot("linear", 0);
                    const Expr before = u.old(accum);
                    const Expr n = u.set(accum, before + u.g() * u.g());
                    const Expr z =
                        u.set(linear, u.old(linear) + u.g() - (sqrt(n) - sqrt(before)) / rate * u.old(u.variable()));
                    u.set(u.variable(), (clip_by_value(z, -1e-4, 1e-4) - z) / (sqrt(n) / rate + 2 * 1e-3));
                  });
                }),
  };
}

// Lion: the sign of one average is the step, another is kept (Chen et al. 2023, algorithm 2).
std::shared_ptr<Optimizer> lion() {
  return written([](auto& u) {
    const Expr mean = u.slot("m", 0);
    const Expr old = u.old(mean);
    const Expr direction = sign(beta1 * old + (1 - beta1) * u.g());
    u.set(mean, beta2 * old + (1 - beta2) * u.g());
    u.set(u.variable(), u.old(u.variable()) - rate * direction);
  });
}
std::shared_ptr<Optimizer> lion_otherwise() {
  return written([](auto& u) {
    const Expr mean = u.slot("m", 0);
    const Expr old = u.old(mean);
    const Expr direction = sign(old + (u.g() - old) * (1 - beta1));
    u.set(u.variable(), u.old(u.variable()) - direction * rate);
    u.set(mean, old + (u.g() - old) * (1 - beta2));
  });
}

}  // namespace

std::vector<Spelling> sparse_spellings() {
  return {
      other_factors("FM, half of V", "0.5 * V", [](const Expr& V) { return 0.5 * V; }),
      other_factors("FM, tanh of V", "tanh(V)", [](const Expr& V) { return tanh(V); }),
      machine_spelling("FM, V by V", "square(V)", "V * V", {.square_of_factors = [](const Expr& V) { return V * V; }}),
      machine_spelling("FM, power of V", "square(V)", "pow(V, 2)",
                       {.square_of_factors = [](const Expr& V) { return pow(V, 2); }}),
      machine_spelling("FM, square of |V|", "square(V)", "square(abs(V))",
                       {.square_of_factors = [](const Expr& V) { return square(abs(V)); }}),
      machine_spelling("FM, X by X", "square(X)", "X * X", {.square_of_batch = [](const Expr& X) { return X * X; }}),
      machine_spelling("FM, half within", "0.5 * reduce_sum(a - b, 1)", "reduce_sum(0.5 * (a - b), 1)",
                       {.half_of_sums = [](const Expr& x) { return reduce_sum(0.5 * x, 1, keep_dims); }}),
      machine_spelling("FM, half as quotient", "0.5 * reduce_sum(a - b, 1)", "reduce_sum(a - b, 1) / 2",
                       {.half_of_sums = [](const Expr& x) { return reduce_sum(x, 1, keep_dims) / 2; }}),
      machine_spelling("FM, error, order", "square(y_hat - y)", "square(y - y_hat)",
                       {.squared_error = [](const Expr& y_hat, const Expr& y) { return square(y - y_hat); }}),
      rows_of_table(),
  };
}

std::vector<Spelling> optimizer_spellings() {
  std::vector<Spelling> all = of_one_state();
  const std::vector<Spelling> two = of_two_states();
  all.insert(all.end(), two.begin(), two.end());
  all.push_back(optimizer("Lion, order", lion, "m + (g - m) * (1 - beta), ...", lion_otherwise));
  return all;
}

}  // namespace gradus
