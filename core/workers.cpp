#include <gradus/core/workers.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <exception>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

namespace gradus {

namespace {

// A step of a small plan is a few jobs, tens of microseconds apart, and waking a thread costs as much as one of them:
// so who waits looks out for this long before it sleeps.
constexpr std::chrono::microseconds spin_timeout{100};

void pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

// Waits until ready(), at most for spin_timeout; whether it is.
template <class Ready>
bool spin_wait(const Ready& ready) {
  constexpr int looks = 64;  // between two looks at the clock
  const auto end = std::chrono::steady_clock::now() + spin_timeout;
  do {
    for (int i = 0; i < looks; ++i) {
      if (ready()) return true;
      pause();
    }
  } while (std::chrono::steady_clock::now() < end);
  return ready();
}

}  // namespace

// The pieces of a job are taken by a counter until none is left, by the caller and by whichever threads are awake in
// time: nobody waits for a thread that has taken nothing. Which thread takes which piece is chance; what a piece
// computes is not.
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
    closing.store(true, std::memory_order_relaxed);
    number.fetch_add(1, std::memory_order_release);
    number.notify_all();
    for (std::thread& thread : threads) thread.join();
  }

  void run(const Job& next) {
    const std::uint32_t mine = number.load(std::memory_order_relaxed) + 1;
    // Who still looks at the last job finds the counter moved on, if it sees anything of this one.
    taken.store(tagged(mine, none), std::memory_order_relaxed);
    n.store(next.n, std::memory_order_release);
    chunk.store(next.chunk, std::memory_order_release);
    piece.store(next.piece, std::memory_order_release);
    body.store(next.body, std::memory_order_release);
    left.store(static_cast<std::uint32_t>((next.n - 1) / next.chunk + 1), std::memory_order_relaxed);
    failed.store(false, std::memory_order_relaxed);
    // From here on the pieces can be taken.
    taken.store(tagged(mine, 0), std::memory_order_release);
    number.store(mine, std::memory_order_release);
    number.notify_all();
    work(mine);
    const auto ended = [this] { return left.load(std::memory_order_acquire) == 0; };
    if (!spin_wait(ended))
      for (std::uint32_t now = left.load(std::memory_order_acquire); now != 0;
           now = left.load(std::memory_order_acquire))
        left.wait(now, std::memory_order_acquire);
    if (failed.load(std::memory_order_relaxed)) std::rethrow_exception(std::exchange(error, nullptr));
  }

  void serve() {
    std::uint32_t seen = 0;
    for (;;) {
      if (!spin_wait([&] { return number.load(std::memory_order_acquire) != seen; }))
        number.wait(seen, std::memory_order_acquire);
      seen = number.load(std::memory_order_acquire);
      if (closing.load(std::memory_order_relaxed)) return;
      work(seen);
    }
  }

  // Takes pieces of job number `mine`.
  void work(std::uint32_t mine) {
    for (;;) {
      const Job job{n.load(std::memory_order_acquire), chunk.load(std::memory_order_acquire),
                    piece.load(std::memory_order_acquire), body.load(std::memory_order_acquire)};
      std::uint64_t at = taken.load(std::memory_order_acquire);
      std::int64_t first = 0;
      do {
        if (at >> 32U != mine || (at & none) == none) return;
        first = static_cast<std::int64_t>(at & none) * job.chunk;
        if (first >= job.n) return;
      } while (!taken.compare_exchange_weak(at, at + 1, std::memory_order_acq_rel, std::memory_order_acquire));
      try {
        if (!failed.load(std::memory_order_relaxed)) job.piece(job.body, first, std::min(first + job.chunk, job.n));
      } catch (...) {
        const std::lock_guard lock(mutex);
        if (!failed.exchange(true, std::memory_order_relaxed)) error = std::current_exception();
      }
      if (left.fetch_sub(1, std::memory_order_acq_rel) == 1) left.notify_all();
    }
  }

  static constexpr std::uint64_t none = 0xffffffff;
  static std::uint64_t tagged(std::uint32_t job, std::uint64_t piece) { return std::uint64_t{job} << 32U | piece; }

  std::vector<std::thread> threads;
  // The job: written while none is running.
  std::atomic<std::int64_t> n{0}, chunk{1};
  std::atomic<Piece> piece{nullptr};
  std::atomic<void*> body{nullptr};
  alignas(64) std::atomic<std::uint32_t> number{0};  // of the job
  alignas(64) std::atomic<std::uint64_t> taken{0};   // the number of the job, and of its next piece
  alignas(64) std::atomic<std::uint32_t> left{0};    // pieces that have not ended
  std::atomic<bool> failed{false};
  std::atomic<bool> closing{false};
  std::mutex mutex;  // of error
  std::exception_ptr error;
};

Workers::Workers(int threads)
    : threads_(threads > 0 ? threads : std::max(1, static_cast<int>(std::thread::hardware_concurrency()))) {}

Workers::~Workers() = default;

void Workers::run(std::int64_t n, std::int64_t chunk, Piece piece, void* body) {
  constexpr std::int64_t most_pieces = std::int64_t{1} << 31;  // a piece's number has 32 bits
  chunk = std::max(chunk, (n - 1) / most_pieces + 1);
  if (!pool_) pool_ = std::make_unique<Pool>(threads_ - 1);
  pool_->run({n, chunk, piece, body});
}

}  // namespace gradus
