"""Writes the golden files ops.json, optimizers.json, article.json, models.json, metrics.json and ports.json beside
this script.

They come from an independent oracle: TensorFlow's float64 kernels, gradients and TF1 optimizers, NumPy where
TensorFlow lacks something, and scikit-learn's metrics. To run it:

    python3 -m venv VENV && VENV/bin/pip install tensorflow-cpu==2.21.0 numpy==2.4.6 scikit-learn==1.9.1
    VENV/bin/python tests/golden/make_golden.py

The files are committed; the tests read them and need no Python. Values are seeded by the name of their case, so
adding a case changes no other. Numbers are written with repr's digits, which read back to the same bits; NaN and
the infinities are the strings "nan", "inf" and "-inf".
"""

import os
import pathlib
import sys

sys.dont_write_bytecode = True  # no __pycache__ beside the sources
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["TF_ENABLE_ONEDNN_OPTS"] = "0"
os.environ["CUDA_VISIBLE_DEVICES"] = ""

import article  # noqa: E402
import metrics  # noqa: E402
import models  # noqa: E402
import op_rows  # noqa: E402
import optimizers  # noqa: E402
import ports  # noqa: E402
from golden_format import write_lines  # noqa: E402

here = pathlib.Path(__file__).parent
write_lines(here / "ops.json", op_rows.rows())
write_lines(here / "optimizers.json", optimizers.rows())
write_lines(here / "article.json", article.rows())
write_lines(here / "models.json", models.rows())
write_lines(here / "metrics.json", metrics.rows())
write_lines(here / "ports.json", ports.rows())
for name in ("ops.json", "optimizers.json", "article.json", "models.json", "metrics.json", "ports.json"):
    print(name, (here / name).stat().st_size, "bytes")
