// Adam's step in the hand-written loops.
#pragma once

#include <cmath>
#include <cstdint>

namespace loops {

/// Adam's decays, and its rate corrected for the step at hand.
struct AdamStep {
  static constexpr float beta1 = 0.9F, beta2 = 0.999F, epsilon = 1e-8F;
  AdamStep(float rate, std::int64_t step)
      : size(static_cast<float>(static_cast<double>(rate) * std::sqrt(1 - std::pow(0.999, static_cast<double>(step))) /
                                (1 - std::pow(0.9, static_cast<double>(step))))) {}

  void one(float& w, float& mean, float& square, float d) const {
    mean = beta1 * mean + (1 - beta1) * d;
    square = beta2 * square + (1 - beta2) * d * d;
    w -= size * mean / (std::sqrt(square) + epsilon);
  }
  void all(std::int64_t count, float* __restrict w, float* __restrict mean, float* __restrict square,
           const float* __restrict d) const {
#pragma omp simd
    for (std::int64_t i = 0; i < count; ++i) one(w[i], mean[i], square[i], d[i]);
  }

  float size;
};

}  // namespace loops
