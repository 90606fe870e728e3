// Elementwise ops. Each is one row: a name, the formula for one element, its gradient. The row makes a loop
// over contiguous elements per dtype (a row kernel); the engine applies it to any layout and any broadcasting,
// so no elementwise op knows of either.
#pragma once

#include <gradus/core/op.h>
#include <gradus/ops/ops.h>

#include <array>
#include <string_view>
#include <type_traits>

namespace gradus {

/// Which dtypes a row takes. Bits by DType.
enum class Takes : unsigned { floating = 0b00011, numbers = 0b01111, booleans = 0b10000, any = 0b11111 };

/// What a row gives: the dtype of its operands, or bool.
enum class Gives : std::uint8_t { same, boolean };

/// For which operands f is zero wherever that operand is: f(0) = 0, or 0 * y = 0. Bits by operand. Such an
/// operand may be csr or rows, and the result then is too. `all` means f(0, 0) = 0 but not f(0, y) = 0: then
/// every operand must be sparse with the same non-zeros.
enum class Zeros : unsigned { lost = 0, first = 1, second = 2, either = 3, all = 4 };

/// dy, y and the operands of one application of a row.
struct Chain {
  Expr y;   // the result
  Expr dy;  // d loss / dy
  Expr x(int i) const { return y.input(i); }
};

using OperandNames = std::array<std::string_view, 3>;

struct Row {
  std::string_view name;
  int arity = 1;
  Takes takes = Takes::floating;
  Gives gives = Gives::same;
  Zeros zeros = Zeros::lost;
  std::array<RowKernel, dtype_count> kernel{};  // by the operands' dtype
  Expr (*gradient)(const Chain& c, int i) = nullptr;
  std::string_view no_gradient;  // why, where gradient is null
  OperandNames operands = {"a", "b", "c"};
  Expr (*simplified)(const Expr& y) = nullptr;  // a rule for plans: see Op::simplified

  /// The same row with operands called otherwise in messages.
  constexpr Row named(const OperandNames& names) const {
    Row r = *this;
    r.operands = names;
    return r;
  }
  /// The same row with a rule.
  constexpr Row with_rule(Expr (*rule)(const Expr& y)) const {
    Row r = *this;
    r.simplified = rule;
    return r;
  }
};

namespace detail {

// The loop of a row: f over n elements. With one operand a number, it is hoisted, and the compiler sees a plain
// loop over arrays in each of the usual cases.
template <class F, class T, int arity>
void row_loop(const void* const* in, unsigned scalars, void* out, std::int64_t n) {
  constexpr F f{};
  if constexpr (arity == 1) {
    using R = decltype(f(T{}));
    static_assert(std::is_same_v<R, T> || std::is_same_v<R, bool>, "the formula must stay in its dtype");
    const T* x = static_cast<const T*>(in[0]);
    R* y = static_cast<R*>(out);
    if (scalars != 0) {
      const R value = f(*x);
      for (std::int64_t j = 0; j < n; ++j) y[j] = value;
    } else {
      for (std::int64_t j = 0; j < n; ++j) y[j] = f(x[j]);
    }
  } else if constexpr (arity == 2) {
    using R = decltype(f(T{}, T{}));
    static_assert(std::is_same_v<R, T> || std::is_same_v<R, bool>, "the formula must stay in its dtype");
    const T* a = static_cast<const T*>(in[0]);
    const T* b = static_cast<const T*>(in[1]);
    R* y = static_cast<R*>(out);
    if (scalars == 0) {
      for (std::int64_t j = 0; j < n; ++j) y[j] = f(a[j], b[j]);
    } else if (scalars == 1) {
      for (std::int64_t j = 0; j < n; ++j) y[j] = f(*a, b[j]);
    } else if (scalars == 2) {
      for (std::int64_t j = 0; j < n; ++j) y[j] = f(a[j], *b);
    } else {
      const R value = f(*a, *b);
      for (std::int64_t j = 0; j < n; ++j) y[j] = value;
    }
  } else {
    using R = decltype(f(T{}, T{}, T{}));
    const T* a = static_cast<const T*>(in[0]);
    const T* b = static_cast<const T*>(in[1]);
    const T* c = static_cast<const T*>(in[2]);
    R* y = static_cast<R*>(out);
    if (scalars == 6) {
      for (std::int64_t j = 0; j < n; ++j) y[j] = f(a[j], *b, *c);
    } else {
      const std::int64_t sa = (scalars & 1U) == 0, sb = (scalars & 2U) == 0, sc = (scalars & 4U) == 0;
      for (std::int64_t j = 0; j < n; ++j) y[j] = f(a[j * sa], b[j * sb], c[j * sc]);
    }
  }
}

template <class F, class T>
constexpr int arity_of() {
  if constexpr (std::is_invocable_v<F, T>) return 1;
  if constexpr (std::is_invocable_v<F, T, T>) return 2;
  return 3;
}

template <Takes takes, class T>
inline constexpr bool takes_type = ((static_cast<unsigned>(takes) >> static_cast<unsigned>(dtype_of<T>)) & 1U) != 0;

}  // namespace detail

/// A row from its parts. F is a captureless generic lambda, the formula for one element.
template <Takes takes, class F>
constexpr Row row(std::string_view name, F, Gives gives, Zeros zeros, Expr (*gradient)(const Chain& c, int i)) {
  Row r{name, 1, takes, gives, zeros, {}, gradient, {}};
  if (detail::arity_of<F, std::conditional_t<detail::takes_type<takes, float>, float, bool>>() == 1)
    r.operands[0] = "x";
  const auto add = [&r]<class T>(TypeTag<T>) {
    if constexpr (detail::takes_type<takes, T>) {
      constexpr int arity = detail::arity_of<F, T>();
      r.arity = arity;
      r.kernel[static_cast<std::size_t>(dtype_of<T>)] = detail::row_loop<F, T, arity>;
    }
  };
  add(TypeTag<float>{});
  add(TypeTag<double>{});
  add(TypeTag<std::int32_t>{});
  add(TypeTag<std::int64_t>{});
  add(TypeTag<bool>{});
  return r;
}

/// The same for a row that has no gradient, and why.
template <Takes takes, class F>
constexpr Row row(std::string_view name, F f, Gives gives, Zeros zeros, std::string_view no_gradient) {
  Row r = row<takes>(name, f, gives, zeros, static_cast<Expr (*)(const Chain&, int)>(nullptr));
  r.no_gradient = no_gradient;
  return r;
}

/// A node that applies the row; `r` must live as long as the program (a static constexpr one does).
Expr elementwise(const Row& r, std::initializer_list<Operand> operands);

/// pow for derivatives: on what a csr matrix stores alone, since its zeros are structure and not variables.
Expr stored_power(const Expr& a, double exponent);

/// The layout of an elementwise result, checked. Throws TypeError, naming the op, where zeros would be filled.
Layout elementwise_layout(std::string_view name, const OpInputs& in, const Shape& shape, Zeros zeros,
                          const OperandNames& operands = {"a", "b", "c"});
/// The broadcast shape of all inputs. Throws TypeError.
Shape elementwise_shape(std::string_view name, const OpInputs& in, const OperandNames& operands = {"a", "b", "c"});

}  // namespace gradus
