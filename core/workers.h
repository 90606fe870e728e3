// Threads inside one op. Work is cut into chunks whose bounds depend on the work alone, never on timing; on the number
// of threads only where each result is computed as by one: so results are the same bits with any number of threads.
#pragma once

#include <cstdint>
#include <memory>
#include <type_traits>

namespace gradus {

class Workers {
 public:
  /// Threads that work at once, the caller's included; 0 means all cores of the machine.
  explicit Workers(int threads = 0);
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;
  ~Workers();

  int threads() const { return threads_; }

  /// Calls body(first, last) for consecutive pieces of [0, n), each `chunk` long but the last. Pieces may run
  /// at once; an exception from one is thrown again here when all have ended. A single piece, or a single
  /// thread, runs on the caller's thread.
  template <class Body>
  void for_each(std::int64_t n, std::int64_t chunk, Body&& body) {
    if (n <= 0) return;
    if (n <= chunk || threads_ == 1) {
      for (std::int64_t first = 0; first < n; first += chunk) body(first, first + chunk < n ? first + chunk : n);
      return;
    }
    using B = std::remove_reference_t<Body>;
    run(
        n, chunk, [](void* b, std::int64_t first, std::int64_t last) { (*static_cast<B*>(b))(first, last); },
        const_cast<void*>(static_cast<const void*>(&body)));
  }

 private:
  using Piece = void (*)(void* body, std::int64_t first, std::int64_t last);
  void run(std::int64_t n, std::int64_t chunk, Piece piece, void* body);

  struct Pool;
  int threads_;
  std::unique_ptr<Pool> pool_;  // made when first needed
};

}  // namespace gradus
