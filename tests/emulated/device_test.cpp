// Sessions on a device, on one that is emulated: the CPU's numbers, what is uploaded and when, and what is refused.
#include "watched.h"

#include "../device_checks.h"
#include "../folder.h"
#include "../refusal.h"
#include "../sanitized.h"
#include "../thorough.h"

#include <gradus/gradus.h>

#include <doctest/doctest.h>

#include <memory>
#include <set>
#include <string>
#include <vector>

using namespace gradus;

namespace {

void fail_check(const std::string& complaint) { FAIL_CHECK(complaint); }

}  // namespace

TEST_CASE("rows of the op table") { check_op_table_fused(emulated_device(), thorough() ? 1 : 48, fail_check); }

TEST_CASE("the article's machine by every optimizer") {
  std::vector<Layout> layouts{Layout::dense};
  if (thorough()) layouts.push_back(Layout::csr);
  check_optimizers(emulated_device(), layouts, {float32}, thorough() ? 1 : 5, fail_check);
}

TEST_CASE("a factorization machine on csr batches by every optimizer") {
  check_batches(emulated_device(), thorough() ? 1 : 6, fail_check);
}

TEST_CASE("feeds that change") { check_changing_feeds(emulated_device(), fail_check); }

TEST_CASE("results of different width of a large matrix are one pass") {
  check_passes(emulated_device(), sanitized ? 6 : 1, fail_check);
}

// On the first 2,000 rows the loss falls from 14 to 1.
TEST_CASE("MovieLens-100k") {
  if (sanitized) return check_movielens(emulated_device(), 1000, 3, fail_check);
  if (thorough()) check_movielens(emulated_device(), 90570, 1, fail_check);
  check_movielens(emulated_device(), 2000, 40, fail_check);
}

// What ends in one number a column, or in one a row: a column's elements lie apart, and long ones are cut into pieces.
TEST_CASE("elementwise ops and the sums that end them are one kernel, whichever axes are summed") {
  struct Case {
    Shape shape;
    Axes axes;
  };
  const std::vector<Case> cases = {
      {{7, 3}, {0}},      {{1, 5}, {0}},         {{9, 1}, {0}},       {{300, 70}, {0}},        {{70, 300}, {1}},
      {{20'000, 2}, {0}}, {{40, 30, 5}, {0, 1}}, {{6, 5, 33}, {0}},   {{6, 5, 33}, {1, 2}},    {{0, 4}, {0}},
      {{4, 0}, {0}},      {{9'000, 33}, {0}},    {{3, 1, 4}, {0, 1}}, {{40, 30, 5}, {0, 1, 2}}};
  for (const Case& c : cases)
    for (const DType dtype : {float32, float64, int32}) {
      // Each is a kernel to compile, which takes seconds with sanitizers.
      if (dtype != float32 && (sanitized || !thorough() || c.shape.size() > 2000)) continue;
      CAPTURE(to_string(c.shape));
      CAPTURE(std::string(to_string(dtype)));
      Graph g;
      const Expr x = g.placeholder("x", c.shape, dtype), b = g.placeholder("b", {c.shape[c.shape.rank() - 1]}, dtype);
      const Expr y = (x + b) * x, sum = reduce_sum(y, c.axes), most = reduce_max(y, c.axes);
      const bool empty = c.shape.size() == 0;
      std::vector<Expr> fetches = {y, sum};
      if (!empty) fetches.push_back(most);  // of nothing there is no greatest
      const Feeds feeds = {{x, Tensor(random_uniform(c.shape, {.low = -9, .high = 9, .seed = 3})).cast(dtype)},
                           {b, arange(0, static_cast<double>(c.shape[c.shape.rank() - 1])).cast(dtype)}};
      Session on_host(g), on_device(g, emulated_device());
      const std::vector<Tensor> expected = on_host.run(fetches, feeds), found = on_device.run(fetches, feeds);
      for (std::size_t i = 0; i < fetches.size(); ++i) {
        CAPTURE(i);
        CHECK(allclose(found[i], expected[i], dtype == float32 ? 1e-5 : 1e-12, dtype == float32 ? 1e-3 : 1e-9));
      }
      CHECK(on_device.run(fetches, feeds) == found);
      CHECK(contains(on_device.explain(fetches, feeds), " in 1 kernels and 0 calls, "));
    }
}

TEST_CASE("reads see the values before the run; assigns swap") {
  Graph g;
  const Expr a = g.variable("a", Tensor({1, 2}));
  const Expr b = g.variable("b", Tensor({3, 4}));
  const Expr swap = g.group(std::vector<Expr>{g.assign(a, b), g.assign(b, a)});
  Session session(g, emulated_device());
  for (int run = 0; run < 3; ++run) {
    const auto [was, none] = session.run({a, swap});
    CHECK(was == (run % 2 == 0 ? Tensor({1, 2}) : Tensor({3, 4})));
  }
  CHECK(session.value(a) == Tensor({3, 4}));
  session.assign(a, Tensor({7, 8}));
  CHECK(session.run(a) == Tensor({7, 8}));
}

TEST_CASE("variables that start from one number everywhere") {
  Graph g;
  const Expr table = g.variable("table", Filled{{30, 7}, 0.25, float64});
  const Expr count = g.variable("count", Filled{{2}, 3, int64}, {.trainable = false});
  const Expr none = g.variable("none", Filled{{0, 4}});
  Session session(g, emulated_device());
  CHECK(session.run(table + 1) == full({30, 7}, 1.25, float64));
  CHECK(session.run(count) == full({2}, 3, int64));
  CHECK(session.run(none) == zeros({0, 4}));
  session.run(g.assign(table, table + 1));
  CHECK(session.value(table) == full({30, 7}, 1.25, float64));
  session.initialize();
  CHECK(session.value(table) == full({30, 7}, 0.25, float64));
}

TEST_CASE("a sum over an axis of one element is each element") {
  Graph g;
  const Expr x = g.placeholder("x", {40, 30, 1}), b = g.placeholder("b", {30, 1});
  const Expr sum = reduce_sum((x + b) * x, 2), most = reduce_max((x + b) * x, 2);
  const Feeds feeds = {{x, random_normal({40, 30, 1}, {.seed = 1})}, {b, random_normal({30, 1}, {.seed = 2})}};
  Session on_host(g), on_device(g, emulated_device());
  CHECK(on_device.run({sum, most}, feeds) == on_host.run({sum, most}, feeds));
}

TEST_CASE("random numbers are new in every run and the CPU's") {
  Graph g;
  const Expr r = random_uniform(g, {5});
  Session session(g, emulated_device());
  Session cpu(g);
  for (int run = 0; run < 4; ++run) CHECK(session.run(r) == cpu.run(r));
  CHECK(contains(session.explain(r), "not recorded, for random_uniform is done anew in every run"));
}

TEST_CASE("tensors fed again are not uploaded again, however many batches come between") {
  Small small;
  Watched watched;
  Session session(small.g, watched.device);
  for (float i = 0; i < 40; ++i) {
    const Tensor x({i, i, i, i});
    CHECK(session.run(small.y, {{small.x, x}}) == Tensor({2 * i, 2 * i, 2 * i, 2 * i}));
  }
  const std::int64_t full = watched.stream->memory_in_use();
  for (float i = 0; i < 40; ++i) {
    const Tensor x({i, i, i, i});
    session.run(small.y, {{small.x, x}});
  }
  CHECK(watched.stream->memory_in_use() == full);
}

// Of batches of rows of equal length, columns are all that is: where rows begin, and which of the active columns each
// is, the device finds out. Some columns are no row's, and the last one is one's.
TEST_CASE("what a device finds out itself is not uploaded") {
  const std::int64_t rows = 33'000, columns = 5000;
  const auto batch = [&](std::int64_t number) {
    auto pattern = std::make_shared<CsrPattern>();
    pattern->columns = columns;
    const std::span<Index> column = pattern->new_rows(rows, 2);
    for (std::int64_t r = 0; r < rows; ++r) {
      column[static_cast<std::size_t>(2 * r)] = static_cast<Index>((r * r + number) % 1000);
      column[static_cast<std::size_t>(2 * r + 1)] = static_cast<Index>(columns - 1 - 2 * ((r + number) % 700));
    }
    return Tensor::csr(pattern, ones({2 * rows}));
  };
  Graph g;
  const Expr X = g.sparse_placeholder("X", {any, columns}), y = g.placeholder("y", {any, 1});
  const FactorizationMachine fm(X, y, {.factors = 2, .seed = 1});
  const Expr train = Adagrad(0.1).minimize(fm.loss);
  Watched watched;
  Session session(g, watched.device), cpu(g);
  for (std::int64_t step = 0; step < 3; ++step) {
    const Tensor x = batch(step);
    const Feeds feeds = {{X, x}, {y, random_normal({rows, 1}, {.seed = static_cast<std::uint64_t>(step)})}};
    const std::int64_t before = watched.stream->bytes_uploaded();
    const double loss = session.run({fm.loss, train}, feeds)[0].item();
    CHECK(loss == doctest::Approx(cpu.run({fm.loss, train}, feeds)[0].item()).epsilon(1e-5));
    const std::int64_t active = x.pattern()->active_columns()->count();
    CHECK(active < 1800);
    // Values are uploaded too, as these ones are a new tensor each.
    if (step > 0) CHECK(watched.stream->bytes_uploaded() - before == 4 * (2 * rows + 2 * rows + active + rows));
  }
}

TEST_CASE("a tensor on the device is fed as it lies there, and read only on the host") {
  Small small;
  Watched watched;
  Session session(small.g, watched.device);
  const Tensor x({1, 2, 3, 4});
  const Tensor there = x.to(watched.device);
  CHECK(there.accelerator() != nullptr);
  CHECK(there.to(watched.device).device_data() == there.device_data());
  const std::int64_t before = watched.stream->memory_in_use();
  CHECK(session.run(small.y, {{small.x, there}}) == Tensor({2, 4, 6, 8}));
  CHECK(watched.stream->memory_in_use() - before < 2048);
  CHECK(there.to(Device::cpu()) == x);
  CHECK(x.to(Device::cpu()).data() == x.data());
  CHECK(refusal<TypeError>([&] { (void)there.at(0); }) ==
        "the numbers of a tensor float32 [4] lie on emulated; read those of its to(Device::cpu())");
  const Tensor csr = Tensor({{0, 1}, {2, 0}}).to_csr();
  CHECK(csr.to(watched.device).to(Device::cpu()) == csr);
  CHECK(csr.to(watched.device).pattern() == csr.pattern());
}

TEST_CASE("a tensor on one device is refused by a session on another") {
  Small small;
  const Tensor there = Tensor({1, 2, 3, 4}).to(emulated_device());
  Session cpu(small.g);
  CHECK(refusal([&] {
          cpu.run(small.y, {{small.x, there}});
        }) == "the numbers of a tensor float32 [4] lie on emulated; read those of its to(Device::cpu())");
  Session other(small.g, Device::other("another", [] { return std::make_shared<EmulatedAccelerator>("another"); }));
  CHECK(refusal<DeviceError>([&] {
          other.run(small.y, {{small.x, there}});
        }) == "run: a tensor float32 [4] on emulated is fed to a session on another; feed its to(Device::cpu())");
}

TEST_CASE("out of memory is an error after which the session goes on") {
  Graph g;
  const Expr x = g.placeholder("x", {any});
  const Expr y = cumsum(x);
  Watched watched;
  Session session(g, watched.device);
  CHECK(session.run(y, {{x, Tensor({1, 2})}}) == Tensor({1, 3}));
  watched.stream->set_limit(watched.stream->memory_in_use() + 4096);
  const Tensor large =
      Tensor::make<float>({100000}, [](std::span<float> to) { std::fill(to.begin(), to.end(), 1.0F); });
  CHECK_THROWS_AS(session.run(y, {{x, large}}), DeviceError);
  CHECK(session.run(y, {{x, Tensor({1, 2})}}) == Tensor({1, 3}));
}

TEST_CASE("what is saved on a device is restored on the CPU, and back") {
  const Folder folder;
  const std::string path = folder / "state.safetensors";
  Small small;
  const Tensor x({1, 2, 3, 4});
  Session session(small.g, emulated_device());
  session.run(small.step, {{small.x, x}});
  session.save(path);
  Session cpu(small.g);
  cpu.restore(path);
  CHECK(cpu.value(small.b).item() == 10);
  session.run(small.step, {{small.x, x}});
  session.restore(path);
  CHECK(session.value(small.b).item() == 10);
}

TEST_CASE("profiles time each kernel, prepared runs run") {
  Small small;
  Session session(small.g, emulated_device());
  const Tensor x({1, 2, 3, 4});
  const Profile profile = session.profile(small.y, {{small.x, x}}, 3);
  REQUIRE(profile.steps.size() == 1);
  CHECK(contains(to_string(profile), "multiply"));
  CHECK(profile.steps[0].calls == 1);
  PreparedRun run = session.prepare(small.y, {small.x});
  CHECK(run(x) == Tensor({2, 4, 6, 8}));
}

TEST_CASE("integers that cannot be divided are refused as on the CPU, and change nothing") {
  Graph g;
  const Expr x = g.placeholder("x", {2}, int32);
  const Expr b = g.variable("b", Tensor({5, 6}, int32), {.trainable = false});
  const Expr step = g.assign(b, floordiv(b, x));
  Session session(g, emulated_device());
  CHECK(refusal<ValueError>([&] {
          session.run(step, {{x, Tensor({1, 0}, int32)}});
        }).starts_with("floordiv: integer division by zero (floordiv, device_test.cpp:"));
  CHECK(session.value(b) == Tensor({5, 6}, int32));
  session.run(step, {{x, Tensor({2, 3}, int32)}});
  CHECK(session.value(b) == Tensor({2, 2}, int32));
}

// As the article writes it, over a dense matrix: a kernel each way for all that reads X, products by the factors
// included. Its square is in no memory.
TEST_CASE("a dense factorization machine reads its data twice") {
  Graph g;
  const Expr X = g.placeholder("X", {600, 120}), y = g.placeholder("y", {600, 1});
  const Expr w0 = g.variable("w0", zeros({1})), W = g.variable("W", zeros({120}));
  const Expr V = g.variable("V", random_normal({20, 120}, {.stddev = 0.1, .seed = 1}));
  const Expr linear = w0 + reduce_sum(W * X, 1, keep_dims);
  const Expr pairs =
      0.5 * reduce_sum(pow(matmul(X, transpose(V)), 2) - matmul(pow(X, 2), transpose(pow(V, 2))), 1, keep_dims);
  const Expr loss = reduce_mean(square(y - linear - pairs));
  const Expr train = Adam(0.01).minimize(loss);
  const Feeds feeds = {{X, random_normal({600, 120}, {.seed = 2})}, {y, random_normal({600, 1}, {.seed = 3})}};
  Session on_host(g), fused(g, emulated_device()), kept(g, emulated_device(), {.without = {"recompute"}});
  for (int step = 0; step < 3; ++step) {
    const double expected = on_host.run({loss, train}, feeds)[0].item();
    CHECK(fused.run({loss, train}, feeds)[0].item() == doctest::Approx(expected).epsilon(1e-5));
    CHECK(kept.run({loss, train}, feeds)[0].item() == doctest::Approx(expected).epsilon(1e-5));
  }
  const PlanSteps plan = fused.steps(train, feeds);
  CHECK(contains(kept.explain(train, feeds), " = square(%0 X)  float32 [600, 120]  loop  at "));
  std::set<int> kernels;
  for (const PlanStep& step : plan.list) {
    const bool reads =
        std::any_of(step.inputs.begin(), step.inputs.end(), [](const StepInput& i) { return i.id == 0; });
    if (reads && step.op == "square") CHECK(step.place == StepPlace::registers);
    if (!reads) continue;
    CHECK(step.group >= 0);
    kernels.insert(step.group);
  }
  CHECK(kernels.size() == 2);
}
