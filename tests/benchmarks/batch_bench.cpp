// Mini-batches of sparse rows: MovieLens-100k in a random order, and rows in the manner of Criteo's over a million and
// over ten million features.
#include "batches.h"
#include "loops.h"

#include <string>
#include <vector>

namespace bench {

using namespace gradus;

namespace {

constexpr int k = 16;
constexpr std::int64_t batch = 1024;

// The loop's side of the same batches. It walks the rows where they are.
class LoopBatches {
 public:
  LoopBatches(const DataSet& data, const std::vector<float>& start, loops::Loss loss)
      : data_(data), machine_({data.features, start}, loss, 0.1F) {}

  float step(bool want_loss) {
    const std::int64_t b = step_++ % (data_.rows() / batch);
    return machine_.step(data_.x, data_.y.data(), b * batch, batch, want_loss);
  }
  Steps steps() {
    return [this](std::int64_t count) {
      for (std::int64_t i = 0; i < count; ++i) benchmark::DoNotOptimize(step(false));
    };
  }

 private:
  const DataSet& data_;
  loops::BatchMachine<k> machine_;
  std::int64_t step_ = 0;
};

// Both sides, having gone the same way for a few steps.
struct Pair {
  Training gradus;
  LoopBatches loop;

  Pair(const DataSet& data, const TrainingOptions& options)
      : gradus(tensors_of(data), options),
        loop(data, gradus.start(), options.task == Task::binary ? loops::Loss::logistic : loops::Loss::squared) {}
  bool same(benchmark::State& state) {
    return same_way(
        state, 10, [&] { return gradus.step_loss(); }, [&] { return loop.step(true); });
  }
};

void compare_batches(benchmark::State& state, double target, const DataSet& data, TrainingOptions options,
                     int threads) {
  state.SetLabel(data.origin);
  options.threads = threads;
  Pair pair(data, options);
  if (!pair.same(state)) return;
  // An epoch first: what a batch's first use costs is not what the next ones do.
  pair.gradus.steps()(pair.gradus.count());
  pair.loop.steps()(pair.gradus.count());
  if (threads == 1) return compare(state, target, pair.gradus.steps(), pair.loop.steps());
  options.threads = 1;
  Training one(tensors_of(data), options);
  one.steps()(one.count());
  LoopBatches copy = pair.loop;
  compare_threads(state, {pair.gradus.steps(), one.steps(), pair.loop.steps(), copy.steps()});
}

void movielens_batch(benchmark::State& state, int threads) {
  compare_batches(state, 2, shuffled(movielens()), {.factors = k, .batch = batch, .ready = false}, threads);
}

// An epoch of batches with 20 factors, as `fm train` goes through them: at most 4.5 ms are wanted (libFM takes 9.0).
void movielens_epoch(benchmark::State& state) {
  const DataSet data = shuffled(movielens());
  state.SetLabel(data.origin);
  Training training(tensors_of(data), {.factors = 20, .batch = batch});
  const Steps steps = training.steps();
  steps(training.count());
  for (auto _ : state) steps(training.count());
  state.counters["target_s"] = 4.5e-3;
}

constexpr TrainingOptions criteo_options{.factors = k, .batch = batch, .ready = false, .task = Task::binary};

void criteo_batch(benchmark::State& state, int threads) {
  compare_batches(state, 1.5, zipf({}), criteo_options, threads);
}

// The same work by one rank that a launcher might have started, beside a session that knows of no ranks.
void one_rank(benchmark::State& state) {
  TrainingOptions of_rank = criteo_options;
  of_rank.pieces = 1;
  const DataSet data = zipf({});
  Training rank(tensors_of(data), of_rank), alone(tensors_of(data), criteo_options);
  for (Training* each : {&rank, &alone}) each->steps()(each->count());
  compare(state, 1.03, rank.steps(), alone.steps());
}

// The work of "criteo batch" on ten times the features, of which as many occur as there: a table ten times as large,
// in which a batch touches as many rows. The ratio is Gradus' time to its own on a million features; beside it stands
// the loop's, which says what the caches and the address translation take of it.
void ten_million_features(benchmark::State& state) {
  if (!memory_suffices(state, 8)) return;
  const DataSet one_data = zipf({});
  const DataSet ten_data = zipf({.features = 10000000});
  state.SetLabel(ten_data.origin);
  Pair one(one_data, criteo_options);
  Pair ten(ten_data, criteo_options);
  if (!one.same(state) || !ten.same(state)) return;
  for (auto _ : state) {
    const auto times = take_turns({ten.gradus.steps(), one.gradus.steps(), ten.loop.steps(), one.loop.steps()});
    state.SetIterationTime(median(times[0]));
    state.counters["threads"] = 1;
    state.counters["gradus_s"] = median(times[0]);
    state.counters["loop_s"] = median(times[2]);
    state.counters["ratio"] = median_ratio(times[0], times[1]);
    state.counters["target"] = 1.4;
    state.counters["gradus_1m_s"] = median(times[1]);
    state.counters["loop_1m_s"] = median(times[3]);
    state.counters["loop_growth"] = median_ratio(times[2], times[3]);
  }
}

// Preparing batches and nothing else, on one thread: the rows, the columns that they touch, and where each stands among
// them; a GPU finds the last out itself.
void preparation(benchmark::State& state, const DataSet& data, bool shuffle, std::int64_t size = batch,
                 bool for_gpu = false) {
  state.SetLabel(data.origin);
  const gradus::Batches batches(tensors_of(data),
                                {.size = size, .shuffle = shuffle, .drop_remainder = true, .threads = 0});
  std::int64_t e = 0;
  std::int64_t made = 0;
  for (auto _ : state) {
    for (const Batch& of : batches.epoch(e++)) {
      const CsrPattern& pattern = *of.x.pattern();
      benchmark::DoNotOptimize(for_gpu ? pattern.active_columns()->row.data() : pattern.active().slot.data());
      ++made;
    }
  }
  state.counters["batch"] =
      benchmark::Counter(static_cast<double>(made), benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

// A step with its batch made in it, in order or shuffled, by the thread that computes or by another.
void step_with_preparation(benchmark::State& state, const DataSet& data, TrainingOptions options) {
  state.SetLabel(data.origin);
  Training training(tensors_of(data), options);
  const Steps steps = training.steps();
  steps(training.count());
  for (auto _ : state) steps(1);
}

}  // namespace

void add_batch_rows() {
  const auto add = [](const char* name, auto function, auto... arguments) {
    benchmark::RegisterBenchmark(name, function, arguments...)->Iterations(1)->UseManualTime();
  };
  add("movielens batch", movielens_batch, 1);
  add("movielens batch/threads:2", movielens_batch, 2);
  benchmark::RegisterBenchmark("movielens epoch", movielens_epoch)->Unit(benchmark::kMillisecond)->UseRealTime();
  add("criteo batch", criteo_batch, 1);
  add("criteo batch/threads:2", criteo_batch, 2);
  add("criteo batch, one rank", one_rank);
  add("10 M features", ten_million_features);

  for (const bool for_gpu : {false, true})
    benchmark::RegisterBenchmark(
        for_gpu ? "batch preparation/65536 rows of criteo/for a gpu" : "batch preparation/65536 rows of criteo",
        [=](benchmark::State& state) {
          constexpr std::int64_t rows = 65536;
          preparation(state, zipf({.rows = 4 * rows}), true, rows, for_gpu);
        })
        ->Unit(benchmark::kMicrosecond);
  for (const bool criteo : {false, true}) {
    const auto data = [=] { return criteo ? zipf({}) : shuffled(movielens()); };
    const std::string name = criteo ? "/criteo" : "/movielens";
    for (const bool shuffle : {false, true}) {
      const std::string order = shuffle ? "/shuffled" : "/in order";
      benchmark::RegisterBenchmark(("batch preparation" + name + order).c_str(), [=](benchmark::State& state) {
        preparation(state, data(), shuffle);
      })->Unit(benchmark::kMicrosecond);
      for (const bool background : {false, true})
        benchmark::RegisterBenchmark(
            ("batch step" + name + order + (background ? "/background" : "/same thread")).c_str(),
            [=](benchmark::State& state) {
              step_with_preparation(state, data(),
                                    {.factors = k,
                                     .batch = batch,
                                     .ready = false,
                                     .shuffle = shuffle,
                                     .background = background,
                                     .task = criteo ? Task::binary : Task::regression});
            })
            ->Unit(benchmark::kMicrosecond)
            ->UseRealTime();
    }
    benchmark::RegisterBenchmark(
        ("batch step" + name + "/ready").c_str(),
        [=](benchmark::State& state) {
          step_with_preparation(state, data(),
                                {.factors = k, .batch = batch, .task = criteo ? Task::binary : Task::regression});
        })
        ->Unit(benchmark::kMicrosecond)
        ->UseRealTime();
  }
}

}  // namespace bench
