// The questions that the engine asks of an op, a pure function of tensors: what it means (name, attributes, type rule,
// gradient, rewrites), what plans must know of it, and how it is computed. Ops are made in ops/, a page each; core
// knows them only through this.
#pragma once

#include <gradus/core/error.h>
#include <gradus/core/graph/attributes.h>
#include <gradus/core/graph/graph.h>
#include <gradus/core/workers.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace gradus {

/// What a type rule sees of an op's inputs: their types and, for messages, how the user knows them.
class OpInputs {
 public:
  OpInputs(std::span<const Type> types, std::span<const Expr> exprs) : types_(types), exprs_(exprs) {}

  int count() const { return static_cast<int>(types_.size()); }
  const Type& operator[](int i) const { return types_[static_cast<std::size_t>(i)]; }
  /// The input itself, for rules that ask for what it holds where that is known before a run.
  const Expr& expr(int i) const { return exprs_[static_cast<std::size_t>(i)]; }
  /// "[60, 1] (X, main.cpp:14)".
  std::string shape(int i) const { return fmt::format("{} {}", to_string((*this)[i].shape), source(i)); }
  /// "float64 (X, main.cpp:14)".
  std::string dtype(int i) const { return fmt::format("{} {}", to_string((*this)[i].dtype), source(i)); }
  /// "csr (X, main.cpp:14)".
  std::string layout(int i) const { return fmt::format("{} {}", to_string((*this)[i].layout), source(i)); }

 private:
  std::string source(int i) const;

  std::span<const Type> types_;
  std::span<const Expr> exprs_;
};

/// A tensor during a run. Dense ones have their memory from the plan; the number of elements that a sparse one
/// stores is known only when it is computed.
struct Value {
  Type type;  // shape known
  std::byte* data = nullptr;
  std::int64_t stored = 0;  // elements at data
  std::shared_ptr<const CsrPattern> pattern;
  std::shared_ptr<const RowIndex> index;
  bool ones = false;           // csr: all non-zeros are 1
  std::int64_t first_row = 0;  // of the pattern or the index: a tile of a sparse value shares those of the whole

  template <class T>
  const T* as() const {
    return reinterpret_cast<const T*>(data);
  }
  template <class T>
  T* as() {
    return reinterpret_cast<T*>(data);
  }
  const Shape& shape() const { return type.shape; }
  /// Of a csr value, by its own rows: where in `column` (and, from the first, at data) each row's non-zeros begin.
  const std::int64_t* row_start() const { return pattern->row_start.data() + first_row; }
  /// Elements in one row of a rows or part value.
  std::int64_t row_size() const {
    std::int64_t elements = 1;
    for (const std::int64_t dim : type.shape.dims().subspan(1)) elements *= dim;
    return elements;
  }
  /// Of a rows or part value: which rows of the table it holds (none where rows are empty).
  std::span<const Index> held_rows() const {
    const std::int64_t count = stored == 0 ? 0 : stored / row_size();
    return std::span(index->row).subspan(static_cast<std::size_t>(first_row), static_cast<std::size_t>(count));
  }
  /// How many rows the whole holds after those of the tile.
  std::size_t rows_after() const {
    return index->row.size() - static_cast<std::size_t>(first_row) - held_rows().size();
  }
};

/// What a step with a sparse result keeps from run to run, to allocate nothing.
struct Growing {
  Buffer numbers;
  std::shared_ptr<RowIndex> index;
  std::shared_ptr<CsrPattern> pattern;
};

/// What a kernel is given: inputs, the output to write, threads and memory to work in.
class Call {
 public:
  Call(std::span<const Value* const> inputs, Value& output, Workers& workers, Buffer& scratch, Growing& growing)
      : inputs_(inputs), output_(output), workers_(workers), scratch_(scratch), growing_(growing) {}

  int arity() const { return static_cast<int>(inputs_.size()); }
  const Value& in(int i) const { return *inputs_[static_cast<std::size_t>(i)]; }
  template <class T>
  const T* in(int i) const {
    return in(i).template as<T>();
  }
  Value& out() { return output_; }
  template <class T>
  T* out() {
    return output_.as<T>();
  }
  Workers& workers() { return workers_; }

  /// Memory for the length of the call, not initialised; a second call of scratch takes it back.
  template <class T>
  T* scratch(std::int64_t count) {
    scratch_.reserve(static_cast<std::size_t>(count) * sizeof(T));
    return reinterpret_cast<T*>(scratch_.data());
  }

  /// Makes the output a CSR value on `pattern`, or a rows value on `index`, with room for its numbers.
  void set_pattern(std::shared_ptr<const CsrPattern> pattern);
  void set_index(const std::shared_ptr<const RowIndex>& index);
  /// An empty index, and a pattern, to fill and set: the one this step filled in its last run, unless somebody still
  /// has it.
  std::shared_ptr<RowIndex> new_index();
  std::shared_ptr<CsrPattern> new_pattern();

  /// "(X, main.cpp:14)": how the user knows input i, for messages.
  std::string source(int i) const;

  Expr node;                 // what is computed
  std::uint64_t stream = 0;  // the node's own stream of random numbers
  std::uint64_t run = 0;     // the number of the run: with the stream, every run draws anew
  bool adds = false;         // whether the result is added to the output: see Tiles
  bool in_tile = false;      // whether the output is a tile: of rows and parts, its index is set and its memory there

 private:
  void grow(std::int64_t stored);

  std::span<const Value* const> inputs_;
  Value& output_;
  Workers& workers_;
  Buffer& scratch_;
  Growing& growing_;
};

/// How an op may run on a tile, a few rows of the leading axis, as if its operands had only these. For rows and parts
/// these are some of the rows held.
struct Tiles {
  enum class Gives : std::uint8_t {
    nothing,      // it cannot
    rows,         // the tile of its result
    sum,          // the tile's part of a sum over all rows
    accumulated,  // the same, added to the output by the kernel where call.adds
  };
  Gives gives = Gives::nothing;
  unsigned sliced = 0;    // bit i: of input i the kernel gets the tile; of others, all
  std::int64_t rows = 0;  // of the leading axis; of rows and parts, only the run knows how many they hold
  /// Bit i: of input i, a table, the kernel reads the rows that its tile of rows or a part holds.
  unsigned looked_up = 0;
  /// How many leading axes may be cut as if they were one. Where they are more than one, an input that is not sliced
  /// has a single element.
  int most_axes = 1;
};

/// One row of an elementwise op over n elements: out[j] = f(in[0][j], in[1][j], ...). Bit i of `scalars` says
/// that input i is one number for the whole row.
using RowKernel = void (*)(const void* const* in, unsigned scalars, void* out, std::int64_t n);

/// How an op folds many numbers into one, for kernels that compute the terms and fold them at once.
struct Fold {
  enum class By : std::uint8_t { nothing, sum, max, min };
  /// A matrix, the other input, by whose columns the elements are multiplied: a row of them has a sum for each. Its
  /// element for element j of a row and column c lies at j * along + c * across; the sum, of row r, at r * result_row +
  /// c * result_across.
  struct Matrix {
    std::int64_t columns;
    std::int64_t along, across;
    std::int64_t result_row, result_across;
  };
  By by = By::nothing;
  unsigned axes = 0;        // bit i: axis i of the input that is folded
  double scale = 1;         // of the result: a mean is a scaled sum
  std::string term = "x0";  // CUDA C++ on the operands x0, x1, which broadcast to the first input's shape
  std::optional<Shape> second = std::nullopt;  // what x1 is read as, where that is not its shape
  int of = 0;                                  // the input that is folded: the first but where there is a matrix
  std::optional<Matrix> matrix = std::nullopt;
};

/// What holds of an op whatever its inputs are.
struct Traits {
  bool takes_any_rank = false;       // infer() may be asked of inputs whose rank is not known
  bool takes_rows_gradient = false;  // dy may be a rows value; else gradients() makes it dense first
  bool is_random = false;            // two evaluations may differ, or each is seen: random numbers, what is printed
  bool runs_on_host = false;         // there is no launch(): an accelerator has the host compute it
  unsigned reads = ~0U;  // bit i: the kernel looks at the elements of input i; some lend only their shape. 31: the rest
  /// Of a rows or part result: the input that says which rows it holds, a csr one by the columns it touches, others by
  /// what they hold themselves; -1 where none does. Not asked of elementwise ops.
  int rows_from = -1;
  bool touches_as_input = false;  // a csr result touches the columns that the first input, a csr matrix, touches
  bool gives_ones = false;        // the non-zeros of a csr result are ones, whatever the inputs are
};

/// Where the elements of a result come from.
enum class Elements : std::uint8_t {
  computed,
  kept,        // the first input's, in the same order, perhaps under another shape: a view
  transposed,  // the first input's, a dense matrix, moved
};
inline Elements view_if(bool kept) { return kept ? Elements::kept : Elements::computed; }

class DraftFacts;
class DeviceCall;

class Op {
 public:
  Op() = default;
  Op(const Op&) = delete;
  Op& operator=(const Op&) = delete;
  virtual ~Op() = default;

  // What it means: all that a reader of a formula needs.

  /// TensorFlow's name: "reduce_sum".
  virtual std::string_view name() const = 0;
  /// {{"axis", 1}, {"keep_dims", true}}: all that tells this op from another of its class and type.
  virtual Attributes attributes() const { return {}; }
  /// The type of the result; throws TypeError where the inputs do not fit. Asked when a node is made, with
  /// dimensions perhaps unknown, and again by a plan, with all of them known.
  virtual Type infer(const OpInputs& in) const = 0;
  /// An expression for the part of d(loss)/d(input i) that flows through y, given dy = d(loss)/dy. dy has y's
  /// shape, or for elementwise ops any that broadcasts to it; the result's shape may be y's where y was
  /// broadcast from the input: gradients() settles that for all ops. No expression where an earlier input is the same
  /// node and had both parts: d (x x) = 2 x dx.
  virtual Expr gradient(const Expr& y, const Expr& dy, int i) const;
  /// Why there is no gradient for input i; empty where there is one.
  virtual std::string_view no_gradient(int i) const;
  /// An expression of y's type that costs less, made in y's graph; none where there is nothing better. It is equal to y
  /// but for rounding, whatever the values are, so that no overflow, infinity, NaN or cancellation comes or goes by it.
  /// Plans ask, with all types concrete; `facts` tell how many nodes read one, for rules that pay only where y alone
  /// reads it.
  virtual Expr simplified(const Expr& y, const DraftFacts& facts) const;
  /// The same for rules that regroup a sum of products: equal in exact arithmetic, and to rounding as long as no
  /// partial sum overflows. Each rule says when it applies; the pass `reassociate` asks.
  virtual Expr reassociated(const Expr& y, const DraftFacts& facts) const;
  /// Whether this op computes what `other` does from the same inputs, to the same type.
  virtual bool same(const Op& other) const;

  // What plans must know of it.

  virtual Traits traits() const;
  bool reads(int i) const { return ((traits().reads >> std::min(i, 31)) & 1U) != 0; }
  /// Asked with concrete types: a broadcast to the shape that it has already is a view.
  virtual Elements elements(std::span<const Type> inputs) const;
  bool is_view(std::span<const Type> inputs) const { return elements(inputs) == Elements::kept; }
  /// For ops that compute() is to run on tiles. Asked with concrete types.
  virtual Tiles tiles(std::span<const Type> inputs, const Type& output) const;
  /// The same whether or not tiles would pay: what ranks ask, each of which has some of the rows (distribution.h).
  virtual Tiles by_rows(std::span<const Type> inputs, const Type& output) const;
  /// Of input i, a table: the input that names the rows of it that matter, an index or a csr matrix by its columns; -1
  /// where all do. Not asked of elementwise ops.
  virtual int rows_named_by(std::span<const Type> inputs, int i) const;
  /// Of an op that folds the elements of an input, term by term; by nothing for any other op.
  virtual Fold fold(std::span<const Type> inputs) const;

  // How it is computed: an elementwise op by a row kernel, all others by a call.

  /// The row kernel of an elementwise op for inputs of these types; null for any other op.
  virtual RowKernel row_kernel(std::span<const Type> inputs) const;
  /// Of an elementwise op, its formula on the operands x0, x1, x2, in C++ and CUDA C++ alike: "x0 * x1"; functions of
  /// core/kernel/formula_functions.h may be used. It gives the row kernel's bits. Empty: the op is part of no kernel.
  /// Of an op that has no row kernel, "x0": its result is rows of a table, the first input, as they are.
  virtual std::string formula(std::span<const Type> inputs) const;
  /// The CPU kernel. Elementwise ops and views have none: the engine runs them.
  virtual void compute(Call& call) const;
  /// Makes a sparse output of an accumulated sum, before its first tile: sets its index.
  virtual void prepare_sum(Call& call) const;
  /// What compute() does, on an accelerator (device_call.h). Elementwise ops and views have none: the engine runs them.
  virtual void launch(DeviceCall& call) const;
};

/// f(), whose ValueErrors are told with the name and the place of the node: row kernels know none.
template <class F>
void with_place(const Expr& node, F&& f) {
  try {
    f();
  } catch (const ValueError& error) {
    fail<ValueError>("{} ({}, {})", error.what(), node.name(), to_string(node.where()));
  }
}

/// Whether the engine runs the node's op by a row kernel.
bool is_elementwise(const Expr& node);
/// Whether the op's result is rows of a table, its first input, as they are.
bool looks_up_rows(const Op& op, std::span<const Type> inputs);
/// Whether a node of a plan's graph is a csr matrix of ones, so far as that is known before a run.
bool has_ones(const Expr& csr);

/// The value of a constant node, or null: for rules that treat pow(x, 2) apart.
const Tensor* constant_value(const Expr& expr);
/// The value of a constant that holds one number, if a double holds it exactly.
std::optional<double> constant_number(const Expr& expr);

}  // namespace gradus
