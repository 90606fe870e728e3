#include <gradus/core/kernel/loop.h>

#include <gradus/core/cpu.h>
#include <gradus/core/kernel/sparse_union.h>
#include <gradus/core/tensor/as_constant.h>
#include <gradus/core/tensor/table_rows.h>

#include <algorithm>
#include <cstring>

namespace gradus {

namespace {

constexpr std::int64_t block = 1024;  // elements laid out at a time: three operands of 8 bytes fill 24 KiB

template <class T>
void fill_run(T* to, const T* from, std::int64_t stride, std::int64_t count) {
  if (stride == 0) {
    std::fill_n(to, count, *from);
  } else if (stride == 1) {
    std::copy_n(from, count, to);
  } else {
    for (std::int64_t j = 0; j < count; ++j) to[j] = from[j * stride];
  }
}

// Numbers that are repeated along rows of `width`, from the first of a row on. Widths of factors are short runs, whose
// length a compiler wants to know.
template <class T>
struct RepeatEach {
  [[gnu::always_inline]] static void run(T* to, const T* from, std::int64_t stride, std::int64_t rows,
                                         std::int64_t width) {
    as_constant<std::int64_t, 8, 16, 20, 32>(width, [&](auto fixed) {
      const std::int64_t n = fixed > 0 ? fixed : width;
      for (std::int64_t r = 0; r < rows; ++r) {
        const T x = from[r * stride];
        for (std::int64_t j = 0; j < n; ++j) to[r * n + j] = x;
      }
    });
  }
};

template <class T>
void repeat_each(T* to, const T* from, std::int64_t stride, std::int64_t rows, std::int64_t width) {
  static const auto run = compiled_here<RepeatEach<T>, T*, const T*, std::int64_t, std::int64_t, std::int64_t>();
  run(to, from, stride, rows, width);
}

// The row-major space `dims`, read with `stride`, whole. What is broadcast along an axis is laid out once, and copied.
// Returns its end.
template <class T>
T* fill_whole(T* to, const T* from, std::span<const std::int64_t> dims, std::span<const std::int64_t> stride) {
  if (dims.size() == 1) {
    fill_run(to, from, stride[0], dims[0]);
    return to + dims[0];
  }
  if (dims.size() == 2 && stride[1] == 0) {
    repeat_each(to, from, stride[0], dims[0], dims[1]);
    return to + dims[0] * dims[1];
  }
  if (dims.size() == 2 && stride[1] == 1) {
    as_constant<std::int64_t, 4, 8, 16, 32>(dims[1], [&](auto fixed) {
      const std::int64_t n = fixed > 0 ? fixed : dims[1];
      for (std::int64_t i = 0; i < dims[0]; ++i)
        std::memcpy(to + i * n, from + i * stride[0], static_cast<std::size_t>(n) * sizeof(T));
    });
    return to + dims[0] * dims[1];
  }
  if (stride[0] != 0) {
    for (std::int64_t i = 0; i < dims[0]; ++i)
      to = fill_whole(to, from + i * stride[0], dims.subspan(1), stride.subspan(1));
    return to;
  }
  std::int64_t filled = fill_whole(to, from, dims.subspan(1), stride.subspan(1)) - to;
  for (const std::int64_t all = filled * dims[0]; filled < all;) {
    const std::int64_t more = std::min(filled, all - filled);
    std::copy_n(to, more, to + filled);
    filled += more;
  }
  return to + filled;
}

// Elements [first, first + count) of the row-major space `dims`, read with `stride`.
template <class T>
void fill_space(T* to, const T* from, std::span<const std::int64_t> dims, std::span<const std::int64_t> stride,
                std::int64_t first, std::int64_t count) {
  const int rank = static_cast<int>(dims.size());
  if (rank == 0) {
    std::fill_n(to, count, *from);
    return;
  }
  if (rank == 2 && stride[1] == 0 && first % dims[1] == 0) {
    const std::int64_t rows = count / dims[1];
    repeat_each(to, from + first / dims[1] * stride[0], stride[0], rows, dims[1]);
    to += rows * dims[1];
    first += rows * dims[1];
    count -= rows * dims[1];
    if (count == 0) return;
  }
  // As many of the last axes as begin and end with the elements asked for are laid out whole; else a run of the last.
  std::size_t inner = dims.size() - 1;
  std::int64_t whole = dims[inner];
  while (inner > 1 && first % (whole * dims[inner - 1]) == 0 && count % (whole * dims[inner - 1]) == 0)
    whole *= dims[--inner];
  const bool is_whole = first % whole == 0 && count % whole == 0 && inner > 0;
  std::array<std::int64_t, Shape::max_rank> at{};
  std::int64_t offset = 0;
  for (int axis = rank - 1; axis >= 0; --axis) {
    const auto a = static_cast<std::size_t>(axis);
    at[a] = first % dims[a];
    first /= dims[a];
    offset += at[a] * stride[a];
  }
  const std::size_t last = dims.size() - 1;
  if (!is_whole) inner = last;
  while (count > 0) {
    std::int64_t length = whole;
    if (is_whole) {
      fill_whole(to, from + offset, dims.subspan(inner), stride.subspan(inner));
      offset += dims[inner] * stride[inner];
      at[inner] = dims[inner];
    } else {
      length = std::min(count, dims[last] - at[last]);
      fill_run(to, from + offset, stride[last], length);
      at[last] += length;
      offset += length * stride[last];
    }
    to += length;
    count -= length;
    for (std::size_t axis = inner; axis > 0 && at[axis] == dims[axis]; --axis) {
      offset += stride[axis - 1] - dims[axis] * stride[axis];
      at[axis] = 0;
      ++at[axis - 1];
    }
  }
}

// Elements at the non-zeros [first, first + count) of a csr value.
template <class T>
void fill_csr(T* to, const T* from, const Value& csr, std::int64_t row_stride, std::int64_t column_stride,
              std::int64_t first, std::int64_t count) {
  const std::int64_t* start = csr.row_start();
  const Index* column = csr.pattern->column.data();
  std::int64_t j = first + start[0];
  const std::int64_t last = j + count;
  auto row = std::upper_bound(start, start + csr.shape()[0] + 1, j) - start - 1;
  while (j < last) {
    while (start[row + 1] <= j) ++row;
    const std::int64_t end = std::min(start[row + 1], last);
    const T* base = from + row * row_stride;
    for (; j < end; ++j) *to++ = base[column[j] * column_stride];
  }
}

// Elements of the rows a rows value holds: like fill_space, with the first axis looked up.
template <class T>
void fill_rows(T* to, const T* from, std::span<const Index> rows, std::span<const std::int64_t> dims,
               std::span<const std::int64_t> stride, std::int64_t first, std::int64_t count) {
  std::int64_t row_size = 1;
  for (const std::int64_t dim : dims.subspan(1)) row_size *= dim;
  while (count > 0) {
    const std::int64_t row = first / row_size;
    const std::int64_t within = first % row_size;
    const std::int64_t length = std::min(count, row_size - within);
    const T* base = from + rows[static_cast<std::size_t>(row)] * stride[0];
    fill_space(to, base, dims.subspan(1), stride.subspan(1), within, length);
    to += length;
    first += length;
    count -= length;
  }
}

// Calls f with a pointer type of the element's size: laying out moves bits, whatever they mean.
template <class F>
void by_size(std::size_t size, F&& f) {
  if (size == 4) {
    f(TypeTag<std::uint32_t>{});
  } else if (size == 8) {
    f(TypeTag<std::uint64_t>{});
  } else {
    f(TypeTag<std::uint8_t>{});
  }
}

// Whether it stores other numbers than the output.
bool differs(const Value& operand, const Value& output) {
  return operand.type.layout != Layout::dense && !same_non_zeros(operand, output);
}

}  // namespace

Loop::Loop(const Op& op, RowKernel kernel, std::span<const Value* const> inputs, const Value& output)
    : name_(op.name()),
      kernel_(kernel),
      arity_(static_cast<int>(inputs.size())),
      layout_(output.type.layout),
      out_size_(size_of(output.type.dtype)),
      space_(output.type.shape) {
  for (int i = 0; i < arity_; ++i) {
    const Type& type = inputs[static_cast<std::size_t>(i)]->type;
    Operand& operand = operands_[static_cast<std::size_t>(i)];
    operand.size = size_of(type.dtype);
    operand.stride = broadcast_strides(type.shape, output.type.shape);
    if (type.layout != Layout::dense && type.layout != Layout::csr && type.shape != output.type.shape) {
      operand.access = Access::narrow;
    } else if (type.layout != Layout::dense ||
               (layout_ == Layout::dense && type.shape.size() == output.type.shape.size())) {
      operand.access = Access::in_step;
    } else {
      operand.access = type.shape.size() == 1 ? Access::number : Access::strided;
    }
  }
  for (int i = 0; i < arity_; ++i) {
    const Access access = operands_[static_cast<std::size_t>(i)].access;
    if (access == Access::number) scalars_ |= 1U << static_cast<unsigned>(i);
    laid_out_ = laid_out_ || access == Access::strided || access == Access::narrow;
  }
  plain_ = layout_ == Layout::dense && !laid_out_;
  choose_block();
  if (layout_ != Layout::dense) return;
  // Merge axis b into the one before it, a, where each operand steps through both as through one.
  for (int b = space_.rank() - 1; b > 0; --b) {
    const auto in = static_cast<std::size_t>(b);
    const bool mergeable = std::all_of(operands_.begin(), operands_.begin() + arity_, [&](const Operand& o) {
      return o.access != Access::strided || space_[b - 1] == 1 || space_[b] == 1 ||
             o.stride[in - 1] == o.stride[in] * space_[b];
    });
    if (!mergeable) continue;
    for (Operand& o : operands_) {
      if (space_[b] == 1) o.stride[in] = o.stride[in - 1];
      std::copy(o.stride.begin() + b, o.stride.end(), o.stride.begin() + b - 1);
    }
    space_ = space_.with(b - 1, space_[b - 1] * space_[b]).without(b);
  }
  choose_block();
  by_rows_ = laid_out_ && rows_lie_as_read();
  const std::int64_t inner = space_.rank() > 0 ? space_.slice(1, space_.rank()).size() : 0;
  for (Operand& o : operands_)
    o.repeats = o.access == Access::strided && inner > 0 && o.stride[0] == 0 && block_ % inner == 0;
}

// Whether along the last axis each operand is one number or lies side by side, in rows long enough to be worth a call.
bool Loop::rows_lie_as_read() const {
  constexpr std::int64_t long_enough = 64;
  if (space_.rank() == 0 || space_[space_.rank() - 1] < long_enough) return false;
  const auto last = static_cast<std::size_t>(space_.rank() - 1);
  return std::all_of(operands_.begin(), operands_.begin() + arity_,
                     [&](const Operand& o) { return o.access != Access::strided || o.stride[last] <= 1; });
}

// Whole rows where they are short: what is repeated along rows is then laid out without looking where one begins.
void Loop::choose_block() {
  std::int64_t rows = 1;
  for (int axis = space_.rank() - 1; axis > 0 && space_[axis] > 0 && rows * space_[axis] <= block; --axis)
    rows *= space_[axis];
  block_ = block / rows * rows;
}

void Loop::lay_out(const Operand& operand, const Value& value, const Value& output, std::int64_t first,
                   std::int64_t count, std::byte* to) const {
  by_size(operand.size, [&]<class T>(TypeTag<T>) {
    T* target = reinterpret_cast<T*>(to);
    const T* from = reinterpret_cast<const T*>(value.data);
    if (layout_ == Layout::csr) {
      fill_csr(target, from, output, operand.stride[0], operand.stride[1], first, count);
    } else if (layout_ == Layout::dense || operand.access == Access::narrow) {
      fill_space(target, from, space_.dims(), operand.stride, first, count);
    } else {
      const std::int64_t row = output.row_size();
      const std::span<const Index> rows = output.held_rows();
      if (value.type.shape == output.type.shape && first % row == 0 && count % row == 0) {
        gather_rows(value.data,
                    rows.subspan(static_cast<std::size_t>(first / row), static_cast<std::size_t>(count / row)),
                    static_cast<std::size_t>(row) * operand.size, to);
      } else {
        fill_rows(target, from, rows, space_.dims(), operand.stride, first, count);
      }
    }
  });
}

// A sparse output takes the non-zeros of its sparse operands. Where they differ, all are brought to the union
// first (the type rule admits that only for functions that are zero where all sparse operands are).
void Loop::prepare_sparse_output(Call& call) const {
  const Value* first = nullptr;
  bool same = true;
  for (int i = 0; i < arity_; ++i) {
    const Value& value = call.in(i);
    if (value.type.layout == Layout::dense) continue;
    if (first == nullptr) first = &value;
    same = same && same_non_zeros(*first, value);
  }
  if (same) {
    if (layout_ == Layout::csr) {
      call.set_pattern(first->pattern);
    } else {
      call.set_index(first->index);
    }
    return;
  }
  if (arity_ != 2 || layout_ == Layout::part)
    fail<ValueError>("{}: its sparse operands hold different {}", name_, layout_ == Layout::csr ? "non-zeros" : "rows");
  if (layout_ == Layout::csr) {
    call.set_pattern(unite(*call.in(0).pattern, *call.in(1).pattern));
  } else {
    const std::shared_ptr<RowIndex> both = call.new_index();
    unite(*call.in(0).index, *call.in(1).index, *both);
    call.set_index(both);
  }
}

void Loop::run(Call& call) const {
  std::array<const Value*, max_operands> in{};
  for (int i = 0; i < arity_; ++i) in[static_cast<std::size_t>(i)] = &call.in(i);
  if (layout_ != Layout::dense) {
    prepare_sparse_output(call);
    std::size_t bytes = 0;
    for (std::size_t i = 0; i < static_cast<std::size_t>(arity_); ++i)
      if (differs(*in[i], call.out())) bytes += static_cast<std::size_t>(call.out().stored) * operands_[i].size;
    if (bytes > 0) return run_united(call, in, bytes);
  }
  run_blocks(call, in);
}

// Operands that store other numbers than the output are brought to its non-zeros first, in `bytes` of scratch memory.
void Loop::run_united(Call& call, std::array<const Value*, max_operands> in, std::size_t bytes) const {
  const Value& output = call.out();
  std::array<Value, max_operands> united;
  std::byte* memory = call.scratch<std::byte>(static_cast<std::int64_t>(bytes));
  for (std::size_t i = 0; i < static_cast<std::size_t>(arity_); ++i) {
    if (!differs(*in[i], output)) continue;
    const Value& value = *in[i];
    united[i] = {value.type, memory, output.stored, output.pattern, output.index};
    if (output.index) united[i].stored = output.index->count() * value.row_size();
    spread(value, united[i]);
    in[i] = &united[i];
    memory += static_cast<std::size_t>(output.stored) * operands_[i].size;
  }
  run_blocks(call, in);
}

void Loop::run_rows(Call& call) const {
  const int last = space_.rank() - 1;
  const std::int64_t width = space_[last];
  unsigned scalars = scalars_;
  for (std::size_t i = 0; i < static_cast<std::size_t>(arity_); ++i)
    if (operands_[i].access == Access::strided && operands_[i].stride[static_cast<std::size_t>(last)] == 0)
      scalars |= 1U << i;
  call.workers().for_each(call.out().stored, chunk, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t first = begin; first < end;) {
      const std::int64_t within = first % width;
      const std::int64_t count = std::min(width - within, end - first);
      std::array<const void*, max_operands> pointers{};
      for (int i = 0; i < arity_; ++i) {
        const Operand& operand = operands_[static_cast<std::size_t>(i)];
        std::int64_t offset = operand.access == Access::in_step ? first : 0;
        if (operand.access == Access::strided) {
          offset = within * operand.stride[static_cast<std::size_t>(last)];
          std::int64_t row = first / width;
          for (int axis = last - 1; axis > 0; --axis) {
            offset += row % space_[axis] * operand.stride[static_cast<std::size_t>(axis)];
            row /= space_[axis];
          }
          if (last > 0) offset += row * operand.stride[0];
        }
        pointers[static_cast<std::size_t>(i)] = call.in(i).data + offset * static_cast<std::int64_t>(operand.size);
      }
      kernel_(pointers.data(), scalars, call.out().data + first * static_cast<std::int64_t>(out_size_), count);
      first += count;
    }
  });
}

void Loop::run_blocks(Call& call, std::span<const Value* const> in) const {
  if (by_rows_) return run_rows(call);
  const Value& output = call.out();
  call.workers().for_each(output.stored, chunk / block_ * block_, [&](std::int64_t begin, std::int64_t end) {
    alignas(Buffer::alignment) std::byte memory[max_operands][block * 8];
    const std::int64_t step = laid_out_ ? block_ : end - begin;
    for (std::int64_t first = begin; first < end; first += step) {
      const std::int64_t count = std::min(step, end - first);
      std::array<const void*, max_operands> pointers{};
      for (int i = 0; i < arity_; ++i) {
        const auto at = static_cast<std::size_t>(i);
        const Operand& operand = operands_[at];
        if (operand.access == Access::strided || operand.access == Access::narrow) {
          if (!operand.repeats || first == begin) lay_out(operand, *in[at], output, first, count, memory[at]);
          pointers[at] = memory[at];
        } else {
          const std::int64_t offset = operand.access == Access::in_step ? first : 0;
          pointers[at] = in[at]->data + offset * static_cast<std::int64_t>(operand.size);
        }
      }
      kernel_(pointers.data(), scalars_, output.data + first * static_cast<std::int64_t>(out_size_), count);
    }
  });
}

}  // namespace gradus
