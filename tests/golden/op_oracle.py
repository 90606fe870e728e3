"""Makes one golden case of an op: inputs, output, and the gradients of sum(output * weights), all float64.

A case's inputs are arrays, or draws whose numbers are seeded by the names of the row and the case. Drawn numbers
are multiples of 1/64, which float32 holds exactly and JSON holds shortly.
"""

import zlib

import numpy as np
import tensorflow as tf


def generator(*names):
    return np.random.default_rng(zlib.crc32("/".join(str(n) for n in names).encode()))


def real(*shape, low=-2.0, high=2.0, avoid=None, gap=0.125, distinct=False):
    """A draw of numbers in [low, high], at least `gap` from 0 (avoid="zero"), from the integers ("integers") or
    from the numbers listed; with distinct=True no two are equal."""

    def draw(rng):
        grid = np.arange(np.ceil(low * 64), np.floor(high * 64) + 1) / 64
        if avoid == "zero":
            grid = grid[np.abs(grid) >= gap]
        elif avoid == "integers":
            grid = grid[np.abs(grid - np.round(grid)) >= gap]
        elif avoid is not None:
            for kink in avoid:
                grid = grid[np.abs(grid - kink) >= gap]
        return rng.choice(grid, size=shape, replace=not distinct).astype(np.float64)

    return draw


def sparse(*shape, zeros=0.6):
    """A draw of reals of which about a part `zeros` are 0, none of the others near 0."""

    def draw(rng):
        values = real(*shape, avoid="zero", gap=0.25)(rng)
        return np.where(rng.random(shape) < zeros, 0.0, values)

    return draw


def whole(*shape, low=-9, high=9, dtype=np.int32, nonzero=False):
    def draw(rng):
        values = rng.integers(low, high + 1, size=shape)
        return np.where(values == 0, high, values).astype(dtype) if nonzero else values.astype(dtype)

    return draw


def boolean(*shape):
    return lambda rng: rng.random(shape) < 0.5


def probabilities(*shape, axis=-1):
    """A draw of non-negative multiples of 1/64 that sum to 1 along an axis."""

    def draw(rng):
        last = np.moveaxis(np.empty(shape), axis, -1).shape
        flat = [rng.multinomial(64, rng.dirichlet(np.ones(last[-1]))) / 64 for _ in range(int(np.prod(last[:-1])))]
        return np.moveaxis(np.array(flat, dtype=np.float64).reshape(last), -1, axis).copy()

    return draw


class Case:
    """`differences`: up to which order of derivative central differences agree with the gradients written (2
    unless the case sits at a kink or an op's promise ends). values_only: no gradients. relative: the numbers are
    tiny, to be compared without an absolute tolerance. dtype32: False where float32 cannot hold the case."""

    def __init__(self, name, *inputs, differences=2, values_only=False, relative=False, float32=True):
        self.name = name
        self.inputs = inputs
        self.differences = differences
        self.values_only = values_only
        self.relative = relative
        self.float32 = float32


def weights_of(row_name, case_name, shape):
    values = generator(row_name, case_name, "weights").integers(1, 9, size=shape) / 4.0
    signs = generator(row_name, case_name, "signs").choice([-1.0, 1.0], size=shape)
    return np.asarray(values * signs, dtype=np.float64)


def golden_case(row_name, function, case):
    import golden_format as fmt

    arrays = [
        np.asarray(x(generator(row_name, case.name, i)) if callable(x) else x) for i, x in enumerate(case.inputs)
    ]
    tensors = [tf.constant(a) for a in arrays]
    floating = [t for t in tensors if t.dtype == tf.float64]
    with tf.GradientTape() as tape:
        tape.watch(floating)
        y = function(*tensors)
        y = tf.convert_to_tensor(y)
        weights = weights_of(row_name, case.name, y.shape)
        loss = tf.reduce_sum(y * weights) if y.dtype == tf.float64 else None
    entry = {"case": case.name, "inputs": [fmt.tensor(a) for a in arrays], "output": fmt.tensor(y.numpy())}
    if case.relative:
        entry["relative"] = True
    if not case.float32:
        entry["float32"] = False
    if loss is None or case.values_only:
        return entry
    entry["weights"] = fmt.flat(weights)
    gradients = tape.gradient(loss, tensors, unconnected_gradients=tf.UnconnectedGradients.ZERO)
    entry["gradients"] = [
        fmt.flat(tf.convert_to_tensor(d).numpy()) if t.dtype == tf.float64 else None for t, d in zip(tensors, gradients)
    ]
    if case.differences != 2:
        entry["differences"] = case.differences
    return entry
