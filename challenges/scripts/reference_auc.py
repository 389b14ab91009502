#!/usr/bin/env python3
"""Expected held-out scores of the breast-fna baselines, computed without any part of Fiel.

Every baseline's model.c is compiled natively and run once per held-out case; scikit-learn measures what it answers,
per site and pooled. Prints one JSON object; `--write` puts it into breast-fna/reference/expected.json instead and
`--check` fails when that file would change by more than 1e-9. No score of a single case is written.
Needs clang (or CC), numpy and scikit-learn.
"""

import csv
import json
import math
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score

ROOT = Path(__file__).resolve().parent.parent / "breast-fna"
EXPECTED = ROOT / "reference/expected.json"
# The model that never returns is stopped after this many seconds.
LIMIT_S = 2.0
OUTCOMES = ("ok", "crashed", "timed-out", "missing-output", "invalid-output")


def load():
    """Header line, held-out lines and labels by case, and the part of every case."""
    with open(ROOT / "data/split.csv", encoding="utf-8", newline="") as file:
        part = {r["case_id"]: r["part"] for r in csv.DictReader(file)}
    header, *lines = (ROOT / "data/wdbc.csv").read_text(encoding="utf-8").splitlines()
    held_out = [line for line in lines if part[line.split(",")[0]] != "public"]
    return header, held_out, part


def compile_native(name, folder):
    """A native program that reads ./input and writes ./output."""
    program = folder / name
    subprocess.run(
        [os.environ.get("CC", "clang"), "-std=c99", "-O2", "-ffp-contract=off", '-DFIEL_INPUT="input"',
         '-DFIEL_OUTPUT="output"', str(ROOT / "baselines" / name / "model.c"), "-lm", "-o", str(program)],
        check=True,
    )  # fmt: skip
    return program


def answer(program, header, line, folder):
    """Outcome and probability (None unless ok) of one case; the truth column is cut off first."""
    output = folder / "output/prediction.csv"
    output.unlink(missing_ok=True)
    rows = [text.rsplit(",", 1)[0] for text in (header, line)]
    (folder / "input/case.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    try:
        ended = subprocess.run([program], cwd=folder, timeout=LIMIT_S, check=False)
    except subprocess.TimeoutExpired:
        return "timed-out", None
    if ended.returncode != 0:
        return "crashed", None
    if not output.exists():
        return "missing-output", None
    probability = float(output.read_text(encoding="utf-8").splitlines()[1].split(",")[1])
    if not (math.isfinite(probability) and 0.0 <= probability <= 1.0):
        return "invalid-output", None
    return "ok", probability


def expected_calibration_error(labels, scores, bins=15):
    """Equal widths, left-closed, the last bin closed."""
    index = np.minimum((scores * bins).astype(int), bins - 1)
    total = sum(abs(scores[index == b].sum() - labels[index == b].sum()) for b in np.unique(index))
    return total / len(scores)


def measure(answers):
    """Counts and metrics over (label, outcome, probability) triples."""
    ok = [(label, probability) for label, outcome, probability in answers if outcome == "ok"]
    labels = np.array([label for label, _ in ok])
    scores = np.array([probability for _, probability in ok])
    cases = {outcome: sum(a[1] == outcome for a in answers) for outcome in OUTCOMES}
    return {
        "n": len(answers),
        "cases": {outcome: count for outcome, count in cases.items() if count},
        "metrics": {
            "auc": roc_auc_score(labels, scores),
            "average_precision": average_precision_score(labels, scores),
            "brier": brier_score_loss(labels, scores),
            "ece@15": expected_calibration_error(labels, scores),
        },
    }


def reference():
    """The whole document."""
    header, held_out, part = load()
    baselines = {}
    for source in sorted((ROOT / "baselines").glob("*/model.c")):
        name = source.parent.name
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place)
            program = compile_native(name, folder)
            (folder / "input").mkdir()
            (folder / "output").mkdir()
            answers = [
                (part[line.split(",")[0]], (int(line.rsplit(",", 1)[1]), *answer(program, header, line, folder)))
                for line in held_out
            ]
        sites = sorted({site for site, _ in answers})
        baselines[name] = {
            "pooled": measure([a for _, a in answers]),
            "sites": {site: measure([a for s, a in answers if s == site]) for site in sites},
        }
    return {
        "description": "Held-out scores of the baselines by scikit-learn; written by challenges/scripts/reference_auc.py",
        "baselines": baselines,
    }


def differences(old, new, where=""):
    """Places where two documents differ, with a tolerance of 1e-9 on floats."""
    if isinstance(old, dict) and isinstance(new, dict):
        return [d for k in sorted({*old, *new}) for d in differences(old.get(k), new.get(k), f"{where}/{k}")]
    if isinstance(old, float) and isinstance(new, float):
        return [] if abs(old - new) <= 1e-9 else [f"{where}: {old} is now {new}"]
    return [] if old == new else [f"{where}: {old} is now {new}"]


def main():
    """Print, write or check."""
    if sys.argv[1:] not in ([], ["--write"], ["--check"]):
        raise SystemExit("usage: reference_auc.py [--write|--check]")
    document = reference()
    if sys.argv[1:] == ["--check"]:
        found = differences(json.loads(EXPECTED.read_text(encoding="utf-8")), document)
        if found:
            raise SystemExit("\n".join([f"{EXPECTED} is out of date:", *found]))
    elif sys.argv[1:] == ["--write"]:
        EXPECTED.parent.mkdir(exist_ok=True)
        EXPECTED.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    else:
        print(json.dumps(document, indent=1))


if __name__ == "__main__":
    main()
