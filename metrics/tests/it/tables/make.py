"""Makes the tables of this folder: `python3 -m venv v && v/bin/pip install pyarrow pandas && v/bin/python make.py`.

Four cases with labels `y` and probabilities `p`; what is unusual about a file is in its name.
"""

import decimal
import pathlib

import numpy
import pandas
import pyarrow
from pyarrow import feather, ipc, parquet

HERE = pathlib.Path(__file__).parent
Y, P = [1, 0, 1, 0], [0.9, 0.2, 0.7, 0.4]


def write(name, **columns):
    table = pyarrow.table({"y": Y, "p": P} | columns)
    if name.endswith(".parquet"):
        parquet.write_table(table, HERE / name)
    else:
        feather.write_feather(table, HERE / name, compression="uncompressed")


byte = pyarrow.array(Y, pyarrow.uint8())
write("uint8_label.parquet", y=byte)
write("uint8_label.arrow", y=byte)

# Every small type at both ends of its range, in two groups of rows.
small = {
    kind: pyarrow.array([int(numpy.iinfo(kind).min), int(numpy.iinfo(kind).max), None, 1], kind)
    for kind in ("int8", "int16", "uint8", "uint16")
}
small["float16"] = pyarrow.array(numpy.array([0.5, -65504, 0.1, 2**-24], "f2"))
small["site"] = pyarrow.array(["north", "south", "north", "south"]).dictionary_encode()
small["grade"] = pyarrow.array([3, None, 1, 3]).dictionary_encode()
table = pyarrow.table({"y": Y, "p": P} | small)
parquet.write_table(table, HERE / "small.parquet", row_group_size=2)
feather.write_feather(table, HERE / "small.arrow", compression="lz4", chunksize=2)

plain = pyarrow.table({"y": byte, "p": P})
for name, streamed in (("stream.arrows", plain), ("categories.arrows", table)):
    with ipc.new_stream(HERE / name, streamed.schema) as writer:
        writer.write_table(streamed, max_chunksize=2)
twice = pyarrow.table([Y, P, P], names=["y", "p", "p"])
feather.write_feather(twice, HERE / "twice.arrow", compression="uncompressed")
parquet.write_table(twice, HERE / "twice.parquet")

write("dec.arrow", p=pyarrow.array([decimal.Decimal(str(p)) for p in P]))
write("f16.arrow", p=pyarrow.array(numpy.array(P, "f2")))
write("x_map.parquet", x=pyarrow.array([[("a", 1)]] * 4, pyarrow.map_(pyarrow.string(), pyarrow.int64())))
write("x_struct.arrow", x=pyarrow.array([{"a": 1}] * 4))
frame = pandas.DataFrame({"y": Y, "p": P, "site": pandas.Categorical(list("aabb"))})
frame.to_parquet(HERE / "pandas_category.parquet")
# pandas puts -1 where a category is missing.
frame = pandas.DataFrame({"y": Y, "p": P, "grade": pandas.Categorical([3, None, 1, 3])})
frame.to_feather(HERE / "missing_category.arrow")
with ipc.new_stream(HERE / "missing_category.arrows", pyarrow.Schema.from_pandas(frame)) as writer:
    writer.write_table(pyarrow.Table.from_pandas(frame))

# Numbers whose unit is in their type alone.
stay, day = pyarrow.array([1, 2, 3, 4], pyarrow.duration("s")), pyarrow.array([1, 2, 3, 4], pyarrow.date32())
write("x_time.parquet", stay=stay, day=day)
write("x_time.arrow", stay=stay, day=day)

# Categories that grow from one batch to the next: the new ones alone, or all of them again.
batches = [
    pyarrow.record_batch(
        {
            "y": Y[at : at + 2],
            "p": P[at : at + 2],
            "site": pyarrow.DictionaryArray.from_arrays(sites, ["north", "south", "far beyond the mountains"][:known]),
            "grade": pyarrow.DictionaryArray.from_arrays(sites, [3, 1, 2][:known]),
        }
    )
    for at, known, sites in ((0, 2, [0, 1]), (2, 3, [2, 0]))
]
deltas = ipc.IpcWriteOptions(emit_dictionary_deltas=True)
for name, new, options in (
    ("delta.arrow", ipc.new_file, deltas),
    ("delta.arrows", ipc.new_stream, deltas),
    ("replaced.arrows", ipc.new_stream, None),
):
    with new(HERE / name, batches[0].schema, options=options) as writer:
        for batch in batches:
            writer.write_batch(batch)

kinds, ints = pyarrow.array([0, 0, 0, 0], pyarrow.int8()), pyarrow.array([1, 2, 3, 4])
for name, x in (
    ("x_sparse.arrow", pyarrow.UnionArray.from_sparse(kinds, [ints])),
    ("x_dense.arrow", pyarrow.UnionArray.from_dense(kinds, pyarrow.array([0, 1, 2, 3], pyarrow.int32()), [ints])),
    ("x_runs.arrow", pyarrow.RunEndEncodedArray.from_arrays([2, 4], [1, 2])),
):
    table = pyarrow.table({"y": Y, "p": P, "x": x})
    with ipc.new_file(HERE / name, table.schema) as writer:
        writer.write_table(table)

views = pyarrow.array([[1]] * 4, pyarrow.list_view(pyarrow.int32()))
write("x_view.arrow", x=views)
write("x_view.parquet", x=views)
