// Gibbs sampling and ALS of what rows have by way of relations: as of rows into which it is written, and errors that
// are carried along as the session has them.
#include "refusal.h"

#include <gradus/core/run/session.h>
#include <gradus/core/tensor/create.h>
#include <gradus/models/training/sampler.h>
#include <gradus/ops/gradients.h>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <random>
#include <string>

using namespace gradus;

namespace {

constexpr std::int64_t people = 7, things = 6, own = people + things + 1;  // and a number in some rows
constexpr std::int64_t traits = 3, liked = things, takers = people;        // by way of people, people and things
constexpr std::int64_t all_features = own + traits + liked + takers;

// What a category's column of X brings along: every feature is there somewhere, and the last person has nothing.
Tensor relations() {
  std::vector<std::int64_t> start{0}, column;
  std::vector<float> value;
  for (std::int64_t i = 0; i < own; ++i) {
    const auto add = [&](std::int64_t feature, float x) {
      column.push_back(feature);
      value.push_back(x);
    };
    if (i < people - 1) {
      add(i % 2, 1);
      add(2, 0.25F * static_cast<float>(i) - 0.6F);
      for (std::int64_t j = 0; j < liked; ++j)
        if ((i * 5 + j) % 3 != 0) add(traits + j, 0.5F);
    } else if (i >= people && i < people + things) {
      for (std::int64_t j = 0; j < takers; ++j)
        if ((i * 3 + j * 2) % 4 != 1) add(traits + liked + j, 0.4F);
    }
    start.push_back(std::ssize(column));
  }
  return Tensor::csr(own, traits + liked + takers, start, column, value);
}

Rows rows_of(std::int64_t n, bool weighted, bool written_out, Task task = Task::regression) {
  const Tensor B = relations().to_dense();
  std::mt19937 random(5);
  std::normal_distribution<float> normal;
  std::vector<std::int64_t> start{0}, column;
  std::vector<float> value, y, weight;
  for (std::int64_t i = 0; i < n; ++i) {
    const auto person = static_cast<std::int64_t>(random() % people),
               thing = static_cast<std::int64_t>(random() % things);
    const auto add = [&](std::int64_t feature, double x) {
      column.push_back(feature);
      value.push_back(static_cast<float>(x));
    };
    const float number = normal(random);
    if (i % 11 != 0) add(person, 1);
    add(people + thing, 1);
    if (i % 3 == 0) add(own - 1, static_cast<double>(number));
    for (std::int64_t j = 0; written_out && j < B.dim(1); ++j)
      if (const double x = (i % 11 != 0 ? B.at(person, j) : 0) + B.at(people + thing, j); x != 0) add(own + j, x);
    start.push_back(std::ssize(column));
    const float mean = std::sin(static_cast<float>(2 * person)) * std::cos(static_cast<float>(thing));
    y.push_back(mean + 0.3F * normal(random));
    if (task == Task::binary) y.back() = y.back() > 0 ? 1.F : -1.F;
    weight.push_back(0.5F + static_cast<float>(i % 3));
  }
  return {Tensor::csr(n, written_out ? all_features : own, start, column, value), Tensor::from(y, {n, 1}),
          weighted ? Tensor::from(weight, {n, 1}) : Tensor()};
}

std::vector<Index> groups() {
  std::vector<Index> out;
  for (const auto& [group, count] :
       {std::pair{0, people}, {1, things}, {2, std::int64_t{1}}, {3, traits}, {4, liked}, {5, takers}})
    out.insert(out.end(), static_cast<std::size_t>(count), static_cast<Index>(group));
  return out;
}

struct RelatedChain {
  RelatedChain(const Rows& rows, ModelOptions of_model, bool with_relations, const SamplerOptions& sampling)
      : data(rows), options(std::move(of_model)) {
    if (with_relations) options.relations = relations();
    model = make_model(graph, data.x.dim(1), options, data.weighted());
    session = std::make_unique<Session>(graph);
    sampler = std::make_unique<Sampler>(*session, model, options, data, sampling);
  }
  Feeds feeds() const {
    if (data.weighted()) return {{model.X, data.x}, {model.y, data.y}, {model.weight, data.weight}};
    return {{model.X, data.x}, {model.y, data.y}};
  }
  std::vector<Tensor> parameters() const {
    std::vector<Tensor> out;
    for (const Expr& parameter : model.parameters) out.push_back(session->value(parameter));
    return out;
  }

  Rows data;
  ModelOptions options;
  Graph graph;
  Model model;
  std::unique_ptr<Session> session;
  std::unique_ptr<Sampler> sampler;
};

ModelOptions related_fm(std::int64_t factors = 5) {
  return {.factors = factors, .init_stddev = 0.3, .seed = 3, .l2_w0 = 0.01, .l2_W = 0.02, .l2_V = 0.03};
}

}  // namespace

// ALS in float64 on rows that have everything themselves, without a sum that is kept: the best value of each parameter
// of sum(weight e^2) + weights (l2 t^2 + ...), features of X one after the other, and then, of what people and things
// bring along, all weights before four factors at a time.
struct NaiveLeastSquares {
  NaiveLeastSquares(const Rows& rows, const ModelOptions& of_model, const std::vector<Tensor>& start)
      : options(of_model), x(rows.x.to_dense()), k(start.size() > 2 ? start[2].dim(1) : 0) {
    for (std::int64_t n = 0; n < x.dim(0); ++n) {
      y.push_back((rows.y.at(n, 0) - options.target.mean) / options.target.deviation);
      weight.push_back(rows.weighted() ? rows.weight.at(n, 0) : 1);
      weights += weight.back();
    }
    w0 = start[0].item();
    for (std::int64_t i = 0; i < all_features; ++i) {
      t.push_back({start[1].at(i)});
      for (std::int64_t f = 0; f < k; ++f) t.back().push_back(start[2].at(i, f));
    }
  }

  double y_hat(std::int64_t n) const {
    double out = w0;
    std::vector<double> sum(static_cast<std::size_t>(k) + 1), squares(sum.size());
    for (std::int64_t i = 0; i < all_features; ++i)
      for (std::size_t c = 0; c < sum.size(); ++c) {
        const double term = x.at(n, i) * t[static_cast<std::size_t>(i)][c];
        sum[c] += term;
        squares[c] += term * term;
      }
    out += sum[0];
    for (std::size_t c = 1; c < sum.size(); ++c) out += (sum[c] * sum[c] - squares[c]) / 2;
    return out;
  }
  // y_hat is linear in the parameter: its slope is what 1 more of it makes.
  void move(double& parameter, double l2) {
    double hh = 0, he = 0;
    for (std::int64_t n = 0; n < x.dim(0); ++n) {
      const double now = y_hat(n);
      parameter += 1;
      const double h = y_hat(n) - now;
      parameter -= 1;
      hh += weight[static_cast<std::size_t>(n)] * h * h;
      he += weight[static_cast<std::size_t>(n)] * h * (now - y[static_cast<std::size_t>(n)]);
    }
    parameter -= (he + l2 * weights * parameter) / (hh + l2 * weights);
  }
  void move(std::int64_t i, std::int64_t first, std::int64_t last) {
    for (std::int64_t c = first; c < last; ++c)
      move(t[static_cast<std::size_t>(i)][static_cast<std::size_t>(c)], c == 0 ? options.l2_W : options.l2_V);
  }
  void iterate() {
    move(w0, options.l2_w0);
    for (std::int64_t i = 0; i < own; ++i) move(i, 0, 1 + k);
    for (const auto& [begin, end] : {std::pair{own, own + traits + liked}, {own + traits + liked, all_features}}) {
      for (std::int64_t i = begin; i < end; ++i) move(i, 0, 1);
      for (std::int64_t f = 1; f <= k; f += 4)
        for (std::int64_t i = begin; i < end; ++i) move(i, f, std::min(f + 4, k + 1));
    }
  }

  ModelOptions options;
  Tensor x;
  std::int64_t k;
  std::vector<double> y, weight;
  double weights = 0, w0 = 0;
  std::vector<std::vector<double>> t;  // w, v_1, ..., v_k of each feature
};

TEST_CASE("ALS by way of relations is what least squares find in rows that have it themselves") {
  for (const bool weighted : {true, false})
    for (const std::int64_t k : {0, 3, 5}) {
      CAPTURE(weighted);
      CAPTURE(k);
      ModelOptions options = related_fm(std::max<std::int64_t>(k, 1));
      if (k == 0) options.kind = ModelKind::linear;
      options.target = {.mean = 0.1, .deviation = 0.8};
      RelatedChain chain(rows_of(40, weighted, false), options, true, {.draws = false, .group = groups()});
      NaiveLeastSquares naive(rows_of(40, weighted, true), options, chain.parameters());
      for (int i = 0; i < 3; ++i) {
        chain.sampler->iterate(i);
        naive.iterate();
        const std::vector<Tensor> found = chain.parameters();
        CHECK(std::abs(found[0].item() - naive.w0) < 1e-4);
        for (std::int64_t j = 0; j < all_features; ++j) {
          const std::vector<double>& t = naive.t[static_cast<std::size_t>(j)];
          CHECK(std::abs(found[1].at(j) - t[0]) < 1e-4);
          for (std::int64_t f = 0; f < k; ++f)
            CHECK(std::abs(found[2].at(j, f) - t[static_cast<std::size_t>(f) + 1]) < 1e-3);
        }
      }
    }
}

TEST_CASE("draws by way of relations leave errors as the session has them, and weights those of rows written out") {
  for (const Task task : {Task::regression, Task::binary})
    for (const ModelKind kind : {ModelKind::linear, ModelKind::fm})
      for (const bool weighted : {true, false}) {
        if (task == Task::binary && weighted) continue;
        ModelOptions options = related_fm();
        options.kind = kind;
        options.task = task;
        const SamplerOptions sampling{.group = groups(), .seed = 4};
        RelatedChain chain(rows_of(150, weighted, false, task), options, true, sampling);
        RelatedChain written(rows_of(150, weighted, true, task), options, false, sampling);
        for (int i = 0; i < 5; ++i) {
          const double error = chain.sampler->iterate(i), other = written.sampler->iterate(i);
          if (kind == ModelKind::linear) CHECK(error == doctest::Approx(other).epsilon(1e-3));
        }
        if (kind == ModelKind::linear) CHECK(allclose(chain.parameters()[1], written.parameters()[1], 1e-3, 1e-3));
        if (task == Task::binary) continue;  // whose z are not known
        const Tensor y_hat = chain.session->run(chain.model.y_hat, chain.feeds());
        const std::vector<float> errors = chain.sampler->errors();
        for (std::int64_t n = 0; n < 150; ++n) {
          const double e = y_hat.at(n, 0) - chain.data.y.at(n, 0);
          const double root = weighted ? std::sqrt(chain.data.weight.at(n, 0)) : 1;
          CHECK(std::abs(static_cast<double>(errors[static_cast<std::size_t>(n)]) - root * e) < 1e-4);
        }
      }
}

TEST_CASE("draws by way of relations have the moments of those of rows written out") {
  constexpr std::size_t batches = 20, batch = 250;
  const ModelOptions options = related_fm(2);
  std::vector<std::vector<double>> means[2];
  for (const bool written : {false, true}) {
    RelatedChain chain(rows_of(40, false, written), options, !written, {.group = groups(), .seed = written ? 5U : 6U});
    for (std::size_t b = 0; b < batches; ++b) {
      std::vector<double> mean;
      for (std::size_t i = 0; i < batch; ++i) {
        chain.sampler->iterate(static_cast<std::int64_t>(b * batch + i));
        if (b == 0) continue;
        std::vector<double> now{chain.sampler->alpha()};
        const std::vector<float> errors = chain.sampler->errors();
        for (const float e : std::span(errors).first(12))
          now.insert(now.end(), {static_cast<double>(e), static_cast<double>(e * e)});
        const std::vector<Tensor> found = chain.parameters();
        for (const double w : found[1]) now.push_back(w);
        for (const double v : found[2]) now.push_back(v * v);
        mean.resize(now.size());
        for (std::size_t j = 0; j < now.size(); ++j) mean[j] += std::min(now[j], 10.0) / batch;
      }
      if (b > 0) means[written ? 1 : 0].push_back(mean);
    }
  }
  for (std::size_t j = 0; j < means[0][0].size(); ++j) {
    CAPTURE(j);
    double difference = 0, variance = 0;
    for (const auto& of_chain : means) {
      const auto count = static_cast<double>(of_chain.size());
      double mean = 0, squares = 0;
      for (const auto& each : of_chain) mean += each[j] / count;
      for (const auto& each : of_chain) squares += (each[j] - mean) * (each[j] - mean);
      variance += squares / (count * (count - 1));
      difference = mean - difference;
    }
    CHECK(std::abs(difference) < 5 * std::sqrt(variance));  // 97 of these: none by chance
  }
}

TEST_CASE("the bits of what is sampled by way of relations do not depend on the number of threads") {
  for (const Task task : {Task::regression, Task::binary}) {
    ModelOptions options = related_fm();
    options.task = task;
    std::vector<std::vector<Tensor>> found;
    for (const int threads : {1, 2, 3}) {
      RelatedChain chain(rows_of(5000, false, false, task), options, true,
                         {.group = groups(), .seed = 4, .threads = threads});
      for (int i = 0; i < 4; ++i) chain.sampler->iterate(i);
      found.push_back(chain.parameters());
    }
    CHECK(found[1] == found[0]);
    CHECK(found[2] == found[0]);
  }
}

TEST_CASE("ALS by way of relations ends where the gradients of the loss are zero") {
  for (const L2Over over : {L2Over::all, L2Over::touched}) {
    ModelOptions options = related_fm(2);
    options.l2_over = over;
    RelatedChain chain(rows_of(60, true, false), options, true, {.draws = false});
    double before = chain.session->run(chain.model.loss, chain.feeds()).item();
    for (int i = 0; i < 1500; ++i) {
      chain.sampler->iterate(i);
      const double now = chain.session->run(chain.model.loss, chain.feeds()).item();
      CHECK(now <= before * (1 + 1e-6));
      before = now;
    }
    for (const Expr& dy : gradients(chain.model.loss, chain.model.parameters))
      for (const double each : chain.session->run(dy, chain.feeds()).to_dense()) CHECK(std::abs(each) < 1e-4);
  }
}

TEST_CASE("relations that cannot be sampled are refused") {
  const auto refused = [&](const Tensor& x, const Tensor& B) {
    return refusal<ValueError>([&] {
      ModelOptions options{.factors = 2};
      options.relations = B;
      Graph g;
      const Model model = make_model(g, x.dim(1), options);
      Session session(g);
      Sampler(session, model, options, {x, ones({x.dim(0), 1})}, {});
    });
  };
  CHECK(refused(Tensor({{1, 1, 0}, {0, 1, 1}}).to_csr(), Tensor({{1, 0}, {1, 0}, {0, 1}}).to_csr()) ==
        "Sampler: row 0 has two lines of relations that have a feature in common");
  CHECK(refused(Tensor({{1, 0, 0}, {0, 0.5, 1}}).to_csr(), Tensor({{1, 0}, {1, 0}, {0, 1}}).to_csr()) ==
        "Sampler: a row holds feature 1, a key of relations, as another number than 1");
}
