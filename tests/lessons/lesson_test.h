// What the tests of the exercises share. A test draws its values from the seed, so that no result can be typed in, and
// says with each expectation which misconception would break it.
#pragma once

#include "../../examples/lessons/exercises/unsolved.h"

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <gradus/gradus.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <random>
#include <string>
#include <string_view>
#include <vector>

/// A test of an exercise. The file is compiled once for each variant of the exercise, whose name VARIANT is.
#define CASE(name) TEST_CASE(VARIANT ": " name)

namespace lessons {

/// GRADUS_EXERCISE_SEED, or 1.
std::uint64_t seed();

/// Numbers that depend on the seed and on the name of the test alone.
class Draw {
 public:
  explicit Draw(std::string_view test);

  double between(double low, double high);
  /// A whole number, low and high included.
  int whole(int low, int high);
  std::vector<double> many(std::int64_t count, double low = -1, double high = 1);
  /// float64
  gradus::Tensor tensor(const gradus::Shape& shape, double low = -1, double high = 1);

 private:
  std::mt19937_64 random_;
};

/// Ends the test unless actual is expected, to `tolerance` of the greatest of the two and 1. `hint` names what has been
/// misunderstood where they differ.
void expect(std::string_view what, double actual, double expected, std::string_view hint, double tolerance = 1e-9);
/// Likewise for all elements of two tensors.
void expect(std::string_view what, const gradus::Tensor& actual, const gradus::Tensor& expected, std::string_view hint,
            double tolerance = 1e-9);
/// Ends the test unless it holds.
void require(bool holds, std::string_view what, std::string_view hint);

}  // namespace lessons
