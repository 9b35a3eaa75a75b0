"""Layers over places of sequences and images from Keras 3 (on JAX), in f64: output and gradients.

Writes images.json, which tests/it/ops/images.rs reads. Run from anywhere:

    pip install jax==0.10.2 keras==3.15.1
    python tests/goldens/images.py
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

keras.config.set_floatx("float64")
L = keras.layers
rng = np.random.default_rng(5)

# Odd sizes and even ones, and sizes of 1.
IMAGES = [(2, 5, 4, 2), (1, 7, 6, 4)]
SEQUENCES = [(2, 7, 2), (1, 6, 4)]

BOTH = ["weight", "bias"]
ON_IMAGES = [
    ("Conv2D(4, 3)", BOTH, lambda: L.Conv2D(4, 3)),
    ("Conv2D(3, (3, 2), strides=2, padding=same, activation=tanh)", BOTH,
     lambda: L.Conv2D(3, (3, 2), strides=2, padding="same", activation="tanh")),
    ("Conv2D(2, [2, 3], strides=(1, 2))", BOTH, lambda: L.Conv2D(2, (2, 3), strides=(1, 2))),
    ("Conv2D(3, 2, dilation=2, padding=same)", BOTH, lambda: L.Conv2D(3, 2, dilation_rate=2, padding="same")),
    ("Conv2D(3, 3, dilation=(2, 1), bias=false)", ["weight"], lambda: L.Conv2D(3, 3, dilation_rate=(2, 1), use_bias=False)),
    ("Conv2D(4, 3, groups=2, padding=same)", BOTH, lambda: L.Conv2D(4, 3, groups=2, padding="same")),
    ("Conv2D(2, 3, groups=2, strides=2, padding=same)", BOTH, lambda: L.Conv2D(2, 3, groups=2, strides=2, padding="same")),
    ("Conv2D(3, 2, strides=2)", BOTH, lambda: L.Conv2D(3, 2, strides=2)),
    ("Conv2D(3, 1, strides=2, padding=same)", BOTH, lambda: L.Conv2D(3, 1, strides=2, padding="same")),
    ("DepthwiseConv2D(3)", BOTH, lambda: L.DepthwiseConv2D(3)),
    ("DepthwiseConv2D(3, strides=2, padding=same, multiplier=2)", BOTH,
     lambda: L.DepthwiseConv2D(3, strides=2, padding="same", depth_multiplier=2)),
    ("DepthwiseConv2D(2, dilation=2, padding=same)", BOTH, lambda: L.DepthwiseConv2D(2, dilation_rate=2, padding="same")),
    ("SeparableConv2D(3, 3, padding=same, multiplier=2)", ["depthwise.weight", "pointwise.weight", "bias"],
     lambda: L.SeparableConv2D(3, 3, padding="same", depth_multiplier=2)),
    ("Conv2DTranspose(3, 3, strides=2, padding=same)", BOTH, lambda: L.Conv2DTranspose(3, 3, strides=2, padding="same")),
    ("Conv2DTranspose(2, 3, strides=2)", BOTH, lambda: L.Conv2DTranspose(2, 3, strides=2)),
    ("Conv2DTranspose(2, 4, strides=2, padding=same)", BOTH, lambda: L.Conv2DTranspose(2, 4, strides=2, padding="same")),
    ("Conv2DTranspose(2, 2, strides=3)", BOTH, lambda: L.Conv2DTranspose(2, 2, strides=3)),
    ("Conv2DTranspose(2, 2, strides=3, padding=same)", BOTH, lambda: L.Conv2DTranspose(2, 2, strides=3, padding="same")),
    ("Conv2DTranspose(2, 3)", BOTH, lambda: L.Conv2DTranspose(2, 3)),
    ("MaxPooling2D", [], lambda: L.MaxPooling2D()),
    ("MaxPooling2D(3, strides=2)", [], lambda: L.MaxPooling2D(3, strides=2)),
    ("MaxPooling2D((3, 2), padding=same)", [], lambda: L.MaxPooling2D((3, 2), padding="same")),
    ("MaxPooling2D(2, strides=1, padding=same)", [], lambda: L.MaxPooling2D(2, strides=1, padding="same")),
    ("AveragePooling2D", [], lambda: L.AveragePooling2D(2)),
    ("AveragePooling2D(3, strides=2, padding=same)", [], lambda: L.AveragePooling2D(3, strides=2, padding="same")),
    ("GlobalMaxPooling2D", [], lambda: L.GlobalMaxPooling2D()),
    ("GlobalAveragePooling2D", [], lambda: L.GlobalAveragePooling2D()),
    ("GlobalAveragePooling2D(keepdims=true)", [], lambda: L.GlobalAveragePooling2D(keepdims=True)),
    ("UpSampling2D", [], lambda: L.UpSampling2D()),
    ("UpSampling2D((2, 3))", [], lambda: L.UpSampling2D((2, 3))),
    ("UpSampling2D(2, interpolation=bilinear)", [], lambda: L.UpSampling2D(2, interpolation="bilinear")),
    ("UpSampling2D((3, 2), interpolation=bilinear)", [], lambda: L.UpSampling2D((3, 2), interpolation="bilinear")),
    ("ZeroPadding2D", [], lambda: L.ZeroPadding2D()),
    ("ZeroPadding2D((1, 2))", [], lambda: L.ZeroPadding2D((1, 2))),
    ("ZeroPadding2D(((1, 0), (2, 3)))", [], lambda: L.ZeroPadding2D(((1, 0), (2, 3)))),
    ("Cropping2D(1)", [], lambda: L.Cropping2D(1)),
    ("Cropping2D(((1, 0), (2, 1)))", [], lambda: L.Cropping2D(((1, 0), (2, 1)))),
    ("Permute(3, 1, 2)", [], lambda: L.Permute((3, 1, 2))),
    ("Rescaling(0.5, -1)", [], lambda: L.Rescaling(0.5, -1)),
]
ON_SEQUENCES = [
    ("Conv1D(3, 3)", BOTH, lambda: L.Conv1D(3, 3)),
    ("Conv1D(3, 3, strides=2, padding=same)", BOTH, lambda: L.Conv1D(3, 3, strides=2, padding="same")),
    ("Conv1D(2, 3, padding=causal, dilation=2)", BOTH, lambda: L.Conv1D(2, 3, padding="causal", dilation_rate=2)),
    ("Conv1D(2, 2, groups=2, padding=same)", BOTH, lambda: L.Conv1D(2, 2, groups=2, padding="same")),
    ("MaxPooling1D", [], lambda: L.MaxPooling1D()),
    ("MaxPooling1D(3, strides=2, padding=same)", [], lambda: L.MaxPooling1D(3, strides=2, padding="same")),
    ("AveragePooling1D(2, padding=same)", [], lambda: L.AveragePooling1D(2, padding="same")),
    ("GlobalMaxPooling1D", [], lambda: L.GlobalMaxPooling1D()),
    ("GlobalAveragePooling1D", [], lambda: L.GlobalAveragePooling1D()),
    ("Cropping1D((1, 2))", [], lambda: L.Cropping1D((1, 2))),
    ("Permute(2, 1)", [], lambda: L.Permute((2, 1))),
]


def flat(values):
    return [float(f"{v:.9g}") for v in np.asarray(values, dtype=float).ravel()]


def ours(stage, name, value):
    """Keras has [.., out, in] behind a transposed convolution, and a depth axis more behind a separable one."""
    value = np.asarray(value)
    if stage.startswith("Conv2DTranspose") and name == "weight":
        return value.swapaxes(2, 3)
    return value


def case(shape, stage, names, make):
    layer = make()
    x = jnp.asarray(rng.uniform(-2, 2, shape))
    layer.build(shape)
    values = [jnp.asarray(rng.uniform(-1, 1, w.shape)) for w in layer.trainable_variables]
    assert len(values) == len(names), stage

    def output(x, values):
        return layer.stateless_call(values, [v for v in layer.non_trainable_variables], x)[0]

    def loss(x, values):
        return jnp.sin(output(x, values)).sum()

    y = output(x, values)
    dx, dw = jax.grad(loss, (0, 1))(x, values)
    return dict(
        stage=stage,
        shape=shape,
        x=flat(x),
        weights={n: flat(ours(stage, n, v)) for n, v in zip(names, values)},
        shape_of_y=list(y.shape),
        y=flat(y),
        dx=flat(dx),
        dw={n: flat(ours(stage, n, d)) for n, d in zip(names, dw)},
    )


cases = [case(s, *row) for row in ON_IMAGES for s in IMAGES] + [case(s, *row) for row in ON_SEQUENCES for s in SEQUENCES]
out = {"versions": {"keras": keras.__version__, "jax": jax.__version__}, "layers": cases}
lines = ",\n".join("  " + json.dumps(c) for c in cases)
text = f'{{\n "versions": {json.dumps(out["versions"])},\n "layers": [\n{lines}\n ]\n}}\n'
Path(__file__).with_suffix(".json").write_text(text)
