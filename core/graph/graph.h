// The graph: an append-only array of nodes. A node's inputs are older than the node, so creation order is a
// topological order: a run walks ids upwards, differentiation walks them downwards, and neither recurses.
// The graph owns its nodes and never changes one once made (but for its name); expressions are positions in it.
#pragma once

#include <gradus/core/tensor/random.h>
#include <gradus/core/tensor/tensor.h>

#include <cstdint>
#include <deque>
#include <initializer_list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <unordered_map>
#include <utility>
#include <vector>

namespace gradus {

class Graph;
class Op;

using NodeId = std::int32_t;

/// Where in the user's program a node was made.
struct Location {
  const char* file = "";
  int line = 0;

  /// As a default argument: the place of the call. (std::source_location, which clang 14 lacks.)
  static constexpr Location current(const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
    return {file, line};
  }
};

/// "main.cpp:14"; the file without its folders.
std::string to_string(const Location& where);

/// What a node is to a run: ops are pure, the others are known to core alone.
enum class Kind : std::uint8_t { op, constant, placeholder, variable, assign, group };

/// Says of a graph whether it is still there. Expressions, sessions and optimizers name their graph by one, and so find
/// out that it has been destroyed instead of reading memory that is not its own any more.
class GraphToken {
 public:
  GraphToken() = default;

  /// The graph, or null where it has been destroyed or there never was one.
  Graph* graph() const;
  bool operator==(const GraphToken&) const = default;

 private:
  friend class Graph;
  GraphToken(std::uint32_t place, std::uint32_t serial) : place_(place), serial_(serial) {}

  std::uint32_t place_ = 0;   // in a table that lives as long as the program; 0 is never a graph's
  std::uint32_t serial_ = 0;  // of the graph among those that had this place
};

/// A symbol: a node of a graph. What ops take and return. Comparisons and logic of expressions (==, <, !, &&, ...) are
/// ops as + is (ops.h); whether two are the same node, same_node() says. All members but valid() throw ValueError where
/// there is no expression, or its graph has been destroyed.
class Expr {
 public:
  /// No expression; only to be assigned to or asked for with valid().
  Expr() = default;
  Expr(Graph* graph, NodeId id);

  /// Whether this is an expression.
  bool valid() const { return id_ >= 0; }
  /// Whether it is one of the graph of this token.
  bool belongs_to(const GraphToken& graph) const { return valid() && graph_ == graph; }
  Graph& graph() const;
  NodeId id() const { return id_; }
  Kind kind() const;
  const Op& op() const;
  const Type& type() const;
  const Shape& shape() const { return type().shape; }
  DType dtype() const { return type().dtype; }
  Layout layout() const { return type().layout; }
  /// Throws TypeError where the rank is not known until a run.
  int rank() const;
  const std::string& name() const;
  Location where() const;
  int arity() const;
  Expr input(int i) const;

  /// Gives the node another name (made unique if it is taken) and returns the expression.
  Expr named(std::string_view name) const;

  friend bool same_node(const Expr& a, const Expr& b) { return a.id_ == b.id_ && a.graph_ == b.graph_; }

 private:
  friend class Graph;
  Expr(GraphToken graph, NodeId id) : graph_(graph), id_(id) {}

  GraphToken graph_;
  NodeId id_ = -1;
};

/// Whether two expressions are one node of one graph.
bool same_node(const Expr& a, const Expr& b);

/// "matmul_1: float32 [7, 5] (article.cpp:23)".
std::string to_string(const Expr& expr);

/// An argument of an op: an expression, or a number or tensor that becomes a constant of the other arguments'
/// graph. Converting to it implicitly is what tells a node the user's file and line, through operators too.
class Operand {
 public:
  // NOLINTBEGIN(google-explicit-constructor)
  Operand(Expr expr, Location where = Location::current()) : expr_(expr), where_(where) {}
  Operand(Tensor tensor, Location where = Location::current()) : tensor_(std::move(tensor)), where_(where) {}
  template <class T>
  requires std::is_arithmetic_v<T> Operand(T number, Location where = Location::current())
      : number_(number), where_(where) {}
  // NOLINTEND(google-explicit-constructor)

  Location where() const { return where_; }
  /// The expression, or nothing for a number or a tensor.
  Expr expr() const { return expr_; }
  /// The value of a number, an integer as the nearest double.
  std::optional<double> number() const;
  /// This operand in `graph`; a number becomes a constant of dtype `dtype`. Throws TypeError where the number
  /// does not fit the dtype; the message begins with `reader`, the op that takes it.
  Expr in(Graph& graph, DType dtype, std::string_view reader) const;

 private:
  friend Expr apply(std::shared_ptr<const Op> op, std::span<const Operand> operands);

  // One of the three is given.
  Expr expr_;
  std::optional<Tensor> tensor_;
  std::optional<Number> number_;
  Location where_;
};

/// One number everywhere: what an optimizer's slots start from. No tensor is held.
struct Filled {
  Shape shape;
  Number value = 0;
  DType dtype = float32;
};

/// The value a variable starts from: a tensor, one number everywhere, or random numbers drawn for the variable's name.
class Initializer {
 public:
  // NOLINTBEGIN(google-explicit-constructor)
  Initializer(const Tensor& value);
  Initializer(const Random& random);
  Initializer(const Filled& filled);
  // NOLINTEND(google-explicit-constructor)

  Type type() const;
  Tensor value(std::string_view variable) const;
  /// Of that value the rows first, first + step, ..., `count` of them; no others are made.
  Tensor rows(std::string_view variable, std::int64_t first, std::int64_t step, std::int64_t count) const;
  /// The number that it is everywhere, if it was given as such.
  const Filled* filled() const;

 private:
  struct Value;
  std::shared_ptr<const Value> value_;
};

struct VariableOptions {
  bool trainable = true;  // whether optimizers move it unless told which variables to move
};

class Graph {
 public:
  Graph();
  ~Graph();
  Graph(const Graph&) = delete;
  Graph& operator=(const Graph&) = delete;

  /// A value fed at each run; dimensions may be `any`, or the shape any_shape, for ops that do without the rank.
  Expr placeholder(std::string_view name, const Shape& shape, DType dtype = float32,
                   Location where = Location::current());
  /// A CSR matrix fed at each run. Throws TypeError unless the rank is 2.
  Expr sparse_placeholder(std::string_view name, const Shape& shape, DType dtype = float32,
                          Location where = Location::current());
  /// A value kept by each session from run to run.
  Expr variable(std::string_view name, const Initializer& initial, const VariableOptions& options = {},
                Location where = Location::current());
  Expr constant(const Tensor& value, std::string_view name = "constant", Location where = Location::current());

  /// Sets `variable` to `value` when the run ends; reads in the same run see the old value. A value of layout
  /// part replaces only the rows it holds. Evaluates to the value.
  Expr assign(Expr variable, const Operand& value);
  /// One expression that runs several, for their assigns; evaluates to an empty tensor.
  Expr group(std::span<const Expr> members, std::string_view name = "group", Location where = Location::current());
  Expr group(std::initializer_list<Expr> members, std::string_view name = "group",
             Location where = Location::current()) {
    return group(std::span(members.begin(), members.size()), name, where);
  }

  /// Appends a node for `op`; its type comes from the op's rule. Ops are made through this.
  Expr add(std::shared_ptr<const Op> op, std::span<const Expr> inputs, Location where);

  /// For plans, which rewrite copies of graphs. A copy of a node, perhaps of another graph, on other inputs: it keeps
  /// its op, name and place, and its type is worked out anew.
  Expr copy(const Expr& node, std::span<const Expr> inputs);
  Expr copy_as_transposed(const Expr& variable);
  /// The variable as one of `rows` rows: those of it that are here.
  Expr copy_with_rows(const Expr& variable, std::int64_t rows);
  Expr copy_placeholder(const Expr& node, const Type& type, bool ones);
  /// Shows a node under a name that others may show too.
  void show_as(const Expr& node, std::string_view name);

  /// While the returned object lives, new nodes are named "scope/name". Scopes nest.
  class Scope;
  Scope scope(std::string_view name);

  /// While it lives, new nodes carry this location: for functions that make several nodes for one call. Of
  /// nested pins the outermost holds, since what the user called is what the user knows; a gradient's nodes
  /// rather belong to the line that is differentiated, so gradients() overrides.
  class Pin;
  Pin pin(Location where, bool override = false);

  int size() const { return static_cast<int>(nodes_.size()); }
  Expr operator[](NodeId id) { return {token_, id}; }
  const GraphToken& token() const { return token_; }
  /// The node of that name, or no expression.
  Expr find(std::string_view name);
  /// The node of that name: session.run(g["loss"], {{g["X"], x}}). Throws ValueError where there is none.
  Expr operator[](std::string_view name);
  /// All variables, or the trainable ones, in the order they were made.
  std::vector<Expr> variables();
  std::vector<Expr> trainable_variables();

 private:
  friend class Expr;
  friend class Operand;
  struct Node {
    Kind kind;
    Type type;
    std::shared_ptr<const Op> op;
    std::vector<NodeId> inputs;
    std::string name;
    Location where;
  };

  static const Node& node(const Expr& expr);
  Expr append(Kind kind, Type type, std::shared_ptr<const Op> op, std::span<const Expr> inputs, std::string name,
              Location where);
  /// The same for a node that is not entered among the names: several may show one.
  Expr append_unnamed(Kind kind, Type type, std::shared_ptr<const Op> op, std::span<const Expr> inputs,
                      std::string shown, Location where);
  std::string unique(std::string_view name);
  /// The type that the op's rule gives. Throws TypeError for an op that needs the rank of an input of any rank.
  static Type inferred(const Op& op, std::span<const Expr> inputs);
  /// A number the user wrote: it is called what it is.
  Expr literal(const Tensor& value, std::string text, Location where);

  GraphToken token_;
  std::deque<Node> nodes_;  // stays where it is as the graph grows: types and names are handed out by reference
  std::vector<NodeId> variables_;
  std::unordered_map<std::string, NodeId> by_name_;
  std::unordered_map<std::string, int> taken_;  // how often a name was asked for
  std::string scope_;
  std::optional<Location> pinned_;
};

class Graph::Scope {
 public:
  Scope(Graph& graph, std::string_view name);
  Scope(const Scope&) = delete;
  Scope& operator=(const Scope&) = delete;
  ~Scope() { graph_.scope_ = std::move(outer_); }

 private:
  Graph& graph_;
  std::string outer_;
};

class Graph::Pin {
 public:
  Pin(Graph& graph, Location where, bool override);
  Pin(const Pin&) = delete;
  Pin& operator=(const Pin&) = delete;
  ~Pin() { graph_.pinned_ = outer_; }

 private:
  Graph& graph_;
  std::optional<Location> outer_;
};

/// Makes a node of `op` from operands: finds their graph, turns numbers and tensors into constants (numbers
/// take the dtype of the first operand that has one and is not bool). Throws TypeError where no operand
/// belongs to a graph or two belong to different ones.
Expr apply(std::shared_ptr<const Op> op, std::span<const Operand> operands);
inline Expr apply(std::shared_ptr<const Op> op, std::initializer_list<Operand> operands) {
  return gradus::apply(std::move(op), std::span(operands.begin(), operands.size()));
}

/// The graph in the DOT language: a box per node with its name, type and source line.
std::string to_dot(Graph& graph);
/// Writes to_dot to a file. Throws IoError.
void write_dot(Graph& graph, const std::string& path);

}  // namespace gradus

template <>
struct fmt::formatter<gradus::Expr> : gradus::StringFormatter<gradus::Expr> {};
