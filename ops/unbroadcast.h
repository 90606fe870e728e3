// What broadcasting did, undone: gradients() calls this once per contribution of an elementwise op.
#pragma once

#include <gradus/core/graph/graph.h>

namespace gradus {

/// The part of dx that flows to operand x of the elementwise `node`: g, which broadcasts to node's shape, summed
/// over the axes along which x was broadcast. Axes that g and x both leave to broadcasting stay so: the result
/// broadcasts to x's shape. A csr g goes to a dense x [p] as rows.
Expr unbroadcast(const Expr& g, const Expr& x, const Expr& node);

}  // namespace gradus
