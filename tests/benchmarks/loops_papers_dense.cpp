// A mixture, layers with GELU and layer norm, and a chain of elementwise functions.
#include "adam_step.h"
#include "loops_gemm.h"
#include "loops_papers.h"
#include "pack.h"

#include <gradus/core/kernel/vector_math.h>

#include <algorithm>
#include <cmath>

namespace loops {

namespace {

constexpr int lanes = Mixture::components;
static_assert(lanes == 16);

}  // namespace

void DenseAdam::move(Array<float>& w, const Array<float>& d) {
  AdamStep(rate_, ++steps_).all(std::ssize(w), w.data(), mean_.data(), square_.data(), d.data());
}

Mixture::Mixture(const std::vector<float>& mean, float rate)
    : value_((1 + 2 * dims) * lanes), gradient_(value_.size()), adam_(value_.size(), rate) {
  for (std::size_t c = 0; c < components; ++c)
    for (std::size_t d = 0; d < dims; ++d) value_[(1 + d) * lanes + c] = mean[c * dims + d];
}

float Mixture::step(const float* x, std::int64_t rows, bool want_loss) {
  const float* const log_deviation = &value_[(1 + dims) * lanes];
  Sixteen mean[dims], inverse[dims];
  alignas(64) float start[lanes], prior[lanes], share[lanes];
  const float top = *std::max_element(value_.begin(), value_.begin() + lanes);
  float total = 0;
  for (int c = 0; c < lanes; ++c) total += prior[c] = std::exp(value_[static_cast<std::size_t>(c)] - top);
  for (int c = 0; c < lanes; ++c) {
    prior[c] /= total;
    start[c] = std::log(prior[c]);
  }
  for (int d = 0; d < dims; ++d) {
    mean[d] = load16(&value_[static_cast<std::size_t>((1 + d) * lanes)]);
    for (int c = 0; c < lanes; ++c) {
      share[c] = std::exp(-log_deviation[d * lanes + c]);
      start[c] -= log_deviation[d * lanes + c];
    }
    inverse[d] = load16(share);
  }
  Sixteen shares = {}, d_mean[dims] = {}, d_log[dims] = {};
  double error = 0;
  for (std::int64_t r = 0; r < rows; ++r) {
    Sixteen z[dims], squares = {};
    for (int d = 0; d < dims; ++d) {
      z[d] = (x[r * dims + d] - mean[d]) * inverse[d];
      squares += z[d] * z[d];
    }
    const Sixteen log_density = load16(start) - 0.5F * squares;
    const float most = greatest(log_density);
    store16(share, log_density - most);
    float sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int c = 0; c < lanes; ++c) sum += share[c] = gradus::math::exp(share[c]);
    if (want_loss) error -= static_cast<double>(most + std::log(sum));
    const Sixteen of = load16(share) * (1 / sum);
    shares += of;
    for (int d = 0; d < dims; ++d) {
      d_mean[d] += of * z[d];
      d_log[d] += of * (z[d] * z[d]);
    }
  }
  const float weight = 1 / static_cast<float>(rows);
  store16(gradient_.data(), load16(prior) - weight * shares);
  for (int d = 0; d < dims; ++d) {
    store16(&gradient_[static_cast<std::size_t>((1 + d) * lanes)], -weight * (d_mean[d] * inverse[d]));
    store16(&gradient_[static_cast<std::size_t>((1 + dims + d) * lanes)], weight * (shares - d_log[d]));
  }
  adam_.move(value_, gradient_);
  constexpr float log_two_pi = 1.8378770664093453F;
  return static_cast<float>(error) * weight + dims * log_two_pi / 2;
}

Values Mixture::values() const {
  Values out{{value_.begin(), value_.begin() + lanes}, {}, {}};
  for (std::size_t c = 0; c < components; ++c)
    for (std::size_t d = 0; d < dims; ++d) {
      out[1].push_back(value_[(1 + d) * lanes + c]);
      out[2].push_back(value_[(1 + dims + d) * lanes + c]);
    }
  return out;
}

GeluLayers::GeluLayers(const Values& weights, float rate) : adam_(0, rate) {
  const auto add = [&](const std::vector<float>& values) {
    const std::int64_t at = std::ssize(value_);
    value_.insert(value_.end(), values.begin(), values.end());
    return at;
  };
  for (std::size_t l = 0; l < layers; ++l) {
    Layer layer;
    layer.w = add(weights[l]);
    layer.b = add(std::vector<float>(width));
    layer.scale = add(std::vector<float>(width, 1));
    layer.shift = add(std::vector<float>(width));
    for (Array<float>* of : {&layer.normal, &layer.slope, &layer.out}) of->resize(batch * width);
    layer.inverse_deviation.resize(batch);
    layers_.push_back(layer);
  }
  w_ = add(weights[layers]);
  b_ = add(std::vector<float>(classes));
  gradient_.resize(value_.size());
  adam_ = DenseAdam(value_.size(), rate);
  d_.resize(batch * width);
  d_in_.resize(batch * width);
  logits_.resize(batch * classes);
  openblas_set_num_threads(1);
}

void GeluLayers::forward(Layer& layer, const float* in) {
  gemm(batch, width, width, 1, in, CblasNoTrans, &value_[static_cast<std::size_t>(layer.w)], CblasNoTrans, 0,
       layer.normal.data());
  const float* const b = &value_[static_cast<std::size_t>(layer.b)];
  const float* const scale = &value_[static_cast<std::size_t>(layer.scale)];
  const float* const shift = &value_[static_cast<std::size_t>(layer.shift)];
  constexpr float epsilon = 1e-5F, root = 0.7978845608028654F, cube = 0.044715F;
  for (std::int64_t r = 0; r < batch; ++r) {
    float* __restrict n = &layer.normal[static_cast<std::size_t>(r * width)];
    float* __restrict slope = &layer.slope[static_cast<std::size_t>(r * width)];
    float* __restrict out = &layer.out[static_cast<std::size_t>(r * width)];
    float mean = 0, variance = 0;
#pragma omp simd reduction(+ : mean)
    for (std::int64_t c = 0; c < width; ++c) mean += n[c] += b[c];
    mean /= width;
#pragma omp simd reduction(+ : variance)
    for (std::int64_t c = 0; c < width; ++c) variance += (n[c] - mean) * (n[c] - mean);
    const float inverse = 1 / std::sqrt(variance / width + epsilon);
    layer.inverse_deviation[static_cast<std::size_t>(r)] = inverse;
#pragma omp simd
    for (std::int64_t c = 0; c < width; ++c) {
      n[c] = (n[c] - mean) * inverse;
      const float z = n[c] * scale[c] + shift[c];
      const float t = gradus::math::tanh(root * (z + cube * z * z * z));
      out[c] = 0.5F * z * (1 + t);
      slope[c] = 0.5F * (1 + t) + 0.5F * z * (1 - t * t) * root * (1 + 3 * cube * z * z);
    }
  }
}

// d_ is the gradient of what leaves the layer; d_in, where it is wanted, of what enters it.
void GeluLayers::backward(Layer& layer, const float* in, float* d_in) {
  const float* const w = &value_[static_cast<std::size_t>(layer.w)];
  const float* const scale = &value_[static_cast<std::size_t>(layer.scale)];
  float* __restrict d_b = &gradient_[static_cast<std::size_t>(layer.b)];
  float* __restrict d_scale = &gradient_[static_cast<std::size_t>(layer.scale)];
  float* __restrict d_shift = &gradient_[static_cast<std::size_t>(layer.shift)];
  for (float* of : {d_b, d_scale, d_shift}) std::fill_n(of, width, 0.0F);
  for (std::int64_t r = 0; r < batch; ++r) {
    const float* n = &layer.normal[static_cast<std::size_t>(r * width)];
    const float* slope = &layer.slope[static_cast<std::size_t>(r * width)];
    float* __restrict d = &d_[static_cast<std::size_t>(r * width)];
    float mean = 0, with_n = 0;
#pragma omp simd reduction(+ : mean, with_n)
    for (std::int64_t c = 0; c < width; ++c) {
      const float dz = d[c] * slope[c];
      d_scale[c] += dz * n[c];
      d_shift[c] += dz;
      d[c] = dz * scale[c];
      mean += d[c];
      with_n += d[c] * n[c];
    }
    mean /= width;
    with_n /= width;
    const float inverse = layer.inverse_deviation[static_cast<std::size_t>(r)];
#pragma omp simd
    for (std::int64_t c = 0; c < width; ++c) {
      d[c] = inverse * (d[c] - mean - n[c] * with_n);
      d_b[c] += d[c];
    }
  }
  gemm(width, width, batch, 1, in, CblasTrans, d_.data(), CblasNoTrans, 0,
       &gradient_[static_cast<std::size_t>(layer.w)]);
  if (d_in != nullptr) gemm(batch, width, width, 1, d_.data(), CblasNoTrans, w, CblasTrans, 0, d_in);
}

float GeluLayers::step(const float* x, const float* labels) {
  const float* in = x;
  for (Layer& layer : layers_) {
    forward(layer, in);
    in = layer.out.data();
  }
  gemm(batch, classes, width, 1, in, CblasNoTrans, &value_[static_cast<std::size_t>(w_)], CblasNoTrans, 0,
       logits_.data());
  const float* const b = &value_[static_cast<std::size_t>(b_)];
  float* const d_b = &gradient_[static_cast<std::size_t>(b_)];
  std::fill_n(d_b, classes, 0.0F);
  constexpr float weight = 1.0F / batch;
  float error = 0;
  for (std::int64_t r = 0; r < batch; ++r) {
    float* row = &logits_[static_cast<std::size_t>(r * classes)];
    const float* label = labels + r * classes;
    for (std::int64_t c = 0; c < classes; ++c) row[c] += b[c];
    const float most = *std::max_element(row, row + classes);
    float chosen = 0, total = 0;
    for (std::int64_t c = 0; c < classes; ++c) chosen += label[c] * (row[c] - most);
    for (std::int64_t c = 0; c < classes; ++c) total += row[c] = gradus::math::exp(row[c] - most);
    error += std::log(total) - chosen;
    for (std::int64_t c = 0; c < classes; ++c) {
      row[c] = weight * (row[c] / total - label[c]);
      d_b[c] += row[c];
    }
  }
  gemm(width, classes, batch, 1, in, CblasTrans, logits_.data(), CblasNoTrans, 0,
       &gradient_[static_cast<std::size_t>(w_)]);
  gemm(batch, width, classes, 1, logits_.data(), CblasNoTrans, &value_[static_cast<std::size_t>(w_)], CblasTrans, 0,
       d_.data());
  for (std::size_t l = layers; l-- > 0;) {
    backward(layers_[l], l > 0 ? layers_[l - 1].out.data() : x, l > 0 ? d_in_.data() : nullptr);
    d_.swap(d_in_);
  }
  adam_.move(value_, gradient_);
  return error * weight;
}

Values GeluLayers::values() const {
  Values out;
  const auto add = [&](std::int64_t at, std::int64_t count) {
    out.emplace_back(value_.begin() + at, value_.begin() + at + count);
  };
  for (const Layer& layer : layers_) {
    add(layer.w, width * width);
    for (const std::int64_t at : {layer.b, layer.scale, layer.shift}) add(at, width);
  }
  add(w_, width * classes);
  add(b_, classes);
  return out;
}

double rational(const float* a, const float* b, const float* c, std::int64_t count) {
  constexpr std::int64_t block = 4096;  // summed in float
  double total = 0;
  for (std::int64_t first = 0; first < count; first += block) {
    const std::int64_t last = std::min(first + block, count);
    float sum = 0;
#pragma omp simd reduction(+ : sum)
    for (std::int64_t i = first; i < last; ++i) {
      const float u = (a[i] * b[i] + c[i]) / (1 + a[i] * a[i]);
      const float v = u * u * u - 3 * u * b[i] + c[i] * c[i];
      sum += v / std::sqrt(1 + v * v) * a[i] - b[i] * u / 2;
    }
    total += static_cast<double>(sum);
  }
  return total;
}

}  // namespace loops
