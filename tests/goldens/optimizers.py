"""Fifty losses of each optimizer in Keras 3 (on JAX) and in PyTorch, on the digits that the project ships.

Every run starts from the weights that `mlc train SPEC --steps 0` writes and sees the rows in file order, so
mlc must give the same losses. Run from the repository's root:

    cargo build --release
    pip install jax==0.10.2 keras==3.15.1 torch==2.15.0 safetensors
    python tests/goldens/optimizers.py

Writes tests/goldens/optimizers.json, which tests/it/parity.rs reads.
"""
from fifty import BATCH, dense_in_keras, dense_in_torch, digits, initial_of, keras, torch
from fifty import train_in_keras, train_in_torch, write


def initial(framework):
    return initial_of("optimizers.mlspec", framework)


def in_keras(weights, optimizer):
    return train_in_keras(dense_in_keras(weights, 64, 32, "tanh"), optimizer, digits())


def in_torch(weights, optimizer):
    return train_in_torch(dense_in_torch(weights, 64, 32, torch.nn.Tanh()), optimizer, digits())


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
    write("optimizers.json", batch=BATCH, runs=runs)


if __name__ == "__main__":
    main()
