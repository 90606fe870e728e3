#include <gradus/models/training/detail/item_scores.h>

#include <gradus/core/cpu.h>
#include <gradus/core/kernel/vector_math.h>

#include <algorithm>
#include <cmath>

namespace gradus {

namespace {

struct AddClipped {
  [[gnu::always_inline]] static void run(const float* __restrict score, float least, float greatest,
                                         float* __restrict mean, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) mean[i] += std::min(std::max(score[i], least), greatest);
  }
};

// erfc(x) = t (a1 + t (a2 + ...)) exp(-x^2), t = 1 / (1 + p x), for x >= 0 (Abramowitz and Stegun, Handbook of
// Mathematical Functions, 1964, 7.1.26), and Phi(x) = erfc(-x / sqrt(2)) / 2.
struct AddNormal {
  [[gnu::always_inline]] static void run(const float* __restrict score, float* __restrict mean, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      const float x = std::abs(score[i]) * 0.70710678F;
      const float t = 1 / (1 + 0.3275911F * x);
      const float tail =
          t * (0.254829592F + t * (-0.284496736F + t * (1.421413741F + t * (-1.453152027F + t * 1.061405429F)))) *
          math::exp(-x * x) / 2;
      mean[i] += score[i] < 0 ? tail : 1 - tail;
    }
  }
};

// Whether a goes before b.
bool is_better(const BestScores::Entry& a, const BestScores::Entry& b) {
  return a.score != b.score ? a.score > b.score : a.item < b.item;
}

}  // namespace

std::vector<float> split_rows(const Tensor& x, const Tensor& W, const Tensor& V) {
  const CsrPattern& pattern = *x.pattern();
  const std::span<const float> value = x.span<float>(), w = W.span<float>(), v = V.span<float>();
  const std::size_t k = V.size() > 0 ? static_cast<std::size_t>(V.dim(1)) : 0;
  std::vector<float> out(static_cast<std::size_t>(x.dim(0)) * (k + 1));
  std::vector<double> squares(k);
  for (std::size_t n = 0; n + 1 < pattern.row_start.size(); ++n) {
    float* const q = &out[n * (k + 1)];
    double own = 0;
    std::fill(squares.begin(), squares.end(), 0);
    for (auto at = static_cast<std::size_t>(pattern.row_start[n]);
         at < static_cast<std::size_t>(pattern.row_start[n + 1]); ++at) {
      const auto i = static_cast<std::size_t>(pattern.column[at]);
      own += static_cast<double>(w[i]) * static_cast<double>(value[at]);
      for (std::size_t f = 0; f < k; ++f) {
        const float term = v[i * k + f] * value[at];
        q[f] += term;
        squares[f] += static_cast<double>(term) * static_cast<double>(term);
      }
    }
    for (std::size_t f = 0; f < k; ++f) own += (static_cast<double>(q[f]) * static_cast<double>(q[f]) - squares[f]) / 2;
    q[k] = static_cast<float>(own);
  }
  return out;
}

void add_clipped(std::span<const float> score, float least, float greatest, std::span<float> mean) {
  static const auto run = compiled_here<AddClipped, const float*, float, float, float*, std::size_t>();
  run(score.data(), least, greatest, mean.data(), score.size());
}

void add_normal(std::span<const float> score, std::span<float> mean) {
  static const auto run = compiled_here<AddNormal, const float*, float*, std::size_t>();
  run(score.data(), mean.data(), score.size());
}

void BestScores::add(Index first, std::span<const float> score) {
  for (std::size_t i = 0; i < score.size(); ++i) {
    // Of equal ones the first that was shown stays.
    const bool full = std::ssize(best_) == count_;
    if (full && !(score[i] > best_.front().score)) continue;
    const Index item = first + static_cast<Index>(i);
    if (std::binary_search(without_.begin(), without_.end(), item)) continue;
    if (full) {
      std::pop_heap(best_.begin(), best_.end(), is_better);
      best_.pop_back();
    }
    best_.push_back({score[i], item});
    std::push_heap(best_.begin(), best_.end(), is_better);
  }
}

std::vector<BestScores::Entry> BestScores::take() {
  std::sort(best_.begin(), best_.end(), is_better);
  return std::move(best_);
}

}  // namespace gradus
