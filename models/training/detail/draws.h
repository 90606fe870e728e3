// Random draws by counter for samplers: every draw is a pure function of (seed, iteration, purpose, number), by Philox
// (core/tensor/random.h), so that no bit depends on the number of threads or on where a run was interrupted.
#pragma once

#include <array>
#include <cstdint>
#include <span>

namespace gradus {

/// What a draw is for; each purpose has numbers of its own.
enum class Purpose : std::uint32_t { parameters = 1, hyperparameters, targets };

struct DrawStream {
  std::uint64_t seed = 0;
  std::uint32_t iteration = 0;
  Purpose purpose = Purpose::parameters;
};

/// Standard normals number `first` to first + out.size() of a stream, many at a time; `first` is a multiple of 4.
void draw_normals(const DrawStream& stream, std::uint64_t first, std::span<float> out);

/// One draw after another, in double. `number` tells those of one stream apart, as of the rows of X.
class Draws {
 public:
  Draws(const DrawStream& stream, std::uint32_t number) : stream_(stream), number_(number) {}

  double uniform();      // in (0, 1)
  double normal();       // mean 0, deviation 1
  double exponential();  // mean 1
  /// Gamma of shape > 0 and rate 1.
  double gamma(double shape);
  /// Normal of this mean and deviation 1, given that it is above 0.
  double normal_above_zero(double mean);

 private:
  DrawStream stream_;
  std::uint32_t number_;
  std::uint32_t block_ = 0;
  std::array<std::uint32_t, 4> words_{};
  int left_ = 0;  // uniforms in words_
};

/// The mean of what normal_above_zero(mean) draws.
double mean_above_zero(double mean);
/// P(z <= x) of a standard normal z, to the last digits in the left tail too.
double normal_cdf(double x);
/// Its logarithm, for any x.
double log_normal_cdf(double x);

}  // namespace gradus
