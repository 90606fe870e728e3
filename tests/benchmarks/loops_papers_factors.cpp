// Biased matrix factorization, one pass over the batch and one over the rows that it touches.
#include "adam_step.h"
#include "loops_papers.h"
#include "pack.h"

#include <algorithm>
#include <cmath>

namespace loops {

namespace {

constexpr std::int64_t ahead = 8;        // ratings
constexpr std::size_t update_ahead = 4;  // rows

struct Factors {
  Sixteen low, high;
  static Factors load(const float* from) { return {load16(from), load16(from + 16)}; }
  void store(float* to) const {
    store16(to, low);
    store16(to + 16, high);
  }
  float dot(const Factors& other) const { return sum(low * other.low + high * other.high); }
};

void add(float* to, float x, const Factors& other) {
  store16(to, load16(to) + x * other.low);
  store16(to + 16, load16(to + 16) + x * other.high);
}

}  // namespace

MatrixFactorization::MatrixFactorization(const std::vector<float>& p, const std::vector<float>& q,
                                         const Options& options)
    : options_(options), users_(p.size() / k), row_((p.size() + q.size()) / k) {
  for (std::size_t i = 0; i < row_.size(); ++i)
    std::copy_n(i < users_ ? &p[i * k] : &q[(i - users_) * k], k, row_[i].p);
  if (options.move == Move::adam) moments_.resize(row_.size());
}

inline std::int32_t MatrixFactorization::slot_of(std::size_t row) {
  std::int32_t& slot = row_[row].slot;
  if (slot < 0) {
    slot = static_cast<std::int32_t>(touched_.size());
    touched_.push_back(static_cast<std::int32_t>(row));
    gradient_[static_cast<std::size_t>(slot)] = {};
  }
  return slot;
}

float MatrixFactorization::step(const Ratings& batch, bool want_loss) {
  const std::int64_t n = batch.count;
  if (std::ssize(gradient_) < 2 * n) {
    gradient_.resize(static_cast<std::size_t>(2 * n));
    touched_.reserve(gradient_.size());
  }
  touched_.clear();
  const float weight = 1 / static_cast<float>(n);
  float error = 0, penalty = 0;
  for (std::int64_t r = 0; r < n; ++r) {
    const std::int64_t next = std::min(r + ahead, n - 1);
    __builtin_prefetch(&row_[static_cast<std::size_t>(batch.user[next])]);
    __builtin_prefetch(&row_[users_ + static_cast<std::size_t>(batch.item[next])]);
    const auto user = static_cast<std::size_t>(batch.user[r]);
    const std::size_t item = users_ + static_cast<std::size_t>(batch.item[r]);
    const Row& u = row_[user];
    const Row& i = row_[item];
    const Factors p = Factors::load(u.p), q = Factors::load(i.p);
    const float miss = batch.rating[r] - (options_.mean + u.b + i.b + p.dot(q));
    error += miss * miss;
    if (want_loss)
      penalty += sum(p.low * p.low + p.high * p.high + q.low * q.low + q.high * q.high) + u.b * u.b + i.b * i.b;
    const float d = -2 * weight * miss;
    Gradient& du = gradient_[static_cast<std::size_t>(slot_of(user))];
    Gradient& di = gradient_[static_cast<std::size_t>(slot_of(item))];
    add(du.p, d, q);
    add(di.p, d, p);
    du.b += d;
    di.b += d;
    du.count += 1;
    di.count += 1;
  }
  update(weight);
  return weight * (error + options_.penalty * penalty);
}

void MatrixFactorization::update(float weight) {
  const AdamStep adam(options_.rate, ++steps_);
  const float rate = options_.rate;
  for (std::size_t slot = 0; slot < touched_.size(); ++slot) {
    const auto at = static_cast<std::size_t>(touched_[slot]);
    const auto next = static_cast<std::size_t>(touched_[std::min(slot + update_ahead, touched_.size() - 1)]);
    Row& row = row_[at];
    const Gradient& of = gradient_[slot];
    const float decay = 2 * options_.penalty * weight * of.count;
    const float d_b = of.b + decay * row.b;
    if (options_.move == Move::descent) {
      __builtin_prefetch(&row_[next], 1);
      const Factors p = Factors::load(row.p), g = Factors::load(of.p);
      Factors{p.low - rate * (g.low + decay * p.low), p.high - rate * (g.high + decay * p.high)}.store(row.p);
      row.b -= rate * d_b;
    } else {
      for (int line = 0; line < 4; ++line) __builtin_prefetch(moments_[next].mean + 16 * line, 1);
      Moments& moments = moments_[at];
#pragma omp simd
      for (int f = 0; f < k; ++f) adam.one(row.p[f], moments.mean[f], moments.square[f], of.p[f] + decay * row.p[f]);
      adam.one(row.b, moments.b_mean, moments.b_square, d_b);
    }
    row.slot = -1;
  }
}

Values MatrixFactorization::values() const {
  Values out(4);
  for (std::size_t i = 0; i < row_.size(); ++i) {
    const bool item = i >= users_;
    out[item].insert(out[item].end(), row_[i].p, row_[i].p + k);
    out[2 + item].push_back(row_[i].b);
  }
  return out;
}

}  // namespace loops
