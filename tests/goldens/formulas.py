"""Values of activations, losses, metrics and optimizers from NumPy and SciPy.

Writes formulas.json, which tests/it/ops/values.rs reads. Run: python3 tests/goldens/formulas.py
Needs numpy and scipy. Everything is f64; inputs are part of the output.
"""

import json
from pathlib import Path

import numpy as np
from scipy import special, stats

rng = np.random.default_rng(20)
x = rng.uniform(-3, 3, (4, 6))
# Far out, where a careless formula overflows.
x[0, :3] = [60.0, -60.0, 0.0]
i = np.array([0, 5, 2, 2])
binary = rng.integers(0, 2, (4, 6)).astype(float)


def binary_cross_entropy(logit, label):
    return np.mean(-label * special.log_expit(logit) - (1 - label) * special.log_expit(-logit))


def adam_keras(w, gradients, lr, b1, b2, eps):
    """keras/src/optimizers/adam.py, update_step, in f64."""
    m, v = np.zeros_like(w), np.zeros_like(w)
    for t, g in enumerate(gradients, 1):
        alpha = lr * np.sqrt(1 - b2**t) / (1 - b1**t)
        m = m + (g - m) * (1 - b1)
        v = v + (np.square(g) - v) * (1 - b2)
        w = w - (m * alpha) / (np.sqrt(v) + eps)
    return [w, m, v]


def adam_torch(w, gradients, lr, b1, b2, eps):
    """torch/optim/adam.py, _single_tensor_adam, in f64."""
    m, v = np.zeros_like(w), np.zeros_like(w)
    for t, g in enumerate(gradients, 1):
        m = m + (1 - b1) * (g - m)
        v = v * b2 + (1 - b2) * g * g
        denominator = np.sqrt(v) / np.sqrt(1 - b2**t) + eps
        w = w - (lr / (1 - b1**t)) * m / denominator
    return [w, m, v]


def momentum_keras(w, gradients, lr, momentum):
    velocity = np.zeros_like(w)
    for g in gradients:
        velocity = momentum * velocity - g * lr
        w = w + velocity
    return [w, velocity]


def momentum_torch(w, gradients, lr, momentum):
    velocity = np.zeros_like(w)
    for g in gradients:
        velocity = momentum * velocity + g
        w = w - lr * velocity
    return [w, velocity]


log_softmax = special.log_softmax(x, axis=-1)
expressions = {
    "relu(x)": np.maximum(x, 0),
    "leaky_relu(x, 0.1)": np.where(x > 0, x, 0.1 * x),
    "sigmoid(x)": special.expit(x),
    "tanh(x)": np.tanh(x),
    "softmax(x)": special.softmax(x, axis=-1),
    "softmax(x, axis=0)": special.softmax(x, axis=0),
    "log_softmax(x)": log_softmax,
    "gelu(x)": x * stats.norm.cdf(x),
    "gelu_tanh(x)": 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))),
    "silu(x)": x * special.expit(x),
    "softplus(x)": np.logaddexp(0, x),
    "CrossEntropy(x, i)": -np.mean(log_softmax[np.arange(4), i]),
    "BinaryCrossEntropy(x, 1)": binary_cross_entropy(x, 1.0),
    "BinaryCrossEntropy(x, 0)": binary_cross_entropy(x, 0.0),
    "BinaryCrossEntropy(x, 0.3)": binary_cross_entropy(x, 0.3),
    "MeanSquaredError(x, 0.5)": np.mean((x - 0.5) ** 2),
    "mean(absolute_error(x, 0.5))": np.mean(np.abs(x - 0.5)),
    "mean(categorical_accuracy(x, i))": np.mean(np.argmax(x, axis=-1) == i),
    "mean(binary_accuracy(x, 1))": np.mean(x > 0),
    "argmax(x, axis=0)": np.argmax(x, axis=0),
}

w = rng.uniform(-1, 1, 5)
gradients = rng.normal(0, 0.5, (7, 5)) * np.array([1, 1e-4, 10, 1, 0])
optimizers = [
    ("keras", "SGD", {"lr": 0.1, "momentum": 0.0}, [w - 0.1 * gradients.sum(axis=0)]),
    ("keras", "SGD", {"lr": 0.1, "momentum": 0.9}, momentum_keras(w, gradients, 0.1, 0.9)),
    ("torch", "SGD", {"lr": 0.1, "momentum": 0.9}, momentum_torch(w, gradients, 0.1, 0.9)),
    (
        "keras",
        "Adam",
        {"lr": 0.01, "beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-7},
        adam_keras(w, gradients, 0.01, 0.9, 0.999, 1e-7),
    ),
    (
        "torch",
        "Adam",
        {"lr": 0.01, "beta_1": 0.5, "beta_2": 0.99, "epsilon": 1e-8},
        adam_torch(w, gradients, 0.01, 0.5, 0.99, 1e-8),
    ),
]

out = {
    "x": x.tolist(),
    "i": i.tolist(),
    "expressions": {k: np.asarray(v, dtype=float).ravel().tolist() for k, v in expressions.items()},
    "w": w.tolist(),
    "gradients": gradients.tolist(),
    "optimizers": [
        {"framework": f, "name": n, "settings": s, "after": [a.tolist() for a in r]} for f, n, s, r in optimizers
    ],
}
path = Path(__file__).with_suffix(".json")
path.write_text(json.dumps(out, indent=1) + "\n")
