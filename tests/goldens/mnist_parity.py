"""Fifty losses of the MNIST classifier in Keras 3 (on JAX) and in PyTorch.

Every run starts from the weights that `mlc train SPEC --steps 0` writes and sees
the training rows in file order, so mlc must give the same losses. Run from the
repository's root:

    cargo build --release
    pip install jax==0.10.2 keras==3.15.1 torch==2.15.0 safetensors
    MLC_DATA=… python tests/goldens/mnist_parity.py

Writes tests/goldens/mnist_parity.json.
"""
import os
import pathlib

from fifty import BATCH, HERE, batches, dense_in_keras, dense_in_torch, initial, keras, torch
from fifty import train_in_keras, train_in_torch, write


def rows():
    folder = pathlib.Path(os.environ["MLC_DATA"]) / "mnist"
    return batches(folder / "train-images-idx3-ubyte.gz", folder / "train-labels-idx1-ubyte.gz", 255)


def in_keras(weights, optimizer):
    return train_in_keras(dense_in_keras(weights, 784, 128, "relu"), optimizer, rows())


def in_torch(weights, optimizer):
    return train_in_torch(dense_in_torch(weights, 784, 128, torch.nn.ReLU()), optimizer, rows())


RUNS = {
    "keras_sgd": (in_keras, lambda: keras.optimizers.SGD(0.1)),
    "keras_adam": (in_keras, lambda: keras.optimizers.Adam(1e-3)),
    "torch_sgd": (in_torch, lambda: lambda p: torch.optim.SGD(p, 0.1)),
    "torch_adam": (in_torch, lambda: lambda p: torch.optim.Adam(p, 1e-3)),
}


def main():
    goldens = {}
    for name, (run, optimizer) in RUNS.items():
        weights = initial(HERE / f"mnist_{name}.mlspec")
        goldens[name] = dict(
            first_weight=float(weights["fc1.weight"].reshape(-1)[0]),
            losses=run(weights, optimizer()),
        )
    write("mnist_parity.json", batch=BATCH, runs=goldens)


if __name__ == "__main__":
    main()
