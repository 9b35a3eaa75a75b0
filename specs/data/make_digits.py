"""Writes scikit-learn's digits (CSV) as a pair of IDX files, as MNIST comes.

    python specs/data/make_digits.py digits.csv.gz specs/data/digits
"""
import gzip
import struct
import sys
from pathlib import Path


def write(path, magic, sizes, values):
    body = struct.pack(f">I{len(sizes)}I", magic, *sizes) + bytes(values)
    # No name and no time in the header: the same bytes on every run.
    path.write_bytes(gzip.compress(body, 9, mtime=0))


def main():
    rows = [[int(float(x)) for x in line.split(",")] for line in gzip.open(sys.argv[1], "rt")]
    out = Path(sys.argv[2])
    out.mkdir(parents=True, exist_ok=True)
    images = [pixel for row in rows for pixel in row[:64]]
    write(out / "digits-images-idx3-ubyte.gz", 0x803, [len(rows), 8, 8], images)
    write(out / "digits-labels-idx1-ubyte.gz", 0x801, [len(rows)], [row[64] for row in rows])


if __name__ == "__main__":
    main()
