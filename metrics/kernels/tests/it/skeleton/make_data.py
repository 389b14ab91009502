"""Writes data.json: seeded masks and their skeletons by scikit-image 0.26.0 (numpy 2, scipy 1).

    python make_data.py [COUNT]

Each case is {"shape", "method", "mask", "skeleton"}: voxels in C order, packed eight to a byte (first voxel in the
highest bit), as hexadecimal digits. A shape of two numbers is a 2-D image.
"""
import json
import pathlib
import sys

import numpy as np
from scipy import ndimage
from skimage.morphology import skeletonize


def blobs(rng, shape):
    field = ndimage.gaussian_filter(rng.standard_normal(shape), rng.uniform(0.6, 2.5))
    return field > np.quantile(field, rng.uniform(0.3, 0.9))


def noise(rng, shape):
    return rng.random(shape) < rng.uniform(0.05, 0.95)


def boxes(rng, shape):
    mask = np.zeros(shape, bool)
    for _ in range(rng.integers(1, 5)):
        part = tuple(slice(a, a + rng.integers(1, n + 1)) for a, n in ((rng.integers(0, n), n) for n in shape))
        mask[part] = rng.random() < 0.8
    return mask


def tubes(rng, shape):
    mask = np.zeros(shape, bool)
    at = np.array([rng.integers(0, n) for n in shape], float)
    step = rng.standard_normal(len(shape))
    for _ in range(60):
        step += 0.4 * rng.standard_normal(len(shape))
        at = np.clip(at + step / np.linalg.norm(step), 0, np.array(shape) - 1)
        mask[tuple(at.astype(int))] = True
    return ndimage.binary_dilation(mask, iterations=int(rng.integers(1, 3)))


def packed(mask):
    return np.packbits(mask.ravel()).tobytes().hex()


def main():
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 60
    rng = np.random.default_rng(20261123)
    cases = []
    for i in range(count):
        dimensions = 2 if i % 4 == 3 else 3
        shape = [int(n) for n in rng.integers(1, 26 if dimensions == 2 else 15, dimensions)]
        if i % 10 == 5:
            shape[int(rng.integers(dimensions))] = int(rng.integers(60, 140 if dimensions == 2 else 72))
        if dimensions == 3 and i % 12 in (0, 5, 6):
            shape[(i // 12) % 3] = 1
        mask = [blobs, noise, boxes, tubes][int(rng.integers(4))](rng, tuple(shape))
        method = "zhang" if dimensions == 2 else "lee"
        skeleton = skeletonize(mask, method=method)
        cases.append({"shape": shape, "method": method, "mask": packed(mask), "skeleton": packed(skeleton)})
    lines = ",\n".join(json.dumps(case) for case in cases)
    pathlib.Path(__file__).with_name("data.json").write_text(f"[\n{lines}\n]\n")


main()
