// Mini-batches of sparse rows. The gradients of the features a batch touches lie densely, in the order in which they
// were met, so that they stay in the cache however large the table is; what is far away (table rows, and in the update
// the accumulators) is prefetched.
#include "loops.h"
#include "pack.h"

#include <algorithm>
#include <cmath>

namespace loops {

namespace {

constexpr float initial_accumulator = 0.1F;
constexpr std::int64_t ahead = 64;        // non-zeros
constexpr std::size_t update_ahead = 12;  // features

}  // namespace

template <int k>
BatchMachine<k>::BatchMachine(const Start& start, Loss loss, float rate) : loss_(loss), rate_(rate) {
  feature_.resize(static_cast<std::size_t>(start.features));
  for (std::size_t j = 0; j < feature_.size(); ++j) {
    Feature& of = feature_[j];
    std::copy_n(&start.v[j * k], k, of.v);
    std::fill_n(of.square, k, initial_accumulator);
    of.w = 0;
    of.norm = Pack<k>::load(of.v).square_sum();
    of.w_square = initial_accumulator;
    of.slot = -1;
  }
  w0_square_ = initial_accumulator;
}

// Where the feature's gradient is; a new one, of zeros, when the batch meets it for the first time.
template <int k>
inline std::int32_t BatchMachine<k>::slot_of(std::int32_t column) {
  std::int32_t& slot = feature_[static_cast<std::size_t>(column)].slot;
  if (slot < 0) {
    slot = static_cast<std::int32_t>(touched_.size());
    touched_.push_back(column);
    Pack<k>().store(&gradient_[static_cast<std::size_t>(slot) * k]);
    feature_gradient_[static_cast<std::size_t>(slot)] = {};
  }
  return slot;
}

template <int k>
float BatchMachine<k>::step(const Csr& x, const float* y, std::int64_t first, std::int64_t count, bool want_loss) {
  const std::int64_t* start = x.row_start.data() + first;
  const std::int32_t* column = x.column.data();
  const float* value = x.value.data();
  const std::int64_t end = start[count];
  // Grown by the first batches only.
  const auto most = static_cast<std::size_t>(end - start[0]);
  if (feature_gradient_.size() < most) {
    feature_gradient_.resize(most);
    gradient_.resize(most * k);
    touched_.reserve(most);
    slots_.resize(most);
  }
  touched_.clear();

  const float weight = 1 / static_cast<float>(count);
  const Feature* feature = feature_.data();
  float* __restrict gradient = gradient_.data();
  FeatureGradient* __restrict feature_gradient = feature_gradient_.data();
  float error = 0;
  float dw0 = 0;
  for (std::int64_t r = 0; r < count; ++r) {
    Pack<k> sums;
    float linear = w0_;
    float squares = 0;
    std::int32_t* slot = slots_.data();
    for (std::int64_t i = start[r]; i < start[r + 1]; ++i) {
      const Feature* const next = feature + column[std::min(i + ahead, end - 1)];
      __builtin_prefetch(next, 1);
      __builtin_prefetch(&next->w, 1);
      const Feature& of = feature[column[i]];
      sums.add(value[i], Pack<k>::load(of.v));
      linear += value[i] * of.w;
      squares += value[i] * value[i] * of.norm;
      *slot = slot_of(column[i]);
      __builtin_prefetch(gradient + static_cast<std::int64_t>(*slot++) * k, 1);
    }
    const float y_hat = linear + 0.5F * (sums.square_sum() - squares);
    const float target = y[first + r];
    float d;
    if (loss_ == Loss::squared) {
      d = 2 * weight * (y_hat - target);
      error += (y_hat - target) * (y_hat - target);
    } else {
      d = -target * weight / (1 + std::exp(target * y_hat));
      if (want_loss) error += std::log1p(std::exp(-target * y_hat));
    }
    dw0 += d;
    slot = slots_.data();
    for (std::int64_t i = start[r]; i < start[r + 1]; ++i, ++slot) {
      const float dx = d * value[i];
      float* to = gradient + static_cast<std::int64_t>(*slot) * k;
      auto g = Pack<k>::load(to);
      g.add(dx, sums);
      g.store(to);
      FeatureGradient& of = feature_gradient[*slot];
      of.w += dx;
      of.curvature += dx * value[i];
    }
  }
  update();
  w0_square_ += dw0 * dw0;
  w0_ -= rate_ * dw0 / std::sqrt(w0_square_);
  return error * weight;
}

template <int k>
void BatchMachine<k>::update() {
  for (std::size_t slot = 0; slot < touched_.size(); ++slot) {
    const Feature& next =
        feature_[static_cast<std::size_t>(touched_[std::min(slot + update_ahead, touched_.size() - 1)])];
    __builtin_prefetch(next.v, 1);
    __builtin_prefetch(&next.w, 1);
    __builtin_prefetch(next.square, 1);
    __builtin_prefetch(next.square + k - 1, 1);
    Feature& feature = feature_[static_cast<std::size_t>(touched_[slot])];
    const FeatureGradient of = feature_gradient_[slot];
    const float* __restrict gradient = &gradient_[slot * k];
    float* __restrict v = feature.v;
    float* __restrict square = feature.square;
#pragma omp simd
    for (int f = 0; f < k; ++f) {
      const float d = gradient[f] - of.curvature * v[f];
      square[f] += d * d;
      v[f] -= rate_ * d / std::sqrt(square[f]);
    }
    feature.norm = Pack<k>::load(v).square_sum();
    feature.w_square += of.w * of.w;
    feature.w -= rate_ * of.w / std::sqrt(feature.w_square);
    feature.slot = -1;
  }
}

template class BatchMachine<16>;

}  // namespace loops
