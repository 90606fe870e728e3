// Relations folded into the parameters of the categories that bring them along. A category that a row has counts there
// as 1, so that with its line b the row is as if it had none and the category had
//   v'_i = v_i + sum_j b_ij v_j      w'_i = w_i + sum_j b_ij w_j + (|v'_i|^2 - |v_i|^2 - sum_j b_ij^2 |v_j|^2) / 2
// where the last term is that of the pairs within the line and with it. Unlike w, w' and v' are what the rows of the
// category tell: draws of the v_j of a line hang together, so that what their means make of the last term is not its
// mean.
#pragma once

#include <gradus/models/training/samples.h>

#include <cstdint>

namespace gradus {

class Folding {
 public:
  /// B csr [c, q]; parameters W [c + q] or [c + q, classes], V [c + q, classes k] or none.
  Folding(Tensor B, std::int64_t classes) : B_(std::move(B)), classes_(classes) {}

  /// W and V [c, ...] of the model without relations.
  Parameters folded(Parameters parameters) const;
  /// w' in the place of w, all else as it is: parameters to take means of; and back.
  Parameters with_weights_folded(Parameters parameters) const { return with_weights(std::move(parameters), 1); }
  Parameters with_weights_unfolded(Parameters parameters) const { return with_weights(std::move(parameters), -1); }

 private:
  struct Lines;
  Parameters with_weights(Parameters parameters, double times) const;

  Tensor B_;
  std::int64_t classes_;
};

}  // namespace gradus
