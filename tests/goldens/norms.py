"""Fifty losses of a net with LayerNorm, RMSNorm and PReLU in Keras 3 (on JAX) and in PyTorch, with the
defaults of each, on the digits that the project ships.

Every run starts from the weights that `mlc train SPEC --steps 0` writes and sees the rows in file order, so
mlc must give the same losses. Run from the repository's root:

    cargo build --release
    pip install jax==0.10.2 keras==3.15.1 torch==2.15.0 safetensors
    python tests/goldens/norms.py

Writes tests/goldens/norms.json, which tests/it/parity.rs reads.
"""
from fifty import BATCH, digits, initial_of, keras, torch, train_in_keras, train_in_torch, write


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
    return train_in_keras(model, keras.optimizers.SGD(0.1), digits())


def in_torch(weights):
    N = torch.nn
    names = ["fc1", "ln", "act", "fc2", "rms", "fc3"]
    model = N.Sequential(N.Linear(64, 32), N.LayerNorm(32), N.PReLU(), N.Linear(32, 24), N.RMSNorm(24), N.Linear(24, 10))
    with torch.no_grad():
        for name, layer in zip(names, model):
            for part, value in layer.named_parameters():
                given = torch.from_numpy(weights[f"{name}.{part}"].copy())
                value.copy_(given.T if given.ndim == 2 else given)
    return train_in_torch(model, lambda p: torch.optim.SGD(p, 0.1), digits())


def main():
    initial = {framework: initial_of("norms.mlspec", framework) for framework in ("keras", "torch")}
    runs = {"keras": in_keras(initial["keras"]), "torch": in_torch(initial["torch"])}
    write("norms.json", batch=BATCH, runs=runs)


if __name__ == "__main__":
    main()
