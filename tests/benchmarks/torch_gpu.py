"""The steps of gradus_gpu_bench in PyTorch: the toy, MovieLens-100k as csr and dense, rows in the manner of Criteo's.

The same formulas, sizes, data and optimizers, written as one would in PyTorch: autograd, torch.optim, csr products by
torch.sparse, and for Criteo's rows an embedding with sparse gradients. The toy's step is timed eagerly, through
torch.compile, and on a GPU as one CUDA graph. Medians of bursts, by CUDA events and by the host's clock, as there.

  python3 torch_gpu.py [--device cuda|cpu] [--json FILE] [--beside GRADUS.json] [--only WORK]
                       [--examples N] [--features N] [--rounds N] [--burst SECONDS] [--compile]

--beside prints the table with Gradus' figures, from the file that gradus_gpu_bench --json wrote. Exits 77 where PyTorch
or the device is not there, and says so.
"""

import argparse
import json
import os
import statistics
import sys
import time

try:
    import numpy as np
    import torch
except ImportError as error:
    print(f"skipped: PyTorch is not there ({error})")
    sys.exit(77)


def burst(step, count, device):
    """(device, host) seconds of so many steps; on the CPU both are the host's."""
    on_gpu = device.type == "cuda"
    if on_gpu:
        first, last = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        first.record()
    start = time.perf_counter()
    for _ in range(count):
        step()
    if on_gpu:
        last.record()
        torch.cuda.synchronize()
    host = time.perf_counter() - start
    return (first.elapsed_time(last) / 1e3 if on_gpu else host), host


def timed(step, options):
    for _ in range(3):
        burst(step, 1, options.device)
    count = 1
    while True:
        host = burst(step, count, options.device)[1]
        if host >= options.burst / 2:
            count = max(1, int(options.burst / host * count))
            break
        count *= 2
    rounds = [burst(step, count, options.device) for _ in range(options.rounds)]
    return [statistics.median(r[i] for r in rounds) / count for i in range(2)]


def row(work, how, step, examples, options):
    device_s, host_s = timed(step, options)
    return {"work": work, "how": how, "device_s": device_s, "host_s": host_s, "examples": examples,
            "examples_per_s": examples / host_s}


class Machine:
    """The article's factorization machine. V is [k, p] beside a dense X, [p, k] beside a csr one."""

    def __init__(self, X, y, k, l2, device):
        p = X.shape[1]
        self.X, self.y, self.l2 = X, y, l2
        self.sparse = X.layout == torch.sparse_csr
        shape = (p, k) if self.sparse else (k, p)
        self.w0 = torch.zeros(1, device=device, requires_grad=True)
        self.W = torch.zeros(p, device=device, requires_grad=True)
        self.V = torch.nn.Parameter(0.01 * torch.randn(shape, device=device))
        self.parameters = [self.w0, self.W, self.V]
        if self.sparse:  # squared once: nothing in the graph would do it again
            self.X2 = torch.sparse_csr_tensor(X.crow_indices(), X.col_indices(), X.values() ** 2, X.shape)

    def loss(self):
        if self.sparse:
            linear = self.w0 + self.X @ self.W[:, None]
            pairs = (self.X @ self.V) ** 2 - self.X2 @ self.V ** 2
        else:
            linear = self.w0 + (self.W * self.X).sum(1, keepdim=True)
            pairs = (self.X @ self.V.T) ** 2 - self.X ** 2 @ (self.V ** 2).T
        loss = ((self.y - (linear + 0.5 * pairs.sum(1, keepdim=True))) ** 2).mean()
        return loss + (self.l2 * self.W ** 2 + self.l2 * self.V ** 2).sum() if self.l2 else loss


def stepping(loss, optimizer):
    def step():
        optimizer.zero_grad(set_to_none=True)
        loss().backward()
        optimizer.step()
    return step


class Adagrad:
    """Adagrad in tensors alone: torch.optim's counts its steps on the host, which no CUDA graph may."""

    def __init__(self, parameters, rate):
        self.parameters, self.rate = parameters, rate
        self.sums = [torch.full_like(p, 0.1) for p in parameters]

    def zero_grad(self, set_to_none):
        for p in self.parameters:
            p.grad = None

    @torch.no_grad()
    def step(self):
        for p, s in zip(self.parameters, self.sums):
            s.addcmul_(p.grad, p.grad)
            p.addcdiv_(p.grad, s.sqrt(), value=-self.rate)


def captured(step):
    """The step as one CUDA graph, after some on a stream of their own, as PyTorch asks."""
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):
            step()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step()
    return graph.replay


def toy(options):
    golden = os.path.join(os.path.dirname(__file__), "..", "golden", "article.json")
    with open(golden, encoding="utf-8") as file:
        article = json.load(file)[0]
    X, y = (torch.tensor(article[name]["values"], dtype=torch.float32, device=options.device)
            .reshape(article[name]["shape"]) for name in ("X", "y"))

    def machine():
        return Machine(X, y, 5, 0.001, options.device)

    m = machine()
    optimizer = torch.optim.Adagrad(m.parameters, lr=0.1, initial_accumulator_value=0.1)
    yield row("toy", "eager", stepping(m.loss, optimizer), len(y), options)
    if options.compile:
        m = machine()
        optimizer = torch.optim.Adagrad(m.parameters, lr=0.1, initial_accumulator_value=0.1)
        yield row("toy", "compiled", stepping(torch.compile(m.loss), optimizer), len(y), options)
    if options.device.type == "cuda":
        m = machine()
        step = captured(stepping(m.loss, Adagrad(m.parameters, 0.1)))
        yield row("toy", "CUDA graph", step, len(y), options)


def movielens(options):
    """Columns [n, 2] of users and items, ratings [n], and the number of features; None without the data."""
    path = os.path.join(os.environ.get("GRADUS_DATA", "../shared/data"), "ml-100k", "ua.base")
    if not os.path.exists(path):
        print(f"movielens: {path} is not there", file=sys.stderr)
        return None
    data = np.loadtxt(path, dtype=np.int64, usecols=(0, 1, 2))
    users, user = np.unique(data[:, 0], return_inverse=True)
    items, item = np.unique(data[:, 1], return_inverse=True)
    columns = np.stack([user, len(users) + item], axis=1)
    n = min(options.examples or len(data), len(data))
    return columns[:n], data[:n, 2].astype(np.float32), len(users) + len(items)


def movielens_rows(work, options, dense):
    data = movielens(options)
    if data is None:
        return
    columns, ratings, p = data
    n = len(ratings)
    if dense:
        X = torch.zeros((n, p), device=options.device)
        X.scatter_(1, torch.from_numpy(columns).to(options.device), 1.0)
    else:
        X = torch.sparse_csr_tensor(torch.arange(0, 2 * n + 1, 2, dtype=torch.int32),
                                    torch.from_numpy(columns.reshape(-1).astype(np.int32)), torch.ones(2 * n),
                                    (n, p)).to(options.device)
    m = Machine(X, torch.from_numpy(ratings)[:, None].to(options.device), 20, 0, options.device)
    step = stepping(m.loss, torch.optim.Adam(m.parameters, lr=0.01))
    yield row(work, "eager", step, n, options)


def zipf(rows, fields, features):
    """Columns [rows, fields] and targets of -1 and 1 [rows], by the law of data.cpp; other draws."""
    random = np.random.default_rng(1)
    field, exponent = features // fields, 1.05
    span = (field + 1.0) ** (1 - exponent) - 1
    rank = (1 + span * random.random((rows, fields))) ** (1 / (1 - exponent)) - 1
    of_field = np.clip(rank.astype(np.int64), 0, field - 1)
    columns = np.arange(fields) * field + of_field * 2147483647 % field
    return columns, np.where(random.normal(size=(rows, 1)) > 0.7, 1, -1).astype(np.float32)


def criteo_rows(work, options, resident):
    batch, count, k = options.examples or 65536, 4, 16
    columns, targets = zipf(count * batch, 39, options.features)
    W = torch.nn.Parameter(torch.zeros(options.features, 1, device=options.device))
    V = torch.nn.Parameter(0.01 * torch.randn(options.features, k, device=options.device))
    w0 = torch.zeros(1, device=options.device, requires_grad=True)
    optimizer = torch.optim.Adagrad([w0, W, V], lr=0.1, initial_accumulator_value=0.1)
    on_gpu = options.device.type == "cuda"
    batches = []
    for b in range(count):
        x = torch.from_numpy(columns[b * batch:(b + 1) * batch])
        y = torch.from_numpy(targets[b * batch:(b + 1) * batch])
        if resident:
            x, y = x.to(options.device), y.to(options.device)
        elif on_gpu:
            x, y = x.pin_memory(), y.pin_memory()
        batches.append((x, y))
    turn = 0

    def loss():
        nonlocal turn
        x, y = batches[turn % count]
        turn += 1
        x, y = x.to(options.device, non_blocking=True), y.to(options.device, non_blocking=True)
        v = torch.nn.functional.embedding(x, V, sparse=True)  # [batch, 39, k]
        w = torch.nn.functional.embedding(x, W, sparse=True)  # [batch, 39, 1]
        y_hat = w0 + w.sum(1) + 0.5 * (v.sum(1) ** 2 - (v ** 2).sum(1)).sum(1, keepdim=True)
        return torch.nn.functional.softplus(-y * y_hat).mean()

    yield row(work, "eager", stepping(loss, optimizer), batch, options)


WORKS = {"toy": toy,
         "movielens csr": lambda options: movielens_rows("movielens csr", options, dense=False),
         "movielens dense": lambda options: movielens_rows("movielens dense", options, dense=True),
         "criteo": lambda options: criteo_rows("criteo", options, resident=True),
         "criteo, fed": lambda options: criteo_rows("criteo, fed", options, resident=False)}


def shown(seconds):
    return f"{1e6 * seconds:.3g} us" if seconds < 1e-3 else f"{1e3 * seconds:.3g} ms"


def print_table(rows, gradus):
    print(f"\n{'a step of':<16}{'PyTorch':<14}{'device':>10}{'host':>10}{'examples/s':>14}", end="")
    print(f"{'Gradus':>12}{'as fast':>10}" if gradus else "")
    for r in rows:
        print(f"{r['work']:<16}{r['how']:<14}{shown(r['device_s']):>10}{shown(r['host_s']):>10}"
              f"{r['examples_per_s']:>14.4g}", end="")
        ours = gradus.get(r["work"])
        print(f"{shown(ours['host_s']):>12}{r['host_s'] / ours['host_s']:>9.2f}x" if ours else "")


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--json")
    parser.add_argument("--beside")
    parser.add_argument("--only", choices=WORKS)
    parser.add_argument("--examples", type=int, default=0)
    parser.add_argument("--features", type=int, default=1000000)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--burst", type=float, default=0.1)
    parser.add_argument("--compile", action="store_true", help="the toy through torch.compile, too: it needs a compiler")
    options = parser.parse_args()
    if options.device.startswith("cuda") and not torch.cuda.is_available():
        print(f"skipped: PyTorch {torch.__version__} finds no CUDA device")
        sys.exit(77)
    options.device = torch.device(options.device)
    torch.manual_seed(1)
    name = torch.cuda.get_device_name(options.device) if options.device.type == "cuda" else "cpu"
    print(f"PyTorch {torch.__version__} on {name}")
    rows = []
    for work, run in WORKS.items():
        if options.only in (None, work):
            rows.extend(run(options))
    gradus = {}
    if options.beside:
        with open(options.beside, encoding="utf-8") as file:
            gradus = {r["work"]: r for r in json.load(file)["rows"]}
    print_table(rows, gradus)
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump({"device": name, "torch": torch.__version__, "rows": rows}, file, indent=2)


if __name__ == "__main__":
    main()
