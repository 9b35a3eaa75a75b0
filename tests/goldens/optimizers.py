"""Fifty losses of each optimizer in Keras 3 (on JAX) and in PyTorch, on the digits that the project ships.

Every run starts from the weights that `mlc train SPEC --steps 0` writes and sees the rows in file order, so
mlc must give the same losses. Run from the repository's root:

    cargo build --release
    pip install jax==0.10.2 keras==3.15.1 torch==2.15.0 safetensors
    python tests/goldens/optimizers.py

Writes tests/goldens/optimizers.json, which tests/it/parity.rs reads.
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
        text = (HERE / "optimizers.mlspec").read_text()
        spec.write_text(text.replace("mlspec 1\n", f"mlspec 1 defaults {framework}\n"))
        train = [MLC, "train", str(spec), "--steps", "0", "--data", str(SPECS), "--out", str(out)]
        subprocess.run(train, check=True)
        return load_file(out / "model.safetensors")


def in_keras(weights, optimizer):
    model = keras.Sequential([
        keras.Input((64,)),
        keras.layers.Dense(32, activation="tanh"),
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
    model = torch.nn.Sequential(torch.nn.Linear(64, 32), torch.nn.Tanh(), torch.nn.Linear(32, 10))
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


K, T = keras.optimizers, torch.optim
# Settings that are not said are the frameworks' own defaults, and mlc's.
RUNS = [
    ("keras", "SGD(lr=0.1, momentum=0.9)", lambda: K.SGD(0.1, momentum=0.9)),
    ("keras", "SGD(lr=0.1, momentum=0.9, nesterov=true)", lambda: K.SGD(0.1, momentum=0.9, nesterov=True)),
    ("keras", "Adam", lambda: K.Adam()),
    ("keras", "AdamW", lambda: K.AdamW()),
    ("keras", "AdamW(lr=0.01, weight_decay=0.1)", lambda: K.AdamW(0.01, weight_decay=0.1)),
    ("keras", "Adamax", lambda: K.Adamax()),
    ("keras", "Nadam", lambda: K.Nadam()),
    ("keras", "Lion", lambda: K.Lion()),
    ("keras", "RMSprop", lambda: K.RMSprop()),
    ("keras", "RMSprop(momentum=0.9, centered=true)", lambda: K.RMSprop(momentum=0.9, centered=True)),
    ("keras", "Adagrad(lr=0.1)", lambda: K.Adagrad(0.1)),
    ("keras", "Adadelta(lr=1)", lambda: K.Adadelta(1.0)),
    ("torch", "SGD(lr=0.1, momentum=0.9)", lambda: lambda p: T.SGD(p, 0.1, momentum=0.9)),
    (
        "torch",
        "SGD(lr=0.1, momentum=0.9, nesterov=true)",
        lambda: lambda p: T.SGD(p, 0.1, momentum=0.9, nesterov=True),
    ),
    ("torch", "Adam", lambda: T.Adam),
    ("torch", "AdamW", lambda: T.AdamW),
    ("torch", "AdamW(lr=0.01, weight_decay=0.1)", lambda: lambda p: T.AdamW(p, 0.01, weight_decay=0.1)),
    ("torch", "Adamax", lambda: T.Adamax),
    ("torch", "Nadam", lambda: T.NAdam),
    ("torch", "RMSprop", lambda: T.RMSprop),
    (
        "torch",
        "RMSprop(lr=1e-3, momentum=0.9, centered=true)",
        lambda: lambda p: T.RMSprop(p, 1e-3, momentum=0.9, centered=True),
    ),
    ("torch", "Adagrad", lambda: T.Adagrad),
    ("torch", "Adadelta", lambda: T.Adadelta),
]
TRAIN = {"keras": in_keras, "torch": in_torch}


def main():
    weights = {framework: initial(framework) for framework in TRAIN}
    runs = [
        dict(framework=framework, optimizer=spec, losses=TRAIN[framework](weights[framework], optimizer()))
        for framework, spec, optimizer in RUNS
    ]
    versions = dict(keras=keras.__version__, torch=torch.__version__)
    text = json.dumps(dict(versions=versions, batch=BATCH, runs=runs), indent=1)
    (HERE / "optimizers.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
