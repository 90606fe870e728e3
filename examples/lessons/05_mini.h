// The whole thing in a page: matrices, a graph, reverse mode and five ops. For lesson 5 and its exercise.
#pragma once

#include <algorithm>
#include <cstddef>
#include <functional>
#include <utility>
#include <vector>

// [matrix]
struct Matrix {
  int rows, cols;
  std::vector<double> all;
  Matrix(int r, int c, double value = 0) : rows(r), cols(c), all(static_cast<std::size_t>(r * c), value) {}
  // An axis of size 1 broadcasts: every index means its only one.
  std::size_t at(int i, int j) const {
    return static_cast<std::size_t>((rows == 1 ? 0 : i) * cols + (cols == 1 ? 0 : j));
  }
  double operator()(int i, int j) const { return all[at(i, j)]; }
};

template <class F>  // the matrix of f(i, j)
Matrix each(int rows, int cols, F f) {
  Matrix y(rows, cols);
  for (int i = 0; i < rows; ++i)
    for (int j = 0; j < cols; ++j) y.all[y.at(i, j)] = f(i, j);
  return y;
}
inline void add_to(Matrix& sum, const Matrix& x) {  // where sum has an axis of size 1, x is summed along it
  for (int i = 0; i < x.rows; ++i)
    for (int j = 0; j < x.cols; ++j) sum.all[sum.at(i, j)] += x(i, j);
}
// [/]

// [graph]
struct Mini {
  struct Node {
    std::vector<std::size_t> in;
    std::function<Matrix(const Mini&, const Node&)> run;                          // the value, of the inputs' values
    std::function<Matrix(const Mini&, const Node&, const Matrix& dy, int)> back;  // dy, handed down to an input
    Matrix value{1, 1}, dy{1, 1};
  };
  std::vector<Node> node;

  std::size_t add_node(Node n) { return node.push_back(std::move(n)), node.size() - 1; }
  std::size_t leaf(Matrix value) { return add_node({{}, {}, {}, std::move(value)}); }
  const Matrix& in(const Node& n, int i) const { return node[n.in[static_cast<std::size_t>(i)]].value; }

  void run() {  // upwards: inputs are older than what reads them
    for (Node& n : node)
      if (n.run) n.value = n.run(*this, n);
  }
  void reverse(std::size_t y) {  // downwards: a node comes when all that read it have added their part
    for (Node& n : node) n.dy = Matrix(n.value.rows, n.value.cols);
    node[y].dy = Matrix(1, 1, 1);
    for (std::size_t id = y + 1; id-- > 0;)
      for (std::size_t i = 0; i < node[id].in.size(); ++i)
        add_to(node[node[id].in[i]].dy, node[id].back(*this, node[id], node[id].dy, static_cast<int>(i)));
  }

  // [/]
  // [two ops]
  template <class F>
  static Matrix zip(const Matrix& a, const Matrix& b, F f) {
    return each(std::max(a.rows, b.rows), std::max(a.cols, b.cols), [&](int i, int j) { return f(a(i, j), b(i, j)); });
  }
  std::size_t add(std::size_t a, std::size_t b) {
    return add_node({{a, b},
                     [](const Mini& m, const Node& n) { return zip(m.in(n, 0), m.in(n, 1), std::plus<>()); },
                     [](const Mini&, const Node&, const Matrix& dy, int) { return dy; }});
  }
  std::size_t mul(std::size_t a, std::size_t b) {
    return add_node({{a, b},
                     [](const Mini& m, const Node& n) { return zip(m.in(n, 0), m.in(n, 1), std::multiplies<>()); },
                     [](const Mini& m, const Node& n, const Matrix& dy, int i) {
                       return zip(dy, m.in(n, 1 - i), std::multiplies<>());
                     }});
  }
  // [/]
  static Matrix product(const Matrix& a, const Matrix& b) {  // a b^T
    return each(a.rows, b.rows, [&](int i, int j) {
      double sum = 0;
      for (int k = 0; k < a.cols; ++k) sum += a(i, k) * b(j, k);
      return sum;
    });
  }
  static Matrix turned(const Matrix& a) {
    return each(a.cols, a.rows, [&](int i, int j) { return a(j, i); });
  }
  std::size_t matmul_t(std::size_t a, std::size_t b) {  // a b^T: da = dy b, db = dy^T a
    return add_node({{a, b},
                     [](const Mini& m, const Node& n) { return product(m.in(n, 0), m.in(n, 1)); },
                     [](const Mini& m, const Node& n, const Matrix& dy, int i) {
                       return i == 0 ? product(dy, turned(m.in(n, 1))) : product(turned(dy), turned(m.in(n, 0)));
                     }});
  }
  std::size_t sum_rows(std::size_t a) {  // [n, p] -> [n, 1]; sum_all: -> [1, 1]
    return add_node({{a}, [](const Mini& m, const Node& n) { return reduced(m.in(n, 0), m.in(n, 0).rows); }, spread});
  }
  std::size_t sum_all(std::size_t a) {
    return add_node({{a}, [](const Mini& m, const Node& n) { return reduced(m.in(n, 0), 1); }, spread});
  }
  static Matrix reduced(const Matrix& x, int rows) {
    Matrix sum(rows, 1);
    add_to(sum, x);
    return sum;
  }
  static Matrix spread(const Mini& m, const Node& n, const Matrix& dy, int) {
    return each(m.in(n, 0).rows, m.in(n, 0).cols, dy);
  }
  std::size_t times(double factor, std::size_t a) { return mul(leaf(Matrix(1, 1, factor)), a); }
};
