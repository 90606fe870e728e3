// The floor of a multilayer perceptron's step: its five matrix products by the same BLAS, on one thread, and the
// elementwise work that the mathematics needs. The products with a transposed left side move the weights themselves.
#include "loops.h"
#include "loops_gemm.h"

#include <algorithm>
#include <cmath>

namespace loops {

namespace {

void set_rows(float* __restrict rows, const Array<float>& row, std::int64_t count) {
  for (std::int64_t r = 0; r < count; ++r) std::copy(row.begin(), row.end(), rows + r * std::ssize(row));
}

// row -= rate * sum of the rows
void subtract_rows(Array<float>& row, const float* rows, std::int64_t count, float rate) {
  float* __restrict to = row.data();
  const std::int64_t n = std::ssize(row);
  for (std::int64_t r = 0; r < count; ++r)
    for (std::int64_t c = 0; c < n; ++c) to[c] -= rate * rows[r * n + c];
}

}  // namespace

Mlp::Mlp(const Sizes& sizes, const std::vector<float>& w1, const std::vector<float>& w2, float rate)
    : sizes_(sizes), rate_(rate), w1_(w1.begin(), w1.end()), w2_(w2.begin(), w2.end()) {
  b1_.resize(static_cast<std::size_t>(sizes.hidden));
  b2_.resize(static_cast<std::size_t>(sizes.out));
  hidden_.resize(static_cast<std::size_t>(sizes.batch * sizes.hidden));
  d_hidden_.resize(hidden_.size());
  out_.resize(static_cast<std::size_t>(sizes.batch * sizes.out));
  openblas_set_num_threads(1);
}

float Mlp::step(const float* x, const float* labels, bool want_loss) {
  const auto [batch, in, hidden, out] = sizes_;
  set_rows(hidden_.data(), b1_, batch);
  gemm(batch, hidden, in, 1, x, CblasNoTrans, w1_.data(), CblasNoTrans, 1, hidden_.data());
  for (float& h : hidden_) h = std::max(h, 0.0F);
  set_rows(out_.data(), b2_, batch);
  gemm(batch, out, hidden, 1, hidden_.data(), CblasNoTrans, w2_.data(), CblasNoTrans, 1, out_.data());

  // From logits to the gradient of the mean cross entropy: (softmax - labels) / batch.
  const float weight = 1 / static_cast<float>(batch);
  float loss = 0;
  for (std::int64_t r = 0; r < batch; ++r) {
    float* row = &out_[static_cast<std::size_t>(r * out)];
    const float* label = labels + r * out;
    const float most = *std::max_element(row, row + out);
    float chosen = 0;
    for (std::int64_t c = 0; c < out; ++c) chosen += label[c] * (row[c] - most);
    float total = 0;
    for (std::int64_t c = 0; c < out; ++c) total += row[c] = std::exp(row[c] - most);
    if (want_loss) loss += std::log(total) - chosen;
    for (std::int64_t c = 0; c < out; ++c) row[c] = weight * (row[c] / total - label[c]);
  }

  gemm(batch, hidden, out, 1, out_.data(), CblasNoTrans, w2_.data(), CblasTrans, 0, d_hidden_.data());
  for (std::size_t i = 0; i < hidden_.size(); ++i) d_hidden_[i] = hidden_[i] > 0 ? d_hidden_[i] : 0.0F;
  gemm(hidden, out, batch, -rate_, hidden_.data(), CblasTrans, out_.data(), CblasNoTrans, 1, w2_.data());
  subtract_rows(b2_, out_.data(), batch, rate_);
  gemm(in, hidden, batch, -rate_, x, CblasTrans, d_hidden_.data(), CblasNoTrans, 1, w1_.data());
  subtract_rows(b1_, d_hidden_.data(), batch, rate_);
  return loss * weight;
}

}  // namespace loops
