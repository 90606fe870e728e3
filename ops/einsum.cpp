// einsum of one or two operands, or more, two at a time, and its two best known cases, dot and outer. The letters of
// two fall into four groups: batch (in a, b and the result), summed (in a and b), free of a and free of b. With summed
// and free letters it is a batched matrix product [batch, free a, summed] x [batch, summed, free b]; otherwise a
// product element by element. All of it is public ops, so it has their gradients. einsum takes any shapes whose letters
// agree exactly, without broadcasting; but the axes of `...`, which are letters here as well, digits from the last on,
// do broadcast.
#include <gradus/core/error.h>
#include <gradus/core/graph/op.h>
#include <gradus/ops/checks.h>
#include <gradus/ops/ops.h>

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <string>
#include <vector>

namespace gradus {

namespace {

bool has(std::string_view letters, char letter) { return letters.find(letter) != std::string_view::npos; }

// The letters of the operands, as many as there are, and of the result.
struct Letters {
  std::vector<std::string> in;
  std::string out;
};

// Digits for the axes of an ellipsis: the last axis is 0.
std::string digits(int count) {
  std::string text;
  for (int i = count - 1; i >= 0; --i) text += static_cast<char>('0' + i);
  return text;
}

// The letters of a that b has too, each once.
std::string common(std::string_view a, std::string_view b) {
  std::string letters;
  for (const char c : a)
    if (has(b, c) && !has(letters, c)) letters += c;
  return letters;
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// An operand or the result of an equation, with as many digits for an ellipsis.
std::string spelled_out(std::string_view equation, const std::string& part, int axes, bool repeats) {
  std::string letters;
  for (std::size_t i = 0; i < part.size(); ++i) {
    if (part.compare(i, 3, "...") == 0 && part.find("...", i + 3) == std::string::npos) {
      letters += digits(axes);
      i += 2;
    } else if (std::isalpha(static_cast<unsigned char>(part[i])) == 0) {
      fail<ValueError>("einsum: \"{}\" contains '{}'; letters, ..., commas and -> are right", equation, part[i]);
    } else if (!repeats && has(letters, part[i])) {
      fail<ValueError>("einsum: \"{}\" names {} twice in \"{}\"; once is right", equation, part[i], part);
    } else {
      letters += part[i];
    }
  }
  return letters;
}

// How many axes of an operand an ellipsis stands for.
int axes_of_ellipsis(std::string_view equation, const std::string& part, const OpInputs& in, int i) {
  if (part.find("...") == std::string::npos) return 0;
  const int axes = in[i].shape.rank() - static_cast<int>(part.size() - 3);
  if (axes < 0)
    fail<TypeError>("einsum: {} is {}; \"{}\" names more axes", static_cast<char>('a' + i), in.shape(i), equation);
  return axes;
}

Letters parse(std::string_view equation, const OpInputs& in) {
  std::string text;
  for (const char c : equation)
    if (c != ' ') text += c;
  const std::size_t arrow = text.find("->");
  const std::string operands = text.substr(0, arrow);
  const auto named = std::count(operands.begin(), operands.end(), ',') + 1;
  if (named != in.count())
    fail<ValueError>("einsum: \"{}\" names {} operand{}; {} {} given", equation, named, plural(named), in.count(),
                     in.count() == 1 ? "is" : "are");
  Letters letters;
  int axes = 0;  // of the longest ellipsis
  std::size_t begin = 0;
  for (int i = 0; i < in.count(); ++i) {
    const std::string part = operands.substr(begin, operands.find(',', begin) - begin);
    begin += part.size() + 1;
    const int of_this = axes_of_ellipsis(equation, part, in, i);
    axes = std::max(axes, of_this);
    letters.in.push_back(spelled_out(equation, part, of_this, true));
  }
  std::string all;
  for (const std::string& of : letters.in) all += of;
  if (arrow == std::string::npos) {
    // Without an arrow: the ellipsis, and the letters that occur once, in alphabetical order.
    for (const char c : all)
      if (!is_digit(c) && std::count(all.begin(), all.end(), c) == 1) letters.out += c;
    std::sort(letters.out.begin(), letters.out.end());
    letters.out = digits(axes) + letters.out;
    return letters;
  }
  letters.out = spelled_out(equation, text.substr(arrow + 2), axes, false);
  for (const char c : letters.out)
    if (!has(all, c)) fail<ValueError>("einsum: \"{}\" asks for {}, which no operand has", equation, c);
  if (axes > 0 && !has(letters.out, '0'))
    fail<ValueError>("einsum: \"{}\" leaves ... out of the result; it must have what ... stands for", equation);
  return letters;
}

// The first operand, whose letters have the sizes that the second one gives them. A view that checks, in the run
// too: elementwise products would broadcast a size of 1 that was unknown before.
class Agree : public Op {
 public:
  /// The names are the letters of messages: a of the first operand.
  Agree(std::string_view op, std::string mine, std::string other, char name, char other_name)
      : op_(op), mine_(std::move(mine)), other_(std::move(other)), name_(name), other_name_(other_name) {}

  std::string_view name() const override { return op_; }
  Elements elements(std::span<const Type>) const override { return Elements::kept; }
  Traits traits() const override { return {.reads = 0b1U}; }
  // With all sizes known, infer() has checked them.
  Expr simplified(const Expr& y, const DraftFacts&) const override { return y.input(0); }

  Type infer(const OpInputs& in) const override {
    check(0, in);
    check(1, in);
    Shape shape = in[0].shape;
    for (int i = 0; i < shape.rank(); ++i) {
      const char letter = mine_[static_cast<std::size_t>(i)];
      if (!has(other_, letter) || is_digit(letter)) continue;
      const std::int64_t theirs = in[1].shape[static_cast<int>(other_.find(letter))];
      if (shape[i] == any) shape = shape.with(i, theirs);
      if (shape[i] != theirs && theirs != any) {
        const bool swapped = other_name_ < name_;
        const int first = swapped ? 1 : 0;
        fail<TypeError>("{}: {} is {} but {} is {}; sizes {} and {}{} differ", op_, std::min(name_, other_name_),
                        in.shape(first), std::max(name_, other_name_), in.shape(1 - first), swapped ? theirs : shape[i],
                        swapped ? shape[i] : theirs, op_ == "einsum" ? fmt::format(" of {}", letter) : "");
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
    if (in[i].shape.rank() == static_cast<int>(letters.size())) return;
    fail<TypeError>("{}: {} is {}; a vector is right", op_, i == 0 ? name_ : other_name_, in.shape(i));
  }

  std::string_view op_;
  std::string mine_;
  std::string other_;
  char name_;
  char other_name_;
};

// An operand and the letters of its axes, step by step brought into the order that a product wants.
struct Labelled {
  Expr x;
  std::string letters;
  char name = 'a';  // in messages

  std::int64_t dim(char letter) const { return x.shape()[static_cast<int>(letters.find(letter))]; }

  // Of letters that occur twice, the diagonal: of [..., n * n] each element number n + 1.
  void take_diagonals(std::string_view equation) {
    for (std::size_t i = 0; i < letters.size(); ++i) {
      const std::size_t j = letters.find(letters[i], i + 1);
      if (j == std::string::npos) continue;
      const char letter = letters[i];
      const std::int64_t n = x.shape()[static_cast<int>(i)], m = x.shape()[static_cast<int>(j)];
      if (n == any || m == any || n != m)
        fail<TypeError>("einsum: \"{}\" names {} twice of an operand that is {}; its sizes must be known, and equal",
                        equation, letter, (*Given({x})).shape(0));
      std::vector<int> perm;
      std::vector<std::int64_t> dims;
      std::string others;
      for (std::size_t axis = 0; axis < letters.size(); ++axis) {
        if (axis == i || axis == j) continue;
        perm.push_back(static_cast<int>(axis));
        dims.push_back(x.shape()[static_cast<int>(axis)]);
        others += letters[axis];
      }
      perm.push_back(static_cast<int>(i));
      perm.push_back(static_cast<int>(j));
      dims.push_back(n * n);
      if (std::count(dims.begin(), dims.end(), any) > 1)
        fail<TypeError>(
            "einsum: \"{}\" names {} twice of an operand that is {}; one other size may be unknown, not more", equation,
            letter, (*Given({x})).shape(0));
      x = at(reshape(transpose(x, perm), Shape(dims)), {ellipsis, {_, _, n + 1}});
      letters = others + letter;
      i = static_cast<std::size_t>(-1);  // from the first again
    }
  }

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
    for (std::size_t i = 0; i < batch.size(); ++i) dims.push_back(y.shape()[static_cast<int>(i)]);  // broadcast
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

Expr contract(std::string_view op, const std::string& out, Labelled a, Labelled b) {
  const Given both({a.x, b.x});
  const OpInputs& given = *both;
  const auto agree = std::make_shared<Agree>(op, a.letters, b.letters, a.name, b.name);
  agree->infer(given);
  const auto shared_unknown = [](const Labelled& x, const std::string& other) {
    return std::any_of(other.begin(), other.end(),
                       [&](char c) { return has(x.letters, c) && !is_digit(c) && x.dim(c) == any; });
  };
  if (a.x.layout() == Layout::dense && b.x.layout() == Layout::dense) {
    const Expr left = a.x;
    if (shared_unknown(a, b.letters)) a.x = apply(agree, {a.x, b.x});
    if (shared_unknown(b, a.letters))
      b.x = apply(std::make_shared<Agree>(op, b.letters, a.letters, b.name, a.name), {b.x, left});
  }

  a.keep_only(b.letters + out);
  b.keep_only(a.letters + out);
  std::string batch, summed, free_a, free_b;
  for (const char c : out) (has(a.letters, c) ? has(b.letters, c) ? batch : free_a : free_b) += c;
  for (const char c : a.letters)
    if (has(b.letters, c) && !has(out, c)) summed += c;

  if (!summed.empty() && !(free_a.empty() && free_b.empty()))
    return matrix_product(a, b, batch, summed, free_a, free_b, out, given);
  a.spread(out + summed);
  b.spread(out + summed);
  const Expr products = multiply(a.x, b.x);
  if (summed.empty()) return products;
  std::vector<int> axes;
  for (std::size_t i = 0; i < summed.size(); ++i) axes.push_back(static_cast<int>(out.size() + i));
  return reduce_sum(products, Axes(axes));
}

// Operands, of which some may be numbers or tensors, in the graph of the others.
std::vector<Expr> operands_of(std::string_view op, std::span<const Operand> operands) {
  const auto first = std::find_if(operands.begin(), operands.end(), [](const Operand& o) { return o.expr().valid(); });
  const Expr known = first != operands.end() ? first->expr() : require_expr(op, operands[1], "b");
  const Graph::Pin pin = known.graph().pin(operands[0].where());
  std::vector<Expr> x;
  for (const Operand& operand : operands) x.push_back(operand.in(known.graph(), known.dtype(), op));
  return x;
}

Expr contract_letters(std::string_view op, const Operand& a, const Operand& b, const std::string& of_a,
                      const std::string& of_b, const std::string& out) {
  const std::vector<Expr> x = operands_of(op, std::array{a, b});
  const Graph::Pin pin = x[0].graph().pin(a.where());
  return contract(op, out, {x[0], of_a}, {x[1], of_b, 'b'});
}

// An operand of an equation, its repeated letters gone.
Labelled labelled(std::string_view equation, const OpInputs& in, int i, const Expr& x, const std::string& letters) {
  if (in[i].shape.rank() != static_cast<int>(letters.size()))
    fail<TypeError>("einsum: {} is {} but \"{}\" names {} axes", static_cast<char>('a' + i), in.shape(i), letters,
                    letters.size());
  Labelled operand{x, letters, static_cast<char>('a' + i)};
  operand.take_diagonals(equation);
  return operand;
}

}  // namespace

Expr einsum(std::string_view equation, const Operand& a) {
  const Expr x = require_expr("einsum", a, "a");
  const Given given({x});
  const Letters letters = parse(equation, *given);
  const Graph::Pin pin = x.graph().pin(a.where());
  Labelled operand = labelled(equation, *given, 0, x, letters.in[0]);
  operand.keep_only(letters.out);
  operand.order(letters.out);
  return same_node(operand.x, x) ? identity(x) : operand.x;
}

Expr einsum(std::string_view equation, const Operand& a, const Operand& b) {
  return detail::einsum_of(equation, std::array{a, b});
}

Expr detail::einsum_of(std::string_view equation, std::span<const Operand> operands) {
  const std::vector<Expr> x = operands_of("einsum", operands);
  const Given given(x);
  const Letters letters = parse(equation, *given);
  const Graph::Pin pin = x[0].graph().pin(operands[0].where());
  Labelled product = labelled(equation, *given, 0, x[0], letters.in[0]);
  for (std::size_t i = 1; i < x.size(); ++i) {
    const Labelled next = labelled(equation, *given, static_cast<int>(i), x[i], letters.in[i]);
    // Told of the operands as they were given; contract() sees a product.
    for (std::size_t j = 0; j < i; ++j)
      Agree("einsum", letters.in[j], letters.in[i], static_cast<char>('a' + j), next.name).infer(*Given({x[j], x[i]}));
    std::string out = letters.out;
    if (i + 1 < x.size()) {  // what is still asked for
      for (std::size_t j = i + 1; j < x.size(); ++j) out += letters.in[j];
      out = common(product.letters + next.letters, out);
    }
    product = {contract("einsum", out, product, next), out};
  }
  return product.x;
}

Expr dot(const Operand& a, const Operand& b) { return contract_letters("dot", a, b, "i", "i", ""); }

Expr outer(const Operand& a, const Operand& b) { return contract_letters("outer", a, b, "i", "j", "ij"); }

}  // namespace gradus
