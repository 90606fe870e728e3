"""What `fm train` makes of data with no option, beside the constant, a logistic (or ridge) regression of scikit-learn and,
where it is installed, myFM: the loss on rows that none has seen, and seconds.

usage: first_models.py [FM [CASES [ML-100K]]]

The three logs are made here, of planted effects; CASES is the folder of train200.csv ... test.csv, ML-100K that of
ua.base and ua.test. Needs numpy, scipy and scikit-learn."""

import contextlib
import csv
import io
import os
import re
import subprocess
import sys
import tempfile
import time

import numpy as np
from scipy import sparse
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.preprocessing import StandardScaler

try:
    import myfm
except ImportError:
    myfm = None

fm = sys.argv[1] if len(sys.argv) > 1 else "build/release/examples/fm"
cases = sys.argv[2] if len(sys.argv) > 2 else "../shared/cases/20-small-data-defaults"
movielens = sys.argv[3] if len(sys.argv) > 3 else "../shared/data/ml-100k"


def write(path, columns, first, last):
    with open(path, "w") as file:
        file.write(",".join(columns) + "\n")
        for row in zip(*(values[first:last] for values in columns.values())):
            file.write(",".join(str(cell) for cell in row) + "\n")


def click_log(r, n):
    """Clicks: four categories, of which two pairs interact, and two numbers, one of them skewed."""
    user, ad, site, hour = r.zipf(1.4, n) % 300, r.integers(0, 80, n), r.integers(0, 40, n), r.integers(0, 24, n)
    age, price = r.integers(18, 80, n), np.round(r.lognormal(3, 1, n), 2)
    U, A, S = r.normal(0, 0.7, (300, 3)), r.normal(0, 0.7, (80, 3)), r.normal(0, 0.7, (40, 3))
    logit = -1.2 + r.normal(0, 0.4, 300)[user] + r.normal(0, 0.5, 80)[ad] + r.normal(0, 0.4, 40)[site]
    logit += r.normal(0, 0.2, 24)[hour] + 0.02 * (age - 45) - 0.3 * (np.log(price) - 3)
    logit += 0.3 * (U[user] * A[ad]).sum(1) + 0.6 * (A[ad] * S[site]).sum(1)
    clicked = (r.random(n) < 1 / (1 + np.exp(-logit))).astype(int)
    names = {"user": [f"u{x}" for x in user], "ad": [f"a{x}" for x in ad], "site": [f"s{x}" for x in site]}
    return {**names, "hour": [f"h{x}" for x in hour], "age": age, "price": price, "clicked": clicked}


def sales_log(r, n):
    """Amounts of some millions: shops, goods, a time in seconds, a discount."""
    shop, good = r.integers(0, 60, n), r.integers(0, 120, n)
    when, discount = r.integers(1_500_000_000, 1_600_000_000, n), np.round(r.random(n) * 0.4, 3)
    z = r.normal(0, 1, 60)[shop] + r.normal(0, 1, 120)[good] + 2 * discount + r.normal(0, 0.7, n)
    z += 0.8 * (r.normal(0, 1, (60, 2))[shop] * r.normal(0, 1, (120, 2))[good]).sum(1)
    amount = np.round(3e6 + 4e5 * z)
    return {"shop": [f"s{x}" for x in shop], "good": [f"g{x}" for x in good], "when": when, "discount": discount,
            "amount": amount.astype(int)}


def churn_log(r, n):
    """Who leaves: numbers of very different size, and a plan; no interactions."""
    months, income, calls = r.integers(1, 72, n), np.round(r.lognormal(10.5, 0.5, n)), r.poisson(2, n)
    share, plan = np.round(r.random(n) * 0.01, 5), r.integers(0, 5, n)
    logit = -0.5 - 0.03 * (months - 36) - 0.5 * (np.log(income) - 10.5) + 0.3 * (calls - 2) + 60 * (share - 0.005)
    logit += r.normal(0, 0.5, 5)[plan]
    left = (r.random(n) < 1 / (1 + np.exp(-logit))).astype(int)
    return {"months": months, "income": income, "calls": calls, "share": share, "plan": [f"p{x}" for x in plan],
            "left": left}


class Encoder:
    """Categories as one-hot columns, numbers standardised, as people do for scikit-learn."""

    def __init__(self, rows):
        self.numeric = [name for name in rows[0] if name not in IDS and is_number(rows[0][name])]
        self.index = {}
        for row in rows:
            for name, cell in row.items():
                if name not in self.numeric:
                    self.index.setdefault((name, cell), len(self.index))
        self.scaler = StandardScaler().fit(self.numbers(rows)) if self.numeric else None

    def numbers(self, rows):
        return np.array([[float(row[name]) for name in self.numeric] for row in rows])

    def __call__(self, rows):
        at, column = [], []
        for i, row in enumerate(rows):
            for item in row.items():
                if item in self.index:
                    at.append(i)
                    column.append(self.index[item])
        x = sparse.csr_matrix((np.ones(len(at)), (at, column)), (len(rows), len(self.index)))
        return sparse.hstack([x, self.scaler.transform(self.numbers(rows))]).tocsr() if self.scaler else x


IDS = ("user", "item")


def is_number(cell):
    return re.fullmatch(r"-?\d+(\.\d+)?", cell) is not None


def read(path):
    with open(path) as file:
        rows = list(csv.DictReader(file))
    target = list(rows[0])[-1]
    return rows, np.array([float(row.pop(target)) for row in rows])


def loss_of(binary, y, prediction):
    if not binary:
        return np.mean((y - prediction) ** 2)
    p = np.clip(prediction, 1e-12, 1 - 1e-12)
    return -np.mean(np.where(y > 0, np.log(p), np.log(1 - p)))


def others(train, test):
    """The losses and seconds of the constant, of a regression with scikit-learn's usual settings, and of myFM."""
    rows, y = read(train)
    test_rows, test_y = read(test)
    binary = set(y) == {0.0, 1.0}
    out = [(loss_of(binary, test_y, np.full(len(test_y), y.mean())), 0)]
    encode = Encoder(rows)
    x, test_x = encode(rows), encode(test_rows)
    begin = time.time()
    if binary:
        prediction = LogisticRegression(max_iter=1000).fit(x, y).predict_proba(test_x)[:, 1]
    else:
        prediction = Ridge().fit(x, y).predict(test_x)
    out.append((loss_of(binary, test_y, prediction), time.time() - begin))
    if myfm is None:
        return out + [(np.nan, np.nan)]
    begin = time.time()
    model = (myfm.MyFMClassifier if binary else myfm.MyFMRegressor)(rank=8, random_seed=1)
    mean, deviation = (0, 1) if binary else (y.mean(), y.std())
    with contextlib.redirect_stderr(io.StringIO()):  # a bar
        model.fit(x, y.astype(int) if binary else (y - mean) / deviation, n_iter=200, n_kept_samples=150)
    prediction = model.predict_proba(test_x) if binary else mean + deviation * model.predict(test_x)
    return out + [(loss_of(binary, test_y, prediction), time.time() - begin)]


def of_fm(train, test):
    begin = time.time()
    done = subprocess.run([fm, "train", train, "--test", test], capture_output=True, text=True)
    seconds = time.time() - begin
    found = re.search(r"^test: .*?: (?:mse|log loss) (\S+)", done.stdout, re.M)
    if not found:
        print(done.stdout, done.stderr, file=sys.stderr)
    return float(found[1]) if found else np.nan, seconds


def movielens_tables(folder, to):
    """ua.base and ua.test as tables for the others; `fm` reads them as they are."""
    for part in ("base", "test"):
        with open(f"{folder}/ua.{part}") as lines, open(f"{to}/{part}.csv", "w") as out:
            out.write("user,item,rating\n")
            out.writelines(",".join(line.split("\t")[:3]) + "\n" for line in lines)


with tempfile.TemporaryDirectory() as folder:
    sets = []
    logs = (("clicks 10,000", click_log, 10_000), ("sales 6,000", sales_log, 6_000), ("churn 2,000", churn_log, 2_000))
    for name, make, n in logs:
        columns = make(np.random.default_rng(7), n + 10_000)
        file = f"{folder}/{name.split()[0]}"
        write(file + ".csv", columns, 0, n)
        write(file + "_test.csv", columns, n, n + 10_000)
        sets.append((name, file + ".csv", file + "_test.csv"))
    if os.path.isdir(cases):
        for n in (200, 500, 1000, 2000, 10000):
            sets.append((f"shops {n:,}", f"{cases}/train{n}.csv", f"{cases}/test.csv"))
    if os.path.isdir(movielens):
        movielens_tables(movielens, folder)
        sets.append(("MovieLens-100k", f"{folder}/base.csv", f"{folder}/test.csv"))
    print("| rows to learn from | constant | regression | myFM | fm, no option |")
    print("|---|---|---|---|---|")
    for name, train, test in sets:
        cells = [f"{loss:.4g}" + (f" ({seconds:.1f} s)" if seconds else "")
                 for loss, seconds in others(train, test) + [of_fm(train, test)]]
        print(f"| {name} | {' | '.join(cells)} |", flush=True)
