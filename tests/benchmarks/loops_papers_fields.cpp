// Machines over one feature a field: field-weighted and attentional.
#include "loops_papers.h"
#include "pack.h"

#include <gradus/ops/vector_math.h>

#include <algorithm>
#include <cmath>
#include <utility>

namespace loops {

namespace {

constexpr float initial_accumulator = 0.1F;
constexpr std::int64_t ahead = 64;        // features
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

inline void FeatureTable::prefetch(std::int32_t j) const {
  __builtin_prefetch(&feature(j), 1);
  __builtin_prefetch(&feature(j).w_square, 1);
}

inline std::int32_t FeatureTable::slot_of(std::int32_t j) {
  std::int32_t& slot = feature_[static_cast<std::size_t>(j)].slot;
  if (slot < 0) {
    slot = static_cast<std::int32_t>(touched_.size());
    touched_.push_back(j);
    gradient(slot) = {};
  }
  return slot;
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

FieldWeighted::FieldWeighted(const std::vector<float>& v, const std::vector<float>& r, float rate)
    : table_(v, rate),
      w0_({0}, rate),
      r_(r, rate),
      both_(fields * padded),
      v_(block * padded * k),
      dots_(padded * padded * k),
      slot_(block * fields) {}

void FieldWeighted::spread_r() {
  for (std::size_t i = 0; i < fields; ++i)
    for (std::size_t j = 0; j < fields; ++j)
      both_[i * padded + j] = i == j ? 0 : r_.value()[std::min(i, j) * fields + std::max(i, j)];
}

namespace {

// s[i] = sum over j of r_ij v[j], for `count` fields from i on; r is symmetric and rows of it are `stride` apart.
template <int count>
void weighted_sums(const SixteenAt* v, int fields, const float* r, int stride, Sixteen* s) {
  Sixteen sums[count] = {};
  for (int j = 0; j < fields; ++j)
    for (int i = 0; i < count; ++i) sums[i] += r[j * stride + i] * v[j];
  for (int i = 0; i < count; ++i) s[i] = sums[i];
}

}  // namespace

float FieldWeighted::step(const Rows& batch, bool want_loss) {
  const std::int64_t lookups = batch.count * fields;
  table_.begin(lookups);
  spread_r();
  std::fill(dots_.begin(), dots_.end(), 0.0F);
  const float w0 = w0_.value()[0];
  const float weight = 1 / static_cast<float>(batch.count);
  float error = 0;
  float d_w0 = 0;
  for (std::int64_t first = 0; first < batch.count; first += block) {
    const std::int64_t count = std::min<std::int64_t>(block, batch.count - first);
    float d[block] = {};
    for (std::int64_t r = 0; r < count; ++r) {
      auto* v = reinterpret_cast<SixteenAt*>(&v_[static_cast<std::size_t>(r * padded * k)]);
      std::int32_t* slot = &slot_[static_cast<std::size_t>(r * fields)];
      const std::int64_t at = (first + r) * fields;
      float y_hat = w0;
      for (int f = 0; f < fields; ++f) {
        table_.prefetch(batch.feature[std::min(at + f + ahead, lookups - 1)]);
        const FeatureTable::Feature& of = table_.feature(batch.feature[at + f]);
        v[f] = load16(of.v);
        y_hat += of.w;
        slot[f] = table_.slot_of(batch.feature[at + f]);
        __builtin_prefetch(&table_.gradient(slot[f]), 1);
        __builtin_prefetch(&table_.gradient(slot[f]).w, 1);
      }
      Sixteen s[fields];
      for (int i = 0; i < fields; i += 13)
        weighted_sums<13>(v, fields, &both_[static_cast<std::size_t>(i)], padded, s + i);
      Sixteen twice = {};
      for (int i = 0; i < fields; ++i) twice += v[i] * s[i];
      y_hat += 0.5F * sum(twice);
      const float y = batch.y[first + r];
      const float e = std::exp(-std::abs(y * y_hat));
      d[r] = -y * weight * (y * y_hat < 0 ? 1 : e) / (1 + e);
      if (want_loss) error += std::max(-y * y_hat, 0.0F) + std::log1p(e);
      d_w0 += d[r];
      for (int i = 0; i < fields; ++i) {
        FeatureTable::Gradient& g = table_.gradient(slot[i]);
        store16(g.v, load16(g.v) + d[r] * s[i]);
        g.w += d[r];
      }
    }
    // dots_ij += sum over the block of d v_i v_j, in tiles that touch the triangle above the diagonal
    constexpr int high = 4, wide = 5;
    for (int i = 0; i < padded; i += high)
      for (int j = i / wide * wide; j < padded; j += wide) {
        Sixteen tile[high][wide] = {};
        for (std::int64_t r = 0; r < count; ++r) {
          const auto* v = reinterpret_cast<const SixteenAt*>(&v_[static_cast<std::size_t>(r * padded * k)]);
          for (int a = 0; a < high; ++a) {
            const Sixteen dv = d[r] * v[i + a];
            for (int b = 0; b < wide; ++b) tile[a][b] += dv * v[j + b];
          }
        }
        for (int a = 0; a < high; ++a)
          for (int b = 0; b < wide; ++b) {
            float* to = &dots_[static_cast<std::size_t>(((i + a) * padded + j + b) * k)];
            store16(to, load16(to) + tile[a][b]);
          }
      }
  }
  for (std::size_t i = 0; i < fields; ++i)
    for (std::size_t j = i + 1; j < fields; ++j)
      r_.gradient()[i * fields + j] = sum(load16(&dots_[(i * padded + j) * k]));
  table_.update();
  r_.update();
  *w0_.gradient() = d_w0;
  w0_.update();
  return error * weight;
}

Values FieldWeighted::values() const { return {w0_.value(), table_.w(), table_.v(), r_.value()}; }

Attentional::Attentional(const Start& start, float rate)
    : table_(start.v, rate),
      w0_({0}, rate),
      a_(start.a, rate),
      b_(std::vector<float>(attention), rate),
      h_(start.h, rate),
      p_(start.p, rate) {}

namespace {

// out[i] = sum over f of x[i][f] times row f of a, for `count` rows of x and a [16, 16].
template <int count>
void times(const Sixteen* x, const float* a, Sixteen start, Sixteen* out) {
  Sixteen sums[count];
  for (int i = 0; i < count; ++i) sums[i] = start;
  for (int f = 0; f < 16; ++f) {
    const Sixteen row = load16(a + 16 * f);
    for (int i = 0; i < count; ++i) sums[i] += reinterpret_cast<const FloatAt*>(x + i)[f] * row;
  }
  for (int i = 0; i < count; ++i) out[i] = sums[i];
}

// The sums of 16 vectors, one in each lane.
Sixteen sums_of(const Sixteen* x) {
  // Halves of pairs are added, then quarters, and so on: what stands in lane l afterwards is the sum of vector l.
  Sixteen by_two[8], by_four[4];
  for (int i = 0; i < 8; ++i)
    by_two[i] =
        __builtin_shufflevector(x[2 * i], x[2 * i + 1], 0, 16, 2, 18, 4, 20, 6, 22, 8, 24, 10, 26, 12, 28, 14, 30) +
        __builtin_shufflevector(x[2 * i], x[2 * i + 1], 1, 17, 3, 19, 5, 21, 7, 23, 9, 25, 11, 27, 13, 29, 15, 31);
  for (int i = 0; i < 4; ++i)
    by_four[i] = __builtin_shufflevector(by_two[2 * i], by_two[2 * i + 1], 0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12,
                                         13, 28, 29) +
                 __builtin_shufflevector(by_two[2 * i], by_two[2 * i + 1], 2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27,
                                         14, 15, 30, 31);
  Sixteen by_eight[2];
  for (int i = 0; i < 2; ++i)
    by_eight[i] = __builtin_shufflevector(by_four[2 * i], by_four[2 * i + 1], 0, 1, 2, 3, 16, 17, 18, 19, 8, 9, 10, 11,
                                          24, 25, 26, 27) +
                  __builtin_shufflevector(by_four[2 * i], by_four[2 * i + 1], 4, 5, 6, 7, 20, 21, 22, 23, 12, 13, 14,
                                          15, 28, 29, 30, 31);
  return __builtin_shufflevector(by_eight[0], by_eight[1], 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23) +
         __builtin_shufflevector(by_eight[0], by_eight[1], 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30,
                                 31);
}

}  // namespace

float Attentional::step(const Rows& batch) {
  constexpr int padded = 48;
  const std::int64_t lookups = batch.count * fields;
  table_.begin(lookups);
  const float weight = 1 / static_cast<float>(batch.count);
  const Sixteen b = load16(b_.data()), h = load16(h_.data()), p = load16(p_.data());
  alignas(64) float turned[attention * k];  // a, [attention, k]
  for (int f = 0; f < k; ++f)
    for (int t = 0; t < attention; ++t) turned[t * k + f] = a_.data()[f * attention + t];

  Sixteen d_a[k] = {}, d_b = {}, d_h = {}, d_p = {};
  float error = 0;
  float d_w0 = 0;
  Sixteen v[fields], pair[padded] = {}, hidden[padded], products[padded] = {};
  alignas(64) float score[padded];
  for (std::int64_t r = 0; r < batch.count; ++r) {
    std::int32_t slot[fields];
    float y_hat = w0_.value()[0];
    for (int f = 0; f < fields; ++f) {
      table_.prefetch(batch.feature[std::min(r * fields + f + ahead, lookups - 1)]);
      const std::int32_t j = batch.feature[r * fields + f];
      v[f] = load16(table_.feature(j).v);
      y_hat += table_.feature(j).w;
      slot[f] = table_.slot_of(j);
    }
    Sixteen* to = pair;
    for (int i = 0; i < fields; ++i)
      for (int j = i + 1; j < fields; ++j) *to++ = v[i] * v[j];

    for (int i = 0; i < padded; i += 12) times<12>(pair + i, a_.data(), b, hidden + i);
    for (int i = 0; i < padded; ++i) {
      hidden[i] = hidden[i] > Sixteen() ? hidden[i] : Sixteen();
      products[i] = hidden[i] * h;
    }
    for (int i = 0; i < padded; i += 16) store16(score + i, sums_of(products + i));
    float most = score[0];
    for (int i = 1; i < pairs; ++i) most = std::max(most, score[i]);
    float total = 0;
#pragma omp simd reduction(+ : total)
    for (int i = 0; i < pairs; ++i) total += score[i] = gradus::math::exp(score[i] - most);
    Sixteen pooled = {};
    for (int i = 0; i < pairs; ++i) {
      score[i] /= total;
      pooled += score[i] * pair[i];
    }
    y_hat += sum(pooled * p);
    const float miss = y_hat - batch.y[r];
    error += miss * miss;
    const float d = 2 * weight * miss;
    d_w0 += d;
    d_p += d * pooled;

    const Sixteen d_pooled = d * p;
    for (int i = 0; i < pairs; ++i) products[i] = d_pooled * pair[i];
    alignas(64) float d_score[padded];
    for (int i = 0; i < padded; i += 16) store16(d_score + i, sums_of(products + i));
    float mean = 0;
#pragma omp simd reduction(+ : mean)
    for (int i = 0; i < pairs; ++i) mean += score[i] * d_score[i];
    for (int i = 0; i < pairs; ++i) d_score[i] = score[i] * (d_score[i] - mean);
    for (int i = 0; i < pairs; ++i) {
      d_h += d_score[i] * hidden[i];
      hidden[i] = hidden[i] > Sixteen() ? d_score[i] * h : Sixteen();
      d_b += hidden[i];
    }
    for (int i = pairs; i < padded; ++i) hidden[i] = Sixteen();
    for (int i = 0; i < pairs; ++i)
      for (int f = 0; f < k; ++f) d_a[f] += reinterpret_cast<const FloatAt*>(pair + i)[f] * hidden[i];
    Sixteen d_pair[padded];
    for (int i = 0; i < padded; i += 12) times<12>(hidden + i, turned, Sixteen(), d_pair + i);
    Sixteen d_v[fields] = {};
    const Sixteen* from = d_pair;
    const float* share = score;
    for (int i = 0; i < fields; ++i)
      for (int j = i + 1; j < fields; ++j) {
        const Sixteen of = *from++ + *share++ * d_pooled;
        d_v[i] += of * v[j];
        d_v[j] += of * v[i];
      }
    for (int f = 0; f < fields; ++f) {
      FeatureTable::Gradient& g = table_.gradient(slot[f]);
      store16(g.v, load16(g.v) + d_v[f]);
      g.w += d;
    }
  }
  table_.update();
  *w0_.gradient() = d_w0;
  w0_.update();
  for (int f = 0; f < k; ++f) store16(a_.gradient() + attention * f, d_a[f]);
  store16(b_.gradient(), d_b);
  store16(h_.gradient(), d_h);
  store16(p_.gradient(), d_p);
  for (SmallAdagrad* of : {&a_, &b_, &h_, &p_}) of->update();
  return error * weight;
}

Values Attentional::values() const {
  return {w0_.value(), table_.w(), table_.v(), a_.value(), b_.value(), h_.value(), p_.value()};
}

}  // namespace loops
