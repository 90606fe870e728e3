// Lesson 3: checking gradients. How would you know that a rule is wrong?
#include <fmt/ranges.h>
#include <gradus/gradus.h>

#include <cmath>
using namespace gradus;

int main() {
  // [steps]
  const auto f = [](double t) { return t * t * t; };
  const double at = 0.7, derivative = 3 * at * at;
  fmt::print("digits that are right\n  h       one side   both sides\n");
  for (int k = 1; k <= 13; k += 2) {
    const double h = std::pow(10, -k);
    const double one = (f(at + h) - f(at)) / h;
    const double both = (f(at + h) - f(at - h)) / (2 * h);
    const auto digits = [&](double found) { return -std::log10(std::abs(found - derivative) / derivative); };
    fmt::print("{} 1e-{:<4}  {:<9.0f}  {:.0f}\n", k < 5 ? " " : "~", k, digits(one), digits(both));
  }
  // [/]

  Graph g;
  const Tensor value({0.5, -1.5, 2.0}, float64);
  Expr x = g.placeholder("x", {3}, float64);
  const auto report = [&](std::string_view what, const Expr& y) {
    const GradientCheck check = check_gradients(y, {x}, {{x, value}});
    fmt::print("{:<22}{}  {}\n", what, check ? "right" : "WRONG", check ? "" : check.report);
  };

  fmt::print("\n");
  // [first]
  Expr sound = x * x;
  Expr planted = x * stop_gradient(x);  // its value is x^2, but half of the gradient is lost
  report("x^2", sound);
  report("planted", planted);
  // [/]

  // [second]
  // Value x^2 and gradient 2x are right. But 2x is hidden from whoever differentiates again.
  Expr sly = stop_gradient(x * x) + (x - stop_gradient(x)) * stop_gradient(2 * x);
  report("sly", sly);
  report("x^2, second order", gradients(sound, {x})[0]);
  report("sly, second order", gradients(sly, {x}, Unconnected::zero)[0]);
  // [/]
}
