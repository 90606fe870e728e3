// Mini-batches of rows, epoch after epoch:
//
//   const Batches batches(data, {.size = 1024, .seed = 1});
//   for (int e = 0; e < epochs; ++e)
//     for (const Batch& batch : batches.epoch(e)) session.run(train, {{X, batch.x}, {y, batch.y}});
//
// The order of epoch e is a function of (seed, e) alone, so training goes on from any batch of any epoch. Data in
// blocks (row_blocks.h) is shuffled by blocks and within each: one or two are in memory. So rows that are sorted
// stay together, and are learnt from less well. In the order of the data, batches share its storage; shuffled ones are
// copies of its rows. Threads prepare the next few while the caller computes. Memory is used again: an epoch takes no
// more of it than a few batches have.
#pragma once

#include <gradus/models/data/row_blocks.h>
#include <gradus/models/data/rows.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <iterator>
#include <memory>
#include <optional>

namespace gradus {

/// Some of the rows. Its tensors are the caller's to keep: their memory is not used again as long as one is
/// held.
struct Batch {
  Tensor x;                 // csr or dense [size, p]
  Tensor y;                 // [size, 1]
  Tensor weight = {};       // [size, 1], or [0] where all rows count alike
  std::int64_t number = 0;  // in its epoch, from 0
  std::int64_t epoch = 0;
  std::int64_t rows = 0;  // of the whole batch, of which x may hold a part
};

struct BatchOptions {
  std::int64_t size = 1024;  // rows
  bool shuffle = true;       // else in the order of the data
  std::uint64_t seed = 0;
  bool drop_remainder = false;  // leave out a last batch of fewer rows
  /// Threads of their own that prepare batches, of which 4 are used at most; 0, or where all rows are one batch: the
  /// caller does. Not given, one for four of the machine's cores, and none where there is one core, or fewer than 1024
  /// rows, for which a thread would not be worth its start. Batches are the same.
  std::optional<int> threads = {};
  /// Which rows of a batch of so many are wanted, if not all: others are not taken, nor are blocks read that have none
  /// of these. Any thread may ask.
  struct Part {
    std::int64_t first = 0, count = 0;
  };
  std::function<Part(std::int64_t rows)> part = {};
  /// What else is to be done to a batch when its rows are there: for one batch at a time, on the thread that prepares
  /// it, which may be the caller's or another.
  std::function<void(Batch&)> map = {};
};

/// The batches of one epoch, each once, in order. The loop may be left early.
class Epoch {
 public:
  Epoch(Epoch&&) noexcept;
  Epoch& operator=(Epoch&&) noexcept;
  /// Waits for the batch that is being prepared.
  ~Epoch();

  class Iterator {
   public:
    using value_type = Batch;
    using difference_type = std::ptrdiff_t;

    explicit Iterator(Epoch* epoch) : epoch_(epoch) {}
    const Batch& operator*() const { return epoch_->batch(); }
    Iterator& operator++() {
      epoch_->next();
      return *this;
    }
    void operator++(int) { ++*this; }
    bool operator==(std::default_sentinel_t) const { return epoch_->done(); }

   private:
    Epoch* epoch_;
  };
  /// A second loop goes on with the batch at which the first one ended.
  Iterator begin();
  std::default_sentinel_t end() const { return {}; }

 private:
  friend class Batches;
  struct State;
  explicit Epoch(std::unique_ptr<State> state);
  const Batch& batch() const;
  bool done() const;
  /// Lets go of the batch and waits for the next. Throws what preparing it threw; the epoch is over then.
  void next();

  std::unique_ptr<State> state_;
};

class Batches {
 public:
  /// Throws ValueError for rows that do not pass their check(), and for options that leave no batch or make
  /// no sense.
  explicit Batches(const Rows& data, const BatchOptions& options = {});
  /// Blocks are read while an epoch is under way, which throws what reading them throws.
  explicit Batches(SharedBlocks data, const BatchOptions& options = {});

  /// Batches an epoch.
  std::int64_t count() const;
  /// Epoch e, from batch number first_batch on. Throws ValueError for a negative e and for a batch past count().
  /// Several may be under way at once, each on one thread, and may outlive this.
  Epoch epoch(std::int64_t e, std::int64_t first_batch = 0) const;

 private:
  friend class Epoch;
  struct Source;
  std::shared_ptr<const Source> source_;
};

}  // namespace gradus
