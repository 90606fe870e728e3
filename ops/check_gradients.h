// A check of gradients against central differences: the test that every gradient rule has to pass, public because
// whoever writes an op or a model wants it too.
//
//   Expr X = g.placeholder("X", {3, 2}, float64);
//   const GradientCheck check = check_gradients(tanh(X), {X}, {{X, value}});
//   if (!check) fmt::print("{}\n", check.report);
//   // tanh (main.cpp:12) by X[2, 1]: analytic 0.419974, numeric 0.419974, relative error 3e-09
#pragma once

#include <gradus/core/run/session.h>

#include <initializer_list>
#include <span>
#include <string>

namespace gradus {

/// An element passes where |analytic - numeric| <= max(atol, rtol * max(|analytic|, |numeric|)).
struct GradientCheckOptions {
  double step = 1e-5;  // the difference is taken from x - step to x + step
  double rtol = 1e-4;
  double atol = 1e-6;
};

struct GradientCheck {
  bool ok = true;
  /// |analytic - numeric| / max(|analytic|, |numeric|, atol / rtol) of the worst element; infinite where a number
  /// is not finite.
  double worst_error = 0;
  /// The worst element, passed or not.
  std::string report;

  explicit operator bool() const { return ok; }
};

/// Compares gradients() of sum(y * weights), the weights pseudo-random and always the same, with central
/// differences by every element of every x (of a csr x, every stored one). An x is a placeholder, fed, or a
/// variable, which has its initial value; y must give the same each time (no dropout). An x on which y does not depend
/// has gradient zero, and the differences must be zero too. Nodes are added to the graph.
/// Throws TypeError where y or an x is not float64, or an x is another kind of node; FeedError where one is not fed.
GradientCheck check_gradients(const Expr& y, std::span<const Expr> xs, const Feeds& feeds = {},
                              const GradientCheckOptions& options = {});
inline GradientCheck check_gradients(const Expr& y, std::initializer_list<Expr> xs, const Feeds& feeds = {},
                                     const GradientCheckOptions& options = {}) {
  return check_gradients(y, std::span(xs.begin(), xs.size()), feeds, options);
}

/// The same with the variables' values of a session, which are as before when it returns.
GradientCheck check_gradients(Session& session, const Expr& y, std::span<const Expr> xs, const Feeds& feeds = {},
                              const GradientCheckOptions& options = {});

}  // namespace gradus
