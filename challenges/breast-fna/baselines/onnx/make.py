"""Writes logistic.onnx.tar: the baseline `logistic` as an ONNX model, from the numbers in logistic/weights.h.

    python3 -m venv venv && venv/bin/pip install onnx==1.23.2 numpy
    venv/bin/python challenges/breast-fna/baselines/onnx/make.py

The features are standardised by the manifest, the sum is the model's, the sigmoid the manifest's again.
"""

import csv
import pathlib
import re
import sys

import numpy
import onnx
from onnx import TensorProto, helper, numpy_helper

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[2] / "scripts"))
import onnx_bundle  # noqa: E402


def numbers(text, name):
    body = re.search(rf"{name}\[30\] = {{([^}}]*)}}", text)[1]
    return [float(number) for number in body.split(",")]


def main():
    text = (HERE.parent / "logistic/weights.h").read_text()
    intercept = float(re.search(r"LOGISTIC_INTERCEPT (\S+)", text)[1])
    weight, mean, scale = (numbers(text, f"LOGISTIC_{name}") for name in ("WEIGHT", "MEAN", "SCALE"))
    with open(HERE.parents[1] / "public/cases.csv", newline="") as file:
        names = [name for name in next(csv.reader(file)) if name not in ("case_id", "malignant")]
    columns = [{"name": n, "mean": m, "std": s} for n, m, s in zip(names, mean, scale, strict=True)]
    manifest = {
        "schema": "fiel/onnx-manifest/v1",
        "tables": [{"port": "features", "tensor": "features", "dtype": "f32", "columns": columns}],
        "scores": [{
            "port": "prediction",
            "tensor": "logit",
            "activation": "sigmoid",
            "columns": [{"name": "probability", "index": 0}],
        }],
    }
    weights = [
        numpy_helper.from_array(numpy.array(weight, "f4")[:, None], "weight"),
        numpy_helper.from_array(numpy.array([intercept], "f4"), "intercept"),
    ]
    graph = helper.make_graph(
        [helper.make_node("Gemm", ["features", "weight", "intercept"], ["logit"], name="sum")],
        "logistic",
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, [1, 30])],
        [helper.make_tensor_value_info("logit", TensorProto.FLOAT, [1, 1])],
        weights,
    )
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8, producer_name="fiel breast-fna"
    )
    onnx.checker.check_model(model, full_check=True)
    path = HERE.parent / "logistic.onnx.tar"
    print(f"{path}: SHA-256 {onnx_bundle.write(path, manifest, model)}")


if __name__ == "__main__":
    main()
