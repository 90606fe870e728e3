"""metrics.json: scikit-learn's metrics with and without sample weights, on draws with ties and with weights of 0.

Targets of the binary rows are -1 and 1. log_loss of scikit-learn moves probabilities of 0 and 1 inwards; there are none
here. Of the weighted rmse it takes the root of the weighted mean.
"""

import numpy as np
from sklearn import metrics

import golden_format as fmt

rng = np.random.default_rng(1905)


def regression(name, n):
    y, y_hat = rng.normal(size=n), rng.normal(size=n)
    weight = np.round(rng.random(n) * 4) / 4
    weight[0] = 1
    out = {"name": name, "y": fmt.flat(y), "y_hat": fmt.flat(y_hat), "weight": fmt.flat(weight)}
    for key, w in (("plain", None), ("weighted", weight)):
        out[key] = {"mse": fmt.number(metrics.mean_squared_error(y, y_hat, sample_weight=w)),
                    "rmse": fmt.number(metrics.root_mean_squared_error(y, y_hat, sample_weight=w)),
                    "mae": fmt.number(metrics.mean_absolute_error(y, y_hat, sample_weight=w))}
    return out


def binary(name, n, levels):
    y = np.where(rng.random(n) < 0.4, 1.0, -1.0)
    y[:2] = [1, -1]
    p = np.round(1 + (levels - 2) * rng.random(n)) / levels if levels else 0.01 + 0.98 * rng.random(n)
    weight = np.round(rng.random(n) * 4) / 4
    weight[:2] = 1
    out = {"name": name, "y": fmt.flat(y), "y_hat": fmt.flat(p), "weight": fmt.flat(weight)}
    for key, w in (("plain", None), ("weighted", weight)):
        out[key] = {"log_loss": fmt.number(metrics.log_loss(y, p, sample_weight=w)),
                    "accuracy": fmt.number(metrics.accuracy_score(y, np.where(p >= 0.5, 1, -1), sample_weight=w)),
                    "auc": fmt.number(metrics.roc_auc_score(y, p, sample_weight=w))}
    return out


def by_group(name, n, groups):
    group = rng.integers(0, groups, n)
    y = np.where(rng.random(n) < 0.5, 1.0, -1.0)
    score = np.round(rng.normal(size=n) * 4)
    areas = [metrics.roc_auc_score(y[group == g], score[group == g]) for g in range(groups)
             if len(set(y[group == g])) == 2]
    return {"name": name, "y": fmt.flat(y), "y_hat": fmt.flat(score), "group": fmt.flat(group),
            "mean_auc": fmt.number(np.mean(areas))}


def rows():
    return [regression("regression", 37), regression("one row", 1), binary("binary", 53, None),
            binary("binary with ties", 80, 8), binary("two rows", 2, None), by_group("by group", 60, 12)]
