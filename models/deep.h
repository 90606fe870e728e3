// DeepFM (Guo, Tang, Ye, Li and He, "DeepFM: A Factorization-Machine based Neural Network for CTR Prediction", IJCAI
// 2017): a factorization machine and, over the same factors, a network.
//   y_hat = FM(x) + MLP(e),   e = [e_1, ..., e_fields],   e_f = sum of v_i x_i over the features i of field f
// MLP is a layer of relu units for each of `hidden`, then a sum. It is no more than the FactorizationMachine and a few
// expressions on its V: graphs compose.
#pragma once

#include <gradus/core/tensor/sparse.h>
#include <gradus/models/factorization_machine.h>

#include <vector>

namespace gradus {

struct DeepFactorizationMachineOptions {
  /// Of the machine. Its penalties do not reach the network's weights.
  FactorizationMachineOptions fm = {};
  /// The field of each feature, from 0; there are as many fields as the greatest tells. A feature of field -1 is not
  /// seen by the network.   [p]
  std::vector<Index> field_of = {};
  std::vector<std::int64_t> hidden = {64, 32};  // units of each hidden layer; none: the network is a linear function

  /// Of the parameters over p features. Throws ValueError where field_of is not as it should be.
  ParameterShapes shapes(std::int64_t p) const;
};

struct DeepFactorizationMachine {
  /// X [n, p] dense or csr, y [n, 1]; n may be unknown. The network's weights start as He et al. (ICCV 2015) say, its
  /// biases from zero. Throws TypeError for other shapes, ValueError for options out of range.
  DeepFactorizationMachine(const Expr& X, const Expr& y, const DeepFactorizationMachineOptions& options,
                           Location where = Location::current());

  FactorizationMachine fm;
  std::vector<Expr> weights;  // of each layer: [in, out]
  std::vector<Expr> biases;   // of each hidden layer: [out]
  Expr embeddings;            // [n, fields k]
  Expr deep;                  // [n, 1]: what the network adds
  Expr y_hat;                 // [n, 1]
  Expr prediction;            // [n, 1]: y_hat; for binary tasks sigma(y_hat)
  Expr error;                 // []: the mean error of the rows
  Expr penalty;               // []: L2
  Expr loss;                  // []: error + penalty
};

}  // namespace gradus
