// Random numbers by counter: Philox4x32-10 (Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as
// 1, 2, 3", SC 2011). Number i of a stream is a pure function of (seed, stream, i), so no value depends on the
// device, the number of threads or the order in which variables were made.
#pragma once

#include <gradus/core/tensor/tensor.h>

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

namespace gradus {

/// One Philox block: ten rounds over a 128-bit counter with a 64-bit key.
std::array<std::uint32_t, 4> philox(std::array<std::uint32_t, 4> counter, std::array<std::uint32_t, 2> key);
/// The blocks of consecutive counters, side by side: word 0 goes up, around its end to 0.
inline constexpr std::size_t philox_run_blocks = 64;
void philox_run(const std::array<std::uint32_t, 4>& counter, const std::array<std::uint32_t, 2>& key,
                std::span<std::uint32_t, 4 * philox_run_blocks> out);

/// A stream's number for a name: FNV-1a, 64 bits.
std::uint64_t stream_of(std::string_view name);

struct NormalOptions {
  double mean = 0.0;
  double stddev = 1.0;
  std::uint64_t seed = 0;
  DType dtype = float32;
};

struct UniformOptions {
  double low = 0.0;   // included
  double high = 1.0;  // excluded
  std::uint64_t seed = 0;
  DType dtype = float32;
};

/// Random numbers still to be drawn: a shape and a distribution. As a Tensor it is drawn from the stream of
/// the empty name; as a variable's initial value, from the stream of the variable's name.
class Random {
 public:
  enum class Distribution : std::uint8_t { normal, truncated_normal, uniform };

  /// For normal ones a and b are mean and standard deviation; for uniform ones, the bounds [a, b).
  /// Throws ValueError for a shape with unknown dimensions, a dtype that is not floating, or a negative stddev.
  Random(const Shape& shape, Distribution distribution, double a, double b, std::uint64_t seed, DType dtype);

  const Shape& shape() const { return shape_; }
  DType dtype() const { return dtype_; }
  Tensor draw(std::uint64_t stream) const;
  /// Draws into memory: values first to first + size of the stream.
  void draw(std::uint64_t stream, std::uint64_t first, std::span<float> out) const;
  void draw(std::uint64_t stream, std::uint64_t first, std::span<double> out) const;

  operator Tensor() const { return draw(stream_of("")); }  // NOLINT(google-explicit-constructor)

 private:
  Shape shape_;
  Distribution distribution_;
  double a_;
  double b_;
  std::uint64_t seed_;
  DType dtype_;
};

/// Normal numbers with .mean and .stddev; the truncated ones lie within two standard deviations of the mean.
Random random_normal(const Shape& shape, const NormalOptions& options = {});
Random truncated_normal(const Shape& shape, const NormalOptions& options = {});
/// Uniform numbers in [.low, .high).
Random random_uniform(const Shape& shape, const UniformOptions& options = {});

}  // namespace gradus
