// Sparse full batches: one pass over the rows; a row's forward and backward work stand together, so its table rows
// are read while they are near. What is quadratic in x waits in `curvature` until the update.
#include "loops.h"
#include "pack.h"

#include <algorithm>
#include <cmath>

namespace loops {

namespace {

constexpr float beta1 = 0.9F, beta2 = 0.999F, epsilon = 1e-8F;

float adam(float value, float& mean, float& square, float d, float size) {
  mean = beta1 * mean + (1 - beta1) * d;
  square = beta2 * square + (1 - beta2) * d * d;
  return value - size * mean / (std::sqrt(square) + epsilon);
}

}  // namespace

template <int k>
SparseMachine<k>::SparseMachine(const Start& start, float rate)
    : features_(start.features), rate_(rate), v_(start.v.begin(), start.v.end()) {
  const auto p = static_cast<std::size_t>(features_);
  mean_.resize(p * k);
  square_.resize(p * k);
  gradient_.resize(p * k);
  w_mean_.resize(p);
  w_square_.resize(p);
  feature_.resize(p);
  feature_gradient_.resize(p);
}

template <int k>
float SparseMachine<k>::step(const Csr& x, const float* y) {
  for (std::size_t j = 0; j < feature_.size(); ++j) feature_[j].norm = Pack<k>::load(&v_[j * k]).square_sum();
  std::fill(gradient_.begin(), gradient_.end(), 0.0F);
  std::fill(feature_gradient_.begin(), feature_gradient_.end(), FeatureGradient{});

  const auto rows = static_cast<std::int64_t>(x.row_start.size()) - 1;
  const float weight = 1 / static_cast<float>(rows);
  const std::int64_t* start = x.row_start.data();
  const std::int32_t* column = x.column.data();
  const float* value = x.value.data();
  const float* v = v_.data();
  const Feature* feature = feature_.data();
  float* __restrict gradient = gradient_.data();
  FeatureGradient* __restrict feature_gradient = feature_gradient_.data();
  double error = 0;
  float dw0 = 0;
  for (std::int64_t r = 0; r < rows; ++r) {
    Pack<k> sums;
    float linear = w0_;
    float squares = 0;
    for (std::int64_t i = start[r]; i < start[r + 1]; ++i) {
      const Feature& of = feature[column[i]];
      sums.add(value[i], Pack<k>::load(v + static_cast<std::int64_t>(column[i]) * k));
      linear += value[i] * of.w;
      squares += value[i] * value[i] * of.norm;
    }
    const float miss = linear + 0.5F * (sums.square_sum() - squares) - y[r];
    const float d = 2 * weight * miss;
    error += static_cast<double>(miss * miss);
    dw0 += d;
    for (std::int64_t i = start[r]; i < start[r + 1]; ++i) {
      const float dx = d * value[i];
      float* to = gradient + static_cast<std::int64_t>(column[i]) * k;
      auto g = Pack<k>::load(to);
      g.add(dx, sums);
      g.store(to);
      FeatureGradient& of = feature_gradient[column[i]];
      of.w += dx;
      of.curvature += dx * value[i];
    }
  }
  dw0_ = dw0;
  update();
  return static_cast<float>(error) * weight;
}

template <int k>
void SparseMachine<k>::update() {
  const auto t = static_cast<double>(++steps_);
  const double beta1_exact = 0.9, beta2_exact = 0.999;
  const auto size = static_cast<float>(static_cast<double>(rate_) * std::sqrt(1 - std::pow(beta2_exact, t)) /
                                       (1 - std::pow(beta1_exact, t)));
  const float* __restrict gradient = gradient_.data();
  float* __restrict v = v_.data();
  float* __restrict mean = mean_.data();
  float* __restrict square = square_.data();
  for (std::size_t j = 0; j < feature_.size(); ++j) {
    const FeatureGradient of = feature_gradient_[j];
#pragma omp simd
    for (std::size_t i = j * k; i < (j + 1) * k; ++i)
      v[i] = adam(v[i], mean[i], square[i], gradient[i] - of.curvature * v[i], size);
    feature_[j].w = adam(feature_[j].w, w_mean_[j], w_square_[j], of.w, size);
  }
  w0_ = adam(w0_, w0_mean_, w0_square_, dw0_, size);
}

template class SparseMachine<20>;

}  // namespace loops
