#include <gradus/models/data/batches.h>

#include <gradus/core/error.h>
#include <gradus/core/tensor/random.h>
#include <gradus/core/tensor/random_order.h>

#include <algorithm>
#include <array>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <new>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

namespace gradus {

namespace {

// Batches that wait for the caller at most. When there are so many, their threads sleep until half of them are gone:
// waking them for each would cost more than a small batch.
constexpr std::size_t ahead = 8;

constexpr int most_threads = 4;

// Starting a thread takes as long as gathering that many rows, and much longer on a busy machine.
constexpr std::int64_t few_rows = 1024;

int preparing_threads(const BatchOptions& options, std::int64_t rows) {
  if (rows <= options.size) return 0;  // a single batch: there is nothing to do meanwhile
  if (options.threads) return std::min(*options.threads, most_threads);
  if (rows < few_rows && !options.map) return 0;
  const int cores = static_cast<int>(std::thread::hardware_concurrency());
  return cores == 1 ? 0 : std::clamp(cores / 4, 1, most_threads);
}

// Memory of batches that nobody holds. Whoever lets go of the last tensor on a piece, on whatever thread, puts it back.
class Pool : public std::enable_shared_from_this<Pool> {
 public:
  Pool() { free_.reserve(kept); }

  std::shared_ptr<RowMemory> take() {
    std::unique_ptr<RowMemory> memory;
    {
      const std::lock_guard lock(mutex_);
      if (!free_.empty()) {
        memory = std::move(free_.back());
        free_.pop_back();
      }
    }
    if (!memory) memory = std::make_unique<RowMemory>();
    return {memory.release(), [pool = shared_from_this()](RowMemory* p) { pool->put_back(p); }};
  }

 private:
  static constexpr std::size_t kept = ahead + 2;  // one is made by the caller, one is used

  void put_back(RowMemory* memory) {
    std::unique_ptr<RowMemory> owner(memory);
    const std::lock_guard lock(mutex_);
    if (free_.size() < kept) free_.push_back(std::move(owner));
  }

  std::mutex mutex_;
  std::vector<std::unique_ptr<RowMemory>> free_;
};

// What stands at the positions of an epoch: blocks in an order of their own, and in each its rows.
class EpochOrder {
 public:
  EpochOrder(const RowBlocks& data, const BatchOptions& options, std::int64_t epoch)
      : data_(data), options_(options), epoch_(static_cast<std::uint64_t>(epoch)) {
    if (!options.shuffle || data.blocks() == 1) return;
    RandomOrder order(data.blocks(), options.seed, stream_of("blocks") + epoch_);
    const std::span<const Index> all = order.at(0, data.blocks());
    block_order_.assign(all.begin(), all.end());
  }

  // The rows at these positions, which are asked for in order. Those of one block lie in memory of the pool.
  Rows rows(std::int64_t first, std::int64_t count, Pool& pool) {
    while (first >= end_) pass_to_next();
    if (first + count <= end_) return rows_of_block(first - begin_, count, pool);
    std::vector<Rows> parts;
    while (count > 0) {
      if (first == end_) pass_to_next();
      const std::int64_t here = std::min(count, end_ - first);
      parts.push_back(rows_of_block(first - begin_, here, pool));
      first += here;
      count -= here;
    }
    return joined(parts);
  }

 private:
  // A block is read when a row of it is asked for: an epoch may begin far behind.
  void pass_to_next() {
    block_.reset();
    number_ = block_order_.empty() ? next_ : block_order_[static_cast<std::size_t>(next_)];
    ++next_;
    begin_ = end_;
    end_ += data_.rows_of(number_);
  }

  Rows rows_of_block(std::int64_t first, std::int64_t count, Pool& pool) {
    if (!block_) {
      block_ = data_.block(number_);
      order_.emplace(options_.shuffle ? block_->size() : 0, options_.seed,
                     stream_of_block(stream_of("batches") + epoch_, number_));
    }
    if (options_.shuffle) return block_->take(order_->at(first, count), pool.take());
    return block_->range(first, count, block_->x.layout() == Layout::csr ? pool.take() : nullptr);
  }

  const RowBlocks& data_;
  const BatchOptions& options_;
  std::uint64_t epoch_;
  std::vector<Index> block_order_;
  std::int64_t next_ = 0;  // in that order
  // The block at hand: its number, where it lies in the epoch, and, once read, its rows and their order.
  std::int64_t number_ = 0;
  std::int64_t begin_ = 0;
  std::int64_t end_ = 0;
  std::optional<Rows> block_;
  std::optional<RandomOrder> order_;
};

}  // namespace

// What all epochs share.
struct Batches::Source {
  SharedBlocks data;
  BatchOptions options;
  std::int64_t size = 0;  // rows
  std::int64_t count = 0;
  std::shared_ptr<Pool> pool = std::make_shared<Pool>();
};

// Two mutexes: `making` is held while a batch's rows are gathered, in order; `mutex` for a moment, where the threads
// and the caller meet. Who takes both takes `making` first. What can be found out about a batch by itself is found out
// under neither.
struct Epoch::State {
  State(std::shared_ptr<const Batches::Source> source_of, std::int64_t e, std::int64_t first)
      : source(std::move(source_of)), epoch(e), next(first) {
    const int count = preparing_threads(source->options, source->size);
    threads.reserve(static_cast<std::size_t>(count));
    try {
      for (int i = 0; i < count; ++i) threads.emplace_back([this] { prepare(); });
    } catch (const std::system_error&) {
      // No more threads are to be had; the others, or the caller, make the same batches.
    }
  }
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() {
    {
      const std::lock_guard lock(mutex);
      stop = true;
    }
    room.notify_all();
    for (std::thread& thread : threads) thread.join();
  }

  // The next batch; none after the last, nor after one that could not be made.
  std::optional<Batch> made() {
    const BatchOptions& options = source->options;
    const std::int64_t number = std::exchange(next, source->count);
    if (number == source->count) return {};
    const std::int64_t first = number * options.size, count = std::min(options.size, source->size - first);
    const BatchOptions::Part part = options.part ? options.part(count) : BatchOptions::Part{0, count};
    if (!order) order.emplace(*source->data, options, epoch);
    // Where none are wanted it is none of a row that there is, for their types.
    const std::int64_t from = first + std::min(part.first, count - 1);
    Rows rows = order->rows(part.count == 0 ? from : first + part.first, part.count, *source->pool);
    std::optional<Batch> batch({std::move(rows.x), std::move(rows.y), std::move(rows.weight), number, epoch, count});
    if (options.map) options.map(*batch);
    next = number + 1;
    return batch;
  }

  // The work of a thread.
  void prepare() {
    for (;;) {
      {
        std::unique_lock lock(mutex);
        if (promised == ahead) room.wait(lock, [this] { return stop || ended || promised <= ahead / 2; });
        if (stop || ended) return;
        ++promised;
      }
      std::optional<Batch> batch;
      std::exception_ptr thrown;
      std::size_t place = 0;
      {
        const std::lock_guard mine(making);
        try {
          batch = made();
        } catch (...) {
          thrown = std::current_exception();
        }
        const std::lock_guard lock(mutex);
        if (!batch) {
          --promised;
          if (!std::exchange(ended, true)) error = std::move(thrown);  // the caller then holds the only one
          ready.notify_one();
          room.notify_all();
          return;
        }
        place = (oldest + waiting++) % ahead;
      }
      try {
        // A step on csr rows will ask for it.
        if (batch->x.layout() == Layout::csr) batch->x.pattern()->active_columns();
      } catch (const std::bad_alloc&) {
        // It will say so.
      }
      const std::lock_guard lock(mutex);
      ring[place] = std::move(batch);
      if (place == oldest) ready.notify_one();
    }
  }

  // The next batch; none after the last.
  std::optional<Batch> taken() {
    if (threads.empty()) return made();
    std::unique_lock lock(mutex);
    if (waiting == 0 && !ended) {
      // On a busy machine the threads may not have come to run: rather than wait for them, the caller makes the batch,
      // unless one of them has just begun or put down one.
      lock.unlock();
      std::unique_lock mine(making, std::try_to_lock);
      lock.lock();
      if (mine && waiting == 0 && !ended) {
        lock.unlock();
        return made();
      }
    }
    ready.wait(lock, [this] { return waiting > 0 ? ring[oldest].has_value() : ended; });
    if (waiting == 0) {
      if (error) std::rethrow_exception(std::exchange(error, nullptr));
      return {};
    }
    std::optional<Batch> batch = std::exchange(ring[oldest], {});
    oldest = (oldest + 1) % ahead;
    --waiting;
    if (--promised <= ahead / 2) room.notify_all();
    return batch;
  }

  // The caller's.
  std::shared_ptr<const Batches::Source> source;
  std::optional<Batch> batch;
  bool begun = false;

  // Of whoever makes a batch.
  std::mutex making;
  std::int64_t epoch;
  std::int64_t next;
  std::optional<EpochOrder> order;

  // Between the threads and the caller.
  std::mutex mutex;
  std::condition_variable ready;
  std::condition_variable room;
  std::array<std::optional<Batch>, ahead> ring;
  std::size_t oldest = 0;
  std::size_t waiting = 0;   // from the oldest on: batches that are there, or being looked at
  std::size_t promised = 0;  // those, and such as are going to be made
  bool stop = false;
  bool ended = false;
  std::exception_ptr error;

  std::vector<std::thread> threads;  // last: they use all the others
};

Epoch::Epoch(std::unique_ptr<State> state) : state_(std::move(state)) {}
Epoch::Epoch(Epoch&&) noexcept = default;
Epoch& Epoch::operator=(Epoch&&) noexcept = default;
Epoch::~Epoch() = default;

const Batch& Epoch::batch() const { return *state_->batch; }
bool Epoch::done() const { return !state_->batch; }

void Epoch::next() {
  state_->batch.reset();  // first, so that its memory serves again
  state_->batch = state_->taken();
}

Epoch::Iterator Epoch::begin() {
  if (!std::exchange(state_->begun, true)) next();
  return Iterator(this);
}

Batches::Batches(const Rows& data, const BatchOptions& options) : Batches(in_one_block(data), options) {}

Batches::Batches(SharedBlocks data, const BatchOptions& options) {
  if (options.size < 1) fail<ValueError>("Batches: .size is {}; at least 1 row is expected", options.size);
  if (options.threads && *options.threads < 0)
    fail<ValueError>("Batches: .threads is {}; 0, or how many threads prepare batches, is expected", *options.threads);
  auto source = std::make_shared<Source>();
  source->size = data->size();
  source->data = std::move(data);
  source->options = options;
  const std::int64_t whole = source->size / options.size;
  source->count = options.drop_remainder || source->size % options.size == 0 ? whole : whole + 1;
  if (source->count == 0)
    fail<ValueError>("Batches: .size is {} but the data set has {} row{}; with .drop_remainder no batch is left",
                     options.size, source->size, source->size == 1 ? "" : "s");
  source_ = std::move(source);
}

std::int64_t Batches::count() const { return source_->count; }

Epoch Batches::epoch(std::int64_t e, std::int64_t first_batch) const {
  if (e < 0) fail<ValueError>("epoch: {} is asked for; epochs are counted from 0", e);
  if (first_batch < 0 || first_batch > count())
    fail<ValueError>("epoch: batch {} is the first asked for; there are {}, counted from 0", first_batch, count());
  return Epoch(std::make_unique<Epoch::State>(source_, e, first_batch));
}

}  // namespace gradus
