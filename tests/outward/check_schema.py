"""The data of pages are as docs/walkthrough.schema.json says. Skipped (77) without the package jsonschema.

usage: check_schema.py FOLDER          a folder of gradus_outward walkthroughs
"""

import copy
import json
import pathlib
import re
import sys

try:
    import jsonschema
except ImportError:
    print("skipped: there is no jsonschema (Debian: python3-jsonschema)")
    sys.exit(77)

SCHEMA = pathlib.Path(__file__).resolve().parents[2] / "docs/walkthrough.schema.json"
FAULTS = {  # what is done to a page's data, which must then be refused
    "another version": lambda run: run.update(version=2),
    "a frame without gradients": lambda run: run["frames"][0].pop("gradient"),
    "a field that nobody knows": lambda run: run["nodes"][0].update(colour="red"),
    "a shape with a negative size": lambda run: run["nodes"][0].update(shape=[-1, 16]),
    "a step that is computed but reads nothing": lambda run: next(
        step for step in run["plans"][0]["steps"] if step["form"] == "loop").pop("read"),
    "elements as a list": lambda run: run["frames"][0]["value"].update({"0": [1, 2]}),
}


def data_of(page):
    text = page.read_text(encoding="utf-8")
    run = json.loads(re.search(r'<script type="application/json" id="run">(.*?)</script>', text, re.S)[1])
    del run["plans"][1:-1]  # there are as many as passes, each like the others
    return run


def main():
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    folder, failures = pathlib.Path(sys.argv[1]), []
    pages = sorted(folder.glob("*.html"))
    for page in pages:
        failures += [f"{page.name}: {error.json_path}: {error.message[:200]}" for error in validator.iter_errors(data_of(page))]
    small = data_of(folder / "not_finite.html")
    for name, plant in FAULTS.items():
        run = copy.deepcopy(small)
        plant(run)
        if validator.is_valid(run):
            failures.append(f"planted: {name} is not seen")
    print("\n".join(failures) or f"{len(pages)} pages, {len(FAULTS)} planted faults")
    return 1 if failures or not pages else 0


sys.exit(main())
