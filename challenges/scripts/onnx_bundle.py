"""Writes an ONNX artifact: a tar archive of manifest.json and model.onnx, the same bytes for the same content."""

import hashlib
import io
import json
import tarfile


def write(path, manifest, model):
    """Writes the archive (ustar, fixed dates and owners) and returns its SHA-256 in hexadecimal."""
    files = {
        "manifest.json": (json.dumps(manifest, indent=1) + "\n").encode(),
        "model.onnx": model.SerializeToString(deterministic=True),
    }
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            entry.mode = 0o644
            archive.addfile(entry, io.BytesIO(content))
    with open(path, "wb") as file:
        file.write(out.getvalue())
    return hashlib.sha256(out.getvalue()).hexdigest()


def read(path):
    """Returns the manifest and the bytes of the model."""
    with tarfile.open(path) as archive:
        manifest = json.load(archive.extractfile("manifest.json"))
        return manifest, archive.extractfile("model.onnx").read()
