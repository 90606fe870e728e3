// Training steps as an expert would write them by hand for one machine and one number of factors k: what Gradus' plans
// are measured against. Every step makes one pass over its data, allocates nothing, and reads |v_j|^2 from a table
// instead of multiplying x_j^2 v_j^2 out for every factor:
//   y_hat = w0 + sum_j w_j x_j + 1/2 (|s|^2 - sum_j x_j^2 |v_j|^2),   s = sum_j x_j v_j       (Rendle 2010, lemma 3.1)
//   d y_hat / d v_j = x_j s - x_j^2 v_j                                                       (equation 4)
// Compiled for the machine at hand (-O3 -march=native). Their memory is the allocator's, as Gradus' is: no huge pages.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <new>
#include <vector>

namespace loops {

/// Memory that begins on a cache line.
template <class T>
struct Aligned {
  using value_type = T;
  Aligned() = default;
  template <class U>
  explicit Aligned(const Aligned<U>& /*other*/) {}
  T* allocate(std::size_t count) {
    void* const out = std::aligned_alloc(64, (count * sizeof(T) + 63) / 64 * 64);
    if (out == nullptr) throw std::bad_alloc();
    return static_cast<T*>(out);
  }
  void deallocate(T* p, std::size_t /*count*/) { std::free(p); }
  bool operator==(const Aligned&) const = default;
};
template <class T>
using Array = std::vector<T, Aligned<T>>;

/// What every machine starts from: w0 and w are zero, v is [features, factors].
struct Start {
  std::int64_t features;
  const std::vector<float>& v;
};

struct Csr {
  std::vector<std::int64_t> row_start{0};
  std::vector<std::int32_t> column;
  std::vector<float> value;
};

enum class Optimizer { adagrad, adam };

/// Penalties: each times the sum of squares.
struct Penalty {
  float w = 0;
  float v = 0;
};

/// Full batches of a dense x [rows, features], mean squared error.
template <int k>
class DenseMachine {
 public:
  DenseMachine(const Start& start, Optimizer optimizer, float rate, Penalty penalty);
  /// Returns the loss before the step.
  float step(const float* x, const float* y, std::int64_t rows);

 private:
  // A row of the table holds v_j, then w_j, then zeros: w is one more factor whose sum is not squared.
  static constexpr int width = (k + 8) / 8 * 8;
  void update();

  std::int64_t features_;
  Optimizer optimizer_;
  float rate_;
  Penalty penalty_;
  std::int64_t steps_ = 0;
  Array<float> table_, mean_, square_, gradient_;  // [features, width]; mean_ only of Adam
  Array<float> norm_, curvature_;                  // [features]: |v_j|^2, and the sum of d x_j^2
  float w0_ = 0, w0_mean_ = 0, w0_square_, dw0_ = 0;
};

/// Full batches of a sparse x, mean squared error, Adam.
template <int k>
class SparseMachine {
 public:
  SparseMachine(const Start& start, float rate);
  float step(const Csr& x, const float* y);

 private:
  struct Feature {
    float w = 0, norm = 0;
  };
  struct FeatureGradient {
    float w = 0, curvature = 0;
  };
  void update();

  std::int64_t features_;
  float rate_;
  std::int64_t steps_ = 0;
  Array<float> v_, mean_, square_, gradient_;  // [features, k]
  Array<float> w_mean_, w_square_;             // [features]
  Array<Feature> feature_;                     // [features]
  Array<FeatureGradient> feature_gradient_;    // [features]
  float w0_ = 0, w0_mean_ = 0, w0_square_ = 0, dw0_ = 0;
};

enum class Loss { squared, logistic };  // logistic: y is -1 or 1

/// Mini-batches of a sparse x, Adagrad on the rows that the batch touches. Table rows are prefetched.
template <int k>
class BatchMachine {
 public:
  BatchMachine(const Start& start, Loss loss, float rate);
  /// A step on rows first to first + count of x. Returns the batch's mean loss before it, where it is wanted.
  float step(const Csr& x, const float* y, std::int64_t first, std::int64_t count, bool want_loss);

 private:
  // All of a feature stands together, so that a row of the table is a miss or two, and one of the address translation.
  struct Feature {
    float v[k];
    float w, norm, w_square;
    std::int32_t slot;  // of its gradient in this batch; -1: none yet
    float square[k];
  };
  struct FeatureGradient {
    float w = 0, curvature = 0;
  };
  std::int32_t slot_of(std::int32_t column);
  void update();

  Loss loss_;
  float rate_;
  Array<Feature> feature_;                   // [features]
  std::vector<std::int32_t> touched_;        // by slot: the feature
  std::vector<std::int32_t> slots_;          // of one row
  Array<float> gradient_;                    // [slots, k]
  Array<FeatureGradient> feature_gradient_;  // [slots]
  float w0_ = 0, w0_square_;
};

/// x [batch, in] -> relu [hidden] -> softmax cross entropy with one-hot labels [batch, out]; gradient descent.
class Mlp {
 public:
  struct Sizes {
    std::int64_t batch, in, hidden, out;
  };
  Mlp(const Sizes& sizes, const std::vector<float>& w1, const std::vector<float>& w2, float rate);
  float step(const float* x, const float* labels, bool want_loss);

 private:
  Sizes sizes_;
  float rate_;
  Array<float> w1_, b1_, w2_, b2_;
  Array<float> hidden_, d_hidden_, out_;  // [batch, hidden] twice, [batch, out]
};

}  // namespace loops
