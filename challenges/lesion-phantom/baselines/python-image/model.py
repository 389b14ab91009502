"""A model in Fiel's own dialect: `inputs.json` names the files, NIfTI-1 goes in and comes out."""

import json
import os
from pathlib import Path

import numpy as np
from box_mean import lesions

ROOT = Path(os.environ.get("FIEL_ROOT", "/"))
TYPES = {2: "u1", 4: "<i2", 8: "<i4", 16: "<f4", 64: "<f8", 256: "i1", 512: "<u2", 768: "<u4"}
HEADER = 352


def read(path: Path) -> tuple[bytearray, np.ndarray]:
    """Header and values of an uncompressed NIfTI-1 file as a node writes it."""
    content = path.read_bytes()
    header = bytearray(content[:HEADER])
    shape = np.frombuffer(header, "<i2", 3, 42)
    slope, intercept = np.frombuffer(header, "<f4", 2, 112)
    code = int(np.frombuffer(header, "<i2", 1, 70)[0])
    voxels = np.frombuffer(content, TYPES[code], int(np.prod(shape.astype(int))), HEADER)
    scaled = voxels if slope == 0 else voxels.astype(np.float64) * slope + intercept
    return header, scaled.reshape(shape[::-1])


def write(path: Path, header: bytearray, mask: np.ndarray) -> None:
    """A mask on the grid of the image: the same header, but unsigned 8-bit without scaling."""
    header[70:74] = np.array([2, 8], "<i2").tobytes()
    header[112:120] = np.array([1, 0], "<f4").tobytes()
    path.write_bytes(bytes(header) + mask.tobytes())


def main() -> None:
    inputs = json.loads((ROOT / "input/inputs.json").read_text())
    source, target = inputs["inputs"][0]["path"], inputs["outputs"][0]["path"]
    header, voxels = read(ROOT / "input" / source)
    write(ROOT / "output" / target, header, lesions(voxels))
    print(f"{inputs['case']}: done")


main()
