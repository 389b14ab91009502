#!/usr/bin/env python3
"""Split wdbc.csv into a public part and three simulated sites, the same on every machine.

Within each class the cases are ordered by the SHA-256 of "<seed>:<case_id>" and dealt out in that order, so the result
depends on nothing but the seed and the names. Writes data/split.csv and the reference set in public/.
Needs Python 3.8 and nothing else. `--check` writes nothing and fails when a committed file would change.
"""

import csv
import hashlib
import io
import json
import sys
from pathlib import Path

SEED = "breast-fna-1"
ROOT = Path(__file__).resolve().parent.parent
# part: (benign, malignant); together the 357 benign and 212 malignant patients of the file.
PARTS = {"public": (106, 63), "site-a": (154, 66), "site-b": (66, 54), "site-c": (31, 29)}


def order(case_id):
    """The place of a case in the deal."""
    return hashlib.sha256(f"{SEED}:{case_id}".encode()).hexdigest()


def assign(rows):
    """Map every case to its part."""
    parts = {}
    for label in (0, 1):
        cases = sorted((r["case_id"] for r in rows if r["malignant"] == str(label)), key=order)
        start = 0
        for part, counts in PARTS.items():
            for case in cases[start : start + counts[label]]:
                parts[case] = part
            start += counts[label]
        if start != len(cases):
            raise SystemExit(f"data/wdbc.csv has {len(cases)} cases of class {label}, the split expects {start}")
    return parts


def outputs():
    """Every file this script writes, as text by path."""
    text = (ROOT / "data/wdbc.csv").read_text(encoding="utf-8")
    lines = text.splitlines()
    parts = assign(list(csv.DictReader(io.StringIO(text))))
    split = ["case_id,part"] + [f"{l.split(',')[0]},{parts[l.split(',')[0]]}" for l in lines[1:]]
    cases = [lines[0]] + [l for l in lines[1:] if parts[l.split(",")[0]] == "public"]
    table = "\n".join(cases) + "\n"
    document = {
        "schema": "fiel/reference-set/v1",
        "id": "public",
        "challenge": "breast-fna",
        "task": "classification",
        "table": "cases.csv",
        "truth": "malignant",
        "files": [
            {
                "path": "cases.csv",
                "sha256": hashlib.sha256(table.encode()).hexdigest(),
                "size": len(table.encode()),
            }
        ],
    }
    return {
        "data/split.csv": "\n".join(split) + "\n",
        "public/cases.csv": table,
        "public/reference-set.json": json.dumps(document, indent=2) + "\n",
    }


def main():
    """Write the files, or compare them with --check."""
    check = sys.argv[1:] == ["--check"]
    if sys.argv[1:] and not check:
        raise SystemExit("usage: split.py [--check]")
    for path, text in outputs().items():
        target = ROOT / path
        if not check:
            target.parent.mkdir(exist_ok=True)
            target.write_text(text, encoding="utf-8", newline="\n")
        elif not target.exists() or target.read_text(encoding="utf-8") != text:
            raise SystemExit(f"{path} differs from what scripts/split.py writes; run it without --check")


if __name__ == "__main__":
    main()
