// Rows of the op table: layouts, linear algebra, neural basics.
#include "op_cases.h"

#include <gradus/ops/ops.h>

#include <fmt/format.h>

namespace gradus {

namespace {

void add_layouts(std::vector<OpCase>& rows) {
  rows.push_back({"to_csr", [](const Inputs& x) { return to_csr(x[0]); }});
  rows.push_back({"to_dense", [](const Inputs& x) { return to_dense(x[0]); }});
  rows.push_back({"to_dense of csr", [](const Inputs& x) { return to_dense(to_csr(x[0])); }});
  rows.push_back({"to_dense of rows", [](const Inputs& x) { return to_dense(scatter_add(x[0], x[1], {4, 2})); }});
  rows.push_back({"sample", [](const Inputs& x) { return sample(x[0], to_csr(x[1])); }});
  const std::vector<Index> group{1, 0, -1, 1};
  rows.push_back({"split_rows", [group](const Inputs& x) { return split_rows(x[0], group, 3); }});
  rows.push_back({"split_rows of csr", [group](const Inputs& x) { return split_rows(to_csr(x[0]), group, 3); }});
  for (std::size_t i = rows.size() - 2; i < rows.size(); ++i)
    rows[i].known_shapes_only = "split_rows has a group for each column, so their number is known";
}

void add_linear_algebra(std::vector<OpCase>& rows) {
  for (bool a : {false, true}) {
    for (bool b : {false, true}) {
      rows.push_back({fmt::format("matmul{}{}", a ? " transpose_a" : "", b ? " transpose_b" : ""),
                      [a, b](const Inputs& x) { return matmul(x[0], x[1], {.transpose_a = a, .transpose_b = b}); }});
    }
  }
  rows.push_back(
      {"matmul repeated transpose_a", [](const Inputs& x) { return matmul(x[0], x[0], {.transpose_a = true}); }});
  rows.push_back({"matmul of transpose", [](const Inputs& x) { return matmul(transpose(x[0]), transpose(x[1])); }});
  rows.push_back({"dot", [](const Inputs& x) { return dot(x[0], x[1]); }});
  rows.push_back({"outer", [](const Inputs& x) { return outer(x[0], x[1]); }});
  struct Equation {
    std::string text;
    std::string known_shapes_only = {};
  };
  const std::string merging = "einsum reshapes two letters into one, and a reshape works out one unknown size alone";
  const Equation equations[] = {{"ij,jk->ik"},
                                {"ij,jk->ki"},
                                {"bij,bjk->bik"},
                                {"bij,bkj->bik"},
                                {"ij,ij->"},
                                {"ij,ij->ij"},
                                {"ij,ij->i"},
                                {"i,j->ij"},
                                {"i,j->ji"},
                                {"i,i->"},
                                {"ij,j->i"},
                                {"ij,k->k"},
                                {"ijk,kl->lij", merging},
                                {"abc,cad->bd", merging},
                                {",ij->ij"}};
  for (const Equation& equation : equations) {
    rows.push_back({fmt::format("einsum {}", equation.text),
                    [text = equation.text](const Inputs& x) { return einsum(text, x[0], x[1]); }});
    rows.back().known_shapes_only = equation.known_shapes_only;
  }
}

void add_neural_basics(std::vector<OpCase>& rows) {
  rows.push_back({"softmax", [](const Inputs& x) { return softmax(x[0]); }});
  rows.push_back({"log_softmax", [](const Inputs& x) { return log_softmax(x[0]); }});
  rows.push_back({"softmax_cross_entropy_with_logits",
                  [](const Inputs& x) { return softmax_cross_entropy_with_logits(x[0], x[1]); }});
  for (int axis : {0, 1}) {
    rows.push_back({fmt::format("softmax axis={}", axis), [axis](const Inputs& x) { return softmax(x[0], axis); }});
    rows.push_back(
        {fmt::format("log_softmax axis={}", axis), [axis](const Inputs& x) { return log_softmax(x[0], axis); }});
    rows.push_back({fmt::format("softmax_cross_entropy_with_logits axis={}", axis),
                    [axis](const Inputs& x) { return softmax_cross_entropy_with_logits(x[0], x[1], axis); }});
  }
  rows.push_back({"sigmoid_cross_entropy_with_logits",
                  [](const Inputs& x) { return sigmoid_cross_entropy_with_logits(x[0], x[1]); }});
  rows.push_back({"l2_loss", [](const Inputs& x) { return l2_loss(x[0]); }});
}

}  // namespace

std::vector<OpCase> product_cases() {
  std::vector<OpCase> rows;
  add_layouts(rows);
  add_linear_algebra(rows);
  add_neural_basics(rows);
  return rows;
}

}  // namespace gradus
