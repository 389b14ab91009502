"""Writes fragments.json: seeded masks whose predictions are in pieces, scored by panoptica 2.1.7 (cc3d, numpy 2).

    python make_fragments.py

Volumes are {"shape", "rle": [[value, count], ...]} in C order.
"""
import json
import pathlib

import numpy as np
from panoptica import ConnectedComponentsInstanceApproximator, InputType, Metric, Panoptica_Evaluator
from panoptica.instance_matcher import MaxBipartiteMatching, MaximizeMergeMatching, NaiveThresholdMatching

RULES = {"greedy_iou": NaiveThresholdMatching, "hungarian": MaxBipartiteMatching, "maximize_merge": MaximizeMergeMatching}


def volume(mask):
    flat = mask.ravel()
    edges = np.flatnonzero(np.diff(flat)) + 1
    starts, ends = np.r_[0, edges], np.r_[edges, flat.size]
    return {"shape": list(mask.shape), "rle": [[int(flat[a]), int(b - a)] for a, b in zip(starts, ends)]}


def masks(rng):
    shape = (9, 14, 40)
    reference, prediction = np.zeros(shape, np.uint8), np.zeros(shape, np.uint8)
    for _ in range(7):
        low = [int(rng.integers(0, n - 3)) for n in shape]
        size = rng.integers([2, 2, 6], [5, 6, 18])
        reference[tuple(slice(a, a + s) for a, s in zip(low, size))] = 1
        for _ in range(int(rng.integers(1, 4))):
            at = [max(0, a + int(rng.integers(-1, s))) for a, s in zip(low, size)]
            part = np.maximum(1, (size * rng.uniform(0.3, 1.0, 3)).astype(int))
            prediction[tuple(slice(a, a + s) for a, s in zip(at, part))] = 1
    # Cuts make several predicted pieces of one.
    prediction[:, :, rng.integers(0, 40, 5)] = 0
    return reference, prediction


def main():
    rng = np.random.default_rng(20261123)
    cases = []
    for _ in range(16):
        reference, prediction = masks(rng)
        results = []
        for name, rule in RULES.items():
            for threshold in (0.5, 0.3, 0.1):
                evaluator = Panoptica_Evaluator(
                    expected_input=InputType.SEMANTIC,
                    instance_approximator=ConnectedComponentsInstanceApproximator(),
                    instance_matcher=rule(matching_threshold=threshold),
                    instance_metrics=[Metric.DSC, Metric.IOU],
                )
                found = evaluator.evaluate(prediction, reference, verbose=False)["ungrouped"]
                values = {key: getattr(found, key) for key in ("tp", "fp", "fn", "sq", "pq", "sq_dsc")}
                values = {key: int(v) if key in ("tp", "fp", "fn") else float(v) for key, v in values.items()}
                results.append({"rule": name, "threshold": threshold, **values})
        cases.append({"ref": volume(reference), "pred": volume(prediction), "results": results})
    lines = ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases)
    pathlib.Path(__file__).with_name("fragments.json").write_text(f"[\n{lines}\n]\n")


main()
