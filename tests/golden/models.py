"""models.json: what the models answer, by their definitions: sums over all pairs (triples, ...) of features and a loop
over rows, in NumPy float64. None of the rearrangements that the library computes by is used here.

X has a row of zeros, a row without zeros, negative numbers and rows in which two features are of one field.
"""

from itertools import combinations

import numpy as np

import golden_format as fmt

rng = np.random.default_rng(2016)
n, p, k, fields = 6, 7, 3, 3
field_of = np.array([0, 0, 1, 2, 1, 2, 0])
some_without = np.array([0, -1, 1, -1, 1, 2, 0])


def sixteenths(*shape):
    return rng.integers(-16, 17, size=shape) / 16.0


X = sixteenths(n, p) * (rng.random((n, p)) < 0.5)
X[1] = 0
X[4] = 1
X[5] = [0, 0, 1.5, 0, 0, 0, 0]


def linear(x, w0, W):
    return w0[0] + sum(W[i] * x[i] for i in range(p))


def anova(x, V, order):
    """The sum over factors of the ANOVA kernel of one order."""
    total = 0.0
    for chosen in combinations(range(p), order):
        for f in range(V.shape[1]):
            total += np.prod([V[i, f] * x[i] for i in chosen])
    return total


def field_aware(x, V, field):
    total = 0.0
    for i, j in combinations(range(p), 2):
        if field[i] < 0 or field[j] < 0:
            continue
        v_i = V[i, field[j] * k:(field[j] + 1) * k]
        v_j = V[j, field[i] * k:(field[i] + 1) * k]
        total += np.dot(v_i, v_j) * x[i] * x[j]
    return total


def network(x, V, field, layers):
    e = [sum((V[i] * x[i] for i in range(p) if field[i] == f), np.zeros(k)) for f in range(fields)]
    h = np.concatenate(e)
    for weights, bias in layers[:-1]:
        h = np.maximum(h @ weights + bias, 0)
    return float((h @ layers[-1][0])[0])


def row(name, parameters, answer, **more):
    y_hat = np.array([[answer(x)] for x in X])
    return {"name": name, "parameters": [fmt.tensor(v) for v in parameters], "y_hat": fmt.tensor(y_hat), **more}


def rows():
    w0, W = sixteenths(1), sixteenths(p)
    out = [{"name": "X", "X": fmt.tensor(X)}]
    out.append(row("linear", [w0, W], lambda x: linear(x, w0, W)))
    for order in (2, 3, 4, 5):
        V = sixteenths(p, k)
        out.append(row("higher-order shared", [w0, W, V],
                       lambda x, V=V, order=order: linear(x, w0, W) + sum(anova(x, V, m) for m in range(2, order + 1)),
                       order=order))
        Vs = [sixteenths(p, k) for _ in range(2, order + 1)]
        out.append(row("higher-order", [w0, W, *Vs],
                       lambda x, Vs=Vs: linear(x, w0, W) + sum(anova(x, V, m + 2) for m, V in enumerate(Vs)),
                       order=order))
    for field in (field_of, some_without):
        V = sixteenths(p, fields * k)
        out.append(row("field-aware", [w0, W, V],
                       lambda x, V=V, field=field: linear(x, w0, W) + field_aware(x, V, field), field_of=field.tolist()))
        for hidden in ([4, 2], []):
            V = sixteenths(p, k)
            widths = [fields * k, *hidden, 1]
            layers = [(sixteenths(a, b), sixteenths(b)) for a, b in zip(widths, widths[1:])]
            parameters = [w0, W, V, *(w for w, _ in layers), *(b for _, b in layers[:-1])]
            out.append(row("deep", parameters,
                           lambda x, V=V, field=field, layers=layers:
                           linear(x, w0, W) + anova(x, V, 2) + network(x, V, field, layers),
                           field_of=field.tolist(), hidden=hidden))
    return out
