#include <gradus/core/run/variables.h>

#include <gradus/core/graph/nodes.h>

#include <algorithm>
#include <cstring>

namespace gradus {

namespace {

const VariableOp& variable_op(const Expr& variable) { return static_cast<const VariableOp&>(variable.op()); }

// y [n, m] = x^T, in squares that stay in the cache.
void transpose_matrix(const std::byte* x, const Shape& shape, std::size_t size, std::byte* y) {
  constexpr std::int64_t side = 32;
  const std::int64_t m = shape[0], n = shape[1];
  const auto bytes = static_cast<std::int64_t>(size);
  for (std::int64_t i0 = 0; i0 < m; i0 += side)
    for (std::int64_t j0 = 0; j0 < n; j0 += side)
      for (std::int64_t i = i0; i < std::min(i0 + side, m); ++i)
        for (std::int64_t j = j0; j < std::min(j0 + side, n); ++j)
          std::memcpy(y + (j * m + i) * bytes, x + (i * n + j) * bytes, size);
}

}  // namespace

void Variables::ensure_capacity(std::size_t number) {
  if (set.size() > number) return;
  memory.resize(number + 1);
  device_memory.resize(number + 1);
  set.resize(number + 1, false);
  transposed.resize(number + 1, false);
  shared_out.resize(number + 1, false);
}

bool Variables::is_shared_out(const Expr& variable) const {
  const std::size_t number = variable_number(variable);
  if (number < shared_out.size() && shared_out[number]) return true;
  const Type& declared = variable_op(variable).initial().type();
  const std::int64_t bytes = declared.shape.size() * static_cast<std::int64_t>(size_of(declared.dtype));
  if (owners.ranks == 1 || declared.shape.rank() == 0 || bytes <= shard_above) return false;
  if (accelerator != nullptr)
    fail<DeviceError>(
        "{} ({}) of {} bytes is above shard_above, {} bytes, but ranks share out tables on the CPU alone; with a "
        "larger shard_above each has all of it on {}",
        variable.name(), to_string(variable.where()), bytes, shard_above, accelerator->name());
  return true;
}

void Variables::share_out(const Expr& variable) {
  if (is_shared_out(variable)) return;
  const std::size_t number = variable_number(variable);
  ensure_capacity(number);
  if (transposed[number]) turn(variable);
  const bool has_value = set[number];
  const Tensor value = has_value ? read(variable) : Tensor();
  shared_out[number] = true;
  if (has_value) write(variable, rows_here(variable, value));
}

Type Variables::type_here(const Expr& variable) const {
  Type type = variable_op(variable).initial().type();
  if (is_shared_out(variable)) type.shape = type.shape.with(0, owners.own(type.shape[0]));
  return type;
}

Tensor Variables::rows_here(const Expr& variable, const Tensor& value) const {
  if (!is_shared_out(variable)) return value;
  Tensor rows = Tensor::uninitialized(type_here(variable));
  const std::int64_t count = rows.dim(0);
  if (rows.stored() == 0) return rows;
  const std::size_t bytes = static_cast<std::size_t>(rows.stored() / count) * size_of(rows.dtype());
  for (std::int64_t i = 0; i < count; ++i)
    std::memcpy(rows.writable_data() + static_cast<std::size_t>(i) * bytes,
                value.data() + static_cast<std::size_t>(owners.row(i)) * bytes, bytes);
  return rows;
}

std::byte* Variables::data(const Expr& variable) const {
  const std::size_t number = variable_number(variable);
  return accelerator ? device_memory[number].data() : const_cast<std::byte*>(memory[number].data());
}

void Variables::write(const Expr& variable, const Tensor& value) {
  const std::size_t number = variable_number(variable);
  ensure_capacity(number);
  const std::size_t size = size_of(value.dtype());
  const std::size_t bytes = static_cast<std::size_t>(value.stored()) * size;
  const std::byte* from = value.data();
  Buffer turned;
  if (transposed[number] && accelerator) {
    turned = Buffer(bytes);
    transpose_matrix(from, value.shape(), size, turned.data());
    from = turned.data();
  }
  if (accelerator) {
    const auto there = static_cast<std::int64_t>(bytes);
    if (device_memory[number].bytes() != there) device_memory[number] = DeviceMemory(accelerator, there);
    if (bytes > 0) accelerator->upload(device_memory[number].data(), from, there);
  } else {
    if (memory[number].bytes() != bytes) memory[number] = Buffer(bytes);
    if (transposed[number]) {
      transpose_matrix(from, value.shape(), size, memory[number].data());
    } else if (bytes > 0) {
      std::memcpy(memory[number].data(), from, bytes);
    }
  }
  set[number] = true;
}

// Some rows at a time, so that nothing as large as what is here is made beside it.
void Variables::start_rows(const Expr& variable) {
  constexpr std::int64_t at_once = 1 << 16;
  const Type type = type_here(variable);
  const std::size_t number = variable_number(variable);
  ensure_capacity(number);
  const auto bytes = static_cast<std::size_t>(type.shape.size()) * size_of(type.dtype);
  if (memory[number].bytes() != bytes) memory[number] = Buffer(bytes);
  std::byte* to = memory[number].data();
  const std::int64_t count = type.shape[0];
  for (std::int64_t i = 0; i < count; i += at_once) {
    const Tensor rows = variable_op(variable).initial().rows(variable.name(), owners.row(i), owners.ranks,
                                                             std::min(at_once, count - i));
    const std::size_t some = static_cast<std::size_t>(rows.stored()) * size_of(type.dtype);
    if (some > 0) std::memcpy(to, rows.data(), some);
    to += some;
  }
  set[number] = true;
}

void Variables::start(const Expr& variable) {
  const Initializer& initial = variable_op(variable).initial();
  if (is_shared_out(variable)) return start_rows(variable);
  const Filled* const filled = initial.filled();
  // On the CPU one number everywhere needs no tensor of its own; an accelerator is sent one.
  if (filled == nullptr || accelerator) return write(variable, initial.value(variable.name()));
  const std::size_t number = variable_number(variable);
  ensure_capacity(number);
  const std::int64_t count = filled->shape.size();
  const std::size_t bytes = static_cast<std::size_t>(count) * size_of(filled->dtype);
  if (memory[number].bytes() != bytes) memory[number] = Buffer(bytes);
  dispatch(filled->dtype, [&]<class T>(TypeTag<T>) {
    std::fill_n(reinterpret_cast<T*>(memory[number].data()), count, filled->value.as<T>());
  });
  set[number] = true;
}

void Variables::initialize(const Expr& variable) {
  const std::size_t number = variable_number(variable);
  if (are_places_only) return ensure_capacity(number);
  if (number >= set.size() || !set[number]) start(variable);
}

Tensor Variables::read(const Expr& variable) {
  initialize(variable);
  const std::size_t number = variable_number(variable);
  const Type type = type_here(variable);
  Tensor copy = Tensor::uninitialized(type);
  const std::size_t bytes = static_cast<std::size_t>(copy.stored()) * size_of(type.dtype);
  if (bytes == 0) return copy;
  Buffer there;
  const std::byte* from = memory[number].data();
  if (accelerator) {
    if (transposed[number]) there = Buffer(bytes);
    std::byte* const to = transposed[number] ? there.data() : copy.writable_data();
    accelerator->download(to, device_memory[number].data(), static_cast<std::int64_t>(bytes));
    from = to;
  }
  if (transposed[number]) {
    transpose_matrix(from, {type.shape[1], type.shape[0]}, size_of(type.dtype), copy.writable_data());
  } else if (!accelerator) {
    std::memcpy(copy.writable_data(), from, bytes);
  }
  return copy;
}

void Variables::turn(const Expr& variable) {
  const std::size_t number = variable_number(variable);
  ensure_capacity(number);
  const bool has_value = set[number];
  const Tensor value = has_value ? read(variable) : Tensor();
  transposed[number] = !transposed[number];
  if (has_value) write(variable, value);
}

}  // namespace gradus
