// Formulas, each in two spellings: the usual one and another way to write the same. What a plan costs must not depend
// on which of them a user chose. Each side is a step that a user could take: a loss and a train op, from the same
// initial values and on the same data.
#pragma once

#include <gradus/gradus.h>

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace gradus {

struct SpellingSizes {
  std::int64_t rows = 4096;
  std::int64_t columns = 64;       // of dense matrices
  std::int64_t features = 200000;  // columns of the sparse batch, and rows of the tables
  DType dtype = float32;
};

/// A graph with its step, and what it is made of: variables and data are made when a formula first names them.
class SpelledStep {
 public:
  explicit SpelledStep(const SpellingSizes& given) : sizes(given) {}

  /// A variable of normal values.
  Expr normal(std::string_view name, const Shape& shape, double stddev = 1);
  /// Variables [rows, columns]: x of either sign, a and b between 0.5 and 1.5.
  Expr x() { return normal("x", {sizes.rows, sizes.columns}); }
  Expr a() { return positive("a"); }
  Expr b() { return positive("b"); }
  /// A placeholder and its data, normal values of the same shape.
  Expr data(std::string_view name, const Shape& shape);
  /// The sparse batch, 39 values between 0.5 and 1.5 in a row.   csr [rows, features]
  Expr batch();
  /// Which feature each row has in the first field: by its number, and as a row of a matrix with one 1.
  /// int32 [rows]; csr [rows, features]
  Expr first_feature();
  Expr first_feature_one_hot();

  const SpellingSizes sizes;
  Graph g;
  std::vector<Feed> feeds;
  Expr loss;   // []
  Expr train;  // a step down the loss

 private:
  Expr positive(std::string_view name);
  Expr fed(const Expr& placeholder, const Tensor& value);
};

/// Writes a step.
using Writing = std::function<void(SpelledStep&)>;

struct Spelling {
  std::string name;
  std::string usual_text, other_text;  // "square(x)", "x * x"
  Writing usual, other;
  /// How far apart variables may be in float64, relative to how far they have moved; 0: the sides are different
  /// functions that must cost the same.
  double tolerance = 1e-9;
  /// The slower side's time beside the faster one's, at most.
  double target = 1.25;
  /// Why one side's plan stores more than the other's, where it does.
  std::string stores_more = {};
};

/// All pairs.
std::vector<Spelling> spellings();

// The sections, each in its file.
std::vector<Spelling> dense_spellings();
std::vector<Spelling> sparse_spellings();
std::vector<Spelling> optimizer_spellings();

/// What a plan stores, as Session::steps says.
struct PlanBytes {
  std::int64_t arena = 0;        // bytes
  std::int64_t row_columns = 0;  // elements for each held row of row-sparse intermediate values
};
PlanBytes plan_bytes(SpelledStep& step);

}  // namespace gradus
