// Dense full batches: X is read once. Fifteen rows at a time go forward and back while they are in the L2 cache, in
// tiles of features whose table rows stay in L1, and some rows at a time, whose sums stay in registers.
#include "loops.h"
#include "pack.h"

#include <algorithm>
#include <cmath>
#include <type_traits>

namespace loops {

namespace {

constexpr float initial_accumulator = 0.1F;
constexpr float beta1 = 0.9F, beta2 = 0.999F, epsilon = 1e-8F;
constexpr std::int64_t block_rows = 15;
constexpr std::int64_t tile = 128;

// What a block of rows keeps between its two passes.
template <int width>
struct Block {
  float sums[block_rows][width];
  float squares[block_rows];  // sum of x_j^2 |v_j|^2, then d
};

// Rows r to r + rows of the block, features first to last: adds to sums and squares.
template <int rows, int width>
void forward(Block<width>& block, std::int64_t r, const float* x, std::int64_t p, std::int64_t first, std::int64_t last,
             const float* table, const float* norm) {
  Pack<width> sums[rows];
  for (int i = 0; i < rows; ++i) sums[i] = Pack<width>::load(block.sums[r + i]);
  for (std::int64_t j = first; j < last; ++j) {
    const auto v = Pack<width>::load(table + j * width);
    for (int i = 0; i < rows; ++i) sums[i].add(x[i * p + j], v);
  }
  for (int i = 0; i < rows; ++i) sums[i].store(block.sums[r + i]);
  for (int i = 0; i < rows; ++i) {
    float squares = 0;
    const float* row = x + i * p;
#pragma omp simd reduction(+ : squares)
    for (std::int64_t j = first; j < last; ++j) squares += row[j] * row[j] * norm[j];
    block.squares[r + i] += squares;
  }
}

// The same rows and features: adds to the gradient and the curvature. The sums are multiplied by d already.
template <int rows, int width>
void backward(const Block<width>& block, std::int64_t r, const float* x, std::int64_t p, std::int64_t first,
              std::int64_t last, float* __restrict gradient, float* __restrict curvature) {
  Pack<width> sums[rows];
  for (int i = 0; i < rows; ++i) sums[i] = Pack<width>::load(block.sums[r + i]);
  for (std::int64_t j = first; j < last; ++j) {
    auto g = Pack<width>::load(gradient + j * width);
    for (int i = 0; i < rows; ++i) g.add(x[i * p + j], sums[i]);
    g.store(gradient + j * width);
  }
  const float* d = block.squares + r;
#pragma omp simd
  for (std::int64_t j = first; j < last; ++j) {
    float c = curvature[j];
    for (int i = 0; i < rows; ++i) c += d[i] * x[i * p + j] * x[i * p + j];
    curvature[j] = c;
  }
}

// pass(std::integral_constant<int, group>(), r) for as many of the block's rows at a time as there are registers for
// (their sums, a row of the table, and a number), then one by one.
template <int width, class Pass>
void by_groups(std::int64_t rows, const Pass& pass) {
  constexpr int group = width == 8 ? 7 : 3;
  std::int64_t r = 0;
  for (; r + group <= rows; r += group) pass(std::integral_constant<int, group>(), r);
  for (; r < rows; ++r) pass(std::integral_constant<int, 1>(), r);
}

}  // namespace

template <int k>
DenseMachine<k>::DenseMachine(const Start& start, Optimizer optimizer, float rate, Penalty penalty)
    : features_(start.features), optimizer_(optimizer), rate_(rate), penalty_(penalty) {
  const auto p = static_cast<std::size_t>(features_);
  const float square = optimizer == Optimizer::adagrad ? initial_accumulator : 0;
  table_.resize(p * width);
  gradient_.resize(p * width);
  mean_.resize(optimizer == Optimizer::adam ? p * width : 0);
  square_.assign(p * width, square);
  w0_square_ = square;
  norm_.resize(p);
  curvature_.resize(p);
  for (std::size_t j = 0; j < p; ++j)
    std::copy_n(start.v.begin() + static_cast<std::ptrdiff_t>(j * k), k,
                table_.begin() + static_cast<std::ptrdiff_t>(j * width));
}

template <int k>
float DenseMachine<k>::step(const float* x, const float* y, std::int64_t rows) {
  const std::int64_t p = features_;
  float all_norms = 0;
  float all_w = 0;
  for (std::int64_t j = 0; j < p; ++j) {
    const float w = table_[static_cast<std::size_t>(j * width + k)];
    const float norm = Pack<width>::load(&table_[static_cast<std::size_t>(j * width)]).square_sum() - w * w;
    norm_[static_cast<std::size_t>(j)] = norm;
    all_norms += norm;
    all_w += w * w;
  }
  std::fill(gradient_.begin(), gradient_.end(), 0.0F);
  std::fill(curvature_.begin(), curvature_.end(), 0.0F);
  dw0_ = 0;

  const float weight = 1 / static_cast<float>(rows);
  double error = 0;  // so many squares are summed that a float would lose some
  Block<width> block;
  for (std::int64_t begin = 0; begin < rows; begin += block_rows) {
    const std::int64_t count = std::min(block_rows, rows - begin);
    const float* block_x = x + begin * p;
    std::fill_n(block.sums[0], count * width, 0.0F);
    std::fill_n(block.squares, count, 0.0F);
    for (std::int64_t first = 0; first < p; first += tile)
      by_groups<width>(count, [&](auto group, std::int64_t r) {
        forward<group>(block, r, block_x + r * p, p, first, std::min(first + tile, p), table_.data(), norm_.data());
      });
    for (std::int64_t r = 0; r < count; ++r) {
      auto sums = Pack<width>::load(block.sums[r]);
      const float linear = block.sums[r][k];
      const float y_hat = w0_ + linear + 0.5F * (sums.square_sum() - linear * linear - block.squares[r]);
      const float miss = y_hat - y[begin + r];
      const float d = 2 * weight * miss;
      error += static_cast<double>(miss * miss);
      dw0_ += d;
      sums.times(d).store(block.sums[r]);
      block.sums[r][k] = d;
      block.squares[r] = d;
    }
    for (std::int64_t first = 0; first < p; first += tile)
      by_groups<width>(count, [&](auto group, std::int64_t r) {
        backward<group>(block, r, block_x + r * p, p, first, std::min(first + tile, p), gradient_.data(),
                        curvature_.data());
      });
  }
  update();
  return static_cast<float>(error) * weight + penalty_.w * all_w + penalty_.v * all_norms;
}

template <int k>
void DenseMachine<k>::update() {
  float twice[width];  // the penalties' part of the gradient, by column
  float is_v[width];
  for (int c = 0; c < width; ++c) {
    is_v[c] = c < k ? 1.0F : 0.0F;
    twice[c] = c < k ? 2 * penalty_.v : 2 * penalty_.w;
  }
  const std::int64_t p = features_;
  const float* __restrict gradient = gradient_.data();
  float* __restrict table = table_.data();
  float* __restrict square = square_.data();
  if (optimizer_ == Optimizer::adagrad) {
    for (std::int64_t j = 0; j < p; ++j) {
      const float curvature = curvature_[static_cast<std::size_t>(j)];
#pragma omp simd
      for (int c = 0; c < width; ++c) {
        const std::int64_t i = j * width + c;
        const float d = gradient[i] + (twice[c] - curvature * is_v[c]) * table[i];
        square[i] += d * d;
        table[i] -= rate_ * d / std::sqrt(square[i]);
      }
    }
    w0_square_ += dw0_ * dw0_;
    w0_ -= rate_ * dw0_ / std::sqrt(w0_square_);
    return;
  }
  const auto t = static_cast<double>(++steps_);
  const double beta1_exact = 0.9, beta2_exact = 0.999;
  const auto size = static_cast<float>(static_cast<double>(rate_) * std::sqrt(1 - std::pow(beta2_exact, t)) /
                                       (1 - std::pow(beta1_exact, t)));
  float* __restrict mean = mean_.data();
  for (std::int64_t j = 0; j < p; ++j) {
    const float curvature = curvature_[static_cast<std::size_t>(j)];
#pragma omp simd
    for (int c = 0; c < width; ++c) {
      const std::int64_t i = j * width + c;
      const float d = gradient[i] + (twice[c] - curvature * is_v[c]) * table[i];
      mean[i] = beta1 * mean[i] + (1 - beta1) * d;
      square[i] = beta2 * square[i] + (1 - beta2) * d * d;
      table[i] -= size * mean[i] / (std::sqrt(square[i]) + epsilon);
    }
  }
  w0_mean_ = beta1 * w0_mean_ + (1 - beta1) * dw0_;
  w0_square_ = beta2 * w0_square_ + (1 - beta2) * dw0_ * dw0_;
  w0_ -= size * w0_mean_ / (std::sqrt(w0_square_) + epsilon);
}

template class DenseMachine<5>;
template class DenseMachine<20>;

}  // namespace loops
