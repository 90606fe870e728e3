// The features that rows have by way of the lines of their categories (models/data/relations.h), for samplers: they are
// visited through the lines (relation_loops.h), whose rows are those that hold the category.
#pragma once

#include <gradus/core/workers.h>
#include <gradus/models/training/detail/coordinates.h>
#include <gradus/models/training/detail/relation_loops.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

namespace gradus {

class RelatedFeatures {
 public:
  /// B csr float32 [columns of X, q]. Throws ValueError where a row holds two lines that have a feature in common, or
  /// holds a category as another number than 1.
  RelatedFeatures(const FeatureRows& rows, const Tensor& B);

  std::int64_t count() const { return B_.dim(1); }
  const Tensor& B() const { return B_; }
  /// Features (counted from 0 to q - 1) in the order in which they are visited.
  const std::vector<Index>& order() const { return order_; }
  /// The sum of b^2 times the weight of its rows, over the lines that have the feature.   [q]
  std::vector<double> weights() const;

  /// What the prior and the draw of the features in order() are, for parameters c: w, v_1, ..., v_k.
  struct Conditionals {
    float alpha;
    std::function<void(std::int64_t place, std::int64_t first, std::int64_t count, float* mu, float* lambda, float* z)>
        read;  // of some parameters of the feature at a place of order()
  };
  /// Gives every parameter its new value in the table, whose rows are features of X and then these; moves e [n] and q
  /// [n, table.stride - 1] (empty where there are no factors) along.
  void visit(ParameterTable& table, std::span<float> e, std::span<float> q, const Conditionals& conditionals,
             Workers& workers);

 private:
  // Lines and features that hang together: no line has a feature of another part, and no row two lines of one part.
  struct Part {
    std::vector<LineSums> lines;
    std::vector<std::int64_t> row_start{0};  // [lines + 1]
    std::vector<Index> row;
    std::vector<std::int64_t> start{0};  // [features + 1], into line and b
    std::vector<Index> line;
    std::vector<float> b;
    std::int64_t first = 0;  // of its features in order_
    std::int64_t features() const { return std::ssize(start) - 1; }
  };
  void visit(Part& part, ParameterTable& table, std::span<float> e, std::span<float> q,
             const Conditionals& conditionals, Workers& workers);

  const FeatureRows& rows_;
  Tensor B_;
  std::vector<Part> parts_;
  std::vector<Index> order_;
  std::vector<float> e_here_;  // of the part with the most rows
};

}  // namespace gradus
