"""Rows of ops.json, continued: activations, normalization, losses, tensors of a shape of the run."""

import numpy as np
import tensorflow as tf

from op_oracle import Case, boolean, real, whole


def f64(values):
    return np.array(values, dtype=np.float64)


def i32(values):
    return np.array(values, dtype=np.int32)


def i64(values):
    return np.array(values, dtype=np.int64)


def activations(row):
    inf, nan = np.inf, np.nan
    off_zero = dict(avoid="zero")

    def shapes(**draw):
        return [Case("matrix", real(2, 3, **draw)), Case("odd", real(7, **draw)), Case("scalar", real(**draw)),
                Case("empty", real(2, 0, **draw))]

    huge = Case("huge", f64([-1000, -80, -40, 40, 80, 1000]), values_only=True)
    special = Case("special", f64([inf, -inf, nan, 0]), values_only=True)
    yield row("elu", tf.nn.elu, *shapes(**off_zero), huge, special, Case("at 0", f64([0, 1, -1]), differences=1))

    # tf.nn.elu has no alpha.
    def elu(x, alpha):
        return tf.where(x > 0, x, alpha * tf.math.expm1(tf.minimum(x, 0)))

    yield row("elu alpha=0.5", lambda x: elu(x, tf.constant(0.5, tf.float64)), Case("matrix", real(2, 3, **off_zero)))
    yield row("elu alpha=input", elu, Case("matrix", real(2, 3, **off_zero), f64(0.75)), Case("row", real(2, 3, **off_zero), real(3)))
    yield row("selu", tf.nn.selu, *shapes(**off_zero), huge, special)
    # The constants in tf.nn.gelu are float32.
    yield row("gelu", lambda x: 0.5 * x * tf.math.erfc(-x / tf.constant(2**0.5, tf.float64)), *shapes(),
              Case("far out", f64([-40, -4, 4, 40]), values_only=True))
    slope = tf.constant((2 / np.pi)**0.5, tf.float64)
    yield row("gelu approximate", lambda x: 0.5 * x * (1 + tf.tanh(slope * (x + tf.constant(0.044715, tf.float64) * x**3))), *shapes())
    yield row("silu", tf.nn.silu, *shapes(), huge)
    # Keras 3 has another slope than Keras of TensorFlow 1.
    yield row("hard_sigmoid", lambda x: tf.clip_by_value(0.2 * x + 0.5, 0, 1), *shapes(), Case("beyond", real(6, low=-9, high=9, avoid=[-2.5, 2.5])))
    yield row("softsign", tf.nn.softsign, *shapes(**off_zero), Case("huge", f64([1e300, -1e10, 40]), values_only=True, float32=False))


def normalization(row):
    positive = dict(low=0.25, high=3)
    # TensorFlow's epsilon is a float32.
    def batch(x, m, v, o, s):
        return tf.nn.batch_normalization(x, m, v, o, s, tf.constant(0.001, tf.float64))

    yield row("batch_normalization", batch, Case("matrix", real(4, 3), real(3), real(3, **positive), real(3), real(3)),
              Case("rank 3", real(2, 1, 2), real(2), real(2, **positive), real(2), real(2)),
              Case("no rows", real(0, 2), real(2), real(2, **positive), real(2), real(2)))

    def layer(x, offset, scale, axes):
        mean, variance = tf.nn.moments(x, axes, keepdims=True)
        return tf.nn.batch_normalization(x, mean, variance, offset, scale, tf.constant(0.001, tf.float64))

    yield row("layer_normalization", lambda x, o, s: layer(x, o, s, [-1]), Case("matrix", real(3, 4), real(4), real(4)),
              Case("rank 3", real(2, 2, 3), real(3), real(3)), Case("constant rows", f64([[2, 2], [1, 3]]), real(2), real(2), differences=1))
    yield row("layer_normalization axes=1,2", lambda x, o, s: layer(x, o, s, [1, 2]), Case("rank 3", real(2, 2, 3), real(3), real(3)))
    for axes in ([1], [0], [-1], [0, 1]):
        yield row("l2_normalize axes=" + ",".join(map(str, axes)), lambda x, a=axes: tf.nn.l2_normalize(x, a), Case("matrix", real(3, 2)),
                  Case("zeros", f64([[0, 0], [0, 0]]), values_only=True))

    def cosine(a, b, axis=-1):
        return tf.reduce_sum(tf.nn.l2_normalize(a, axis) * tf.nn.l2_normalize(b, axis), axis)

    yield row("cosine_similarity", cosine, Case("matrix", real(3, 2), real(3, 2)), Case("row", real(3, 2), real(2)), Case("vectors", real(4), real(4)),
              Case("zeros", f64([0, 0]), f64([1, 2]), values_only=True))
    yield row("cosine_similarity axis=0", lambda a, b: cosine(a, b, 0), Case("matrix", real(3, 2), real(3, 2)))


def losses(row):
    name = "sparse_softmax_cross_entropy_with_logits"
    yield row(name, lambda z, x: tf.nn.sparse_softmax_cross_entropy_with_logits(z, x), Case("matrix", i32([2, 0, 3]), real(3, 4)),
              Case("int64", i64([1, 1]), real(2, 2)), Case("vector", i32(1), real(3)), Case("rank 3", i32([[0, 2], [1, 1]]), real(2, 2, 3)),
              Case("one class", i32([0, 0]), real(2, 1)), Case("no rows", i32([]), real(0, 3)),
              Case("far out", i32([0, 2]), f64([[1000, 0, -1000], [-1000, -1000.5, -1001]]), differences=1))

    def of(losses, weights=None):
        if weights is None:
            return tf.reduce_mean(losses)
        counted = tf.reduce_sum(tf.cast(tf.broadcast_to(weights, losses.shape) != 0, tf.float64))
        return tf.math.divide_no_nan(tf.reduce_sum(losses * weights), counted)

    def log_loss(z, p, w=None, epsilon=1e-7):
        return of(-z * tf.math.log(p + epsilon) - (1 - z) * tf.math.log(1 - p + epsilon), w)

    def huber(z, p, w=None, delta=1.0):
        error = tf.abs(p - z)
        return of(tf.where(error <= delta, 0.5 * error * error, delta * error - 0.5 * delta * delta), w)

    labels, predictions = real(2, 3, low=0, high=1), real(2, 3, low=0.125, high=0.875)
    weights = [Case("matrix", labels, predictions, f64([[1, 0, 2], [0.5, 0, 0]]), differences=0), Case("column", labels, predictions, f64([[2], [0.5]])),
               Case("scalar", labels, predictions, f64(3)), Case("all 0", labels, predictions, f64(np.zeros((2, 3))), values_only=True)]
    yield row("log_loss", log_loss, Case("matrix", labels, predictions), Case("scalar", f64(1), f64(0.25)),
              Case("certain", f64([0, 1, 1]), f64([0, 1, 0]), values_only=True))
    yield row("log_loss weights", log_loss, *weights)

    def near_or_far(rng):
        return rng.choice([-3, -2.5, -1.5, -0.25, 0.25, 0.75, 2, 3], size=(2, 3)).astype(np.float64)

    yield row("huber_loss", huber, Case("matrix", f64(np.zeros((2, 3))), near_or_far), Case("scalar", f64(0.5), f64(2)),
              Case("at 0", f64([1, 2]), f64([1, 5]), differences=0))
    yield row("huber_loss weights delta=0.5", lambda z, p, w: huber(z, p, w, 0.5), Case("column", f64(np.zeros((2, 3))), near_or_far, f64([[2], [0.5]])))

    def sampled(function, num_true, **options):
        def call(weights, biases, labels, inputs, ids, true_count, sampled_count):
            return function(weights, biases, labels, inputs, num_sampled=ids.shape[0], num_classes=weights.shape[0], num_true=num_true,
                            sampled_values=(ids, true_count, sampled_count), **options)
        return call

    def cases(num_true):
        many = i64([[1, 0], [4, 1], [2, 3]])[:, :num_true]
        count = dict(low=0.125, high=1)
        return [Case("hits", real(5, 2), real(5), many, real(3, 2), i64([1, 4, 0]), real(3, num_true, **count), real(3, **count)),
                Case("none", real(6, 3), real(6), many[:2], real(2, 3), i64([5, 3]), real(2, num_true, **count), real(2, **count))]

    # Expected counts are stop_gradient's in TensorFlow; differences would see them.
    def constant_counts(case):
        return Case(case.name, *case.inputs, differences=0)

    for name, function in (("sampled_softmax_loss", tf.nn.sampled_softmax_loss), ("nce_loss", tf.nn.nce_loss)):
        for num_true in (1, 2):
            yield row(f"{name} num_true={num_true}", sampled(function, num_true), *map(constant_counts, cases(num_true)))
    yield row("sampled_softmax_loss hits stay", sampled(tf.nn.sampled_softmax_loss, 1, remove_accidental_hits=False), constant_counts(cases(1)[0]))
    yield row("nce_loss without hits", sampled(tf.nn.nce_loss, 1, remove_accidental_hits=True), constant_counts(cases(1)[0]))


def shaped(row):
    like = [Case("matrix", real(2, 3)), Case("scalar", real()), Case("empty", real(0, 2))]
    yield row("zeros of shape", lambda x: x + tf.zeros(tf.shape(x), tf.float64), *like)
    yield row("ones of shape", lambda x: x * tf.ones(tf.shape(x), tf.float64), *like)
    yield row("zeros of shape int32", lambda x: tf.zeros(2 * tf.shape(x), tf.int32), *like)
    yield row("fill of shape", lambda x, value: tf.fill(tf.shape(x), value), Case("matrix", real(2, 3), real()), Case("int32", real(3), whole()),
              Case("empty", real(0), real()))
    yield row("reshape of shape", lambda x, to: tf.reshape(x, tf.shape(to)), Case("matrix", real(2, 3), real(3, 2)), Case("empty", real(0, 3), real(2, 0)))
    yield row("broadcast_to of shape", lambda x, to: tf.broadcast_to(x, tf.shape(to)), Case("row", real(3), real(2, 3)), Case("column", real(2, 1), real(2, 3)))
    yield row("range of size", lambda x: tf.reshape(x, [-1]) * tf.cast(tf.range(tf.size(x)), tf.float64), *like)
    yield row("range of size backwards", lambda x: tf.range(2 * tf.size(x, out_type=tf.int64), -1, -3), *like)
    yield row("cond", lambda p, a, b: a if p else b, Case("true", np.array(True), real(2, 3), real(2, 3)), Case("false", np.array(False), real(2, 3), real(2, 3)))
