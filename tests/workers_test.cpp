// Threads inside one op: the pieces they take, exceptions, and the pool over many jobs. The thread sanitizer runs it.
#include <gradus/core/workers.h>

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <numeric>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace gradus {
namespace {

using Pieces = std::vector<std::pair<std::int64_t, std::int64_t>>;

Pieces pieces(Workers& workers, std::int64_t n, std::int64_t chunk) {
  Pieces seen;
  std::mutex mutex;
  workers.for_each(n, chunk, [&](std::int64_t first, std::int64_t last) {
    const std::lock_guard lock(mutex);
    seen.emplace_back(first, last);
  });
  std::sort(seen.begin(), seen.end());
  return seen;
}

TEST_CASE("pieces depend on the work, not on the number of threads") {
  for (const int threads : {1, 2, 3, 8}) {
    Workers workers(threads);
    CHECK(workers.threads() == threads);
    CHECK(pieces(workers, 10, 4) == Pieces{{0, 4}, {4, 8}, {8, 10}});
    CHECK(pieces(workers, 8, 4) == Pieces{{0, 4}, {4, 8}});
    CHECK(pieces(workers, 4, 4) == Pieces{{0, 4}});
    CHECK(pieces(workers, 1, 4) == Pieces{{0, 1}});
    CHECK(pieces(workers, 0, 4).empty());
    CHECK(pieces(workers, -3, 4).empty());
    CHECK(pieces(workers, 1000, 1).size() == 1000);
  }
}

TEST_CASE("no thread count means all cores") { CHECK(Workers().threads() >= 1); }

TEST_CASE("each element is visited once") {
  Workers workers(4);
  std::vector<int> visits(100'003, 0);
  for (int round = 0; round < 5; ++round)
    workers.for_each(static_cast<std::int64_t>(visits.size()), 1000, [&](std::int64_t first, std::int64_t last) {
      for (auto i = static_cast<std::size_t>(first); i < static_cast<std::size_t>(last); ++i) ++visits[i];
    });
  CHECK(std::all_of(visits.begin(), visits.end(), [](int count) { return count == 5; }));
}

TEST_CASE("an exception comes out where the work was given, and the workers go on") {
  for (const int threads : {1, 2, 4}) {
    Workers workers(threads);
    for (int round = 0; round < 50; ++round) {
      std::string caught;
      try {
        workers.for_each(64, 1, [&](std::int64_t first, std::int64_t) {
          if (first == round) throw std::runtime_error("piece " + std::to_string(first));
        });
      } catch (const std::runtime_error& error) {
        caught = error.what();
      }
      CHECK(caught == "piece " + std::to_string(round));
      CHECK(pieces(workers, 10, 4).size() == 3);
    }
    CHECK_THROWS_AS(workers.for_each(64, 1, [](std::int64_t, std::int64_t) { throw std::runtime_error("every"); }),
                    std::runtime_error);
    CHECK(pieces(workers, 10, 4).size() == 3);
  }
}

TEST_CASE("many small jobs, one after another") {
  Workers workers(4);
  std::vector<std::int64_t> numbers(64);
  std::int64_t expected = 0;
  for (int job = 0; job < 5000; ++job) {
    workers.for_each(64, 16, [&](std::int64_t first, std::int64_t last) {
      for (std::int64_t i = first; i < last; ++i) numbers[static_cast<std::size_t>(i)] += i;
    });
    expected += 63 * 64 / 2;
  }
  CHECK(std::accumulate(numbers.begin(), numbers.end(), std::int64_t{0}) == expected);
}

TEST_CASE("what pieces wrote is seen by the one who gave the work, and by later pieces") {
  Workers workers(3);
  std::vector<int> a(1024, 0), b(1024, 0);
  for (int round = 1; round <= 200; ++round) {
    workers.for_each(1024, 128, [&](std::int64_t first, std::int64_t last) {
      for (auto i = static_cast<std::size_t>(first); i < static_cast<std::size_t>(last); ++i) a[i] = b[1023 - i] + 1;
    });
    workers.for_each(1024, 64, [&](std::int64_t first, std::int64_t last) {
      for (auto i = static_cast<std::size_t>(first); i < static_cast<std::size_t>(last); ++i) b[i] = a[1023 - i];
    });
    REQUIRE(b[static_cast<std::size_t>(round)] == round);
  }
}

// Who comes late to one job must take nothing of it with the sizes, or the body, of the next.
TEST_CASE("jobs of other sizes, one right after another") {
  Workers workers(4);
  for (int job = 0; job < 20000; ++job) {
    const std::int64_t n = job % 3 == 0 ? 2 : 7 + job % 200;
    const std::int64_t chunk = job % 3 == 0 ? 1 : 1 + job % 5;
    std::atomic<std::int64_t> elements{0}, sum{0};
    workers.for_each(n, chunk, [&](std::int64_t first, std::int64_t last) {
      elements.fetch_add(last - first, std::memory_order_relaxed);
      for (std::int64_t i = first; i < last; ++i) sum.fetch_add(i, std::memory_order_relaxed);
    });
    REQUIRE(elements == n);
    REQUIRE(sum == n * (n - 1) / 2);
  }
}

TEST_CASE("workers of several threads at once, made and gone") {
  std::atomic<std::int64_t> total{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&total] {
      for (int i = 0; i < 20; ++i) {
        Workers workers(3);
        for (int job = 0; job < i % 3; ++job)
          workers.for_each(10, 1, [&](std::int64_t first, std::int64_t) { total += first; });
      }
    });
  for (std::thread& thread : threads) thread.join();
  CHECK(total == 4 * (7 * 1 + 6 * 2) * 45);
}

}  // namespace
}  // namespace gradus
