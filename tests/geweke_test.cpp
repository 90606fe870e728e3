// Gibbs sampling against its own model: parameters and data.
#include "sampler_data.h"
#include "thorough.h"

#include <gradus/core/run/session.h>
#include <gradus/models/training/sampler.h>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <utility>
#include <vector>

using namespace gradus;

// Geweke, "Getting it right: joint distribution tests of posterior simulators", JASA 2004: parameters and data drawn
// from the prior, and parameters drawn by the sampler in turn with data given them, have one distribution.
TEST_CASE("Geweke's joint test") {
  constexpr HyperPrior prior{.a = 30, .g = 30, .b = 5, .mu0 = 0.3, .lambda_w0 = 2};
  constexpr std::int64_t n = 30;
  std::mt19937_64 random(11);
  std::normal_distribution<double> normal;
  const auto gamma = [&] { return std::gamma_distribution<double>(prior.a / 2, 2 / prior.g)(random); };
  for (const std::pair<ModelKind, RowKind>& tried :
       {std::pair(ModelKind::fm, RowKind::pairs), std::pair(ModelKind::fm, RowKind::mixed),
        std::pair(ModelKind::higher_order, RowKind::mixed), std::pair(ModelKind::field_aware, RowKind::mixed)})
    for (const Task task : {Task::regression, Task::binary}) {
      const ModelKind of_model = tried.first;
      const RowKind kind = tried.second;
      const bool is_other = of_model == ModelKind::fm && kind == RowKind::mixed;
      if (!thorough() && is_other != (task == Task::binary)) continue;  // each model, and each task, once
      CAPTURE(to_string(of_model));
      CAPTURE(static_cast<int>(kind));
      CAPTURE(static_cast<int>(task));
      Rows data = data_of(kind, n);
      const std::vector<Index> group = groups_of(kind);
      const auto p = std::ssize(group);
      const auto groups = static_cast<std::size_t>(group.back()) + 1;
      Graph graph;
      ModelOptions options = small_model(of_model, kind, 2);
      options.task = task;
      const Model model = make_model(graph, p, options);
      const auto k = static_cast<std::size_t>(model.parameters[2].shape()[1]);
      Session session(graph, Device::cpu(), {.threads = 1});

      std::vector<float> mu(groups * (1 + k));
      double alpha = 1;
      const auto draw_prior = [&] {
        std::vector<double> lambda;
        for (float& each : mu) {
          lambda.push_back(gamma());
          each = static_cast<float>(prior.mu0 + normal(random) / std::sqrt(prior.b * lambda.back()));
        }
        alpha = gamma();
        const auto parameter = [&](std::size_t i, std::size_t c) {
          const std::size_t at = static_cast<std::size_t>(group[i]) * (1 + k) + c;
          return static_cast<float>(static_cast<double>(mu[at]) + normal(random) / std::sqrt(lambda[at]));
        };
        std::vector<float> W, V;
        for (std::size_t i = 0; i < group.size(); ++i) {
          W.push_back(parameter(i, 0));
          for (std::size_t f = 0; f < k; ++f) V.push_back(parameter(i, 1 + f));
        }
        session.assign(
            model.parameters[0],
            Tensor::from(std::vector<float>{static_cast<float>(normal(random) / std::sqrt(prior.lambda_w0))}));
        session.assign(model.parameters[1], Tensor::from(W));
        session.assign(model.parameters[2], Tensor::from(V, {p, static_cast<std::int64_t>(k)}));
      };
      const auto draw_data = [&] {
        const Tensor y_hat = session.run(model.y_hat, {{model.X, data.x}});
        std::vector<float> y;
        for (const double mean : y_hat) {
          const double z = mean + normal(random) / std::sqrt(task == Task::binary ? 1 : alpha);
          y.push_back(static_cast<float>(task == Task::binary ? (z > 0 ? 1 : -1) : z));
        }
        data.y = Tensor::from(y, {n, 1});
      };
      const auto look = [&] {
        const Tensor W = session.value(model.parameters[1]), V = session.value(model.parameters[2]);
        const double w0 = session.value(model.parameters[0]).item();
        std::vector<double> out{w0, w0 * w0, alpha, W.at(0), W.at(p - 1), W.at(6) * W.at(6), V.at(1, 0), V.at(6, 1)};
        out.insert(out.end(), {V.at(2, 1) * V.at(2, 1), V.at(1, 0) * V.at(6, 0), V.at(1, 0) * V.at(1, 1)});
        out.insert(out.end(), {data.y.at(0, 0), data.y.at(0, 0) * w0, data.y.at(3, 0) * data.y.at(4, 0)});
        out.insert(out.end(), {static_cast<double>(mu[0]), static_cast<double>(mu[1]) * static_cast<double>(mu[1])});
        return out;
      };
      // Means of batches: the draws of a chain hang together, those of long batches hardly.
      constexpr std::size_t batches = 20, batch = 400;
      const auto run = [&](const auto& step) {
        std::vector<std::vector<double>> means;
        for (std::size_t b = 0; b < batches; ++b) {
          std::vector<double> mean;
          for (std::size_t i = 0; i < batch; ++i) {
            step(static_cast<std::int64_t>(b * batch + i));
            const std::vector<double> now = look();
            mean.resize(now.size());
            for (std::size_t j = 0; j < now.size(); ++j) mean[j] += now[j] / batch;
          }
          means.push_back(mean);
        }
        return means;
      };
      const auto from_prior = run([&](std::int64_t) {
        draw_prior();
        draw_data();
      });
      const auto from_chain = run([&](std::int64_t iteration) {
        Sampler sampler(session, model, options, data, {.prior = prior, .group = group, .seed = 6});
        std::copy(mu.begin(), mu.end(), sampler.means().begin());
        sampler.iterate(iteration);
        std::copy(sampler.means().begin(), sampler.means().end(), mu.begin());
        if (task == Task::regression) alpha = sampler.alpha();
        draw_data();
      });
      for (std::size_t j = 0; j < from_prior[0].size(); ++j) {
        if (task == Task::binary && j == 2) continue;  // there is no alpha
        CAPTURE(j);
        double difference = 0, variance = 0;
        for (const auto& means : {from_prior, from_chain}) {
          double mean = 0, squares = 0;
          for (const auto& each : means) mean += each[j] / batches;
          for (const auto& each : means) squares += (each[j] - mean) * (each[j] - mean);
          variance += squares / (batches * (batches - 1));
          difference = mean - difference;
        }
        CHECK(std::abs(difference) < 5 * std::sqrt(variance));  // 124 of these: none by chance
      }
    }
}
