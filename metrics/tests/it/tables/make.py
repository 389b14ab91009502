"""Makes the tables of this folder: `python3 -m venv v && v/bin/pip install pyarrow pandas && v/bin/python make.py`.

Four cases with labels `y` and probabilities `p`; in each file one column has the type that the file is named after.
"""

import decimal
import pathlib

import numpy
import pandas
import pyarrow
from pyarrow import feather, parquet

HERE = pathlib.Path(__file__).parent
Y, P = [1, 0, 1, 0], [0.9, 0.2, 0.7, 0.4]


def write(name, **columns):
    table = pyarrow.table({"y": Y, "p": P} | columns)
    if name.endswith(".parquet"):
        parquet.write_table(table, HERE / name)
    else:
        feather.write_feather(table, HERE / name, compression="uncompressed")


small = pyarrow.array(Y, pyarrow.uint8())
write("uint8_label.parquet", y=small)
write("uint8_label.arrow", y=small)
write("dec.arrow", p=pyarrow.array([decimal.Decimal(str(p)) for p in P]))
write("f16.arrow", p=pyarrow.array(numpy.array(P, "f2")))
write("x_map.parquet", x=pyarrow.array([[("a", 1)]] * 4, pyarrow.map_(pyarrow.string(), pyarrow.int64())))
write("x_struct.arrow", x=pyarrow.array([{"a": 1}] * 4))
frame = pandas.DataFrame({"y": Y, "p": P, "site": pandas.Categorical(list("aabb"))})
frame.to_parquet(HERE / "pandas_category.parquet")
