// The ops behind the nodes that are not pure: constants, placeholders, variables, assigns and groups. They carry
// what a run must know; none has a kernel.
#pragma once

#include <gradus/core/graph/op.h>

#include <utility>

namespace gradus {

class ConstantOp final : public Op {
 public:
  explicit ConstantOp(Tensor value) : value_(std::move(value)) {}
  std::string_view name() const override { return "constant"; }
  Attributes attributes() const override;
  Type infer(const OpInputs&) const override { return value_.type(); }
  const Tensor& value() const { return value_; }

 private:
  Tensor value_;
};

class PlaceholderOp final : public Op {
 public:
  explicit PlaceholderOp(Type type, bool ones = false, bool is_table = false, NodeId columns_of = -1)
      : type_(type), ones_(ones), is_table_(is_table), columns_of_(columns_of) {}
  std::string_view name() const override { return "placeholder"; }
  Type infer(const OpInputs&) const override { return type_; }
  /// In a plan's graph: whether what is fed is a csr tensor of ones.
  bool ones() const { return ones_; }
  /// In a plan's graph: whether it is fed in the place of a variable or a constant.
  bool is_table() const { return is_table_; }
  /// Likewise, of what is fed as csr: which node of the user's touches the columns that it touches.
  NodeId columns_of() const { return columns_of_; }

 private:
  Type type_;
  bool ones_;
  bool is_table_;
  NodeId columns_of_;
};

class VariableOp final : public Op {
 public:
  VariableOp(Initializer initial, const VariableOptions& options, int number)
      : type_(initial.type()), initial_(std::move(initial)), options_(options), number_(number) {}
  /// In a plan's graph: a variable that is stored as another type than declared, transposed or some of its rows: `how`.
  VariableOp(Initializer initial, const Type& stored, int number, std::string_view how)
      : type_(stored), initial_(std::move(initial)), number_(number), how_stored_(how) {}
  std::string_view name() const override { return "variable"; }
  Attributes attributes() const override {
    return how_stored_.empty() ? Attributes() : Attributes{{"", std::string(how_stored_)}};
  }
  Type infer(const OpInputs&) const override { return type_; }
  const Initializer& initial() const { return initial_; }
  bool trainable() const { return options_.trainable; }
  /// Its place among the graph's variables.
  int number() const { return number_; }

 private:
  Type type_;
  Initializer initial_;
  VariableOptions options_;
  int number_;
  std::string_view how_stored_ = {};  // a literal; empty: as declared
};

/// VariableOp::number() of a variable.
inline std::size_t variable_number(const Expr& variable) {
  return static_cast<std::size_t>(static_cast<const VariableOp&>(variable.op()).number());
}

/// Inputs: the variable, its new value. The result is the value.
class AssignOp final : public Op {
 public:
  std::string_view name() const override { return "assign"; }
  Traits traits() const override { return {.reads = 0b10U}; }
  Type infer(const OpInputs& in) const override;
  std::string_view no_gradient(int) const override { return "an assign acts when the run has ended"; }
};

class GroupOp final : public Op {
 public:
  std::string_view name() const override { return "group"; }
  Type infer(const OpInputs&) const override { return {float32, Shape({0}), Layout::dense}; }
  std::string_view no_gradient(int) const override { return "a group has no value"; }
};

}  // namespace gradus
