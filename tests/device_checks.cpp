#include "device_checks.h"

#include "data_folder.h"

#include <gradus/gradus.h>

#include <fmt/format.h>

#include <cmath>
#include <functional>
#include <initializer_list>
#include <memory>
#include <utility>
#include <vector>

namespace gradus {

namespace {

/// The article's machine: section 2 of the README, for X dense or csr, of either dtype.
struct Article {
  Article(bool sparse, DType dtype) {
    const auto [x, t] = rendle2010();
    x_data = sparse ? x.cast(dtype).to_csr() : x.cast(dtype);  // [7, 16]
    y_data = t.cast(dtype);                                    // [7, 1]
    X = sparse ? g.sparse_placeholder("X", {any, 16}, dtype) : g.placeholder("X", {7, 16}, dtype);
    y = g.placeholder("y", {7, 1}, dtype);
    const Expr w0 = g.variable("w0", zeros({1}, dtype));
    const Expr W = g.variable("W", zeros({16}, dtype));
    const Expr V = g.variable("V", random_normal({5, 16}, {.stddev = 0.01, .seed = 1, .dtype = dtype}));
    const Expr linear_terms = w0 + reduce_sum(W * X, 1, keep_dims);  // [7, 1]
    const Expr interactions =
        0.5 * reduce_sum(pow(matmul(X, transpose(V)), 2) - matmul(pow(X, 2), transpose(pow(V, 2))), 1, keep_dims);
    const Expr l2_norm = reduce_sum(0.001 * pow(W, 2) + 0.001 * pow(V, 2));   // []
    loss = reduce_mean(square(y - (linear_terms + interactions))) + l2_norm;  // []
  }

  Graph g;
  Tensor x_data, y_data;
  Expr X, y, loss;
};

using MakeOptimizer = std::function<std::unique_ptr<Optimizer>()>;

const std::vector<std::pair<const char*, MakeOptimizer>> optimizers = {
    {"GradientDescent", [] { return std::make_unique<GradientDescent>(0.01); }},
    {"Momentum", [] { return std::make_unique<Momentum>(0.01); }},
    {"Adagrad", [] { return std::make_unique<Adagrad>(0.1); }},
    {"Adadelta", [] { return std::make_unique<Adadelta>(0.1); }},
    {"RMSProp", [] { return std::make_unique<RMSProp>(0.01); }},
    {"Adam", [] { return std::make_unique<Adam>(0.01); }},
    {"AdamW", [] { return std::make_unique<AdamW>(0.01); }},
    {"Ftrl", [] { return std::make_unique<Ftrl>(0.1); }},
};

bool near(double a, double b, double tolerance) { return std::abs(a - b) <= tolerance * std::max(1e-3, std::abs(b)); }

void check_variables(Graph& g, Session& session, Session& cpu, double tolerance, const Complain& complain) {
  for (const Expr& variable : g.variables())
    if (!allclose(session.value(variable), cpu.value(variable), tolerance, tolerance))
      complain(fmt::format("{} is\n{}\nbut on the CPU\n{}", variable.name(), to_string(session.value(variable)),
                           to_string(cpu.value(variable))));
}

void check_optimizer(const Device& device, bool sparse, DType dtype, const MakeOptimizer& make,
                     const Complain& complain) {
  const double tolerance = dtype == float64 ? 1e-10 : 1e-4;
  Article article(sparse, dtype);
  const Expr train = make()->minimize(article.loss);
  Session session(article.g, device);
  Session cpu(article.g);
  const Feeds feeds = {{article.X, article.x_data}, {article.y, article.y_data}};
  for (int step = 0; step < 5; ++step) {
    session.run(train, feeds);  // with no result to fetch, recorded at the second run
    cpu.run(train, feeds);
    const double got = session.run(article.loss, feeds).item();
    const double want = cpu.run(article.loss, feeds).item();
    if (!near(got, want, tolerance)) complain(fmt::format("step {}: loss {} but on the CPU {}", step, got, want));
  }
  check_variables(article.g, session, cpu, tolerance, complain);
}

// Every optimizer where `share` is 1; else one in so many.
std::vector<std::pair<const char*, MakeOptimizer>> some_optimizers(int share) {
  std::vector<std::pair<const char*, MakeOptimizer>> some;
  for (std::size_t o = 0; o < optimizers.size(); o += static_cast<std::size_t>(share)) some.push_back(optimizers[o]);
  return some;
}

using CheckRow = std::function<void(const OpCase&, const GoldenCase&, const Complain&)>;

// The check for the first case of one row of the op table in `share`.
CheckRow first_of_rows(int share, CheckRow check) {
  return [share, check = std::move(check), rows = 0, last = std::string()](const OpCase& row, const GoldenCase& golden,
                                                                           const Complain& told) mutable {
    if (row.name == std::exchange(last, row.name)) return;
    if (rows++ % share == 0) check(row, golden, told);
  };
}

}  // namespace

void check_op_table(const Device& device, const Complain& complain) {
  const auto check = [&](const OpCase& row, const GoldenCase& golden, const Complain& told) {
    check_case(row, golden, {.name = "float64", .device = device}, told);
    if (golden.float32) check_case(row, golden, {.name = "float32", .narrow = true, .device = device}, told);
  };
  for_all_cases(device.name().c_str(), check, complain);
  check_op_table_alone(device, 1, complain);
}

void check_op_table_fused(const Device& device, int share, const Complain& complain) {
  const auto check = [&](const OpCase& row, const GoldenCase& golden, const Complain& told) {
    check_case(row, golden, {.name = "fused", .narrow = golden.float32, .device = device}, told);
  };
  for_all_cases(device.name().c_str(), first_of_rows(share, check), complain);
}

void check_op_table_alone(const Device& device, int share, const Complain& complain) {
  const auto check = [&](const OpCase& row, const GoldenCase& golden, const Complain& told) {
    check_case(row, golden, {.name = "alone", .device = device, .options = {.without = {"fuse"}}}, told);
  };
  for_all_cases(device.name().c_str(), share == 1 ? check : first_of_rows(share, check), complain);
}

void check_optimizers(const Device& device, const std::vector<Layout>& layouts, const std::vector<DType>& dtypes,
                      int share, const Complain& complain) {
  for (const auto& [name, make] : some_optimizers(share))
    for (const Layout layout : layouts)
      for (const DType dtype : dtypes) {
        const bool sparse = layout == Layout::csr;
        const std::string what = fmt::format("{}, {} X, {}", name, sparse ? "csr" : "dense", to_string(dtype));
        const Complain told = [&](const std::string& complaint) { complain(fmt::format("{}: {}", what, complaint)); };
        try {
          check_optimizer(device, sparse, dtype, make, told);
        } catch (const std::exception& thrown) {
          told(fmt::format("threw {}", thrown.what()));
        }
      }
}

void check_batches(const Device& device, int share, const Complain& complain) {
  const Rows ratings = synthetic_ratings().train;
  const Rows data{ratings.x.row_range(0, 600).cast(float64), ratings.y.row_range(0, 600).cast(float64)};
  for (const double l2 : {0.0, 0.01})
    for (const auto& [name, make] : some_optimizers(share)) {
      Graph g;
      const Expr X = g.sparse_placeholder("X", {any, data.x.dim(1)}, float64);
      const Expr y = g.placeholder("y", {any, 1}, float64);
      const FactorizationMachine fm(X, y, {.factors = 3, .seed = 1, .l2_V = l2});
      const Expr train = make()->minimize(fm.loss);
      Session session(g, device);
      Session cpu(g);
      const Batches batches(data, {.size = 256, .seed = 1});
      for (std::int64_t epoch = 0; epoch < 2; ++epoch)
        for (const Batch& batch : batches.epoch(epoch)) {
          const auto [t, got] = session.run({train, fm.loss}, {{X, batch.x}, {y, batch.y}});
          const auto [u, want] = cpu.run({train, fm.loss}, {{X, batch.x}, {y, batch.y}});
          if (!near(got.item(), want.item(), 1e-10))
            complain(fmt::format("{}, L2 {}: loss {} but on the CPU {}", name, l2, got.item(), want.item()));
        }
      check_variables(g, session, cpu, 1e-9, [&, optimizer = name](const std::string& complaint) {
        complain(fmt::format("{}, L2 {}: {}", optimizer, l2, complaint));
      });
    }
}

void check_changing_feeds(const Device& device, const Complain& complain) {
  Graph g;
  const Expr x = g.placeholder("x", {3, 4}, float64);
  const Expr items = g.placeholder("items", {3}, int32);
  const Expr w = g.variable("w", random_normal({4, 1}, {.seed = 1, .dtype = float64}));
  const Expr table = g.variable("table", random_normal({5, 4}, {.seed = 2, .dtype = float64}));
  const Expr of_rows = reduce_sum(square(matmul(x, w)));
  const Expr dense = Adam(0.1).minimize(of_rows, {.variables = {w}});
  const Expr looked_up = Adam(0.1).minimize(reduce_sum(square(gather(table, items) - x)), {.variables = {table}});
  Session session(g, device);
  Session cpu(g);
  std::vector<Feeds> feeds;
  for (int i = 0; i < 4; ++i)
    feeds.push_back({{x, random_normal({3, 4}, {.seed = static_cast<std::uint64_t>(i), .dtype = float64})},
                     {items, Tensor({i, 4 - i, i}, int32)}});
  for (const Expr& train : {dense, looked_up})
    for (const std::size_t fed : std::initializer_list<std::size_t>{0, 0, 0, 1, 2, 3, 3, 3, 1, 0, 2, 2}) {
      session.run(train, feeds[fed]);
      cpu.run(train, feeds[fed]);
      check_variables(g, session, cpu, 1e-10, complain);
    }
  const std::string explained = session.explain(dense, feeds[0]);
  if (explained.find("recorded: a run is one launch after its feeds are copied") == std::string::npos)
    complain(explained);
}

namespace {

void check_pass(const Device& device, Graph& g, const std::vector<Expr>& fetches, const Feeds& feeds, double tolerance,
                const std::string& what, const Complain& complain) {
  Session session(g, device), cpu(g);
  const std::vector<Tensor> found = session.run(fetches, feeds), expected = cpu.run(fetches, feeds);
  for (std::size_t i = 0; i < fetches.size(); ++i)
    if (!allclose(found[i], expected[i], tolerance, 10 * tolerance))
      complain(fmt::format("{}: fetch {} is {} but on the CPU {}", what, i, found[i], expected[i]));
  if (session.run(fetches, feeds) != found) complain(what + ": a second run gives other bits");
  const std::string explained = session.explain(fetches, feeds);
  if (explained.find(" in 1 kernels and 0 calls, ") == std::string::npos) complain(what + ":\n" + explained);
}

struct PassCase {
  std::int64_t rows, columns, width;
  bool by_columns;         // X^T times a narrow matrix, or X
  bool swapped;            // the narrow matrix comes first
  bool stored_transposed;  // it is
  DType dtype;
};

void check_products(const Device& device, const PassCase& c, const Complain& complain) {
  Graph g;
  const std::int64_t inner = c.by_columns ? c.rows : c.columns;
  const Shape narrow = c.swapped == c.stored_transposed ? Shape({inner, c.width}) : Shape({c.width, inner});
  const Expr X = g.placeholder("X", {c.rows, c.columns}, c.dtype), B = g.placeholder("B", narrow, c.dtype),
             v = g.placeholder("v", {inner, 1}, c.dtype);
  const Expr product = c.swapped ? matmul(B, X, {.transpose_a = c.stored_transposed, .transpose_b = !c.by_columns})
                                 : matmul(X, B, {.transpose_a = c.by_columns, .transpose_b = c.stored_transposed});
  const Feeds feeds = {{X, random_normal({c.rows, c.columns}, {.seed = 1, .dtype = c.dtype})},
                       {B, random_normal(narrow, {.seed = 2, .dtype = c.dtype})},
                       {v, random_normal({inner, 1}, {.seed = 3, .dtype = c.dtype})}};
  check_pass(device, g,
             {product, matmul(square(X), v, {.transpose_a = c.by_columns}), reduce_max(X, c.by_columns ? 0 : 1)}, feeds,
             c.dtype == float32 ? 1e-4 : 1e-11,
             fmt::format("products of [{}, {}] by {} columns, by columns {}, swapped {}, transposed {}", c.rows,
                         c.columns, c.width, c.by_columns, c.swapped, c.stored_transposed),
             complain);
}

// What the pass computes is multiplied as it is, and stored as well.
void check_products_of_computed(const Device& device, bool by_columns, const Complain& complain) {
  const std::int64_t rows = 1101, columns = 130, inner = by_columns ? rows : columns;
  Graph g;
  const Expr X = g.placeholder("X", {rows, columns}), B = g.placeholder("B", {inner, 3}),
             C = g.placeholder("C", {inner, 4});
  const Expr y = tanh(X) + X;
  const MatmulOptions options{.transpose_a = by_columns};
  check_pass(device, g, {y, matmul(y, B, options), matmul(X, C, options), reduce_mean(y, by_columns ? 0 : 1)},
             {{X, random_normal({rows, columns}, {.seed = 1})},
              {B, random_normal({inner, 3}, {.seed = 2})},
              {C, random_normal({inner, 4}, {.seed = 3})}},
             1e-4, fmt::format("products of what is computed, by columns {}", by_columns), complain);
}

}  // namespace

void check_passes(const Device& device, int share, const Complain& complain) {
  int number = 0;
  const auto chosen = [&] { return number++ % share == 0; };
  for (const bool by_columns : {false, true}) {
    for (const bool swapped : {false, true})
      for (const bool transposed : {false, true})
        if (chosen()) check_products(device, {1100, 150, 5, by_columns, swapped, transposed, float32}, complain);
    if (chosen()) check_products_of_computed(device, by_columns, complain);
  }
  // As wide as a thread has registers for; few elements a row, or few rows.
  const std::vector<PassCase> others = {
      {2051, 130, 28, true, true, false, float32}, {2051, 130, 28, false, false, false, float32},
      {2051, 130, 15, true, true, false, float64}, {2051, 130, 15, false, false, false, float64},
      {33000, 4, 3, true, false, false, float32},  {33000, 2, 3, false, false, false, float32},
      {3, 22000, 2, true, false, false, float32},  {70000, 1, 3, false, false, false, float32}};
  for (const PassCase& c : others)
    if (chosen()) check_products(device, c, complain);
}

void check_movielens(const Device& device, std::int64_t rows, int steps, const Complain& complain) {
  const std::filesystem::path folder = data_folder("ml-100k");
  const bool here = std::filesystem::exists(folder / "ua.base");
  const Rows data = here ? read_rows((folder / "ua.base").string()) : synthetic_ratings().train;
  Graph g;
  const Expr X = g.sparse_placeholder("X", {any, data.x.dim(1)});  // [n, p]
  const Expr y = g.placeholder("y", {any, 1});                     // [n, 1]
  const FactorizationMachine fm(X, y, {.factors = 20, .seed = 1});
  const Expr train = Adam(0.01).minimize(fm.error);
  Session session(g, device);
  Session cpu(g);
  rows = std::min(rows, data.x.dim(0));
  const Feeds feeds = {{X, data.x.row_range(0, rows)}, {y, data.y.row_range(0, rows)}};
  for (int step = 0; step < steps; ++step) {
    const auto [t, got] = session.run({train, fm.error}, feeds);
    const auto [u, want] = cpu.run({train, fm.error}, feeds);
    if (!near(got.item(), want.item(), 1e-4))
      complain(fmt::format("step {}: loss {} but on the CPU {}", step, got.item(), want.item()));
  }
}

}  // namespace gradus
