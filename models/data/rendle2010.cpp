#include <gradus/models/data/rendle2010.h>

namespace gradus {

Rendle2010 rendle2010(DType dtype) {
  // clang-format off
  return {Tensor({
    // user    | movie      | others rated      | time| last movie
    {1, 0, 0,   1, 0, 0, 0,   .3, .3, .3,  0,    13,   0, 0, 0, 0},
    {1, 0, 0,   0, 1, 0, 0,   .3, .3, .3,  0,    14,   1, 0, 0, 0},
    {1, 0, 0,   0, 0, 1, 0,   .3, .3, .3,  0,    16,   0, 1, 0, 0},
    {0, 1, 0,   0, 0, 1, 0,    0,  0, .5, .5,     5,   0, 0, 0, 0},
    {0, 1, 0,   0, 0, 0, 1,    0,  0, .5, .5,     8,   0, 0, 1, 0},
    {0, 0, 1,   1, 0, 0, 0,   .5,  0, .5,  0,     9,   0, 0, 0, 0},
    {0, 0, 1,   0, 0, 1, 0,   .5,  0, .5,  0,    12,   1, 0, 0, 0},
  }, dtype), Tensor({{5}, {3}, {1}, {4}, {5}, {1}, {5}}, dtype)};
  // clang-format on
}

}  // namespace gradus
