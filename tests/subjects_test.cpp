// The headers that ops.h includes (slicing, sorting, segments, linear algebra): what they refuse, word for word, when a
// graph is built and in a run; and what the op table does not show.
#include "refusal.h"

#include <gradus/core/run/session.h>
#include <gradus/core/tensor/create.h>
#include <gradus/core/tensor/random.h>
#include <gradus/ops/gradients.h>
#include <gradus/ops/ops.h>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <cmath>
#include <functional>
#include <limits>

using namespace gradus;

namespace {

// "(X, subjects_test.cpp:14)".
std::string subject(std::string_view name, int line) { return fmt::format("({}, {})", name, here(line)); }

const char* const to_dense_hint = "; only dense operands fit, and to_dense(x) writes the zeros out";

}  // namespace

TEST_CASE("slicing and sorting refuse in these words") {
  Graph g;
  const int line = __LINE__ + 1;
  const Expr X = g.placeholder("X", {2, 3});
  const Expr U = g.placeholder("U", {any, 3});
  const Expr S = g.sparse_placeholder("S", {4, 3});
  const Expr I = g.placeholder("I", {4, 2}, int32);
  const std::string x = "[2, 3] " + subject("X", line), u = "[?, 3] " + subject("U", line + 1);
  const std::string s = "csr " + subject("S", line + 2), i = "[4, 2] " + subject("I", line + 3);

  CHECK(refusal([&] { at(X, {0, 1, 2}); }) == "at: 3 axes are named; x is " + x + " with 2");
  CHECK(refusal([&] { at(X, {ellipsis, 0, ellipsis}); }) == "at: ellipsis is given twice; once is right, x is " + x);
  CHECK(refusal([&] { at(X, {_, 3}); }) == "at: x is " + x + "; axis 1 has no index 3");
  CHECK(refusal([&] { at(X, {-3}); }) == "at: x is " + x + "; axis 0 has no index -3");
  CHECK(refusal([&] { at(S, {0}); }) == "at: x is " + s + to_dense_hint);
  CHECK(refusal<ValueError>([&] {
          at(X, {{_, _, 0}});
        }) == fmt::format("at: x is X: float32 [2, 3] ({}); a step of 0 leads nowhere", here(line)));
  Session session(g);
  CHECK(refusal([&] {
          session.run(at(U, {4}), {{U, zeros({3, 3})}});
        }) == "at: x is [3, 3] " + subject("U", line + 1) + "; axis 0 has no index 4");
  CHECK(refusal([&] {
          strided_slice(X, {0, 0, 0}, {1, 1, 1});
        }) ==
        "strided_slice: begin [0, 0, 0], end [1, 1, 1] and strides [] name 3, 3 and 0 axes; x is " + x + " with 2");
  CHECK(refusal([&] { unstack(U); }) == "unstack: x is " + u + "; axis 0 must be known when the graph is built");
  CHECK(refusal([&] { unstack(X, 4, 1); }) == "unstack: x is " + x + "; axis 1 gives 3 parts, not 4");
  CHECK(refusal([&] { reverse(X, 2); }) == "reverse: there is no axis 2; rank 2 has axes -2 to 1");
  CHECK(refusal([&] { roll(X, 1, -3); }) == "roll: there is no axis -3; x is " + x + " with axes -2 to 1");
  CHECK(refusal([&] { gather(X, I, 0, 1); }) ==
        "gather: batch_dims is 1 and axis 0; at most the axes before that one can be common to x " + x +
            " and indices " + i);
  CHECK(refusal([&] { gather(X, I, 1, 1); }) ==
        "gather: x is " + x + " but indices is " + i + "; sizes 2 and 4 of batch axis 0 differ");
  const int at_j = __LINE__ + 1;
  const Expr J = g.placeholder("J", {4, 3}, int32);
  CHECK(refusal([&] { gather_nd(X, J); }) ==
        "gather_nd: indices is [4, 3] " + subject("J", at_j) + " and x is " + x +
            "; the last axis of indices has an index for each of the first axes of x");
  CHECK(refusal<ValueError>([&] {
          session.run(gather_nd(X, I), {{X, zeros({2, 3})}, {I, full({4, 2}, 2, int32)}});
        }) == "gather_nd: index 2 in " + subject("I", line + 3) + " is out of range for axis 0 of x " +
                  subject("X", line) + ", which is [2, 3]");

  CHECK(refusal([&] { sort(X, 2); }) == "sort: there is no axis 2; x is " + x + " with axes -2 to 1");
  CHECK(refusal([&] { argsort(S); }) == "argsort: x is " + s + to_dense_hint);
  CHECK(refusal([&] { top_k(X, 4); }) == "top_k: k is 4, but x is " + x + ", whose last axis has 3");
  CHECK(refusal([&] {
          session.run(top_k(transpose(U), 5).values, {{U, zeros({4, 3})}});
        }).starts_with("top_k: k is 5, but x is [3, 4] "));
  CHECK(refusal<ValueError>([&] { top_k(X, -1); }).starts_with("top_k: k is -1 (subjects_test.cpp:"));
  CHECK(refusal([&] { in_top_k(I, X, 1); }) ==
        "in_top_k: predictions is int32 " + subject("I", line + 3) + "; float32 or float64 is expected");
  CHECK(refusal([&] { in_top_k(X, I, 1); }) ==
        "in_top_k: predictions is " + x + " and targets " + i + "; [n, classes] and [n] are expected");
  CHECK(refusal([&] { unique(X); }) == "unique: x is " + x + "; a vector is expected");
  CHECK(refusal([&] { gradients(reduce_sum(cast(argsort(X), float32)), {X}); }).find("lets no gradient through: ") !=
        std::string::npos);
}

TEST_CASE("segments, counts and statistics refuse in these words") {
  Graph g;
  const int line = __LINE__ + 1;
  const Expr X = g.placeholder("X", {4, 3});
  const Expr S = g.sparse_placeholder("S", {4, 3});
  const Expr I = g.placeholder("I", {4}, int32);
  const Expr B = g.placeholder("B", {4}, boolean);
  const std::string x = "[4, 3] " + subject("X", line), s = "csr " + subject("S", line + 1);
  const std::string b = "bool " + subject("B", line + 3);
  CHECK(refusal([&] { segment_sum(X, X, 2); }) ==
        "segment_sum: segment_ids is float32 " + subject("X", line) + "; int32 or int64 is expected");
  CHECK(refusal([&] { segment_max(B, I, 2); }) == "segment_max: data is " + b + "; cast it to a number type first");
  CHECK(refusal([&] { segment_mean(I, I, 2); }) ==
        "segment_mean: data is int32 " + subject("I", line + 2) + "; cast it to a floating type first");
  CHECK(refusal([&] { unsorted_segment_sum(transpose(X), I, 2); }).find("; data begins with the axes of segment_ids") !=
        std::string::npos);
  CHECK(refusal<ValueError>([&] {
          segment_min(X, I, -1);
        }).starts_with("segment_min: num_segments is -1 (subjects_test.cpp:"));
  Session session(g);
  const Feeds feeds = {{X, zeros({4, 3})}, {I, Tensor({0, 1, 5, -1}, int32)}};
  CHECK(refusal<ValueError>([&] { session.run(segment_sum(X, I, 4), feeds); }) ==
        "segment_sum: index 5 in " + subject("I", line + 2) +
            " is out of range for a dimension of 4; indices go from 0 to 3");
  const int unsorted = __LINE__ + 1;
  const Expr too_few = unsorted_segment_max(X, I, 5);
  CHECK(refusal<ValueError>([&] { session.run(too_few, feeds); }) ==
        "unsorted_segment_max: index 6 in " + subject("segment_ids_plus_1", unsorted) +
            " is out of range for a dimension of 6; indices go from 0 to 5");
  CHECK(refusal<ValueError>([&] { session.run(bincount(I, 9), feeds); }).starts_with("bincount: index -1 in (minimum"));
  CHECK(refusal([&] { bincount(X, 3); }) ==
        "bincount: values is float32 " + subject("X", line) + "; int32 or int64 is expected");
  CHECK(refusal([&] { bincount(I, 3, {.weights = X}); }) ==
        "bincount: values is [4] " + subject("I", line + 2) + " but weights is " + x + "; their shapes must agree");
  CHECK(refusal([&] { bincount(I, 3, {.dtype = boolean}); }) == "bincount: dtype is bool; counts are numbers");
  CHECK(refusal<ValueError>([&] {
          histogram_fixed_width(X, {0, 1}, 0);
        }).starts_with("histogram_fixed_width: nbins is 0 ("));
  CHECK(refusal([&] {
          histogram_fixed_width(X, {0, X});
        }) == "histogram_fixed_width: a bound of value_range is " + x + "; one number is expected");
  CHECK(refusal([&] { embedding_lookup_sparse(X, X); }) == "embedding_lookup_sparse: sp_ids is dense " +
                                                               subject("X", line) +
                                                               "; csr is expected (gather takes rows by index)");
  CHECK(refusal([&] { embedding_lookup_sparse(X, S); }) == "embedding_lookup_sparse: params is " + x +
                                                               " but sp_ids is [4, 3] " + subject("S", line + 1) +
                                                               "; the table has a row for each column of sp_ids");
  CHECK(refusal([&] { sparse_reduce_max(X); }) ==
        "sparse_reduce_max: x is dense " + subject("X", line) + "; csr is expected (reduce_max takes dense)");
  CHECK(refusal([&] { reduce_variance(S); }) == "reduce_variance: x is " + s + to_dense_hint);
  CHECK(refusal([&] { reduce_std(I); }) ==
        "reduce_std: x is int32 " + subject("I", line + 2) + "; cast it to a floating type first");
  CHECK(refusal([&] { moments(X, 2); }) == "moments: there is no axis 2; rank 2 has axes -2 to 1");
  CHECK(refusal([&] { count_nonzero(X, 2); }) == "count_nonzero: there is no axis 2; rank 2 has axes -2 to 1");
  CHECK(refusal([&] { scatter_add(I, B, {4}); }) ==
        "scatter_add: updates is " + b + "; numbers can be summed, so cast(updates, int64) first");
}

TEST_CASE("what needs to know the rank of its operand says so") {
  Graph g;
  const int line = __LINE__ + 1;
  const Expr N = g.placeholder("N", any_shape);
  const auto of = [&](std::string_view op) {
    return fmt::format(
        "{}: x is [...] {}, whose rank is not known before a run, but is needed; declare its placeholder with one: "
        "{{any, any}}",
        op, subject("N", line));
  };
  CHECK(refusal([&] { sort(N); }) == of("sort"));
  CHECK(refusal([&] { roll(N, 1, 0); }) == of("roll"));
  CHECK(refusal([&] { unstack(N); }) == of("unstack"));
  for (const auto& call : std::vector<std::function<void()>>{
           [&] { at(N, {0}); }, [&] { reverse(N, 0); }, [&] { top_k(N); }, [&] { segment_sum(N, N, 3); },
           [&] { reduce_variance(N); }, [&] { cholesky(N); }, [&] { einsum("ij->ji", N); }, [&] { gather_nd(N, N); }})
    CHECK_THROWS_AS(call(), TypeError);
}

TEST_CASE("solutions refuse in these words") {
  Graph g;
  const int line = __LINE__ + 1;
  const Expr X = g.placeholder("X", {2, 3});
  const Expr A = g.placeholder("A", {any, 2, 2});
  const Expr I = g.placeholder("I", {2, 2}, int32);
  const Expr v = g.placeholder("v", {2});
  const std::string x = "[2, 3] " + subject("X", line), a = subject("A", line + 1);
  CHECK(refusal([&] { cholesky(X); }) == "cholesky: a is " + x + "; as many rows as columns are expected");
  CHECK(refusal([&] { cholesky(I); }) ==
        "cholesky: a is int32 " + subject("I", line + 2) + "; float32 or float64 is expected");
  CHECK(refusal([&] { matrix_solve(at(A, {0}), v); }) ==
        "matrix_solve: b is [2] " + subject("v", line + 3) + "; at least two dimensions are expected");
  CHECK(refusal([&] { matrix_triangular_solve(A, X); }) == "matrix_triangular_solve: a is [?, 2, 2] " + a +
                                                               " but b is " + x +
                                                               "; [..., n, n] and [..., n, k] are expected");
  CHECK(refusal([&] { matrix_band_part(v, 0, 0); }) ==
        "matrix_band_part: x is [2] " + subject("v", line + 3) + "; at least two dimensions are expected");
  Session session(g);
  const Feeds feeds = {{A, Tensor::from<float>({1, 2, 2, 5, 0, 3, 0, 0}, {2, 2, 2})}};
  const Expr ones = g.constant(full({2, 2, 1}, 1));
  CHECK(refusal<ValueError>([&] { session.run(cholesky(A), feeds); }) ==
        "cholesky: a " + a + ", matrix 1 of 2, is not positive definite: its leading minor of order 1 is not positive");
  CHECK(refusal<ValueError>([&] { session.run(matrix_solve(A, ones), feeds); }) ==
        "matrix_solve: a " + a + ", matrix 1 of 2, is singular");
  CHECK(refusal<ValueError>([&] { session.run(matrix_triangular_solve(A, ones), feeds); }) ==
        "matrix_triangular_solve: a " + a + ", matrix 1 of 2, is singular");
  const double nan = std::numeric_limits<double>::quiet_NaN();
  CHECK(
      refusal<ValueError>([&] {
        session.run(cholesky(A), {{A, Tensor::from<float>({1, 0, 0, 1, 1, 0, static_cast<float>(nan), 5}, {2, 2, 2})}});
      }) ==
      "cholesky: a " + a + ", matrix 1 of 2, is not positive definite: its leading minor of order 2 is not positive");
}

TEST_CASE("a histogram of integers at their ends: differences do not wrap around") {
  Graph g;
  using Limits = std::numeric_limits<std::int64_t>;
  const Expr x = g.constant(Tensor::from<std::int64_t>({Limits::max(), Limits::min(), 1, 2}));
  CHECK(Session(g).run(histogram_fixed_width(x, {-2, 2}, 2)) == Tensor({1, 3}, int32));
}

TEST_CASE("a variable read by gather_nd, or by lookups of one row, is trained by its rows alone") {
  Graph g;
  const Expr table = g.variable("table", Filled{{5, 2}, 1});
  const Expr ids = g.sparse_placeholder("ids", {any, 5});
  CHECK(gradients(reduce_sum(embedding_lookup_sparse(table, ids)), {table})[0].layout() == Layout::rows);
  CHECK(gradients(reduce_sum(gather_nd(table, g.constant(Tensor({{3}, {0}}, int32)))), {table})[0].layout() ==
        Layout::rows);
}

TEST_CASE("a NaN is the extreme of its segment, of a row of a csr matrix, and the last in order") {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  Graph g;
  const Expr x = g.constant(Tensor({2, nan, 1}));
  const Expr s = to_csr(reshape(x, {1, 3}));
  Session session(g);
  const Expr ids = g.constant(Tensor({0, 0, 1}, int32));
  CHECK(to_string(session.run(segment_max(x, ids, 2))) == to_string(Tensor({nan, 1})));
  CHECK(to_string(session.run(unsorted_segment_min(x, ids, 2))) == to_string(Tensor({nan, 1})));
  CHECK(std::isnan(session.run(sparse_reduce_min(s)).item()));
  CHECK(session.run(argsort(x)) == Tensor({2, 0, 1}, int32));
  CHECK(session.run(top_k(x, 2).indices) == Tensor({1, 0}, int32));
}

TEST_CASE("hundreds of rows are sorted, solved and folded to the same bits with any number of threads") {
  Graph g;
  const Expr x = g.placeholder("x", {300, 70});
  const Expr a = reshape(at(x, {_, {0, 64}}), {300, 8, 8}) + 20 * matrix_band_part(g.constant(full({8, 8}, 1)), 0, 0);
  const Expr b = reshape(at(x, {_, {0, 16}}), {300, 8, 2});
  const Expr ids = g.constant(arange(0, 300, 1, int64));
  const std::vector<Expr> fetches = {sort(x), argsort(x, 0, descending), top_k(x, 3).values, matrix_solve(a, b),
                                     segment_max(x, ids, 300)};
  const Feeds feeds = {{x, random_normal({300, 70}, {.seed = 4})}};
  Session one(g, Device::cpu(), {.threads = 1}), four(g, Device::cpu(), {.threads = 4});
  CHECK(one.run(fetches, feeds) == four.run(fetches, feeds));
}
