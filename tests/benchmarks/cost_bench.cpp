// What training costs besides the steps: the first run, in which the plan is made, and memory.
#include "batches.h"

#include <gradus/gradus.h>

#include <malloc.h>

#include <fstream>
#include <string>
#include <string_view>

namespace bench {

using namespace gradus;

namespace {

// From the graph to the first step's end, the graph itself left out.
void first_run(benchmark::State& state, const Tensor& x, const Tensor& y, std::int64_t k) {
  Graph g;
  const bool sparse = x.layout() == Layout::csr;
  const Expr X = sparse ? g.sparse_placeholder("X", x.shape()) : g.placeholder("X", x.shape());
  const Expr Y = g.placeholder("y", y.shape());
  const FactorizationMachine fm(X, Y, {.factors = k, .seed = 1, .l2_W = 0.001, .l2_V = 0.001});
  const Expr train = Adagrad(0.1).minimize(fm.loss);
  for (auto _ : state) {
    Session session(g, Device::cpu(), {.threads = 1});
    session.run(train, {{X, x}, {Y, y}});
  }
}

void first_run_toy(benchmark::State& state) {
  const auto [x, y] = rendle2010();
  first_run(state, x, y, 5);
}

// One row of MovieLens: the plan is that of all rows, and the step itself costs little beside it.
void first_run_movielens(benchmark::State& state) {
  const DataSet& data = movielens();
  state.SetLabel("one row; initial values of 2623 x 20 factors among it");
  first_run(state, x_rows(data, 0, 1), y_rows(data, 0, 1), 20);
}

// A line of /proc/self/status, in bytes.
double status(std::string_view name) {
  std::ifstream file("/proc/self/status");
  std::string word;
  double kibibytes = 0;
  while (file >> word && word != name) {
  }
  file >> kibibytes;
  return kibibytes * 1024;
}

// The most memory that graph, session and three steps take beyond what was there before: the data are not counted.
void peak_memory(benchmark::State& state, const DataSet& data, const TrainingOptions& options) {
  if (!std::ofstream("/proc/self/clear_refs").is_open()) return skip(state, "/proc/self/clear_refs cannot be written");
  state.SetLabel(data.origin);
  const Rows tensors = tensors_of(data);
  for (auto _ : state) {
    malloc_trim(0);
    const double before = status("VmRSS:");
    std::ofstream("/proc/self/clear_refs") << "5" << std::flush;  // the high-water mark starts anew
    Training gradus(tensors, options);
    gradus.steps()(3);
    state.counters["peak_MB"] = (status("VmHWM:") - before) / 1e6;
    const auto p = static_cast<double>(data.features), k = static_cast<double>(options.factors);
    state.counters["variables_MB"] = 2 * 4 * p * (k + 1) / 1e6;  // with their slots
  }
}

void memory_movielens_csr(benchmark::State& state) {
  const DataSet& data = movielens();
  peak_memory(state, data, {.factors = 20, .batch = data.rows(), .ready = false});
}

void memory_criteo_batch(benchmark::State& state) { peak_memory(state, zipf({.rows = 4096}), {.ready = false}); }

}  // namespace

void add_cost_rows() {
  benchmark::RegisterBenchmark("first run/toy", first_run_toy)->Unit(benchmark::kMicrosecond);
  benchmark::RegisterBenchmark("first run/movielens", first_run_movielens)->Unit(benchmark::kMicrosecond);
  benchmark::RegisterBenchmark("peak memory/movielens csr", memory_movielens_csr)
      ->Iterations(1)
      ->Unit(benchmark::kMillisecond);
  benchmark::RegisterBenchmark("peak memory/criteo batch", memory_criteo_batch)
      ->Iterations(1)
      ->Unit(benchmark::kMillisecond);
}

}  // namespace bench
