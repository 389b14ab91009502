"""Runs an ONNX artifact for images with onnxruntime, window by window as its manifest says, and writes the masks.

    python3 -m venv venv && venv/bin/pip install onnxruntime==1.32.0 onnx==1.23.2 numpy
    venv/bin/python challenges/scripts/onnx_reference.py BUNDLE OUT IMAGE.nii.gz...

An implementation of `schemas/src/onnx.rs` that shares no code with the sandbox: the sandbox's masks are compared with
these. Only what the baselines use is there: one image, one mask, one tensor each.
"""

import itertools
import os
import pathlib
import sys
import time

# Wheels of onnxruntime from 1.29 on report home unless this is set before they are loaded.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import numpy  # noqa: E402
import onnxruntime  # noqa: E402

import nifti  # noqa: E402
import onnx_bundle  # noqa: E402


def starts(size, patch, overlap):
    last = size - patch
    step = patch - overlap
    return [index * step for index in range(-(-last // step))] + [last]


def weights(size, blend):
    if blend == "constant":
        return numpy.ones(size, "f4")
    distance = (numpy.arange(size) - (size - 1) / 2) / (size / 8)
    return numpy.exp(-distance * distance / 2).astype("f4")


def activate(name, channels):
    if name == "sigmoid":
        return 1 / (1 + numpy.exp(-channels))
    if name == "softmax":
        grown = numpy.exp(channels - channels.max(0))
        return grown / grown.sum(0)
    return channels


class Model:
    """One artifact, loaded."""

    def __init__(self, bundle):
        self.manifest, model = onnx_bundle.read(bundle)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])

    def mask(self, volume):
        """The mask of a volume, both with the axes z, y, x."""
        (image,), (out,), window = (self.manifest[name] for name in ("images", "masks", "window"))
        x = volume.astype("f4")
        if image.get("clip"):
            x = x.clip(*numpy.array(image["clip"], "f4"))
        x = (x - numpy.float32(image.get("mean", 0))) / numpy.float32(image.get("std", 1))
        turn = ["zyx".index(axis) for axis in window["axes"]]
        x = x.transpose(turn)
        patch = window["patch"]
        spare = [max(part - size, 0) for part, size in zip(patch, x.shape)]
        sides = [(missing // 2, missing - missing // 2) for missing in spare]
        padded = numpy.pad(x, sides, constant_values=numpy.float32(window["pad"]))
        first, second, third = (weights(size, window["blend"]) for size in patch)
        weight = (first[:, None, None] * second[None, :, None]) * third[None, None, :]
        sums, counts = 0, numpy.zeros(padded.shape, "f4")
        places = [starts(*axis) for axis in zip(padded.shape, patch, window["overlap"])]
        for place in itertools.product(*places):
            cut = tuple(slice(at, at + size) for at, size in zip(place, patch))
            tensor = padded[cut][None, None]
            if window["layout"] == "nchw":
                tensor = tensor[:, :, 0]
            answer = self.session.run([out["tensor"]], {image["tensor"]: numpy.ascontiguousarray(tensor)})[0]
            answer = answer[0].reshape(-1, *patch)
            if isinstance(sums, int):
                sums = numpy.zeros((len(answer), *padded.shape), "f4")
            sums[(slice(None), *cut)] += answer * weight
            counts[cut] += weight
        inner = tuple(slice(before, before + size) for (before, _), size in zip(sides, x.shape))
        channels = activate(out["activation"], (sums / counts)[(slice(None), *inner)])
        channel, threshold = out["channel"], out.get("threshold")
        marked = channels[channel] >= threshold if threshold is not None else channels.argmax(0) == channel
        return marked.transpose(numpy.argsort(turn))


def main():
    if len(sys.argv) < 4:
        sys.exit("usage: onnx_reference.py BUNDLE OUT IMAGE.nii.gz...")
    model, out = Model(sys.argv[1]), pathlib.Path(sys.argv[2])
    out.mkdir(parents=True, exist_ok=True)
    for path in map(pathlib.Path, sys.argv[3:]):
        head, volume = nifti.read(path)
        started = time.perf_counter()
        mask = model.mask(volume)
        print(f"{path.name}: {mask.sum()} voxels marked, {(time.perf_counter() - started) * 1e3:.0f} ms")
        nifti.write_mask(out / path.name, head, mask)


if __name__ == "__main__":
    main()
