#include <gradus/core/graph/graph.h>

#include <gradus/core/at.h>
#include <gradus/core/graph/nodes.h>
#include <gradus/core/tensor/create.h>
#include <gradus/core/tensor/string_formatter.h>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <mutex>
#include <variant>

namespace gradus {

namespace {

// A number as a constant of `dtype`, refused where it would change: 0.5 is no int32. `reader` is who takes it.
Tensor number_as(const Number& number, DType dtype, std::string_view reader, Location where) {
  const auto given = [&] { return fmt::format("{}: the number {} ({})", reader, to_string(number), to_string(where)); };
  if (dtype == boolean && !(number.is_whole() && number.fits(boolean)))
    fail<TypeError>("{} was given where bool is expected", given());
  if (is_integer(dtype) && !number.fits(dtype))
    fail<TypeError>("{} is not an {}; write an {}, or cast the other operand", given(), to_string(dtype),
                    to_string(dtype));
  return Tensor::scalar(number, dtype);
}

}  // namespace

std::string to_string(const Location& where) {
  const std::string_view file = where.file;
  const std::size_t slash = file.find_last_of('/');
  return fmt::format("{}:{}", slash == std::string_view::npos ? file : file.substr(slash + 1), where.line);
}

// --- GraphToken ------------------------------------------------------------------------------------------

namespace {

// Where graphs are found by their tokens. A place outlives its graph and is used again by another, under a new serial
// number. Readers take no lock: places never move.
struct Place {
  std::atomic<Graph*> graph = nullptr;
  std::atomic<std::uint32_t> serial = 0;
};

class Places {
 public:
  // Chunk c has 2^c places: those from 2^c on.
  Place& operator[](std::uint32_t place) {
    const auto chunk = static_cast<std::size_t>(std::bit_width(place) - 1);
    return chunks_[chunk].load(std::memory_order_acquire)[place - (std::uint32_t{1} << chunk)];
  }
  std::uint32_t take() {
    const std::lock_guard lock(mutex_);
    if (free_.empty()) {
      const auto chunk = static_cast<std::size_t>(std::bit_width(++last_) - 1);
      // NOLINTNEXTLINE(cppcoreguidelines-owning-memory): never given back, since tokens may be asked at any time
      if (chunks_[chunk] == nullptr)
        chunks_[chunk].store(new Place[std::size_t{1} << chunk], std::memory_order_release);
      return last_;
    }
    const std::uint32_t place = free_.back();
    free_.pop_back();
    return place;
  }
  void give_back(std::uint32_t place) {
    const std::lock_guard lock(mutex_);
    free_.push_back(place);
  }

 private:
  std::mutex mutex_;  // of what follows but the chunks
  std::uint32_t last_ = 0;
  std::vector<std::uint32_t> free_;
  std::array<std::atomic<Place*>, 32> chunks_{};
};

Places& places() {
  // NOLINTNEXTLINE(cppcoreguidelines-owning-memory): graphs of static lifetime may be destroyed after any other object
  static Places& all = *new Places;
  return all;
}

}  // namespace

Graph* GraphToken::graph() const {
  if (place_ == 0) return nullptr;
  const Place& place = places()[place_];
  return place.serial.load(std::memory_order_acquire) == serial_ ? place.graph.load(std::memory_order_relaxed)
                                                                 : nullptr;
}

// --- Expr ------------------------------------------------------------------------------------------------

Expr::Expr(Graph* graph, NodeId id) : graph_(graph->token()), id_(id) {}

Graph& Expr::graph() const {
  Graph* const graph = graph_.graph();
  if (graph != nullptr) return *graph;
  if (!valid()) fail<ValueError>("there is no expression: an Expr was used before it was given one");
  fail<ValueError>("an expression was used after its graph was destroyed; a graph must outlive its expressions");
}

const Graph::Node& Graph::node(const Expr& expr) { return expr.graph().nodes_[static_cast<std::size_t>(expr.id_)]; }

Kind Expr::kind() const { return Graph::node(*this).kind; }
const Op& Expr::op() const { return *Graph::node(*this).op; }
const Type& Expr::type() const { return Graph::node(*this).type; }
int Expr::rank() const {
  if (!shape().ranked())
    fail<TypeError>(
        "the rank of {} is not known before a run, but is needed; declare its placeholder with one: {{any, any}}",
        to_string(*this));
  return shape().rank();
}
const std::string& Expr::name() const { return Graph::node(*this).name; }
Location Expr::where() const { return Graph::node(*this).where; }

int Expr::arity() const { return static_cast<int>(Graph::node(*this).inputs.size()); }

Expr Expr::input(int i) const { return {graph_, Graph::node(*this).inputs[static_cast<std::size_t>(i)]}; }

Expr Expr::named(std::string_view name) const {
  Graph& graph = this->graph();
  Graph::Node& node = graph.nodes_[static_cast<std::size_t>(id_)];
  if (node.name == graph.scope_ + std::string(name)) return *this;
  if (const auto old = graph.by_name_.find(node.name); old != graph.by_name_.end() && old->second == id_)
    graph.by_name_.erase(old);
  node.name = graph.unique(name);
  graph.by_name_[node.name] = id_;
  return *this;
}

std::string to_string(const Expr& expr) {
  if (!expr.valid()) return "no expression";
  return fmt::format("{}: {} ({})", expr.name(), to_string(expr.type()), to_string(expr.where()));
}

// --- Operand ---------------------------------------------------------------------------------------------

std::optional<double> Operand::number() const { return number_ ? std::optional(number_->value()) : std::nullopt; }

Expr Operand::in(Graph& graph, DType dtype, std::string_view reader) const {
  if (tensor_) return graph.constant(*tensor_, "constant", where_);
  if (number_) return graph.literal(number_as(*number_, dtype, reader, where_), to_string(*number_), where_);
  return expr_;
}

Expr apply(std::shared_ptr<const Op> op, std::span<const Operand> operands) {
  Graph* graph = nullptr;
  DType dtype = float32;
  bool dtype_known = false;
  for (const Operand& operand : operands) {
    const Expr expr = operand.expr();
    const auto see = [&](DType seen) {
      if (!dtype_known && seen != boolean) {
        dtype = seen;
        dtype_known = true;
      }
    };
    if (operand.tensor_) see(operand.tensor_->dtype());
    if (!expr.valid()) continue;
    see(expr.dtype());
    if (graph == nullptr) graph = &expr.graph();
    if (graph != &expr.graph())
      fail<TypeError>("{}: {} belongs to another graph than the operands before it", op->name(), to_string(expr));
  }
  if (graph == nullptr)
    fail<TypeError>("{}: no operand belongs to a graph; at least one must be an expression", op->name());
  // With bool expressions alone, numbers among the operands are bool too: logical_and(mask, true).
  if (!dtype_known && operands.size() > 1 && std::all_of(operands.begin(), operands.end(), [](const Operand& o) {
        return o.expr().valid() || (o.number_ && o.number_->is_bool());
      }))
    dtype = boolean;
  std::vector<Expr> inputs;
  inputs.reserve(operands.size());
  Location where = operands.front().where();
  for (const Operand& operand : operands) inputs.push_back(operand.in(*graph, dtype, op->name()));
  return graph->add(std::move(op), inputs, where);
}

// --- Initializer -----------------------------------------------------------------------------------------

struct Initializer::Value {
  std::variant<Tensor, Random, Filled> of;
};

Initializer::Initializer(const Tensor& value) : value_(std::make_shared<Value>(Value{value})) {}
Initializer::Initializer(const Random& random) : value_(std::make_shared<Value>(Value{random})) {}
Initializer::Initializer(const Filled& filled) : value_(std::make_shared<Value>(Value{filled})) {}

const Filled* Initializer::filled() const { return std::get_if<Filled>(&value_->of); }

Type Initializer::type() const {
  if (const Tensor* tensor = std::get_if<Tensor>(&value_->of)) return tensor->type();
  if (const Filled* all = filled()) return {all->dtype, all->shape, Layout::dense};
  const Random& random = std::get<Random>(value_->of);
  return {random.dtype(), random.shape(), Layout::dense};
}

Tensor Initializer::value(std::string_view variable) const {
  if (const Tensor* tensor = std::get_if<Tensor>(&value_->of)) return *tensor;
  if (const Filled* all = filled()) return full(all->shape, all->value, all->dtype);
  return std::get<Random>(value_->of).draw(stream_of(variable));
}

Tensor Initializer::rows(std::string_view variable, std::int64_t first, std::int64_t step, std::int64_t count) const {
  const Type whole = type();
  const Shape shape = whole.shape.with(0, count);
  if (const Filled* all = filled()) return full(shape, all->value, all->dtype);
  Tensor out = Tensor::uninitialized({whole.dtype, shape, Layout::dense});
  const std::int64_t width = count > 0 ? shape.size() / count : 0;
  const Tensor* const tensor = std::get_if<Tensor>(&value_->of);
  dispatch(whole.dtype, [&]<class T>(TypeTag<T>) {
    for (std::int64_t i = 0; i < count; ++i) {
      const std::span<T> row = out.writable<T>().subspan(at(i * width), at(width));
      const std::int64_t from = (first + i * step) * width;
      if (tensor != nullptr) {
        std::copy_n(tensor->span<T>().begin() + from, width, row.begin());
      } else if constexpr (std::is_floating_point_v<T>) {
        std::get<Random>(value_->of).draw(stream_of(variable), static_cast<std::uint64_t>(from), row);
      }
    }
  });
  return out;
}

// --- Graph -----------------------------------------------------------------------------------------------

Graph::Graph() {
  const std::uint32_t place = places().take();
  Place& mine = places()[place];
  mine.graph.store(this, std::memory_order_relaxed);
  token_ = {place, mine.serial.load(std::memory_order_relaxed)};
}

Graph::~Graph() {
  Place& mine = places()[token_.place_];
  mine.serial.fetch_add(1, std::memory_order_release);
  mine.graph.store(nullptr, std::memory_order_relaxed);
  places().give_back(token_.place_);
}

Graph::Scope::Scope(Graph& graph, std::string_view name) : graph_(graph), outer_(graph.scope_) {
  graph.scope_ = graph.unique(name) + "/";
}

Graph::Scope Graph::scope(std::string_view name) { return {*this, name}; }

Graph::Pin::Pin(Graph& graph, Location where, bool override) : graph_(graph), outer_(graph.pinned_) {
  if (!graph.pinned_ || override) graph.pinned_ = where;
}

Graph::Pin Graph::pin(Location where, bool override) { return {*this, where, override}; }

std::string Graph::unique(std::string_view name) {
  const std::string wanted = scope_ + std::string(name);
  std::string candidate = wanted;
  int& count = taken_[wanted];
  // "add_1" may have been asked for by name: go on until one is free.
  while (count > 0 && (candidate = fmt::format("{}_{}", wanted, count), taken_.contains(candidate))) ++count;
  ++count;
  if (candidate != wanted) taken_[candidate] = 1;
  return candidate;
}

Expr Graph::append(Kind kind, Type type, std::shared_ptr<const Op> op, std::span<const Expr> inputs, std::string name,
                   Location where) {
  by_name_.try_emplace(name, static_cast<NodeId>(nodes_.size()));
  return append_unnamed(kind, type, std::move(op), inputs, std::move(name), where);
}

Expr Graph::append_unnamed(Kind kind, Type type, std::shared_ptr<const Op> op, std::span<const Expr> inputs,
                           std::string shown, Location where) {
  if (nodes_.size() >= static_cast<std::size_t>(INT32_MAX))
    fail<ValueError>("a graph holds at most {} nodes", INT32_MAX);
  const NodeId id = static_cast<NodeId>(nodes_.size());
  std::vector<NodeId> ids;
  ids.reserve(inputs.size());
  for (const Expr& input : inputs) ids.push_back(input.id());
  nodes_.push_back({kind, type, std::move(op), std::move(ids), std::move(shown), pinned_.value_or(where)});
  return {token_, id};
}

Expr Graph::literal(const Tensor& value, std::string text, Location where) {
  return append_unnamed(Kind::constant, value.type(), std::make_shared<ConstantOp>(value), {}, std::move(text), where);
}

Expr Graph::placeholder(std::string_view name, const Shape& shape, DType dtype, Location where) {
  const Type type{dtype, shape, Layout::dense};
  return append(Kind::placeholder, type, std::make_shared<PlaceholderOp>(type), {}, unique(name), where);
}

Expr Graph::sparse_placeholder(std::string_view name, const Shape& shape, DType dtype, Location where) {
  if (shape.rank() != 2)
    fail<TypeError>("sparse_placeholder: {} ({}) is {}; a csr matrix has two dimensions", name, to_string(where),
                    to_string(shape));
  const Type type{dtype, shape, Layout::csr};
  return append(Kind::placeholder, type, std::make_shared<PlaceholderOp>(type), {}, unique(name), where);
}

Expr Graph::variable(std::string_view name, const Initializer& initial, const VariableOptions& options,
                     Location where) {
  const Type type = initial.type();
  if (type.layout != Layout::dense)
    fail<TypeError>("variable: {} ({}) starts from a {} tensor; a variable is dense", name, to_string(where),
                    to_string(type.layout));
  if (!type.shape.known())
    fail<TypeError>("variable: {} ({}) starts from shape {}; all of its dimensions must be known", name,
                    to_string(where), to_string(type.shape));
  if (const Filled* all = initial.filled()) Tensor::scalar(all->value, all->dtype);  // checks that the number fits
  if (options.trainable && !is_floating(type.dtype))
    fail<TypeError>("variable: {} ({}) is {}; only float32 and float64 are trainable (give {{.trainable = false}})",
                    name, to_string(where), to_string(type.dtype));
  const Expr made =
      append(Kind::variable, type, std::make_shared<VariableOp>(initial, options, static_cast<int>(variables_.size())),
             {}, unique(name), where);
  variables_.push_back(made.id());
  return made;
}

Expr Graph::constant(const Tensor& value, std::string_view name, Location where) {
  return append(Kind::constant, value.type(), std::make_shared<ConstantOp>(value), {}, unique(name), where);
}

Expr Graph::assign(Expr variable, const Operand& value) {
  if (!variable.valid() || variable.kind() != Kind::variable)
    fail<TypeError>("assign: {} is not a variable", to_string(variable));
  const Expr inputs[] = {variable, value.in(*this, variable.dtype(), "assign")};
  if (!inputs[1].valid()) fail<TypeError>("assign: the value of {} is no expression", variable.name());
  if (&inputs[1].graph() != this || &variable.graph() != this)
    fail<TypeError>("assign: {} and its value {} belong to different graphs", variable.name(), inputs[1].name());
  auto op = std::make_shared<AssignOp>();
  const Type types[] = {inputs[0].type(), inputs[1].type()};
  const Type type = op->infer({types, inputs});
  return append(Kind::assign, type, std::move(op), inputs, unique("assign"), value.where());
}

Expr Graph::group(std::span<const Expr> members, std::string_view name, Location where) {
  for (const Expr& member : members)
    if (!member.valid() || &member.graph() != this)
      fail<TypeError>("{}: {} does not belong to the graph", name, to_string(member));
  auto op = std::make_shared<GroupOp>();
  const Type type = op->infer({{}, {}});
  return append(Kind::group, type, std::move(op), members, unique(name), where);
}

Type Graph::inferred(const Op& op, std::span<const Expr> inputs) {
  std::vector<Type> types;
  types.reserve(inputs.size());
  for (const Expr& input : inputs) {
    types.push_back(input.type());
    if (!input.shape().ranked() && !op.traits().takes_any_rank)
      fail<TypeError>(
          "{}: the rank of {} is not known before a run, but is needed; declare its placeholder with one: "
          "{{any, any}}",
          op.name(), to_string(input));
  }
  return op.infer({types, inputs});
}

Expr Graph::add(std::shared_ptr<const Op> op, std::span<const Expr> inputs, Location where) {
  const Type type = inferred(*op, inputs);
  std::string name = unique(op->name());
  return append(Kind::op, type, std::move(op), inputs, std::move(name), where);
}

Expr Graph::copy(const Expr& node, std::span<const Expr> inputs) {
  const Node& original = Graph::node(node);
  const Type type = inputs.empty() ? original.type : inferred(*original.op, inputs);
  return append_unnamed(original.kind, type, original.op, inputs, original.name, original.where);
}

Expr Graph::copy_as_transposed(const Expr& variable) {
  const VariableOp& declared = static_cast<const VariableOp&>(variable.op());
  const Type type{variable.dtype(), {variable.shape()[1], variable.shape()[0]}, Layout::dense};
  auto op = std::make_shared<VariableOp>(declared.initial(), type, declared.number(), "stored transposed");
  return append_unnamed(Kind::variable, type, std::move(op), {}, variable.name(), variable.where());
}

Expr Graph::copy_with_rows(const Expr& variable, std::int64_t rows) {
  const VariableOp& declared = static_cast<const VariableOp&>(variable.op());
  const Type type{variable.dtype(), variable.shape().with(0, rows), Layout::dense};
  auto op = std::make_shared<VariableOp>(declared.initial(), type, declared.number(), "own rows");
  return append_unnamed(Kind::variable, type, std::move(op), {}, variable.name(), variable.where());
}

Expr Graph::copy_placeholder(const Expr& node, const Type& type, bool ones) {
  const bool is_table = node.kind() == Kind::variable || node.kind() == Kind::constant;
  return append_unnamed(Kind::placeholder, type, std::make_shared<PlaceholderOp>(type, ones, is_table, node.id()), {},
                        node.name(), node.where());
}

void Graph::show_as(const Expr& node, std::string_view name) {
  nodes_[static_cast<std::size_t>(node.id())].name = name;
}

Expr Graph::find(std::string_view name) {
  const auto found = by_name_.find(std::string(name));
  return found == by_name_.end() ? Expr() : Expr(token_, found->second);
}

Expr Graph::operator[](std::string_view name) {
  const Expr found = find(name);
  if (found.valid()) return found;
  std::string others;  // those that end alike: "dense/W" where "W" was meant
  for (const Node& node : nodes_)
    if (node.name.ends_with(fmt::format("/{}", name)))
      others += fmt::format("{}{}", others.empty() ? "" : ", ", node.name);
  fail<ValueError>("no node of the graph is named '{}'{}", name,
                   others.empty() ? "" : fmt::format("; there is {}", others));
}

std::vector<Expr> Graph::variables() {
  std::vector<Expr> all;
  all.reserve(variables_.size());
  for (const NodeId id : variables_) all.push_back({token_, id});
  return all;
}

std::vector<Expr> Graph::trainable_variables() {
  std::vector<Expr> all = variables();
  std::erase_if(all, [](const Expr& v) { return !static_cast<const VariableOp&>(v.op()).trainable(); });
  return all;
}

template struct StringFormatter<Expr>;

}  // namespace gradus
