"""What scikit-learn's network of 20-64-64-1 reaches on the rows of specs/classification.mlspec.

Writes classification.json, which tests/it/lessons.rs reads. Run: python tests/goldens/classification.py
Needs numpy and scikit-learn 1.9.1.
"""

import json
import warnings
from pathlib import Path

import numpy as np
from sklearn.neural_network import MLPClassifier

warnings.simplefilter("ignore")
HERE = Path(__file__).parent


def table(name):
    rows = np.loadtxt(HERE / f"../../specs/data/classification_{name}.csv.gz", delimiter=",", skiprows=1)
    return rows[:, :-1], rows[:, -1].astype(int)


(train, label), (test, answer) = table("train"), table("test")
accuracies = [
    MLPClassifier((64, 64), batch_size=32, alpha=1e-4, max_iter=30, random_state=seed)
    .fit(train, label)
    .score(test, answer)
    for seed in range(1, 6)
]
golden = {"accuracies": accuracies, "mean": float(np.mean(accuracies))}
(HERE / "classification.json").write_text(json.dumps(golden, indent=2) + "\n")
print(golden)
