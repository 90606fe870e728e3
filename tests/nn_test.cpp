// Ops of nn.h that no table of values holds: what is fed, kept or drawn; and what is refused.
#include "emulator/emulated_accelerator.h"
#include "refusal.h"

#include <gradus/gradus.h>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>
#include <string>
#include <vector>

namespace gradus {
namespace {

TEST_CASE("gelu of the greatest numbers is what they are, or 0") {
  Graph g;
  const double greatest = std::numeric_limits<float>::max();
  const Expr x = g.placeholder("x", {2});
  for (const bool approximate : {false, true})
    CHECK(Session(g).run(gelu(x, approximate), {{x, Tensor({greatest, -greatest})}}) == Tensor({greatest, 0}));
}

TEST_CASE("dropout at a rate that is fed") {
  for (const Device& device : devices_to_try()) {
    for (const DType dtype : {float32, float64}) {
      Graph g;
      const int line = __LINE__;
      const Expr x = g.placeholder("x", {any}, dtype), rate = g.placeholder("rate", {});
      const Expr y = dropout(x, rate, 3);
      CHECK(y.type() == x.type());
      Session session(g, device);
      const Tensor fed = full({4000}, 3, dtype);
      const auto [value, slope] = session.run({y, gradients(y, {x})[0]}, {{x, fed}, {rate, 0.25}});
      const auto kept = std::count_if(value.begin(), value.end(), [](double v) { return v != 0; });
      for (const double v : value) CHECK_MESSAGE((v == 0 || v == doctest::Approx(4)), v);
      CHECK(std::abs(static_cast<double>(kept) - 3000) < 5 * std::sqrt(4000 * 0.75 * 0.25));
      CHECK(allclose(value, session.run(3 * x, {{x, slope}})));
      CHECK(session.run(y, {{x, fed}, {rate, 0}}) == fed);
      for (const double wrong : {1.0, -0.5, std::nan("")})
        CHECK(refusal<ValueError>([&] {
                session.run(y, {{x, fed}, {rate, wrong}});
              }).starts_with("Assert: (logical_and, " + here(line + 2) + ") does not hold: the rate of dropout lies"));
    }
  }
  Graph g;
  const int line = __LINE__ + 1;
  const Expr x = g.placeholder("x", {2});
  CHECK(refusal<ValueError>([&] { dropout(x, 1.0); }) == "dropout: rate is 1; it lies in [0, 1)");
  CHECK(refusal([&] { dropout(x, x); }) ==
        "dropout: rate is x: float32 [2] (" + here(line) + "); a floating scalar is expected");
}

// The batch's moments in training, the moving ones else; these go 0.9 of the way that they were.
TEST_CASE("batch normalization keeps moving moments") {
  Graph g;
  const Expr x = g.placeholder("x", {any, 2}), training = g.placeholder("training", {}, boolean);
  const MovingMoments moving{g.variable("mean", zeros({2}), {.trainable = false}),
                             g.variable("variance", ones({2}), {.trainable = false})};
  const Expr beta = g.variable("beta", Tensor({1, 0})), gamma = g.variable("gamma", Tensor({2, 1}));
  const BatchNormalized y = batch_normalization(x, moving, beta, gamma, training, {.momentum = 0.9, .epsilon = 0});
  Session session(g);
  const Tensor batch({{1, 10}, {3, 30}});  // means 2 and 20, variances 1 and 100
  const auto [trained, none] = session.run({y.y, y.update}, {{x, batch}, {training, true}});
  CHECK(allclose(trained, Tensor({{-1, -1}, {3, 1}})));
  CHECK(allclose(session.value(moving.mean), Tensor({0.2, 2})));
  CHECK(allclose(session.value(moving.variance), Tensor({1, 10.9})));
  const auto [predicted, still] = session.run({y.y, y.update}, {{x, batch}, {training, false}});
  CHECK(allclose(predicted, Tensor({{2.6, 8 / std::sqrt(10.9)}, {6.6, 28 / std::sqrt(10.9)}})));
  CHECK(allclose(session.value(moving.mean), Tensor({0.2, 2})));
  // In prediction no moments of the batch are computed.
  CHECK(session.explain(y.y, {{x, batch}, {training, false}}).find("reduce_sum(") == std::string::npos);
  // Shifting a batch does not move what is made of it.
  const Expr dx = gradients(reduce_sum(square(y.y)), {x})[0];
  CHECK(allclose(session.run(reduce_sum(dx, 0), {{x, batch}, {training, true}}), zeros({2}), 0, 1e-5));

  const int line = __LINE__ + 1;
  const Expr k = g.placeholder("k", {any, 3});
  CHECK(refusal([&] { batch_normalization(k, moving, 0, 1, true); }) ==
        "batch_normalization: x is k: float32 [?, 3] (" + here(line) +
            ") but mean has moving moments of shape [2]; a number for each place of x's last axis is expected, and "
            "another axis before it");
  CHECK(refusal([&] { batch_normalization(x, {x, x}, 0, 1, true); }).find("is not a variable") != std::string::npos);
  CHECK(refusal<ValueError>([&] { batch_normalization(x, moving, 0, 1, true, {.momentum = 2}); }) ==
        "batch_normalization: momentum is 2; it lies in [0, 1]");
}

TEST_CASE("classes of a cross entropy are checked") {
  for (const Device& device : devices_to_try()) {
    Graph g;
    const int line = __LINE__;
    const Expr labels = g.placeholder("labels", {any}, int32), x = g.placeholder("x", {any, 3});
    const Expr y = sparse_softmax_cross_entropy_with_logits(labels, x);
    Session session(g, device);
    CHECK(refusal<ValueError>([&] {
            session.run(y, {{labels, Tensor({0, 3}, int32)}, {x, zeros({2, 3})}});
          }) == "gather: index 3 in (labels, " + here(line + 1) +
                    ") is out of range for a dimension of 3; indices go from 0 to 2");
    CHECK(refusal([&] {
            session.run(y, {{labels, Tensor({0}, int32)}, {x, zeros({2, 3})}});
          }).find("reshape_like") == 0);
    CHECK(refusal([&] { sparse_softmax_cross_entropy_with_logits(x, x); }) ==
          "sparse_softmax_cross_entropy_with_logits: labels is x: float32 [?, 3] (" + here(line + 1) +
              "); the numbers of classes, int32 or int64, are expected");
    const std::string shapes = "labels of the shape of logits without its last axis are expected";
    CHECK(refusal([&] {
            sparse_softmax_cross_entropy_with_logits(reshape(labels, {4}), reshape(x, {5, 3}));
          }).find(shapes) != std::string::npos);
    CHECK(refusal([&] { sparse_softmax_cross_entropy_with_logits(expand_dims(labels, 1), x); }).find(shapes) !=
          std::string::npos);
  }
}

TEST_CASE("the candidate sampler draws by Zipf's law, the same on every device") {
  Graph g;
  const Expr truth = g.placeholder("truth", {any, 1}, int64);
  const SampledCandidates all = log_uniform_candidate_sampler(truth, 1, 2000, false, 20, 5);
  const SampledCandidates unique = log_uniform_candidate_sampler(truth, 1, 8, true, 10);
  Session session(g), on_device(g, emulated_device());
  const Feeds feeds = {{truth, Tensor({{0}, {9}}, int64)}};
  const auto [classes, expected, of_truth] =
      session.run({all.sampled_candidates, all.sampled_expected_count, all.true_expected_count}, feeds);
  std::vector<int> count(20);
  for (const double c : classes) ++count.at(static_cast<std::size_t>(c));
  const auto p = [](int c) { return std::log((c + 2.0) / (c + 1)) / std::log(21.0); };
  for (int c = 0; c < 20; ++c)
    CHECK_MESSAGE(std::abs(count[static_cast<std::size_t>(c)] - 2000 * p(c)) < 5 * std::sqrt(2000 * p(c)), c);
  CHECK(of_truth.at({1, 0}) == doctest::Approx(2000 * p(9)));
  CHECK(expected.at({0}) == doctest::Approx(2000 * p(static_cast<int>(classes.at({0})))));

  const auto [few, seen, none] =
      on_device.run({unique.sampled_candidates, unique.sampled_expected_count, unique.true_expected_count}, feeds);
  CHECK(std::set<double>(few.begin(), few.end()).size() == 8);
  for (const double part : seen) CHECK_MESSAGE((part > 0 && part <= 1), part);
  Session again(g);
  CHECK(again.run(unique.sampled_candidates, feeds) == few);
  CHECK(!(again.run(unique.sampled_candidates, feeds) == few));
  CHECK(refusal<ValueError>([&] { log_uniform_candidate_sampler(truth, 1, 11, true, 10); }) ==
        "log_uniform_candidate_sampler: num_sampled is 11 and range_max 10; at least one class of at least one is "
        "drawn, and none twice");
}

TEST_CASE("sampled losses draw their classes, and touch their rows alone") {
  Graph g;
  const Expr W = g.variable("W", random_normal({50, 4}, {.seed = 1})), b = g.variable("b", zeros({50}));
  const Expr labels = g.placeholder("labels", {any, 1}, int64), x = g.placeholder("x", {any, 4});
  const Feeds feeds = {{labels, Tensor({{3}, {7}}, int64)}, {x, Tensor({{1, 0, 0, 1}, {0, 1, 1, 0}})}};
  Session session(g);
  for (const Expr& loss : {sampled_softmax_loss(W, b, labels, x, 5, 50), nce_loss(W, b, labels, x, 5, 50)}) {
    CHECK(loss.shape() == Shape({any}));
    const Expr dW = gradients(loss, {W})[0];
    CHECK(dW.layout() == Layout::rows);
    const auto [value, rows] = session.run({loss, dW}, feeds);
    CHECK(value.shape() == Shape({2}));
    for (const double v : value) CHECK_MESSAGE((std::isfinite(v) && v > 0), v);
    CHECK(rows.index()->count() <= 7);
  }
  CHECK(refusal([&] { nce_loss(W, b, reshape(labels, {any}), x, 5, 50); }).find("int32 or int64 [n, 1] is expected") !=
        std::string::npos);
  CHECK(refusal([&] { nce_loss(W, b, labels, x, 5, 60); }).find("[60, d] and [60] are expected") != std::string::npos);
}

}  // namespace
}  // namespace gradus
