// Selection and change of dtype: elementwise ops whose operands differ in dtype, so each is an op of its own with
// its row kernel; and the two views, identity and stop_gradient, which pass their operand on.
#include <gradus/core/device/device_call.h>
#include <gradus/core/tensor/create.h>
#include <gradus/ops/elementwise.h>
#include <gradus/ops/rules.h>

#include <cstdint>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <type_traits>

namespace gradus {

namespace {

void check_condition(std::string_view name, const OpInputs& in) {
  if (in[0].dtype != boolean) {
    fail<TypeError>("{}: condition is {}; it must be bool, which comparisons give", name, in.dtype(0));
  }
}

// The shape that operands `first` and `second` have in common.
Shape common_shape(std::string_view op, const OpInputs& in, int first, std::string_view first_name, int second,
                   std::string_view second_name) {
  const auto common = broadcast(in[first].shape, in[second].shape);
  if (!common) {
    fail<TypeError>("{}: {} is {} but {} is {}; the shapes do not broadcast", op, first_name, in.shape(first),
                    second_name, in.shape(second));
  }
  return *common;
}

// x as what y becomes: in y's shape.
Expr all_of(const Expr& y, const Expr& x) { return x.shape() == y.shape() ? x : broadcast_to(x, y.shape()); }

// --- where ---------------------------------------------------------------------------------------------

class Where : public Op {
 public:
  std::string_view name() const override { return "where"; }
  Traits traits() const override { return {.takes_any_rank = true, .takes_rows_gradient = true}; }

  Type infer(const OpInputs& in) const override {
    check_condition(name(), in);
    if (in[1].dtype != in[2].dtype) {
      fail<TypeError>("where: a is {} but b is {}; cast one of them", in.dtype(1), in.dtype(2));
    }
    common_shape(name(), in, 0, "condition", 1, "a");
    common_shape(name(), in, 0, "condition", 2, "b");
    common_shape(name(), in, 1, "a", 2, "b");
    // Operands that broadcast in pairs broadcast together.
    const Shape shape = elementwise_shape(name(), in);
    return {in[1].dtype, shape, elementwise_layout(name(), in, shape, Zeros::lost, {"condition", "a", "b"})};
  }

  // d where(c, a, b) = da where c holds, db elsewhere
  Expr gradient(const Expr& y, const Expr& dy, int i) const override {
    const Expr condition = y.input(0);
    return mask(i == 1 ? condition : logical_not(condition), dy);
  }
  std::string_view no_gradient(int i) const override { return i == 0 ? "the condition is bool" : ""; }

  // where(!c, a, b) = where(c, b, a); of a condition that is known, one side
  Expr simplified(const Expr& y, const DraftFacts&) const override {
    const Expr condition = y.input(0);
    if (const auto holds = constant_number(condition)) return all_of(y, y.input(*holds != 0 ? 1 : 2));
    return is_op(condition, "logical_not") ? where(condition.input(0), y.input(2), y.input(1)) : Expr();
  }

  RowKernel row_kernel(std::span<const Type> inputs) const override {
    return dispatch(inputs[1].dtype, []<class T>(TypeTag<T>) -> RowKernel {
      const auto f = [](std::uint8_t chosen, T a, T b) { return choose(chosen, a, b); };
      return row_kernel_here<std::remove_const_t<decltype(f)>, T, std::uint8_t, T, T>();
    });
  }
  std::string formula(std::span<const Type>) const override { return "gr_choose(x0, x1, x2)"; }
};

// --- mask ----------------------------------------------------------------------------------------------

class Mask : public Op {
 public:
  std::string_view name() const override { return "mask"; }
  Traits traits() const override { return {.takes_any_rank = true, .takes_rows_gradient = true}; }

  Type infer(const OpInputs& in) const override {
    check_condition(name(), in);
    const Shape shape = common_shape(name(), in, 0, "condition", 1, "x");
    return {in[1].dtype, shape, elementwise_layout(name(), in, shape, Zeros::either, {"condition", "x"})};
  }

  // d mask(c, x) = dx where c holds, else 0
  Expr gradient(const Expr& y, const Expr& dy, int) const override { return mask(y.input(0), dy); }
  std::string_view no_gradient(int i) const override { return i == 0 ? "the condition is bool" : ""; }

  // mask(!c, x) = where(c, 0, x), where the zeros of x are stored; of a condition that is known, x or zeros
  Expr simplified(const Expr& y, const DraftFacts&) const override {
    const Expr condition = y.input(0);
    if (const auto holds = constant_number(condition)) {
      if (*holds != 0) return all_of(y, y.input(1));
      return y.layout() == Layout::dense ? all_of(y, y.graph().constant(zeros({}, y.dtype()), "0"))
                                         : zeros_like(y.input(1));
    }
    const bool dense = y.layout() == Layout::dense || y.layout() == Layout::part;
    return dense && is_op(condition, "logical_not") ? where(condition.input(0), 0, y.input(1)) : Expr();
  }

  RowKernel row_kernel(std::span<const Type> inputs) const override {
    return dispatch(inputs[1].dtype, []<class T>(TypeTag<T>) -> RowKernel {
      const auto f = [](std::uint8_t kept, T x) { return choose(kept, x, T{}); };
      return row_kernel_here<std::remove_const_t<decltype(f)>, T, std::uint8_t, T>();
    });
  }
  std::string formula(std::span<const Type>) const override { return "gr_mask(x0, x1)"; }
};

// --- cast ----------------------------------------------------------------------------------------------

// C++ leaves a float beyond the integers undefined; here it gives the nearest integer there is, and NaN 0.
template <class To, class From>
To convert(From x) {
  if constexpr (std::is_same_v<To, bool>) {
    return x != From{};
  } else if constexpr (std::is_floating_point_v<From> && std::is_integral_v<To>) {
    constexpr To least = std::numeric_limits<To>::min(), greatest = std::numeric_limits<To>::max();
    if (x != x) return 0;
    if (x <= static_cast<From>(least)) return least;
    if (x >= static_cast<From>(greatest)) return greatest;
    return static_cast<To>(x);
  } else {
    return static_cast<To>(x);
  }
}

template <class To, class From>
void cast_kernel(const void* const* in, unsigned scalars, void* out, std::int64_t n) {
  const From* x = static_cast<const From*>(in[0]);
  To* y = static_cast<To*>(out);
  if (scalars != 0) {
    const To value = convert<To>(*x);
    for (std::int64_t j = 0; j < n; ++j) y[j] = value;
  } else {
    for (std::int64_t j = 0; j < n; ++j) y[j] = convert<To>(x[j]);
  }
}

class Cast : public Op {
 public:
  Cast(DType from, DType to) : from_(from), to_(to) {}

  std::string_view name() const override { return "cast"; }
  Traits traits() const override { return {.takes_any_rank = true, .takes_rows_gradient = true}; }
  Attributes attributes() const override { return {{"dtype", std::string(to_string(to_))}}; }

  Type infer(const OpInputs& in) const override {
    return {to_, in[0].shape, elementwise_layout(name(), in, in[0].shape, Zeros::first, {"x"})};
  }

  // d cast(x) = cast(dx)
  Expr gradient(const Expr& y, const Expr& dy, int) const override { return cast(dy, y.input(0).dtype()); }
  std::string_view no_gradient(int) const override {
    return is_floating(from_) && is_floating(to_) ? "" : "only floating dtypes have one";
  }

  RowKernel row_kernel(std::span<const Type> inputs) const override {
    return dispatch(inputs[0].dtype, [this](auto from) -> RowKernel {
      return dispatch(to_, [](auto to) -> RowKernel {
        return cast_kernel<typename decltype(to)::type, typename decltype(from)::type>;
      });
    });
  }
  std::string formula(std::span<const Type>) const override { return fmt::format("gr_cast<{}>(x0)", cuda_name(to_)); }

 private:
  DType from_;
  DType to_;
};

// --- identity, stop_gradient ---------------------------------------------------------------------------

class Identity : public Op {
 public:
  std::string_view name() const override { return "identity"; }
  Traits traits() const override { return {.takes_any_rank = true, .takes_rows_gradient = true}; }
  Type infer(const OpInputs& in) const override { return in[0]; }
  // d x = dx
  Expr gradient(const Expr&, const Expr& dy, int) const override { return dy; }
  Expr simplified(const Expr& y, const DraftFacts&) const override { return y.input(0); }
  Elements elements(std::span<const Type>) const override { return Elements::kept; }
};

class StopGradient : public Op {
 public:
  std::string_view name() const override { return "stop_gradient"; }
  Traits traits() const override { return {.takes_any_rank = true}; }
  Type infer(const OpInputs& in) const override { return in[0]; }
  std::string_view no_gradient(int) const override { return "it is there to stop it"; }
  Expr simplified(const Expr& y, const DraftFacts&) const override { return y.input(0); }
  Elements elements(std::span<const Type>) const override { return Elements::kept; }
};

}  // namespace

Expr where(const Operand& condition, const Operand& a, const Operand& b) {
  // As in every elementwise op, a rows value (a gradient) whose zeros are needed is written out.
  const auto written_out = [](const Operand& operand) {
    const Expr expr = operand.expr();
    return expr.valid() && expr.layout() == Layout::rows ? Operand(to_dense(operand), operand.where()) : operand;
  };
  return apply(std::make_shared<Where>(), {written_out(condition), written_out(a), written_out(b)});
}

Expr mask(const Operand& condition, const Operand& x) { return apply(std::make_shared<Mask>(), {condition, x}); }

Expr cast(const Operand& x, DType dtype) {
  const Expr expr = x.expr();
  return apply(std::make_shared<Cast>(expr.valid() ? expr.dtype() : dtype, dtype), {x});
}

Expr identity(const Operand& x) { return apply(std::make_shared<Identity>(), {x}); }

Expr stop_gradient(const Operand& x) { return apply(std::make_shared<StopGradient>(), {x}); }

}  // namespace gradus
