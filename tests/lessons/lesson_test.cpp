#include "lesson_test.h"

#include <cstdlib>

namespace lessons {

std::uint64_t seed() {
  const char* const given = std::getenv("GRADUS_EXERCISE_SEED");
  return given == nullptr ? 1 : std::strtoull(given, nullptr, 10);
}

Draw::Draw(std::string_view test) : random_(seed()) {
  for (const char letter : test) random_.seed(random_() + static_cast<unsigned char>(letter));
}

double Draw::between(double low, double high) {
  return low + (high - low) * static_cast<double>(random_() >> 11) * 0x1p-53;
}

int Draw::whole(int low, int high) {
  return low + static_cast<int>(random_() % static_cast<std::uint64_t>(high - low + 1));
}

std::vector<double> Draw::many(std::int64_t count, double low, double high) {
  std::vector<double> all(static_cast<std::size_t>(count));
  for (double& one : all) one = between(low, high);
  return all;
}

gradus::Tensor Draw::tensor(const gradus::Shape& shape, double low, double high) {
  return gradus::Tensor::from(many(shape.size(), low, high), shape);
}

void expect(std::string_view what, double actual, double expected, std::string_view hint, double tolerance) {
  const double size = std::max({1.0, std::abs(actual), std::abs(expected)});
  if (std::abs(actual - expected) <= tolerance * size || actual == expected) return;
  FAIL(fmt::format("{} is {:.6g}, expected {:.6g} ({})", what, actual, expected, hint));
}

void expect(std::string_view what, const gradus::Tensor& actual, const gradus::Tensor& expected, std::string_view hint,
            double tolerance) {
  if (actual.shape() != expected.shape())
    FAIL(fmt::format("{} has shape {}, expected {} ({})", what, actual.shape(), expected.shape(), hint));
  const gradus::Tensor a = actual.to_dense(), b = expected.to_dense();
  for (std::int64_t i = 0; i < b.size(); ++i)
    expect(fmt::format("{}, element {},", what, i), a.stored_value(i), b.stored_value(i), hint, tolerance);
}

void require(bool holds, std::string_view what, std::string_view hint) {
  if (!holds) FAIL(fmt::format("{} ({})", what, hint));
}

}  // namespace lessons
