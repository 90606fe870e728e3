#include <gradus/models/data/batches.h>

#include <gradus/core/error.h>
#include <gradus/core/random.h>
#include <gradus/core/random_order.h>

#include <algorithm>
#include <array>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

namespace gradus {

namespace {

// Batches that wait for the caller at most. When there are so many, their thread sleeps until half of them are gone:
// waking it for each would cost more than a small batch.
constexpr std::size_t ahead = 8;

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
  static constexpr std::size_t kept = ahead + 2;  // one is being prepared, one used

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
  EpochOrder(const DatasetBlocks& data, const BatchOptions& options, std::int64_t epoch)
      : data_(data), options_(options), epoch_(static_cast<std::uint64_t>(epoch)) {
    if (!options.shuffle || data.blocks() == 1) return;
    RandomOrder order(data.blocks(), options.seed, stream_of("blocks") + epoch_);
    const std::span<const Index> all = order.at(0, data.blocks());
    block_order_.assign(all.begin(), all.end());
  }

  // The rows at these positions, which are asked for in order. Those of one block lie in memory of the pool.
  Dataset rows(std::int64_t first, std::int64_t count, Pool& pool) {
    while (first >= end_) pass_to_next();
    if (first + count <= end_) return rows_of_block(first - begin_, count, pool);
    std::vector<Dataset> parts;
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

  Dataset rows_of_block(std::int64_t first, std::int64_t count, Pool& pool) {
    if (!block_) {
      block_ = data_.block(number_);
      order_.emplace(options_.shuffle ? block_->size() : 0, options_.seed,
                     stream_of_block(stream_of("batches") + epoch_, number_));
    }
    if (options_.shuffle) return block_->take(order_->at(first, count), pool.take());
    return block_->rows(first, count, block_->x.layout() == Layout::csr ? pool.take() : nullptr);
  }

  const DatasetBlocks& data_;
  const BatchOptions& options_;
  std::uint64_t epoch_;
  std::vector<Index> block_order_;
  std::int64_t next_ = 0;  // in that order
  // The block at hand: its number, where it lies in the epoch, and, once read, its rows and their order.
  std::int64_t number_ = 0;
  std::int64_t begin_ = 0;
  std::int64_t end_ = 0;
  std::optional<Dataset> block_;
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

// Two mutexes: `making` is held while a batch is made and put where it belongs, `mutex` for a moment, where the thread
// and the caller meet. Who takes both takes `making` first.
struct Epoch::State {
  State(std::shared_ptr<const Batches::Source> source_of, std::int64_t e, std::int64_t first)
      : source(std::move(source_of)), epoch(e), next(first) {
    if (!source->options.background || std::thread::hardware_concurrency() == 1) return;
    try {
      thread = std::thread([this] { prepare(); });
    } catch (const std::system_error&) {
      // No more threads are to be had; the caller makes the same batches.
    }
  }
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() {
    if (!thread.joinable()) return;
    {
      const std::lock_guard lock(mutex);
      stop = true;
    }
    room.notify_one();
    thread.join();
  }

  // The next batch; none after the last, nor after one that could not be made.
  std::optional<Batch> made() {
    const BatchOptions& options = source->options;
    const std::int64_t number = std::exchange(next, source->count);
    if (number == source->count) return {};
    const std::int64_t first = number * options.size;
    if (!order) order.emplace(*source->data, options, epoch);
    Dataset rows = order->rows(first, std::min(options.size, source->size - first), *source->pool);
    std::optional<Batch> batch({std::move(rows.x), std::move(rows.y), std::move(rows.weight), number, epoch});
    if (options.map) options.map(*batch);
    next = number + 1;
    return batch;
  }

  // The thread's work.
  void prepare() {
    for (;;) {
      {
        std::unique_lock lock(mutex);
        if (waiting == ahead) room.wait(lock, [this] { return stop || waiting <= ahead / 2; });
        if (stop) return;
      }
      const std::lock_guard mine(making);
      std::optional<Batch> made_here;
      std::exception_ptr thrown;
      try {
        made_here = made();
        // A step on csr rows will ask for it.
        if (made_here && made_here->x.layout() == Layout::csr) made_here->x.pattern()->touched();
      } catch (...) {
        made_here.reset();
        thrown = std::current_exception();
      }
      const std::lock_guard lock(mutex);
      if (made_here) {
        ring[(oldest + waiting++) % ahead] = std::move(*made_here);
      } else {
        ended = true;
        error = thrown;
      }
      ready.notify_one();
      if (ended) return;
    }
  }

  // The next batch; none after the last.
  std::optional<Batch> taken() {
    if (!thread.joinable()) return made();
    std::unique_lock lock(mutex);
    if (waiting == 0 && !ended) {
      // On a busy machine the thread may not have come to run: rather than wait for it, the caller makes the batch,
      // unless the thread has just begun or put down one.
      lock.unlock();
      std::unique_lock mine(making, std::try_to_lock);
      lock.lock();
      if (mine && waiting == 0 && !ended) {
        lock.unlock();
        return made();
      }
    }
    ready.wait(lock, [this] { return waiting > 0 || ended; });
    if (waiting == 0) {
      if (error) std::rethrow_exception(std::exchange(error, nullptr));
      return {};
    }
    std::optional<Batch> batch(std::move(ring[oldest]));
    oldest = (oldest + 1) % ahead;
    if (--waiting <= ahead / 2) room.notify_one();
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

  // Between the thread and the caller.
  std::mutex mutex;
  std::condition_variable ready;
  std::condition_variable room;
  std::array<Batch, ahead> ring;
  std::size_t oldest = 0;
  std::size_t waiting = 0;
  bool stop = false;
  bool ended = false;
  std::exception_ptr error;

  std::thread thread;  // last: it uses all the others
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

Batches::Batches(const Dataset& data, const BatchOptions& options) : Batches(in_one_block(data), options) {}

Batches::Batches(SharedBlocks data, const BatchOptions& options) {
  if (options.size < 1) fail<ValueError>("Batches: .size is {}; at least 1 row is expected", options.size);
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
