// Softmax regression on sparse rows: forward row by row; the gradient and the step of the weights column by column, so
// that each row of the weights is written once, from registers.
#include "loops_papers.h"
#include "pack.h"

#include <gradus/core/kernel/vector_math.h>

#include <algorithm>
#include <cmath>
#include <utility>

namespace loops {

namespace {

constexpr std::int64_t ahead = 16;  // non-zeros

void prefetch_row(const float* row) {
  __builtin_prefetch(row);
  __builtin_prefetch(row + SoftmaxRegression::classes - 1);
}

}  // namespace

SoftmaxRegression::SoftmaxRegression(const Csr& x, std::int64_t features, std::vector<std::int32_t> label, float rate)
    : x_(x),
      column_start_(static_cast<std::size_t>(features + 1)),
      row_(x.column.size()),
      value_(x.column.size()),
      label_(std::move(label)),
      rate_(rate),
      w_(static_cast<std::size_t>(features * classes)),
      d_(label_.size() * classes),
      b_(classes) {
  for (const std::int32_t column : x.column) ++column_start_[static_cast<std::size_t>(column) + 1];
  for (std::size_t j = 1; j < column_start_.size(); ++j) column_start_[j] += column_start_[j - 1];
  std::vector<std::int64_t> next(column_start_.begin(), column_start_.end() - 1);
  for (std::size_t r = 0; r < label_.size(); ++r)
    for (auto i = static_cast<std::size_t>(x.row_start[r]); i < static_cast<std::size_t>(x.row_start[r + 1]); ++i) {
      const auto to = static_cast<std::size_t>(next[static_cast<std::size_t>(x.column[i])]++);
      row_[to] = static_cast<std::int32_t>(r);
      value_[to] = x.value[i];
    }
}

float SoftmaxRegression::step(bool want_loss) {
  using Class = Pack<classes>;
  const std::int32_t* const column = x_.column.data();
  const std::int64_t last = std::ssize(x_.column) - 1;
  const float weight = 1 / static_cast<float>(label_.size());
  const Class b = Class::load(b_.data());
  float error = 0;
  Class d_b;
  for (std::size_t r = 0; r < label_.size(); ++r) {
    Class logits = b;
    for (std::int64_t i = x_.row_start[r]; i < x_.row_start[r + 1]; ++i) {
      prefetch_row(&w_[static_cast<std::size_t>(column[std::min(i + ahead, last)]) * classes]);
      logits.add(x_.value[static_cast<std::size_t>(i)],
                 Class::load(&w_[static_cast<std::size_t>(column[i]) * classes]));
    }
    float* __restrict row = &d_[r * classes];
    logits.store(row);
    const float most = *std::max_element(row, row + classes);
    const auto label = static_cast<std::size_t>(label_[r]);
    const float chosen = row[label] - most;
    float total = 0;
#pragma omp simd reduction(+ : total)
    for (int c = 0; c < classes; ++c) total += row[c] = gradus::math::exp(row[c] - most);
    if (want_loss) error += std::log(total) - chosen;
    const float share = weight / total;
    for (int c = 0; c < classes; ++c) row[c] *= share;
    row[label] -= weight;
    d_b.add(1, Class::load(row));
  }
  const std::int64_t end = std::ssize(row_) - 1;
  for (std::size_t j = 0; j + 1 < column_start_.size(); ++j) {
    const std::int64_t from = column_start_[j], to = column_start_[j + 1];
    if (from == to) continue;
    Class d;
    for (std::int64_t i = from; i < to; ++i) {
      prefetch_row(&d_[static_cast<std::size_t>(row_[static_cast<std::size_t>(std::min(i + ahead, end))]) * classes]);
      d.add(value_[static_cast<std::size_t>(i)],
            Class::load(&d_[static_cast<std::size_t>(row_[static_cast<std::size_t>(i)]) * classes]));
    }
    Class w = Class::load(&w_[j * classes]);
    w.add(-rate_, d);
    w.store(&w_[j * classes]);
  }
  Class moved = b;
  moved.add(-rate_, d_b);
  moved.store(b_.data());
  return error * weight;
}

Values SoftmaxRegression::values() const { return {{w_.begin(), w_.end()}, b_}; }

}  // namespace loops
