// Field-weighted factorization machine: what an example does to v is done while its rows are in registers and L1; the
// dot products' sums wait for a block of examples.
#include "feature_table.h"
#include "loops_papers.h"
#include "pack.h"

#include <algorithm>
#include <cmath>

namespace loops {

namespace {

constexpr std::int64_t ahead = 64;  // features

// s[i] = sum over j of r_ij v[j], for `count` fields from i on; r is symmetric and rows of it are `stride` apart.
template <int count>
void weighted_sums(const SixteenAt* v, int fields, const float* r, int stride, Sixteen* s) {
  Sixteen sums[count] = {};
  for (int j = 0; j < fields; ++j)
    for (int i = 0; i < count; ++i) sums[i] += r[j * stride + i] * v[j];
  for (int i = 0; i < count; ++i) s[i] = sums[i];
}

}  // namespace

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

// dots_ij += sum over the block's examples of d v_i v_j, in tiles that touch the triangle above the diagonal.
void FieldWeighted::add_dots(const float* d, std::int64_t count) {
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
    add_dots(d, count);
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

}  // namespace loops
