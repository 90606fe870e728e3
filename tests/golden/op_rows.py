"""The rows of ops.json: for each call of an op, TensorFlow's equivalent and the inputs to try it with.

A row's name is the op's name in ops/ops.h, then what the call fixes; tests/op_cases*.cpp has a row of the same
name that makes the same call.
"""

import numpy as np
import tensorflow as tf

from op_oracle import Case, boolean, golden_case, real, whole
import op_rows_nn
import op_rows_structure
import op_rows_subjects

inf, nan = np.inf, np.nan


def row(name, function, *cases):
    return {"name": name, "cases": [golden_case(name, function, c) for c in cases]}


def f64(values):
    return np.array(values, dtype=np.float64)


def i32(values):
    return np.array(values, dtype=np.int32)


def i64(values):
    return np.array(values, dtype=np.int64)


def pairs(a, b, integers=True):
    """Two operands in every way of broadcasting; a and b draw a shape."""
    cases = [
        Case("same shape", a(2, 3), b(2, 3)),
        Case("row", a(2, 3), b(3)),
        Case("column", a(3, 2), b(3, 1)),
        Case("column and row", a(3, 1), b(4)),
        Case("scalar right", a(5), b()),
        Case("scalar left", a(), b(1, 3)),
        Case("scalars", a(), b()),
        Case("size 1", a(1), b(1, 1)),
        Case("rank 3", a(2, 1, 3), b(4, 1)),
        Case("empty", a(0, 3), b(3)),
        Case("empty against size 1", a(2, 1), b(2, 0)),
    ]
    if integers:
        cases += [
            Case("int32", whole(2, 3), whole(3, nonzero=True)),
            Case("int32 scalar", whole(4), whole(nonzero=True)),
        ]
    return cases


def spread(function):
    """TensorFlow broadcasts no more than about five alternating axes; beyond rank 4 the operands are repeated first."""

    def repeated(x, shape):
        x = tf.reshape(x, [1] * (len(shape) - x.shape.rank) + list(x.shape))
        for axis, (given, wanted) in enumerate(zip(x.shape, shape)):
            if given != wanted:
                x = tf.repeat(x, wanted, axis)
        return x

    def call(a, b):
        if max(a.shape.rank, b.shape.rank) <= 4:
            return function(a, b)
        shape = np.broadcast_shapes(tuple(a.shape), tuple(b.shape))
        return function(repeated(a, shape), repeated(b, shape))

    return call


def arithmetic():
    # Multiples of 1/8 against odd multiples of 1/16: never equal, so no kink of maximum is near.
    def eighths(*shape):
        return lambda rng: rng.integers(-16, 17, size=shape) / 8.0

    def sixteenths(*shape):
        return lambda rng: rng.integers(-16, 16, size=shape) / 8.0 + 1 / 16

    def away(*shape):
        return real(*shape, avoid="zero", gap=0.5)

    def positive(*shape):
        return real(*shape, low=0.25, high=2.5)

    def dividend(*shape):
        # With divisors 1.5 or -1.5 (below) the quotient stays off the integers.
        return lambda rng: rng.integers(-4, 5, size=shape) * 0.75 + 0.25

    def divisor(*shape):
        return lambda rng: rng.choice([-1.5, 1.5], size=shape)

    many = Case("rank 6", real(2, 1, 2, 1, 2, 1), real(2, 1, 3, 1, 2))
    yield row("add", spread(tf.add), *pairs(real, real), many)
    yield row("subtract", spread(tf.subtract), *pairs(real, real), many)
    yield row("multiply", spread(tf.multiply), *pairs(real, real), many)
    yield row("divide", tf.divide, *pairs(real, away, integers=False), Case(
        "by zero", f64([1, -1, 0, 2]), f64([0, 0, 0, -0.0]), values_only=True))
    yield row("pow", tf.pow, *pairs(positive, real, integers=False),
              Case("negative base", f64([-2, -1.5, -1, -0.5]), f64([2, 3, -1, -2]), differences=0),
              Case("zero base", f64([0, 0, 0]), f64([1, 2, 3]), differences=0),
              Case("edges", f64([0, 0, 2, -8, inf, 1, nan]), f64([0, -1, 0, 1 / 3, 0, nan, 0]), values_only=True),
              Case("int32", i32([2, 3, -2, 0, 7]), i32([10, 0, 3, 0, 1])))
    for exponent in (0, 1, 2, 3, 4, -1, -2, 0.5, -0.5, 1.5):
        low = 0.25 if exponent in (0.5, -0.5, 1.5) else -2
        # TensorFlow's derivative for exponent 0 at 0 is 0 * inf; that of the constant 1 is 0.
        function = tf.ones_like if exponent == 0 else lambda x, e=exponent: tf.pow(x, tf.constant(e, tf.float64))
        yield row(f"pow exponent={exponent:g}", function,
                  Case("matrix", real(2, 3, low=low, avoid="zero", gap=0.25)), Case("scalar", f64(1.5)),
                  Case("empty", f64([])),
                  *([Case("zero", f64([0, 1]), differences=2 if exponent in (1, 2, 3, 4) else 0)]
                    if exponent in (0, 1, 2, 3, 4) else []))
    yield row("pow base=2", lambda x: tf.pow(tf.constant(2.0, tf.float64), x), Case("matrix", real(2, 3)))
    kink = "derivative of equal operands"
    for name, function in (("maximum", tf.maximum), ("minimum", tf.minimum)):
        yield row(name, function, *pairs(eighths, sixteenths),
                  Case(kink, f64([1, -2]), f64([1, -2]), values_only=True),
                  Case("infinite", f64([inf, -inf, 1]), f64([0, 0, inf]), values_only=True))
    yield row("squared_difference", tf.math.squared_difference, *pairs(real, real))
    edge = Case("whole quotients", f64([3, -3, 6, -6, 0, 7.5]), f64([1.5, 1.5, -2, -2, 1.5, 2.5]), values_only=True)
    signs = Case("int32 signs", i32([7, -7, 7, -7, 6, -6, 0]), i32([3, 3, -3, -3, 3, 3, -3]))
    yield row("floordiv", tf.math.floordiv, *pairs(dividend, divisor), edge, signs)
    yield row("mod", tf.math.floormod, *pairs(dividend, divisor), edge, signs)

    vector = Case("vector", real(5, avoid="zero"))
    yield row("add number", lambda x: x + 2.5, vector)
    yield row("add number int", lambda x: x + 3, Case("int32", whole(2, 2)), Case("int64", i64([5, -1])))
    yield row("subtract number left", lambda x: 1.0 - x, vector)
    yield row("multiply number", lambda x: 0.5 * x, vector)
    yield row("divide number", lambda x: x / 3.0, vector)
    yield row("divide number left", lambda x: 2.0 / x, vector)
    yield row("multiply repeated", lambda x: x * x, vector, Case("matrix", real(2, 2)))
    yield row("subtract repeated", lambda x: x - x, vector)
    yield row("divide repeated", lambda x: x / x, vector)
    yield row("multiply broadcast repeated", lambda x: x * x[:1], Case("matrix", real(3, 2)))
    yield row("add diamond", lambda x: (x * x + tf.exp(x)) * (x * x), Case("vector", real(4)))


def unary():
    def shapes(**draw):
        return [Case("matrix", real(2, 3, **draw)), Case("odd", real(7, **draw)), Case("scalar", real(**draw)),
                Case("ones", real(1, 1, **draw)), Case("empty", real(2, 0, **draw)), Case("rank 3", real(2, 1, 2, **draw))]

    whole_numbers = Case("int32", whole(2, 3))
    huge = f64([-1000, -80, -40, 40, 80, 1000])
    special = f64([inf, -inf, nan])
    tiny = f64([2.0**-30, -(2.0**-30), 2.0**-20, 2.0**-100, 0])

    def edges(name, values, relative=False, **options):
        return Case(name, f64(values), values_only=True, relative=relative, **options)

    off_zero = dict(avoid="zero")
    positive = dict(low=0.25, high=3)
    yield row("negative", tf.negative, *shapes(), whole_numbers, edges("special", special))
    yield row("abs", tf.abs, *shapes(**off_zero), whole_numbers, edges("special", special),
              Case("at 0", f64([0, 1, -1]), differences=0))
    yield row("sign", tf.sign, *shapes(**off_zero), whole_numbers, edges("infinite", [inf, -inf]),
              Case("at 0", f64([0, 1, -1]), differences=0))
    yield row("exp", tf.exp, *shapes(), edges("huge", huge, relative=True), edges("special", special))
    yield row("expm1", tf.math.expm1, *shapes(), edges("huge", huge[:4]), edges("special", special),
              edges("tiny", tiny, relative=True))
    yield row("log", tf.math.log, *shapes(**positive), edges("outside", [0, -1, inf, nan]))
    yield row("log1p", tf.math.log1p, *shapes(low=-0.75, high=3), edges("outside", [-1, -2, inf, nan]),
              edges("tiny", tiny, relative=True))
    yield row("sqrt", tf.sqrt, *shapes(**positive), edges("outside", [0, -1, inf, nan]))
    yield row("rsqrt", tf.math.rsqrt, *shapes(**positive), edges("outside", [0, -1, inf, nan]))
    yield row("square", tf.square, *shapes(), whole_numbers, edges("special", special))
    yield row("reciprocal", tf.math.reciprocal, *shapes(avoid="zero", gap=0.5), edges("special", [0, inf, -inf, nan]))
    yield row("sigmoid", tf.sigmoid, *shapes(), edges("huge", huge, relative=True), edges("special", special))
    yield row("log_sigmoid", tf.math.log_sigmoid, *shapes(), edges("huge", huge[:4], relative=True),
              edges("special", special), Case("gradient far out", f64([-1000, -40, 40, 1000])))
    yield row("tanh", tf.tanh, *shapes(), edges("huge", huge), edges("special", special),
              edges("tiny", tiny, relative=True))
    yield row("relu", tf.nn.relu, *shapes(**off_zero), Case("at 0", f64([0, 1, -1]), differences=0),
              edges("infinite", [inf, -inf]))
    # tf.nn.leaky_relu keeps alpha as float32, unlike 0.2 in float64.
    def leaky(alpha):
        return lambda x: tf.where(x > 0, x, tf.constant(alpha, tf.float64) * x)

    yield row("leaky_relu", leaky(0.2), *shapes(**off_zero), edges("at 0", [0, 10, -10]))
    yield row("leaky_relu alpha=0.01", leaky(0.01), Case("matrix", real(2, 3, **off_zero)))
    yield row("leaky_relu alpha=input", lambda x, alpha: tf.maximum(x, alpha * x),
              Case("matrix", real(2, 3, **off_zero), f64(0.25)))
    yield row("softplus", tf.math.softplus, *shapes(), edges("huge", huge, relative=True), edges("special", special),
              Case("gradient far out", f64([-1000, -40, 40, 1000])))
    yield row("sin", tf.sin, *shapes(), edges("infinite", [inf]))
    yield row("cos", tf.cos, *shapes(), edges("infinite", [inf]))
    yield row("tan", tf.tan, *shapes(low=-1.25, high=1.25))
    # TensorFlow 2.21 says NaN for erf of an infinity.
    yield row("erf", lambda x: tf.where(tf.math.is_inf(x), tf.sign(x), tf.math.erf(x)), *shapes(), edges("special", [0, 30, -30, inf, -inf, nan]),
              edges("tiny", tiny, relative=True))
    halves = [-2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 3, -3, 0, inf, -inf]
    for name, function in (("floor", tf.floor), ("ceil", tf.math.ceil), ("round", tf.round)):
        # Between quarters: away from the integers, where floor jumps, and from the halves, where round does.
        quarters = [k / 2 for k in range(-6, 7)]
        yield row(name, function, *shapes(avoid=quarters), edges("halves and whole numbers", halves))

    bounds = [-0.5, 0.75]
    yield row("clip_by_value -0.5 to 0.75", lambda x: tf.clip_by_value(x, -0.5, 0.75), *shapes(avoid=bounds),
              Case("on the bounds", f64([-0.5, 0.75, 0]), differences=0), edges("special", special))
    yield row("clip_by_value", tf.clip_by_value,
              Case("rows", real(2, 3, avoid=[-0.5, 0.5, 1]), f64([-0.5, 0.5, -0.5]), f64([1, 1, 0.5])),
              Case("scalars", real(6, avoid=[-0.5, 0.5]), f64(-0.5), f64(0.5)),
              Case("int32", whole(2, 3), i32(-3), i32(4)))


def comparison():
    a = f64([[1, 2, 3], [4, 5, -6]])
    floats = Case("float", a, f64([1, 7, 3]))
    ints = Case("int32", i32([[1, 2], [3, -4]]), i32([[1], [-4]]))
    nans = Case("special", f64([nan, nan, inf, -inf, 0.0]), f64([nan, 1, inf, inf, -0.0]))
    empty = Case("empty", f64([]), f64(1))
    for name in ("equal", "not_equal", "less", "less_equal", "greater", "greater_equal"):
        yield row(name, getattr(tf, name), floats, ints, nans, empty)
    yield row("less number", lambda x: x < 2.5, Case("float", a))
    truth = Case("table", np.array([[False, False], [True, True]]), np.array([[False, True], [False, True]]))
    rows = Case("row", boolean(3, 2), boolean(2))
    none = Case("empty", boolean(0, 2), boolean(1, 2))
    yield row("logical_and", tf.logical_and, truth, rows, none)
    yield row("logical_or", tf.logical_or, truth, rows, none)
    yield row("logical_not", tf.logical_not, Case("vector", np.array([True, False])), Case("empty", boolean(0)))
    special = Case("special", f64([[nan, inf, -inf], [0, -1, 1e30]]))
    yield row("isnan", tf.math.is_nan, special, Case("empty", f64([])))
    yield row("isfinite", tf.math.is_finite, special, Case("empty", f64([])))
    yield row("where", lambda c, x, y: tf.where(c, x, y),
              Case("same shape", boolean(2, 3), real(2, 3), real(2, 3)),
              Case("row condition", boolean(3), real(2, 3), real(2, 1)),
              Case("scalars", boolean(2, 2), real(), real(1)),
              Case("int32", boolean(2, 3), whole(3), whole(2, 1)),
              Case("bool", boolean(4), boolean(4), boolean(4)),
              Case("empty", boolean(0), real(0), real()),
              Case("special", np.array([True, False]), f64([1, nan]), f64([inf, 2]), values_only=True))
    yield row("mask", lambda c, x: tf.where(c, x, tf.zeros_like(x)),
              Case("same shape", boolean(2, 3), real(2, 3)), Case("row condition", boolean(3), real(2, 3)),
              Case("broadcast x", boolean(2, 3), real(2, 1)), Case("int32", boolean(3), whole(3)),
              Case("special", np.array([False, False, True]), f64([nan, inf, 1]), values_only=True))
    numbers = Case("float", f64([-2.75, -0.5, 0, 0.5, 2.75]), values_only=True)
    integers = Case("int32", i32([-3, 0, 200]))
    truths = Case("bool", np.array([True, False]))
    yield row("cast float32", lambda x: tf.cast(x, tf.float32), numbers, integers, truths)
    yield row("cast float64", lambda x: tf.cast(x, tf.float64), Case("float", real(2, 3)), integers, truths,
              Case("empty", f64([])))
    yield row("cast int32", lambda x: tf.cast(x, tf.int32), numbers, Case("int64", i64([-3, 0, 200])), truths)
    yield row("cast int64", lambda x: tf.cast(x, tf.int64), numbers, integers, truths)
    yield row("cast bool", lambda x: tf.cast(x, tf.bool), numbers, integers, truths)
    yield row("cast there and back", lambda x: tf.cast(tf.cast(x, tf.float32), tf.float64) * x,
              Case("vector", real(4), differences=0))
    yield row("identity", tf.identity, Case("matrix", real(2, 3)), integers, truths, Case("empty", f64([])))
    # Differences see the path that stop_gradient hides.
    yield row("stop_gradient", lambda x: x * tf.stop_gradient(x), Case("vector", real(4), differences=0),
              Case("scalar", real(), differences=0))


def reductions():
    def sets(function, axis, keep, draw, extra=()):
        name = function.__name__ if not hasattr(function, "row_name") else function.row_name
        parts = [name] + ([] if axis is None else ["axis=" + ",".join(str(a) for a in np.atleast_1d(axis))])
        parts += ["keep_dims"] if keep else []
        if axis is None:
            cases = [Case("matrix", draw(3, 4)), Case("scalar", draw()), Case("empty", draw(0, 2)), Case("one", draw(1, 1))]
        elif np.ndim(axis) == 0 and -1 <= axis <= 1:
            cases = [Case("matrix", draw(3, 4)), Case("rank 3", draw(2, 3, 2)), Case("size 1", draw(1, 1)),
                     Case("nothing to reduce", draw(*((0, 2) if axis == 0 else (2, 0)))),
                     Case("no results", draw(*((2, 0) if axis == 0 else (0, 2))))]
        else:
            cases = [Case("rank 3", draw(2, 3, 2)), Case("size 1", draw(1, 2, 1)), Case("empty", draw(2, 0, 3))]
        return row(" ".join(parts), lambda x: function(x, axis=axis, keepdims=keep), *cases, *extra)

    def norm(x, axis=None, keepdims=False):
        return tf.sqrt(tf.reduce_sum(x * x, axis=axis, keepdims=keepdims))

    norm.row_name = "norm"
    all_axes = [(None, False), (None, True), (0, False), (0, True), (1, False), (1, True), (-1, False), (-1, True),
                (-3, False), (2, True), ([0, 2], False), ([0, 2], True), ([-1, 0], False), ([0, 1, 2], True), ([1, 2], False)]
    few_axes = [(None, False), (0, False), (1, True), (-1, False), ([0, 2], True), ([-1, 0], False)]

    def distinct(*shape):
        return real(*shape, distinct=True)

    def off_zero(*shape):
        return real(*shape, avoid="zero", gap=0.25)

    for function in (tf.reduce_sum, tf.reduce_mean):
        for axis, keep in all_axes:
            extra = []
            if function is tf.reduce_sum and axis in (None, 1):
                extra = [Case("int32", whole(2, 3)), Case("int64", whole(2, 3, dtype=np.int64)), Case("wide", real(2, 37))]
            yield sets(function, axis, keep, real, extra)
    for function in (tf.reduce_max, tf.reduce_min):
        for axis, keep in few_axes:
            extra = []
            if axis in (None, 1):
                extra = [Case("equal extremes", f64([[2, 2, 1], [1, 1, 1]]), differences=0), Case("int32", whole(2, 3)),
                         Case("infinite", f64([[inf, 1], [-inf, 0]]), values_only=True)]
            yield sets(function, axis, keep, distinct, extra)
    for axis, keep in few_axes:
        extra = []
        if axis in (None, 1):
            extra = [Case("a zero", f64([[0, 2, 3], [4, 5, -6]]), differences=1),
                     Case("two zeros", f64([[0, 2, 0], [4, 5, 0]]), differences=1), Case("int32", whole(2, 3))]
        yield sets(tf.reduce_prod, axis, keep, off_zero, extra)
    for axis, keep in few_axes:
        extra = []
        if axis in (None, 1):
            extra = [Case("far out", f64([[1000, 1000.5, -1000], [-1000, -1001, -1000.5]])),
                     Case("infinite", f64([[-inf, 0], [-inf, -inf]]), values_only=True)]
        yield sets(tf.reduce_logsumexp, axis, keep, real, extra)
    for axis, keep in few_axes:
        empty_norm = [Case("zero", f64([[0, 0], [0, 0]]), values_only=True)] if axis in (None, 1) else []
        yield sets(norm, axis, keep, off_zero, empty_norm)
    for function in (tf.reduce_any, tf.reduce_all):
        for axis, keep in few_axes:
            yield sets(function, axis, keep, boolean)
    for name, function, numpy in (("argmax", tf.argmax, np.argmax), ("argmin", tf.argmin, np.argmin)):
        for axis in (0, 1, -1):
            yield row(f"{name} axis={axis}", lambda x, a=axis, f=function: f(x, axis=a), Case("matrix", distinct(3, 4)),
                      Case("rank 3", distinct(2, 3, 2)), Case("first of equals", f64([[1, 3, 3], [1, 0, 0]])),
                      Case("int32", whole(3, 4)), Case("no results", f64(np.zeros((0, 2) if axis != 0 else (2, 0)))))
        yield row(name, function, Case("vector", distinct(5)), Case("matrix", distinct(3, 2)))
        yield row(f"{name} nan", lambda x, f=numpy: tf.constant(f(x.numpy(), axis=1)),
                  Case("nan is the extreme", f64([[1, nan, 3], [nan, nan, 9]])))
    for axis in (0, 1, -1):
        for exclusive in (False, True):
            for reverse in (False, True):
                name = f"cumsum axis={axis}" + (" exclusive" if exclusive else "") + (" reverse" if reverse else "")
                extra = [Case("int32", whole(2, 3)), Case("size 1", real(1, 1))] if not exclusive else []
                yield row(name, lambda x, a=axis, e=exclusive, r=reverse: tf.cumsum(x, a, e, r), Case("matrix", real(3, 4)),
                          Case("rank 3", real(2, 3, 2)), Case("empty", real(0, 3)), *extra)
    yield row("cumsum", tf.cumsum, Case("vector", real(5)), Case("matrix", real(2, 2)))


def rows():
    result = []
    for section in (arithmetic, unary, comparison, reductions):
        result.extend(section())
    for section in (op_rows_structure.shapes, op_rows_structure.layouts, op_rows_structure.products, op_rows_structure.neural):
        result.extend(section(row))
    for section in (op_rows_subjects.slicing, op_rows_subjects.sorting, op_rows_subjects.segments, op_rows_subjects.statistics,
                    op_rows_subjects.matrices, op_rows_nn.activations, op_rows_nn.normalization, op_rows_nn.losses,
                    op_rows_nn.shaped):
        result.extend(section(row))
    names = [r["name"] for r in result]
    assert len(set(names)) == len(names), "two rows of one name"
    return result
