// Gibbs sampling of a factorization machine in the order of libFM: factor by factor, and for each of them feature by
// feature, over X by columns with a cache {e, q} of doubles for every row (Rendle, "Factorization Machines with libFM",
// ACM TIST 2012, section 4.3). One group for users, one for items.
#pragma once

#include "loops.h"

#include <cstdint>
#include <random>
#include <vector>

namespace loops {

class FactorByFactor {
 public:
  FactorByFactor(const Csr& x, const std::vector<float>& y, const std::vector<std::int32_t>& group, int factors,
                 std::uint64_t seed);
  /// An iteration; returns the mean of e^2 before it.
  double iterate();

 private:
  struct Element {
    std::uint32_t row;
    float x;
  };
  struct Cache {
    double e, q;
  };
  struct Hyper {
    double mu = 0, lambda = 1;
  };

  double find_errors();
  void find_q(const double* v);
  void draw_hyper(const double* t, std::vector<Hyper>& of);
  double normal();

  std::size_t p_;
  int k_;
  std::vector<float> y_;
  std::vector<std::int32_t> group_;
  std::vector<std::size_t> start_;  // X by columns
  std::vector<Element> element_;
  std::vector<Cache> cache_;  // [n]
  double alpha_ = 1, w0_ = 0;
  std::vector<double> w_, v_;             // [p], [k, p]
  std::vector<Hyper> of_w_;               // [groups]
  std::vector<std::vector<Hyper>> of_v_;  // [k][groups]
  std::mt19937_64 random_;
  double spare_ = 0;
  bool has_spare_ = false;
};

}  // namespace loops
