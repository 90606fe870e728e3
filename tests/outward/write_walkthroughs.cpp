// Pages for walkthrough.py to open: the article's program, with values and gradients of random elements as C++ has them
// in article.json, and graphs that are hard to show: sparse, of rank 0 and 3, not finite, of one node and of hundreds,
// with names that would break a page that takes them for HTML.
#include "write.h"

#include <gradus/core/io/file.h>
#include <gradus/core/tensor/create.h>
#include <gradus/models/data/rendle2010.h>
#include <gradus/models/formats/walkthrough.h>
#include <gradus/ops/ops.h>
#include <gradus/optim/optim.h>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <cmath>
#include <random>
#include <span>

namespace gradus {

namespace {

using Json = nlohmann::json;

std::string path_of(const std::string& folder, const char* name) { return fmt::format("{}/{}.html", folder, name); }

Json number(double value) { return std::isfinite(value) ? Json(value) : Json(); }

// Elements at random, of the frames that the page is sure to have: the first and the last.
Json truth_of(const Walkthrough& run) {
  std::mt19937 random(7);
  const auto below = [&](std::int64_t count) {
    return std::uniform_int_distribution<std::int64_t>(0, count - 1)(random);
  };
  Json all = Json::array();
  while (all.size() < 200) {
    const Walkthrough::Frame& frame = below(2) == 0 ? run.frames.front() : run.frames.back();
    const auto n = static_cast<std::size_t>(below(static_cast<std::int64_t>(run.nodes.size())));
    const Tensor value = frame.values[n].numbers.to_dense();
    const std::int64_t c = below(value.size());
    Json each = {{"t", frame.step}, {"n", n}, {"c", c}, {"value", number(value.stored_value(c))}};
    if (const auto& gradient = frame.gradients[n])
      each["gradient"] = number(gradient->numbers.to_dense().stored_value(c));
    all.push_back(each);
  }
  return all;
}

void write_article(const std::string& folder) {
  const auto [x, t] = rendle2010();
  Graph g;
  const Expr X = g.placeholder("X", {7, 16}), y = g.placeholder("y", {7, 1});
  const Expr w0 = g.variable("w0", zeros({1})), W = g.variable("W", zeros({16}));
  const Expr V = g.variable("V", random_normal({5, 16}, {.stddev = 0.01, .seed = 1}));
  const Expr linear_terms = w0 + reduce_sum(W * X, 1, keep_dims);
  const Expr interactions =
      0.5 * reduce_sum(pow(matmul(X, transpose(V)), 2) - matmul(pow(X, 2), transpose(pow(V, 2))), 1, keep_dims);
  const Expr y_hat = (linear_terms + interactions).named("y_hat");
  const Expr l2_norm = reduce_sum(0.001 * pow(W, 2) + 0.001 * pow(V, 2));
  const Expr loss = reduce_mean(square(y - y_hat)) + l2_norm;
  const Expr train = Adagrad(0.1).minimize(loss);
  Session session(g);
  const Walkthrough run = record_walkthrough(session, {.loss = loss, .train = train, .steps = 1000}, {{X, x}, {y, t}});
  write_page(run, path_of(folder, "article"));
  const std::string truth = truth_of(run).dump();
  write_file_atomically(folder + "/article.json", std::as_bytes(std::span(truth)));
}

// The same on a csr X: its gradients have a layout of their own, too.
void write_sparse(const std::string& folder) {
  const auto [x, t] = rendle2010();
  Graph g;
  const Expr X = g.sparse_placeholder("X", {any, 16}), y = g.placeholder("y", {any, 1});
  const Expr W = g.variable("W", zeros({16, 1})),
             V = g.variable("V", random_normal({16, 3}, {.stddev = 0.1, .seed = 1}));
  const Expr error = matmul(X, W) + reduce_sum(pow(matmul(X, V), 2), 1, keep_dims) - y;
  const Expr loss = reduce_mean(square(error));
  const Expr train = Adam(0.01).minimize(loss);
  Session session(g);
  write_page(record_walkthrough(session, {.loss = loss, .train = train, .steps = 20}, {{X, x.to_csr()}, {y, t}}),
             path_of(folder, "sparse"));
}

// A training that runs away: infinities, then NaN.
void write_not_finite(const std::string& folder) {
  Graph g;
  const Expr w = g.variable("w", Tensor({1, 2, 3}));
  const Expr loss = reduce_sum(exp(w) * w);
  const Expr train = GradientDescent(0.05).minimize(-loss);
  Session session(g);
  write_page(record_walkthrough(session, {.loss = loss, .train = train, .steps = 12}), path_of(folder, "not_finite"));
}

// Functions of one operand, rank 3, broadcasting, x times x, integers, and an op that the page does not know.
void write_ranks(const std::string& folder) {
  Graph g;
  const Expr a = g.variable("a", random_normal({2, 3, 4}, {.seed = 1}));
  const Expr b = g.variable("b", random_normal({3, 1}, {.seed = 2})), c = g.variable("c", Tensor(0.5));
  const Expr i = g.placeholder("i", {2}, int64);
  const Expr mixed = sigmoid(a * b) + tanh(a - c) * relu(a) - abs(b) / (1 + exp(a));
  const Expr products = matmul(mixed, transpose(a, {0, 2, 1}));
  const Expr loss = reduce_mean(products * products) + reduce_sum(log(1 + square(gather(b, i)))) + c * c +
                    reduce_sum(softplus(sqrt(square(a) + 1)), 2, keep_dims).named("sums") * 0.0 + cumsum(c * b, 0);
  const Expr total = reduce_sum(loss);
  const Expr train = Adam(0.01).minimize(total);
  Session session(g);
  const Tensor indices = Tensor::from(std::vector<std::int64_t>{0, 2});
  write_page(record_walkthrough(session, {.loss = total, .train = train, .steps = 5}, {{i, indices}}),
             path_of(folder, "ranks"));
}

void write_hostile(const std::string& folder) {
  Graph g;
  const Expr a = g.variable("</script><script>console.error('escaped?')</script>", Tensor({1, 2}));
  const Expr b = g.variable("\xe2\x80\xae txet \xff\xfe {{data}} <img src=x onerror=alert(1)>", Tensor({3, 4}));
  const Expr loss = reduce_sum(square(a - b)).named("constructor");
  Session session(g);
  const std::string title = "<b>&{{data}}</title><script>console.error('title')</script>";
  write_page(record_walkthrough(session, {.loss = loss, .title = title}), path_of(folder, "hostile"));
}

void write_sizes(const std::string& folder) {
  Graph one;
  const Expr alone = one.variable("alone", Tensor(2));
  Session of_one(one);
  write_page(record_walkthrough(of_one, {.loss = alone}), path_of(folder, "one"));

  Graph many;
  Expr x = many.variable("x", random_normal({70, 80}, {.seed = 1}));  // shown in blocks
  x = reduce_mean(x, 0);
  for (int i = 0; i < 395; ++i) x = tanh(x);
  const Expr loss = reduce_sum(x);
  Session of_many(many);
  write_page(record_walkthrough(of_many, {.loss = loss}), path_of(folder, "many"));
}

}  // namespace

void write_walkthroughs(const std::string& folder) {
  write_article(folder);
  write_sparse(folder);
  write_not_finite(folder);
  write_ranks(folder);
  write_hostile(folder);
  write_sizes(folder);
}

}  // namespace gradus
