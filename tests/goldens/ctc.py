"""The CTC loss of PyTorch (in f64), row by row, with its gradient.

Writes ctc.json, which tests/it/ops/recurrent.rs reads. Run from anywhere:

    pip install torch==2.15.0
    python tests/goldens/ctc.py
"""

import json
from pathlib import Path

import numpy as np
import torch

torch.set_default_dtype(torch.float64)
rng = np.random.default_rng(5)
# In what is masked the first logit is this.
MASKED = -6.0

# Classes, steps that count, labels (0 is padding): repeated ones, none at all, as many as fit, more than fit.
CASES = [
    (4, [7, 7, 7, 7, 7], [[1, 2, 3, 0, 0, 0, 0], [2, 2, 1, 0, 0, 0, 0], [0] * 7, [1, 2, 3, 1, 2, 3, 1], [1, 1, 1, 1, 1, 0, 0]]),
    (3, [6, 4, 1, 3], [[1, 2, 0, 0, 0, 0], [2, 1, 2, 0, 0, 0], [1, 0, 0, 0, 0, 0], [1, 1, 2, 0, 0, 0]]),
    (2, [1], [[1]]),
]


def case(classes, steps, labels):
    rows, length = len(labels), len(labels[0])
    x = rng.normal(size=(rows, length, classes))
    for row, n in enumerate(steps):
        x[row, n:, 0] = MASKED
    at = torch.tensor(x, requires_grad=True)
    logs = torch.log_softmax(at, -1).transpose(0, 1)
    counts = torch.tensor([sum(id != 0 for id in row) for row in labels])
    costs = torch.nn.functional.ctc_loss(
        logs, torch.tensor(labels), torch.tensor(steps), counts, reduction="none", zero_infinity=True
    )
    torch.sin(costs).sum().backward()
    flat = lambda t: np.asarray(t, dtype=float).ravel().tolist()
    return dict(
        shape=list(x.shape), masked=any(n < length for n in steps), x=flat(x), labels=flat(labels),
        costs=flat(costs.detach()), dx=flat(at.grad),
    )


out = {"versions": {"torch": torch.__version__}, "cases": [case(*c) for c in CASES]}
Path(__file__).with_suffix(".json").write_text(json.dumps(out, indent=1) + "\n")
