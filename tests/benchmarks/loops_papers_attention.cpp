// Attentional factorization machine: an example's pairs, hidden values and scores stay in L1 from the look-up to the
// gradients.
#include "feature_table.h"
#include "loops_papers.h"
#include "pack.h"

#include <gradus/core/kernel/vector_math.h>

#include <algorithm>

namespace loops {

namespace {

constexpr std::int64_t ahead = 64;  // features

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

// One example; all of the pairs' arrays have room for whole groups of 16.
struct Attentional::Example {
  static constexpr int padded = 48;
  Sixteen v[fields], d_v[fields];
  Sixteen pair[padded] = {};        // v_i v_j
  Sixteen hidden[padded];           // relu(a pair + b), then its gradient
  Sixteen products[padded] = {};    // to be summed over lanes
  alignas(64) float share[padded];  // of each pair
  alignas(64) float d_score[padded];
  Sixteen pooled;
};

struct Attentional::Gradient {
  Sixteen a[k] = {}, b = {}, h = {}, p = {};
};

// What attention adds to y_hat.
float Attentional::forward(Example& x) const {
  Sixteen* to = x.pair;
  for (int i = 0; i < fields; ++i)
    for (int j = i + 1; j < fields; ++j) *to++ = x.v[i] * x.v[j];
  const Sixteen b = load16(b_.data()), h = load16(h_.data());
  for (int i = 0; i < Example::padded; i += 12) times<12>(x.pair + i, a_.data(), b, x.hidden + i);
  for (int i = 0; i < Example::padded; ++i) {
    x.hidden[i] = x.hidden[i] > Sixteen() ? x.hidden[i] : Sixteen();
    x.products[i] = x.hidden[i] * h;
  }
  for (int i = 0; i < Example::padded; i += 16) store16(x.share + i, sums_of(x.products + i));
  float most = x.share[0];
  for (int i = 1; i < pairs; ++i) most = std::max(most, x.share[i]);
  float total = 0;
#pragma omp simd reduction(+ : total)
  for (int i = 0; i < pairs; ++i) total += x.share[i] = gradus::math::exp(x.share[i] - most);
  x.pooled = Sixteen();
  for (int i = 0; i < pairs; ++i) {
    x.share[i] /= total;
    x.pooled += x.share[i] * x.pair[i];
  }
  return sum(x.pooled * load16(p_.data()));
}

// Adds to the gradient, where d is y_hat's and `turned` is a, transposed. Sets d_v, which the example's rows get.
void Attentional::backward(Example& x, float d, const float* turned, Gradient& gradient) const {
  const Sixteen h = load16(h_.data());
  const Sixteen d_pooled = d * load16(p_.data());
  gradient.p += d * x.pooled;
  for (int i = 0; i < pairs; ++i) x.products[i] = d_pooled * x.pair[i];
  for (int i = 0; i < Example::padded; i += 16) store16(x.d_score + i, sums_of(x.products + i));
  float mean = 0;
#pragma omp simd reduction(+ : mean)
  for (int i = 0; i < pairs; ++i) mean += x.share[i] * x.d_score[i];
  for (int i = 0; i < pairs; ++i) x.d_score[i] = x.share[i] * (x.d_score[i] - mean);
  for (int i = 0; i < pairs; ++i) {
    gradient.h += x.d_score[i] * x.hidden[i];
    x.hidden[i] = x.hidden[i] > Sixteen() ? x.d_score[i] * h : Sixteen();
    gradient.b += x.hidden[i];
  }
  for (int i = 0; i < pairs; ++i)
    for (int f = 0; f < k; ++f) gradient.a[f] += reinterpret_cast<const FloatAt*>(x.pair + i)[f] * x.hidden[i];
  Sixteen d_pair[Example::padded];
  for (int i = 0; i < Example::padded; i += 12) times<12>(x.hidden + i, turned, Sixteen(), d_pair + i);
  std::fill_n(x.d_v, fields, Sixteen());
  const Sixteen* from = d_pair;
  const float* share = x.share;
  for (int i = 0; i < fields; ++i)
    for (int j = i + 1; j < fields; ++j) {
      const Sixteen of = *from++ + *share++ * d_pooled;
      x.d_v[i] += of * x.v[j];
      x.d_v[j] += of * x.v[i];
    }
}

Attentional::Attentional(const Start& start, float rate)
    : table_(start.v, rate),
      w0_({0}, rate),
      a_(start.a, rate),
      b_(std::vector<float>(attention), rate),
      h_(start.h, rate),
      p_(start.p, rate) {}

float Attentional::step(const Rows& batch) {
  const std::int64_t lookups = batch.count * fields;
  table_.begin(lookups);
  const float weight = 1 / static_cast<float>(batch.count);
  alignas(64) float turned[attention * k];  // a, [attention, k]
  for (int f = 0; f < k; ++f)
    for (int t = 0; t < attention; ++t) turned[t * k + f] = a_.data()[f * attention + t];

  Example x;
  Gradient gradient;
  float error = 0;
  float d_w0 = 0;
  for (std::int64_t r = 0; r < batch.count; ++r) {
    std::int32_t slot[fields];
    float y_hat = w0_.value()[0];
    for (int f = 0; f < fields; ++f) {
      table_.prefetch(batch.feature[std::min(r * fields + f + ahead, lookups - 1)]);
      const std::int32_t j = batch.feature[r * fields + f];
      x.v[f] = load16(table_.feature(j).v);
      y_hat += table_.feature(j).w;
      slot[f] = table_.slot_of(j);
    }
    y_hat += forward(x);
    const float miss = y_hat - batch.y[r];
    error += miss * miss;
    const float d = 2 * weight * miss;
    d_w0 += d;
    backward(x, d, turned, gradient);
    for (int f = 0; f < fields; ++f) {
      FeatureTable::Gradient& g = table_.gradient(slot[f]);
      store16(g.v, load16(g.v) + x.d_v[f]);
      g.w += d;
    }
  }
  table_.update();
  *w0_.gradient() = d_w0;
  for (int f = 0; f < k; ++f) store16(a_.gradient() + attention * f, gradient.a[f]);
  store16(b_.gradient(), gradient.b);
  store16(h_.gradient(), gradient.h);
  store16(p_.gradient(), gradient.p);
  for (SmallAdagrad* of : {&w0_, &a_, &b_, &h_, &p_}) of->update();
  return error * weight;
}

Values Attentional::values() const {
  return {w0_.value(), table_.w(), table_.v(), a_.value(), b_.value(), h_.value(), p_.value()};
}

}  // namespace loops
