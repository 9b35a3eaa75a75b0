"""Fifty losses of training with a schedule or with clipping in Keras 3 (on JAX) and in PyTorch.

As tests/goldens/optimizers.py, which says how the runs begin. Run from the repository's root:

    cargo build --release
    pip install jax==0.10.2 keras==3.15.1 torch==2.15.0 safetensors
    python tests/goldens/updates.py

Writes tests/goldens/updates.json, which tests/it/parity.rs reads.
"""
from fifty import keras, torch, write
from optimizers import TRAIN, initial

K, T = keras.optimizers, torch.optim
S, R = K.schedules, T.lr_scheduler


class Around:
    """An optimizer of PyTorch with something before and behind its step."""

    def __init__(self, optimizer, before=lambda: None, behind=lambda: None):
        self.optimizer, self.before, self.behind = optimizer, before, behind

    def zero_grad(self):
        self.optimizer.zero_grad()

    def step(self):
        self.before()
        self.optimizer.step()
        self.behind()


def clipped(optimizer, clip):
    def make(parameters):
        parameters = list(parameters)
        return Around(optimizer(parameters), before=lambda: clip(parameters))

    return make


def scheduled(optimizer, schedule):
    def make(parameters):
        inner = optimizer(parameters)
        scheduler = schedule(inner)
        return Around(inner, behind=scheduler.step)

    return make


def within(optimizer, bound):
    """Weights held between -bound and bound, as Wasserstein GANs want it."""

    def make(parameters):
        parameters = list(parameters)

        @torch.no_grad()
        def hold():
            for p in parameters:
                p.clamp_(-bound, bound)

        return Around(optimizer(parameters), behind=hold)

    return make


def sgd(parameters):
    return T.SGD(parameters, 0.5)


def adam(parameters):
    return T.Adam(parameters, 0.01)


CLIP = torch.nn.utils
# Bounds are such that most steps are clipped.
RUNS = [
    ("keras", "SGD(lr=0.5)", "clip = value(0.01)", lambda: K.SGD(0.5, clipvalue=0.01)),
    ("keras", "SGD(lr=0.5)", "clip = norm(0.1)", lambda: K.SGD(0.5, clipnorm=0.1)),
    ("keras", "SGD(lr=0.5)", "clip = global_norm(0.2)", lambda: K.SGD(0.5, global_clipnorm=0.2)),
    ("keras", "Adam(lr=0.01)", "clip = global_norm(0.2)", lambda: K.Adam(0.01, global_clipnorm=0.2)),
    ("torch", "SGD(lr=0.5)", "clip = value(0.01)", lambda: clipped(sgd, lambda p: CLIP.clip_grad_value_(p, 0.01))),
    (
        "torch",
        "Adam(lr=0.01)",
        "clip = global_norm(0.2)",
        lambda: clipped(adam, lambda p: CLIP.clip_grad_norm_(p, 0.2)),
    ),
    ("torch", "SGD(lr=0.5)", "clip = weights(0.1)", lambda: within(sgd, 0.1)),
    (
        "keras",
        "SGD(lr=0.5)",
        "schedule = cosine(warmup=10, end=0.05)",
        lambda: K.SGD(S.CosineDecay(0.0, 40, alpha=0.1, warmup_target=0.5, warmup_steps=10)),
    ),
    (
        "keras",
        "Adam(lr=0.01)",
        "schedule = exponential(0.5, every=20)",
        lambda: K.Adam(S.ExponentialDecay(0.01, 20, 0.5)),
    ),
    (
        "torch",
        "SGD(lr=0.5)",
        "schedule = one_cycle",
        lambda: scheduled(sgd, lambda o: R.OneCycleLR(o, 0.5, 50, cycle_momentum=False)),
    ),
    ("torch", "Adam(lr=0.01)", "schedule = step(every=15)", lambda: scheduled(adam, lambda o: R.StepLR(o, 15))),
]


def main():
    weights = {framework: initial(framework) for framework in TRAIN}
    runs, plain = [], {}
    for framework, optimizer, line, make in RUNS:
        losses = TRAIN[framework](weights[framework], make())
        if (framework, optimizer) not in plain:
            unchanged = {
                ("keras", "SGD(lr=0.5)"): lambda: K.SGD(0.5),
                ("keras", "Adam(lr=0.01)"): lambda: K.Adam(0.01),
                ("torch", "SGD(lr=0.5)"): lambda: sgd,
                ("torch", "Adam(lr=0.01)"): lambda: adam,
            }[framework, optimizer]
            plain[framework, optimizer] = TRAIN[framework](weights[framework], unchanged())
        # A line that changes nothing would test nothing.
        assert abs(losses[-1] / plain[framework, optimizer][-1] - 1) > 0.01, line
        runs.append(dict(framework=framework, optimizer=optimizer, line=line, losses=losses))
    write("updates.json", runs=runs)


if __name__ == "__main__":
    main()
