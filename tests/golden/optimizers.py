"""The rows of optimizers.json: ten steps of each optimizer in float64, the variables after each step.

Dense problem: loss = sum((A w - b)^2) + sum((w2 c - d)^2) with w [4], w2 [3, 2]: a vector and a matrix at once.
Sparse problem: loss_t = sum((gather(table, rows_t) - target)^2) with table [5, 2]; rows_t has repeats, and row 4 is
never touched.

Dense steps are TensorFlow's tf.compat.v1.train optimizers (TF1's formulas and defaults), hyperparameters given as
float64 tensors (a Python number would pass through float32). TF1 has no AdamW; here it is TF1's Adam step and decoupled
decay, both from the old w (Loshchilov and Hutter 2019, with the schedule multiplier equal to the learning rate):
    w' = w - learning_rate * sqrt(1 - beta2^t) / (1 - beta1^t) * m / (sqrt(v) + epsilon) - learning_rate * weight_decay * w.
Every formula is here in NumPy as well, and must agree with TensorFlow. Sparse steps apply the dense formula, slots
included, to the rows touched alone, t counting all steps; for GradientDescent, Momentum, Adagrad, Adadelta, RMSProp and
Ftrl that is TensorFlow's own sparse step, and the two must agree. TensorFlow's sparse Adam decays the moments of all rows:
the lazy Adam and AdamW here are NumPy's word.

Ftrl is TF1's (McMahan 2013, without shrinkage), learning_rate_power -0.5, with n the sum of squared gradients:
    n' = n + g^2;  z' = z + g - (sqrt(n') - sqrt(n)) / lr * w;
    w' = (sign(z') l1 - z') / (sqrt(n') / lr + 2 l2) where |z'| > l1, else 0.
"""

import numpy as np
import tensorflow as tf

import golden_format as fmt

v1 = tf.compat.v1.train
steps = 10


# One function per optimizer: (w, g, slots, options, step from 1) -> new w; slots change in place.
def gradient_descent(w, g, slots, o, step):
    return w - o["learning_rate"] * g


def momentum(w, g, slots, o, step):
    m = slots["momentum"] = o["momentum"] * slots["momentum"] + g
    return w - o["learning_rate"] * (g + o["momentum"] * m if o.get("use_nesterov") else m)


def adagrad(w, g, slots, o, step):
    n = slots["accumulator"] = slots["accumulator"] + g * g
    return w - o["learning_rate"] * g / np.sqrt(n)


def adadelta(w, g, slots, o, step):
    rho, epsilon = o["rho"], o["epsilon"]
    n = slots["accum"] = rho * slots["accum"] + (1 - rho) * g * g
    update = np.sqrt(slots["accum_update"] + epsilon) / np.sqrt(n + epsilon) * g
    slots["accum_update"] = rho * slots["accum_update"] + (1 - rho) * update * update
    return w - o["learning_rate"] * update


def rmsprop(w, g, slots, o, step):
    decay = o["decay"]
    r = slots["rms"] = decay * slots["rms"] + (1 - decay) * g * g
    if o.get("centered"):
        mean = slots["mg"] = decay * slots["mg"] + (1 - decay) * g
        r = r - mean * mean
    m = slots["momentum"] = o["momentum"] * slots["momentum"] + o["learning_rate"] * g / np.sqrt(r + o["epsilon"])
    return w - m


def adam(w, g, slots, o, step):
    b1, b2 = o["beta1"], o["beta2"]
    m = slots["m"] = b1 * slots["m"] + (1 - b1) * g
    v = slots["v"] = b2 * slots["v"] + (1 - b2) * g * g
    rate = o["learning_rate"] * np.sqrt(1 - b2**step) / (1 - b1**step)
    return w - rate * m / (np.sqrt(v) + o["epsilon"])


def adamw(w, g, slots, o, step):
    return adam(w, g, slots, o, step) - o["learning_rate"] * o["weight_decay"] * w


def ftrl(w, g, slots, o, step):
    before, lr = slots["accumulator"], o["learning_rate"]
    n = slots["accumulator"] = before + g * g
    z = slots["linear"] = slots["linear"] + g - (np.sqrt(n) - np.sqrt(before)) / lr * w
    l1, l2 = o["l1_regularization_strength"], o["l2_regularization_strength"]
    return np.where(np.abs(z) > l1, (np.sign(z) * l1 - z) / (np.sqrt(n) / lr + 2 * l2), 0.0)


# Slots start at these values (TF1's; RMSProp's mean square starts at 1).
formulas = {
    "GradientDescent": (gradient_descent, v1.GradientDescentOptimizer, {}),
    "Momentum": (momentum, v1.MomentumOptimizer, {"momentum": 0}),
    "Adagrad": (adagrad, v1.AdagradOptimizer, {"accumulator": "initial_accumulator_value"}),
    "Adadelta": (adadelta, v1.AdadeltaOptimizer, {"accum": 0, "accum_update": 0}),
    "RMSProp": (rmsprop, v1.RMSPropOptimizer, {"rms": 1, "mg": 0, "momentum": 0}),
    "Adam": (adam, v1.AdamOptimizer, {"m": 0, "v": 0}),
    "AdamW": (adamw, None, {"m": 0, "v": 0}),
    "Ftrl": (ftrl, v1.FtrlOptimizer, {"accumulator": "initial_accumulator_value", "linear": 0}),
}

rms = {"decay": 0.9, "momentum": 0.0, "epsilon": 1e-10}
adam_defaults = {"beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8}
ftrl_defaults = {"initial_accumulator_value": 0.1, "l1_regularization_strength": 0.0, "l2_regularization_strength": 0.0}
runs = [
    ("gradient descent", "GradientDescent", {"learning_rate": 0.02}),
    ("momentum", "Momentum", {"learning_rate": 0.01, "momentum": 0.9}),
    ("momentum nesterov", "Momentum", {"learning_rate": 0.01, "momentum": 0.9, "use_nesterov": True}),
    ("adagrad", "Adagrad", {"learning_rate": 0.1, "initial_accumulator_value": 0.1}),
    ("adagrad from 1", "Adagrad", {"learning_rate": 0.5, "initial_accumulator_value": 1.0}),
    ("adadelta defaults", "Adadelta", {"learning_rate": 0.001, "rho": 0.95, "epsilon": 1e-8}),
    ("adadelta", "Adadelta", {"learning_rate": 1.0, "rho": 0.9, "epsilon": 1e-3}),
    ("rmsprop", "RMSProp", {"learning_rate": 0.05, **rms}),
    ("rmsprop momentum", "RMSProp", {"learning_rate": 0.05, **rms, "momentum": 0.5, "epsilon": 1e-3}),
    ("rmsprop centered", "RMSProp", {"learning_rate": 0.05, **rms, "centered": True}),
    ("rmsprop centered momentum", "RMSProp", {"learning_rate": 0.05, **rms, "momentum": 0.5, "centered": True}),
    ("adam defaults", "Adam", {"learning_rate": 0.001, **adam_defaults}),
    ("adam", "Adam", {"learning_rate": 0.1, "beta1": 0.8, "beta2": 0.9, "epsilon": 1e-3}),
    ("adamw", "AdamW", {"learning_rate": 0.1, **adam_defaults, "weight_decay": 0.004}),
    ("adamw strong decay", "AdamW", {"learning_rate": 0.05, **adam_defaults, "weight_decay": 0.5}),
    ("ftrl defaults", "Ftrl", {"learning_rate": 0.1, **ftrl_defaults}),
    ("ftrl l1 l2", "Ftrl", {"learning_rate": 0.1, **ftrl_defaults, "l1_regularization_strength": 2.0,
                            "l2_regularization_strength": 0.5}),
]

rng = np.random.default_rng(20171)
eighths = lambda *shape: rng.integers(-12, 13, size=shape) / 8.0  # noqa: E731
dense_problem = {"A": eighths(5, 4), "b": eighths(5), "c": eighths(2, 2), "d": eighths(3, 2),
                 "w": eighths(4), "w2": eighths(3, 2)}
sparse_problem = {"table": eighths(5, 2), "target": eighths(3, 2),
                  "rows": np.array([[0, 2, 2], [1, 1, 1], [3, 0, 2], [0, 1, 3], [2, 2, 0],
                                    [1, 3, 3], [0, 0, 2], [3, 2, 1], [1, 0, 1], [2, 3, 0]], dtype=np.int32)}


def dense_gradients(w, w2):
    p = dense_problem
    return [2 * p["A"].T @ (p["A"] @ w - p["b"]), 2 * (w2 @ p["c"] - p["d"]) @ p["c"].T]


def slots_like(w, start, options):
    return {name: np.full_like(w, options[value] if isinstance(value, str) else value) for name, value in start.items()}


def numpy_dense(formula, start, options):
    values = [dense_problem["w"], dense_problem["w2"]]
    slots = [slots_like(w, start, options) for w in values]
    history = []
    for step in range(1, steps + 1):
        values = [formula(w, g, s, options, step) for w, g, s in zip(values, dense_gradients(*values), slots)]
        history.append(values)
    return history


def numpy_sparse(formula, start, options):
    table = sparse_problem["table"].copy()
    slots = slots_like(table, start, options)
    history = []
    for step in range(1, steps + 1):
        rows = sparse_problem["rows"][step - 1]
        g = np.zeros_like(table)
        np.add.at(g, rows, 2 * (table[rows] - sparse_problem["target"]))
        touched = np.unique(rows)
        part = {name: slot[touched] for name, slot in slots.items()}
        table[touched] = formula(table[touched], g[touched], part, options, step)
        for name in slots:
            slots[name][touched] = part[name]
        history.append(table.copy())
    return history


def tensorflow_optimizer(optimizer, options):
    plain = {"use_nesterov", "centered", "initial_accumulator_value"}
    return optimizer(**{k: v if k in plain else tf.constant(v, tf.float64) for k, v in options.items()})


def tensorflow_dense(optimizer, options):
    p = {name: tf.constant(value) for name, value in dense_problem.items()}
    w, w2 = tf.Variable(p["w"]), tf.Variable(p["w2"])
    step = tensorflow_optimizer(optimizer, options)
    history = []
    for _ in range(steps):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum((tf.linalg.matvec(p["A"], w) - p["b"]) ** 2) + tf.reduce_sum((w2 @ p["c"] - p["d"]) ** 2)
        step.apply_gradients(zip(tape.gradient(loss, [w, w2]), [w, w2]))
        history.append([w.numpy(), w2.numpy()])
    return history


def tensorflow_sparse(optimizer, options):
    table = tf.Variable(sparse_problem["table"])
    step = tensorflow_optimizer(optimizer, options)
    history = []
    for rows in sparse_problem["rows"]:
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum((tf.gather(table, rows) - sparse_problem["target"]) ** 2)
        gradient = tape.gradient(loss, table)
        assert isinstance(gradient, tf.IndexedSlices)
        step.apply_gradients([(gradient, table)])
        history.append(table.numpy())
    return history


def agree(a, b):
    return all(np.allclose(x, y, rtol=1e-11, atol=1e-13) for x, y in zip(a, b))


def rows():
    yield_rows = [{"problem": "dense", **{k: fmt.tensor(v) for k, v in dense_problem.items()}},
                  {"problem": "sparse", **{k: fmt.tensor(v) for k, v in sparse_problem.items()}}]
    for name, kind, options in runs:
        formula, optimizer, start = formulas[kind]
        dense, sparse = numpy_dense(formula, start, options), numpy_sparse(formula, start, options)
        if optimizer is not None:
            theirs = tensorflow_dense(optimizer, options)
            for ours, step in zip(dense, theirs):
                assert agree(ours, step), (name, ours, step)
            dense = theirs
        # TF's sparse centered RMSProp agrees too; TF's sparse Adam moves all rows that ever had a gradient.
        if kind not in ("Adam", "AdamW"):
            theirs = tensorflow_sparse(optimizer, options)
            assert agree(sparse, theirs), (name, sparse, theirs)
            sparse = theirs
        yield_rows.append({"name": name, "optimizer": kind, "options": options,
                           "cases": [{"problem": "dense", "w": [fmt.flat(w) for w, _ in dense], "w2": [fmt.flat(w2) for _, w2 in dense]},
                                     {"problem": "sparse", "table": [fmt.flat(t) for t in sparse]}]})
    return yield_rows
