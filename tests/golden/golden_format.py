"""How a golden file is written: a JSON array, one line per row or case, tensors as {dtype, shape, values}."""

import json
import math

import numpy as np


def number(value):
    value = value.item() if isinstance(value, np.generic) else value
    if isinstance(value, float):
        if math.isnan(value):
            return "nan"
        if math.isinf(value):
            return "inf" if value > 0 else "-inf"
        if value == int(value) and abs(value) < 1e15 and not (value == 0 and math.copysign(1, value) < 0):
            return int(value)
    return value


def flat(array):
    return [number(v) for v in np.asarray(array).reshape(-1)]


def tensor(array):
    array = np.asarray(array)
    return {"dtype": str(array.dtype), "shape": list(array.shape), "values": flat(array)}


def write_lines(path, rows):
    """A row's "cases" take a line each, so that a changed case is one changed line."""

    def compact(value):
        return json.dumps(value, separators=(",", ":"), allow_nan=False)

    with open(path, "w", encoding="utf-8", newline="\n") as out:
        out.write("[\n")
        for i, row in enumerate(rows):
            head = {key: value for key, value in row.items() if key != "cases"}
            text = compact(head)
            if "cases" in row:
                text = text[:-1] + ',"cases":[\n ' + ",\n ".join(compact(c) for c in row["cases"]) + "]}"
            out.write(text + (",\n" if i + 1 < len(rows) else "\n"))
        out.write("]\n")
