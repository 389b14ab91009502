"""The little of NIfTI-1 that the scripts need: read a volume, write a mask on its grid."""

import gzip
import struct

import numpy

TYPES = {2: "u1", 4: "<i2", 16: "<f4"}


def read(path):
    """Returns the 352 bytes before the voxels and the volume with the axes z, y, x."""
    with gzip.open(path, "rb") as file:
        data = file.read()
    shape = struct.unpack_from("<8h", data, 40)[1:4]
    kind = TYPES[struct.unpack_from("<h", data, 70)[0]]
    slope, intercept = struct.unpack_from("<2f", data, 112)
    voxels = numpy.frombuffer(data, kind, offset=352, count=numpy.prod(shape))
    if slope not in (0.0, 1.0) or intercept != 0.0:
        voxels = voxels * slope + intercept
    return data[:352], voxels.reshape(shape[::-1])


def write_mask(path, head, mask):
    """Writes a mask (z, y, x) below a header that `read` gave."""
    head = bytearray(head)
    struct.pack_into("<2h", head, 70, 2, 8)
    struct.pack_into("<2f", head, 112, 1.0, 0.0)
    with open(path, "wb") as file:
        file.write(gzip.compress(bytes(head) + mask.astype("u1").tobytes(), mtime=0))
