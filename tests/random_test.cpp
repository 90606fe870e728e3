// Random numbers: Philox against its authors' vectors, numbers as functions of (seed, stream, i), and the moments
// of the distributions.
#include <gradus/core/error.h>
#include <gradus/core/tensor/random.h>
#include <gradus/core/tensor/random_order.h>

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <vector>

using namespace gradus;

namespace {

struct SampleMoments {
  double mean = 0;
  double stddev = 0;
  double skewness = 0;
  double kurtosis = 0;  // 3 for normal numbers
};

SampleMoments moments_of(const Tensor& tensor) {
  const double n = static_cast<double>(tensor.size());
  SampleMoments out;
  for (const double x : tensor) out.mean += x / n;
  double second = 0;
  double third = 0;
  double fourth = 0;
  for (const double x : tensor) {
    const double d = x - out.mean;
    second += d * d / n;
    third += d * d * d / n;
    fourth += d * d * d * d / n;
  }
  out.stddev = std::sqrt(second);
  out.skewness = third / (second * out.stddev);
  out.kurtosis = fourth / (second * second);
  return out;
}

// The share of numbers at most x.
double share_up_to(const Tensor& tensor, double x) {
  return static_cast<double>(std::count_if(tensor.begin(), tensor.end(), [&](double y) { return y <= x; })) /
         static_cast<double>(tensor.size());
}

constexpr std::int64_t many = 400'000;

}  // namespace

TEST_CASE("philox gives the numbers of Random123's known answer tests") {
  using Block = std::array<std::uint32_t, 4>;
  CHECK(philox({0, 0, 0, 0}, {0, 0}) == Block{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
  CHECK(philox({~0U, ~0U, ~0U, ~0U}, {~0U, ~0U}) == Block{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
  CHECK(philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}) ==
        Block{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
}

TEST_CASE("blocks side by side are those of philox one by one") {
  for (const std::uint32_t first : {0U, 1234567U, ~0U - 5}) {
    const std::array<std::uint32_t, 4> counter{first, 7, 0x13198a2e, 0x03707344};
    const std::array<std::uint32_t, 2> key{0xa4093822, 0x299f31d0};
    std::array<std::uint32_t, 4 * philox_run_blocks> run{};
    philox_run(counter, key, run);
    for (std::uint32_t b = 0; b < philox_run_blocks; ++b) {
      const auto block = philox({first + b, counter[1], counter[2], counter[3]}, key);
      CHECK(std::equal(block.begin(), block.end(), run.begin() + 4 * static_cast<std::ptrdiff_t>(b)));
    }
  }
}

TEST_CASE("a stream is the FNV-1a hash of its name") {
  CHECK(stream_of("") == 0xcbf29ce484222325);
  CHECK(stream_of("a") == 0xaf63dc4c8601ec8c);
  CHECK(stream_of("foobar") == 0x85944171f73967e8);
}

TEST_CASE("a number depends on the seed, the stream and its place alone") {
  for (const DType dtype : {float32, float64}) {
    for (const auto distribution :
         {Random::Distribution::normal, Random::Distribution::truncated_normal, Random::Distribution::uniform}) {
      const Random random({101}, distribution, 0, 1, 5, dtype);
      const Tensor whole = random.draw(7);
      CHECK(whole == random.draw(7));
      CHECK_FALSE(whole == random.draw(8));
      CHECK_FALSE(whole == Random({101}, distribution, 0, 1, 6, dtype).draw(7));
      // The shape plays no part, and any piece may be drawn alone.
      CHECK(Random({202}, distribution, 0, 1, 5, dtype).draw(7).at(100) == whole.at(100));
      for (const std::size_t first : {0U, 1U, 2U, 3U, 4U, 7U, 50U}) {
        std::vector<float> piece32(17);
        std::vector<double> piece64(17);
        if (dtype == float32) {
          random.draw(7, first, std::span<float>(piece32));
        } else {
          random.draw(7, first, std::span<double>(piece64));
        }
        for (std::size_t i = 0; i < 17; ++i)
          CHECK((dtype == float32 ? static_cast<double>(piece32[i]) : piece64[i]) == whole.at(first + i));
      }
    }
  }
}

TEST_CASE("places beyond 2^32 are places of their own") {
  const Random random = random_uniform({1});
  std::vector<double> near(4);
  std::vector<double> far(4);
  random.draw(0, 0, std::span<double>(near));
  random.draw(0, std::uint64_t{1} << 34, std::span<double>(far));
  CHECK(near != far);
}

TEST_CASE("normal numbers have their mean, deviation and shape") {
  for (const DType dtype : {float32, float64}) {
    const Tensor x = random_normal({many}, {.mean = 2, .stddev = 3, .seed = 11, .dtype = dtype});
    CHECK(x.dtype() == dtype);
    const SampleMoments m = moments_of(x);
    CHECK(m.mean == doctest::Approx(2).epsilon(0.01));  // 4 standard errors
    CHECK(m.stddev == doctest::Approx(3).epsilon(0.005));
    CHECK(std::abs(m.skewness) < 0.016);
    CHECK(m.kurtosis == doctest::Approx(3).epsilon(0.011));
    for (const double z : {-2.0, -1.0, 0.0, 0.5, 1.5})
      CHECK(share_up_to(x, 2 + 3 * z) == doctest::Approx(0.5 * std::erfc(-z / std::sqrt(2.0))).epsilon(0.025));
  }
}

TEST_CASE("truncated normal numbers lie within two deviations") {
  for (const DType dtype : {float32, float64}) {
    const Tensor x = truncated_normal({many}, {.mean = -1, .stddev = 0.5, .seed = 12, .dtype = dtype});
    CHECK(*std::min_element(x.begin(), x.end()) >= -2);
    CHECK(*std::max_element(x.begin(), x.end()) <= 0);
    const SampleMoments m = moments_of(x);
    CHECK(m.mean == doctest::Approx(-1).epsilon(0.003));
    CHECK(m.stddev == doctest::Approx(0.5 * 0.8796256610342398).epsilon(0.005));
  }
}

TEST_CASE("uniform numbers fill [low, high)") {
  for (const DType dtype : {float32, float64}) {
    const Tensor x = random_uniform({many}, {.low = -1, .high = 3, .seed = 13, .dtype = dtype});
    CHECK(*std::min_element(x.begin(), x.end()) >= -1);
    CHECK(*std::max_element(x.begin(), x.end()) < 3);
    CHECK(moments_of(x).mean == doctest::Approx(1).epsilon(0.008));
    CHECK(moments_of(x).stddev == doctest::Approx(4 / std::sqrt(12.0)).epsilon(0.005));
    for (const double u : {0.1, 0.25, 0.5, 0.9}) CHECK(share_up_to(x, -1 + 4 * u) == doctest::Approx(u).epsilon(0.03));
  }
  // Where low + u (high - low) would round up to high.
  const Tensor x = random_uniform({many}, {.low = 1, .high = 1 + 0x1p-22});
  CHECK(*std::max_element(x.begin(), x.end()) < 1 + 0x1p-22);
  CHECK(random_uniform({3}, {.low = 2, .high = 2}).operator Tensor() == Tensor({2, 2, 2}));
}

TEST_CASE("neighbours and streams are not correlated") {
  const Tensor x = random_normal({many}, {.seed = 14, .dtype = float64});
  const Tensor y = random_normal({many}, {.seed = 14, .dtype = float64}).draw(stream_of("y"));
  const std::span<const double> a = x.span<double>();
  const std::span<const double> b = y.span<double>();
  for (const std::size_t lag : {1U, 2U, 3U, 4U}) {
    double sum = 0;
    for (std::size_t i = lag; i < a.size(); ++i) sum += a[i] * a[i - lag];
    CHECK(std::abs(sum / many) < 0.0065);
  }
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  CHECK(std::abs(sum / many) < 0.0065);
}

TEST_CASE("random tensors may be empty or scalars") {
  CHECK(random_normal({0, 3}).operator Tensor().size() == 0);
  CHECK(random_normal({}).operator Tensor().rank() == 0);
}

TEST_CASE("what random numbers refuse") {
  CHECK_THROWS_WITH_AS((random_normal({any, 3})),
                       "random_normal: shape [?, 3] has an unknown dimension; all must be known", ValueError);
  CHECK_THROWS_WITH_AS((random_uniform({3}, {.dtype = int32})),
                       "random_uniform: dtype is int32; it must be float32 or float64", ValueError);
  CHECK_THROWS_WITH_AS((truncated_normal({3}, {.stddev = -0.5})),
                       "truncated_normal: stddev is -0.5; it must be at least 0", ValueError);
  CHECK_THROWS_WITH_AS((random_uniform({3}, {.low = 2, .high = 1})),
                       "random_uniform: low is 2 but high is 1; low must not exceed high", ValueError);
  CHECK_THROWS_WITH_AS((random_normal({3}, {.mean = INFINITY})),
                       "random_normal: mean is inf and stddev is 1; both must be finite", ValueError);
}

TEST_CASE("a random order has every row once, and is the same worked out at once or bit by bit") {
  for (const std::int64_t count : {0, 1, 2, 63, 64, 65, 1000}) {
    RandomOrder at_once(count, 1, 2);
    const std::span<const Index> all = at_once.at(0, count);
    const std::vector<Index> order(all.begin(), all.end());
    RandomOrder by_bits(count, 1, 2);
    for (std::int64_t first = 0; first < count; first += 7) {
      const std::int64_t size = std::min<std::int64_t>(7, count - first);
      CHECK(std::ranges::equal(by_bits.at(first, size), std::span(order).subspan(static_cast<std::size_t>(first),
                                                                                 static_cast<std::size_t>(size))));
    }
    std::vector<Index> sorted = order;
    std::ranges::sort(sorted);
    bool each_once = true;
    for (std::size_t i = 0; i < sorted.size(); ++i) each_once &= sorted[i] == static_cast<Index>(i);
    CHECK(each_once);
    if (count < 1000) continue;
    CHECK(order != sorted);
    CHECK_FALSE(std::ranges::equal(order, RandomOrder(count, 1, 3).at(0, count)));
    CHECK_FALSE(std::ranges::equal(order, RandomOrder(count, 2, 2).at(0, count)));
  }
}

// Chi-squared with 23 degrees of freedom exceeds 49.7 once in a thousand times; the streams here are fixed.
TEST_CASE("all orders of four rows come up alike") {
  constexpr int draws = 24000;
  std::map<std::vector<Index>, int> seen;
  for (std::uint64_t stream = 0; stream < draws; ++stream) {
    RandomOrder order(4, 5, stream);
    const std::span<const Index> all = order.at(0, 4);
    ++seen[{all.begin(), all.end()}];
  }
  REQUIRE(seen.size() == 24);
  double chi_squared = 0;
  for (const auto& [order, count] : seen) chi_squared += (count - 1000.0) * (count - 1000.0) / 1000.0;
  CHECK(chi_squared < 49.7);
}

TEST_CASE("an order of more rows than can be told apart") {
  CHECK_THROWS_WITH_AS(RandomOrder(-1, 0, 0), "an order of -1 rows; 0 to 2147483647 can be ordered", ValueError);
  CHECK_THROWS_WITH_AS(RandomOrder(std::int64_t{1} << 31, 0, 0),
                       "an order of 2147483648 rows; 0 to 2147483647 can be ordered", ValueError);
}
