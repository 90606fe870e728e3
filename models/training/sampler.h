// Gibbs sampling (MCMC) and alternating least squares (ALS) for models that are linear in the parameters of each
// feature (coordinates.h): Rendle, "Factorization Machines with libFM", ACM TIST 2012, sections 4.3 and 4.4. Neither
// has a learning rate, and MCMC finds the penalties as well.
//
//   y_n ~ N(y_hat(x_n), 1 / alpha)      w_i ~ N(mu, 1/lambda),  v_if ~ N(mu_f, 1/lambda_f)  of the feature's group
//   alpha ~ Gamma(a/2, g/2)             lambda ~ Gamma(a/2, g/2),  mu ~ N(mu0, 1 / (b lambda))       (HyperPrior)
//
// An iteration visits every parameter once: w0, the hyperparameters, then feature by feature w_i, v_i1, ..., v_ik. MCMC
// draws each from its distribution given all others; ALS takes the mean of that with alpha = 1, mu = 0 and given
// lambda, which is where the model's loss is least along that parameter. Features of one column of a table, of which no
// row has two, are independent of each other given all else, so threads share them.
//
// Of a binary task the model is probit: y_n is the sign of z_n ~ N(y_hat(x_n), 1). z is drawn anew in each iteration,
// and takes the place of y (Albert and Chib, "Bayesian analysis of binary and polychotomous response data", JASA 1993);
// ALS takes its mean, which makes it expectation-maximization.
//
// The graph says what y_hat is, and the session holds the parameters: an iteration reads them there, and assigns them.
// Of rows of two one-hot features y_hat is not asked of the graph, but summed by the same formula as the features of
// the second column are visited. Bits depend on the parameters, on the means mu, the number of the iteration and the
// seed alone.
#pragma once

#include <gradus/core/run/session.h>
#include <gradus/models/data/rows.h>
#include <gradus/models/model.h>

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace gradus {

struct HyperPrior {
  double a = 1, g = 1, b = 1, mu0 = 0;
  double lambda_w0 = 0;  // the precision of w0 itself around 0
};

struct SamplerOptions {
  bool draws = true;  // MCMC; else ALS
  HyperPrior prior = {};
  std::vector<Index> group = {};  // of each feature, from 0; -1: one more. Empty: all are in one   [p]
  std::uint64_t seed = 0;
  int threads = 1;  // 0: all cores; results are the same
};

class Sampler {
 public:
  /// A model of any kind but deep that make_model made by `of_model`, which has the task (regression or binary), the
  /// scale of the target and the penalties that ALS keeps to; rows in csr, float32, their targets -1 and 1
  /// where the task is binary. Session and graph must outlive it. Throws TypeError for other rows, ValueError for other
  /// models and tasks, and for a binary task with weights.
  Sampler(Session& session, const Model& model, const ModelOptions& of_model, const Rows& rows,
          const SamplerOptions& options);
  Sampler(const Sampler&) = delete;
  Sampler& operator=(const Sampler&) = delete;
  ~Sampler();

  /// Visits every parameter once; iterations count from 0. Returns the mean error of the rows before it: (y - y_hat)^2,
  /// in the units of y_hat; of binary tasks -ln Phi(y y_hat).
  double iterate(std::int64_t iteration);

  /// The means mu of the groups, [groups, C], which with the parameters are the state of the chain.
  std::span<float> means();
  /// The precision of the noise that the last iteration drew.
  double alpha() const;
  /// Of regression: y_hat - y of the rows as the last iteration left it, times the square root of their weights.   [n]
  std::vector<float> errors() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace gradus
