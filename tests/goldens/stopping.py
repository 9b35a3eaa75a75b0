"""When Keras 3's EarlyStopping ends a training, and whose weights it restores, on 200 random courses of a value.

Run from the repository's root:

    pip install jax==0.10.2 keras==3.15.1
    python tests/goldens/stopping.py

Writes tests/goldens/stopping.json, which tests/it/stopping.rs reads. Values are multiples of 1/64: Keras compares
them as f32.
"""
import json
import os
import pathlib
import random

os.environ["KERAS_BACKEND"] = "jax"
import keras


class Model:
    """As much of a model as the callback looks at."""

    def __init__(self):
        self.stop_training = False
        self.metrics = []
        self.epoch = None

    def get_weights(self):
        return [self.epoch]

    def set_weights(self, weights):
        self.epoch = weights[0]


def case(rng):
    settings = {
        "min_delta": rng.choice([0.0, 0.0, 1 / 64, 8 / 64]),
        "patience": rng.choice([0, 1, 2, 3, 5, 8]),
        "mode": rng.choice(["min", "max"]),
        "baseline": rng.choice([None, None, None, rng.randrange(0, 96) / 64]),
        "start_from_epoch": rng.choice([0, 0, 0, 2, 6]),
    }
    drift = rng.choice([-2, -1, 0, 1, 2])
    value, values = rng.randrange(32, 96), []
    for _ in range(rng.choice([1, 2, 5, 20, 40])):
        value += drift * rng.randrange(0, 3) + rng.randrange(-6, 7) * rng.randrange(0, 2)
        values.append(value / 64)
        if rng.randrange(0, 60) == 0:
            values.append(float("nan"))
    return settings, values


def run(settings, values):
    stop = keras.callbacks.EarlyStopping(monitor="val_loss", restore_best_weights=True, **settings)
    model = Model()
    stop.set_model(model)
    stop.on_train_begin()
    for epoch, value in enumerate(values):
        model.epoch = epoch
        stop.on_epoch_end(epoch, {"val_loss": value})
        if model.stop_training:
            break
    last = epoch
    stop.on_train_end()
    return {
        "stopped": last if model.stop_training else None,
        "restored": model.epoch,
    }


def main():
    rng = random.Random(1)
    cases = []
    for _ in range(200):
        settings, values = case(rng)
        shown = [None if v != v else v for v in values]
        cases.append({**settings, "values": shown, **run(settings, values)})
    path = pathlib.Path(__file__).with_name("stopping.json")
    lines = ",\n".join(json.dumps(c) for c in cases)
    path.write_text("[\n" + lines + "\n]\n")


main()
