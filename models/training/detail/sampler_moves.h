// The loops of a sampler in which parameters take new values, given their slopes H in eight lanes of rows
// (lane_elements.h, sampler_loops.h), vectorised.
#pragma once

#include <cstdint>
#include <vector>

namespace gradus {

/// One parameter after the other takes its new value t + delta (Rendle, "Factorization Machines with libFM", ACM TIST
/// 2012, section 4.3): with h = H_c, noise of precision alpha and the prior N(mu, 1/lambda),
///   s2 = 1 / (alpha sum h^2 + lambda)
///   delta = -s2 (alpha sum h e + lambda (t - mu)) + sqrt(s2) z        and then        e += delta h
/// which is the mean of the conditional distribution, less t, and a draw around it for a standard normal z. Each lane
/// has its own, or, where all are of one feature, the sums are over all lanes, and what is read and written is the same
/// in each.
struct MoveParameters {
  const float* H;  // [count, length, 8]
  std::int64_t length;
  bool of_one_feature;
  float* e;  // [length, 8]: y_hat - y
  float alpha;
  const float *t, *mu, *lambda;  // [count, 8]
  const float* z;                // [count, 8]; null: zeros
  float* delta;                  // [count, 8], written
};
/// Of one parameter, and of four, whose sums of h e and of products of slopes are found together.
void move_one(const MoveParameters& task);
void move_four(const MoveParameters& task);

/// f += sum of t_c H_c          f [length, 8], H [count, length, 8], t [count, 8]
void add_products(const float* H, const float* t, std::int64_t count, std::int64_t length, float* f);

/// The same for a feature of many rows, whose slopes are not kept but made some rows at a time: from these
///   G_cd = sum h_c h_d      b_c = sum h_c e
/// which say how every parameter moves: by delta, b becomes b + delta G_c.
struct Gram {
  explicit Gram(std::int64_t parameters)
      : count(parameters),
        side((parameters + 3) / 4 * 4),
        G(static_cast<std::size_t>(side * side)),
        b(static_cast<std::size_t>(side)) {}
  std::int64_t count, side;
  std::vector<double> G;  // [side, side], of which the rows and columns up to `count` count, and G_cd for c >= d
  std::vector<double> b;  // [side]
};
inline constexpr std::int64_t gram_steps = 30;  // of eight rows, whose slopes stay in the first cache
/// Adds what some rows have to a Gram matrix.   H [side, length, 8], e [length, 8]
void add_rows(Gram& gram, const float* H, const float* e, std::int64_t length);
/// delta [count], as MoveParameters says; of one lane (t, mu, lambda and z of each lane stand 8 apart).
void move_by_gram(const Gram& gram, const MoveParameters& task);

}  // namespace gradus
