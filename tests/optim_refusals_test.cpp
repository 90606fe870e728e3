// What optimizers refuse, word for word.
#include "refusal.h"
#include "special_values.h"

#include <gradus/core/error.h>
#include <gradus/gradus.h>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <cmath>
#include <string>
#include <vector>

namespace gradus {
namespace {

TEST_CASE("options out of range") {
  const auto said = [](auto f) { return refusal<ValueError>(f); };
  CHECK(said([] { GradientDescent(-0.1); }) ==
        "GradientDescent: the learning rate is -0.1; a number of at least 0 is expected");
  CHECK(said([] { GradientDescent{not_a_number}; }) ==
        "GradientDescent: the learning rate is nan; a number of at least 0 is expected");
  CHECK(said([] { Adagrad{infinity}; }) == "Adagrad: the learning rate is inf; a number of at least 0 is expected");
  CHECK(said([] { Ftrl(0); }) == "Ftrl: the learning rate is 0; a number above 0 is expected");
  CHECK(said([] { Momentum(-1); }) == "Momentum: the learning rate is -1; a number of at least 0 is expected");
  CHECK(said([] { Adadelta(-1); }) == "Adadelta: the learning rate is -1; a number of at least 0 is expected");
  CHECK(said([] { RMSProp(-1); }) == "RMSProp: the learning rate is -1; a number of at least 0 is expected");
  CHECK(said([] { Adam(-1); }) == "Adam: the learning rate is -1; a number of at least 0 is expected");
  CHECK(said([] { AdamW(-1); }) == "AdamW: the learning rate is -1; a number of at least 0 is expected");

  CHECK(said([] { Momentum(0.1, {.momentum = 1}); }) == "Momentum: momentum is 1; a number in [0, 1) is expected");
  CHECK(said([] { Adagrad(0.1, {.initial_accumulator = 0}); }) ==
        "Adagrad: initial_accumulator is 0; a number above 0 is expected");
  CHECK(said([] { Adadelta(0.1, {.rho = -0.5}); }) == "Adadelta: rho is -0.5; a number in [0, 1) is expected");
  CHECK(said([] { Adadelta(0.1, {.epsilon = 0}); }) == "Adadelta: epsilon is 0; a number above 0 is expected");
  CHECK(said([] { RMSProp(0.1, {.decay = 1.5}); }) == "RMSProp: decay is 1.5; a number in [0, 1) is expected");
  CHECK(said([] { RMSProp(0.1, {.momentum = not_a_number}); }) ==
        "RMSProp: momentum is nan; a number in [0, 1) is expected");
  CHECK(said([] { RMSProp(0.1, {.epsilon = -1}); }) == "RMSProp: epsilon is -1; a number of at least 0 is expected");
  CHECK(said([] { Adam(0.1, {.beta1 = 1}); }) == "Adam: beta1 is 1; a number in [0, 1) is expected");
  CHECK(said([] { Adam(0.1, {.beta2 = -0.1}); }) == "Adam: beta2 is -0.1; a number in [0, 1) is expected");
  CHECK(said([] { Adam(0.1, {.epsilon = infinity}); }) == "Adam: epsilon is inf; a number of at least 0 is expected");
  CHECK(said([] { AdamW(0.1, {.beta2 = 2}); }) == "AdamW: beta2 is 2; a number in [0, 1) is expected");
  CHECK(said([] { AdamW(0.1, {.weight_decay = -1}); }) ==
        "AdamW: weight_decay is -1; a number of at least 0 is expected");
  CHECK(said([] { Ftrl(0.1, {.learning_rate_power = 0.5}); }) ==
        "Ftrl: learning_rate_power is 0.5; a number of at most 0 is expected");
  CHECK(said([] { Ftrl(0.1, {.initial_accumulator = -1}); }) ==
        "Ftrl: initial_accumulator is -1; a number of at least 0 is expected");
  CHECK(said([] { Ftrl(0.1, {.l1 = -1}); }) == "Ftrl: l1 is -1; a number of at least 0 is expected");
  CHECK(said([] { Ftrl(0.1, {.l2 = not_a_number}); }) == "Ftrl: l2 is nan; a number of at least 0 is expected");
  CHECK(said([] { Ftrl(0.1, {.l2_shrinkage = -1}); }) ==
        "Ftrl: l2_shrinkage is -1; a number of at least 0 is expected");
}

TEST_CASE("losses and variables that do not fit") {
  const auto said = [](auto f) { return refusal<TypeError>(f); };
  Graph g;
  const int line = __LINE__ + 1;
  const Expr w = g.variable("w", Tensor({1, 2}));
  const Expr v = g.variable("v", Tensor({1, 2}));
  const Expr n = g.variable("n", Tensor({1, 2}, int64), {.trainable = false});
  const Expr wide = square(w);
  const Expr loss = reduce_sum(wide);
  const std::string at_w = here(line), at_v = here(line + 1), at_n = here(line + 2), at_wide = here(line + 3),
                    at_loss = here(line + 4);
  Adagrad adagrad(0.1);

  CHECK(said([&] { adagrad.minimize({}); }) ==
        "minimize: the loss is no expression; a floating scalar is expected (reduce_mean or reduce_sum makes one)");
  CHECK(said([&] { adagrad.minimize(wide); }) ==
        fmt::format("minimize: the loss is square: float32 [2] ({}); a floating scalar is expected (reduce_mean or "
                    "reduce_sum makes one)",
                    at_wide));
  const int counted_line = __LINE__ + 1;
  const Expr counted = reduce_sum(n);
  CHECK(said([&] { adagrad.minimize(counted); }) ==
        fmt::format("minimize: the loss is reduce_sum_1: int64 [] ({}); a floating scalar is expected (reduce_mean or "
                    "reduce_sum makes one)",
                    here(counted_line)));

  // v is trainable, so it is meant where nothing is named.
  const std::string unconnected = fmt::format("gradients: reduce_sum ({}) does not depend on v ({})", at_loss, at_v);
  CHECK(said([&] { adagrad.minimize(loss); }) == unconnected);
  CHECK(said([&] { adagrad.minimize(loss, {.variables = {w, v}}); }) == unconnected);
  CHECK(said([&] { adagrad.minimize(loss, {.variables = {n}}); }) ==
        fmt::format("gradients: n: int64 [2] ({}) is not of a floating dtype", at_n));
  CHECK(said([&] {
          adagrad.minimize(loss, {.variables = {w, wide}});
        }) == fmt::format("minimize: square: float32 [2] ({}) is not a variable", at_wide));
  CHECK(said([&] { adagrad.minimize(loss, {.variables = {Expr()}}); }) == "minimize: no expression is not a variable");
  CHECK(said([&] {
          adagrad.minimize(loss, {.variables = {w, w}});
        }) ==
        fmt::format("minimize: the variable w ({}) is named twice; once is expected, with the sum of its gradients",
                    at_w));

  Graph other;
  const int other_line = __LINE__ + 1;
  const Expr u = other.variable("u", Tensor({1, 2}));
  CHECK(said([&] { adagrad.minimize(loss, {.variables = {u}}); }) ==
        fmt::format("gradients: reduce_sum: float32 [] ({}) and u: float32 [2] ({}) belong to different graphs",
                    at_loss, here(other_line)));
  Graph without;
  const Expr alone = without.constant(Tensor(1.0));
  CHECK(said([&] { adagrad.minimize(alone); }) ==
        fmt::format("minimize: the graph of {} has no trainable variable", to_string(alone)));

  // Nothing refused has left anything behind.
  CHECK(g.variables().size() == 3);
  adagrad.minimize(loss, {.variables = {w}});
  CHECK(said([&] { adagrad.minimize(reduce_sum(u)); }) ==
        "Adagrad: an optimizer keeps the slots of one graph; make another for the second");
}

TEST_CASE("gradients that do not fit") {
  const auto said = [](std::vector<GradientOf> pairs) {
    return refusal<TypeError>([&] { Adam(0.1).apply_gradients(pairs); });
  };
  Graph g, other;
  const int line = __LINE__ + 1;
  const Expr w = g.variable("w", Tensor({1, 2}));
  const Expr n = g.variable("n", Tensor({1, 2}, int64), {.trainable = false});
  const Expr d = g.placeholder("d", {2});
  const Expr d64 = g.placeholder("d64", {2}, float64);
  const Expr d3 = g.placeholder("d3", {3});
  const Expr one = g.placeholder("one", {});
  const Expr dn = g.placeholder("dn", {2}, int64);
  const Expr u = other.variable("u", Tensor({1, 2}));
  const Expr du = other.placeholder("du", {2});
  const Expr m = g.variable("m", zeros({2, 2}));
  const Expr dm = g.sparse_placeholder("dm", {2, 2});
  const auto at = [&](int i) { return here(line + i); };

  CHECK(said({}) == "apply_gradients: the list is empty; there is no gradient to apply");
  CHECK(said({{d, d}}) == fmt::format("apply_gradients: d: float32 [2] ({}) is not a variable", at(2)));
  CHECK(said({{{}, w}}) == fmt::format("apply_gradients: the variable w ({}) has no gradient", at(0)));
  CHECK(said({{d, {}}}) == "apply_gradients: no expression is not a variable");
  CHECK(said({{d, w}, {d, w}}) ==
        fmt::format("apply_gradients: the variable w ({}) is named twice; once is expected, with the sum of its "
                    "gradients",
                    at(0)));
  CHECK(said({{d64, w}}) ==
        fmt::format("apply_gradients: the variable w ({}) is float32 but its gradient d64 ({}) is float64; cast it",
                    at(0), at(3)));
  CHECK(said({{d3, w}}) ==
        fmt::format("apply_gradients: the variable w ({}) is [2] but its gradient d3 ({}) is [3]", at(0), at(4)));
  CHECK(said({{one, w}}) ==
        fmt::format("apply_gradients: the variable w ({}) is [2] but its gradient one ({}) is []", at(0), at(5)));
  CHECK(said({{dn, n}}) ==
        fmt::format("apply_gradients: the variable n ({}) is int64; float32 or float64 is expected", at(1)));
  CHECK(said({{d, w}, {d, u}}) ==
        fmt::format("apply_gradients: u ({}) belongs to another graph than w ({})", at(7), at(0)));
  CHECK(said({{du, w}}) == fmt::format("apply_gradients: du ({}) belongs to another graph than w ({})", at(8), at(0)));
  CHECK(said({{dm, m}}) == fmt::format("apply_gradients: the gradient dm ({}) of m is csr; use to_dense", at(10)));

  // What only a run can know: a gradient of unknown size does not broadcast.
  const Expr some = g.placeholder("some", {any});
  const Expr train = Adam(0.1).apply_gradients(std::vector<GradientOf>{{some, w}});
  Session session(g);
  CHECK_THROWS_AS(session.run(train, {{some, Tensor({1})}}), TypeError);
  CHECK(session.value(w) == Tensor({1, 2}));
  session.run(train, {{some, Tensor({1, 1})}});
  CHECK(session.value(w) != Tensor({1, 2}));
}

TEST_CASE("steps and rates that do not fit") {
  const auto said = [](auto f) { return refusal<TypeError>(f); };
  Graph g, other;
  const Expr w = g.variable("w", Tensor({1, 2}));
  const Expr loss = reduce_sum(square(w));
  const int line = __LINE__ + 1;
  const Expr floating = g.variable("floating", Tensor(0.0));
  const Expr several = g.variable("several", zeros({1}, int64), {.trainable = false});
  const Expr fed = g.placeholder("fed", {}, int64);
  const Expr elsewhere = other.placeholder("elsewhere", {});
  const Expr rates = g.placeholder("rates", {2});
  const auto at = [&](int i) { return here(line + i); };

  constexpr std::string_view step =
      "apply_gradients: the step is {}; an int64 scalar variable of the same graph is "
      "expected";
  const auto counted_by = [&](const Expr& counter) {
    return [&, counter] { Adam(0.1).minimize(loss, {.variables = {w}, .step = counter}); };
  };
  CHECK(said(counted_by(floating)) == fmt::format(step, fmt::format("floating: float32 [] ({})", at(0))));
  CHECK(said(counted_by(several)) == fmt::format(step, fmt::format("several: int64 [1] ({})", at(1))));
  CHECK(said(counted_by(fed)) == fmt::format(step, fmt::format("fed: int64 [] ({})", at(2))));

  constexpr std::string_view rate =
      "Adam: the learning rate is {}; a number or a floating scalar of the same graph is expected";
  const auto at_rate = [&](const Operand& given) {
    return [&, given] { Adam(given).minimize(loss, {.variables = {w}}); };
  };
  CHECK(said(at_rate(fed)) == fmt::format(rate, fmt::format("fed: int64 [] ({})", at(2))));
  CHECK(said(at_rate(elsewhere)) == fmt::format(rate, fmt::format("elsewhere: float32 [] ({})", at(3))));
  CHECK(said(at_rate(rates)) == fmt::format(rate, fmt::format("rates: float32 [2] ({})", at(4))));
  CHECK(said(at_rate(Expr())) == fmt::format(rate, "no expression"));
}

}  // namespace
}  // namespace gradus
