"""Rows of ops.json, continued: shapes, layouts, linear algebra, neural basics."""

import numpy as np
import tensorflow as tf

from op_oracle import Case, boolean, probabilities, real, sparse, whole


def f64(values):
    return np.array(values, dtype=np.float64)


def i32(values):
    return np.array(values, dtype=np.int32)


def i64(values):
    return np.array(values, dtype=np.int64)


def text(numbers):
    return ",".join(str(n) for n in numbers)


def structure(x):
    """What gradients see of a csr matrix made of x: its zeros are no variables."""
    return tf.where(x != 0, x, tf.stop_gradient(x))


def no_differences(case):
    return Case(case.name, *case.inputs, differences=0)


def shapes(row):
    matrix = Case("matrix", real(2, 3))
    for shape, cases in (
        ([3, 2], [matrix, Case("int32", whole(2, 3)), Case("bool", boolean(6))]),
        ([3, -1], [matrix, Case("vector", real(6))]),
        ([-1], [matrix, Case("scalar", real()), Case("rank 3", real(1, 2, 3)), Case("empty", real(0, 3))]),
        ([], [Case("one", real(1, 1))]),
        ([2, 1, 3], [matrix]),
        ([3, 0], [Case("empty", real(0, 2))]),
    ):
        yield row("reshape " + (text(shape) or "scalar"), lambda x, s=shape: tf.reshape(x, s), *cases)
    yield row("transpose", tf.transpose, matrix, Case("vector", real(3)), Case("scalar", real()), Case("rank 3", real(2, 3, 4)),
              Case("column", real(3, 1)), Case("empty", real(0, 3)), Case("int32", whole(2, 3)))
    for perm in ([0, 1], [1, 0]):
        yield row("transpose " + text(perm), lambda x, p=perm: tf.transpose(x, p), matrix)
    for perm in ([0, 2, 1], [2, 0, 1], [1, 0, 2]):
        yield row("transpose " + text(perm), lambda x, p=perm: tf.transpose(x, p), Case("rank 3", real(2, 3, 2)),
                  Case("empty", real(2, 0, 1)), Case("ones", real(1, 3, 1)))
    yield row("transpose 3,1,0,2", lambda x: tf.transpose(x, [3, 1, 0, 2]), Case("rank 4", real(2, 1, 3, 2)))
    for axis in (0, 1, -1, -2):
        extra = [Case("scalar", real())] if axis in (0, -1) else []
        yield row(f"expand_dims {axis}", lambda x, a=axis: tf.expand_dims(x, a), matrix, Case("vector", real(3)),
                  Case("empty", real(0)), *extra)
    yield row("squeeze", tf.squeeze, Case("rank 3", real(1, 3, 1)), Case("nothing to squeeze", real(2, 3)), Case("one", real(1, 1)),
              Case("empty", real(1, 0)))
    yield row("squeeze axis=0", lambda x: tf.squeeze(x, 0), Case("rank 3", real(1, 3, 1)))
    yield row("squeeze axis=-1", lambda x: tf.squeeze(x, -1), Case("rank 3", real(1, 3, 1)), Case("vector", real(1)))
    yield row("squeeze axis=0,2", lambda x: tf.squeeze(x, [0, 2]), Case("rank 3", real(1, 3, 1)))
    yield row("broadcast_to 2,3", lambda x: tf.broadcast_to(x, [2, 3]), Case("row", real(3)), Case("column", real(2, 1)),
              Case("scalar", real()), Case("one", real(1, 1)), Case("itself", real(2, 3)), Case("int32", whole(3)))
    yield row("broadcast_to 2,3,2", lambda x: tf.broadcast_to(x, [2, 3, 2]), Case("matrix", real(3, 1)), Case("middle", real(2, 1, 2)))
    yield row("broadcast_to 0,3", lambda x: tf.broadcast_to(x, [0, 3]), Case("row", real(3)), Case("empty", real(0, 1)))

    for axis in (0, -2):
        yield row(f"concat axis={axis}", lambda *x, a=axis: tf.concat(x, a), Case("three", real(2, 3), real(1, 3), real(3, 3)),
                  Case("with empty", real(0, 2), real(2, 2)), Case("one", real(2, 2)), Case("int32", whole(1, 2), whole(2, 2)))
    for axis in (1, -1):
        yield row(f"concat axis={axis}", lambda *x, a=axis: tf.concat(x, a), Case("two", real(3, 2), real(3, 1)),
                  Case("rank 3", *((real(2, 1, 2), real(2, 2, 2)) if axis == 1 else (real(2, 2, 1), real(2, 2, 3)))),
                  Case("no rows", real(0, 2), real(0, 3)), Case("bool", boolean(2, 1), boolean(2, 2)))
    yield row("concat repeated", lambda x: tf.concat([x, x, 2 * x], 0), Case("vector", real(3)))
    for axis in (0, 1, -1):
        extra = [Case("scalars", real(), real())] if axis != 1 else []
        yield row(f"stack axis={axis}", lambda *x, a=axis: tf.stack(x, a), Case("three", real(2, 3), real(2, 3), real(2, 3)),
                  Case("one", real(2)), Case("empty", real(0), real(0)), Case("int32", whole(3), whole(3)), *extra)
    yield row("split count=3 part=1", lambda x: tf.split(x, 3)[1], Case("matrix", real(6, 2)), Case("vector", real(3)),
              Case("int32", whole(3, 2)))
    yield row("split count=2 axis=-1 difference", lambda x: tf.subtract(*tf.split(x, 2, -1)), Case("matrix", real(3, 4)),
              Case("rank 3", real(1, 2, 2)), Case("empty", real(0, 2)))
    yield row("split count=1 axis=1", lambda x: tf.split(x, 1, 1)[0], Case("matrix", real(2, 3)))
    for begin, size, cases in (
        ([1], [2], [Case("vector", real(4))]),
        ([1, 0], [2, 2], [Case("matrix", real(3, 3)), Case("int32", whole(4, 2))]),
        ([0, 1], [-1, -1], [Case("matrix", real(2, 3)), Case("to nothing", real(2, 1)), Case("empty", real(0, 2))]),
        ([1, 1], [0, 1], [Case("matrix", real(2, 3))]),
        ([0, 1, 1], [1, -1, 2], [Case("rank 3", real(2, 2, 3))]),
    ):
        yield row(f"slice begin={text(begin)} size={text(size)}", lambda x, b=begin, s=size: tf.slice(x, b, s), *cases)
    yield row("slice scalar", tf.identity, Case("scalar", real()))
    for paddings, cases in (
        ([[1, 2]], [Case("vector", real(3)), Case("empty", real(0))]),
        ([[0, 1], [2, 0]], [Case("matrix", real(2, 2)), Case("int32", whole(2, 2)), Case("no rows", real(0, 2))]),
        ([[0, 0], [0, 0]], [Case("matrix", real(2, 2))]),
        ([[1, 0], [0, 0], [1, 1]], [Case("rank 3", real(1, 2, 2))]),
    ):
        yield row("pad " + text(f"{a}+{b}" for a, b in paddings), lambda x, p=paddings: tf.pad(x, p), *cases)
    yield row("pad 1+0,0+1 value=1.5", lambda x: tf.pad(x, [[1, 0], [0, 1]], constant_values=1.5), Case("matrix", real(2, 2)))
    for multiples, cases in (
        ([3], [Case("vector", real(2)), Case("empty", real(0)), Case("int32", whole(2))]),
        ([2, 1], [Case("matrix", real(2, 3))]),
        ([2, 3], [Case("matrix", real(2, 2)), Case("one", real(1, 1)), Case("bool", boolean(1, 2))]),
        ([0, 2], [Case("matrix", real(2, 2))]),
        ([2, 1, 2], [Case("rank 3", real(1, 2, 2))]),
    ):
        yield row("tile " + text(multiples), lambda x, m=multiples: tf.tile(x, m), *cases)

    yield row("gather", tf.gather, Case("rows", real(4, 2), i32([3, 0, 1])), Case("repeated", real(3, 2), i32([1, 1, 1, 0])),
              Case("matrix of indices", real(3, 2), i32([[0, 2], [1, 1]])), Case("scalar index", real(3, 2), i32(2)),
              Case("no indices", real(3, 2), i32([])), Case("vector", real(5), i32([4, 4, 0])),
              Case("rank 3", real(2, 2, 2), i32([1, 0, 1])), Case("int64 indices", real(3, 1), i64([2, 0])),
              Case("int32 table", whole(3, 2), i32([2, 0])), Case("nothing in a row", real(3, 0), i32([1, 1])))
    for axis, cases in (
        (1, [Case("columns", real(3, 4), i32([3, 0, 3])), Case("middle", real(2, 3, 2), i32([2, 0, 1, 1])),
             Case("matrix of indices", real(2, 3), i32([[0, 2], [1, 1]])), Case("scalar index", real(2, 3), i32(1)),
             Case("no indices", real(2, 3), i32([])), Case("no rows", real(0, 3), i32([2, 1])),
             Case("int64 indices", real(1, 3), i64([2, 2])), Case("int32 table", whole(2, 3), i32([2, 0]))]),
        (-1, [Case("rank 3", real(2, 1, 3), i32([1, 1, 0])), Case("vector", real(3), i32([2, 0]))]),
        (2, [Case("rank 4", real(2, 2, 3, 2), i32([2, 0]))]),
    ):
        yield row(f"gather axis={axis}", lambda x, i, a=axis: tf.gather(x, i, axis=a), *cases)
    yield row("gather twice", lambda x, i, j: tf.gather(x, i) * tf.gather(x, j), Case("rows", real(4, 2), i32([3, 0]), i32([0, 0])))

    def scatter(shape):
        return lambda i, updates: tf.scatter_nd(tf.reshape(i, [-1, 1]), tf.reshape(updates, [tf.size(i)] + shape[1:]), shape)

    yield row("scatter_add 4,2", scatter([4, 2]), Case("rows", i32([3, 0, 1]), real(3, 2)), Case("repeated", i32([1, 1, 0, 1]), real(4, 2)),
              Case("matrix of indices", i32([[0, 2], [2, 1]]), real(2, 2, 2)), Case("scalar index", i32(2), real(2)),
              Case("nothing", i32([]), real(0, 2)), Case("int64 indices", i64([0, 3]), real(2, 2)),
              Case("int32 updates", i32([1, 1]), whole(2, 2)))
    yield row("scatter_add 5", scatter([5]), Case("vector", i32([4, 0, 4]), real(3)))
    yield row("scatter_add 3,2,2", scatter([3, 2, 2]), Case("rank 3", i32([2, 2]), real(2, 2, 2)))
    for dtype in ("float32", "float64", "int32"):
        yield row(f"one_hot 3 {dtype}", lambda i, d=dtype: tf.one_hot(i, 3, dtype=d), Case("vector", i32([0, 2, 1, 2])),
                  Case("matrix", i32([[1], [0]])), Case("scalar", i32(1)), Case("out of range", i32([-1, 3, 0])),
                  Case("empty", i32([])), Case("int64", i64([2, 0])))
    anything = [Case("matrix", real(2, 3)), Case("scalar", real()), Case("empty", real(0, 3))]
    yield row("shape_of", lambda x: tf.shape(x, out_type=tf.int64), *anything, Case("bool", boolean(2)))
    yield row("size_of", lambda x: tf.size(x, out_type=tf.int64), *anything, Case("int32", whole(2, 2)))
    yield row("zeros_like", tf.zeros_like, *anything, Case("int32", whole(2, 2)), Case("nan", f64([np.nan]), values_only=True))
    yield row("ones_like", tf.ones_like, *anything, Case("int32", whole(2, 2)))
    for shape in ([2, 3], [], [0, 2]):
        yield row("fill " + (text(shape) or "scalar"), lambda x, s=shape: tf.fill(s, x), Case("float", real()), Case("int32", whole()))
    for start, limit, delta in ((0, 5, 1), (1, 2, 0.25), (3, -1, -1.5), (2, 2, 1)):
        yield row(f"range {start},{limit},{delta}", lambda x, a=start, b=limit, d=delta: x * tf.range(a, b, d, dtype=tf.float64),
                  Case("times a scalar", f64(1.5)))

    def sum_like(x, like):
        lead = x.shape.rank - like.shape.rank
        axes = list(range(lead)) + [a for a in range(lead, x.shape.rank) if like.shape[a - lead] == 1]
        return tf.reshape(tf.reduce_sum(x, axes), like.shape)

    yield row("broadcast_like", lambda x, like: tf.broadcast_to(x, like.shape), Case("row", real(3), real(2, 3)),
              Case("column", real(2, 1), real(2, 3)), Case("scalar", real(), real(2, 1)), Case("itself", real(2), real(2)),
              Case("empty", real(1), real(0)))
    yield row("sum_like", sum_like, Case("row", real(2, 3), real(3)), Case("column", real(2, 3), real(2, 1)),
              Case("scalar", real(2, 3), real()), Case("keeps rank", real(2, 3), real(1, 3)), Case("itself", real(2, 3), real(2, 3)),
              Case("rank 3", real(2, 3, 2), real(3, 1)), Case("empty", real(0, 2), real(2)), Case("size 1", real(2, 1), real(1)))
    yield row("reshape_like", lambda x, like: tf.reshape(x, like.shape), Case("matrix", real(2, 3), real(3, 2)),
              Case("vector", real(2, 3), real(6)), Case("scalar", real(1, 1), real()), Case("empty", real(0, 2), real(3, 0)))


def layouts(row):
    table = Case("matrix", sparse(3, 4))
    full = Case("no zeros", real(2, 3, avoid="zero", gap=0.25))
    none = Case("empty", real(0, 3))
    zeros = Case("only zeros", f64(np.zeros((2, 2))))

    # The zeros of a csr matrix are structure: no gradient flows to them, and differences (which leave the
    # pattern) do not apply.
    yield row("to_csr", structure, no_differences(table), full, none, no_differences(zeros))
    yield row("to_dense", tf.identity, table, Case("vector", real(3)), Case("int32", whole(2, 2)))
    yield row("to_dense of csr", structure, no_differences(table), full, none, no_differences(zeros))
    yield row("to_dense of rows", lambda i, u: tf.scatter_nd(i[:, None], u, [4, 2]), Case("rows", i32([2, 0, 2]), real(3, 2)),
              Case("none", i32([]), real(0, 2)))

    def sample(x, pattern):
        return tf.where(tf.stop_gradient(pattern) != 0, x, 0.0)

    yield row("sample", sample, Case("matrix", real(3, 4), sparse(3, 4)), Case("row", real(4), sparse(3, 4)),
              Case("column", real(3, 1), sparse(3, 4)), Case("scalar", real(), sparse(3, 4)), Case("nothing", real(2, 2), f64(np.zeros((2, 2)))),
              Case("empty", real(3), real(0, 3)))

    in_group = f64([[0, 1, 0, 0], [1, 0, 0, 1], [0, 0, 0, 0]])  # columns 0 and 3 in group 1, 1 in 0, 2 in none

    def split_rows(x):
        return tf.reshape(x[:, None, :] * in_group, [-1, 4])

    four = [Case("matrix", real(3, 4)), Case("one row", real(1, 4)), Case("no rows", real(0, 4))]
    yield row("split_rows", split_rows, *four)
    yield row("split_rows of csr", lambda x: split_rows(structure(x)), no_differences(Case("matrix", sparse(5, 4))),
              *(no_differences(case) for case in four[1:]), no_differences(Case("only zeros", f64(np.zeros((2, 4))))))


def products(row):
    def matmul(a, b):
        return lambda x, y: tf.matmul(x, y, transpose_a=a, transpose_b=b)

    def turned(shape, flag):
        return real(*(shape[:-2] + [shape[-1], shape[-2]] if flag else shape))

    for ta in (False, True):
        for tb in (False, True):
            name = "matmul" + (" transpose_a" if ta else "") + (" transpose_b" if tb else "")
            sizes = {"3 4 2": (3, 4, 2), "1 4 1": (1, 4, 1), "3 1 2": (3, 1, 2), "1 1 1": (1, 1, 1), "no rows": (0, 3, 2),
                     "no columns": (2, 3, 0), "nothing inside": (2, 0, 3)}
            cases = [Case(n, turned([m, k], ta), turned([k, p], tb)) for n, (m, k, p) in sizes.items()]
            cases.append(Case("batch", turned([2, 2, 3], ta), turned([2, 3, 2], tb)))
            cases.append(Case("batch against matrix", turned([2, 1, 3], ta), turned([3, 2], tb)))
            if not ta and not tb:
                cases += [Case("matrix against batch", real(2, 3), real(2, 3, 1)), Case("batches broadcast", real(2, 1, 1, 3), real(2, 3, 2)),
                          Case("no batches", real(0, 2, 3), real(3, 2)), Case("batch of size 1", real(1, 2, 2), real(3, 2, 1))]
            yield row(name, matmul(ta, tb), *cases)
    yield row("matmul repeated transpose_a", lambda x: tf.matmul(x, x, transpose_a=True), Case("matrix", real(3, 2)))
    yield row("matmul of transpose", lambda x, y: tf.matmul(tf.transpose(x), tf.transpose(y)), Case("matrix", real(3, 2), real(4, 3)))
    yield row("dot", lambda a, b: tf.tensordot(a, b, 1), Case("vectors", real(5), real(5)), Case("size 1", real(1), real(1)),
              Case("empty", real(0), real(0)))
    yield row("outer", lambda a, b: tf.tensordot(a, b, 0), Case("vectors", real(3), real(2)), Case("size 1", real(1), real(4)),
              Case("empty", real(0), real(2)))
    for equation, cases in (
        ("ij,jk->ik", [Case("matrices", real(3, 4), real(4, 2)), Case("nothing inside", real(2, 0), real(0, 2))]),
        ("ij,jk->ki", [Case("matrices", real(3, 2), real(2, 2))]),
        ("bij,bjk->bik", [Case("batches", real(2, 2, 3), real(2, 3, 2))]),
        ("bij,bkj->bik", [Case("batches", real(2, 2, 3), real(2, 1, 3))]),
        ("ij,ij->", [Case("matrices", real(2, 3), real(2, 3))]),
        ("ij,ij->ij", [Case("matrices", real(2, 3), real(2, 3))]),
        ("ij,ij->i", [Case("matrices", real(2, 3), real(2, 3)), Case("empty", real(0, 3), real(0, 3))]),
        ("i,j->ij", [Case("vectors", real(2), real(3))]),
        ("i,j->ji", [Case("vectors", real(2), real(3))]),
        ("i,i->", [Case("vectors", real(4), real(4))]),
        ("ij,j->i", [Case("matrix and vector", real(2, 3), real(3))]),
        ("ij,k->k", [Case("letters in one operand alone", real(2, 3), real(2))]),
        ("ijk,kl->lij", [Case("rank 3", real(2, 1, 3), real(3, 2))]),
        ("abc,cad->bd", [Case("two letters summed", real(2, 2, 3), real(3, 2, 2))]),
        (",ij->ij", [Case("scalar", real(), real(2, 2))]),
    ):
        yield row(f"einsum {equation}", lambda a, b, e=equation: tf.einsum(e, a, b), *cases)


def neural(row):
    far = Case("far out", f64([[1000, 0, -1000], [-1000, -1000.5, -1001]]), differences=1)
    for name, function in (("softmax", tf.nn.softmax), ("log_softmax", tf.nn.log_softmax)):
        yield row(name, function, Case("matrix", real(2, 4)), Case("vector", real(3)), Case("size 1", real(2, 1)), Case("rank 3", real(2, 1, 3)),
                  Case("no rows", real(0, 3)), Case("no columns", real(2, 0)), far)
        for axis in (0, 1):
            yield row(f"{name} axis={axis}", lambda x, a=axis, f=function: f(x, axis=a), Case("matrix", real(3, 2)), Case("rank 3", real(2, 3, 2)),
                      Case("far out", f64([[1000, 0], [-1000, 0.5]]), differences=1))
    name = "softmax_cross_entropy_with_logits"
    yield row(name, tf.nn.softmax_cross_entropy_with_logits, Case("matrix", probabilities(3, 4), real(3, 4)),
              Case("vector", probabilities(3), real(3)), Case("rank 3", probabilities(2, 1, 3), real(2, 1, 3)),
              Case("one class", f64([[1], [1]]), real(2, 1)), Case("no rows", f64(np.zeros((0, 3))), real(0, 3)),
              Case("far out", f64([[0, 1, 0], [0.5, 0.5, 0]]), f64([[1000, 0, -1000], [-1000, -1000.5, -1001]]), differences=1))
    yield row(f"{name} axis=0", lambda z, x: tf.nn.softmax_cross_entropy_with_logits(z, x, axis=0),
              Case("matrix", probabilities(4, 2, axis=0), real(4, 2)), Case("rank 3", probabilities(3, 2, 2, axis=0), real(3, 2, 2)))
    yield row(f"{name} axis=1", lambda z, x: tf.nn.softmax_cross_entropy_with_logits(z, x, axis=1),
              Case("rank 3", probabilities(2, 3, 2, axis=1), real(2, 3, 2)))
    yield row("sigmoid_cross_entropy_with_logits", lambda z, x: tf.nn.sigmoid_cross_entropy_with_logits(labels=z, logits=x),
              Case("matrix", real(2, 3, low=0, high=1), real(2, 3)), Case("scalar", f64(1), real()), Case("empty", f64([]), f64([])),
              Case("at 0", f64([0, 1, 0.25]), f64([0, 0, 0])),
              Case("far out", f64([1, 0, 1, 0]), f64([1000, 1000, -1000, -40])))
    yield row("l2_loss", tf.nn.l2_loss, Case("matrix", real(2, 3)), Case("vector", real(5)), Case("scalar", real()), Case("empty", real(0, 2)))
