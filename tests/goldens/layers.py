"""Layers with weights and initialisers from Keras 3 (on JAX) and PyTorch themselves, in f64.

Writes layers.json, which tests/it/ops/layers.rs reads. Run from anywhere:

    pip install jax==0.10.2 keras==3.15.1 torch==2.15.0
    python tests/goldens/layers.py
"""

import json
import os
from pathlib import Path

os.environ["KERAS_BACKEND"] = "jax"
os.environ["JAX_ENABLE_X64"] = "1"
import jax
import jax.numpy as jnp
import keras
import numpy as np
import torch

keras.config.set_floatx("float64")
torch.set_default_dtype(torch.float64)

rng = np.random.default_rng(33)
x = rng.uniform(-2, 2, (4, 6))
# A row that is all the same: epsilon alone keeps it finite.
x[3] = 0.7


def in_keras(layer, weights):
    """Output, and the gradients of the sum of its sines: of x, then of each weight."""
    layer.build(x.shape)
    values = [jnp.asarray(weights[n]) for n in weights]

    def output(x, values):
        return layer.stateless_call(values, [], x)[0]

    def loss(x, values):
        return jnp.sin(output(x, values)).sum()

    at = jnp.asarray(x)
    dx, dw = jax.grad(loss, (0, 1))(at, values)
    return output(at, values), dx, dict(zip(weights, dw))


def in_torch(layer, weights):
    at = torch.tensor(x, requires_grad=True)
    with torch.no_grad():
        for name, value in weights.items():
            getattr(layer, name).copy_(torch.tensor(value))
    y = layer(at)
    torch.sin(y).sum().backward()
    return y.detach(), at.grad, {n: getattr(layer, n).grad for n in weights}


L, N = keras.layers, torch.nn
gain, shift = rng.uniform(0.5, 1.5, 6), rng.uniform(-1, 1, 6)
both = dict(weight=gain, bias=shift)


class Grouped(torch.nn.GroupNorm):
    """Of three places and two channels, channels last."""

    def __init__(self):
        super().__init__(2, 2)

    def forward(self, x):
        return super().forward(x.reshape(4, 3, 2).transpose(1, 2)).transpose(1, 2)


slopes = rng.uniform(-0.5, 0.5, (4, 6))[0]
cases = [
    ("keras", "LayerNorm", both, L.LayerNormalization()),
    ("keras", "LayerNorm(epsilon=0.1)", both, L.LayerNormalization(epsilon=0.1)),
    ("keras", "LayerNorm(center=false)", dict(weight=gain), L.LayerNormalization(center=False)),
    ("keras", "LayerNorm(scale=false)", dict(bias=shift), L.LayerNormalization(scale=False)),
    ("keras", "LayerNorm(scale=false, center=false)", {}, L.LayerNormalization(scale=False, center=False)),
    ("torch", "LayerNorm", both, N.LayerNorm(6)),
    ("torch", "LayerNorm(center=false)", dict(weight=gain), N.LayerNorm(6, bias=False)),
    ("keras", "GroupNorm(3)", both, L.GroupNormalization(3)),
    ("keras", "GroupNorm(2, scale=false, epsilon=0.1)", dict(bias=shift), L.GroupNormalization(2, scale=False, epsilon=0.1)),
    ("torch", "GroupNorm(3)", both, N.GroupNorm(3, 6)),
    ("torch", "Reshape(3, 2) |> GroupNorm(2)", dict(weight=gain[:2], bias=shift[:2]), Grouped()),
    ("keras", "RMSNorm", dict(weight=gain), L.RMSNormalization()),
    ("keras", "RMSNorm(epsilon=0.1)", dict(weight=gain), L.RMSNormalization(epsilon=0.1)),
    ("torch", "RMSNorm(epsilon=0.1)", dict(weight=gain), N.RMSNorm(6, 0.1)),
    ("torch", "RMSNorm(scale=false, epsilon=0.1)", {}, N.RMSNorm(6, 0.1, elementwise_affine=False)),
    ("keras", "PReLU", dict(weight=slopes), L.PReLU()),
    ("keras", "PReLU(per=layer)", dict(weight=slopes[:1]), L.PReLU(shared_axes=[1])),
    ("torch", "PReLU", dict(weight=slopes[:1]), N.PReLU()),
    ("torch", "PReLU(per=channel)", dict(weight=slopes), N.PReLU(6)),
]
RUN = {"keras": in_keras, "torch": in_torch}


def flat(values):
    return np.asarray(values, dtype=float).ravel().tolist()


def case(framework, stage, weights, layer):
    y, dx, dw = RUN[framework](layer, weights)
    gradients = {name: flat(d) for name, d in dw.items()}
    return dict(
        framework=framework, stage=stage, weights={n: flat(w) for n, w in weights.items()}, y=flat(y), dx=flat(dx), dw=gradients
    )


I = keras.initializers
initialisers = {
    "zeros": I.Zeros(),
    "ones": I.Ones(),
    "Constant(0.3)": I.Constant(0.3),
    "Normal": I.RandomNormal(seed=1),
    "Normal(mean=1, std=0.2)": I.RandomNormal(1.0, 0.2, seed=2),
    "TruncatedNormal": I.TruncatedNormal(seed=3),
    "TruncatedNormal(mean=-1, std=0.3)": I.TruncatedNormal(-1.0, 0.3, seed=4),
    "Uniform": I.RandomUniform(seed=5),
    "Uniform(0.2)": I.RandomUniform(-0.2, 0.2, seed=6),
    "glorot_uniform": I.GlorotUniform(seed=7),
    "glorot_normal": I.GlorotNormal(seed=8),
    "he_uniform": I.HeUniform(seed=9),
    "he_normal": I.HeNormal(seed=10),
    "lecun_uniform": I.LecunUniform(seed=11),
    "lecun_normal": I.LecunNormal(seed=12),
    "VarianceScaling": I.VarianceScaling(seed=13),
    "VarianceScaling(3, mode=fan_out)": I.VarianceScaling(3.0, "fan_out", seed=14),
    "VarianceScaling(2, mode=fan_avg, distribution=uniform)": I.VarianceScaling(2.0, "fan_avg", "uniform", seed=15),
    "VarianceScaling(0.5, distribution=untruncated_normal)": I.VarianceScaling(
        0.5, "fan_in", "untruncated_normal", seed=16
    ),
    "Orthogonal": I.Orthogonal(seed=17),
    "Orthogonal(gain=1.5)": I.Orthogonal(1.5, seed=18),
    "Identity": I.Identity(),
    "Identity(gain=2)": I.Identity(2.0),
}


def moments(initialiser):
    """Of a matrix of 300 to 400: mean, standard deviation, and the largest distance from the mean."""
    w = np.asarray(initialiser((300, 400)), dtype=float)
    return [w.mean(), w.std(), np.abs(w - w.mean()).max()]


out = {
    "versions": {"keras": keras.__version__, "torch": torch.__version__},
    "x": x.tolist(),
    "layers": [case(*c) for c in cases],
    "initialisers": {call: moments(i) for call, i in initialisers.items()},
}
path = Path(__file__).with_suffix(".json")
path.write_text(json.dumps(out, indent=1) + "\n")
