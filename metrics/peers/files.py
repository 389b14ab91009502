"""Peers for compressed NIfTI files; the file's bytes are in memory, or in the page cache where a path is needed."""

import struct

import numpy as np
from registry import peer


def file_of(workload):
    return {"read-mask": "organ_gt.nii.gz", "read-ct": "ct.nii.gz"}[workload]


def total(voxels):
    return {"sum": int(voxels.sum(dtype=np.int64))}


def read_of(workload):
    """Registers the peers that read one file."""

    def contents(inputs):
        with open(inputs.path(file_of(workload)), "rb") as file:
            return file.read()

    @peer(workload, "libdeflate, inflate alone", distribution="deflate", note="Python wrapper `deflate`")
    def _(inputs):
        import deflate

        data = contents(inputs)
        size = struct.unpack("<I", data[-4:])[0]
        return lambda: deflate.gzip_decompress(data, size), lambda out: {"bytes": len(out)}

    @peer(workload, "ISA-L, inflate alone", distribution="isal")
    def _(inputs):
        from isal import isal_zlib

        data = contents(inputs)
        return lambda: isal_zlib.decompress(data, 31), lambda out: {"bytes": len(out)}

    @peer(workload, "zlib, inflate alone", note="Python's own")
    def _(inputs):
        import zlib

        data = contents(inputs)
        return lambda: zlib.decompress(data, 31), lambda out: {"bytes": len(out)}

    @peer(workload, "nibabel", note="`dataobj` as stored, from a path")
    def _(inputs):
        import nibabel

        path = inputs.path(file_of(workload))
        return lambda: np.asanyarray(nibabel.load(path).dataobj), total

    @peer(workload, "SimpleITK", distribution="simpleitk", note="from a path")
    def _(inputs):
        import SimpleITK
        from registry import one_thread

        one_thread()
        path = inputs.path(file_of(workload))
        return lambda: SimpleITK.ReadImage(path), lambda out: total(SimpleITK.GetArrayViewFromImage(out))


read_of("read-mask")
read_of("read-ct")
