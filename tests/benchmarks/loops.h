// The factorization machine as one would write it by hand: what Gradus' plans are measured against. Adagrad on mean
// squared error plus L2 terms, one example after the other; gradients in closed form (Rendle 2010, equation 4).
#pragma once

#include <cstdint>
#include <vector>

namespace loops {

struct Penalty {
  float w = 0;  // times the sum of w^2
  float v = 0;  // times the sum of v^2
};

struct Machine {
  std::int64_t features;
  std::int64_t factors;
  float w0 = 0;
  std::vector<float> w;  // [features]
  std::vector<float> v;  // [features, factors]
  float w0_sum = 0.1F;   // Adagrad's accumulators
  std::vector<float> w_sum;
  std::vector<float> v_sum;

  Machine(std::int64_t features, std::int64_t factors);
};

/// One full-batch step on dense x [rows, features]. Returns the loss before it.
float dense_step(Machine& m, const std::vector<float>& x, const std::vector<float>& y, float rate, Penalty penalty);

struct Csr {
  std::vector<std::int64_t> row_start;
  std::vector<std::int32_t> column;
  std::vector<float> value;
};

/// The same on sparse x.
float sparse_step(Machine& m, const Csr& x, const std::vector<float>& y, float rate, Penalty penalty);

}  // namespace loops
