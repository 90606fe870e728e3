// Calls that no careful program makes. Each must end in one of the library's exceptions, whatever stands in the memory
// behind its arguments: the address sanitizer watches this file as well.
#include "scratch_file.h"

#include <gradus/gradus.h>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

namespace gradus {
namespace {

constexpr std::int64_t greatest = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t least = std::numeric_limits<std::int64_t>::min();

struct HostileCall {
  std::string_view what;
  std::function<void()> make;
};

void check_refused(const std::vector<HostileCall>& calls) {
  for (const HostileCall& call : calls) {
    CAPTURE(call.what);
    CHECK_THROWS_AS(call.make(), Error);
  }
}

using Indices = std::vector<std::int64_t>;
using Floats = std::vector<float>;

Tensor csr(std::int64_t rows, std::int64_t columns, const Indices& row_start, const Indices& column) {
  return Tensor::csr<float>(rows, columns, row_start, column, Floats(column.size(), 1));
}

TEST_CASE("hostile tensors are refused") {
  check_refused({
      {"csr: row_start descends",
       [] {
         csr(2, 3, {0, 2, 1}, {0, 1});
       }},
      {"csr: row_start is negative",
       [] {
         csr(2, 3, {-1, 0, 1}, {0});
       }},
      {"csr: row_start begins late",
       [] {
         csr(1, 3, {1, 2}, {0, 1});
       }},
      {"csr: row_start ends beyond the columns",
       [] {
         csr(1, 3, {0, 9}, {0, 1});
       }},
      {"csr: row_start ends at the greatest integer",
       [] {
         csr(1, 3, {0, greatest}, {0});
       }},
      {"csr: row_start is short",
       [] {
         csr(3, 3, {0, 1}, {0});
       }},
      {"csr: row_start is empty", [] { csr(1, 3, {}, {}); }},
      {"csr: a column is negative",
       [] {
         csr(1, 3, {0, 1}, {-1});
       }},
      {"csr: a column is too large",
       [] {
         csr(1, 3, {0, 1}, {3});
       }},
      {"csr: a column is the greatest integer",
       [] {
         csr(1, 3, {0, 1}, {greatest});
       }},
      {"csr: a column twice",
       [] {
         csr(1, 3, {0, 2}, {1, 1});
       }},
      {"csr: fewer values than columns",
       [] {
         Tensor::csr<float>(1, 3, Indices{0, 2}, Indices{0, 1}, Floats{1});
       }},
      {"csr: negative sizes", [] { csr(-1, 3, {0}, {}); }},
      {"csr: sizes that no index holds",
       [] {
         csr(1, greatest, {0, 0}, {});
       }},
      {"csr: rows that overflow", [] { csr(greatest, 1, {0}, {}); }},
      {"csr of rank 3",
       [] {
         zeros({2, 2, 2}).to_csr();
       }},
      {"a shape that overflows",
       [] {
         zeros({greatest, 2});
       }},
      {"a shape of more memory than there is", [] { zeros({greatest / 8}); }},
      {"a negative size", [] { zeros({-3}); }},
      {"an unknown size", [] { zeros({any}); }},
      {"too many axes", [] { zeros(Shape(std::vector<std::int64_t>(100, 1))); }},
      {"values for another shape",
       [] {
         Tensor::from(Floats{1, 2}, {3});
       }},
      {"lists of two lengths",
       [] {
         Tensor({{1, 2}, {3}});
       }},
      {"a list beside a number",
       [] {
         Tensor({{1, 2}, 3});
       }},
      {"reshape to another size", [] { zeros({6}).reshape({4}); }},
      {"reshape to sizes that overflow",
       [] {
         zeros({6}).reshape({greatest, greatest});
       }},
      {"rows from a negative one", [] { zeros({6}).row_range(-1, 2); }},
      {"more rows than there are", [] { zeros({6}).row_range(3, greatest); }},
      {"an element out of range", [] { (void)zeros({6}).at(6); }},
      {"an element of an empty tensor", [] { (void)zeros({0}).at(0); }},
      {"the element of an empty tensor", [] { (void)zeros({0}).item(); }},
      {"another dtype's numbers", [] { (void)zeros({6}).span<double>(); }},
      {"eye of a negative size", [] { eye(-1); }},
      {"arange of too many", [] { arange(0, 1e18, 1e-9); }},
      {"arange by 0", [] { arange(0, 1, 0); }},
      {"arange to NaN", [] { arange(0, std::nan("")); }},
  });
}

TEST_CASE("hostile graphs are refused") {
  Graph g;
  const Expr x = g.placeholder("x", {2, 3});
  const Expr i = g.placeholder("i", {2}, int32);
  const Expr s = g.sparse_placeholder("s", {any, 3});
  check_refused({
      {"axis beyond the rank", [&] { reduce_sum(x, 2); }},
      {"the least axis", [&] { reduce_sum(x, std::numeric_limits<int>::min()); }},
      {"an axis twice",
       [&] {
         reduce_sum(x, {0, -2});
       }},
      {"argmax over nothing", [&] { argmax(g.constant(zeros({0})), 0); }},
      {"expand_dims far out", [&] { expand_dims(x, 100); }},
      {"reshape with two unknown sizes",
       [&] {
         reshape(x, {any, any});
       }},
      {"reshape that overflows",
       [&] {
         reshape(x, {greatest, greatest, 2});
       }},
      {"broadcast_to that overflows",
       [&] {
         broadcast_to(x, {greatest, greatest, 2, 3});
       }},
      {"tile that overflows",
       [&] {
         tile(x, {greatest, greatest});
       }},
      {"tile a negative number of times",
       [&] {
         tile(x, {-1, 1});
       }},
      {"pad that overflows",
       [&] {
         pad(x, {{greatest, greatest}, {0, 0}});
       }},
      {"pad by a negative number",
       [&] {
         pad(x, {{-1, 0}, {0, 0}});
       }},
      {"slice that overflows",
       [&] {
         slice(x, {greatest, 0}, {greatest, 1});
       }},
      {"slice from a negative place",
       [&] {
         slice(x, {-1, 0}, {1, 1});
       }},
      {"slice from the least integer",
       [&] {
         slice(x, {least, 0}, {1, 1});
       }},
      {"transpose with an axis twice",
       [&] {
         transpose(x, {0, 0});
       }},
      {"transpose with an axis too far",
       [&] {
         transpose(x, {0, 7});
       }},
      {"concat of nothing", [&] { concat(std::vector<Expr>{}, 0); }},
      {"split into no part", [&] { split(x, 0); }},
      {"split into a negative number of parts", [&] { split(x, -2); }},
      {"one_hot of a negative depth", [&] { one_hot(i, -1); }},
      {"one_hot that overflows",
       [&] {
         Session(g).run(one_hot(i, greatest), {{i, Tensor({0, 1}, int32)}});
       }},
      {"scatter_add to no axis", [&] { scatter_add(i, x, {}); }},
      {"split_rows into too many groups",
       [&] {
         split_rows(x, {0, 0, 0}, greatest);
       }},
      {"split_rows with a group too far",
       [&] {
         split_rows(x, {0, 5, 0}, 2);
       }},
      {"einsum of no arrow", [&] { einsum("ij,jk", x, x); }},
      {"einsum of no comma", [&] { einsum("ij->ij", x, x); }},
      {"einsum of nothing", [&] { einsum("", x, x); }},
      {"einsum of bytes", [&] { einsum("\xff\x80,\x01->", x, x); }},
      {"einsum with a letter twice", [&] { einsum("ii,ij->j", x, x); }},
      {"einsum of an unknown letter", [&] { einsum("ij,jk->iz", x, transpose(x)); }},
      {"einsum of dots", [&] { einsum("......,....", x, x); }},
      {"a slice of too many axes", [&] { at(x, std::vector<Slice>(9, _)); }},
      {"a slice at the least index", [&] { at(x, {least}); }},
      {"more axes than a shape has", [&] { at(x, std::vector<Slice>(9, new_axis)); }},
      {"a step of 0", [&] { strided_slice(x, {least}, {greatest}, {0}); }},
      {"unstack into a negative number of parts", [&] { unstack(x, -7); }},
      {"gather with batches of nothing", [&] { gather(x, i, 1, -9); }},
      {"top_k of more than there are", [&] { top_k(x, greatest); }},
      {"too many segments", [&] { unsorted_segment_sum(x, i, greatest); }},
      {"too many counts", [&] { bincount(i, greatest); }},
      {"too many bins",
       [&] {
         histogram_fixed_width(x, {0, 1}, greatest);
       }},
      {"a solution of no matrix", [&] { cholesky(i); }},
      {"matmul of vectors", [&] { matmul(i, i); }},
      {"softmax on no axis", [&] { softmax(x, 9); }},
      {"dropout of more than all", [&] { dropout(x, 1.5); }},
      {"dropout of NaN", [&] { dropout(x, std::nan("")); }},
      {"two csr operands", [&] { matmul(s, s); }},
      {"exp of csr", [&] { exp(s); }},
      {"no expression", [&] { exp(Expr()); }},
      {"the gradient of no expression", [&] { gradients(Expr(), {x}); }},
      {"the gradient of integers", [&] { gradients(i, {i}); }},
  });
}

TEST_CASE("hostile runs are refused") {
  Graph g;
  const Expr x = g.placeholder("x", {any, 3});
  const Expr i = g.placeholder("i", {any}, int64);
  const Expr n = g.placeholder("n", {any}, int32);
  const Expr s = g.sparse_placeholder("s", {any, 3});
  Session session(g);
  const Tensor table = ones({4, 3});
  const auto at = [&](std::int64_t index) { return Feeds{{x, table}, {i, Tensor::from(Indices{0, index})}}; };
  check_refused({
      {"gather beyond the rows", [&] { session.run(gather(x, i), at(4)); }},
      {"gather at -1", [&] { session.run(gather(x, i), at(-1)); }},
      {"gather at the least integer", [&] { session.run(gather(x, i), at(least)); }},
      {"gather at the greatest integer", [&] { session.run(gather(x, i), at(greatest)); }},
      {"gather of no rows",
       [&] {
         session.run(gather(x, i), {{x, zeros({0, 3})}, {i, Tensor({0}, int64)}});
       }},
      {"scatter_add beyond the rows",
       [&] {
         session.run(scatter_add(i, gather(x, i * 0), {2, 3}), at(2));
       }},
      {"scatter_add at the least integer",
       [&] {
         session.run(scatter_add(i, gather(x, i * 0), {2, 3}), at(least));
       }},
      {"an integer divided by 0",
       [&] {
         session.run(floordiv(n, n), {{n, Tensor({1, 0}, int32)}});
       }},
      {"an integer's remainder by 0",
       [&] {
         session.run(mod(n, n), {{n, Tensor({1, 0}, int32)}});
       }},
      {"an integer to a negative power",
       [&] {
         session.run(pow(n, n), {{n, Tensor({2, -1}, int32)}});
       }},
      {"shapes that do not fit in the run",
       [&] {
         session.run(x + sum_like(x, x) * transpose(x), {{x, table}});
       }},
      {"a feed of another rank",
       [&] {
         session.run(x, {{x, zeros({3})}});
       }},
      {"a feed of another dtype",
       [&] {
         session.run(x, {{x, zeros({4, 3}, int32)}});
       }},
      {"csr fed where dense is wanted",
       [&] {
         session.run(x, {{x, table.to_csr()}});
       }},
      {"dense fed where csr is wanted",
       [&] {
         session.run(s, {{s, table}});
       }},
      {"no feed", [&] { session.run(x); }},
      {"no expression", [&] { session.run(Expr()); }},
      {"random numbers of more memory than there is", [&] { session.run(random_uniform(g, {greatest / 16})); }},
      {"a product of more memory than there is",
       [&] {
         const Expr column = g.placeholder("column", {any, 1});
         const Tensor fed = zeros({20'000'000, 1});
         session.run(reduce_sum(matmul(column, transpose(column)) * 2, 0), {{column, fed}});
       }},
  });
  CHECK(session.run(reduce_sum(x), {{x, table}}).item() == 12);  // the session goes on
}

TEST_CASE("hostile files are refused") {
  const auto npy = [](const std::string& header) {
    std::string bytes = "\x93NUMPY";
    bytes += {1, 0, static_cast<char>(header.size() & 0xFFU), static_cast<char>(header.size() >> 8U)};
    return bytes + header;
  };
  const auto dict = [&](std::string_view shape) {
    return npy(fmt::format("{{'descr': '<f4', 'fortran_order': False, 'shape': {}}}\n", shape));
  };
  for (const std::string& bytes :
       {std::string(), std::string("\x93NUMPY"), std::string("\x93NUMPY\x01\x00\xff\xff", 10), npy("{"),
        dict("(9223372036854775807,)"), dict("(4294967296, 4294967296)"), dict("(99999999999999999999,)"), dict("(2,"),
        dict("(1000,)"), dict("(-1,)"), std::string(200, '\xff')}) {
    CAPTURE(bytes);
    CHECK_THROWS_AS(load_npy(ScratchFile(bytes, ".npy").path()), Error);
  }
  const auto tensors = [](const std::string& header, std::uint64_t length) {
    std::string bytes;
    for (unsigned shift = 0; shift < 64; shift += 8) bytes += static_cast<char>(length >> shift);
    return bytes + header;
  };
  const auto whole = [&](const std::string& header) { return tensors(header, header.size()); };
  for (const std::string& bytes :
       {std::string("\x01"), tensors("{}", std::numeric_limits<std::uint64_t>::max()), tensors("{}", 3), whole("[]"),
        whole(R"({"w": {"dtype": "F32", "shape": [9223372036854775807, 2], "data_offsets": [0, 8]}})"),
        whole(R"({"w": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}})"),
        whole(R"({"w": {"dtype": "F32", "shape": [2], "data_offsets": [8, 0]}})"),
        whole(R"({"w": {"dtype": "F32", "shape": [2], "data_offsets": [18446744073709551608, 18446744073709551615]}})"),
        whole(std::string(100'000, '[')), std::string(64, '\xff')}) {
    CAPTURE(bytes.substr(0, 100));
    Graph g;
    g.variable("w", zeros({2}));
    Session session(g);
    const ScratchFile file(bytes, ".safetensors");
    CHECK_THROWS_AS(session.restore(file.path()), Error);
    CHECK(session.value(g.variables()[0]) == zeros({2}));
  }
}

}  // namespace
}  // namespace gradus
