"""Rows of ops.json, continued: the headers that ops.h includes (slicing, sorting, segments, linear algebra), and
statistics."""

import numpy as np
import tensorflow as tf

from op_oracle import Case, boolean, real, sparse, whole
from op_rows_structure import f64, i32, i64, no_differences, structure, text

nan, inf = float("nan"), float("inf")


def slicing(row):
    matrix = Case("matrix", real(3, 4))
    for brackets, cases in (
        ("[1]", [matrix, Case("vector", real(3)), Case("rank 3", real(2, 1, 3)), Case("int32", whole(2, 2)), Case("bool", boolean(3))]),
        ("[-1]", [matrix, Case("nothing in a row", real(2, 0))]),
        ("[:, -1]", [matrix, Case("rank 3", real(2, 3, 2)), Case("no rows", real(0, 3)), Case("one column", real(3, 1))]),
        ("[1:3, ::-1]", [matrix, Case("fewer rows", real(2, 3)), Case("no rows left", real(1, 2)), Case("int64", whole(3, 2, dtype=np.int64))]),
        ("[..., 0]", [matrix, Case("vector", real(3)), Case("rank 3", real(2, 2, 3))]),
        ("[:, None]", [matrix, Case("vector", real(2)), Case("empty", real(0))]),
        ("[::2]", [matrix, Case("vector", real(6)), Case("one", real(1)), Case("empty", real(0, 2))]),
        ("[-1:-4:-2]", [Case("vector", real(5)), Case("short", real(2)), Case("one", real(1))]),
        ("[7:]", [matrix]),
        ("[:-9]", [matrix]),
        ("[None, 1, ..., ::-2]", [matrix, Case("rank 4", real(2, 2, 1, 5))]),
    ):
        yield row(f"at {brackets}", lambda x, b=brackets: eval("x" + b), *cases)
    yield row("at broadcast repeated", lambda x: x * x[:1] - x[::-1], matrix)
    for begin, end, strides, cases in (
        ([1], [3], [1], [matrix]),
        ([0, -1], [3, -9], [2, -2], [matrix, Case("one", real(1, 1))]),
        ([2], [0], [-1], [Case("vector", real(4)), Case("int32", whole(3))]),
    ):
        yield row(f"strided_slice {text(begin)} {text(end)} {text(strides)}",
                  lambda x, b=begin, e=end, s=strides: tf.strided_slice(x, b, e, s), *cases)
    yield row("unstack part=1", lambda x: tf.unstack(x)[1], matrix, Case("vector", real(2)), Case("int32", whole(2, 2)))
    yield row("unstack num=2 axis=-1 difference", lambda x: tf.subtract(*tf.unstack(x, 2, -1)), Case("matrix", real(3, 2)),
              Case("rank 3", real(1, 2, 2)), Case("empty", real(0, 2)))
    for axis in ([0], [1], [-1, 0]):
        yield row(f"reverse axis={text(axis)}", lambda x, a=axis: tf.reverse(x, a), matrix, Case("size 1", real(1, 1)),
                  Case("rank 3", real(2, 3, 2)), Case("empty", real(0, 2)), Case("bool", boolean(2, 3)))
    for shift, axis in ((1, 0), (-5, 1), (6, -1), (0, 0)):
        yield row(f"roll {shift} axis={axis}", lambda x, s=shift, a=axis: tf.roll(x, s, a), matrix, Case("one", real(1, 1)),
                  Case("rank 3", real(2, 3, 2)), Case("empty", real(0, 0)), Case("int32", whole(2, 3)), Case("bool", boolean(2, 3)))
    for axis, batch, cases in (
        (1, 1, [Case("one each", real(3, 4), i32([[1], [0], [3]])), Case("several", real(2, 3), i32([[2, 0, 2], [1, 1, 0]])),
                Case("slices", real(2, 3, 2), i32([[2, 0], [1, 1]])), Case("no batches", real(0, 3), i32(np.zeros((0, 2)))),
                Case("none", real(2, 3), i32(np.zeros((2, 0)))), Case("one index", real(2, 3), i32([2, 0])),
                Case("int64 indices", real(2, 3), i64([[2], [0]])), Case("int32 table", whole(2, 3), i32([[2, 0], [1, 1]]))]),
        (2, 1, [Case("axis between", real(2, 2, 3), i32([[2, 0], [1, 1]])), Case("rank 4", real(2, 1, 3, 2), i32([[0], [2]]))]),
        (-1, -1, [Case("last axis", real(2, 2, 3), i32([[[0, 2], [1, 1]], [[2, 2], [0, 1]]])), Case("matrix", real(2, 3), i32([[1], [2]])),
                  Case("vector", real(3), i32([2, 2, 0]))]),
    ):
        yield row(f"gather axis={axis} batch_dims={batch}", lambda x, i, a=axis, b=batch: tf.gather(x, i, axis=a, batch_dims=b), *cases)
    yield row("gather_nd", lambda x, i: tf.gather_nd(x, i[None])[0], Case("elements", real(3, 4), i32([[0, 3], [2, 1], [2, 1]])), Case("rows", real(3, 2), i32([[2], [0]])),
              Case("rank 3", real(2, 3, 2), i32([[[0, 2]], [[1, 0]]])), Case("one", real(2, 2), i32([1, 0])),
              Case("none", real(2, 2), i32(np.zeros((0, 2)))), Case("int64 indices", real(2, 2), i64([[1, 1]])),
              Case("int32 table", whole(2, 3), i32([[1, 2], [0, 0]])))


def sorting(row):
    def distinct(*shape):
        return real(*shape, distinct=True)

    ties = Case("equal elements", f64([[2, 1, 2, 1, 2], [0, -0.0, 0, 1, 0]]), differences=0)
    ends = [Case("size 1", real(3, 1)), Case("empty", real(2, 0), values_only=True), Case("no rows", real(0, 3)), Case("rank 3", distinct(2, 2, 3)),
            Case("infinite", f64([[inf, -inf, 1e308, -1e308, 0]]), values_only=True, float32=False)]
    kinds = [Case("int32", whole(2, 5)), Case("int64", i64([[2**62, -2**63, 0, 2**62]])), Case("bool", boolean(2, 5))]
    matrix = Case("matrix", distinct(3, 5))
    for name, direction in (("", "ASCENDING"), (" descending", "DESCENDING")):
        yield row("sort" + name, lambda x, d=direction: tf.sort(x, direction=d), matrix, Case("vector", distinct(7)), ties, *ends, *kinds[:2])
        yield row("argsort" + name, lambda x, d=direction: tf.argsort(x, direction=d), matrix, Case("vector", distinct(7)), ties, *ends, *kinds[:2])
    yield row("argsort bool", lambda x: tf.constant(np.argsort(x.numpy(), kind="stable").astype(np.int32)), kinds[2])
    yield row("sort axis=0", lambda x: tf.sort(x, axis=0), matrix, Case("rank 3", distinct(3, 2, 2)), Case("empty", real(0, 2), values_only=True))
    yield row("argsort axis=0", lambda x: tf.argsort(x, axis=0), matrix, Case("rank 3", distinct(3, 2, 2)))
    nans = Case("nan is the greatest", f64([[1, nan, -inf, nan, inf]]), values_only=True)
    yield row("sort nan", lambda x: tf.constant(np.sort(x.numpy())), nans)
    yield row("sort nan descending", lambda x: tf.constant(np.sort(x.numpy())[:, ::-1].copy()), nans)
    for k in (1, 3):
        cases = [matrix, Case("vector", distinct(4)), Case("rank 3", distinct(2, 1, 3)), Case("no rows", real(0, 4)), *kinds[:1]]
        if k == 3:
            cases.append(ties)
        yield row(f"top_k {k}", lambda x, k=k: tf.math.top_k(x, k).values, *cases)
        yield row(f"top_k {k} indices", lambda x, k=k: tf.math.top_k(x, k).indices, *cases)
    yield row("top_k 0", lambda x: tf.math.top_k(x, 0).values, matrix)

    def in_top_k(k):  # TensorFlow's takes float32 alone
        return lambda x, t: tf.math.in_top_k(t, tf.cast(x, tf.float32), k)

    for k in (1, 2):
        yield row(f"in_top_k {k}", in_top_k(k), Case("matrix", distinct(4, 3), i32([0, 2, 1, 1])), Case("equal scores", f64([[1, 2, 2], [2, 2, 2]]), i32([1, 2])),
                  Case("no such class", real(2, 3), i32([-1, 3])), Case("not finite", f64([[1, nan, 2], [inf, 1, 0], [1, 2, -inf]]), i32([2, 1, 1])),
                  Case("no rows", real(0, 3), i32([])), Case("int64", distinct(2, 3), i64([2, 0])))

    def unique(x):
        y, ids, count = tf.unique_with_counts(x)
        first = [list(ids.numpy()).index(i) for i in range(len(count))]
        return tf.gather(x, i32(first + [0] * (len(x) - len(first)))), ids, tf.constant(len(count), tf.int32)

    cases = [Case("vector", f64([3, 1, 3, 0.5, 1, 3])), Case("all different", distinct(4)), Case("one", real(1)), Case("empty", real(0)),
             Case("zeros and nan", f64([0, nan, -0.0, nan]), values_only=True), Case("int32", i32([7, 7, -7])), Case("int64", i64([2**40, 1, 2**40]))]
    for name, part in (("unique", 0), ("unique idx", 1), ("unique count", 2)):
        yield row(name, lambda x, p=part: unique(x)[p], *([no_differences(cases[0])] + cases[1:] if part == 0 else cases))


def segments(row):
    n = 4
    ids = i32([0, 0, 1, 3, 3])
    sorted_cases = [Case("matrix", real(5, 2, distinct=True), ids), Case("vector", real(5, distinct=True), i64(ids)), Case("rank 3", real(2, 2, 2, distinct=True), i32([0, 3]))]
    ints = Case("int32", whole(5, 2), ids)

    def or_zero(function):
        def of(x, i):
            counts = tf.math.bincount(tf.reshape(i, [-1]), minlength=n, maxlength=n)
            y = function(x, i, n)
            wide = tf.reshape(counts, [n] + [1] * (len(y.shape) - 1))
            return tf.where(wide > 0, y, tf.zeros_like(y))

        return of

    any_order = [Case("any order", real(5, 2, distinct=True), i32([3, 0, 3, 1, 0])), Case("matrix of ids", real(2, 3, 2, distinct=True), i32([[0, 1, 1], [3, 3, 0]])),
                 Case("none", real(0, 2), i32([])), Case("nothing in a row", real(2, 0), i32([1, 1])), Case("one for all", real(2, distinct=True), i32([2, 2]))]
    negative = [Case("some left out", real(5, 2, distinct=True), i32([3, -1, 3, 1, -7])), Case("all left out", real(2), i32([-1, -1]))]
    equal = Case("equal extremes", f64([2, 2, 1, 1]), i32([0, 0, 0, 1]), differences=0)
    for kind in ("sum", "mean", "max", "min"):
        unsorted = getattr(tf.math, f"unsorted_segment_{kind}")
        extreme = kind in ("max", "min")
        extra = ([ints] if kind != "mean" else []) + ([equal] if extreme else [])
        yield row(f"segment_{kind}", or_zero(unsorted), *sorted_cases, *any_order, *extra)
        # An empty segment of an extreme has float64's end: float32 has another.
        full = Case("no segment empty", real(6, 2, distinct=True), i32([0, 1, 2, 3, 1, -1]))
        rest = [Case(c.name, *c.inputs, differences=0 if extreme else 2, float32=not extreme) for c in any_order + negative]
        yield row(f"unsorted_segment_{kind}", lambda x, i, f=unsorted: f(x, i, n), full, *rest)
    yield row("bincount 4", lambda v: tf.math.bincount(v, minlength=4, maxlength=4), Case("vector", i32([1, 3, 3, 0, 5, 9])), Case("none", i32([])),
              Case("matrix", i32([[0, 1], [1, 1]])), Case("scalar", i32(2)))
    yield row("bincount 4 float64", lambda v: tf.math.bincount(v, minlength=4, maxlength=4, dtype=tf.float64), Case("vector", i32([1, 3, 3])))
    yield row("bincount 3 weights", lambda v, w: tf.math.unsorted_segment_sum(w, tf.where(v < 3, v, -1), 3), Case("vector", i32([1, 2, 1, 0, 7]), real(5)),
              Case("matrix", i32([[0, 1], [1, 9]]), real(2, 2)), Case("int32 weights", i32([1, 1]), whole(2)))
    edges = f64([-1.0, 0.0, 1.5, 2.0, 5, 15, 0.3, 4.999, nan])
    for name, low, high, bins, cases in (
        ("0 to 5 nbins=5", 0.0, 5.0, 5, [Case("vector", real(9, low=-1, high=6)), Case("matrix", real(3, 4, low=0, high=5)), Case("edges", edges[:-1]), Case("none", real(0))]),
        ("-1 to 1", -1.0, 1.0, 100, [Case("vector", real(20))]),
    ):
        yield row(f"histogram_fixed_width {name}", lambda x, a=low, b=high, n=bins: tf.histogram_fixed_width(x, tf.constant([a, b], x.dtype), n), *cases)
    yield row("histogram_fixed_width int", lambda x: tf.histogram_fixed_width(x, tf.constant([-4, 8], x.dtype), 3), Case("int32", whole(2, 5)))

    def lookup(combiner):
        def of(table, x):
            w = structure(x)
            total = tf.matmul(w, table)
            by = {"sum": tf.ones_like(w[:, :1]), "mean": tf.reduce_sum(w, 1, keepdims=True),
                  "sqrtn": tf.sqrt(tf.maximum(tf.reduce_sum(w * w, 1, keepdims=True), 1e-300))}[combiner]
            return tf.where(tf.reduce_any(x != 0, 1, keepdims=True), total / tf.where(by == 0, 1.0, by), 0.0)

        return of

    weights = f64([[0, 0.5, 0, 1.5], [0, 0, 0, 0], [2, 0, 0, 0.25]])
    for combiner in ("sum", "mean", "sqrtn"):
        yield row(f"embedding_lookup_sparse {combiner}", lookup(combiner), no_differences(Case("weights", real(4, 2), weights)),
                  no_differences(Case("ones", real(3, 2), f64([[1, 0, 1], [0, 1, 0]]))), no_differences(Case("empty", real(3, 2), f64(np.zeros((2, 3))))),
                  no_differences(Case("no rows", real(3, 1), real(0, 3))))

    def stored_extreme(function, of_nothing):
        def over(axis, keep):
            def of(x):
                is_stored = x != 0
                y = function(tf.where(is_stored, structure(x), of_nothing), axis=axis, keepdims=keep)
                return tf.where(tf.reduce_any(is_stored, axis=axis, keepdims=keep), y, 0.0)

            return of

        return over

    stored = [no_differences(Case("matrix", sparse(4, 3))), no_differences(Case("negative", f64([[-1, 0, -2], [0, 0, 0], [0, 0, -3]]))),
              no_differences(Case("equal", f64([[2, 2, 1], [0, 2, 0]]))), no_differences(Case("only zeros", f64(np.zeros((2, 3))))),
              no_differences(Case("no rows", real(0, 3)))]
    for kind, function, of_nothing in (("max", tf.reduce_max, -inf), ("min", tf.reduce_min, inf)):
        over = stored_extreme(function, of_nothing)
        for axis, keep in ((None, False), (0, False), (1, True), (-1, False), (0, True)):
            name = f"sparse_reduce_{kind}" + ("" if axis is None else f" axis={axis}") + (" keep_dims" if keep else "")
            yield row(name, over(axis, keep), *stored)


def statistics(row):
    many = [(None, False), (0, False), (1, True), (-1, False), ([0, 2], True)]

    def named(name, axis, keep):
        return name + ("" if axis is None else " axis=" + text(np.atleast_1d(axis))) + (" keep_dims" if keep else "")

    def cases(axis, *extra):
        if axis is None:
            return [Case("matrix", real(3, 4)), Case("vector", real(5)), *extra]
        if np.ndim(axis) == 1:
            return [Case("rank 3", real(2, 3, 2)), Case("one of each", real(1, 2, 1), differences=1), *extra]
        return [Case("matrix", real(3, 4)), Case("rank 3", real(2, 3, 2)), *extra]

    def variance(x, axis, keep):
        return tf.reduce_mean(tf.square(x - tf.reduce_mean(x, axis, keepdims=True)), axis, keepdims=keep)

    for axis, keep in many:
        near = [Case("nearly equal", f64([[1e8 + 1, 1e8 + 2, 1e8 + 4], [-1e8, -1e8, 1e8]]), differences=0, float32=False)] if axis in (None, 1) else []
        of_one = [Case("of one", real(1, 1), differences=1)] if np.ndim(axis) == 0 else []
        yield row(named("reduce_variance", axis, keep), lambda x, a=axis, k=keep: variance(x, a, k), *cases(axis, *near, *of_one))
        if np.ndim(axis) == 0:
            yield row(named("reduce_std", axis, keep), lambda x, a=axis, k=keep: tf.sqrt(variance(x, a, k)), *cases(axis))
    for axis, keep in ((None, False), (0, True), (1, False)):
        yield row(named("moments mean", axis, keep), lambda x, a=axis, k=keep: tf.reduce_mean(x, a, keepdims=k), *cases(axis))
        yield row(named("moments variance", axis, keep), lambda x, a=axis, k=keep: variance(x, a, k), *cases(axis))
    zeros = [Case("matrix", sparse(3, 4)), Case("int32", i32([[0, 2], [-1, 0]])), Case("bool", boolean(2, 3)), Case("special", f64([[0, -0.0, nan, inf]])), Case("nothing", real(0, 2))]
    for axis, keep in ((None, False), (0, False), (1, True)):
        yield row(named("count_nonzero", axis, keep), lambda x, a=axis, k=keep: tf.math.count_nonzero(x, axis=a, keepdims=k), *zeros)
        yield row(named("count_nonzero of csr", axis, keep), lambda x, a=axis, k=keep: tf.math.count_nonzero(x, axis=a, keepdims=k), zeros[0], zeros[4])
    yield row("count_nonzero int32", lambda x: tf.math.count_nonzero(x, dtype=tf.int32), zeros[0])


def matrices(row):
    batch = Case("batch", real(2, 2, 3))
    yield row("matrix_transpose", tf.linalg.matrix_transpose, Case("matrix", real(2, 3)), batch, Case("empty", real(0, 3)), Case("int32", whole(2, 3)))
    for low, up in ((-1, 0), (0, -1), (0, 0), (1, 0), (-1, -1), (1, 2)):
        yield row(f"matrix_band_part {low},{up}", lambda x, a=low, b=up: tf.linalg.band_part(x, min(a, x.shape[-2]), min(b, x.shape[-1])), Case("matrix", real(3, 4)), Case("tall", real(4, 2)),
                  batch, Case("one", real(1, 1)), Case("empty", real(0, 3)), Case("int32", whole(3, 3)))

    def positive(x):
        return tf.matmul(x, x, transpose_b=True) + 2 * tf.eye(x.shape[-2], dtype=x.dtype)

    square = [Case("matrix", real(3, 3)), Case("one", real(1, 2)), Case("batch", real(2, 2, 2)), Case("rank 4", real(2, 1, 2, 3)), Case("empty", real(0, 2))]
    yield row("cholesky of positive", lambda x: tf.linalg.cholesky(positive(x)), *square, Case("odd", real(7, 7)))
    yield row("cholesky", lambda x: tf.linalg.cholesky(x), Case("lower triangle alone", f64([[4, 9, 9], [2, 5, 9], [-2, 1, 6]]), values_only=True),
              Case("large and small", f64([[1e36, 0], [0, 1e-36]]), values_only=True))
    # Far from singular: the smallest singular value is near 1.
    systems = [Case("matrix", f64([[0, 2, 1], [3, 0.5, -1], [1, 1, 4]]), real(3, 2)), Case("one", f64([[-2.5]]), real(1, 1)),
               Case("batch", f64([[[2, 1], [0.5, -3]], [[0, 1], [2, 0.25]]]), real(2, 2, 3)), Case("rank 4", f64([[[[2, 1], [1, -1]]], [[[1, 0.5], [0, 2]]]]), real(2, 1, 2, 1)),
               Case("nothing asked", f64([[2, 1], [1, 3]]), real(2, 0)), Case("empty", real(0, 0), real(0, 2)), Case("no batches", real(0, 2, 2), real(0, 2, 1)),
               Case("odd", f64(np.eye(7) * 3 + np.tri(7, 7, -1) / 4 - np.tri(7, 7, -2).T / 8)[::-1].copy(), real(7, 3))]
    for adjoint in (False, True):
        name = " adjoint" if adjoint else ""
        yield row("matrix_solve" + name, lambda a, b, t=adjoint: tf.linalg.solve(a, b, adjoint=t), *systems)
        for lower in (True, False):
            ones = [Case(c.name, *c.inputs) for c in systems if c.name not in ("matrix", "batch", "odd")]
            full = [Case("matrix", f64([[2, 9, 0.5], [1, -1, 1], [3, 0.25, 4]]), real(3, 2)), Case("batch", f64([[[2, 1], [0.5, -3]], [[1, 2], [2, 0.5]]]), real(2, 2, 3))]
            yield row(f"matrix_triangular_solve {'lower' if lower else 'upper'}{name}",
                      lambda a, b, l=lower, t=adjoint: tf.linalg.triangular_solve(a, b, lower=l, adjoint=t), *full, *ones)
    for equation, cases in (
        ("ij->ji", [Case("matrix", real(2, 3)), Case("int32", whole(2, 3))]),
        ("ijk->", [Case("rank 3", real(2, 1, 3)), Case("empty", real(0, 1, 2))]),
        ("ijk->ki", [Case("rank 3", real(2, 2, 3))]),
        ("ba", [Case("alphabetical", real(2, 3))]),
        ("i->i", [Case("vector", real(3))]),
        ("ii->i", [Case("matrix", real(3, 3)), Case("one", real(1, 1)), Case("empty", real(0, 0))]),
        ("ii", [Case("matrix", real(3, 3))]),
        ("iji->j", [Case("rank 3", real(2, 3, 2))]),
        ("iii->i", [Case("rank 3", real(2, 2, 2))]),
        ("...ii->...i", [Case("matrix", real(2, 2)), Case("batch", real(2, 3, 3))]),
        ("...ij->...ji", [Case("matrix", real(2, 3)), Case("batch", real(2, 1, 3))]),
        ("i...->...i", [Case("rank 3", real(2, 1, 3)), Case("vector", real(3))]),
        ("...", [Case("matrix", real(2, 3)), Case("scalar", real())]),
    ):
        yield row(f"einsum {equation}", lambda x, e=equation: tf.einsum(e, x), *cases)
    for equation, cases in (
        ("...ij,...jk->...ik", [Case("batches", real(2, 2, 3), real(2, 3, 2)), Case("matrix against batch", real(2, 3), real(3, 3, 1)), Case("broadcast", real(1, 2, 3), real(3, 3, 2)),
                                Case("longer", real(2, 1, 2, 2), real(3, 2, 1))]),
        ("...ij,jk->...ik", [Case("matrices", real(2, 3), real(3, 2)), Case("batch", real(2, 2, 3), real(3, 2))]),
        ("...i,...i->...", [Case("matrices", real(2, 3), real(2, 3)), Case("broadcast", real(3), real(2, 3))]),
        ("...i,...j", [Case("matrices", real(2, 3), real(2, 2)), Case("broadcast", real(1, 3), real(2, 2))]),
        ("ii,ij->j", [Case("matrices", real(2, 2), real(2, 3))]),
        ("ii,jj->ij", [Case("matrices", real(2, 2), real(3, 3))]),
    ):
        # TensorFlow wants an ellipsis in the result; NumPy puts it there without an arrow.
        spelled = equation.replace("...i,...j", "...i,...j->...ij") if "->" not in equation else equation
        yield row(f"einsum {equation}", lambda a, b, e=spelled: tf.einsum(e, a, b), *cases)
    for equation, cases in (
        ("ij,jk,kl->il", [Case("chain", real(2, 3), real(3, 2), real(2, 4)), Case("int32", whole(2, 2), whole(2, 3), whole(3, 1)), Case("empty", real(2, 0), real(0, 2), real(2, 1))]),
        ("i,ij,j", [Case("bilinear form", real(2), real(2, 3), real(3))]),
        ("nf,nf,nf->n", [Case("three of one shape", real(2, 3), real(2, 3), real(2, 3))]),
        ("i,j,k->kij", [Case("outer", real(2), real(1), real(3))]),
        ("...i,ij,...j->...", [Case("batch", real(2, 3), real(3, 2), real(2, 2)), Case("broadcast", real(3), real(3, 2), real(2, 2))]),
        ("ab,bc,cd,dd->a", [Case("four", real(2, 2), real(2, 3), real(3, 2), real(2, 2))]),
    ):
        yield row(f"einsum {equation}", lambda *x, e=equation: tf.einsum(e, *x), *cases)
