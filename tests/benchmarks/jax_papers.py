"""The eight formulas of gradus_bench's rows "paper ..." in JAX: the same sizes, batches by the same laws, optimizers.

Each is written as one would in JAX: one jitted step whose state is donated, gradients by jax.value_and_grad, look-ups by
indexing, the text's csr product by look-ups too, since its rows are equally long. One thread. Medians of bursts.

  python3 jax_papers.py [--json FILE] [--beside GRADUS.json] [--only FORMULA] [--rounds N] [--burst SECONDS]

--beside prints Gradus' figures too, from a file that gradus_bench --benchmark_out wrote. Exits 77 where JAX is not
there, and says so.
"""

import argparse
import json
import os
import statistics
import sys
import time

os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
os.environ["JAX_PLATFORMS"] = "cpu"

try:
    import jax
    import jax.numpy as jnp
    import numpy as np
except ImportError as error:
    print(f"skipped: JAX is not there ({error})")
    sys.exit(77)

tree_map = jax.tree_util.tree_map


def sgd(rate):
    return lambda p: (), lambda p, s, g: (tree_map(lambda p, g: p - rate * g, p, g), s)


def adagrad(rate):
    def update(p, s, g):
        s = tree_map(lambda s, g: s + g * g, s, g)
        return tree_map(lambda p, s, g: p - rate * g / jnp.sqrt(s), p, s, g), s
    return lambda p: tree_map(lambda p: jnp.full_like(p, 0.1), p), update


def adam(rate):
    def start(p):
        return jnp.zeros((), jnp.int32), tree_map(jnp.zeros_like, p), tree_map(jnp.zeros_like, p)

    def update(p, state, g):
        t, m, v = state
        t = t + 1
        m = tree_map(lambda m, g: 0.9 * m + 0.1 * g, m, g)
        v = tree_map(lambda v, g: 0.999 * v + 0.001 * g * g, v, g)
        at = t.astype(jnp.float32)
        rated = rate * jnp.sqrt(1 - 0.999 ** at) / (1 - 0.9 ** at)
        return tree_map(lambda p, m, v: p - rated * m / (jnp.sqrt(v) + 1e-8), p, m, v), (t, m, v)
    return start, update


def normal(shape, stddev=1.0, mean=0.0, seed=1):
    return (mean + stddev * np.random.default_rng(seed).normal(size=shape)).astype(np.float32)


def zipf(count, size, random):
    """Numbers below `size` by the law of data.cpp."""
    exponent = 1.05
    span = (size + 1.0) ** (1 - exponent) - 1
    rank = (1 + span * random.random(count)) ** (1 / (1 - exponent)) - 1
    return np.clip(rank.astype(np.int64), 0, size - 1) * 2147483647 % size


def factors(optimizer):
    """Koren, Bell, Volinsky (2009), equation 5."""
    users, items, k, n, batches = 6040, 3706, 32, 1024, 64
    random = np.random.default_rng(1)
    user = zipf(batches * n, users, random).reshape(batches, n).astype(np.int32)
    item = zipf(batches * n, items, random).reshape(batches, n).astype(np.int32)
    stars = random.integers(1, 6, (batches, n)).astype(np.float32)

    def loss(parameters, user, item, r):
        P, Q, of_users, of_items = parameters
        p, q, b, c = P[user], Q[item], of_users[user], of_items[item]
        r_hat = 3.58 + b + c + (p * q).sum(1)
        return jnp.mean((r - r_hat) ** 2 + 0.02 * ((p * p).sum(1) + (q * q).sum(1) + b * b + c * c))

    parameters = [normal((users, k), 0.1), normal((items, k), 0.1), np.zeros(users, np.float32),
                  np.zeros(items, np.float32)]
    return loss, parameters, optimizer, list(zip(user, item, stars))


def fields_data(fields, features, binary):
    n, batches, field = 1024, 64, features // fields
    random = np.random.default_rng(1)
    columns = np.stack([f * field + zipf(batches * n, field, random) for f in range(fields)], 1)
    y = random.normal(size=(batches, n, 1))
    y = np.where(y > 0.7, 1, -1) if binary else y
    return list(zip(columns.reshape(batches, n, fields).astype(np.int32), y.astype(np.float32)))


def field_weighted():
    """Pan et al. (2018)."""
    fields, features, k = 39, 1000000, 16
    above = np.triu(np.ones((fields, fields), np.float32), 1)

    def loss(parameters, X, y):
        w0, W, V, R = parameters
        v = V[X]
        dots = v @ v.transpose(0, 2, 1)
        interactions = (dots * (R * above)).sum((1, 2))[:, None]
        y_hat = w0 + W[X].sum(1, keepdims=True) + interactions
        return jnp.mean(jax.nn.softplus(-y * y_hat))

    parameters = [np.zeros(1, np.float32), np.zeros(features, np.float32), normal((features, k), 0.05),
                  normal((fields, fields), 0.1, 0.5)]
    return loss, parameters, adagrad(0.1), fields_data(fields, features, True)


def attentional():
    """Xiao et al. (2017)."""
    fields, features, k, attention = 10, 5380, 16, 16
    left, right = np.triu_indices(fields, 1)

    def loss(parameters, X, y):
        w0, W, V, A, b, h, p = parameters
        v = V[X]
        pairs = v[:, left] * v[:, right]
        scores = (h * jax.nn.relu(pairs @ A + b)).sum(2)
        pooled = (jax.nn.softmax(scores, 1)[:, :, None] * pairs).sum(1)
        y_hat = w0 + W[X].sum(1, keepdims=True) + pooled @ p
        return jnp.mean((y - y_hat) ** 2)

    parameters = [np.zeros(1, np.float32), np.zeros(features, np.float32), normal((features, k), 0.3),
                  normal((k, attention), 0.3), np.zeros(attention, np.float32), normal(attention, 0.3),
                  normal((k, 1), 0.3)]
    return loss, parameters, adagrad(0.1), fields_data(fields, features, False)


def softmax_text():
    """Boehning (1992), section 1."""
    n, features, classes, words = 20000, 50000, 20, 100
    random = np.random.default_rng(1)
    columns = zipf(n * words, features, random).reshape(n, words).astype(np.int32)
    values = random.uniform(0.02, 0.2, (n, words)).astype(np.float32)
    labels = np.eye(classes, dtype=np.float32)[random.integers(0, classes, n)]

    def loss(parameters, columns, values, labels):
        W, b = parameters
        logits = jnp.einsum("nw,nwc->nc", values, W[columns]) + b
        return -jnp.mean((labels * jax.nn.log_softmax(logits)).sum(1))

    parameters = [np.zeros((features, classes), np.float32), np.zeros(classes, np.float32)]
    return loss, parameters, sgd(5.0), [(columns, values, labels)]


def mixture():
    """Bishop (2006), equation 9.14, with diagonal covariances."""
    n, components, dims = 10000, 16, 8
    x = normal((n, dims), seed=3) + normal((components, dims), 2.0, seed=2)[np.arange(n) % components]

    def loss(parameters, X):
        logits, mu, s = parameters
        z = (X[:, None] - mu) / jnp.exp(s)
        log_density = -(0.5 * z * z + s + 0.5 * np.log(2 * np.pi)).sum(2)
        return -jnp.mean(jax.nn.logsumexp(jax.nn.log_softmax(logits) + log_density, 1))

    parameters = [np.zeros(components, np.float32), normal((components, dims)), np.zeros((components, dims), np.float32)]
    return loss, parameters, adam(0.01), [(x,)]


def gelu_layers():
    """Hendrycks, Gimpel (2016); Ba, Kiros, Hinton (2016)."""
    n, width, classes, layers = 128, 256, 10, 3
    random = np.random.default_rng(1)
    labels = np.eye(classes, dtype=np.float32)[random.integers(0, classes, n)]

    def loss(parameters, X, Y):
        h = X
        for W, b, scale, shift in parameters[:-1]:
            a = h @ W + b
            centred = a - a.mean(1, keepdims=True)
            z = centred / jnp.sqrt((centred * centred).mean(1, keepdims=True) + 1e-5) * scale + shift
            h = 0.5 * z * (1 + jnp.tanh(np.sqrt(2 / np.pi) * (z + 0.044715 * z ** 3)))
        W, b = parameters[-1]
        return -jnp.mean((Y * jax.nn.log_softmax(h @ W + b)).sum(1))

    parameters = [(normal((width, width), 0.06), np.zeros(width, np.float32), np.ones(width, np.float32),
                   np.zeros(width, np.float32)) for _ in range(layers)]
    parameters.append((normal((width, classes), 0.06), np.zeros(classes, np.float32)))
    return loss, parameters, adam(0.001), [(normal((n, width), seed=2), labels)]


def rational():
    """No gradient: the sum alone."""
    a, b, c = (np.random.default_rng(seed).uniform(-1, 1, (4000, 1000)).astype(np.float32) for seed in (1, 2, 3))

    def value(a, b, c):
        u = (a * b + c) / (1 + a * a)
        v = u * u * u - 3 * u * b + c * c
        return (v / jnp.sqrt(1 + v * v) * a - b * u / 2).sum()

    return value, None, None, [(a, b, c)]


FORMULAS = {"mf sgd": lambda: factors(sgd(4.0)), "mf adam": lambda: factors(adam(0.01)), "fwfm": field_weighted,
            "afm": attentional, "softmax csr": softmax_text, "mixture": mixture, "gelu layers": gelu_layers,
            "rational": rational}


def stepper(formula):
    """A function that makes so many steps and waits for the last."""
    loss, parameters, optimizer, batches = formula()
    batches = [tuple(jnp.asarray(part) for part in batch) for batch in batches]
    turn = 0
    if parameters is None:
        value = jax.jit(loss)

        def steps(count):
            for _ in range(count):
                value(*batches[0]).block_until_ready()
        return steps
    start, update = optimizer

    def one(state, batch):
        parameters, slots = state
        value, gradients = jax.value_and_grad(loss)(parameters, *batch)
        return update(parameters, slots, gradients), value

    step = jax.jit(one, donate_argnums=0)
    parameters = tree_map(jnp.asarray, parameters)
    state = (parameters, start(parameters))

    def steps(count):
        nonlocal state, turn
        for _ in range(count):
            state, value = step(state, batches[turn % len(batches)])
            turn += 1
        value.block_until_ready()
    return steps


def seconds(steps, options):
    def burst(count):
        start = time.perf_counter()
        steps(count)
        return time.perf_counter() - start

    burst(3)
    count = 1
    while (took := burst(count)) < options.burst / 2:
        count *= 2
    count = max(1, int(options.burst / took * count))
    return statistics.median(burst(count) for _ in range(options.rounds)) / count


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--json")
    parser.add_argument("--beside")
    parser.add_argument("--only", choices=FORMULAS)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--burst", type=float, default=0.1)
    options = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    gradus = {}
    if options.beside:
        with open(options.beside, encoding="utf-8") as file:
            gradus = {r["name"].split("/")[0]: r for r in json.load(file)["benchmarks"]}
    rows = []
    print(f"JAX {jax.__version__}\n{'a step of':<14}{'JAX':>12}" + (f"{'Gradus':>12}{'as fast':>10}" if gradus else ""))
    for name, formula in FORMULAS.items():
        if options.only not in (None, name):
            continue
        took = seconds(stepper(formula), options)
        rows.append({"work": name, "seconds": took})
        ours = gradus.get(f"paper {name}", {}).get("gradus_s")
        print(f"{name:<14}{1e6 * took:>9.1f} us" + (f"{1e6 * ours:>9.1f} us{took / ours:>9.2f}x" if ours else ""),
              flush=True)
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump({"jax": jax.__version__, "rows": rows}, file, indent=2)


if __name__ == "__main__":
    main()
