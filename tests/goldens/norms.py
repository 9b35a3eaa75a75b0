"""Fifty losses of a net with LayerNorm, RMSNorm and PReLU in Keras 3 (on JAX) and in PyTorch, with the
defaults of each, on the digits that the project ships.

Every run starts from the weights that `mlc train SPEC --steps 0` writes and sees the rows in file order, so
mlc must give the same losses. Run from the repository's root:

    cargo build --release
    pip install jax==0.10.2 keras==3.15.1 torch==2.15.0 safetensors
    python tests/goldens/norms.py

Writes tests/goldens/norms.json, which tests/it/parity.rs reads.
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


def rows():
    def idx(name, header):
        return np.frombuffer(gzip.open(SPECS / "data/digits" / name).read(), np.uint8)[header:]

    n = STEPS * BATCH
    images = idx("digits-images-idx3-ubyte.gz", 16)[: n * 64].reshape(n, 64).astype(np.float32) / 16
    labels = idx("digits-labels-idx1-ubyte.gz", 8)[:n].astype(np.int32)
    return [(images[i : i + BATCH], labels[i : i + BATCH]) for i in range(0, n, BATCH)]


def initial(framework):
    with tempfile.TemporaryDirectory() as folder:
        spec, out = pathlib.Path(folder) / "spec.mlspec", pathlib.Path(folder) / "run"
        text = (HERE / "norms.mlspec").read_text()
        spec.write_text(text.replace("mlspec 1\n", f"mlspec 1 defaults {framework}\n"))
        train = [MLC, "train", str(spec), "--steps", "0", "--data", str(SPECS), "--out", str(out)]
        subprocess.run(train, check=True)
        return load_file(out / "model.safetensors")


def in_keras(weights):
    L = keras.layers
    layers = [
        ("fc1", L.Dense(32)),
        ("ln", L.LayerNormalization()),
        ("act", L.PReLU()),
        ("fc2", L.Dense(24)),
        ("rms", L.RMSNormalization()),
        ("fc3", L.Dense(10)),
    ]
    model = keras.Sequential([keras.Input((64,)), *(layer for _, layer in layers)])
    for name, layer in layers:
        parts = [f"{name}.weight", f"{name}.bias"]
        layer.set_weights([weights[part] for part in parts if part in weights])
    model.compile(keras.optimizers.SGD(0.1), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    losses = []
    for x, y in rows():
        # `train_on_batch` averages over batches since the last reset.
        model.reset_metrics()
        losses.append(float(model.train_on_batch(x, y)))
    return losses


def in_torch(weights):
    N = torch.nn
    names = ["fc1", "ln", "act", "fc2", "rms", "fc3"]
    model = N.Sequential(N.Linear(64, 32), N.LayerNorm(32), N.PReLU(), N.Linear(32, 24), N.RMSNorm(24), N.Linear(24, 10))
    with torch.no_grad():
        for name, layer in zip(names, model):
            for part, value in layer.named_parameters():
                given = torch.from_numpy(weights[f"{name}.{part}"].copy())
                value.copy_(given.T if given.ndim == 2 else given)
    step, losses = torch.optim.SGD(model.parameters(), 0.1), []
    for x, y in rows():
        step.zero_grad()
        loss = torch.nn.functional.cross_entropy(model(torch.from_numpy(x)), torch.from_numpy(y).long())
        loss.backward()
        step.step()
        losses.append(loss.item())
    return losses


def main():
    runs = {"keras": in_keras(initial("keras")), "torch": in_torch(initial("torch"))}
    versions = dict(keras=keras.__version__, torch=torch.__version__)
    text = json.dumps(dict(versions=versions, batch=BATCH, runs=runs), indent=1)
    (HERE / "norms.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
