// Values that the plans of a run over ranks are fed, by node. Internal to core/run.
#pragma once

#include <gradus/core/plan/draft.h>
#include <gradus/core/tensor/tensor.h>

#include <algorithm>
#include <span>
#include <vector>

namespace gradus {

struct FedValues {
  std::vector<FedType> types{};
  std::vector<Tensor> values{};

  void add(const Expr& node, const Tensor& value) { add(fed_type(node, value), value); }
  void add(const FedType& type, const Tensor& value) {
    types.push_back(type);
    values.push_back(value);
  }
  void add(std::span<const Expr> nodes, const std::vector<Tensor>& of_nodes) {
    for (std::size_t i = 0; i < nodes.size(); ++i) add(nodes[i], of_nodes.at(i));
  }
  /// The value of a node, or null.
  const Tensor* find(const Expr& node) const {
    for (std::size_t i = 0; i < types.size(); ++i)
      if (same_node(types[i].placeholder, node)) return &values[i];
    return nullptr;
  }
  /// Gives the node this value, whether it had one or not.
  void set(const Expr& node, const Tensor& value) {
    for (std::size_t i = 0; i < types.size(); ++i)
      if (same_node(types[i].placeholder, node)) {
        types[i] = fed_type(node, value);
        values[i] = value;
        return;
      }
    add(node, value);
  }
};

}  // namespace gradus
