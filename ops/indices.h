// Indices of rows, int32 or int64, as gather, scatter_add and their kin take them.
#pragma once

#include <gradus/core/device/device_call.h>
#include <gradus/core/error.h>
#include <gradus/core/graph/op.h>

#include <cstdint>
#include <optional>
#include <string_view>

namespace gradus {

/// Throws TypeError, naming the op, unless input i is dense, int32 or int64.
void require_indices(std::string_view op, const OpInputs& in, int i);

/// f(pointer to the indices), int32 or int64.
template <class F>
void by_index_type(const Value& indices, F&& f) {
  if (indices.type.dtype == int32) {
    f(indices.as<std::int32_t>());
  } else {
    f(indices.as<std::int64_t>());
  }
}

/// The first of the indices that is not in [0, dimension); none where all are.
std::optional<std::int64_t> index_out_of_range(const Value& indices, std::int64_t dimension);

/// Throws ValueError, naming the op and the node that the indices are, input i of a call, unless all of them, `indices`
/// on the host, are in [0, dimension).
template <class AnyCall>  // Call or DeviceCall
void check_indices(std::string_view op, const AnyCall& call, int i, const Value& indices, std::int64_t dimension) {
  if (const auto index = index_out_of_range(indices, dimension))
    fail<ValueError>("{}: index {} in {} is out of range for a dimension of {}{}", op, *index, call.source(i),
                     dimension, dimension > 0 ? fmt::format("; indices go from 0 to {}", dimension - 1) : "");
}

/// Input i of an accelerator's call, its numbers on the host until the next call of this.
Value on_host(DeviceCall& call, int i);

/// The indicator matrix of indices into the rows of a table: csr [i * ..., p], one 1 in each row.
Expr indicator(const Expr& indices, const Expr& table);
/// The same for so many rows. `reader`, a name that lives as long as the program, is whose indices they are.
Expr indicator(std::string_view reader, const Expr& indices, std::int64_t rows, DType dtype);

/// The shape of what indices [i, ...] read of x [p, q, ...]: [i, ..., q, ...].
Shape gathered_shape(std::string_view op, const Shape& x, const Shape& indices);

/// The gradient by a table of what `indices` read of it: dy added to the rows that it was read from.  -> rows
Expr scattered_gradient(const Expr& indices, const Expr& dy, const Expr& table);
/// scatter_add in the name of another op, for messages.
Expr scatter_add_for(std::string_view reader, const Expr& indices, const Expr& updates, const Shape& shape);

/// gather along another axis than the first, or with batches (gather_along.cpp).
Expr gather_along(const Operand& x, const Operand& indices, int axis, int batch_dims);

/// 0, 1, 2, ... along an axis of x, whose size may be known in the run only.   int64 [n]
Expr positions(const Expr& x, int axis);

}  // namespace gradus
