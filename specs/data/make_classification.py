"""Writes classification_train.csv.gz and classification_test.csv.gz, the rows of specs/classification.mlspec.

pip install scikit-learn==1.9.1; python specs/data/make_classification.py
"""

import gzip
import io
from pathlib import Path

from sklearn.datasets import make_classification

FEATURES, TRAIN, TEST = 20, 1500, 500
HERE = Path(__file__).parent


def write(name, rows, labels):
    text = io.StringIO()
    text.write(",".join([f"x{i}" for i in range(FEATURES)] + ["y"]) + "\n")
    for row, label in zip(rows, labels):
        text.write(",".join([f"{x:.4f}" for x in row] + [str(label)]) + "\n")
    # No name and no time in the file: the same rows are the same bytes.
    with open(HERE / name, "wb") as file, gzip.GzipFile("", "wb", mtime=0, fileobj=file) as out:
        out.write(text.getvalue().encode())


rows, labels = make_classification(
    n_samples=TRAIN + TEST, n_features=FEATURES, n_informative=10, n_redundant=5, class_sep=1.0, random_state=0
)
write("classification_train.csv.gz", rows[:TRAIN], labels[:TRAIN])
write("classification_test.csv.gz", rows[TRAIN:], labels[TRAIN:])
