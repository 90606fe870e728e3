// Rows of the op table: activations, normalization, losses, tensors of a shape of the run.
#include "op_cases.h"

#include <gradus/core/listed.h>
#include <gradus/ops/ops.h>

#include <fmt/format.h>

namespace gradus {

namespace {

using Unary = Expr (*)(const Operand&);

}  // namespace

std::vector<OpCase> activation_cases() {
  std::vector<OpCase> rows;
  const std::pair<const char*, Unary> ops[] = {
      {"selu", selu}, {"silu", silu}, {"hard_sigmoid", hard_sigmoid}, {"softsign", softsign}};
  for (const auto& [name, op] : ops) rows.push_back({name, [op = op](const Inputs& x) { return op(x[0]); }});
  rows.push_back({"elu", [](const Inputs& x) { return elu(x[0]); }});
  rows.push_back({"elu alpha=0.5", [](const Inputs& x) { return elu(x[0], 0.5); }});
  rows.push_back({"elu alpha=input", [](const Inputs& x) { return elu(x[0], x[1]); }});
  rows.push_back({"gelu", [](const Inputs& x) { return gelu(x[0]); }});
  rows.push_back({"gelu approximate", [](const Inputs& x) { return gelu(x[0], true); }});
  return rows;
}

namespace {

void add_normalization(std::vector<OpCase>& rows) {
  rows.push_back({"batch_normalization",
                  [](const Inputs& x) { return batch_normalization(x[0], x[1], x[2], x[3], x[4], 0.001); }});
  rows.push_back({"layer_normalization", [](const Inputs& x) { return layer_normalization(x[0], x[1], x[2]); }});
  rows.push_back({"layer_normalization axes=1,2", [](const Inputs& x) {
                    return layer_normalization(x[0], x[1], x[2], {1, 2});
                  }});
  for (const std::vector<int>& axes : {std::vector{1}, {0}, {-1}, {0, 1}})
    rows.push_back({fmt::format("l2_normalize axes={}", listed(axes, ",")),
                    [axes](const Inputs& x) { return l2_normalize(x[0], Axes(axes)); }});
  rows.push_back({"cosine_similarity", [](const Inputs& x) { return cosine_similarity(x[0], x[1]); }});
  rows.push_back({"cosine_similarity axis=0", [](const Inputs& x) { return cosine_similarity(x[0], x[1], 0); }});
}

void add_losses(std::vector<OpCase>& rows) {
  rows.push_back({"sparse_softmax_cross_entropy_with_logits",
                  [](const Inputs& x) { return sparse_softmax_cross_entropy_with_logits(x[0], x[1]); }});
  rows.push_back({"log_loss", [](const Inputs& x) { return log_loss(x[0], x[1]); }});
  rows.push_back({"log_loss weights", [](const Inputs& x) { return log_loss(x[0], x[1], x[2]); }});
  rows.push_back({"huber_loss", [](const Inputs& x) { return huber_loss(x[0], x[1]); }});
  rows.push_back({"huber_loss weights delta=0.5", [](const Inputs& x) { return huber_loss(x[0], x[1], x[2], 0.5); }});

  struct Sampled {
    const char* name;
    bool nce;
    std::int64_t num_true = 1;
    std::optional<bool> remove_hits = {};
  };
  for (const Sampled& c :
       {Sampled{"sampled_softmax_loss num_true=1", false}, Sampled{"sampled_softmax_loss num_true=2", false, 2},
        Sampled{"nce_loss num_true=1", true}, Sampled{"nce_loss num_true=2", true, 2},
        Sampled{"sampled_softmax_loss hits stay", false, 1, false}, Sampled{"nce_loss without hits", true, 1, true}}) {
    rows.push_back({c.name, [c](const Inputs& x) {
                      const SampledLossOptions options{.num_true = c.num_true,
                                                       .sampled_values = SampledCandidates{x[4], x[5], x[6]},
                                                       .remove_accidental_hits = c.remove_hits};
                      const std::int64_t sampled = x[4].shape()[0], classes = x[0].shape()[0];
                      return c.nce ? nce_loss(x[0], x[1], x[2], x[3], sampled, classes, options)
                                   : sampled_softmax_loss(x[0], x[1], x[2], x[3], sampled, classes, options);
                    }});
    rows.back().known_shapes_only = "weights and biases are variables, whose shapes are known";
  }
}

void add_shaped(std::vector<OpCase>& rows) {
  rows.push_back({"zeros of shape", [](const Inputs& x) { return x[0] + zeros(shape_of(x[0]), x[0].dtype()); }});
  rows.push_back({"ones of shape", [](const Inputs& x) { return x[0] * ones(shape_of(x[0]), x[0].dtype()); }});
  rows.push_back({"zeros of shape int32", [](const Inputs& x) { return zeros(2 * shape_of(x[0]), int32); }});
  rows.back().fixed_dtype = true;
  rows.push_back({"fill of shape", [](const Inputs& x) { return fill(shape_of(x[0]), x[1]); }});
  rows.push_back({"reshape of shape", [](const Inputs& x) { return reshape(x[0], shape_of(x[1])); }});
  rows.push_back({"broadcast_to of shape", [](const Inputs& x) { return broadcast_to(x[0], shape_of(x[1])); }});
  rows.push_back({"range of size",
                  [](const Inputs& x) { return reshape(x[0], {any}) * cast(range(0, size_of(x[0])), x[0].dtype()); }});
  rows.push_back({"range of size backwards", [](const Inputs& x) { return range(2 * size_of(x[0]), -1, -3); }});
  rows.back().fixed_dtype = true;
  rows.push_back({"cond", [](const Inputs& x) { return cond(x[0], x[1], x[2]); }});
}

}  // namespace

std::vector<OpCase> nn_cases() {
  std::vector<OpCase> rows;
  add_normalization(rows);
  add_losses(rows);
  add_shaped(rows);
  return rows;
}

}  // namespace gradus
