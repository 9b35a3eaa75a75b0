"""What the scripts of fifty losses share: the rows, first weights and both training loops.

Every run starts from the weights that `mlc train SPEC --steps 0` writes and sees the rows in file order, so
mlc must give the same losses.
"""
import gzip
import json
import os
import pathlib
import subprocess
import tempfile

os.environ["KERAS_BACKEND"] = "jax"
import keras
import numpy as np
import torch
from safetensors.numpy import load_file

HERE = pathlib.Path(__file__).parent
SPECS = HERE.parent.parent / "specs"
MLC = os.environ.get("MLC", "target/release/mlc")
STEPS, BATCH = 50, 32


def batches(images, labels, scale):
    """The first batches of IDX files: flat images over `scale`, and class ids."""

    def idx(path, header):
        return np.frombuffer(gzip.open(path).read(), np.uint8)[header:]

    x, y = idx(images, 16), idx(labels, 8)
    n, pixels = STEPS * BATCH, len(x) // len(y)
    x = x[: n * pixels].reshape(n, pixels).astype(np.float32) / scale
    y = y[:n].astype(np.int32)
    return [(x[i : i + BATCH], y[i : i + BATCH]) for i in range(0, n, BATCH)]


def digits():
    folder = SPECS / "data/digits"
    return batches(folder / "digits-images-idx3-ubyte.gz", folder / "digits-labels-idx1-ubyte.gz", 16)


def initial(spec, *options):
    """The first weights of a spec."""
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder) / "run"
        subprocess.run([MLC, "train", str(spec), "--steps", "0", *options, "--out", str(out)], check=True)
        return load_file(out / "model.safetensors")


def initial_of(template, framework):
    """Those of a spec beside this file, with the defaults of a framework."""
    with tempfile.TemporaryDirectory() as folder:
        spec = pathlib.Path(folder) / "spec.mlspec"
        text = (HERE / template).read_text()
        spec.write_text(text.replace("mlspec 1\n", f"mlspec 1 defaults {framework}\n"))
        return initial(spec, "--data", str(SPECS))


def dense_in_keras(weights, inputs, units, activation):
    """Two dense layers, `fc1` and `fc2`, with ten logits."""
    model = keras.Sequential([
        keras.Input((inputs,)),
        keras.layers.Dense(units, activation=activation),
        keras.layers.Dense(10),
    ])
    model.set_weights([weights[k] for k in ("fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias")])
    return model


def dense_in_torch(weights, inputs, units, activation):
    model = torch.nn.Sequential(torch.nn.Linear(inputs, units), activation, torch.nn.Linear(units, 10))
    with torch.no_grad():
        for layer, name in ((model[0], "fc1"), (model[2], "fc2")):
            layer.weight.copy_(torch.from_numpy(weights[f"{name}.weight"].T.copy()))
            layer.bias.copy_(torch.from_numpy(weights[f"{name}.bias"]))
    return model


def train_in_keras(model, optimizer, rows):
    model.compile(optimizer, keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    losses = []
    for x, y in rows:
        # `train_on_batch` averages over batches since the last reset.
        model.reset_metrics()
        losses.append(float(model.train_on_batch(x, y)))
    return losses


def train_in_torch(model, optimizer, rows):
    step, losses = optimizer(model.parameters()), []
    for x, y in rows:
        step.zero_grad()
        loss = torch.nn.functional.cross_entropy(model(torch.from_numpy(x)), torch.from_numpy(y).long())
        loss.backward()
        step.step()
        losses.append(loss.item())
    return losses


def write(name, **facts):
    versions = dict(keras=keras.__version__, torch=torch.__version__)
    (HERE / name).write_text(json.dumps(dict(versions=versions, **facts), indent=1) + "\n")
