"""Writes a file of predictions: `predict.py CASES OUTPUT`.

CASES is a table with `case_id` and the features; OUTPUT becomes a tar archive of one `predictions.csv`. The method looks
at one feature only, with a logistic curve fitted by eye.
"""

import csv
import io
import math
import sys
import tarfile

CENTRE, WIDTH = 105.0, 12.0


def main(cases: str, output: str) -> None:
    lines = ["case_id,probability"]
    with open(cases, newline="", encoding="utf-8") as table:
        for row in csv.DictReader(table):
            probability = 1 / (1 + math.exp((CENTRE - float(row["worst_perimeter"])) / WIDTH))
            lines.append(f"{row['case_id']},{probability:.6f}")
    content = ("\n".join(lines) + "\n").encode()
    with tarfile.open(output, "w") as archive:
        member = tarfile.TarInfo("predictions.csv")
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))


main(*sys.argv[1:])
