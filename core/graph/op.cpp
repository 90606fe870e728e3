#include <gradus/core/graph/op.h>

#include <gradus/core/graph/nodes.h>

#include <fmt/format.h>

#include <atomic>
#include <cmath>
#include <typeinfo>
#include <vector>

namespace gradus {

namespace {
std::string name_and_place(const Expr& expr) { return fmt::format("({}, {})", expr.name(), to_string(expr.where())); }
}  // namespace

std::string OpInputs::source(int i) const { return name_and_place(exprs_[static_cast<std::size_t>(i)]); }

std::string Call::source(int i) const { return name_and_place(node.input(i)); }

void Call::grow(std::int64_t stored) {
  const std::int64_t all = output_.type.shape.size();  // no more is asked for, later
  growing_.numbers.reserve(static_cast<std::size_t>(all - stored <= stored / 4 ? all : stored) *
                           size_of(output_.type.dtype));
  output_.data = growing_.numbers.data();
  output_.stored = stored;
}

void Call::set_pattern(std::shared_ptr<const CsrPattern> pattern) {
  const std::int64_t* start = pattern->row_start.data() + output_.first_row;
  grow(start[output_.type.shape[0]] - start[0]);
  output_.pattern = std::move(pattern);
}

void Call::set_index(const std::shared_ptr<const RowIndex>& index) {
  if (in_tile) return;
  grow(index->count() * output_.row_size());
  output_.index = index;
}

namespace {

// What `kept` points to, unless somebody else still has it; else another.
template <class T>
const std::shared_ptr<T>& reusable(std::shared_ptr<T>& kept) {
  if (kept.use_count() != 1) kept = std::make_shared<T>();
  std::atomic_thread_fence(std::memory_order_acquire);  // whoever dropped it has read it
  return kept;
}

}  // namespace

std::shared_ptr<RowIndex> Call::new_index() {
  reusable(growing_.index)->row.clear();
  return growing_.index;
}

std::shared_ptr<CsrPattern> Call::new_pattern() { return reusable(growing_.pattern); }

std::string_view Op::no_gradient(int) const { return {}; }

Expr Op::gradient(const Expr& y, const Expr&, int i) const {
  fail<TypeError>("{} has no gradient for its input {}: {}", to_string(y), i, no_gradient(i));
}

Expr Op::simplified(const Expr&, const DraftFacts&) const { return {}; }

Expr Op::reassociated(const Expr&, const DraftFacts&) const { return {}; }

bool Op::same(const Op& other) const {
  return typeid(*this) == typeid(other) && name() == other.name() &&
         to_string(attributes()) == to_string(other.attributes());
}

Tiles Op::tiles(std::span<const Type>, const Type&) const { return {}; }
Tiles Op::by_rows(std::span<const Type> inputs, const Type& output) const { return tiles(inputs, output); }

int Op::rows_named_by(std::span<const Type> /*inputs*/, int /*i*/) const { return -1; }

void Op::prepare_sum(Call&) const {}

void Op::compute(Call&) const { fail<Error>("{} has no kernel", name()); }

RowKernel Op::row_kernel(std::span<const Type>) const { return nullptr; }

std::string Op::formula(std::span<const Type>) const { return {}; }

Fold Op::fold(std::span<const Type>) const { return {}; }

void Op::launch(DeviceCall&) const { fail<DeviceError>("{} has no kernel for an accelerator", name()); }

Traits Op::traits() const { return {}; }

Elements Op::elements(std::span<const Type>) const { return Elements::computed; }

Type AssignOp::infer(const OpInputs& in) const {
  const Type& variable = in[0];
  const Type& value = in[1];
  if (variable.dtype != value.dtype)
    fail<TypeError>("assign: the variable is {} but the value is {}", in.dtype(0), in.dtype(1));
  if (!matches(value.shape, variable.shape))
    fail<TypeError>("assign: the variable is {} but the value is {}", in.shape(0), in.shape(1));
  if (value.layout == Layout::csr || value.layout == Layout::rows)
    fail<TypeError>("assign: the value is {}; use to_dense", in.layout(1));
  return {value.dtype, variable.shape, value.layout};
}

Attributes ConstantOp::attributes() const {
  if (value_.stored() != 1) return {};
  // In its own dtype: the float32 nearest to 0.1 is another double than 0.1.
  return {{"", dispatch(value_.dtype(), [&]<class T>(TypeTag<T>) {
             return fmt::format("{}", *reinterpret_cast<const T*>(value_.data()));
           })}};
}

namespace {

std::vector<Type> input_types(const Expr& node) {
  std::vector<Type> types;
  for (int i = 0; i < node.arity(); ++i) types.push_back(node.input(i).type());
  return types;
}

}  // namespace

bool looks_up_rows(const Op& op, std::span<const Type> inputs) {
  return op.row_kernel(inputs) == nullptr && !op.formula(inputs).empty();
}

bool is_elementwise(const Expr& node) { return node.op().row_kernel(input_types(node)) != nullptr; }

bool has_ones(const Expr& csr) {
  if (csr.layout() != Layout::csr) return false;
  if (csr.kind() == Kind::op) return csr.op().traits().gives_ones;
  if (csr.kind() == Kind::placeholder) return static_cast<const PlaceholderOp&>(csr.op()).ones();
  return csr.kind() == Kind::constant && static_cast<const ConstantOp&>(csr.op()).value().ones();
}

const Tensor* constant_value(const Expr& expr) {
  return expr.kind() == Kind::constant ? &static_cast<const ConstantOp&>(expr.op()).value() : nullptr;
}

std::optional<double> constant_number(const Expr& expr) {
  const Tensor* value = constant_value(expr);
  if (value == nullptr || value->layout() != Layout::dense || value->stored() != 1) return std::nullopt;
  const double number = value->stored_value(0);
  if (value->dtype() == int64 && std::abs(number) > 0x1p53) return std::nullopt;  // perhaps rounded
  return number;
}

}  // namespace gradus
