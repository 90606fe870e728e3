// The formulas of the rows "paper ...", as an expert would write their steps by hand: everything of an example while it
// is near, vectors of a fixed width, the gradients of the rows that a batch touches side by side by a slot map, rows
// that are far away prefetched. What each computes stands in the files papers_*.cpp. A step returns the loss before it
// where it is wanted, else anything.
#pragma once

#include "loops.h"

#include <cstdint>
#include <vector>

namespace loops {

/// Parameters, one after the other.
using Values = std::vector<std::vector<float>>;

/// Adam's moments of parameters that lie in one array.
class DenseAdam {
 public:
  DenseAdam(std::size_t count, float rate) : rate_(rate), mean_(count), square_(count) {}
  void move(Array<float>& w, const Array<float>& d);

 private:
  float rate_;
  std::int64_t steps_ = 0;
  Array<float> mean_, square_;
};

struct Ratings {
  const std::int32_t* user;
  const std::int32_t* item;
  const float* rating;
  std::int64_t count;
};

/// Biased matrix factorization; gradient descent, or Adam on the rows that a batch touches.
class MatrixFactorization {
 public:
  static constexpr int k = 32;
  enum class Move : std::uint8_t { descent, adam };
  struct Options {
    Move move;
    float rate, penalty, mean;
  };
  /// p [users, k], q [items, k].
  MatrixFactorization(const std::vector<float>& p, const std::vector<float>& q, const Options& options);
  float step(const Ratings& batch, bool want_loss);
  /// p, q, and the biases of users and of items.
  Values values() const;

 private:
  struct Row {
    float p[k];
    float b = 0;
    std::int32_t slot = -1;
  };
  struct Gradient {
    float p[k];
    float b, count;
  };
  struct Moments {
    float mean[k] = {}, square[k] = {};
    float b_mean = 0, b_square = 0;
  };
  std::int32_t slot_of(std::size_t row);
  void update(float weight);

  Options options_;
  std::size_t users_;
  std::int64_t steps_ = 0;
  Array<Row> row_;  // users, then items
  Array<Moments> moments_;
  std::vector<std::int32_t> touched_;  // by slot: the row
  Array<Gradient> gradient_;           // [slots]
};

/// w [features] and v [features, 16] with Adagrad on the rows that a batch touches.
class FeatureTable {
 public:
  static constexpr int k = 16;
  struct Feature {
    float v[k];
    float w, w_square;
    std::int32_t slot;
    float v_square[k];
  };
  struct Gradient {
    float v[k];
    float w;
  };
  FeatureTable(const std::vector<float>& v, float rate);

  /// Before a batch that looks up so many features.
  void begin(std::int64_t lookups);
  const Feature& feature(std::int32_t j) const { return feature_[static_cast<std::size_t>(j)]; }
  void prefetch(std::int32_t j) const;
  /// Where a feature's gradient is: zeros when the batch meets it for the first time.
  std::int32_t slot_of(std::int32_t j);
  Gradient& gradient(std::int32_t slot) { return gradient_[static_cast<std::size_t>(slot)]; }
  void update();
  std::vector<float> v() const;
  std::vector<float> w() const;

 private:
  float rate_;
  Array<Feature> feature_;
  std::vector<std::int32_t> touched_;
  Array<Gradient> gradient_;
};

/// A few parameters with Adagrad, and the sum of their gradient.
class SmallAdagrad {
 public:
  SmallAdagrad(std::vector<float> start, float rate);
  const float* data() const { return value_.data(); }
  const std::vector<float>& value() const { return value_; }
  float* gradient() { return gradient_.data(); }
  /// A step by the gradient, which is zeros then.
  void update();

 private:
  float rate_;
  std::vector<float> value_, square_, gradient_;
};

struct Rows {
  const std::int32_t* feature;  // [count, fields]
  const float* y;
  std::int64_t count;
};

/// Field-weighted factorization machine: 39 fields, log loss of y = -1 or 1, Adagrad.
class FieldWeighted {
 public:
  static constexpr int fields = 39;
  FieldWeighted(const std::vector<float>& v, const std::vector<float>& r, float rate);
  float step(const Rows& batch, bool want_loss);
  /// w0, w, v, r.
  Values values() const;

 private:
  static constexpr int k = FeatureTable::k;
  static constexpr int padded = 40;  // fields, so that tiles come out even
  static constexpr int block = 16;   // examples
  void spread_r();
  void add_dots(const float* d, std::int64_t count);

  FeatureTable table_;
  SmallAdagrad w0_, r_;
  Array<float> both_;               // [fields, padded]: r above and below the diagonal, which is 0
  Array<float> v_, dots_;           // [block, padded, k]; [padded, padded, k], to be summed over k
  std::vector<std::int32_t> slot_;  // [block, fields]
};

/// Attentional factorization machine: the 45 pairs of 10 fields, squared loss, Adagrad.
class Attentional {
 public:
  static constexpr int fields = 10, pairs = fields * (fields - 1) / 2;
  static constexpr int k = FeatureTable::k, attention = 16;
  struct Start {
    const std::vector<float>&v, &a, &h, &p;
  };
  Attentional(const Start& start, float rate);
  float step(const Rows& batch);
  /// w0, w, v, a [k, attention], b, h [attention], p [k].
  Values values() const;

 private:
  struct Example;
  struct Gradient;
  float forward(Example& x) const;
  void backward(Example& x, float d, const float* turned, Gradient& gradient) const;
  FeatureTable table_;
  SmallAdagrad w0_, a_, b_, h_, p_;
};

/// Softmax regression on all rows of a sparse x, gradient descent.
class SoftmaxRegression {
 public:
  static constexpr int classes = 20;
  SoftmaxRegression(const Csr& x, std::int64_t features, std::vector<std::int32_t> label, float rate);
  float step(bool want_loss);
  /// w [features, classes], b [classes].
  Values values() const;

 private:
  const Csr& x_;
  std::vector<std::int64_t> column_start_;  // x by columns
  std::vector<std::int32_t> row_;
  std::vector<float> value_;
  std::vector<std::int32_t> label_;
  float rate_;
  Array<float> w_, d_;  // [features, classes], [rows, classes]
  std::vector<float> b_;
};

/// Mixture of 16 normal distributions of 8 independent dimensions each, by gradient; Adam.
class Mixture {
 public:
  static constexpr int components = 16, dims = 8;
  Mixture(const std::vector<float>& mean, float rate);
  float step(const float* x, std::int64_t rows, bool want_loss);
  /// The weights' logits, means and logarithms of deviations [components, dims].
  Values values() const;

 private:
  // All with a component in each lane: logits [16], means [8, 16], logarithms [8, 16].
  Array<float> value_, gradient_;
  DenseAdam adam_;
};

/// Three layers of 256 with layer norm and GELU, softmax cross entropy over 10 classes; Adam.
class GeluLayers {
 public:
  static constexpr std::int64_t batch = 128, width = 256, layers = 3, classes = 10;
  /// The weights of each layer, [width, width], and of the classes, [width, classes].
  GeluLayers(const Values& weights, float rate);
  float step(const float* x, const float* labels);
  /// Of each layer its weights, bias, scale and shift; the classes' weights and bias.
  Values values() const;

 private:
  struct Layer {
    std::int64_t w, b, scale, shift;  // where they begin in the parameters
    Array<float> normal, slope, out;  // [batch, width]: normalised, GELU's derivative, what leaves the layer
    Array<float> inverse_deviation;   // [batch]
  };
  void forward(Layer& layer, const float* in);
  void backward(Layer& layer, const float* in, float* d_in);

  std::vector<Layer> layers_;
  std::int64_t w_ = 0, b_ = 0;     // the classes'
  Array<float> value_, gradient_;  // all parameters, end to end
  DenseAdam adam_;
  Array<float> d_, d_in_, logits_;  // [batch, width] twice, [batch, classes]
};

/// sum(v / sqrt(1 + v^2) a - b u / 2), u = (a b + c) / (1 + a^2), v = u^3 - 3 u b + c^2
double rational(const float* a, const float* b, const float* c, std::int64_t count);

}  // namespace loops
