// The rows that are trained on, for both sides: as a loop reads them, and as tensors. All of it from fixed seeds.
#pragma once

#include "loops.h"

#include <gradus/core/tensor/tensor.h>
#include <gradus/models/data/rows.h>

#include <cstdint>
#include <random>
#include <string>
#include <vector>

namespace bench {

struct DataSet {
  std::int64_t features = 0;
  loops::Csr x;
  std::vector<float> y;  // [rows]
  std::string origin;    // in words

  std::int64_t rows() const { return static_cast<std::int64_t>(y.size()); }
};

/// MovieLens-100k's training set, one-hot users and items (90570 x 2623): from $GRADUS_DATA/ml-100k or
/// ../shared/data/ml-100k, or, where there is none, the synthetic ratings of the same shape.
const DataSet& movielens();
/// The same rows in a random order.
DataSet shuffled(const DataSet& data);

struct ZipfOptions {
  std::int64_t rows = 100000;
  std::int64_t fields = 39;
  std::int64_t features = 1000000;
  std::int64_t used = 1000000;  // how many of the features occur at most; more features then only spread them out
  bool binary = true;           // y is -1 or 1, else a number
};
/// Rows in the manner of Criteo's: of each field one feature with value 1, by Zipf's law with exponent 1.05; which
/// feature is frequent is scattered over the field, as hashing does.
DataSet zipf(const ZipfOptions& options);

/// Ranks from 0, drawn by Zipf's law with exponent 1.05 (its distribution function taken as continuous).
class ZipfLaw {
 public:
  explicit ZipfLaw(std::int64_t ranks);
  std::int64_t operator()(std::mt19937_64& random) const;

 private:
  std::int64_t ranks_;
  double span_;
};
/// Rank r's place among `places`, so that frequent and rare ones lie scattered: one place for each rank.
std::int64_t scattered(std::int64_t rank, std::int64_t places);

/// Rows first to first + count as tensors, copied.   csr [count, features] and [count, 1]
gradus::Tensor x_rows(const DataSet& data, std::int64_t first, std::int64_t count);
gradus::Tensor y_rows(const DataSet& data, std::int64_t first, std::int64_t count);

/// All rows.
gradus::Rows tensors_of(const DataSet& data);

std::vector<float> vector_of(const gradus::Tensor& dense);

}  // namespace bench
