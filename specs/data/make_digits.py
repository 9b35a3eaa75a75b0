"""Writes digits/*.gz, the 8x8 digits as a pair of IDX files.

    python3 make_digits.py digits.csv.gz

`digits.csv.gz` is the table inside scikit-learn (sklearn/datasets/data): 1,797 rows of 64
pixel values from 0 to 16 and the digit. The format is that of MNIST
(http://yann.lecun.com/exdb/mnist): a magic number, the sizes, then bytes. No time stamp is
written, so the files are the same bytes each time.
"""

import gzip
import struct
import sys
from pathlib import Path

FOLDER = Path(__file__).parent / "digits"
UNSIGNED_BYTE = 0x08


def idx(name: str, sizes: list[int], values: bytes) -> None:
    header = struct.pack(f">BBBB{len(sizes)}I", 0, 0, UNSIGNED_BYTE, len(sizes), *sizes)
    with open(FOLDER / name, "wb") as raw, gzip.GzipFile("", "wb", 9, raw, mtime=0) as out:
        out.write(header + values)


def main() -> None:
    with gzip.open(sys.argv[1], "rt") as table:
        rows = [[int(float(cell)) for cell in line.split(",")] for line in table if line.strip()]
    assert all(len(row) == 65 for row in rows), "64 pixels and a digit in each row"
    FOLDER.mkdir(exist_ok=True)
    idx("digits-images-idx3-ubyte.gz", [len(rows), 8, 8], bytes(v for row in rows for v in row[:64]))
    idx("digits-labels-idx1-ubyte.gz", [len(rows)], bytes(row[64] for row in rows))


main()
