"""Two hundred learning rates of each schedule in Keras 3 (on JAX) or in PyTorch.

Run from the repository's root:

    pip install jax==0.10.2 keras==3.15.1 torch==2.15.0
    python tests/goldens/schedules.py

Writes tests/goldens/schedules.json, which tests/it/schedules.rs reads. Rates are those that the update of a step
uses: Keras counts updates from 0, PyTorch's scheduler moves on behind the optimizer's step.
"""
import json
import os
import pathlib

os.environ["KERAS_BACKEND"] = "jax"
import keras
import torch

HERE = pathlib.Path(__file__).parent
STEPS = 200
K, T = keras.optimizers.schedules, torch.optim.lr_scheduler
# Steps of an epoch where a schedule counts in epochs.
EPOCH = 20


def in_keras(schedule):
    return [float(schedule(step)) for step in range(STEPS)]


def in_torch(make, lr, per=1):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=lr)
    scheduler = make(optimizer)
    rates = []
    for step in range(STEPS):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        # The last move of a schedule that knows its length is one too many.
        if (step + 1) % per == 0 and step + 1 < STEPS:
            scheduler.step()
    return rates


def warm(then, warmup, start):
    """A linear warm-up of PyTorch, then another schedule."""
    return lambda o: T.SequentialLR(
        o, [T.LinearLR(o, start_factor=start, end_factor=1.0, total_iters=warmup), then(o)], [warmup]
    )


RUNS = [
    ("torch", "constant", 0.1, lambda: in_torch(lambda o: T.LambdaLR(o, lambda step: 1.0), 0.1)),
    (
        "torch",
        "constant(warmup=30, start=0.02)",
        0.1,
        lambda: in_torch(lambda o: T.LinearLR(o, start_factor=0.2, total_iters=30), 0.1),
    ),
    ("torch", "step(every=30)", 0.1, lambda: in_torch(lambda o: T.StepLR(o, 30), 0.1)),
    ("torch", "step(2, factor=0.5, per=epoch)", 0.1, lambda: in_torch(lambda o: T.StepLR(o, 2, 0.5), 0.1, EPOCH)),
    ("keras", "exponential(0.9, every=25)", 0.1, lambda: in_keras(K.ExponentialDecay(0.1, 25, 0.9))),
    (
        "keras",
        "exponential(rate=0.5, every=40, staircase=true)",
        0.1,
        lambda: in_keras(K.ExponentialDecay(0.1, 40, 0.5, staircase=True)),
    ),
    ("torch", "exponential(0.98)", 0.1, lambda: in_torch(lambda o: T.ExponentialLR(o, 0.98), 0.1)),
    ("keras", "polynomial", 0.1, lambda: in_keras(K.PolynomialDecay(0.1, STEPS))),
    (
        "keras",
        "polynomial(end=0.01, power=2, steps=150)",
        0.1,
        lambda: in_keras(K.PolynomialDecay(0.1, 150, 0.01, power=2.0)),
    ),
    ("torch", "polynomial(power=0.5)", 0.1, lambda: in_torch(lambda o: T.PolynomialLR(o, STEPS, 0.5), 0.1)),
    (
        "torch",
        "linear(end=0.01, steps=120)",
        0.1,
        lambda: in_torch(lambda o: T.LinearLR(o, 1.0, 0.1, total_iters=120), 0.1),
    ),
    ("keras", "cosine", 0.1, lambda: in_keras(K.CosineDecay(0.1, STEPS))),
    (
        "keras",
        "cosine(warmup=40, end=0.01)",
        0.1,
        lambda: in_keras(K.CosineDecay(0.0, STEPS - 40, alpha=0.1, warmup_target=0.1, warmup_steps=40)),
    ),
    (
        "torch",
        "cosine(end=0.001, warmup=20, start=0.01)",
        0.1,
        lambda: in_torch(warm(lambda o: T.CosineAnnealingLR(o, STEPS - 20, 0.001), 20, 0.1), 0.1),
    ),
    (
        "keras",
        "cosine_restarts(period=20, m_mul=0.8, end=0.001)",
        0.1,
        lambda: in_keras(K.CosineDecayRestarts(0.1, 20, m_mul=0.8, alpha=0.01)),
    ),
    (
        "torch",
        "cosine_restarts(30, t_mul=2)",
        0.1,
        lambda: in_torch(lambda o: T.CosineAnnealingWarmRestarts(o, 30, 2), 0.1),
    ),
    ("torch", "cosine_restarts(period=50)", 0.1, lambda: in_torch(lambda o: T.CosineAnnealingWarmRestarts(o, 50), 0.1)),
    ("torch", "one_cycle", 0.1, lambda: in_torch(lambda o: T.OneCycleLR(o, 0.1, STEPS, cycle_momentum=False), 0.1)),
    (
        "torch",
        "one_cycle(pct_start=0.4, div_factor=10, final_div_factor=100, anneal=linear)",
        0.1,
        lambda: in_torch(
            lambda o: T.OneCycleLR(o, 0.1, STEPS, None, None, 0.4, "linear", False, div_factor=10, final_div_factor=100),
            0.1,
        ),
    ),
]


def main():
    runs = [
        dict(framework=framework, schedule=spec, lr=lr, values=make()) for framework, spec, lr, make in RUNS
    ]
    versions = dict(keras=keras.__version__, torch=torch.__version__)
    text = json.dumps(dict(versions=versions, steps=STEPS, epoch=EPOCH, runs=runs), indent=1)
    (HERE / "schedules.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
