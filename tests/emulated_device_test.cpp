// Sessions on a device, on one that is emulated: the CPU's numbers, what is uploaded and when, what is recorded, and
// what is refused.
#include "device_checks.h"
#include "emulator/emulated_accelerator.h"
#include "folder.h"
#include "refusal.h"
#include "sanitized.h"
#include "thorough.h"

#include <gradus/gradus.h>

#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <vector>

using namespace gradus;

namespace {

void fail_check(const std::string& complaint) { FAIL_CHECK(complaint); }

// An emulated device whose one stream a test can look at.
struct Watched {
  std::shared_ptr<EmulatedAccelerator> stream = std::make_shared<EmulatedAccelerator>();
  Device device = Device::other("emulated", [this] { return stream; });
};

// y = 2 x + b, and a step that adds the sum of x to b.
struct Small {
  Graph g;
  Expr x = g.placeholder("x", {4});
  Expr b = g.variable("b", zeros({}));
  Expr y = 2 * x + b;
  Expr step = assign_add(b, reduce_sum(x));
};

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("device: rows of the op table") { check_op_table_fused(emulated_device(), thorough() ? 1 : 48, fail_check); }

TEST_CASE("device: the article's machine by every optimizer") {
  std::vector<Layout> layouts{Layout::dense};
  if (thorough()) layouts.push_back(Layout::csr);
  check_optimizers(emulated_device(), layouts, {float32}, thorough() ? 1 : 5, fail_check);
}

TEST_CASE("device: a factorization machine on csr batches by every optimizer") {
  check_batches(emulated_device(), thorough() ? 1 : 6, fail_check);
}

TEST_CASE("device: feeds that change") { check_changing_feeds(emulated_device(), fail_check); }

// On the first 2,000 rows the loss falls from 14 to 1.
TEST_CASE("device: MovieLens-100k") {
  if (sanitized) return check_movielens(emulated_device(), 1000, 3, fail_check);
  if (thorough()) check_movielens(emulated_device(), 90570, 1, fail_check);
  check_movielens(emulated_device(), 2000, 40, fail_check);
}

// What ends in one number a column, or in one a row: a column's elements lie apart, and long ones are cut into pieces.
TEST_CASE("device: elementwise ops and the sums that end them are one kernel, whichever axes are summed") {
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

TEST_CASE("device: reads see the values before the run; assigns swap") {
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

TEST_CASE("device: variables that start from one number everywhere") {
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

TEST_CASE("device: a step that splits the rows of the same matrix is recorded") {
  Graph g;
  const Expr X = g.sparse_placeholder("X", {2, 3});
  const Expr w = g.variable("w", Tensor({{1}, {2}, {3}}));
  const Expr sums = g.variable("sums", zeros({2, 1}));
  const Tensor x = Tensor({{1, 2, 0}, {0, 3, 4}}).to_csr();
  const Tensor other = Tensor({{0, 2, 1}, {5, 0, 0}}).to_csr();
  const Expr split = split_rows(X, {0, 1, 1}, 2);
  const Expr step = assign_add(sums, reduce_sum(reshape(matmul(split, w), {2, 2}), 1, KeepDims::yes) + matmul(X, w));
  Session session(g, emulated_device());
  for (int run = 0; run < 4; ++run) session.run(step, {{X, x}});
  CHECK(contains(session.explain(step, {{X, x}}), "recorded: a run is one launch"));
  CHECK(session.value(sums) == Tensor({{40}, {144}}));
  for (int run = 0; run < 3; ++run) session.run(step, {{X, other}});
  CHECK(session.value(sums) == Tensor({{82}, {174}}));
}

TEST_CASE("device: a step with the same feeds is recorded at its second run and replayed") {
  Small small;
  Watched watched;
  Session session(small.g, watched.device);
  const Tensor x({1, 2, 3, 4});
  session.run(small.step, {{small.x, x}});
  CHECK(contains(session.explain(small.step, {{small.x, x}}), "recorded when the same tensors are fed again"));
  for (int run = 1; run < 5; ++run) session.run(small.step, {{small.x, x}});
  CHECK(contains(session.explain(small.step, {{small.x, x}}), "recorded: a run is one launch"));
  CHECK(session.value(small.b).item() == 50);

  SUBCASE("small feeds that change are copied to where the recording reads them") {
    const Tensor other({1, 1, 1, 1});
    session.run(small.step, {{small.x, other}});
    CHECK(session.value(small.b).item() == 54);
    session.run(small.step, {{small.x, other}});
    CHECK(session.value(small.b).item() == 58);
    const std::string copied = "recorded: a run is one launch after its feeds are copied";
    for (float i = 0; i < 20; ++i) {
      session.run(small.step, {{small.x, Tensor({i, 0, 0, 0})}});
      CHECK(contains(session.explain(small.step, {{small.x, x}}), copied));
    }
    session.run(small.step, {{small.x, x.to(watched.device)}});
    session.run(small.step, {{small.x, x}});
    CHECK(session.value(small.b).item() == 58 + 190 + 20);
  }
  SUBCASE("values assigned from outside are read") {
    session.assign(small.b, Tensor(1));
    session.run(small.step, {{small.x, x}});
    CHECK(session.value(small.b).item() == 11);
  }
  SUBCASE("without recording") {
    Session plain(small.g, watched.device, {.without = {"record"}});
    for (int run = 0; run < 3; ++run) plain.run(small.step, {{small.x, x}});
    CHECK(plain.value(small.b).item() == 30);
    CHECK(contains(plain.explain(small.step, {{small.x, x}}), "not recorded, for the session records nothing"));
  }
}

TEST_CASE("device: large feeds that change are read where they lie, and recorded when fed again") {
  Graph g;
  const Expr x = g.placeholder("x", {1 << 19});
  const Expr sum = g.variable("sum", zeros({}));
  const Expr step = assign_add(sum, reduce_sum(x));
  const Tensor one = full({1 << 19}, 1), two = full({1 << 19}, 2);
  Watched watched;
  Session session(g, watched.device);
  double want = 0;
  for (int run = 0; run < 6; ++run) {
    session.run(step, {{x, run % 2 == 0 ? one : two}});
    want += (run % 2 + 1) << 19;
    CHECK(session.value(sum).item() == want);
    CHECK(contains(session.explain(step, {{x, one}}), "recorded when the same tensors are fed again"));
  }
  session.run(step, {{x, two}});
  CHECK(contains(session.explain(step, {{x, one}}), "recorded: a run is one launch"));
  CHECK(session.value(sum).item() == want + (2 << 19));
}

TEST_CASE("device: after a run that failed a recording reads what is fed next") {
  Graph g;
  const Expr x = g.placeholder("x", {2});
  const Expr sum = g.variable("sum", zeros({2}));
  const Expr step = assign_add(sum, x);
  Watched watched;
  Session session(g, watched.device);
  const Tensor a({1, 0}), b({0, 1});
  for (const Tensor& fed : {a, b, a, b}) session.run(step, {{x, fed}});
  const Tensor elsewhere =
      a.to(Device::other("another", [] { return std::make_shared<EmulatedAccelerator>("another"); }));
  (void)refusal<DeviceError>([&] { session.run(step, {{x, elsewhere}}); });
  for (const Tensor& fed : {b, a, a}) session.run(step, {{x, fed}});
  CHECK(session.value(sum) == Tensor({4, 3}));
}

TEST_CASE("device: a recording survives another plan that needs more memory to work in") {
  Graph g;
  const Expr x = g.placeholder("x", {any, 2});
  const Expr sums = g.variable("sums", zeros({2}));
  const Expr step = assign_add(sums, reduce_sum(x, 0));
  const Expr wide = g.placeholder("wide", {any, 64});
  const Expr wide_sums = reduce_sum(wide, 0);
  const Tensor few = full({40000, 2}, 1), many = full({40000, 64}, 1);
  Session session(g, emulated_device());
  for (int run = 0; run < 3; ++run) session.run(step, {{x, few}});
  CHECK(contains(session.explain(step, {{x, few}}), "recorded: a run is one launch"));
  CHECK(session.run(wide_sums, {{wide, many}}) == full({64}, 40000));
  for (int run = 0; run < 2; ++run) session.run(step, {{x, few}});
  CHECK(session.value(sums) == full({2}, 5 * 40000));
}

// An embedding of items, trained: its gradient is added to the rows that were looked up.
struct Embedding {
  explicit Embedding(DType index = int32) : items(g.placeholder("items", {3}, index)) {}

  Graph g;
  Expr items;
  Expr table = g.variable("table", Tensor({{1, 2}, {3, 4}, {5, 6}, {7, 8}}));
  Expr error = reduce_sum(square(gather(table, items)));
  Expr train = GradientDescent(0.125).minimize(error);
};

TEST_CASE("device: steps that gather and scatter by fed indices are recorded") {
  for (const DType index : {int32, int64}) {
    Embedding model(index);
    Watched watched;
    Session session(model.g, watched.device);
    Session cpu(model.g);
    const Tensor some = Tensor({2, 0, 2}, int32).cast(index), others = Tensor({1, 3, 1}, int32).cast(index);
    const auto run = [&](const Tensor& items) {
      session.run(model.train, {{model.items, items}});
      cpu.run(model.train, {{model.items, items}});
      CHECK(session.value(model.table) == cpu.value(model.table));
    };
    const auto explained = [&] { return session.explain(model.train, {{model.items, some}}); };
    for (int i = 0; i < 4; ++i) run(some);
    CHECK(contains(explained(), "recorded: a run is one launch"));
    run(others);
    CHECK(contains(explained(), "recorded when the same tensors are fed again"));
    run(others);
    CHECK(contains(explained(), "recorded: a run is one launch"));
    // Indices in the device's memory: seen once, then recorded.
    const Tensor there = some.to(watched.device);
    for (int i = 0; i < 3; ++i) {
      session.run(model.train, {{model.items, there}});
      cpu.run(model.train, {{model.items, some}});
    }
    CHECK(contains(explained(), "recorded: a run is one launch"));
    CHECK(session.value(model.table) == cpu.value(model.table));

    const Tensor wrong = Tensor({0, 4, 1}, int32).cast(index);
    const Tensor before = session.value(model.table);
    const std::string want = refusal<ValueError>([&] { cpu.run(model.train, {{model.items, wrong}}); });
    CHECK(contains(want, "gather: index 4 in (items, "));
    for (const Tensor& fed : {wrong, wrong, wrong.to(watched.device)})
      CHECK(refusal<ValueError>([&] { session.run(model.train, {{model.items, fed}}); }) == want);
    CHECK(session.value(model.table) == before);
    run(some);
  }
}

TEST_CASE("device: an update that several indices share is added at each of them") {
  for (const bool regroups : {true, false}) {
    Graph g;
    const Expr X = g.placeholder("X", {3, 4}, int32);
    const Expr V = g.variable("V", Tensor({{1, 2}, {3, 4}, {5, 6}, {7, 8}, {9, 10}}));
    const Expr sums = reduce_sum(gather(V, X), 1), squares = reduce_sum(square(gather(V, X)), 1);  // [3, 2]
    const Expr train = GradientDescent(0.001).minimize(reduce_sum(square(sums) - squares));
    SessionOptions options;
    if (!regroups) options.without = {"reassociate"};
    Session session(g, emulated_device(), options), cpu(g, Device::cpu(), options);
    CHECK(contains(cpu.explain(train, {{X, zeros({3, 4}, int32)}}), regroups ? "rows_together" : "shared=1"));
    for (const Tensor& rows : {Tensor({{0, 1, 1, 4}, {4, 4, 0, 2}, {1, 0, 2, 4}}, int32),
                               Tensor({{3, 3, 3, 3}, {0, 2, 4, 1}, {1, 1, 0, 0}}, int32)})
      for (int run = 0; run < 2; ++run) {
        session.run(train, {{X, rows}});
        cpu.run(train, {{X, rows}});
        CHECK(allclose(session.value(V), cpu.value(V), 1e-6, 1e-6));
      }
  }
}

TEST_CASE("device: indices that follow from feeds are recorded, those that follow from variables are not") {
  Graph g;
  const Expr x = g.placeholder("x", {2});
  const Expr table = g.variable("table", Tensor({1, 2, 3, 4}));
  const Expr place = g.variable("place", zeros({2}), {.trainable = false});
  const Expr sum = g.variable("sum", zeros({2}), {.trainable = false});
  const Expr of_feeds = assign_add(sum, gather(table, cast(x, int32)));
  const Expr moved =
      g.group(std::vector<Expr>{assign_add(sum, gather(table, cast(place, int32))), assign_add(place, x)});
  Session session(g, emulated_device());
  const Tensor ones({1, 1}), ends({0, 3});
  for (int run = 0; run < 3; ++run) session.run(of_feeds, {{x, ends}});
  CHECK(contains(session.explain(of_feeds, {{x, ends}}), "recorded: a run is one launch"));
  for (int run = 0; run < 2; ++run) session.run(of_feeds, {{x, ones}});
  CHECK(session.value(sum) == Tensor({7, 16}));
  for (int run = 0; run < 4; ++run) session.run(moved, {{x, ones}});
  CHECK(session.value(sum) == Tensor({17, 26}));
  CHECK(contains(session.explain(moved, {{x, ones}}),
                 "not recorded, for the host must see in each run of what numbers gather"));
  CHECK(refusal<ValueError>([&] { session.run(moved, {{x, ones}}); }).starts_with("gather: index 4 in ("));
}

TEST_CASE("device: two lookups in one table, whose gradients touch different rows, are recorded") {
  Graph g;
  const Expr a = g.placeholder("a", {2}, int32), b = g.placeholder("b", {3}, int32);
  const Expr table = g.variable("table", Tensor({{1, 2}, {3, 4}, {5, 6}, {7, 8}}));
  const Expr error = reduce_sum(square(gather(table, a))) + reduce_sum(square(gather(table, b)));
  const Expr train = Adagrad(0.1).minimize(error);
  Session session(g, emulated_device());
  Session cpu(g);
  const std::vector<Feed> feeds[] = {{{a, Tensor({0, 2}, int32)}, {b, Tensor({2, 3, 3}, int32)}},
                                     {{a, Tensor({1, 1}, int32)}, {b, Tensor({0, 1, 2}, int32)}}};
  for (const int fed : {0, 0, 0, 1, 1, 1, 0}) {
    session.run(train, feeds[fed]);
    cpu.run(train, feeds[fed]);
    CHECK(allclose(session.value(table), cpu.value(table), 1e-6, 1e-6));
  }
  session.run(train, feeds[0]);
  CHECK(contains(session.explain(train, feeds[0]), "recorded: a run is one launch"));
}

TEST_CASE("device: what to_csr makes of a feed is recorded with it, what it makes of a variable is not") {
  Graph g;
  const Expr x = g.placeholder("x", {2, 3});
  const Expr w = g.variable("w", Tensor({{1}, {2}, {3}}));
  const Expr sums = g.variable("sums", zeros({2, 1}));
  const Expr step = assign_add(sums, matmul(to_csr(x), w));
  const Expr kept = g.variable("kept", Tensor({{1, 0}, {0, 1}}), {.trainable = false});
  const Expr ends = g.variable("ends", zeros({2, 1}));
  const Expr moving =
      g.group(std::vector<Expr>{g.assign(kept, kept * 2 - 2), assign_add(ends, matmul(to_csr(kept), sums))});
  Session session(g, emulated_device());
  const Tensor one({{1, 2, 0}, {0, 0, 1}}), other({{0, 0, 0}, {4, 0, 0}});
  for (int run = 0; run < 3; ++run) session.run(step, {{x, one}});
  CHECK(contains(session.explain(step, {{x, one}}), "recorded: a run is one launch"));
  for (int run = 0; run < 3; ++run) session.run(step, {{x, other}});
  CHECK(session.value(sums) == Tensor({{15}, {21}}));
  for (int run = 0; run < 2; ++run) session.run(moving, {{x, one}});
  CHECK(session.value(ends) == Tensor({{15 + 0 * 15 - 2 * 21}, {21 - 2 * 15 + 0 * 21}}));
  CHECK(contains(session.explain(moving, {{x, one}}),
                 "not recorded, for the host must see in each run of what numbers to_csr"));
}

TEST_CASE("device: a replayed step allocates nothing and holds no more memory than the first") {
  Small small;
  Watched watched;
  Session session(small.g, watched.device);
  const Tensor x({1, 2, 3, 4});
  for (int run = 0; run < 3; ++run) session.run(small.step, {{small.x, x}});
  const std::int64_t before = watched.stream->memory_in_use();
  for (int run = 0; run < 100; ++run) session.run(small.step, {{small.x, x}});
  CHECK(watched.stream->memory_in_use() == before);
}

TEST_CASE("device: random numbers are new in every run and the CPU's") {
  Graph g;
  const Expr r = random_uniform(g, {5});
  Session session(g, emulated_device());
  Session cpu(g);
  for (int run = 0; run < 4; ++run) CHECK(session.run(r) == cpu.run(r));
  CHECK(contains(session.explain(r), "not recorded, for random_uniform is done anew in every run"));
}

TEST_CASE("device: tensors fed again are not uploaded again, however many batches come between") {
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

TEST_CASE("device: a tensor on the device is fed as it lies there, and read only on the host") {
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

TEST_CASE("device: a tensor on one device is refused by a session on another") {
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

TEST_CASE("device: out of memory is an error after which the session goes on") {
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

TEST_CASE("device: what is saved on a device is restored on the CPU, and back") {
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

TEST_CASE("device: profiles time each kernel, prepared runs run") {
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

TEST_CASE("device: integers that cannot be divided are refused as on the CPU, and change nothing") {
  Graph g;
  const Expr x = g.placeholder("x", {2}, int32);
  const Expr b = g.variable("b", Tensor({5, 6}, int32), {.trainable = false});
  const Expr step = g.assign(b, floordiv(b, x));
  Session session(g, emulated_device());
  CHECK(refusal<ValueError>([&] {
          session.run(step, {{x, Tensor({1, 0}, int32)}});
        }).starts_with("floordiv: integer division by zero (floordiv, emulated_device_test.cpp:"));
  CHECK(session.value(b) == Tensor({5, 6}, int32));
  session.run(step, {{x, Tensor({2, 3}, int32)}});
  CHECK(session.value(b) == Tensor({2, 2}, int32));
}

// As the article writes it, over a dense matrix: two products by the factors, and a kernel each way for all else that
// reads X. Its square is in no memory.
TEST_CASE("device: a dense factorization machine reads its data four times") {
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
  CHECK(contains(to_string(plan), "kernel matmul_square_matmul, "));
  CHECK(contains(to_string(plan), "kernel square_matmul_matmul, "));
  CHECK(contains(kept.explain(train, feeds), " = square(%0 X)  float32 [600, 120]  loop  at "));
  std::size_t readers = 0;
  for (const PlanStep& step : plan.list) {
    const bool reads =
        std::any_of(step.inputs.begin(), step.inputs.end(), [](const StepInput& i) { return i.id == 0; });
    if (reads && step.op == "square") CHECK(step.place == StepPlace::registers);
    if (reads && step.op != "square") ++readers;
  }
  CHECK(readers == 4);  // beside the squares, which are in the kernels of two of them
}
