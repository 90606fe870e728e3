// Adagrad on the rows of a table that a batch touches, and on a few parameters.
#include "loops_papers.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace loops {

namespace {

constexpr float initial_accumulator = 0.1F;
constexpr std::size_t update_ahead = 12;  // features

}  // namespace

FeatureTable::FeatureTable(const std::vector<float>& v, float rate) : rate_(rate), feature_(v.size() / k) {
  for (std::size_t j = 0; j < feature_.size(); ++j) {
    Feature& of = feature_[j];
    std::copy_n(&v[j * k], k, of.v);
    std::fill_n(of.v_square, k, initial_accumulator);
    of.w = 0;
    of.w_square = initial_accumulator;
    of.slot = -1;
  }
}

void FeatureTable::begin(std::int64_t lookups) {
  if (std::ssize(gradient_) < lookups) {
    gradient_.resize(static_cast<std::size_t>(lookups));
    touched_.reserve(gradient_.size());
  }
  touched_.clear();
}

void FeatureTable::update() {
  for (std::size_t slot = 0; slot < touched_.size(); ++slot) {
    const Feature& next = feature(touched_[std::min(slot + update_ahead, touched_.size() - 1)]);
    __builtin_prefetch(next.v, 1);
    __builtin_prefetch(next.v_square, 1);
    __builtin_prefetch(next.v_square + k - 1, 1);
    Feature& of = feature_[static_cast<std::size_t>(touched_[slot])];
    const Gradient& d = gradient_[slot];
#pragma omp simd
    for (int f = 0; f < k; ++f) {
      of.v_square[f] += d.v[f] * d.v[f];
      of.v[f] -= rate_ * d.v[f] / std::sqrt(of.v_square[f]);
    }
    of.w_square += d.w * d.w;
    of.w -= rate_ * d.w / std::sqrt(of.w_square);
    of.slot = -1;
  }
}

std::vector<float> FeatureTable::v() const {
  std::vector<float> out;
  for (const Feature& of : feature_) out.insert(out.end(), of.v, of.v + k);
  return out;
}

std::vector<float> FeatureTable::w() const {
  std::vector<float> out;
  for (const Feature& of : feature_) out.push_back(of.w);
  return out;
}

SmallAdagrad::SmallAdagrad(std::vector<float> start, float rate)
    : rate_(rate), value_(std::move(start)), square_(value_.size(), initial_accumulator), gradient_(value_.size()) {}

void SmallAdagrad::update() {
  for (std::size_t i = 0; i < value_.size(); ++i) {
    square_[i] += gradient_[i] * gradient_[i];
    value_[i] -= rate_ * gradient_[i] / std::sqrt(square_[i]);
    gradient_[i] = 0;
  }
}

}  // namespace loops
