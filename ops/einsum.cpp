// einsum of two operands, and its two best known cases, dot and outer. The letters fall into four groups: batch (in
// a, b and the result), summed (in a and b), free of a and free of b. With summed and free letters it is a batched
// matrix product [batch, free a, summed] x [batch, summed, free b]; otherwise a product element by element. All of
// it is public ops, so it has their gradients. einsum takes any shapes whose letters agree exactly, without
// broadcasting.
#include <gradus/core/error.h>
#include <gradus/core/graph/op.h>
#include <gradus/ops/checks.h>
#include <gradus/ops/ops.h>

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <string>

namespace gradus {

namespace {

bool has(std::string_view letters, char letter) { return letters.find(letter) != std::string_view::npos; }

struct Letters {
  std::string a, b, out;
};

Letters parse(std::string_view equation) {
  std::string text;
  for (const char c : equation)
    if (c != ' ') text += c;
  const std::size_t arrow = text.find("->");
  const std::string operands = text.substr(0, arrow);
  const auto commas = std::count(operands.begin(), operands.end(), ',');
  if (commas != 1) fail<ValueError>("einsum: \"{}\" names {} operands; two are right", equation, commas + 1);
  Letters letters{operands.substr(0, operands.find(',')), operands.substr(operands.find(',') + 1), {}};
  if (arrow != std::string::npos) letters.out = text.substr(arrow + 2);

  for (const std::string& part : {letters.a, letters.b, letters.out}) {
    for (std::size_t i = 0; i < part.size(); ++i) {
      if (std::isalpha(static_cast<unsigned char>(part[i])) == 0)
        fail<ValueError>("einsum: \"{}\" contains '{}'; letters, one comma and -> are right", equation, part[i]);
      if (has(std::string_view(part).substr(i + 1), part[i]))
        fail<ValueError>("einsum: \"{}\" names {} twice in \"{}\"; once is right", equation, part[i], part);
    }
  }
  for (const char c : letters.out)
    if (!has(letters.a, c) && !has(letters.b, c))
      fail<ValueError>("einsum: \"{}\" asks for {}, which no operand has", equation, c);

  // Without an arrow: the letters that occur once, in alphabetical order.
  if (arrow == std::string::npos) {
    for (const char c : letters.a + letters.b)
      if (has(letters.a, c) != has(letters.b, c)) letters.out += c;
    std::sort(letters.out.begin(), letters.out.end());
  }
  return letters;
}

// The first operand, whose letters have the sizes that the second one gives them. A view that checks, in the run
// too: elementwise products would broadcast a size of 1 that was unknown before.
class Agree : public Op {
 public:
  Agree(std::string_view op, std::string mine, std::string other, bool swapped)
      : op_(op), mine_(std::move(mine)), other_(std::move(other)), swapped_(swapped) {}

  std::string_view name() const override { return op_; }
  bool is_view(std::span<const Type>) const override { return true; }
  bool reads(int i) const override { return i == 0; }
  // With all sizes known, infer() has checked them.
  Expr simplified(const Expr& y, const DraftFacts&) const override { return y.input(0); }

  Type infer(const OpInputs& in) const override {
    check(0, in);
    check(1, in);
    Shape shape = in[0].shape;
    for (int i = 0; i < shape.rank(); ++i) {
      const char letter = mine_[static_cast<std::size_t>(i)];
      if (!has(other_, letter)) continue;
      const std::int64_t theirs = in[1].shape[static_cast<int>(other_.find(letter))];
      if (shape[i] == any) shape = shape.with(i, theirs);
      if (shape[i] != theirs && theirs != any) {
        const int a = swapped_ ? 1 : 0;
        fail<TypeError>("{}: a is {} but b is {}; sizes {} and {}{} differ", op_, in.shape(a), in.shape(1 - a),
                        swapped_ ? theirs : shape[i], swapped_ ? shape[i] : theirs,
                        op_ == "einsum" ? fmt::format(" of {}", letter) : "");
      }
    }
    return {in[0].dtype, shape, in[0].layout};
  }

  // The same numbers.
  Expr gradient(const Expr&, const Expr& dy, int) const override { return dy; }
  std::string_view no_gradient(int i) const override { return i == 1 ? "only its shape is used" : ""; }

 private:
  void check(int i, const OpInputs& in) const {
    const std::string& letters = i == 0 ? mine_ : other_;
    const char operand = (i == 0) == swapped_ ? 'b' : 'a';
    if (in[i].shape.rank() == static_cast<int>(letters.size())) return;
    if (op_ != "einsum") fail<TypeError>("{}: {} is {}; a vector is right", op_, operand, in.shape(i));
    fail<TypeError>("einsum: {} is {} but \"{}\" names {} axes", operand, in.shape(i), letters, letters.size());
  }

  std::string_view op_;
  std::string mine_;
  std::string other_;
  bool swapped_;  // whether the first operand is the b of messages
};

// An operand and the letters of its axes, step by step brought into the order that a product wants.
struct Labelled {
  Expr x;
  std::string letters;

  std::int64_t dim(char letter) const { return x.shape()[static_cast<int>(letters.find(letter))]; }

  // Sums over the letters that nothing else has.
  void keep_only(std::string_view others) {
    std::vector<int> axes;
    std::string kept;
    for (std::size_t i = 0; i < letters.size(); ++i) {
      if (has(others, letters[i])) {
        kept += letters[i];
      } else {
        axes.push_back(static_cast<int>(i));
      }
    }
    if (axes.empty()) return;
    x = reduce_sum(x, Axes(axes));
    letters = kept;
  }

  void order(const std::string& wanted) {
    std::vector<int> perm;
    for (const char letter : wanted) perm.push_back(static_cast<int>(letters.find(letter)));
    if (letters != wanted) x = transpose(x, perm);
    letters = wanted;
  }

  // The letters in the order of `all`, axes of size 1 for those that are missing.
  void spread(const std::string& all) {
    std::string mine;
    for (const char letter : all)
      if (has(letters, letter)) mine += letter;
    order(mine);
    for (std::size_t i = 0; i < all.size(); ++i)
      if (!has(mine, all[i])) x = expand_dims(x, static_cast<int>(i));
    letters = all;
  }
};

// `in` are the operands that the user gave, for the message.
Expr reshape_one_unknown(const Expr& x, const std::vector<std::int64_t>& dims, const OpInputs& in) {
  if (std::count(dims.begin(), dims.end(), any) > 1)
    fail<TypeError>(
        "einsum: a is {} and b is {}; the product takes a reshape to {}, in which one unknown size can be "
        "worked out, not more",
        in.shape(0), in.shape(1), to_string(Shape(dims)));
  return reshape(x, Shape(dims));
}

// The product of the sizes of letters: `any` where one is unknown.
std::int64_t joined(const Labelled& operand, const std::string& letters) {
  std::int64_t size = 1;
  for (const char letter : letters) {
    const std::int64_t dim = operand.dim(letter);
    if (dim == any) return any;
    size *= dim;
  }
  return size;
}

// [batch, rows, columns] with the letters of each of the last two groups made one axis.
Expr as_matrices(Labelled operand, const std::string& batch, const std::string& rows, const std::string& columns,
                 const OpInputs& in) {
  operand.order(batch + rows + columns);
  if (rows.size() > 1 || columns.size() > 1) {
    std::vector<std::int64_t> dims;
    for (const char letter : batch) dims.push_back(operand.dim(letter));
    dims.push_back(joined(operand, rows));
    dims.push_back(joined(operand, columns));
    return reshape_one_unknown(operand.x, dims, in);
  }
  if (rows.empty()) operand.x = expand_dims(operand.x, static_cast<int>(batch.size()));
  if (columns.empty()) operand.x = expand_dims(operand.x, -1);
  return operand.x;
}

Expr matrix_product(const Labelled& a, const Labelled& b, const std::string& batch, const std::string& summed,
                    const std::string& free_a, const std::string& free_b, const std::string& out, const OpInputs& in) {
  Expr y = matmul(as_matrices(a, batch, free_a, summed, in), as_matrices(b, batch, summed, free_b, in));
  if (free_a.size() > 1 || free_b.size() > 1) {
    std::vector<std::int64_t> dims;
    for (const char letter : batch) dims.push_back(a.dim(letter));
    for (const char letter : free_a) dims.push_back(a.dim(letter));
    for (const char letter : free_b) dims.push_back(b.dim(letter));
    y = reshape_one_unknown(y, dims, in);
  } else {
    if (free_b.empty()) y = squeeze(y, -1);
    if (free_a.empty()) y = squeeze(y, static_cast<int>(batch.size()));
  }
  Labelled result{y, batch + free_a + free_b};
  result.order(out);
  return result.x;
}

Expr contract(std::string_view op, const Letters& letters, const Operand& left, const Operand& right) {
  const Expr known = left.expr().valid() ? left.expr() : require_expr(op, right, "b");
  const auto pin = known.graph().pin(left.where());
  Labelled a{left.in(known.graph(), known.dtype(), op), letters.a};
  Labelled b{right.in(known.graph(), known.dtype(), op), letters.b};

  const Type types[] = {a.x.type(), b.x.type()};
  const Expr exprs[] = {a.x, b.x};
  const auto agree = std::make_shared<Agree>(op, letters.a, letters.b, false);
  const OpInputs given(types, exprs);
  agree->infer(given);
  const auto shared_unknown = [](const Labelled& x, const std::string& other) {
    return std::any_of(other.begin(), other.end(), [&](char c) { return has(x.letters, c) && x.dim(c) == any; });
  };
  if (a.x.layout() == Layout::dense && b.x.layout() == Layout::dense) {
    if (shared_unknown(a, letters.b)) a.x = apply(agree, {a.x, b.x});
    if (shared_unknown(b, letters.a)) b.x = apply(std::make_shared<Agree>(op, letters.b, letters.a, true), {b.x, a.x});
  }

  a.keep_only(letters.b + letters.out);
  b.keep_only(letters.a + letters.out);
  std::string batch, summed, free_a, free_b;
  for (const char c : letters.out) (has(a.letters, c) ? has(b.letters, c) ? batch : free_a : free_b) += c;
  for (const char c : a.letters)
    if (has(b.letters, c) && !has(letters.out, c)) summed += c;

  if (!summed.empty() && !(free_a.empty() && free_b.empty()))
    return matrix_product(a, b, batch, summed, free_a, free_b, letters.out, given);
  a.spread(letters.out + summed);
  b.spread(letters.out + summed);
  const Expr products = multiply(a.x, b.x);
  if (summed.empty()) return products;
  std::vector<int> axes;
  for (std::size_t i = 0; i < summed.size(); ++i) axes.push_back(static_cast<int>(letters.out.size() + i));
  return reduce_sum(products, Axes(axes));
}

}  // namespace

Expr einsum(std::string_view equation, const Operand& a, const Operand& b) {
  return contract("einsum", parse(equation), a, b);
}

Expr dot(const Operand& a, const Operand& b) { return contract("dot", {"i", "i", ""}, a, b); }

Expr outer(const Operand& a, const Operand& b) { return contract("outer", {"i", "j", "ij"}, a, b); }

}  // namespace gradus
