"""Reads a model of `fm` with the stock safetensors package, predicts by NumPy what the article's formula says, and
compares with what `fm predict` printed; likewise ONNX Runtime, where it is installed.
usage: check_model.py MODEL ONNX CSV PREDICTIONS"""

import csv
import json
import sys

try:
    import numpy as np
    from safetensors import safe_open
except ImportError as error:
    print(f"skipped: {error}; `pip install safetensors numpy` has it")
    sys.exit(77)

model, onnx, data, predictions = sys.argv[1:]
with safe_open(model, "np") as file:
    metadata = file.metadata()
    w0, W, V = (file.get_tensor(name).astype(np.float64) for name in ("w0", "W", "V"))
    scale = file.get_tensor("column_scale") if "column_scale" in file.keys() else 1  # columns are divided by it
assert metadata["gradus_model"] == "2" and metadata["task"] == "regression"
assert json.loads(metadata["options"])["factors"] == V.shape[1]
json.loads(metadata["metrics"])

# The columns of x, in the order of the table: a numeric column has one, a categorical one has one for each category.
feature = {}
for column in json.loads(metadata["feature_table"])["columns"]:
    if column["kind"] == "numeric":
        feature[column["name"]] = len(feature)
    for category in column.get("categories", []):
        feature[column["name"], category] = len(feature)
with open(data) as file:
    records = list(csv.DictReader(file))
X = np.zeros((len(records), len(feature)))
for x, record in zip(X, records):
    for name, cell in record.items():
        if name in feature:
            x[feature[name]] = float(cell)
        elif (name, cell) in feature:
            x[feature[name, cell]] = 1
target = json.loads(metadata["target"])
Z = X / scale
y_hat = w0 + Z @ W + 0.5 * ((Z @ V) ** 2 - (Z**2) @ (V**2)).sum(axis=1)
expected = target["mean"] + target["deviation"] * y_hat
printed = np.loadtxt(predictions)
assert len(printed) == len(expected)
print("NumPy: largest difference", abs(printed - expected).max())
assert abs(printed - expected).max() < 1e-5

try:
    import onnxruntime
except ImportError:
    print("ONNX Runtime is not installed: the exported model was not run")
    sys.exit(0)
session = onnxruntime.InferenceSession(onnx, providers=["CPUExecutionProvider"])
(run,) = session.run(None, {"X": X.astype(np.float32)})
print("ONNX Runtime: largest difference", abs(printed - run[:, 0]).max())
assert abs(printed - run[:, 0]).max() < 1e-5
