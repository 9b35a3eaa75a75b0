"""Fifty losses of training with weights of rows and classes, soft labels and label smoothing, in Keras 3 (on
JAX) and in PyTorch.

As tests/goldens/optimizers.py, which says how the runs begin. Run from the repository's root:

    cargo build --release
    pip install jax==0.10.2 keras==3.15.1 torch==2.15.0 safetensors
    python tests/goldens/losses.py

Writes tests/goldens/losses.json, which tests/it/parity.rs reads.
"""
import numpy as np
from fifty import dense_in_keras, dense_in_torch, digits, keras, torch, write
from optimizers import initial

K, F = keras.losses, torch.nn.functional
CLASSES = np.linspace(0.5, 3.2, 10).astype(np.float32)
LIST = ", ".join(f"{w:.1f}" for w in np.linspace(0.5, 3.2, 10))


def one_hot(y):
    return np.eye(10, dtype=np.float32)[y]


def shares(y):
    return (0.7 * one_hot(y) + 0.3 * one_hot((y + 1) % 10)).astype(np.float32)


def weight(y):
    return (0.5 + 0.2 * y).astype(np.float32)


def in_keras(loss, label=lambda y: y, weight=None):
    model = dense_in_keras(initial("keras"), 64, 32, "tanh")
    model.compile(keras.optimizers.SGD(0.1), loss)
    losses = []
    for x, y in digits():
        model.reset_metrics()
        losses.append(float(model.train_on_batch(x, label(y), None if weight is None else weight(y))))
    return losses


def in_torch(loss):
    model = dense_in_torch(initial("torch"), 64, 32, torch.nn.Tanh())
    step, losses = torch.optim.SGD(model.parameters(), 0.1), []
    for x, y in digits():
        step.zero_grad()
        value = loss(model(torch.from_numpy(x)), y)
        value.backward()
        step.step()
        losses.append(value.item())
    return losses


def ids(y):
    return torch.from_numpy(y).long()


def tensor(f):
    return lambda y: torch.from_numpy(f(y))


W = "let w = 0.5 + 0.2 * label"
SHARES = "let target = 0.7 * one_hot(label, 10) + 0.3 * one_hot(label + 1 - 10 * cast(label == 9, i32), 10)"
RUNS = [
    ("keras", [], "CrossEntropy(Mlp.logits, label, label_smoothing=0.1)",
     lambda: in_keras(K.CategoricalCrossentropy(from_logits=True, label_smoothing=0.1), one_hot)),
    ("torch", [], "CrossEntropy(Mlp.logits, label, label_smoothing=0.1)",
     lambda: in_torch(lambda z, y: F.cross_entropy(z, ids(y), label_smoothing=0.1))),
    ("keras", [SHARES], "CrossEntropy(Mlp.logits, target)",
     lambda: in_keras(K.CategoricalCrossentropy(from_logits=True), shares)),
    ("keras", [SHARES], "CrossEntropy(Mlp.logits, target, label_smoothing=0.2)",
     lambda: in_keras(K.CategoricalCrossentropy(from_logits=True, label_smoothing=0.2), shares)),
    ("torch", [SHARES], f"CrossEntropy(Mlp.logits, target, class_weights=[{LIST}])",
     lambda: in_torch(lambda z, y: F.cross_entropy(z, tensor(shares)(y), weight=torch.from_numpy(CLASSES)))),
    ("torch", [], f"CrossEntropy(Mlp.logits, label, class_weights=[{LIST}])",
     lambda: in_torch(lambda z, y: F.cross_entropy(z, ids(y), weight=torch.from_numpy(CLASSES)))),
    ("torch", [], f"CrossEntropy(Mlp.logits, label, class_weights=[{LIST}], label_smoothing=0.1)",
     lambda: in_torch(lambda z, y: F.cross_entropy(z, ids(y), torch.from_numpy(CLASSES), label_smoothing=0.1))),
    ("torch", [], "CrossEntropy(Mlp.logits, label, ignore=3)",
     lambda: in_torch(lambda z, y: F.cross_entropy(z, ids(y), ignore_index=3))),
    ("torch", [], f"CrossEntropy(Mlp.logits, label, class_weights=[{LIST}], ignore=3, label_smoothing=0.1)",
     lambda: in_torch(lambda z, y: F.cross_entropy(z, ids(y), torch.from_numpy(CLASSES), ignore_index=3,
                                                   label_smoothing=0.1))),
    ("keras", [W], "CrossEntropy(Mlp.logits, label, weight=w)",
     lambda: in_keras(K.SparseCategoricalCrossentropy(from_logits=True), weight=weight)),
    ("keras", [W], "MeanSquaredError(Mlp.logits, one_hot(label, 10), weight=w)",
     lambda: in_keras(K.MeanSquaredError(), one_hot, weight)),
    ("keras", [W], "KLDivergence(Mlp.logits, 0.9 * one_hot(label, 10) + 0.01, weight=w)",
     lambda: in_keras(lambda t, z: K.kl_divergence(t, keras.ops.softmax(z)), lambda y: 0.9 * one_hot(y) + 0.01,
                      weight)),
    ("keras", [W], "CosineSimilarity(Mlp.logits, one_hot(label, 10), weight=w)",
     lambda: in_keras(K.CosineSimilarity(), one_hot, weight)),
    ("keras", [], "BinaryCrossEntropy(Mlp.logits, one_hot(label, 10), label_smoothing=0.1)",
     lambda: in_keras(K.BinaryCrossentropy(from_logits=True, label_smoothing=0.1), one_hot)),
    ("torch", [], "BinaryCrossEntropy(Mlp.logits, one_hot(label, 10), pos_weight=3)",
     lambda: in_torch(lambda z, y: F.binary_cross_entropy_with_logits(z, tensor(one_hot)(y),
                                                                      pos_weight=torch.tensor(3.0)))),
    ("torch", [W], "BinaryCrossEntropy(Mlp.logits, one_hot(label, 10), pos_weight=3, weight=w)",
     lambda: in_torch(lambda z, y: F.binary_cross_entropy_with_logits(
         z, tensor(one_hot)(y), tensor(weight)(y)[:, None].expand(-1, 10), pos_weight=torch.tensor(3.0)))),
    ("keras", [], "BinaryFocalCrossEntropy(Mlp.logits, one_hot(label, 10), apply_class_balancing=true, "
     "label_smoothing=0.1)",
     lambda: in_keras(K.BinaryFocalCrossentropy(from_logits=True, apply_class_balancing=True, label_smoothing=0.1),
                      one_hot)),
    ("keras", [SHARES], "CategoricalFocalCrossEntropy(Mlp.logits, target, gamma=1.5, alpha=0.5)",
     lambda: in_keras(K.CategoricalFocalCrossentropy(alpha=0.5, gamma=1.5, from_logits=True), shares)),
    ("keras", [], "CategoricalFocalCrossEntropy(Mlp.logits, label, label_smoothing=0.1)",
     lambda: in_keras(K.CategoricalFocalCrossentropy(from_logits=True, label_smoothing=0.1), one_hot)),
    ("keras", [], f"CategoricalFocalCrossEntropy(Mlp.logits, label, alpha=[{LIST}])",
     lambda: in_keras(K.CategoricalFocalCrossentropy(alpha=CLASSES, from_logits=True), one_hot)),
    ("keras", [SHARES], f"CategoricalFocalCrossEntropy(Mlp.logits, target, gamma=1.5, alpha=[{LIST}])",
     lambda: in_keras(K.CategoricalFocalCrossentropy(alpha=CLASSES, gamma=1.5, from_logits=True), shares)),
]


def main():
    runs = []
    for framework, lets, loss, make in RUNS:
        runs.append(dict(framework=framework, lets=lets, loss=loss, losses=make()))
        # What changes nothing would test nothing.
        plain = {"keras": lambda: in_keras(K.SparseCategoricalCrossentropy(from_logits=True)),
                 "torch": lambda: in_torch(lambda z, y: F.cross_entropy(z, ids(y)))}
        assert abs(runs[-1]["losses"][-1] / PLAIN.setdefault(framework, plain[framework]())[-1] - 1) > 0.01, loss
    write("losses.json", runs=runs)


PLAIN = {}

if __name__ == "__main__":
    main()
