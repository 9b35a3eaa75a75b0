"""Learning rates of Keras' ReduceLROnPlateau over random sequences of a validation loss and of an accuracy.

Run from anywhere:

    pip install jax==0.10.2 keras==3.15.1
    python tests/goldens/plateau.py

Writes plateau.json, which tests/it/schedules.rs reads.
"""
import json
import os
from pathlib import Path
from types import SimpleNamespace

os.environ["KERAS_BACKEND"] = "jax"
import keras
import numpy as np

rng = np.random.default_rng(5)


def rates(values, mode, lr, settings):
    """The rate behind each validation."""
    callback = keras.callbacks.ReduceLROnPlateau(monitor="val_x", mode=mode, **settings)
    optimizer = keras.optimizers.SGD(lr)
    callback.set_model(SimpleNamespace(optimizer=optimizer, metrics=[]))
    callback.on_train_begin()
    found = []
    for epoch, value in enumerate(values):
        callback.on_epoch_end(epoch, {"val_x": value})
        found.append(float(optimizer.learning_rate))
    return found


def case():
    # Sixteenths, so that Keras' comparison in f32 and ours in f64 are of the same numbers, ties included.
    mode = str(rng.choice(["min", "max"]))
    drift = np.linspace(0, rng.uniform(0, 2), 40) * (-1 if mode == "min" else 1)
    values = np.round((3 + drift + rng.normal(0, 0.3, 40)) * 16) / 16
    settings = dict(
        factor=float(rng.choice([0.1, 0.5, 0.9])),
        patience=int(rng.integers(1, 6)),
        min_delta=float(rng.choice([0, 1 / 16, 1 / 4])),
        cooldown=int(rng.integers(0, 4)),
        min_lr=float(rng.choice([0, 1e-3, 0.05])),
    )
    values = [float(v) for v in values]
    found = rates(values, mode, 0.1, settings)
    falls = [(i, rate) for i, (before, rate) in enumerate(zip([found[0], *found], found)) if rate != before]
    return dict(mode=mode, settings=settings, values=values, falls=falls)


cases = [case() for _ in range(200)]
assert sum(len(c["falls"]) > 0 for c in cases) > 150, "most of them fall"
facts = dict(versions=dict(keras=keras.__version__), cases=cases)
(Path(__file__).parent / "plateau.json").write_text(json.dumps(facts, indent=None) + "\n")
