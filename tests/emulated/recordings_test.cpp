// Steps on a device that are recorded and replayed, on one that is emulated: which, and what they read.
#include "watched.h"

#include "../refusal.h"

#include <gradus/gradus.h>

#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <vector>

using namespace gradus;

TEST_CASE("a step that splits the rows of the same matrix is recorded") {
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

TEST_CASE("a step with the same feeds is recorded at its second run and replayed") {
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

TEST_CASE("large feeds that change are read where they lie, and recorded when fed again") {
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

TEST_CASE("after a run that failed a recording reads what is fed next") {
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

TEST_CASE("a recording survives another plan that needs more memory to work in") {
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

TEST_CASE("steps that gather and scatter by fed indices are recorded") {
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

TEST_CASE("an update that several indices share is added at each of them") {
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

TEST_CASE("indices that follow from feeds are recorded, those that follow from variables are not") {
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

TEST_CASE("two lookups in one table, whose gradients touch different rows, are recorded") {
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

TEST_CASE("what to_csr makes of a feed is recorded with it, what it makes of a variable is not") {
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

TEST_CASE("a replayed step allocates nothing and holds no more memory than the first") {
  Small small;
  Watched watched;
  Session session(small.g, watched.device);
  const Tensor x({1, 2, 3, 4});
  for (int run = 0; run < 3; ++run) session.run(small.step, {{small.x, x}});
  const std::int64_t before = watched.stream->memory_in_use();
  for (int run = 0; run < 100; ++run) session.run(small.step, {{small.x, x}});
  CHECK(watched.stream->memory_in_use() == before);
}
