// Lesson 11: write your own optimizer. Where does Adam go wrong, and what mends it?
#include <gradus/gradus.h>
#include <gradus/optim/update.h>
using namespace gradus;

// [class]
// Reddi, Kale and Kumar, "On the Convergence of Adam and Beyond" (ICLR 2018): the root mean square never falls.
class AmsGrad final : public Optimizer {
 public:
  AmsGrad(Operand rate, double beta2) : Optimizer("AmsGrad", std::move(rate)), beta2_(beta2) {}

 private:
  void update(Update& u) const override {
    const Expr mean_square = u.slot("v", 0), most = u.slot("top", 0);
    const Expr v = u.set(mean_square, beta2_ * u.old(mean_square) + (1 - beta2_) * square(u.g()));
    const Expr top = u.set(most, maximum(u.old(most), v));
    u.set(u.variable(), u.old(u.variable()) - u.rate() * u.g() / (sqrt(top) + 1e-8));
  }
  double beta2_;
};
// [/]

// [problem]
// Two of three times the loss is -w, once it is 3w: on average w / 3, for w between -1 and 1. The best w is -1.
double end_of(Optimizer& optimizer) {
  Graph g;
  Expr slope = g.placeholder("slope", {});
  Expr w = g.variable("w", zeros({}));
  Expr train = optimizer.minimize(slope * w);
  Expr hold = g.assign(w, clip_by_value(w, -1, 1));
  Session session(g);
  for (int t = 0; t < 3000; ++t) {
    session.run(train, {{slope, t % 3 == 0 ? 3 : -1}});
    session.run(hold);
  }
  return session.value(w).item();
}
// [/]

int main() {
  GradientDescent descent(0.01);
  Adam adam(0.01, {.beta1 = 0, .beta2 = 0.1});
  AmsGrad ams(0.01, 0.1);
  fmt::print("best: -1\nGradientDescent: {:.2f}\nAdam: {:.2f}\nAmsGrad: {:.2f}\n", end_of(descent), end_of(adam),
             end_of(ams));

  // [rows]
  Graph g;
  Expr X = g.sparse_placeholder("X", {any, 1000});
  Expr V = g.variable("V", ones({1000, 2}));
  AmsGrad rows(0.01, 0.999);
  Expr train = rows.minimize(reduce_sum(matmul(X, V)));
  Session session(g);
  session.run(train, {{X, Tensor::csr<float, int>(1, 1000, {0, 2}, {7, 500}, {1, 1})}});
  int moved = 0;
  const Tensor after = session.value(V);
  for (int i = 0; i < 1000; ++i) moved += after.at(i, 0) != 1 ? 1 : 0;
  fmt::print("\nrows of V that a row of X with two non-zeros moves: {}\n", moved);
  // [/]
}
