// Sparse is a layout: each call here is made once with a CSR matrix and once with the same matrix dense. Value,
// gradients by the dense operands, and the gradient by the matrix at its non-zeros must be the same; the layouts as
// ops.h says.
#include "golden_file.h"

#include <gradus/core/error.h>
#include <gradus/core/run/session.h>
#include <gradus/core/tensor/create.h>
#include <gradus/core/tensor/random.h>
#include <gradus/ops/check_gradients.h>
#include <gradus/ops/gradients.h>
#include <gradus/ops/ops.h>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

using namespace gradus;

namespace {

// The operands of a call beside the matrix X [n, p]: a second matrix Z [n, p] of the same layout with other
// non-zeros; dense ones of the shapes their names say.
struct Operands {
  Expr X, Z;
  Expr scalar, row, column;           // [], [p], [n, 1]
  Expr right, right_t, left, left_t;  // [p, 2], [2, p], [2, n], [n, 2]: to multiply X with from either side
};

struct CsrCase {
  std::string name;
  Expr (*build)(const Operands&);
  Layout layout = Layout::csr;  // of the result for a csr X
};

const Layout dense = Layout::dense;

const std::vector<CsrCase> csr_cases = {
    {"identity", [](const Operands& o) { return identity(o.X); }},
    {"negative", [](const Operands& o) { return -o.X; }},
    {"abs", [](const Operands& o) { return abs(o.X); }},
    {"square", [](const Operands& o) { return square(o.X); }},
    {"pow 2", [](const Operands& o) { return pow(o.X, 2); }},
    {"pow 3", [](const Operands& o) { return pow(o.X, 3); }},
    {"sign", [](const Operands& o) { return sign(o.X); }},
    {"tanh", [](const Operands& o) { return tanh(o.X); }},
    {"elu", [](const Operands& o) { return elu(o.X, 0.5); }},
    {"selu", [](const Operands& o) { return selu(o.X); }},
    {"gelu", [](const Operands& o) { return gelu(o.X); }},
    {"gelu approximate", [](const Operands& o) { return gelu(o.X, true); }},
    {"silu", [](const Operands& o) { return silu(o.X); }},
    {"softsign", [](const Operands& o) { return softsign(o.X); }},
    {"l2_normalize axis 1", [](const Operands& o) { return l2_normalize(o.X, 1); }},
    {"l2_normalize", [](const Operands& o) { return l2_normalize(o.X, Axes()); }},
    {"cast", [](const Operands& o) { return cast(o.X, o.X.dtype()); }},
    {"X * number", [](const Operands& o) { return 0.5 * o.X; }},
    {"X / number", [](const Operands& o) { return o.X / 4; }},
    {"X * scalar", [](const Operands& o) { return o.X * o.scalar; }},
    {"scalar * X", [](const Operands& o) { return o.scalar * o.X; }},
    {"X * row", [](const Operands& o) { return o.X * o.row; }},
    {"row * X", [](const Operands& o) { return o.row * o.X; }},
    {"X * row [1, p]", [](const Operands& o) { return o.X * expand_dims(o.row, 0); }},
    {"X * column", [](const Operands& o) { return o.X * o.column; }},
    {"column * X", [](const Operands& o) { return o.column * o.X; }},
    {"X * X", [](const Operands& o) { return o.X * o.X; }},
    {"X * square(X)", [](const Operands& o) { return o.X * square(o.X); }},
    {"X + X", [](const Operands& o) { return o.X + o.X; }},
    {"X + Z", [](const Operands& o) { return o.X + o.Z; }},
    {"X - Z", [](const Operands& o) { return o.X - o.Z; }},
    {"X + Z^2 - X", [](const Operands& o) { return o.X + square(o.Z) - o.X; }},
    {"transpose", [](const Operands& o) { return transpose(o.X); }},
    {"transpose twice", [](const Operands& o) { return transpose(transpose(o.X)); }},
    {"stop_gradient", [](const Operands& o) { return o.X * stop_gradient(o.X); }},
    {"to_dense", [](const Operands& o) { return to_dense(o.X); }, dense},
    {"to_csr", [](const Operands& o) { return to_csr(to_dense(o.X)); }},
    {"sample X at Z",
     [](const Operands& o) { return o.Z.layout() == Layout::csr ? sample(o.X, o.Z) : mask(not_equal(o.Z, 0), o.X); }},
    {"to_csr of csr", [](const Operands& o) { return to_csr(o.X); }},
    {"matmul X right", [](const Operands& o) { return matmul(o.X, o.right); }, dense},
    {"matmul X right^T", [](const Operands& o) { return matmul(o.X, o.right_t, {.transpose_b = true}); }, dense},
    {"matmul X^T left_t", [](const Operands& o) { return matmul(o.X, o.left_t, {.transpose_a = true}); }, dense},
    {"matmul X^T left^T",
     [](const Operands& o) { return matmul(o.X, o.left, {.transpose_a = true, .transpose_b = true}); }, dense},
    {"matmul transpose(X) left_t", [](const Operands& o) { return matmul(transpose(o.X), o.left_t); }, dense},
    {"matmul left X", [](const Operands& o) { return matmul(o.left, o.X); }, dense},
    {"matmul left_t^T X", [](const Operands& o) { return matmul(o.left_t, o.X, {.transpose_a = true}); }, dense},
    {"matmul right_t X^T", [](const Operands& o) { return matmul(o.right_t, o.X, {.transpose_b = true}); }, dense},
    {"matmul right^T X^T",
     [](const Operands& o) { return matmul(o.right, o.X, {.transpose_a = true, .transpose_b = true}); }, dense},
    {"matmul X transpose(right_t)", [](const Operands& o) { return matmul(o.X, transpose(o.right_t)); }, dense},
    {"reduce_sum", [](const Operands& o) { return reduce_sum(o.X); }, dense},
    {"reduce_sum keep_dims", [](const Operands& o) { return reduce_sum(o.X, {}, keep_dims); }, dense},
    {"reduce_sum 0", [](const Operands& o) { return reduce_sum(o.X, 0); }, dense},
    {"reduce_sum 0 keep_dims", [](const Operands& o) { return reduce_sum(o.X, 0, keep_dims); }, dense},
    {"reduce_sum 1", [](const Operands& o) { return reduce_sum(o.X, 1); }, dense},
    {"reduce_sum -1 keep_dims", [](const Operands& o) { return reduce_sum(o.X, -1, keep_dims); }, dense},
    {"reduce_sum 0, 1",
     [](const Operands& o) {
       return reduce_sum(o.X, {0, 1});
     },
     dense},
    {"reduce_mean", [](const Operands& o) { return reduce_mean(o.X); }, dense},
    {"reduce_mean keep_dims", [](const Operands& o) { return reduce_mean(o.X, {}, keep_dims); }, dense},
    {"reduce_mean 0", [](const Operands& o) { return reduce_mean(o.X, 0); }, dense},
    {"reduce_mean 0 keep_dims", [](const Operands& o) { return reduce_mean(o.X, 0, keep_dims); }, dense},
    {"reduce_mean 1", [](const Operands& o) { return reduce_mean(o.X, 1); }, dense},
    {"reduce_mean -1 keep_dims", [](const Operands& o) { return reduce_mean(o.X, -1, keep_dims); }, dense},
    {"linear terms", [](const Operands& o) { return reduce_sum(o.row * o.X, 1, keep_dims); }, dense},
    {"column sums", [](const Operands& o) { return reduce_sum(o.column * o.X, 0); }, dense},
    {"interactions",
     [](const Operands& o) {
       return 0.5 * reduce_sum(pow(matmul(o.X, o.right), 2) - matmul(pow(o.X, 2), pow(o.right, 2)), 1, keep_dims);
     },
     dense},
};

struct Matrices {
  std::string name;
  Tensor X, Z;  // dense
};

const std::vector<Matrices>& matrices() {
  static const std::vector<Matrices> all = {
      {"an empty row and column",
       Tensor({{0, 1.5, 0, -2}, {0, 0, 0, 0}, {0.5, 0, 0, 3}, {0, -1, 0, 0}, {2, 2.5, 0, 1}}, float64),
       Tensor({{1, 0, 0, 2}, {0, 0, 3, 0}, {0, 0, 0, 0}, {0, 4, 0, 0}, {-1, 0, 0.5, 0}}, float64)},
      {"full", Tensor({{1, -2}, {3, 0.5}, {-1.5, 4}}, float64), Tensor({{2, 1}, {-1, 1}, {0, 3}}, float64)},
      {"one element", Tensor({{2.5}}, float64), Tensor({{0.0}}, float64)},
      {"one row", Tensor({{0, 2, 0, 0.25, 0, -1, 0}}, float64), Tensor({{1, 0, 0, 0.5, 0, 0, 2}}, float64)},
      {"one column", Tensor({{0.0}, {2.0}, {-3.0}}, float64), Tensor({{1.0}, {0.0}, {1.0}}, float64)},
      {"no non-zeros", zeros({3, 2}, float64), zeros({3, 2}, float64)},
      {"non-zeros in one alone", zeros({2, 3}, float64), Tensor({{0, 1, 0}, {2, 0, 0}}, float64)},
      {"no rows", zeros({0, 3}, float64), zeros({0, 3}, float64)},
      {"no columns", zeros({2, 0}, float64), zeros({2, 0}, float64)},
  };
  return all;
}

// A case built in a graph of its own.
struct Built {
  Built(const CsrCase& c, const Matrices& m, bool csr, bool known) {
    const std::int64_t n = m.X.dim(0), p = m.X.dim(1);
    const auto matrix = [&](const char* name, const Tensor& value) {
      const Shape shape = known ? value.shape() : Shape{any, any};
      return feed(csr ? g.sparse_placeholder(name, shape, float64) : g.placeholder(name, shape, float64),
                  csr ? value.to_csr() : value);
    };
    o.X = matrix("X", m.X);
    o.Z = matrix("Z", m.Z);
    o.scalar = parameter("scalar", {});
    o.row = parameter("row", {p});
    o.column = parameter("column", {n, 1});
    o.right = parameter("right", {p, 2});
    o.right_t = parameter("right_t", {2, p});
    o.left = parameter("left", {2, n});
    o.left_t = parameter("left_t", {n, 2});
    y = c.build(o);
    const Shape shape = Session(g).run(y, feeds).shape();
    const Tensor weights = random_uniform(shape, {.low = -1, .high = 1, .seed = 7, .dtype = float64});
    xs = {o.X, o.Z, o.scalar, o.row, o.column, o.right, o.right_t, o.left, o.left_t};
    derivatives = gradients(reduce_sum(to_dense(y) * weights), xs, Unconnected::zero);
  }

  Expr feed(const Expr& x, const Tensor& value) {
    feeds.push_back({x, value});
    return x;
  }
  Expr parameter(const char* name, const Shape& shape) {
    const Random random = random_uniform(shape, {.low = 0.5, .high = 2, .seed = 3, .dtype = float64});
    return feed(g.placeholder(name, shape, float64), random.draw(stream_of(name)));
  }
  std::vector<Tensor> run() {
    std::vector<Expr> fetches = {y};
    fetches.insert(fetches.end(), derivatives.begin(), derivatives.end());
    Session session(g);
    return session.run(fetches, feeds);
  }

  Graph g;
  Operands o;
  std::vector<Feed> feeds;
  Expr y;
  std::vector<Expr> xs;
  std::vector<Expr> derivatives;
};

// `dense` where the matrix has a non-zero, else 0: what a csr gradient can hold.
Tensor at_non_zeros(const Tensor& dense, const Tensor& matrix) {
  return Tensor::make<double>(dense.shape(), [&](std::span<double> out) {
    for (std::size_t i = 0; i < out.size(); ++i) {
      const auto position = static_cast<std::int64_t>(i);
      out[i] = matrix.stored_value(position) == 0 ? 0 : dense.stored_value(position);
    }
  });
}

void check_case(const CsrCase& c, const Matrices& m, bool known) {
  const std::string what = fmt::format("{}, {}{}", c.name, m.name, known ? "" : ", shapes unknown");
  try {
    Built sparse(c, m, true, known), reference(c, m, false, true);
    const std::vector<Tensor> got = sparse.run(), expected = reference.run();
    const bool same_shape = known ? sparse.y.shape() == got[0].shape() : matches(sparse.y.shape(), got[0].shape());
    CHECK_MESSAGE(same_shape,
                  what << ": inferred " << to_string(sparse.y.type()) << ", computed " << to_string(got[0].type()));
    CHECK_MESSAGE(sparse.y.layout() == got[0].layout(), what << ": layout inferred and computed differ");
    CHECK_MESSAGE(got[0].layout() == c.layout, what << ": layout " << std::string(to_string(got[0].layout())));
    const std::string value = disagreement(got[0], expected[0], 1e-13, 1e-14);
    CHECK_MESSAGE(value.empty(), what << ": value: " << value);
    for (std::size_t i = 0; i < sparse.xs.size(); ++i) {
      const Tensor right = i < 2 ? at_non_zeros(expected[i + 1].to_dense(), i == 0 ? m.X : m.Z) : expected[i + 1];
      const std::string apart = disagreement(got[i + 1], right, 1e-13, 1e-14);
      CHECK_MESSAGE(apart.empty(), what << ": gradient by " << sparse.xs[i].name() << ": " << apart);
    }
  } catch (const std::exception& thrown) {
    FAIL_CHECK(what << ": threw " << std::string(thrown.what()));
  }
}

}  // namespace

TEST_CASE("csr: values and gradients are those of the dense matrix") {
  for (const CsrCase& c : csr_cases) {
    for (const Matrices& m : matrices()) check_case(c, m, true);
  }
}

TEST_CASE("csr: the same where no dimension of the matrices is known") {
  for (const CsrCase& c : csr_cases) {
    for (const Matrices& m : matrices()) check_case(c, m, false);
  }
}

TEST_CASE("csr: gradients by the non-zeros and the dense operands are central differences") {
  for (const CsrCase& c : csr_cases) {
    // stop_gradient hides a path that differences see.
    if (c.name == "stop_gradient") continue;
    for (const Matrices& m : matrices()) {
      try {
        Built built(c, m, true, true);
        // The mean of nothing is NaN, and so are its differences.
        if (std::isnan(Session(built.g).run(reduce_sum(to_dense(built.y)), built.feeds).item())) continue;
        const GradientCheck check = check_gradients(built.y, built.xs, built.feeds);
        CHECK_MESSAGE(check, c.name << ", " << m.name << ": " << check.report);
      } catch (const std::exception& thrown) {
        FAIL_CHECK(c.name << ", " << m.name << ": threw " << std::string(thrown.what()));
      }
    }
  }
}

// Sorted ratings begin row after row with the same column; some rows are empty, and a column that one row begins with
// is the second of others.
TEST_CASE("csr: products with X^T where neighbouring rows begin with the same column") {
  constexpr std::int64_t n = 500, p = 23;
  std::vector<std::int64_t> start{0}, column;
  std::vector<double> values;
  for (std::int64_t r = 0; r < n; ++r) {
    const std::int64_t first = r / 7 % 11 + (r % 50 == 49 ? 3 : 0);
    for (std::int64_t j = r % 13 == 5 ? 3 : 0; j < 3; ++j) {
      column.push_back(first + j * (1 + r % 4));
      values.push_back(0.25 * static_cast<double>(1 + (r + j) % 5));
    }
    start.push_back(static_cast<std::int64_t>(column.size()));
  }
  for (const bool ones : {false, true})
    for (const DType dtype : {float32, float64})
      for (const std::int64_t k : {0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 15, 16, 20, 23, 30, 32, 50, 64, 65}) {
        const std::vector<double> of = ones ? std::vector<double>(values.size(), 1) : values;
        const Tensor x = Tensor::csr(n, p, start, column, of).cast(dtype);
        const Tensor d = random_normal({n, k}, {.seed = 1, .dtype = dtype});
        std::vector<double> expected(static_cast<std::size_t>(p * k), 0);
        for (std::int64_t r = 0; r < n; ++r)
          for (auto j = static_cast<std::size_t>(start[static_cast<std::size_t>(r)]);
               j < static_cast<std::size_t>(start[static_cast<std::size_t>(r) + 1]); ++j)
            for (std::int64_t c = 0; c < k; ++c)
              expected[static_cast<std::size_t>(column[j] * k + c)] += of[j] * d.stored_value(r * k + c);
        Graph g;
        const Expr X = g.sparse_placeholder("X", {n, p}, dtype), D = g.placeholder("D", {n, k}, dtype);
        const Tensor found = Session(g).run(matmul(X, D, {.transpose_a = true}), {{X, x}, {D, d}});
        CAPTURE(k);
        CHECK(disagreement(found, Tensor::from(expected, {p, k}).cast(dtype), dtype == float32 ? 1e-5 : 1e-13,
                           dtype == float32 ? 1e-4 : 1e-12)
                  .empty());
      }
}

// Where the result is large next to the matrix, threads share its rows.
TEST_CASE("csr: the transposed product is the same bits with any number of threads") {
  const std::int64_t p = 40000;
  for (const std::int64_t spread : {std::int64_t{1}, std::int64_t{37}, p}) {  // few columns, over and over; or all
    std::vector<std::int64_t> start{0}, column;
    std::vector<double> values;
    for (std::int64_t r = 0; r < 2100; ++r) {
      const std::int64_t length = std::min(spread, r == 700 ? 20000 : r % 61);  // one row longer than any block
      for (std::int64_t j = 0; j < length; ++j) {
        column.push_back(j * (spread / length) + (r * 7919 + j) % (spread / length));
        values.push_back(0.125 * static_cast<double>(1 + (r + j) % 9) + 1e-3 * static_cast<double>(r));
      }
      start.push_back(static_cast<std::int64_t>(column.size()));
    }
    for (const bool ones : {false, true})
      for (const DType dtype : {float32, float64})
        for (const std::int64_t k : {1, 2, 5, 16, 40}) {
          const std::vector<double> of = ones ? std::vector<double>(values.size(), 1) : values;
          const Tensor x = Tensor::csr(2100, p, start, column, of).cast(dtype);
          const Tensor d = random_normal({2100, k}, {.seed = 1, .dtype = dtype});
          Graph g;
          const Expr X = g.sparse_placeholder("X", {any, p}, dtype), D = g.placeholder("D", {any, k}, dtype);
          const Expr product = matmul(X, D, {.transpose_a = true});
          const Tensor alone = Session(g, Device::cpu(), {.threads = 1}).run(product, {{X, x}, {D, d}});
          for (const int threads : {2, 3, 7}) {
            CAPTURE(spread);
            CAPTURE(k);
            CAPTURE(threads);
            Session session(g, Device::cpu(), {.threads = threads});
            CHECK(session.run(product, {{X, x}, {D, d}}) == alone);
          }
        }
  }
}

TEST_CASE("csr: gradients where a dimension of one matrix is known and not of the other") {
  Graph g;
  const Expr A = g.sparse_placeholder("A", {any, 1}, float64), B = g.sparse_placeholder("B", {1, any}, float64);
  const Expr loss = reduce_sum(A * A * B);
  const std::vector<Expr> slopes = gradients(loss, {A, B});
  Session session(g);
  const Tensor a = Tensor({{3.0}}, float64).to_csr(), b = Tensor({{5.0}}, float64).to_csr();
  const std::vector<Tensor> found = session.run(slopes, {{A, a}, {B, b}});
  CHECK(found[0].at(0, 0) == 30);
  CHECK(found[1].at(0, 0) == 9);
  CHECK_THROWS_AS(session.run(slopes, {{A, Tensor({{3.0}, {1.0}}, float64).to_csr()}, {B, b}}), TypeError);
}

// Rows of factors lie in vector registers, and their widths are whatever the user says.
TEST_CASE("csr: products and sums of squares of every width") {
  constexpr std::int64_t n = 1035, p = 7;
  const Tensor few({{1, 0, 0, 2, 0, 0, 0},
                    {0, 0, 3, 0, 0, 0, 0},
                    {0, 0, 0, 0, 0, 0, 0},
                    {0, 4, 0, 0, -1, 0.5, 0},
                    {-1, 0, 0.5, 0, 0, 0, 2},
                    {0, 0, 0, 0, 0, 0, 1},
                    {1, 1, 1, 1, 1, 1, 1},
                    {0, 0, 0, 0, 2, 0, 0},
                    {0, 7, 0, 0, 0, 0, 0}});
  std::vector<double> again;
  for (std::int64_t r = 0; r < n; r += few.dim(0)) again.insert(again.end(), few.begin(), few.end());
  const Tensor dense = Tensor::from(again, {n, p});
  for (const DType dtype : {float32, float64})
    for (std::int64_t k = 1; k <= 67; ++k) {
      CAPTURE(k);
      const Tensor x = dense.cast(dtype);
      const Tensor b = random_normal({p, k}, {.seed = 1, .dtype = dtype});
      Graph g;
      const Expr S = g.sparse_placeholder("S", {n, p}, dtype), X = g.placeholder("X", {n, p}, dtype),
                 B = g.placeholder("B", {p, k}, dtype);
      const Expr sparse = matmul(S, B), expected = matmul(X, B);
      const auto squares = [](const Expr& product) { return reduce_sum(square(product), 1, keep_dims); };
      Session session(g);
      CHECK((session.explain(squares(sparse)).find("row_dots(") != std::string::npos) == (k > 1));
      const auto run = [&](const Tensor& factors) {
        return session.run({sparse, expected, squares(sparse), squares(expected)},
                           {{S, x.to_csr()}, {X, x}, {B, factors}});
      };
      const double tolerance = dtype == float32 ? 1e-5 : 1e-13;
      const auto of = run(b);
      CHECK(disagreement(of[0], of[1], tolerance, 10 * tolerance).empty());
      CHECK(disagreement(of[2], of[3], tolerance, 10 * tolerance).empty());
      // What is infinite is so once, wherever in a row it stands.
      for (const std::int64_t c : {k - 1, k / 2}) {
        std::vector<double> numbers(b.begin(), b.end());
        numbers[static_cast<std::size_t>(5 * k + c)] = std::numeric_limits<double>::infinity();
        const Tensor sums = run(Tensor::from(numbers, {p, k}).cast(dtype))[2];
        CHECK(std::isinf(sums.at(3, 0)));
        CHECK(std::isfinite(sums.at(0, 0)));
      }
    }
}
