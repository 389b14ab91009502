"""A model in Fiel's own dialect: `inputs.json` names the files, NIfTI-1 goes in and comes out.

Where the challenge gives several cases at one start, `inputs.json` lists them, and each has a folder of its own.
"""

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


def answer(source: Path, target: Path) -> None:
    """Answers the case whose `inputs.json` lies in the folder `source`, in the folder `target`."""
    inputs = json.loads((source / "inputs.json").read_text())
    header, voxels = read(source / inputs["inputs"][0]["path"])
    write(target / inputs["outputs"][0]["path"], header, lesions(voxels))
    print(f"{inputs['case']}: done")


def main() -> None:
    source, target = ROOT / "input", ROOT / "output"
    found = json.loads((source / "inputs.json").read_text())
    if found["schema"] == "fiel/batch/v1":
        for case in found["cases"]:
            answer(source / case, target / case)
    else:
        answer(source, target)


main()
