#include <gradus/models/training/detail/draws.h>

#include <gradus/core/cpu.h>
#include <gradus/core/kernel/vector_math.h>
#include <gradus/core/tensor/random.h>

#include <algorithm>
#include <cmath>
#include <numbers>

namespace gradus {

namespace {

constexpr std::size_t run_numbers = 4 * philox_run_blocks;

std::array<std::uint32_t, 2> key_of(const DrawStream& stream) {
  return {static_cast<std::uint32_t>(stream.seed), static_cast<std::uint32_t>(stream.seed >> 32)};
}

// Box and Muller 1958 from pairs of words. The first gives the radius, from u in (0, 1]. The second gives an angle
// within an eighth of a turn of an axis, for which short Taylor polynomials suffice, and, by two more bits, which of
// the four half axes that is.
struct NormalRun {
  [[gnu::always_inline]] static void run(const std::uint32_t* words, float* out) {
    constexpr std::size_t pairs = run_numbers / 2;
    float a[pairs], b[pairs];
    for (std::size_t j = 0; j < pairs; ++j) {
      const float u = static_cast<float>(static_cast<std::int32_t>(words[2 * j] >> 1)) * 0x1p-31F + 0x1p-32F;
      const float radius = std::sqrt(-2 * math::log(u));
      const std::uint32_t word = words[2 * j + 1];
      const float x = static_cast<float>(static_cast<std::int32_t>(word)) * (std::numbers::pi_v<float> * 0x1p-33F);
      const float s = x * x;
      const float sine = x * (1 - s / 6 * (1 - s / 20 * (1 - s / 42)));
      const float cosine = 1 - s / 2 * (1 - s / 12 * (1 - s / 30 * (1 - s / 56)));
      const float far = radius * ((word & 1) != 0 ? cosine : -cosine), near = radius * sine;
      a[j] = (word & 2) != 0 ? far : near;
      b[j] = (word & 2) != 0 ? near : far;
    }
    for (std::size_t j = 0; j < pairs; ++j) {
      out[2 * j] = a[j];
      out[2 * j + 1] = b[j];
    }
  }
};

// 1 / sqrt(2 pi) exp(-x^2 / 2)
double normal_density(double x) { return std::exp(-x * x / 2) / std::sqrt(2 * std::numbers::pi); }

}  // namespace

void draw_normals(const DrawStream& stream, std::uint64_t first, std::span<float> out) {
  static const auto normals = compiled_here<NormalRun, const std::uint32_t*, float*>();
  std::array<std::uint32_t, run_numbers> words;
  std::array<float, run_numbers> numbers;
  for (std::size_t done = 0; done < out.size(); done += run_numbers) {
    const std::uint64_t block = (first + done) / 4;
    philox_run({static_cast<std::uint32_t>(block), static_cast<std::uint32_t>(block >> 32), stream.iteration,
                static_cast<std::uint32_t>(stream.purpose)},
               key_of(stream), words);
    const bool whole = out.size() - done >= run_numbers;
    normals(words.data(), whole ? &out[done] : numbers.data());
    if (!whole) std::copy_n(numbers.begin(), out.size() - done, &out[done]);
  }
}

double Draws::uniform() {
  if (left_ == 0) {
    words_ =
        philox({block_++, number_, stream_.iteration, static_cast<std::uint32_t>(stream_.purpose)}, key_of(stream_));
    left_ = 2;
  }
  --left_;
  const std::size_t at = left_ == 1 ? 0 : 2;
  const std::uint64_t bits = (static_cast<std::uint64_t>(words_[at]) << 32 | words_[at + 1]) >> 12;
  return (static_cast<double>(bits) + 0.5) * 0x1p-52;
}

double Draws::normal() {
  const double radius = std::sqrt(-2 * std::log(uniform()));
  return radius * std::cos(2 * std::numbers::pi * uniform());
}

double Draws::exponential() { return -std::log(uniform()); }

// Marsaglia and Tsang, "A simple method for generating gamma variables", ACM TOMS 2000; a shape below 1 by their
// section 6: gamma(a) = gamma(a + 1) u^(1/a).
double Draws::gamma(double shape) {
  if (shape < 1) {
    const double u = uniform();
    return gamma(shape + 1) * std::pow(u, 1 / shape);
  }
  const double d = shape - 1. / 3, c = 1 / std::sqrt(9 * d);
  for (;;) {
    const double x = normal(), t = 1 + c * x;
    if (t <= 0) continue;
    const double v = t * t * t;
    if (std::log(uniform()) < x * x / 2 + d - d * v + d * std::log(v)) return d * v;
  }
}

// Robert, "Simulation of truncated normal variables", Statistics and Computing 1995: where more than half of the draws
// are above 0, those that are; else proposals from an exponential beyond the cut (his proposition 2.3).
double Draws::normal_above_zero(double mean) {
  if (mean >= 0) {
    for (;;)
      if (const double x = mean + normal(); x > 0) return x;
  }
  const double cut = -mean, rate = (cut + std::sqrt(cut * cut + 4)) / 2;
  for (;;) {
    const double above = exponential() / rate;  // the cut
    const double off = cut + above - rate;
    if (std::log(uniform()) <= -off * off / 2) return above;
  }
}

double mean_above_zero(double mean) {
  if (mean < -37) return -1 / mean;  // the first term of Mills' ratio, where phi and Phi round to 0
  return mean + normal_density(mean) / normal_cdf(mean);
}

double normal_cdf(double x) { return std::erfc(-x / std::numbers::sqrt2) / 2; }

double log_normal_cdf(double x) {
  constexpr double far = -37;  // beyond, Phi(x) rounds to 0: by the first term of Mills' ratio
  return x > far ? std::log(normal_cdf(x)) : -x * x / 2 - std::log(-x * std::sqrt(2 * std::numbers::pi));
}

}  // namespace gradus
