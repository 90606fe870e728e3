#include "loops_sampler.h"

#include <algorithm>
#include <cmath>

namespace loops {

FactorByFactor::FactorByFactor(const Csr& x, const std::vector<float>& y, const std::vector<std::int32_t>& group,
                               int factors, std::uint64_t seed)
    : p_(group.size()),
      k_(factors),
      y_(y),
      group_(group),
      start_(p_ + 1),
      element_(x.column.size()),
      cache_(y.size()),
      w_(p_),
      v_(p_ * static_cast<std::size_t>(factors)),
      of_w_(static_cast<std::size_t>(*std::max_element(group.begin(), group.end())) + 1),
      of_v_(static_cast<std::size_t>(factors), of_w_),
      random_(seed) {
  for (const std::int32_t i : x.column) ++start_[static_cast<std::size_t>(i) + 1];
  for (std::size_t i = 0; i < p_; ++i) start_[i + 1] += start_[i];
  std::vector<std::size_t> next(start_.begin(), start_.end() - 1);
  for (std::size_t n = 0; n < y.size(); ++n)
    for (auto at = static_cast<std::size_t>(x.row_start[n]); at < static_cast<std::size_t>(x.row_start[n + 1]); ++at)
      element_[next[static_cast<std::size_t>(x.column[at])]++] = {static_cast<std::uint32_t>(n), x.value[at]};
  for (double& v : v_) v = 0.1 * normal();
}

// Marsaglia's polar method.
double FactorByFactor::normal() {
  has_spare_ = !has_spare_;
  if (!has_spare_) return spare_;
  for (;;) {
    const auto unit = [&] { return static_cast<double>(random_() >> 11) * 0x1p-52 - 1; };
    const double a = unit(), b = unit(), s = a * a + b * b;
    if (s >= 1 || s == 0) continue;
    const double by = std::sqrt(-2 * std::log(s) / s);
    spare_ = b * by;
    return a * by;
  }
}

void FactorByFactor::find_q(const double* v) {
  for (Cache& each : cache_) each.q = 0;
  for (std::size_t i = 0; i < p_; ++i)
    for (std::size_t at = start_[i]; at < start_[i + 1]; ++at)
      cache_[element_[at].row].q += v[i] * static_cast<double>(element_[at].x);
}

double FactorByFactor::find_errors() {
  for (std::size_t n = 0; n < cache_.size(); ++n) cache_[n].e = w0_ - static_cast<double>(y_[n]);
  for (int f = 0; f < k_; ++f) {
    const double* const v = &v_[static_cast<std::size_t>(f) * p_];
    find_q(v);
    for (Cache& each : cache_) each.e += 0.5 * each.q * each.q;
    for (std::size_t i = 0; i < p_; ++i)
      for (std::size_t at = start_[i]; at < start_[i + 1]; ++at) {
        const double vx = v[i] * static_cast<double>(element_[at].x);
        cache_[element_[at].row].e -= 0.5 * vx * vx;
      }
  }
  for (std::size_t i = 0; i < p_; ++i)
    for (std::size_t at = start_[i]; at < start_[i + 1]; ++at)
      cache_[element_[at].row].e += w_[i] * static_cast<double>(element_[at].x);
  double sum = 0;
  for (const Cache& each : cache_) sum += each.e * each.e;
  return sum;
}

void FactorByFactor::draw_hyper(const double* t, std::vector<Hyper>& of) {
  std::vector<double> count(of.size()), sum(of.size()), spread(of.size());
  for (std::size_t i = 0; i < p_; ++i) {
    const auto g = static_cast<std::size_t>(group_[i]);
    ++count[g];
    sum[g] += t[i];
    spread[g] += (t[i] - of[g].mu) * (t[i] - of[g].mu);
  }
  for (std::size_t g = 0; g < of.size(); ++g) {
    const double rate = (1 + of[g].mu * of[g].mu + spread[g]) / 2;
    of[g].lambda = std::gamma_distribution<double>((2 + count[g]) / 2, 1 / rate)(random_);
    of[g].mu = sum[g] / (count[g] + 1) + normal() / std::sqrt((count[g] + 1) * of[g].lambda);
  }
}

double FactorByFactor::iterate() {
  const auto n = static_cast<double>(cache_.size());
  const double squares = find_errors();
  alpha_ = std::gamma_distribution<double>((1 + n) / 2, 2 / (1 + squares))(random_);
  double e_sum = 0;
  for (const Cache& each : cache_) e_sum += each.e;
  const double by = -e_sum / n + normal() / std::sqrt(alpha_ * n);
  w0_ += by;
  for (Cache& each : cache_) each.e += by;
  draw_hyper(w_.data(), of_w_);
  for (std::size_t i = 0; i < p_; ++i) {
    const Hyper& hyper = of_w_[static_cast<std::size_t>(group_[i])];
    double hh = 0, he = 0;
    for (std::size_t at = start_[i]; at < start_[i + 1]; ++at) {
      const auto h = static_cast<double>(element_[at].x);
      hh += h * h;
      he += h * cache_[element_[at].row].e;
    }
    const double s2 = 1 / (alpha_ * hh + hyper.lambda);
    const double delta = s2 * (alpha_ * (w_[i] * hh - he) + hyper.lambda * hyper.mu) + std::sqrt(s2) * normal() - w_[i];
    w_[i] += delta;
    for (std::size_t at = start_[i]; at < start_[i + 1]; ++at)
      cache_[element_[at].row].e += static_cast<double>(element_[at].x) * delta;
  }
  for (int f = 0; f < k_; ++f) {
    double* const v = &v_[static_cast<std::size_t>(f) * p_];
    draw_hyper(v, of_v_[static_cast<std::size_t>(f)]);
    find_q(v);
    for (std::size_t i = 0; i < p_; ++i) {
      const Hyper& hyper = of_v_[static_cast<std::size_t>(f)][static_cast<std::size_t>(group_[i])];
      double hh = 0, he = 0;
      for (std::size_t at = start_[i]; at < start_[i + 1]; ++at) {
        const auto x = static_cast<double>(element_[at].x);
        const Cache& cache = cache_[element_[at].row];
        const double h = x * (cache.q - v[i] * x);
        hh += h * h;
        he += h * cache.e;
      }
      const double s2 = 1 / (alpha_ * hh + hyper.lambda);
      const double delta = s2 * (alpha_ * (v[i] * hh - he) + hyper.lambda * hyper.mu) + std::sqrt(s2) * normal() - v[i];
      for (std::size_t at = start_[i]; at < start_[i + 1]; ++at) {
        const auto x = static_cast<double>(element_[at].x);
        Cache& cache = cache_[element_[at].row];
        cache.e += x * (cache.q - v[i] * x) * delta;
        cache.q += x * delta;
      }
      v[i] += delta;
    }
  }
  return squares / n;
}

}  // namespace loops
