"""Loads each NAME.onnx of a folder with ONNX Runtime, feeds it what numbers.npz holds as NAME/INPUT, and compares its
outputs with NAME/OUTPUT there. The checker of the onnx package, where that is installed,
must be content too. Exits with 77, and a word why, where ONNX Runtime is not installed."""

import pathlib
import sys

try:
    import numpy as np
    import onnxruntime as ort
except ImportError as error:
    print(f"skipped: {error}; `pip install onnxruntime` has it")
    sys.exit(77)
try:
    import onnx
except ImportError:
    onnx = None
    print("the onnx package is not installed: models are run, but not checked by its checker")

ort.set_default_logger_severity(4)
# Where the runtime is known to differ: a word of its failure, for files whose name begins so.
KNOWN = {
    "op where, bool": "NOT_IMPLEMENTED",
    "op reduce_mean": "nan",  # it takes the mean of nothing as 0
    "op reshape_like, empty": "FAIL",  # a 0 in a shape stands for the input's dimension
    "op reshape of shape, empty": "FAIL",  # likewise
}


def check(path, all_numbers):
    if onnx is not None:
        onnx.checker.check_model(str(path), full_check=True)
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    numbers = {value.name: all_numbers[f"{path.stem}/{value.name}"]
               for value in session.get_inputs() + session.get_outputs()}
    names = [output.name for output in session.get_outputs()]
    results = session.run(names, {i.name: numbers[i.name] for i in session.get_inputs()})
    worst = 0.0
    for name, result in zip(names, results):
        expected = numbers[name]
        assert result.dtype == expected.dtype, f"{name} is {result.dtype}, {expected.dtype} is expected"
        assert result.shape == expected.shape, f"{name} is {result.shape}, {expected.shape} is expected"
        np.testing.assert_allclose(result, expected, rtol=1e-5, atol=1e-5)
        if path.name.startswith("model") and result.size:
            worst = max(worst, float(np.max(np.abs(result - expected))))
    return worst


def main(folder):
    paths = sorted(pathlib.Path(folder).glob("*.onnx"))
    numbers = dict(np.load(pathlib.Path(folder) / "numbers.npz"))
    failures = []
    known = 0
    worst = 0.0
    models = 0
    for path in paths:
        try:
            worst = max(worst, check(path, numbers))
            models += path.name.startswith("model")
        except Exception as error:  # of any kind: it is told, and the next model is tried
            if any(path.name.startswith(name) and word in str(error) for name, word in KNOWN.items()):
                known += 1
            else:
                failures.append(f"{path.name}: {' '.join(str(error).split())[:300]}")
    print("\n".join(failures))
    print(f"{len(paths)} files, {models} of them predictors, by ONNX Runtime {ort.__version__}; "
          f"{len(failures)} failed, {known} as the runtime is known to; predictors differ by at most {worst:.2g}")
    return 1 if failures or models != 48 or len(paths) < 2000 or known > 24 else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
