"""The C interface from Python by ctypes: the numbers of fm predict. usage: check.py LIBRARY MODEL CSV PREDICTIONS"""
import ctypes
import sys

library, model_path, data, predictions = sys.argv[1:]
gradus = ctypes.CDLL(library)
gradus.gradus_error.restype = gradus.gradus_version.restype = gradus.gradus_task.restype = ctypes.c_char_p
gradus.gradus_features.restype = gradus.gradus_outputs.restype = ctypes.c_int64
model = ctypes.c_void_p()
assert gradus.gradus_load(b"none", 1, ctypes.byref(model)) == 1 and b"none: cannot be opened" in gradus.gradus_error()
assert gradus.gradus_load(model_path.encode(), 1, ctypes.byref(model)) == 0, gradus.gradus_error()
assert gradus.gradus_task(model) == b"regression" and gradus.gradus_outputs(model) == 1

with open(data) as file:
    names = file.readline().strip().split(",")
    rows = [line.strip().split(",") for line in file]
columns, starts = [], [0]
for row in rows:
    for name, cell in zip(names[:2], row):
        column = ctypes.c_int64()
        assert gradus.gradus_feature(model, f"{name}={cell}".encode(), ctypes.byref(column)) == 0, gradus.gradus_error()
        columns.append(column.value)
    starts.append(len(columns))
out = (ctypes.c_float * len(rows))()
status = gradus.gradus_predict(model, ctypes.c_int64(len(rows)), (ctypes.c_int64 * len(starts))(*starts),
                               (ctypes.c_int64 * len(columns))(*columns), (ctypes.c_float * len(columns))(*[1] * len(columns)),
                               out)
assert status == 0, gradus.gradus_error()
with open(predictions) as file:
    expected = [ctypes.c_float(float(line)).value for line in file]
assert list(out) == expected, "the numbers differ from those of fm predict"
gradus.gradus_free(model)
