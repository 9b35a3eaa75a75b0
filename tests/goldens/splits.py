"""Folds of scikit-learn on random cases, for tests of `split { kfold = … }`.

    /path/to/python tests/goldens/splits.py > tests/goldens/splits.json

Each case holds what the splitter was given and what does not depend on its random draws: the rows of each class
in each fold (StratifiedKFold), the sizes of folds of whole groups (GroupKFold), the ends of training and test rows
(TimeSeriesSplit).
"""

import json
import warnings

import numpy as np
import sklearn
from sklearn.model_selection import GroupKFold, StratifiedKFold, TimeSeriesSplit

warnings.filterwarnings("ignore")
rng = np.random.default_rng(4)


def stratified():
    k = int(rng.integers(2, 7))
    kinds = int(rng.integers(1, 5))
    counts = [int(c) for c in rng.integers(2, 12, kinds)]
    # scikit-learn wants one class to reach every fold.
    counts[0] = max(counts[0], k)
    y = np.repeat(np.arange(kinds), counts)
    folds = StratifiedKFold(k).split(np.zeros(len(y)), y)
    return {"k": k, "classes": counts, "folds": [np.bincount(y[t], minlength=kinds).tolist() for _, t in folds]}


def grouped():
    k = int(rng.integers(2, 7))
    sizes = [int(s) for s in rng.integers(1, 12, int(rng.integers(k, 20)))]
    groups = np.repeat(np.arange(len(sizes)), sizes)
    folds = GroupKFold(k).split(np.zeros(len(groups)), groups=groups)
    return {"k": k, "groups": sizes, "folds": sorted(len(t) for _, t in folds)}


def forward():
    k = int(rng.integers(2, 7))
    n = int(rng.integers(k + 1, 60))
    folds = TimeSeriesSplit(k).split(np.zeros(n))
    return {"k": k, "rows": n, "folds": [[len(r), int(t[0]), int(t[-1]) + 1] for r, t in folds]}


cases = {
    "scikit-learn": sklearn.__version__,
    "stratified": [stratified() for _ in range(1000)],
    "grouped": [grouped() for _ in range(1000)],
    "forward": [forward() for _ in range(1000)],
}
lines = [f'"scikit-learn": {json.dumps(cases.pop("scikit-learn"))}']
for name, all in cases.items():
    rows = ",\n".join(json.dumps(c, separators=(",", ":")) for c in all)
    lines.append(f'"{name}": [\n{rows}\n]')
print("{" + ",\n".join(lines) + "}")
