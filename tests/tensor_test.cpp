// Tensors: made, read, converted and compared in every layout, and the exact text of what they refuse.
#include "special_values.h"
#include "values_of.h"

#include <gradus/core/error.h>
#include <gradus/core/tensor/create.h>
#include <gradus/core/tensor/random.h>
#include <gradus/core/tensor/tensor.h>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <numeric>
#include <thread>
#include <vector>

using namespace gradus;

namespace {

std::shared_ptr<const RowIndex> row_index(std::vector<Index> rows) {
  auto out = std::make_shared<RowIndex>();
  out->row = std::move(rows);
  return out;
}

using Floats = std::vector<float>;
using Ints = std::vector<std::int32_t>;
using Longs = std::vector<std::int64_t>;

// csr [3, 4] of values 1, 2, ...
Tensor csr34(const Longs& row_start, const Longs& column, Duplicates duplicates = Duplicates::refuse) {
  Floats values(column.size());
  std::iota(values.begin(), values.end(), 1.0F);
  return Tensor::csr(3, 4, row_start, column, values, duplicates);
}

}  // namespace

TEST_CASE("braced lists become tensors of any rank") {
  CHECK(Tensor().type() == Type{float32, {0}, Layout::dense});
  CHECK(Tensor({}).shape() == Shape{0});
  CHECK(Tensor({5}).shape() == Shape{1});
  CHECK(Tensor({{5}, {3}}).shape() == Shape{2, 1});
  CHECK(Tensor({{}, {}}).shape() == Shape{2, 0});
  CHECK(Tensor({{{1, 2}}, {{3, 4}}, {{5, 6}}}).shape() == Shape{3, 1, 2});
  CHECK(Tensor({{{{{{{{1, 2}}}}}}}}).rank() == 8);
  CHECK(values_of(Tensor({{1, 2.5}, {-3, 4}}, float64)) == std::vector<double>{1, 2.5, -3, 4});
  CHECK(Tensor({1, 2}, int64).span<std::int64_t>()[1] == 2);
  CHECK(Tensor({true, false}, boolean).span<bool>()[0]);
  const Tensor scalar = 0.5;
  CHECK(scalar.type() == Type{});
  CHECK(scalar.item() == 0.5);
  CHECK(Tensor(7, int64).dtype() == int64);
}

TEST_CASE("lists that are not rectangular, and numbers that do not fit, are refused") {
  CHECK_THROWS_WITH_AS((Tensor({{1, 2}, {3}})), "Tensor: the list at [1] has 1 element but the first beside it has 2",
                       TypeError);
  CHECK_THROWS_WITH_AS((Tensor({{{1, 2}, {3, 4}}, {{5, 6}, {7, 8, 9}}})),
                       "Tensor: the list at [1, 1] has 3 elements but the first beside it has 2", TypeError);
  CHECK_THROWS_WITH_AS((Tensor({{1, 2}, 3})),
                       "Tensor: there is a number at [1] but a list at the first place beside it", TypeError);
  CHECK_THROWS_WITH_AS((Tensor({1, {2, 3}})),
                       "Tensor: there is a list at [1] but a number at the first place beside it", TypeError);
  CHECK_THROWS_WITH_AS((Tensor({1.5}, int32)), "1.5 is not an int32; whole numbers from -2147483648 to 2147483647 are",
                       ValueError);
  CHECK_THROWS_WITH_AS(
      (Tensor(0x1p63, int64)),
      "9.223372036854776e+18 is not an int64; whole numbers from -9223372036854775808 to 9223372036854775807 are",
      ValueError);
  CHECK_THROWS_AS(Tensor(not_a_number, int32), ValueError);
  CHECK_THROWS_WITH_AS((Tensor({2}, boolean)), "2 is not a bool; 0 and 1 are", ValueError);
  CHECK_THROWS_WITH_AS((Tensor(1e39)), "1e+39 is not a float32; its largest number is 3.4028235e+38", ValueError);
  CHECK(Tensor(infinity).item() == infinity);
  CHECK(Tensor(-0x1p63, int64).span<std::int64_t>()[0] == INT64_MIN);
}

TEST_CASE("vectors and spans are copied") {
  std::vector<double> values{1, 2, 3, 4, 5, 6};
  const Tensor tensor = Tensor::from(values, {2, 3});
  values[0] = 7;
  CHECK(tensor == Tensor({{1, 2, 3}, {4, 5, 6}}, float64));
  CHECK(Tensor::from(Ints{1, 2}) == Tensor({1, 2}, int32));
  CHECK(Tensor::from(std::vector<bool>{true, false, true}) == Tensor({1, 0, 1}, boolean));
  CHECK(Tensor::from(std::span<const double>(values).first(2), {2, 1}) == Tensor({{7}, {2}}, float64));
  CHECK_THROWS_WITH_AS(Tensor::from(values, {2, 2}), "Tensor: 6 values were given for shape [2, 2], which holds 4",
                       TypeError);
  CHECK_THROWS_WITH_AS(Tensor::from(Floats{1}, {any}),
                       "Tensor: 1 value was given for shape [?], which is not all known", TypeError);
}

TEST_CASE("shapes are checked before anything is allocated") {
  CHECK_THROWS_WITH_AS((zeros({INT64_MAX, 2})),
                       "shape [9223372036854775807, 2] holds more elements than fit in 64 bits", TypeError);
  CHECK_THROWS_WITH_AS((zeros({3, -2})), "shape [3, -2]: dimension 1 is -2; sizes are at least 0", TypeError);
  CHECK_THROWS_WITH_AS((zeros({1, 1, 1, 1, 1, 1, 1, 1, 1})),
                       "shape [1, 1, 1, 1, 1, 1, 1, 1, 1] has 9 dimensions; at most 8 are supported", TypeError);
  CHECK_THROWS_WITH_AS((zeros({any, 3})), "Tensor: shape [?, 3] has an unknown dimension; a tensor's are all known",
                       TypeError);
  CHECK_THROWS_WITH_AS(Tensor::uninitialized({float32, {2, 2}, Layout::csr}),
                       "Tensor: memory of type float32 csr [2, 2] was asked for; only dense tensors are made so",
                       TypeError);
}

TEST_CASE("tensors are made from nothing as NumPy makes them") {
  CHECK(zeros({2, 2}, int32) == Tensor({{0, 0}, {0, 0}}, int32));
  CHECK(ones({2}, boolean) == Tensor({1, 1}, boolean));
  CHECK(full({}, 2.5).item() == 2.5);
  CHECK(eye(2, float64) == Tensor({{1, 0}, {0, 1}}, float64));
  CHECK(eye(0).shape() == Shape{0, 0});
  CHECK(arange(1, 2, 0.25) == Tensor({1, 1.25, 1.5, 1.75}));
  CHECK(arange(3, 0, -1, int64) == Tensor({3, 2, 1}, int64));
  CHECK(arange(0, 1, -1).size() == 0);
  CHECK(arange(0, 5, 2).size() == 3);
  CHECK(linspace(0, 1, 5) == Tensor({0, 0.25, 0.5, 0.75, 1}));
  CHECK(linspace(2, 7, 1) == Tensor({2}));
  CHECK(linspace(2, 7, 0).size() == 0);
  CHECK(linspace(0, 3, 5, int32) == Tensor({0, 0, 1, 2, 3}, int32));
  CHECK(linspace(0, 0.1, 7, float64).at(-1) == 0.1);
  CHECK_THROWS_WITH_AS(eye(-1), "eye: n is -1; it must be at least 0", ValueError);
  CHECK_THROWS_WITH_AS(arange(0, 1, 0), "arange: start is 0, stop 1, step 0; all must be finite and step not 0",
                       ValueError);
  CHECK_THROWS_WITH_AS(arange(0, 2, 0.5, int32),
                       "0.5 is not an int32; whole numbers from -2147483648 to 2147483647 are", ValueError);
  CHECK_THROWS_WITH_AS(arange(0, 2, 1, boolean), "arange: dtype is bool; it must be a number's", TypeError);
  CHECK_THROWS_WITH_AS(arange(0, 1e300), "arange: from 0 to 1e+300 by 1 are 1e+300 numbers; too many", ValueError);
  CHECK_THROWS_WITH_AS(linspace(0, 1, -2), "linspace: count is -2; it must be at least 0", ValueError);
  CHECK_THROWS_WITH_AS(linspace(0, infinity, 2), "linspace: start is 0 and stop is inf; both must be finite",
                       ValueError);
  CHECK_THROWS_WITH_AS(full({2}, 0.5, int64),
                       "0.5 is not an int64; whole numbers from -9223372036854775808 to 9223372036854775807 are",
                       ValueError);
}

TEST_CASE("a csr matrix is put in order") {
  const Tensor tensor = csr34({0, 2, 2, 5}, {3, 1, 2, 0, 3});
  CHECK(tensor.type() == Type{float32, {3, 4}, Layout::csr});
  CHECK(tensor.stored() == 5);
  CHECK(tensor.size() == 12);
  CHECK(std::ranges::equal(tensor.pattern()->column, std::vector<Index>{1, 3, 0, 2, 3}));
  CHECK(tensor.to_dense() == Tensor({{0, 2, 0, 1}, {0, 0, 0, 0}, {4, 0, 3, 5}}));
  CHECK(Tensor::csr(3, 4, Ints{0, 2, 2, 5}, Ints{3, 1, 2, 0, 3}, Floats{1, 2, 3, 4, 5}) == tensor);
  CHECK(csr34({0, 3, 3, 5}, {1, 0, 1, 2, 2}, Duplicates::sum).to_dense() ==
        Tensor({{2, 4, 0, 0}, {0, 0, 0, 0}, {0, 0, 9, 0}}));
  CHECK(Tensor::csr(0, 0, Longs{0}, Longs{}, Floats{}).size() == 0);
}

TEST_CASE("a malformed csr matrix is refused") {
  CHECK_THROWS_WITH_AS(csr34({0, 1}, {0}), "csr [3, 4]: row_start has 2 entries; rows + 1 = 4 are needed", ValueError);
  CHECK_THROWS_WITH_AS(csr34({1, 1, 1, 1}, {0}), "csr [3, 4]: row_start begins with 1; it must begin with 0",
                       ValueError);
  CHECK_THROWS_WITH_AS(csr34({0, 2, 1, 2}, {0, 1}),
                       "csr [3, 4]: row 1 starts at 2 but ends at 1; row_start must not fall", ValueError);
  CHECK_THROWS_WITH_AS(csr34({0, 1, 1, 1}, {0, 1}),
                       "csr [3, 4]: row_start ends with 1 but 2 columns are given; the two must agree", ValueError);
  CHECK_THROWS_WITH_AS(csr34({0, 1, 2, 2}, {0, 4}), "csr [3, 4]: row 1 names column 4; columns are 0 to 3", ValueError);
  CHECK_THROWS_WITH_AS(csr34({0, 1, 2, 2}, {0, -1}), "csr [3, 4]: row 1 names column -1; columns are 0 to 3",
                       ValueError);
  // Cut to 32 bits this column would be 0.
  CHECK_THROWS_WITH_AS(csr34({0, 1, 1, 1}, {std::int64_t{1} << 32}),
                       "csr [3, 4]: row 0 names column 4294967296; columns are 0 to 3", ValueError);
  CHECK_THROWS_WITH_AS(csr34({0, 3, 3, 3}, {2, 0, 2}), "csr [3, 4]: row 0 names column 2 twice", ValueError);
  CHECK_THROWS_WITH_AS(Tensor::csr(1, 1, Longs{0, 1}, Longs{0}, Floats{}),
                       "csr [1, 1]: 1 columns but 0 values are given; each non-zero has one of both", ValueError);
  CHECK_THROWS_WITH_AS(Tensor::csr(-1, 1, Longs{0}, Longs{}, Floats{}),
                       "csr [-1, 1]: a CSR matrix has 0 to 2147483647 rows and columns", ValueError);
  CHECK_THROWS_WITH_AS(Tensor::csr(1, std::int64_t{1} << 31, Longs{0, 0}, Longs{}, Floats{}),
                       "csr [1, 2147483648]: a CSR matrix has 0 to 2147483647 rows and columns", ValueError);
  CsrPattern descending;
  descending.rows = 1;
  descending.columns = 4;
  descending.row_start = {0, 2};
  descending.set_column({3, 1});
  CHECK_THROWS_WITH_AS(descending.check(), "csr [1, 4]: row 0 names column 1 after column 3; columns must ascend",
                       ValueError);
  const Tensor good = csr34({0, 1, 1, 1}, {0});
  CHECK_THROWS_WITH_AS(Tensor::csr(good.pattern(), Tensor({1, 2})),
                       "csr [3, 4]: values are float32 [2] but the pattern has 1 non-zero; dense [1] is needed",
                       TypeError);
}

TEST_CASE("the non-zeros column by column") {
  // Wide and narrow: few columns take one counting pass, many a radix sort.
  for (const std::int64_t columns :
       {std::int64_t{5}, std::int64_t{3000}, std::int64_t{3'000'000}, max_sparse_dimension}) {
    const std::int64_t rows = 200;
    const std::int64_t each = std::min<std::int64_t>(columns, 40);
    Longs row_start{0};
    Longs column;
    const Tensor random = random_uniform({rows, each}, {.high = static_cast<double>(columns), .dtype = float64});
    for (std::int64_t r = 0; r < rows; ++r) {
      for (std::int64_t j = 0; j < each; ++j) column.push_back(static_cast<std::int64_t>(random.at(r, j)));
      // The ends of the range are where digits are lost.
      column.push_back(columns - 1);
      column.push_back(0);
      row_start.push_back(static_cast<std::int64_t>(column.size()));
    }
    const Tensor tensor = Tensor::csr(rows, columns, row_start, column, Floats(column.size(), 1.0F), Duplicates::sum);
    const CsrPattern& pattern = *tensor.pattern();
    const CsrPattern::ByColumn& by_column = pattern.by_column();
    CHECK(&by_column == &pattern.by_column());

    std::vector<std::pair<Index, Index>> expected;  // column, row
    for (std::int64_t r = 0; r < rows; ++r)
      for (auto p = pattern.row_start[static_cast<std::size_t>(r)];
           p < pattern.row_start[static_cast<std::size_t>(r + 1)]; ++p)
        expected.emplace_back(pattern.column[static_cast<std::size_t>(p)], static_cast<Index>(r));
    std::sort(expected.begin(), expected.end());
    std::vector<std::pair<Index, Index>> found;
    for (std::size_t t = 0; t < pattern.active_columns()->row.size(); ++t)
      for (auto i = by_column.start[t]; i < by_column.start[t + 1]; ++i)
        found.emplace_back(pattern.active_columns()->row[t], by_column.row[static_cast<std::size_t>(i)]);
    CHECK(found == expected);
    CHECK(std::is_sorted(pattern.active_columns()->row.begin(), pattern.active_columns()->row.end()));
    CHECK(by_column.start.size() == pattern.active_columns()->row.size() + 1);
    bool positions_agree = true;
    for (std::size_t i = 0; i < found.size(); ++i)
      positions_agree &= pattern.column[static_cast<std::size_t>(by_column.position[i])] == found[i].first;
    for (std::size_t p = 0; p < pattern.column.size(); ++p)
      positions_agree &=
          pattern.active_columns()->row[static_cast<std::size_t>(pattern.active().slot[p])] == pattern.column[p];
    CHECK(positions_agree);
  }
  const Tensor empty = Tensor::csr(2, 3, Longs{0, 0, 0}, Longs{}, Floats{});
  CHECK(empty.pattern()->active_columns()->count() == 0);
  CHECK(empty.pattern()->by_column().start == Longs{0});
}

TEST_CASE("threads may ask for the columns at once") {
  const Tensor tensor = random_uniform({300, 50}).operator Tensor().to_csr();
  std::vector<const CsrPattern::ByColumn*> seen(8);
  std::vector<std::thread> threads;
  for (auto& place : seen) threads.emplace_back([&] { place = &tensor.pattern()->by_column(); });
  for (std::thread& thread : threads) thread.join();
  for (const auto* place : seen) CHECK(place == &tensor.pattern()->by_column());
  CHECK(seen[0]->row.size() == static_cast<std::size_t>(tensor.stored()));
}

TEST_CASE("rows hold some rows of a table") {
  const Tensor values({{1, 2}, {3, 4}});
  const Tensor rows = Tensor::rows({5, 2}, row_index({1, 4}), values);
  CHECK(rows.type() == Type{float32, {5, 2}, Layout::rows});
  CHECK(rows.stored() == 4);
  CHECK(rows.to_dense() == Tensor({{0, 0}, {1, 2}, {0, 0}, {0, 0}, {3, 4}}));
  CHECK_THROWS_WITH_AS(Tensor::rows({5, 2}, row_index({1}), values),
                       "rows: values are float32 [2, 2] for 1 row of [5, 2]; dense [1, 2] is needed", TypeError);
  CHECK_THROWS_WITH_AS(Tensor::rows({}, row_index({}), values), "rows: a tensor float32 rows [] has no rows to hold",
                       TypeError);
  CHECK_THROWS_WITH_AS(Tensor::rows({5, 2}, row_index({1, 5}), values),
                       "rows: row 5 of [5, 2] is named; rows are 0 to 4", ValueError);
  CHECK_THROWS_WITH_AS(Tensor::rows({5, 2}, row_index({4, 1}), values),
                       "rows: row 1 is named after row 4; rows must ascend, each once", ValueError);
  CHECK_THROWS_WITH_AS(Tensor::rows({5, 2}, row_index({1, 4}), values, Layout::csr),
                       "rows: layout csr was asked for; rows and part are the two that hold rows", TypeError);
}

TEST_CASE("elements are read in every layout") {
  const Tensor dense({{0, 2, 0}, {4, 0, 6}});
  const Tensor csr = dense.to_csr();
  const Tensor rows = Tensor::rows({4, 3}, row_index({1, 3}), dense);
  CHECK(dense.at(1, 2) == 6);
  CHECK(dense.at(-1, -3) == 4);
  CHECK(csr.at(1, 2) == 6);
  CHECK(csr.at(1, 1) == 0);
  CHECK(rows.at(3, 2) == 6);
  CHECK(rows.at(0, 0) == 0);
  CHECK(rows.at(-1, 0) == 4);
  CHECK(Tensor(3).at() == 3);
  CHECK(dense.dim(-1) == 3);
  CHECK(values_of(dense) == std::vector<double>{0, 2, 0, 4, 0, 6});
  CHECK(csr.span<float>().size() == 3);
  CHECK(Tensor({{5}}).to_csr().item() == 5);
  CHECK(Tensor({{0}}).to_csr().item() == 0);
  CHECK(Tensor::rows({1}, row_index({}), zeros({0})).item() == 0);

  CHECK_THROWS_WITH_AS(dense.at(2, 0), "at: [2, 0] is outside float32 [2, 3]; axis 0 has size 2", ValueError);
  CHECK_THROWS_WITH_AS(csr.at(0, -4), "at: [0, -4] is outside float32 csr [2, 3]; axis 1 has size 3", ValueError);
  CHECK_THROWS_WITH_AS(dense.at(1), "at: [1] names 1 of 2 axes of a tensor float32 [2, 3]", ValueError);
  CHECK_THROWS_WITH_AS(dense.item(), "item: the tensor is float32 [2, 3], which has 6 elements; item needs exactly 1",
                       TypeError);
  CHECK_THROWS_WITH_AS(dense.span<double>(), "span: the tensor is float32 [2, 3], not float64; cast it first",
                       TypeError);
  CHECK_THROWS_WITH_AS(csr.begin(),
                       "begin: the tensor is float32 csr [2, 3]; only dense ones are iterated, so take to_dense() or "
                       "span()",
                       TypeError);
  CHECK_THROWS_WITH_AS(dense.dim(2), "dim: axis 2 of a tensor [2, 3] was asked for; it has 2 axes", ValueError);
  const Tensor part = Tensor::rows({4, 3}, row_index({1, 3}), dense, Layout::part);
  CHECK(part.at(3, 0) == 4);
  CHECK_THROWS_WITH_AS(part.at(0, 0), "at: row 0 is not held by a tensor float32 part [4, 3]", ValueError);
  CHECK_THROWS_WITH_AS(Tensor::rows({1}, row_index({}), zeros({0}), Layout::part).item(),
                       "item: the tensor is float32 part [1] and does not hold its row", ValueError);
}

TEST_CASE("casts keep layout and pattern") {
  CHECK(Tensor({1.9, -1.9, 0.5}).cast(int32) == Tensor({1, -1, 0}, int32));
  CHECK(Tensor({3e9, -3e9, not_a_number, infinity}, float64).cast(int32) ==
        Tensor({2147483647, -2147483648, 0, 2147483647}, int32));
  CHECK(Tensor({1e30, -1e30}).cast(int64).span<std::int64_t>()[0] == INT64_MAX);
  CHECK(Tensor({0, 2, not_a_number}).cast(boolean) == Tensor({0, 1, 1}, boolean));
  CHECK(Tensor({1, 0}, boolean).cast(float64) == Tensor({1, 0}, float64));
  const Tensor csr = Tensor({{0, 1.5}}).to_csr();
  CHECK(csr.cast(float64).pattern() == csr.pattern());
  CHECK(csr.cast(int32).to_dense() == Tensor({{0, 1}}, int32));
  CHECK_FALSE(csr.cast(float64).ones());
  CHECK(Tensor({{0, 1}, {1, 1}}, float64).to_csr().cast(float32).ones());
  const Tensor rows = Tensor::rows({3}, row_index({2}), Tensor({2.5}));
  CHECK(rows.cast(int64).to_dense() == Tensor({0, 0, 2}, int64));
  CHECK(csr.cast(float32).data() == csr.data());
}

TEST_CASE("layouts are changed, shapes too") {
  const Tensor dense({{0, 2, 0}, {4, not_a_number, -0.0}});
  CHECK(dense.to_csr().stored() == 3);
  CHECK(dense.to_csr().to_csr().stored() == 3);
  CHECK(zeros({0, 3}).to_csr().to_dense().shape() == Shape{0, 3});
  CHECK(zeros({3, 0}).to_csr().pattern()->row_start == Longs{0, 0, 0, 0});
  CHECK(dense.reshape({3, any}).shape() == Shape{3, 2});
  CHECK(dense.reshape({6}).data() == dense.data());
  CHECK(zeros({0, 3}).reshape({any, 5}).shape() == Shape{0, 5});
  CHECK(Tensor({1}).reshape({}).rank() == 0);
  CHECK_THROWS_WITH_AS(zeros({2}).to_csr(), "to_csr: the tensor is float32 [2]; a dense one of rank 2 is needed",
                       TypeError);
  CHECK_THROWS_WITH_AS(Tensor::rows({3}, row_index({2}), Tensor({1}), Layout::part).to_dense(),
                       "to_dense: the tensor is float32 part [3]; what its other rows are is not known", TypeError);
  CHECK_THROWS_WITH_AS(dense.reshape({5}), "reshape: the tensor is float32 [2, 3] with 6 elements but [5] holds 5",
                       TypeError);
  CHECK_THROWS_WITH_AS(dense.reshape({4, any}),
                       "reshape: the tensor is float32 [2, 3] with 6 elements; for [4, ?] it must be a multiple of 4",
                       TypeError);
  CHECK_THROWS_WITH_AS(dense.reshape({any, any}), "reshape: [?, ?] has 2 unknown dimensions; one can be worked out",
                       TypeError);
  CHECK_THROWS_WITH_AS(zeros({0}).reshape({0, any}), "reshape: the unknown dimension of [0, ?] could be of any size",
                       TypeError);
  CHECK_THROWS_WITH_AS(
      dense.to_csr().reshape({6}),
      "reshape: the tensor is float32 csr [2, 3]; only dense ones are reshaped, so take to_dense() first", TypeError);
}

TEST_CASE("equality is of type, pattern and numbers") {
  const Tensor a({{1, 0}, {0, 2}});
  CHECK(a == Tensor({{1, 0}, {0, 2}}));
  CHECK_FALSE(a == a.cast(float64));
  CHECK_FALSE(a == a.reshape({4}));
  CHECK_FALSE(a == a.to_csr());
  CHECK(a.to_csr() == Tensor({{1, 0}, {0, 2}}).to_csr());
  CHECK_FALSE(a.to_csr() == Tensor({{0, 1}, {0, 2}}).to_csr());
  CHECK_FALSE(Tensor({not_a_number}) == Tensor({not_a_number}));
  const Tensor rows = Tensor::rows({5}, row_index({1, 4}), Tensor({1, 2}));
  CHECK(rows == Tensor::rows({5}, row_index({1, 4}), Tensor({1, 2})));
  CHECK_FALSE(rows == Tensor::rows({5}, row_index({1, 3}), Tensor({1, 2})));
  CHECK(Tensor() == zeros({0}));
}

TEST_CASE("allclose compares any two layouts") {
  const Tensor dense({{1, 0, 3}, {0, 0, 0}, {0, 2, 0}});
  const Tensor csr = dense.to_csr();
  const Tensor rows = Tensor::rows({3, 3}, row_index({0, 2}), Tensor({{1, 0, 3}, {0, 2, 0}}));
  const std::vector<Tensor> all{dense, csr, rows, dense.cast(float64), csr.cast(int32)};
  for (const Tensor& a : all)
    for (const Tensor& b : all) CHECK(allclose(a, b));
  // Each element once off, one that is stored and one that is not.
  for (std::size_t i = 0; i < 9; ++i) {
    Tensor other = Tensor::from(dense.span<float>(), {3, 3});
    other.writable<float>()[i] += 0.5F;
    for (const Tensor& a : all) {
      CHECK_FALSE(allclose(a, other));
      CHECK_FALSE(allclose(other, a));
      CHECK_FALSE(allclose(a, other.to_csr()));
      CHECK_FALSE(allclose(other.to_csr(), a));
    }
  }
  CHECK(allclose(Tensor({1.000005}), Tensor({1})));
  CHECK_FALSE(allclose(Tensor({1.0001}), Tensor({1})));
  CHECK(allclose(Tensor({1.0001}), Tensor({1}), 1e-3));
  CHECK(allclose(Tensor({infinity}), Tensor({infinity})));
  CHECK_FALSE(allclose(Tensor({1}), Tensor({infinity})));
  CHECK_FALSE(allclose(Tensor({not_a_number}), Tensor({not_a_number})));
  CHECK_THROWS_WITH_AS(allclose(dense, Tensor({1})),
                       "allclose: a is float32 [3, 3] but b is float32 [1]; shapes must be equal", TypeError);
  const Tensor part = Tensor::rows({3, 3}, row_index({0}), Tensor({{1, 0, 3}}), Layout::part);
  CHECK(allclose(part, part));
  CHECK_THROWS_WITH_AS(allclose(part, dense),
                       "allclose: a is float32 part [3, 3] and b is float32 [3, 3]; a part is compared with a part "
                       "that holds the same rows",
                       TypeError);
  // A wide matrix costs its non-zeros.
  const Tensor wide = Tensor::csr(1, max_sparse_dimension, Longs{0, 1}, Longs{max_sparse_dimension - 1}, Floats{1});
  CHECK(allclose(wide, wide.cast(float64)));
}
