// Hint 1: Addition is not associative: (a + b) + c is not a + (b + c), to the bit. Which additions do you make, and in
//         which order?
// Hint 2: Cut x into blocks whose size does not depend on the number of threads. One thread sums a block, from left to
//         right.
// Hint 3: Keep the sum of each block in a vector. Thread t takes the blocks t, t + threads, and so on. Add up the
//         vector in its own order at the end.
#include "lesson_test.h"

namespace exercise {

struct Asked {
  std::vector<double> x;
  std::vector<int> times;
  std::vector<std::size_t> by_thread;
};
inline double run(Asked& asked, std::size_t threads) {
  asked.times.assign(asked.x.size(), 0);
  asked.by_thread.assign(threads, 0);
  return sum(
      [&](std::size_t thread, std::size_t i) {
        lessons::require(thread < threads && i < asked.x.size(), "there is no such thread or element",
                         "mind the last block");
        ++asked.times[i];
        ++asked.by_thread[thread];
        return asked.x[i];
      },
      asked.x.size(), threads);
}
inline Asked drawn(std::string_view test, int n) { return {lessons::Draw(test).many(n, -1, 1), {}, {}}; }

CASE("the sum") {
  Asked asked = drawn("sum", 1000);
  double expected = 0;
  for (const double one : asked.x) expected += one;
  lessons::expect("the sum", run(asked, 3), expected, "is each element in it once?");
}
CASE("each element once") {
  Asked asked = drawn("once", 5000);
  run(asked, 4);
  for (const int times : asked.times)
    lessons::expect("how often an element is asked for", times, 1, "is each element in it once?");
}
CASE("the work is shared") {
  Asked asked = drawn("shared", 10000);
  run(asked, 5);
  for (const std::size_t by_one : asked.by_thread)
    lessons::require(by_one <= 2256 && by_one > 0,
                     fmt::format("one of 5 threads asks for {} of 10000 elements", by_one),
                     "does every thread do its part?");
}
CASE("the bits") {
  Asked asked = drawn("bits", 10007);
  const double one = run(asked, 1);
  for (std::size_t threads = 2; threads < 12; ++threads)
    lessons::require(run(asked, threads) == one, fmt::format("{} threads give other bits than one", threads),
                     "what is added to what may depend on the sizes alone");
}

}  // namespace exercise
