#include <gradus/ops/elementwise.h>

#include <gradus/ops/rules.h>

#include <algorithm>
#include <cstring>

namespace gradus {

namespace {

std::string_view called(const OperandNames& operands, int i) { return operands[static_cast<std::size_t>(i)]; }

// Whether f is zero wherever the operands of `sparse` (bits) are.
bool keeps_zeros(Zeros zeros, unsigned sparse, int arity) {
  switch (zeros) {
    case Zeros::first: return sparse == 1;
    case Zeros::second: return sparse == 2;
    case Zeros::either: return true;
    case Zeros::all: return sparse == (1U << static_cast<unsigned>(arity)) - 1;
    case Zeros::lost: break;
  }
  return false;
}

class ElementwiseOp final : public Op {
 public:
  explicit ElementwiseOp(const Row& row) : row_(row) {}

  std::string_view name() const override { return row_.name; }
  Traits traits() const override { return {.takes_any_rank = true, .takes_rows_gradient = true}; }

  Type infer(const OpInputs& in) const override {
    for (int i = 1; i < in.count(); ++i)
      if (in[i].dtype != in[0].dtype)
        fail<TypeError>("{}: {} is {} but {} is {}; cast one of them", name(), called(row_.operands, 0), in.dtype(0),
                        called(row_.operands, i), in.dtype(i));
    if (row_.kernel[0][static_cast<std::size_t>(in[0].dtype)] == nullptr)
      fail<TypeError>("{}: {} is {}; {}", name(), called(row_.operands, 0), in.dtype(0), expected());
    const Shape shape = elementwise_shape(name(), in, row_.operands);
    return {row_.gives == Gives::boolean ? boolean : in[0].dtype, shape,
            elementwise_layout(name(), in, shape, row_.zeros, row_.operands)};
  }

  Expr gradient(const Expr& y, const Expr& dy, int i) const override { return row_.gradient({y, dy}, i); }
  std::string_view no_gradient(int) const override { return row_.gradient == nullptr ? row_.no_gradient : ""; }

  Expr simplified(const Expr& y, const DraftFacts& facts) const override {
    if (row_.simplified != nullptr)
      if (const Expr better = row_.simplified(y, facts); better.valid()) return better;
    if (const Expr better = without_repetition(y); better.valid()) return better;
    if (const Expr better = with_active_rows(y, facts); better.valid()) return better;
    return transposed_last(y);
  }

  Expr reassociated(const Expr& y, const DraftFacts& facts) const override {
    return row_.reassociated != nullptr ? row_.reassociated(y, facts) : Expr();
  }

  RowKernel row_kernel(std::span<const Type> inputs) const override {
    return row_.kernel[static_cast<std::size_t>(isa())][static_cast<std::size_t>(inputs[0].dtype)];
  }
  std::string formula(std::span<const Type> inputs) const override {
    if (row_.throws_for_integers && is_integer(inputs[0].dtype)) return {};
    return std::string(row_.text);
  }

 private:
  Expr on(std::span<const Operand> operands) const {
    return gradus::apply(std::make_shared<ElementwiseOp>(row_), operands);
  }

  // Of a table beside rows of a known row set, just these rows count: they may be gathered already. Where f would not
  // be zero of their zeros (they may be divisors), f is computed of what the rows hold alone: elsewhere y is zero.
  Expr with_active_rows(const Expr& y, const DraftFacts& facts) const {
    if (y.layout() != Layout::rows && y.layout() != Layout::part) return {};
    std::vector<Operand> operands, parts;
    bool found = false;
    unsigned sparse = 0;
    for (int i = 0; i < y.arity(); ++i) {
      const Expr x = y.input(i);
      const Expr source = x.shape() == y.shape() && x.layout() == Layout::dense ? facts.row_set(y) : Expr();
      const Expr part = source.valid() ? gathered_rows(x, source, facts) : Expr();
      operands.emplace_back(part.valid() ? with_zeros(part) : x, y.where());
      parts.emplace_back(part.valid() ? part : x, y.where());
      found = found || part.valid();
      if (operands.back().expr().layout() != Layout::dense) sparse |= 1U << static_cast<unsigned>(i);
    }
    if (!found) return {};
    const bool stays = y.layout() == Layout::part || keeps_zeros(row_.zeros, sparse, y.arity());
    return stays ? on(operands) : with_zeros(on(parts));
  }

  // f(broadcast_to(x), z) = f(x, z) where the other operands give the result its shape anyway; where they do not, the
  // result is what is repeated: broadcast_to(f(x, z)).
  Expr without_repetition(const Expr& y) const {
    std::vector<Operand> operands;
    bool found = false;
    std::optional<Shape> shape = Shape();
    for (int i = 0; i < y.arity(); ++i) {
      const Expr x = y.input(i);
      const Expr inner = repeated(x);
      const bool takes = inner.valid() && inner.layout() == x.layout();
      operands.emplace_back(takes ? inner : x, y.where());
      found = found || takes;
      shape = broadcast(*shape, operands.back().expr().shape());
    }
    if (!found) return {};
    return *shape == y.shape() ? on(operands) : broadcast_to(on(operands), y.shape());
  }

  // f(x^T, z^T) = f(x, z)^T: a transpose that comes later may be folded into a product or undone by another. A vector
  // or a number among the operands is turned round by a mere change of shape.
  Expr transposed_last(const Expr& y) const {
    if (y.rank() != 2 || y.layout() != Layout::dense) return {};
    const auto stored = [&](int i) { return y.input(i).shape() == y.shape() ? transposed_matrix(y.input(i)) : Expr(); };
    bool found = false;
    for (int i = 0; i < y.arity(); ++i) found = found || stored(i).valid();
    if (!found) return {};
    std::vector<Operand> operands;
    for (int i = 0; i < y.arity(); ++i) {
      const Expr x = y.input(i);
      if (const Expr inner = stored(i); inner.valid()) {
        operands.emplace_back(inner, y.where());
      } else if (x.shape().size() == 1) {
        operands.emplace_back(x, y.where());
      } else if (x.rank() == 1 || x.shape()[0] == 1) {
        operands.emplace_back(reshape(x, {x.shape().size(), 1}), y.where());
      } else if (x.shape()[1] == 1) {
        operands.emplace_back(reshape(x, {1, x.shape().size()}), y.where());
      } else {
        return {};
      }
    }
    return transpose(on(operands));
  }

  std::string_view expected() const {
    switch (row_.takes) {
      case Takes::floating: return "float32 or float64 is expected";
      case Takes::numbers: return "a number type is expected";
      case Takes::booleans: return "bool is expected";
      case Takes::any: break;
    }
    return "";
  }

  const Row& row_;
};

constexpr std::int64_t number_block = 256;  // elements

void fill(std::byte* to, const void* number, std::size_t size, std::int64_t count) {
  const auto fill_as = [&]<class T>(T value) {
    std::memcpy(&value, number, sizeof value);
    std::fill_n(reinterpret_cast<T*>(to), count, value);
  };
  if (size == 4) {
    fill_as(std::uint32_t{});
  } else if (size == 8) {
    fill_as(std::uint64_t{});
  } else {
    fill_as(std::uint8_t{});
  }
}

}  // namespace

void detail::run_beside_numbers(LoopFunction loop, std::span<const std::size_t> size, std::size_t out_size,
                                const void* const* in, unsigned scalars, void* out, std::int64_t n) {
  constexpr std::size_t most = std::tuple_size_v<OperandNames>;
  alignas(64) std::byte memory[most][number_block * 8];
  std::array<const std::byte*, most> at{};
  std::array<std::size_t, most> step{};  // bytes to the next element
  for (std::size_t i = 0; i < size.size(); ++i) {
    if (((scalars >> i) & 1U) != 0) {
      fill(memory[i], in[i], size[i], std::min(n, number_block));
      at[i] = memory[i];
    } else {
      at[i] = static_cast<const std::byte*>(in[i]);
      step[i] = size[i];
    }
  }
  auto* to = static_cast<std::byte*>(out);
  for (std::int64_t first = 0; first < n; first += number_block) {
    const std::int64_t count = std::min(number_block, n - first);
    std::array<const void*, most> pointers{};
    std::copy(at.begin(), at.end(), pointers.begin());
    loop(pointers.data(), 0, to, count);
    for (std::size_t i = 0; i < size.size(); ++i) at[i] += static_cast<std::size_t>(count) * step[i];
    to += static_cast<std::size_t>(count) * out_size;
  }
}

Shape elementwise_shape(std::string_view name, const OpInputs& in, const OperandNames& operands) {
  Shape shape = in[0].shape;
  for (int i = 1; i < in.count(); ++i) {
    const auto common = broadcast(shape, in[i].shape);
    if (!common) {
      // Name the first operand that does not go with this one.
      int other = 0;
      while (other < i - 1 && broadcast(in[other].shape, in[i].shape)) ++other;
      fail<TypeError>("{}: {} is {} but {} is {}; the shapes do not broadcast", name, called(operands, other),
                      in.shape(other), called(operands, i), in.shape(i));
    }
    shape = *common;
  }
  return shape;
}

Layout elementwise_layout(std::string_view name, const OpInputs& in, const Shape& shape, Zeros zeros,
                          const OperandNames& operands) {
  Layout layout = Layout::dense;
  unsigned sparse = 0;
  int first = 0;
  for (int i = 0; i < in.count(); ++i) {
    const Layout mine = in[i].layout;
    if (mine == Layout::dense) continue;
    if (sparse == 0) first = i;
    sparse |= 1U << static_cast<unsigned>(i);
    if ((layout == Layout::csr) != (mine == Layout::csr) && layout != Layout::dense)
      fail<TypeError>("{}: {} is {} but {} is {}; use to_dense", name, called(operands, first), in.layout(first),
                      called(operands, i), in.layout(i));
    layout = std::max(layout, mine);  // a part makes its company one
    const auto same = [](std::int64_t own, std::int64_t common) {
      return own == common || own == any || common == any;
    };
    // Rows may be narrower than the result's.
    const bool whole = mine == Layout::csr
                           ? std::equal(in[i].shape.begin(), in[i].shape.end(), shape.begin(), shape.end(), same)
                           : in[i].shape.rank() == shape.rank() && same(in[i].shape[0], shape[0]);
    if (!whole)
      fail<TypeError>("{}: {} is {} {} and would be broadcast to {}, which fills it; use to_dense", name,
                      called(operands, i), to_string(mine), in.shape(i), to_string(shape));
  }
  if (layout == Layout::dense || layout == Layout::part || keeps_zeros(zeros, sparse, in.count())) return layout;
  fail<TypeError>(
      "{}: {} is {}; its zeros would not stay zero, so the result would be dense; use to_dense if that is "
      "meant",
      name, called(operands, first), in.layout(first));
}

Expr elementwise(const Row& r, std::initializer_list<Operand> operands) {
  // A rows value (a gradient) whose zeros would not stay becomes dense without a word: unlike a csr matrix, it
  // is never much smaller than the table that is there already.
  unsigned rows = 0;
  unsigned bit = 1;
  bool part = false;
  for (const Operand& operand : operands) {
    const Expr expr = operand.expr();
    if (expr.valid() && expr.layout() == Layout::rows) rows |= bit;
    part = part || (expr.valid() && expr.layout() == Layout::part);
    bit <<= 1U;
  }
  auto op = std::make_shared<ElementwiseOp>(r);
  if (rows == 0 || part || keeps_zeros(r.zeros, rows, static_cast<int>(operands.size())))
    return gradus::apply(std::move(op), std::span(operands.begin(), operands.size()));
  std::vector<Operand> dense;
  for (const Operand& operand : operands) {
    const Expr expr = operand.expr();
    if (expr.valid() && expr.layout() == Layout::rows) {
      dense.emplace_back(to_dense(operand), operand.where());
    } else {
      dense.push_back(operand);
    }
  }
  return gradus::apply(std::move(op), std::span<const Operand>(dense));
}

}  // namespace gradus
