// Transposes: values against plain loops over indices, gradients of first and second order, and layouts.
#include "shapes_cases.h"

using namespace gradus;
using namespace gradus::shapes;

TEST_CASE("transpose in any order, of any rank") {
  const std::vector<std::pair<Shape, std::vector<int>>> cases = {
      {{}, {}},
      {{5}, {}},
      {{0, 3}, {}},
      {{1, 7}, {}},
      {{3, 5}, {}},
      {{33, 65}, {1, 0}},
      {{70, 1100}, {1, 0}},
      {{2, 3, 4}, {0, 2, 1}},
      {{2, 3, 4}, {2, 0, 1}},
      {{2, 3, 4}, {1, 0, 2}},
      {{2, 3, 4}, {-1, 1, 0}},
      {{40, 3, 50}, {2, 1, 0}},
      {{2, 3, 4, 5}, {3, 1, 0, 2}},
      {{2, 1, 4, 3, 2}, {4, 3, 1, 0, 2}},
      {{2, 3, 0, 3, 2}, {4, 3, 1, 0, 2}},
  };
  for (const auto& row : cases) {
    const Shape& shape = row.first;
    const auto& perm = row.second;
    CAPTURE(to_string(shape));
    std::vector<int> order = perm;
    for (int axis = shape.rank() - 1; perm.empty() && axis >= 0; --axis) order.push_back(axis);
    Place dims;
    for (int& axis : order) {
      axis = axis < 0 ? axis + shape.rank() : axis;
      dims.push_back(shape[axis]);
    }
    for (const DType dtype : all_dtypes) {
      const Tensor x = numbers(shape, dtype);
      const Tensor wanted = build(
          Shape(dims),
          [&](const Place& index) {
            Place from(index.size());
            for (std::size_t k = 0; k < index.size(); ++k) from[static_cast<std::size_t>(order[k])] = index[k];
            return at(x, from);
          },
          dtype);
      CHECK(apply_to(x, [&](const Expr& X) { return transpose(X, perm); }) == wanted);
    }
    if (shape.rank() > 0 && shape.size() < 1000) check_linear(shape, [&](const Expr& X) { return transpose(X, perm); });
  }
}

TEST_CASE("transpose of csr stays csr; of rows it becomes dense") {
  Graph g;
  const Expr X = g.sparse_placeholder("X", {any, any}, float64);
  const Expr y = transpose(X);
  CHECK(y.layout() == Layout::csr);
  Session session(g);
  for (const Tensor& x : {Tensor({{0, 1, 0, 2}, {0, 0, 0, 0}, {3, 0, 0, 4}}, float64), zeros({2, 3}, float64),
                          zeros({0, 3}, float64), zeros({3, 0}, float64)}) {
    const Tensor result = session.run(y, {{X, x.to_csr()}});
    CHECK(result.layout() == Layout::csr);
    result.pattern()->check();
    CHECK(result.to_dense() == apply_to(x, [](const Expr& D) { return transpose(D); }));
  }

  const Expr i = g.placeholder("i", {any}, int32);
  const Expr u = g.placeholder("u", {any, 2, 3}, float64);
  const Expr rows = scatter_add(i, u, {5, 2, 3});
  REQUIRE(rows.layout() == Layout::rows);
  for (const std::vector<int>& perm : {std::vector<int>{2, 1, 0}, {0, 2, 1}, {1, 0, 2}})
    for (const Tensor& index : {Tensor({4, 1}, int32), zeros({0}, int32)}) {
      const Expr out = transpose(rows, perm);
      CHECK(out.layout() == Layout::dense);
      const Tensor updates = numbers({index.dim(0), 2, 3});
      CHECK(session.run(out, {{i, index}, {u, updates}}) ==
            apply_to(session.run(rows, {{i, index}, {u, updates}}).to_dense(),
                     [&](const Expr& D) { return transpose(D, perm); }));
    }
}
