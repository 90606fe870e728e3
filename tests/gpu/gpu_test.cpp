// What must hold on an NVIDIA GPU. A program of its own, which exits 77 where there is none and says why.
#include "../device_checks.h"
#include "../launch_checks.h"
#include "../refusal.h"

#include <gradus/core/device/accelerator.h>
#include <gradus/gradus.h>

#include <doctest/doctest.h>
#include <fmt/core.h>

#include <cmath>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

using namespace gradus;

namespace {

void fail_check(const std::string& complaint) { FAIL_CHECK(complaint); }

// A small factorization machine over csr rows, and a step of its training.
struct Machine {
  Machine() {
    const auto [x_data, y_data] = rendle2010();
    feeds = {{X, x_data.to_csr()}, {y, y_data}};
  }

  Graph g;
  Expr X = g.sparse_placeholder("X", {any, 16});
  Expr y = g.placeholder("y", {any, 1});
  FactorizationMachine fm{X, y, {.factors = 5, .seed = 1}};
  Expr train = Adagrad(0.1).minimize(fm.loss);
  std::vector<Feed> feeds;
};

double trained(const Device& device, int steps) {
  Machine machine;
  Session session(machine.g, device);
  for (int i = 0; i < steps; ++i) session.run(machine.train, machine.feeds);
  return session.run(machine.fm.loss, machine.feeds).item();
}

bool same_bits(const Tensor& a, const Tensor& b) {
  return a.type() == b.type() &&
         std::memcmp(a.data(), b.data(), static_cast<std::size_t>(a.stored()) * size_of(a.dtype())) == 0;
}

}  // namespace

TEST_CASE("gpu: each op launches what it computes on the CPU") {
  CHECK(check_launches(Device::cuda(), all_dtypes, fail_check) > 3000);
}

TEST_CASE("gpu: the op table") { check_op_table(Device::cuda(), fail_check); }

TEST_CASE("gpu: the article's machine by every optimizer") {
  check_optimizers(Device::cuda(), {Layout::dense, Layout::csr}, {float64, float32}, 1, fail_check);
}

TEST_CASE("gpu: a factorization machine on csr batches by every optimizer") {
  check_batches(Device::cuda(), 1, fail_check);
}

TEST_CASE("gpu: feeds that change") { check_changing_feeds(Device::cuda(), fail_check); }
TEST_CASE("gpu: results of different width of a large matrix are one pass") {
  check_passes(Device::cuda(), 1, fail_check);
}

TEST_CASE("gpu: marks tell how long work took, by the device's clock") {
  const std::shared_ptr<Accelerator> stream = Device::cuda().open();
  constexpr std::int64_t bytes = 64 << 20;
  const DeviceMemory from(stream, bytes), to(stream, bytes);
  stream->set_zero(from.data(), bytes);
  const auto start = stream->mark();
  for (int i = 0; i < 10; ++i) stream->copy(to.data(), from.data(), bytes);
  const auto end = stream->mark();
  const double seconds = stream->seconds_between(*start, *end);
  CHECK(seconds > 20 * bytes / 100e12);  // no memory moves 100 TB a second
  CHECK(seconds < 10);
}

TEST_CASE("gpu: MovieLens-100k, 100 steps") { check_movielens(Device::cuda(), 90570, 100, fail_check); }

TEST_CASE("gpu: the same bits twice") {
  std::vector<Tensor> V;
  for (int i = 0; i < 2; ++i) {
    Machine machine;
    Session session(machine.g, Device::cuda());
    for (int step = 0; step < 50; ++step) session.run(machine.train, machine.feeds);
    V.push_back(session.value(machine.fm.V));
  }
  CHECK(same_bits(V[0], V[1]));
}

TEST_CASE("gpu: out of memory is an error that says how much, after which the session works") {
  Graph g;
  const Expr n = g.placeholder("n", {any});
  const Expr column = reshape(n, {-1, 1});
  const Expr table = matmul(column, transpose(column));
  Session session(g, Device::cuda());
  CHECK(session.run(table, {{n, Tensor({1, 2})}}) == Tensor({{1, 2}, {2, 4}}));
  const Tensor large =
      Tensor::make<float>({1 << 20}, [](std::span<float> to) { std::fill(to.begin(), to.end(), 1.0F); });
  const std::string refused = refusal<DeviceError>([&] { session.run(table, {{n, large}}); });
  CHECK(refused.starts_with("out of memory on cuda:0 ("));
  CHECK(refused.find("4398046511104 bytes were asked for") != std::string::npos);
  CHECK(session.run(table, {{n, Tensor({1, 2})}}) == Tensor({{1, 2}, {2, 4}}));
}

TEST_CASE("gpu: a session on the CPU and one on the GPU side by side") {
  Machine machine;
  Session gpu(machine.g, Device::cuda());
  Session cpu(machine.g);
  for (int step = 0; step < 50; ++step) {
    gpu.run(machine.train, machine.feeds);
    cpu.run(machine.train, machine.feeds);
  }
  const double want = cpu.run(machine.fm.loss, machine.feeds).item();
  CHECK(gpu.run(machine.fm.loss, machine.feeds).item() == doctest::Approx(want).epsilon(1e-4));
}

TEST_CASE("gpu: two sessions in two threads") {
  const double want = trained(Device::cuda(), 200);
  double got[2] = {0, 0};
  std::thread first([&] { got[0] = trained(Device::cuda(), 200); });
  std::thread second([&] { got[1] = trained(Device::cuda(), 200); });
  first.join();
  second.join();
  CHECK(got[0] == want);
  CHECK(got[1] == want);
}

TEST_CASE("gpu: 10,000 steps hold no more memory than 10") {
  std::shared_ptr<Accelerator> stream;
  const Device gpu = Device::cuda();
  const Device watched = Device::other(gpu.name(), [&] { return stream = gpu.open(); });
  Machine machine;
  Session session(machine.g, watched);
  for (int step = 0; step < 10; ++step) session.run(machine.train, machine.feeds);
  const std::int64_t before = stream->memory_in_use();
  for (int step = 0; step < 10000; ++step) session.run(machine.train, machine.feeds);
  CHECK(stream->memory_in_use() == before);
  CHECK(session.explain(machine.train, machine.feeds).find("recorded: a run is one launch") != std::string::npos);
}

int main(int argc, char** argv) {
  try {
    fmt::print("on {}\n", Device::cuda().name());
  } catch (const DeviceError& error) {
    fmt::print("skipped: {}\n", error.what());
    return 77;
  }
  return doctest::Context(argc, argv).run();
}
