// Random graphs for the fuzz test of the plan compiler: small programs over dense and csr placeholders, tables and
// numbers, with gradients, an optimizer and assigns, made of what its rules and tiles look for. All is float64, and
// the same seed gives the same graph and batches on every machine.
//
// Values are kept near 1 and functions smooth, so that two right plans agree to rounding: what grows is passed through
// tanh or scaled down by an estimate of its size.
#pragma once

#include <gradus/core/graph/graph.h>
#include <gradus/core/run/session.h>
#include <gradus/ops/ops.h>

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <optional>
#include <random>
#include <span>
#include <string>
#include <vector>

namespace gradus {

/// Draws by a generator whose numbers the standard fixes; those of its distributions differ from library to library.
class Dice {
 public:
  explicit Dice(std::uint64_t seed) : next_(seed) {}

  /// 0 to count - 1.
  std::int64_t below(std::int64_t count) {
    return static_cast<std::int64_t>(next_() % static_cast<std::uint64_t>(count));
  }
  bool chance(double probability) { return unit() < probability; }
  /// In [0, 1).
  double unit() { return static_cast<double>(next_() >> 11) * 0x1p-53; }
  /// In [-1, 1).
  double number() { return 2 * unit() - 1; }
  template <class T>
  T pick(std::initializer_list<T> of) {
    return of.begin()[below(static_cast<std::int64_t>(of.size()))];
  }
  template <class T>
  const T& pick(const std::vector<T>& of) {
    return of[static_cast<std::size_t>(below(static_cast<std::int64_t>(of.size())))];
  }

 private:
  std::mt19937_64 next_;
};

/// What a graph is like: a few rows; enough of them for blocks and several threads; enough for tiles; or a few rows
/// of a csr matrix that touch few rows of large tables.
enum class Sizes : std::uint8_t { tiny, medium, tiles, table };

class RandomGraph {
 public:
  explicit RandomGraph(std::uint64_t seed);

  /// "tiles: n=2500 p=3 k=2, Adam, 12 values".
  std::string summary() const;

  Graph g;
  std::vector<Expr> values;     // what can be fetched beside the training, in the order made
  Expr loss;                    // [] float64
  std::vector<Expr> gradients;  // of the loss by each trainable variable
  Expr train;                   // the optimizer's step and, in some graphs, other assigns
  std::vector<std::vector<Feed>> batches;

 private:
  /// An expression, the shape it has in every run, and about how large its numbers get.
  struct Item {
    Expr e;
    Shape shape;
    double size;
  };
  using Items = std::vector<Item>;

  void choose_sizes();
  void make_inputs();
  void make_batches();
  Tensor dense(const Shape& shape);
  Tensor csr(bool ones);
  void make_training();
  std::vector<bool> depends_on(const std::vector<Expr>& variables);

  // Each adds a value, where there are operands for it.
  bool function();
  bool factor();
  bool arithmetic();
  bool constants();
  bool sparse_function();
  bool sparse_arithmetic();
  bool product();
  bool sum_of_products();
  bool scaled_product();
  bool reduction();
  bool sums_of_rows();
  bool machine();
  bool shape_change();
  bool wider();
  bool rows_by_index();
  bool parts();

  bool keep(const Expr& e, double size);
  bool keep(const Expr& e, double size, const Shape& shape);
  Expr tamed(const Expr& e, double& size);
  Shape concrete(const Shape& shape) const;
  bool fits(const Shape& shape) const;
  const Item* find(const std::function<bool(const Item&)>& accepts);
  const Item* find_dense();
  const Item* find_matrix();
  const Item* find_csr();
  std::optional<MatmulOptions> flags(const Item& a, const Item& b);
  double product_size(const Item& a, const Item& b, const MatmulOptions& options) const;
  double factor_number();

  Dice dice_;
  Sizes sizes_ = Sizes::tiny;
  std::int64_t n_ = 0, p_ = 0, k_ = 0, m_ = 0;
  double density_ = 0;
  bool ones_ = false;
  std::string optimizer_;
  Items items_;
  std::vector<Expr> tables_;  // trainable
  std::vector<Expr> others_;  // variables that only assigns move
  Expr X_, X2_, Z_, D_, y_, ids_;
};

/// The nodes that lead to `wanted`, a line each: "%5 = reduce_sum(axis=1)(%3): float64 [7]".
std::string listing(Graph& g, std::span<const Expr> wanted);

}  // namespace gradus
