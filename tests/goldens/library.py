"""Values of activations, losses and optimizers from Keras 3 (on JAX) and PyTorch themselves, in f64.

Writes library.json, which tests/it/ops/values.rs reads. Run from anywhere:

    pip install jax==0.10.2 keras==3.15.1 torch==2.15.0
    python tests/goldens/library.py
"""

import json
import os
from pathlib import Path

os.environ["KERAS_BACKEND"] = "jax"
os.environ["JAX_ENABLE_X64"] = "1"
import keras
import numpy as np
import torch
from keras import activations, losses

keras.config.set_floatx("float64")
torch.set_default_dtype(torch.float64)

rng = np.random.default_rng(21)
x = rng.uniform(-3, 3, (4, 6))
x[0, 0] = 0.0
i = np.array([0, 5, 2, 2])
one_hot = np.eye(6)[i]
wave = np.sin(3 * x)
sides = (wave > 0).astype(float)


def softmax(z):
    return np.asarray(activations.softmax(z))


def loss(found, y_true, y_pred):
    return np.asarray(found(y_true, y_pred))


full = np.full_like
expressions = {
    "elu(x)": activations.elu(x),
    "elu(x, alpha=0.5)": activations.elu(x, alpha=0.5),
    "elu(30 * x)": activations.elu(30 * x),
    "selu(x)": activations.selu(x),
    "selu(30 * x)": activations.selu(30 * x),
    "softsign(x)": activations.softsign(x),
    "relu6(4 * x)": activations.relu6(4 * x),
    "hard_sigmoid(2 * x)": activations.hard_sigmoid(2 * x),
    "hard_silu(2 * x)": activations.hard_silu(2 * x),
    "hard_tanh(x)": activations.hard_tanh(x),
    "mish(x)": activations.mish(x),
    "mish(30 * x)": activations.mish(30 * x),
    "exponential(x)": activations.exponential(x),
    "log_sigmoid(x)": activations.log_sigmoid(x),
    "log_sigmoid(30 * x)": activations.log_sigmoid(30 * x),
}
# Keras averages in f32, whatever goes in.
averages = {
    "MeanAbsoluteError(x, sin(3 * x))": loss(losses.MeanAbsoluteError(), wave, x),
    "MeanAbsolutePercentageError(x, sin(3 * x))": loss(losses.MeanAbsolutePercentageError(), wave, x),
    "MeanAbsolutePercentageError(x, 0)": loss(losses.MeanAbsolutePercentageError(), full(x, 0), x),
    "MeanSquaredLogarithmicError(exp(x), 2)": loss(losses.MeanSquaredLogarithmicError(), full(x, 2), np.exp(x)),
    "MeanSquaredLogarithmicError(x, sin(3 * x))": loss(losses.MeanSquaredLogarithmicError(), wave, x),
    "Huber(x, sin(3 * x))": loss(losses.Huber(), wave, x),
    "Huber(x, 0.5, delta=0.3)": loss(losses.Huber(delta=0.3), full(x, 0.5), x),
    "LogCosh(x, sin(3 * x))": loss(losses.LogCosh(), wave, x),
    "KLDivergence(x, softmax(2 * x))": loss(losses.KLDivergence(), softmax(2 * x), softmax(x)),
    "Hinge(x, sin(3 * x) > 0)": loss(losses.Hinge(), sides, x),
    "Hinge(x, -1)": loss(losses.Hinge(), full(x, -1), x),
    "SquaredHinge(x, sin(3 * x) > 0)": loss(losses.SquaredHinge(), sides, x),
    "Poisson(exp(x), 2)": loss(losses.Poisson(), full(x, 2), np.exp(x)),
    "CosineSimilarity(x, sin(3 * x))": loss(losses.CosineSimilarity(), wave, x),
    "CosineSimilarity(x, x - x)": loss(losses.CosineSimilarity(), full(x, 0), x),
    "BinaryFocalCrossEntropy(x, sin(3 * x) > 0)": loss(losses.BinaryFocalCrossentropy(from_logits=True), sides, x),
    "BinaryFocalCrossEntropy(x, sin(3 * x) > 0, alpha=0.3, gamma=1.5, apply_class_balancing=true)": loss(
        losses.BinaryFocalCrossentropy(from_logits=True, alpha=0.3, gamma=1.5, apply_class_balancing=True), sides, x
    ),
    "CategoricalFocalCrossEntropy(x, i)": loss(losses.CategoricalFocalCrossentropy(from_logits=True), one_hot, x),
    "CategoricalFocalCrossEntropy(x, i, alpha=0.5, gamma=3)": loss(
        losses.CategoricalFocalCrossentropy(from_logits=True, alpha=0.5, gamma=3), one_hot, x
    ),
}



def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def giou(p, t):
    """`torchvision/ops/giou_loss.py`, reduction="mean"."""
    low, high = np.maximum(p[:, :2], t[:, :2]), np.minimum(p[:, 2:], t[:, 2:])
    shared = np.where((high > low).all(1), (high - low).prod(1), 0)
    both = (p[:, 2:] - p[:, :2]).prod(1) + (t[:, 2:] - t[:, :2]).prod(1) - shared
    hull = (np.maximum(p[:, 2:], t[:, 2:]) - np.minimum(p[:, :2], t[:, :2])).prod(1)
    return (1 - (shared / (both + 1e-7) - (hull - both) / (hull + 1e-7))).mean()


def contrastive(a, b, same, margin):
    d = np.linalg.norm(a - b, axis=1)
    return (same * d**2 + (1 - same) * np.maximum(margin - d, 0) ** 2).mean()


corner = 0.2 + np.eye(8)[i][:, :4] * x.mean(1, keepdims=True)
around = np.array([-0.3, 0.1, 0.9, 1.4]) + 0.1 * x.mean(1, keepdims=True)
triplet = [torch.tensor(v) for v in (x, wave, np.cos(x))]
averages |= {
    "CategoricalHinge(x, i)": loss(losses.CategoricalHinge(), one_hot, x),
    "Dice(x, sin(3 * x) > 0)": loss(losses.Dice(), sides, sigmoid(x)),
    "Tversky(x, sin(3 * x) > 0)": loss(losses.Tversky(), sides, sigmoid(x)),
    # Keras' code exchanges what its documentation calls false positives and negatives.
    "Tversky(x, sin(3 * x) > 0, alpha=0.3, beta=0.7)": loss(losses.Tversky(0.7, 0.3), sides, sigmoid(x)),
    "GIoU(0.2 + one_hot(i, 4) * mean(x, axis=-1, keep=true), one_hot(i, 4))": giou(corner, np.eye(8)[i][:, :4]),
    "GIoU(-0.3 * one_hot(i - i, 4) + 0.1 * one_hot(i - i + 1, 4) + 0.9 * one_hot(i - i + 2, 4)"
    " + 1.4 * one_hot(i - i + 3, 4) + 0.1 * mean(x, axis=-1, keep=true), one_hot(i - i + 2, 4) + one_hot(i - i + 3, 4))": giou(
        around, np.array([[0.0, 0, 1, 1]] * 4)
    ),
    "Triplet(x, sin(3 * x), cos(x))": torch.nn.functional.triplet_margin_loss(*triplet).numpy(),
    "Triplet(x, sin(3 * x), cos(x), margin=0.2)": torch.nn.functional.triplet_margin_loss(*triplet, margin=0.2).numpy(),
    "Contrastive(x, sin(3 * x), 0, margin=5)": contrastive(x, wave, 0, 5),
    "Contrastive(x, sin(3 * x), 1)": contrastive(x, wave, 1, 1),
}

w = rng.uniform(-1, 1, 5)
# From tiny to large, and one weight that no gradient reaches.
gradients = rng.normal(0, 0.5, (7, 5)) * np.array([1, 1e-4, 10, 1, 0])


def in_keras(optimizer):
    weight = keras.Variable(w, dtype="float64")
    for g in gradients:
        optimizer.apply([keras.ops.convert_to_tensor(g)], [weight])
    return np.asarray(weight)


def in_torch(optimizer):
    weight = torch.nn.Parameter(torch.tensor(w))
    step = optimizer([weight])
    for g in gradients:
        weight.grad = torch.tensor(g)
        step.step()
    return weight.detach().numpy()


K, T = keras.optimizers, torch.optim
betas = dict(beta_1=0.8, beta_2=0.99)
pair = (0.8, 0.99)
rms = dict(lr=0.01, rho=0.8, momentum=0.0, epsilon=1e-3, centered=0)
optimizers = [
    ("keras", "SGD", dict(lr=0.1, momentum=0.9, nesterov=0), K.SGD(0.1, 0.9)),
    ("torch", "SGD", dict(lr=0.1, momentum=0.9, nesterov=0), lambda p: T.SGD(p, 0.1, 0.9)),
    ("keras", "SGD", dict(lr=0.1, momentum=0.9, nesterov=1), K.SGD(0.1, 0.9, nesterov=True)),
    ("torch", "SGD", dict(lr=0.1, momentum=0.9, nesterov=1), lambda p: T.SGD(p, 0.1, 0.9, nesterov=True)),
    ("keras", "Adam", dict(lr=0.01, epsilon=1e-3, **betas), K.Adam(0.01, *pair, 1e-3)),
    ("torch", "Adam", dict(lr=0.01, epsilon=1e-3, **betas), lambda p: T.Adam(p, 0.01, pair, 1e-3)),
    ("keras", "AdamW", dict(lr=0.01, weight_decay=0.1, epsilon=1e-3, **betas), K.AdamW(0.01, 0.1, *pair, 1e-3)),
    (
        "torch",
        "AdamW",
        dict(lr=0.01, weight_decay=0.1, epsilon=1e-3, **betas),
        lambda p: T.AdamW(p, 0.01, pair, 1e-3, 0.1),
    ),
    ("keras", "Adamax", dict(lr=0.01, epsilon=1e-3, **betas), K.Adamax(0.01, *pair, 1e-3)),
    ("torch", "Adamax", dict(lr=0.01, epsilon=1e-3, **betas), lambda p: T.Adamax(p, 0.01, pair, 1e-3)),
    ("keras", "Nadam", dict(lr=0.01, epsilon=1e-3, momentum_decay=1, **betas), K.Nadam(0.01, *pair, 1e-3)),
    (
        "torch",
        "Nadam",
        dict(lr=0.01, epsilon=1e-3, momentum_decay=0.1, **betas),
        lambda p: T.NAdam(p, 0.01, pair, 1e-3, momentum_decay=0.1),
    ),
    ("keras", "Lion", dict(lr=0.01, **betas), K.Lion(0.01, *pair)),
    ("keras", "RMSprop", rms, K.RMSprop(0.01, 0.8, epsilon=1e-3)),
    ("keras", "RMSprop", rms | dict(momentum=0.9), K.RMSprop(0.01, 0.8, 0.9, 1e-3)),
    ("keras", "RMSprop", rms | dict(centered=1), K.RMSprop(0.01, 0.8, 0.0, 1e-3, True)),
    ("keras", "RMSprop", rms | dict(momentum=0.9, centered=1), K.RMSprop(0.01, 0.8, 0.9, 1e-3, True)),
    ("torch", "RMSprop", rms, lambda p: T.RMSprop(p, 0.01, 0.8, 1e-3)),
    ("torch", "RMSprop", rms | dict(momentum=0.9), lambda p: T.RMSprop(p, 0.01, 0.8, 1e-3, momentum=0.9)),
    ("torch", "RMSprop", rms | dict(centered=1), lambda p: T.RMSprop(p, 0.01, 0.8, 1e-3, centered=True)),
    (
        "torch",
        "RMSprop",
        rms | dict(momentum=0.9, centered=1),
        lambda p: T.RMSprop(p, 0.01, 0.8, 1e-3, momentum=0.9, centered=True),
    ),
    (
        "keras",
        "Adagrad",
        dict(lr=0.1, initial_accumulator_value=0.3, epsilon=1e-3),
        K.Adagrad(0.1, 0.3, 1e-3),
    ),
    (
        "torch",
        "Adagrad",
        dict(lr=0.1, initial_accumulator_value=0.3, epsilon=1e-3),
        lambda p: T.Adagrad(p, 0.1, initial_accumulator_value=0.3, eps=1e-3),
    ),
    ("keras", "Adadelta", dict(lr=0.5, rho=0.8, epsilon=1e-3), K.Adadelta(0.5, 0.8, 1e-3)),
    ("torch", "Adadelta", dict(lr=0.5, rho=0.8, epsilon=1e-3), lambda p: T.Adadelta(p, 0.5, 0.8, 1e-3)),
]
RUN = {"keras": in_keras, "torch": in_torch}

out = {
    "versions": {"keras": keras.__version__, "torch": torch.__version__},
    "x": x.tolist(),
    "i": i.tolist(),
    "expressions": {k: np.asarray(v, dtype=float).ravel().tolist() for k, v in expressions.items()},
    "averages": {k: np.asarray(v, dtype=float).ravel().tolist() for k, v in averages.items()},
    "w": w.tolist(),
    "gradients": gradients.tolist(),
    "optimizers": [
        {"framework": f, "name": n, "settings": s, "after": [RUN[f](o).tolist()]} for f, n, s, o in optimizers
    ],
}
path = Path(__file__).with_suffix(".json")
path.write_text(json.dumps(out, indent=1) + "\n")
