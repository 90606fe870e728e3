#include "loops.h"

#include <algorithm>
#include <cmath>

namespace loops {

namespace {

// Memory for the gradients and for one example, kept from step to step as a hand-written program would.
struct Gradients {
  float w0 = 0;
  std::vector<float> w;
  std::vector<float> v;
  std::vector<float> sums;  // [factors]

  void reset(const Machine& m) {
    w0 = 0;
    w.assign(m.w.size(), 0);
    v.assign(m.v.size(), 0);
    sums.resize(static_cast<std::size_t>(m.factors));
  }
};

thread_local Gradients g;

float penalty_of(const Machine& m, Penalty penalty) {
  float w = 0;
  float v = 0;
  for (const float x : m.w) w += x * x;
  for (const float x : m.v) v += x * x;
  return penalty.w * w + penalty.v * v;
}

void adagrad(float* value, float* sum, const float* gradient, std::size_t count, float rate, float twice_penalty) {
  for (std::size_t j = 0; j < count; ++j) {
    const float d = gradient[j] + twice_penalty * value[j];
    sum[j] += d * d;
    value[j] -= rate * d / std::sqrt(sum[j]);
  }
}

void update(Machine& m, float rate, Penalty penalty) {
  adagrad(&m.w0, &m.w0_sum, &g.w0, 1, rate, 0);
  adagrad(m.w.data(), m.w_sum.data(), g.w.data(), m.w.size(), rate, 2 * penalty.w);
  adagrad(m.v.data(), m.v_sum.data(), g.v.data(), m.v.size(), rate, 2 * penalty.v);
}

// Adds one example's gradients. `count` features: column(j) and value(j). Returns the squared error.
template <class Column, class Value>
float add_example(const Machine& m, std::int64_t count, const Column& column, const Value& value, float y,
                  float weight) {
  const auto k = m.factors;
  float* __restrict sums = g.sums.data();
  std::fill_n(sums, k, 0.0F);
  float prediction = m.w0;
  float squares = 0;
  for (std::int64_t j = 0; j < count; ++j) {
    const float x = value(j);
    if (x == 0) continue;
    const float* __restrict v = m.v.data() + column(j) * k;
    prediction += m.w[static_cast<std::size_t>(column(j))] * x;
    for (std::int64_t f = 0; f < k; ++f) {
      const float vx = v[f] * x;
      sums[f] += vx;
      squares += vx * vx;
    }
  }
  float total = 0;
  for (std::int64_t f = 0; f < k; ++f) total += sums[f] * sums[f];
  prediction += 0.5F * (total - squares);
  const float error = prediction - y;
  const float d = 2 * weight * error;
  g.w0 += d;
  for (std::int64_t j = 0; j < count; ++j) {
    const float x = value(j);
    if (x == 0) continue;
    const float* __restrict v = m.v.data() + column(j) * k;
    float* __restrict dv = g.v.data() + column(j) * k;
    const float dx = d * x;
    g.w[static_cast<std::size_t>(column(j))] += dx;
    for (std::int64_t f = 0; f < k; ++f) dv[f] += dx * (sums[f] - v[f] * x);
  }
  return error * error;
}

}  // namespace

Machine::Machine(std::int64_t p, std::int64_t k)
    : features(p),
      factors(k),
      w(static_cast<std::size_t>(p)),
      v(static_cast<std::size_t>(p * k)),
      w_sum(static_cast<std::size_t>(p), 0.1F),
      v_sum(static_cast<std::size_t>(p * k), 0.1F) {}

float dense_step(Machine& m, const std::vector<float>& x, const std::vector<float>& y, float rate, Penalty penalty) {
  g.reset(m);
  const float weight = 1 / static_cast<float>(y.size());
  float error = 0;
  for (std::size_t i = 0; i < y.size(); ++i) {
    const float* row = x.data() + static_cast<std::int64_t>(i) * m.features;
    error += add_example(
        m, m.features, [](std::int64_t j) { return j; }, [&](std::int64_t j) { return row[j]; }, y[i], weight);
  }
  const float loss = error * weight + penalty_of(m, penalty);
  update(m, rate, penalty);
  return loss;
}

float sparse_step(Machine& m, const Csr& x, const std::vector<float>& y, float rate, Penalty penalty) {
  g.reset(m);
  const float weight = 1 / static_cast<float>(y.size());
  float error = 0;
  for (std::size_t i = 0; i < y.size(); ++i) {
    const std::int64_t start = x.row_start[i];
    const std::int32_t* column = x.column.data() + start;
    const float* value = x.value.data() + start;
    error += add_example(
        m, x.row_start[i + 1] - start, [&](std::int64_t j) { return static_cast<std::int64_t>(column[j]); },
        [&](std::int64_t j) { return value[j]; }, y[i], weight);
  }
  const float loss = error * weight + penalty_of(m, penalty);
  update(m, rate, penalty);
  return loss;
}

}  // namespace loops
