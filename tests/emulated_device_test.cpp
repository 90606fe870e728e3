// Sessions on a device, on one that is emulated: the CPU's numbers, what is uploaded and when, what is recorded, and
// what is refused.
#include "device_checks.h"
#include "emulator/emulated_accelerator.h"
#include "folder.h"
#include "refusal.h"

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

TEST_CASE("device: the op table, fused, alone and in float32") { check_op_table(emulated_device(), fail_check); }

TEST_CASE("device: the article's machine by every optimizer") { check_optimizers(emulated_device(), fail_check); }

TEST_CASE("device: a factorization machine on csr batches by every optimizer") {
  check_batches(emulated_device(), fail_check);
}

TEST_CASE("device: MovieLens-100k") { check_movielens(emulated_device(), 2, fail_check); }

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

  SUBCASE("other numbers in other memory: launched, then recorded anew") {
    const Tensor other({1, 1, 1, 1});
    session.run(small.step, {{small.x, other}});
    CHECK(session.value(small.b).item() == 54);
    session.run(small.step, {{small.x, other}});
    session.run(small.step, {{small.x, x}});
    CHECK(session.value(small.b).item() == 68);
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
  CHECK(contains(session.explain(r), "not recorded, for random_uniform is random"));
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
  CHECK(contains(profile.steps[0].name, "multiply"));
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
        }) == "floordiv: integer division by zero");
  CHECK(session.value(b) == Tensor({5, 6}, int32));
  session.run(step, {{x, Tensor({2, 3}, int32)}});
  CHECK(session.value(b) == Tensor({2, 2}, int32));
}
