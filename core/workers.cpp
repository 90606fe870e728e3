#include <gradus/core/workers.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

namespace gradus {

// Threads sleep until a job comes, then take pieces by an atomic counter until none is left. Which thread takes
// which piece is chance; what a piece computes is not.
struct Workers::Pool {
  struct Job {
    std::int64_t n = 0;
    std::int64_t chunk = 1;
    Piece piece = nullptr;
    void* body = nullptr;
  };

  explicit Pool(int count) {
    threads.reserve(static_cast<std::size_t>(count));
    for (int i = 0; i < count; ++i) threads.emplace_back([this] { serve(); });
  }

  ~Pool() {
    {
      const std::lock_guard lock(mutex);
      closing = true;
    }
    wake.notify_all();
    for (std::thread& thread : threads) thread.join();
  }

  void run(const Job& next) {
    {
      const std::lock_guard lock(mutex);
      job = next;
      taken.store(0, std::memory_order_relaxed);
      error = nullptr;
      busy = static_cast<int>(threads.size());
      ++generation;
    }
    wake.notify_all();
    work(next);
    std::unique_lock lock(mutex);
    done.wait(lock, [this] { return busy == 0; });
    if (error) std::rethrow_exception(error);
  }

  void serve() {
    std::uint64_t seen = 0;
    for (;;) {
      Job mine;
      {
        std::unique_lock lock(mutex);
        wake.wait(lock, [&] { return closing || generation != seen; });
        if (closing) return;
        seen = generation;
        mine = job;
      }
      work(mine);
      const std::lock_guard lock(mutex);
      if (--busy == 0) done.notify_one();
    }
  }

  void work(const Job& mine) {
    try {
      for (;;) {
        const std::int64_t first = taken.fetch_add(mine.chunk, std::memory_order_relaxed);
        if (first >= mine.n) return;
        mine.piece(mine.body, first, std::min(first + mine.chunk, mine.n));
      }
    } catch (...) {
      const std::lock_guard lock(mutex);
      if (!error) error = std::current_exception();
      taken.store(mine.n, std::memory_order_relaxed);
    }
  }

  std::mutex mutex;
  std::condition_variable wake;
  std::condition_variable done;
  std::vector<std::thread> threads;
  std::uint64_t generation = 0;
  Job job;
  std::atomic<std::int64_t> taken{0};
  int busy = 0;
  bool closing = false;
  std::exception_ptr error;
};

Workers::Workers(int threads)
    : threads_(threads > 0 ? threads : std::max(1, static_cast<int>(std::thread::hardware_concurrency()))) {}

Workers::~Workers() = default;

void Workers::run(std::int64_t n, std::int64_t chunk, Piece piece, void* body) {
  if (!pool_) pool_ = std::make_unique<Pool>(threads_ - 1);
  pool_->run({n, chunk, piece, body});
}

}  // namespace gradus
