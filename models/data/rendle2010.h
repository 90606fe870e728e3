// The example of Rendle, "Factorization Machines" (ICDM 2010), figure 1: seven ratings of movies, one row each.
#pragma once

#include <gradus/core/tensor/tensor.h>

namespace gradus {

struct Rendle2010 {
  Tensor x;  // [7, 16]: user A B C | movie TI NH SW ST | other movies rated TI NH SW ST | time | last movie TI NH SW ST
  Tensor y;  // [7, 1]: the rating, 1 to 5
};

Rendle2010 rendle2010(DType dtype = float32);

}  // namespace gradus
