// Philox blocks turned into numbers. The counter of a block is (block number, attempt, stream) and the key is
// the seed:
//   word 0      block number, low 32 bits
//   word 1      block number, next 24 bits; in the top 8 the attempt, which only the truncated normal counts up
//   words 2, 3  stream
// A block gives four float32 or two float64 numbers; a truncated normal takes a block for each number.
#include <gradus/core/tensor/random.h>

#include <gradus/core/cpu.h>
#include <gradus/core/error.h>

#include <algorithm>
#include <cmath>
#include <numbers>

namespace gradus {

namespace {

using Block = std::array<std::uint32_t, 4>;

constexpr std::uint32_t low_word(std::uint64_t x) { return static_cast<std::uint32_t>(x); }
constexpr std::uint32_t high_word(std::uint64_t x) { return static_cast<std::uint32_t>(x >> 32); }

inline void philox_round(std::uint32_t& c0, std::uint32_t& c1, std::uint32_t& c2, std::uint32_t& c3,
                         const std::array<std::uint32_t, 2>& key) {
  const std::uint64_t a = std::uint64_t{0xD2511F53} * c0;
  const std::uint64_t b = std::uint64_t{0xCD9E8D57} * c2;
  c0 = high_word(b) ^ c1 ^ key[0];
  c1 = low_word(b);
  c2 = high_word(a) ^ c3 ^ key[1];
  c3 = low_word(a);
}

constexpr int philox_rounds = 10;
inline void next_key(std::array<std::uint32_t, 2>& key) {
  key[0] += 0x9E3779B9;  // the golden ratio's fraction
  key[1] += 0xBB67AE85;  // the square root of 3, less 1
}

// A round waits for the one before: blocks side by side fill that time, and a vector has room for several.
struct PhiloxRun {
  [[gnu::always_inline]] static void run(const std::uint32_t* counter, std::array<std::uint32_t, 2> key,
                                         std::uint32_t* out) {
    constexpr std::size_t n = philox_run_blocks;
    std::uint32_t c0[n], c1[n], c2[n], c3[n];
    for (std::size_t j = 0; j < n; ++j) {
      c0[j] = counter[0] + static_cast<std::uint32_t>(j);
      c1[j] = counter[1];
      c2[j] = counter[2];
      c3[j] = counter[3];
    }
    for (int round = 0; round < philox_rounds; ++round, next_key(key))
      for (std::size_t j = 0; j < n; ++j) philox_round(c0[j], c1[j], c2[j], c3[j], key);
    for (std::size_t j = 0; j < n; ++j) {
      out[4 * j] = c0[j];
      out[4 * j + 1] = c1[j];
      out[4 * j + 2] = c2[j];
      out[4 * j + 3] = c3[j];
    }
  }
};

// Four float32 or two float64 numbers of one kind.
template <class T>
using Numbers = std::array<T, sizeof(T) == 4 ? 4 : 2>;

// 53 random bits.
std::uint64_t bits53(std::uint32_t high, std::uint32_t low) {
  return ((static_cast<std::uint64_t>(high) << 32) | low) >> 11;
}

// In [0, 1), as finely as T can tell numbers just below 1 apart.
Numbers<float> units(const Block& block, float) {
  Numbers<float> out;
  for (std::size_t j = 0; j < out.size(); ++j) out[j] = static_cast<float>(block[j] >> 8) * 0x1p-24F;
  return out;
}

Numbers<double> units(const Block& block, double) {
  return {static_cast<double>(bits53(block[0], block[1])) * 0x1p-53,
          static_cast<double>(bits53(block[2], block[3])) * 0x1p-53};
}

// Box and Muller 1958: two independent normals from u in (0, 1] and v in [0, 1).
std::array<double, 2> box_muller(double u, double v) {
  const double radius = std::sqrt(-2 * std::log(u));
  const double angle = 2 * std::numbers::pi * v;
  return {radius * std::cos(angle), radius * std::sin(angle)};
}

// The float32 normals are worked out in double and rounded, so that another mathematics library, on another
// device say, almost never gives another float.
Numbers<float> normals(const Block& block, float) {
  const auto u = [](std::uint32_t word) { return (static_cast<double>(word) + 1) * 0x1p-32; };
  const auto v = [](std::uint32_t word) { return static_cast<double>(word) * 0x1p-32; };
  const auto a = box_muller(u(block[0]), v(block[1]));
  const auto b = box_muller(u(block[2]), v(block[3]));
  return {static_cast<float>(a[0]), static_cast<float>(a[1]), static_cast<float>(b[0]), static_cast<float>(b[1])};
}

Numbers<double> normals(const Block& block, double) {
  return box_muller(static_cast<double>(bits53(block[0], block[1]) + 1) * 0x1p-53,
                    static_cast<double>(bits53(block[2], block[3])) * 0x1p-53);
}

Block block_of(std::uint64_t seed, std::uint64_t stream, std::uint64_t number, std::uint32_t attempt = 0) {
  return philox(
      {low_word(number), (high_word(number) & 0xFFFFFFU) | attempt << 24, low_word(stream), high_word(stream)},
      {low_word(seed), high_word(seed)});
}

// A standard normal within two standard deviations: the first of element i's candidates that is. One in 22 is
// not, so the 256 attempts that the counter has room for never end.
template <class T>
T truncated(std::uint64_t seed, std::uint64_t stream, std::uint64_t i) {
  for (std::uint32_t attempt = 0; attempt < 256; ++attempt)
    for (const T z : normals(block_of(seed, stream, i, attempt), T{}))
      if (std::abs(z) < 2) return z;
  return 0;
}

// Writes numbers first to first + out.size() of a stream whose blocks hold numbers_of(block number) each.
template <class T, class NumbersOf>
void fill(std::uint64_t first, std::span<T> out, NumbersOf&& numbers_of) {
  constexpr std::uint64_t per_block = std::tuple_size_v<Numbers<T>>;
  for (std::size_t done = 0; done < out.size();) {
    const std::uint64_t number = first + done;
    const Numbers<T> numbers = numbers_of(number / per_block);
    for (std::size_t j = number % per_block; j < per_block && done < out.size(); ++j) out[done++] = numbers[j];
  }
}

template <class T>
void draw_numbers(Random::Distribution distribution, double a, double b, std::uint64_t seed, std::uint64_t stream,
                  std::uint64_t first, std::span<T> out) {
  const T mean = static_cast<T>(a);
  const T stddev = static_cast<T>(b);
  switch (distribution) {
    case Random::Distribution::normal:
      fill(first, out, [&](std::uint64_t number) {
        Numbers<T> z = normals(block_of(seed, stream, number), T{});
        for (T& value : z) value = mean + stddev * value;
        return z;
      });
      break;
    case Random::Distribution::truncated_normal:
      for (std::size_t j = 0; j < out.size(); ++j) out[j] = mean + stddev * truncated<T>(seed, stream, first + j);
      break;
    case Random::Distribution::uniform: {
      const T low = static_cast<T>(a);
      const T high = static_cast<T>(b);
      const T last = std::max(low, std::nextafter(high, low));  // where low + u * (high - low) rounds up to high
      fill(first, out, [&](std::uint64_t number) {
        Numbers<T> u = units(block_of(seed, stream, number), T{});
        for (T& value : u) value = std::min(low + value * (high - low), last);
        return u;
      });
      break;
    }
  }
}

}  // namespace

void philox_run(const std::array<std::uint32_t, 4>& counter, const std::array<std::uint32_t, 2>& key,
                std::span<std::uint32_t, 4 * philox_run_blocks> out) {
  static const auto run =
      compiled_here<PhiloxRun, const std::uint32_t*, std::array<std::uint32_t, 2>, std::uint32_t*>();
  run(counter.data(), key, out.data());
}

std::array<std::uint32_t, 4> philox(std::array<std::uint32_t, 4> counter, std::array<std::uint32_t, 2> key) {
  for (int round = 0; round < philox_rounds; ++round, next_key(key))
    philox_round(counter[0], counter[1], counter[2], counter[3], key);
  return counter;
}

std::uint64_t stream_of(std::string_view name) {
  std::uint64_t hash = 0xCBF29CE484222325;
  for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3;
  return hash;
}

Random::Random(const Shape& shape, Distribution distribution, double a, double b, std::uint64_t seed, DType dtype)
    : shape_(shape), distribution_(distribution), a_(a), b_(b), seed_(seed), dtype_(dtype) {
  constexpr std::string_view names[] = {"random_normal", "truncated_normal", "random_uniform"};
  const std::string_view name = names[static_cast<int>(distribution)];
  if (!shape.known()) fail<ValueError>("{}: shape {} has an unknown dimension; all must be known", name, shape);
  if (!is_floating(dtype)) fail<ValueError>("{}: dtype is {}; it must be float32 or float64", name, dtype);
  const bool is_uniform = distribution == Distribution::uniform;
  if (!std::isfinite(a) || !std::isfinite(b))
    fail<ValueError>("{}: {} is {} and {} is {}; both must be finite", name, is_uniform ? "low" : "mean", a,
                     is_uniform ? "high" : "stddev", b);
  if (is_uniform && a > b) fail<ValueError>("{}: low is {} but high is {}; low must not exceed high", name, a, b);
  if (!is_uniform && b < 0) fail<ValueError>("{}: stddev is {}; it must be at least 0", name, b);
}

Tensor Random::draw(std::uint64_t stream) const {
  return dispatch_floating(dtype_, [&](auto tag) {
    using T = typename decltype(tag)::type;
    return Tensor::make<T>(shape_, [&](std::span<T> out) { draw(stream, 0, out); });
  });
}

void Random::draw(std::uint64_t stream, std::uint64_t first, std::span<float> out) const {
  draw_numbers(distribution_, a_, b_, seed_, stream, first, out);
}

void Random::draw(std::uint64_t stream, std::uint64_t first, std::span<double> out) const {
  draw_numbers(distribution_, a_, b_, seed_, stream, first, out);
}

Random random_normal(const Shape& shape, const NormalOptions& options) {
  return {shape, Random::Distribution::normal, options.mean, options.stddev, options.seed, options.dtype};
}

Random truncated_normal(const Shape& shape, const NormalOptions& options) {
  return {shape, Random::Distribution::truncated_normal, options.mean, options.stddev, options.seed, options.dtype};
}

Random random_uniform(const Shape& shape, const UniformOptions& options) {
  return {shape, Random::Distribution::uniform, options.low, options.high, options.seed, options.dtype};
}

}  // namespace gradus
