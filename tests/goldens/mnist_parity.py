"""Fifty losses of the MNIST classifier in Keras 3 (on JAX) and in PyTorch.

Every run starts from the weights that `mlc train SPEC --steps 0` writes and sees
the training rows in file order, so mlc must give the same losses. Run from the
repository's root:

    cargo build --release
    pip install jax==0.10.2 keras==3.15.1 torch==2.15.0 safetensors
    MLC_DATA=… python tests/goldens/mnist_parity.py

Writes tests/goldens/mnist_parity.json.
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
DATA = pathlib.Path(os.environ["MLC_DATA"])
MLC = os.environ.get("MLC", "target/release/mlc")
STEPS, BATCH = 50, 32


def rows():
    def idx(name, header):
        return np.frombuffer(gzip.open(DATA / "mnist" / name).read(), np.uint8)[header:]

    n = STEPS * BATCH
    images = idx("train-images-idx3-ubyte.gz", 16)[: n * 784].reshape(n, 784).astype(np.float32) / 255
    labels = idx("train-labels-idx1-ubyte.gz", 8)[:n].astype(np.int32)
    return [(images[i : i + BATCH], labels[i : i + BATCH]) for i in range(0, n, BATCH)]


def initial(spec):
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder) / "run"
        subprocess.run([MLC, "train", str(HERE / spec), "--steps", "0", "--out", str(out)], check=True)
        return load_file(out / "model.safetensors")


def in_keras(weights, optimizer):
    model = keras.Sequential([
        keras.Input((784,)),
        keras.layers.Dense(128, activation="relu"),
        keras.layers.Dense(10),
    ])
    model.set_weights([weights[k] for k in ("fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias")])
    model.compile(optimizer, keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    losses = []
    for x, y in rows():
        # `train_on_batch` averages over batches since the last reset.
        model.reset_metrics()
        losses.append(float(model.train_on_batch(x, y)))
    return losses


def in_torch(weights, optimizer):
    model = torch.nn.Sequential(torch.nn.Linear(784, 128), torch.nn.ReLU(), torch.nn.Linear(128, 10))
    with torch.no_grad():
        for layer, name in ((model[0], "fc1"), (model[2], "fc2")):
            layer.weight.copy_(torch.from_numpy(weights[f"{name}.weight"].T.copy()))
            layer.bias.copy_(torch.from_numpy(weights[f"{name}.bias"]))
    step, losses = optimizer(model.parameters()), []
    for x, y in rows():
        step.zero_grad()
        loss = torch.nn.functional.cross_entropy(model(torch.from_numpy(x)), torch.from_numpy(y).long())
        loss.backward()
        step.step()
        losses.append(loss.item())
    return losses


RUNS = {
    "keras_sgd": (in_keras, lambda: keras.optimizers.SGD(0.1)),
    "keras_adam": (in_keras, lambda: keras.optimizers.Adam(1e-3)),
    "torch_sgd": (in_torch, lambda: lambda p: torch.optim.SGD(p, 0.1)),
    "torch_adam": (in_torch, lambda: lambda p: torch.optim.Adam(p, 1e-3)),
}


def main():
    goldens = {}
    for name, (run, optimizer) in RUNS.items():
        weights = initial(f"mnist_{name}.mlspec")
        goldens[name] = dict(
            first_weight=float(weights["fc1.weight"].reshape(-1)[0]),
            losses=run(weights, optimizer()),
        )
    versions = dict(keras=keras.__version__, torch=torch.__version__)
    text = json.dumps(dict(versions=versions, batch=BATCH, runs=goldens), indent=1)
    (HERE / "mnist_parity.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
