"""Metrics as scikit-learn has them, on rows with ties, classes that never occur and targets that never change.

Writes metrics.json, which tests/it/metrics.rs reads. Run: python tests/goldens/metrics.py
Needs numpy and scikit-learn. Scores are multiples of 1/4, so that f32 holds them exactly.
"""

import json
import warnings
from pathlib import Path

import numpy as np
from sklearn import metrics as sk

warnings.simplefilter("ignore")
rng = np.random.default_rng(7)
RATES = {"precision": sk.precision_score, "recall": sk.recall_score, "f1": sk.f1_score}


def rates(label, answer, averages):
    return {
        f"{name}({f'average={average}' if average != 'binary' else ''})": f(
            label, answer, average=average, zero_division=0
        )
        for name, f in RATES.items()
        for average in averages
    }


def alone(f, *args, **named):
    """None where scikit-learn warns that its answer is none."""
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        value = f(*args, **named)
    return None if warned or np.isnan(value) else value


def areas(actual, score):
    """Of one class against the rest."""
    return [alone(sk.roc_auc_score, actual, score), alone(sk.average_precision_score, actual, score)]


def areas_of_many(label, scores):
    """The mean over classes of each against the rest. Ranked by the odds of the softmax, rounded so that rows
    tie whose scores are the same in another order."""
    share = np.exp(scores - scores.max(axis=1, keepdims=True))
    of = []
    for c in range(scores.shape[1]):
        rest = np.delete(share, c, axis=1).sum(axis=1)
        of.append(areas(label == c, np.round(np.log(share[:, c] / rest), 9)))
    return [None if None in column else np.mean(column) for column in zip(*of)]


def quarters(shape, reach):
    """Few values, so that many are equal."""
    return rng.integers(-reach, reach + 1, shape) / 4


def ids(rows, classes):
    """Class ids; of few rows often from few classes, so that others are missing."""
    return rng.integers(0, rng.integers(1, classes + 1) if rows < 20 else classes, rows)


def many(rows, classes):
    scores, label = quarters((rows, classes), rng.integers(1, 9)), ids(rows, classes)
    shares = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    loss = sk.log_loss(label, shares, labels=range(classes))
    k = int(rng.integers(1, classes))
    # Of equal scores it takes the last, we the first.
    top = sk.top_k_accuracy_score(classes - 1 - label, scores[:, ::-1], k=k, labels=range(classes))
    wanted = {
        "accuracy()": sk.accuracy_score(label, scores.argmax(axis=1)),
        "log_loss()": loss,
        "perplexity()": np.exp(loss),
        f"top_k({k})": top,
        **dict(zip(["auc(curve=roc)", "auc(curve=pr)"], areas_of_many(label, scores))),
        "confusion()": sk.confusion_matrix(label, scores.argmax(axis=1), labels=range(classes)).tolist(),
        **rates(label, scores.argmax(axis=1), ["macro", "micro", "weighted"]),
    }
    return scores, label, wanted


def two(rows):
    logit, label = quarters(rows, rng.integers(1, 9)), ids(rows, 2)
    share = 1 / (1 + np.exp(-logit))
    wanted = {
        "accuracy()": sk.accuracy_score(label, logit > 0),
        "log_loss()": sk.log_loss(label, share, labels=[0, 1]),
        **dict(zip(["auc(curve=roc)", "auc(curve=pr)"], areas(label, logit))),
        "confusion()": sk.confusion_matrix(label, logit > 0, labels=[0, 1]).tolist(),
        **rates(label, (logit > 0).astype(int), ["binary", "macro", "micro", "weighted"]),
    }
    return logit, label, wanted


def numbers(rows, targets):
    shape = (rows, targets) if targets else (rows,)
    target = quarters(shape, rng.integers(1, 40)) + 1024 * rng.integers(0, 2)
    target[target == 0] = 1
    prediction = target + quarters(shape, rng.integers(0, 9))
    if rows < 20 and rng.random() < 0.2:
        target[:] = target[0]
    wanted = {
        "mae()": sk.mean_absolute_error(target, prediction),
        "mse()": sk.mean_squared_error(target, prediction),
        "rmse()": np.sqrt(sk.mean_squared_error(target, prediction)),
        "mape()": 100 * sk.mean_absolute_percentage_error(target, prediction),
        "r2()": sk.r2_score(target, prediction),
    }
    return prediction, target, wanted


def short(x):
    return x if x is None or isinstance(x, list) else float(f"{x:.12g}")


def case(prediction, label, wanted):
    return {
        "prediction": prediction.tolist(),
        "label": label.tolist(),
        "wanted": {name: short(x) for name, x in wanted.items()},
    }


def main():
    rows = lambda least: int(rng.integers(least, 13))
    golden = {
        "classes": [case(*many(rows(1), int(rng.integers(3, 6)))) for _ in range(400)],
        "two": [case(*two(rows(1))) for _ in range(300)],
        "numbers": [case(*numbers(rows(2), int(rng.integers(0, 4)))) for _ in range(300)],
        "table": {
            "classes": case(*many(200, 3)),
            "two": case(*two(200)),
            "numbers": case(*numbers(200, 0)),
        },
    }
    text = json.dumps(golden, separators=(",", ":")).replace('},{"prediction"', '},\n{"prediction"')
    Path(__file__).with_suffix(".json").write_text(text + "\n")


main()
