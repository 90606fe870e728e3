// Printing. The expected texts of dense tensors are what NumPy 2.4.6 prints for the same arrays.
#include "special_values.h"

#include <gradus/core/tensor/create.h>
#include <gradus/core/tensor/tensor.h>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

using namespace gradus;

namespace {

struct Printed {
  Tensor tensor;
  std::string text;
};

// clang-format off
const std::vector<Printed> printed{
    {Tensor({1, 2, 3}), "[1. 2. 3.]"},
    {Tensor({{0.1, 2}, {-3.25, 4}}), R"([[ 0.1   2.  ]
 [-3.25  4.  ]])"},
    {Tensor({0.1, 1.0 / 3}, float64), "[0.1        0.33333333]"},
    {Tensor({0.1, 1.0 / 3}), "[0.1        0.33333334]"},
    {Tensor({1e-5, 1}), "[1.e-05 1.e+00]"},
    {Tensor({1, 1001}, float64), "[1.000e+00 1.001e+03]"},
    {Tensor({1, 1000}, float64), "[   1. 1000.]"},
    {Tensor({123456789, 1}, float64), "[1.23456789e+08 1.00000000e+00]"},
    {Tensor({99999999, 99999998}, float64), "[99999999. 99999998.]"},
    {Tensor({1234567, 2345678}), "[1.234567e+06 2.345678e+06]"},
    {Tensor({1e-310, 1e300}, float64), "[1.e-310 1.e+300]"},
    {Tensor({not_a_number, 1, -infinity}), "[ nan   1. -inf]"},
    {Tensor({not_a_number, infinity}), "[nan inf]"},
    {Tensor({not_a_number, 1e10, -0.0}), "[    nan  1.e+10 -0.e+00]"},
    {Tensor({-0.0, 0}), "[-0.  0.]"},
    {Tensor({1, -20, 300}, int32), "[  1 -20 300]"},
    {Tensor({{1, 0}, {1, 1}}, boolean), R"([[ True False]
 [ True  True]])"},
    {zeros({0, 3}), "[]"},
    {zeros({2, 1, 2}, int64), R"([[[0 0]]

 [[0 0]]])"},
    {zeros({1, 1, 1, 1, 1, 1, 1, 2}), "[[[[[[[[0. 0.]]]]]]]]"},
    {arange(0, 30), R"([ 0.  1.  2.  3.  4.  5.  6.  7.  8.  9. 10. 11. 12. 13. 14. 15. 16. 17.
 18. 19. 20. 21. 22. 23. 24. 25. 26. 27. 28. 29.])"},
    {arange(0, 1001, 1, int32), "[   0    1    2 ...  998  999 1000]"},
    {arange(0, 2000, 1, int64).reshape({2, 10, any}), R"([[[   0    1    2 ...   97   98   99]
  [ 100  101  102 ...  197  198  199]
  [ 200  201  202 ...  297  298  299]
  ...
  [ 700  701  702 ...  797  798  799]
  [ 800  801  802 ...  897  898  899]
  [ 900  901  902 ...  997  998  999]]

 [[1000 1001 1002 ... 1097 1098 1099]
  [1100 1101 1102 ... 1197 1198 1199]
  [1200 1201 1202 ... 1297 1298 1299]
  ...
  [1700 1701 1702 ... 1797 1798 1799]
  [1800 1801 1802 ... 1897 1898 1899]
  [1900 1901 1902 ... 1997 1998 1999]]])"},
    {Tensor(0.1), "0.1"},
    {Tensor(0.1, float64), "0.1"},
    {Tensor(1e6), "1e+06"},
    {Tensor(1e6, float64), "1000000.0"},
    {Tensor(1e-5), "1e-05"},
    {Tensor(1.5e16, float64), "1.5e+16"},
    {Tensor(7, int32), "7"},
    {Tensor(1, boolean), "True"},
    {Tensor(-infinity), "-inf"},
};
// clang-format on

}  // namespace

TEST_CASE("dense tensors print as NumPy prints them") {
  for (const auto& [tensor, text] : printed) CHECK(to_string(tensor) == text);
}

TEST_CASE("csr prints a line for each non-zero") {
  CHECK(to_string(Tensor({{0, 1.5, 0}, {0, 0, 0}, {-2, 0, 10}}).to_csr()) ==
        "csr [3, 3], 3 non-zeros\n"
        "  (0, 1)   1.5\n"
        "  (2, 0)  -2.\n"
        "  (2, 2)  10.");
  CHECK(to_string(Tensor({{0, 1}}).to_csr()) == "csr [1, 2], 1 non-zero\n  (0, 1)  1.");
  CHECK(to_string(zeros({4, 5}).to_csr()) == "csr [4, 5], 0 non-zeros");
}

TEST_CASE("csr with more than 50 non-zeros shows the first and the last 25") {
  const std::string text = to_string(ones({10, 13}, int32).to_csr());
  CHECK(text.starts_with("csr [10, 13], 130 non-zeros\n  (0, 0)   1\n"));
  CHECK(text.find("\n  (1, 11)  1\n  :\n  (8, 1)   1\n") != std::string::npos);
  CHECK(text.ends_with("\n  (9, 12)  1"));
  CHECK(std::count(text.begin(), text.end(), '\n') == 51);
}

TEST_CASE("rows and part print the rows they hold") {
  const auto index = std::make_shared<RowIndex>();
  index->row = {3, 17};
  CHECK(to_string(Tensor::rows({1000, 2}, index, Tensor({{1, 2}, {0.5, -4}}))) ==
        "rows [1000, 2], 2 rows held\n"
        "  (3)   [ 1.   2. ]\n"
        "  (17)  [ 0.5 -4. ]");
  CHECK(to_string(Tensor::rows({20}, index, Tensor({1, 2}), Layout::part)) ==
        "part [20], 2 rows held\n"
        "  (3)   1.\n"
        "  (17)  2.");
  CHECK(to_string(Tensor::rows({20, 2, 2}, index, arange(0, 8, 1, int32).reshape({2, 2, 2}))) ==
        "rows [20, 2, 2], 2 rows held\n"
        "  (3)   [[0 1]\n"
        "         [2 3]]\n"
        "  (17)  [[4 5]\n"
        "         [6 7]]");
  CHECK(to_string(Tensor::rows({5, 2}, std::make_shared<RowIndex>(), zeros({0, 2}))) == "rows [5, 2], 0 rows held");
}

TEST_CASE("rows of more than 1000 elements show three at either end") {
  const auto index = std::make_shared<RowIndex>();
  for (Index i = 0; i < 600; ++i) index->row.push_back(2 * i);
  CHECK(to_string(Tensor::rows({2000, 2}, index, arange(0, 1200, 1, int64).reshape({600, 2}))) ==
        "rows [2000, 2], 600 rows held\n"
        "  (0)     [   0    1]\n"
        "  (2)     [   2    3]\n"
        "  (4)     [   4    5]\n"
        "  :\n"
        "  (1194)  [1194 1195]\n"
        "  (1196)  [1196 1197]\n"
        "  (1198)  [1198 1199]");
}

TEST_CASE("fmt and streams print tensors, shapes, types and dtypes") {
  const Tensor tensor({{1, 2}}, int32);
  CHECK(fmt::format("{}|{}|{}|{}", tensor, tensor.shape(), tensor.type(), tensor.dtype()) ==
        "[[1 2]]|[1, 2]|int32 [1, 2]|int32");
  CHECK(fmt::format("{:>8}|{:<8}|", tensor.shape(), tensor.dtype()) == "  [1, 2]|int32   |");
  CHECK(to_string(tensor.to_csr().type()) == "int32 csr [1, 2]");
  std::ostringstream out;
  out << tensor << tensor.shape();
  CHECK(out.str() == "[[1 2]][1, 2]");
}
