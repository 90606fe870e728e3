// Exercise 16: a sum whose bits do not depend on the number of threads.
//
// x(thread, i) is element i, asked for by that thread. Each element is to be asked for once, and no thread may ask for
// many more than its share: at most n / threads + 256. You play all threads, one after the other.
#include <cstddef>
#include <functional>
#include <vector>

#include "unsolved.h"

namespace exercise {

using Elements = std::function<double(std::size_t thread, std::size_t i)>;

// Returns the sum of n elements: the same bits for any number of threads.
inline double sum(const Elements& x, std::size_t n, std::size_t threads) { return todo<double>("sum", x, n, threads); }

}  // namespace exercise
