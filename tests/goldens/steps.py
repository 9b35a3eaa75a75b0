"""Fifty losses of what a training step does beside the optimizer: regularisers, weights that do not decay,
groups, freezing, batch norms, gathered gradients, averaged weights, in Keras 3 (on JAX) and in PyTorch.

Every run starts from the weights that `mlc train SPEC --steps 0` writes and sees the rows in file order, so
mlc must give the same losses. Run from the repository's root:

    cargo build --release
    pip install jax==0.10.2 keras==3.15.1 torch==2.15.0 safetensors
    python tests/goldens/steps.py

Writes tests/goldens/steps.json, which tests/it/parity.rs reads.
"""
import pathlib
import re
import tempfile

import numpy as np
from fifty import SPECS, digits, initial, keras, torch, write
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

SPEC = """mlspec 1 defaults {framework}

data digits {{
  source  = idx("data/digits")
  image   = image / 16
  shuffle = false
  batch   = {batch}
}}

model Mlp {{
  input image: f32[B, 8, 8]
  output logits: f32[B, 10] = image |> Flatten {layers}
}}

train {{
  feed {{ image = digits.image  label = digits.label }}
  loss = CrossEntropy(Mlp.logits, label)
  steps = 50
  {train}
}}
"""
PLAIN = "|> Dense(32, activation=tanh) as fc1 |> Dense(10) as fc2"
BATCHED = "|> Dense(32) as fc1 |> BatchNorm as bn |> Tanh |> Dense(10) as fc2"
NORMED = "|> Dense(32) as fc1 |> LayerNorm as ln |> Tanh |> Dense(10) as fc2"


def first(spec):
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder) / "spec.mlspec"
        file.write_text(spec)
        return initial(file, "--data", str(SPECS))


L = keras.layers
K, T = keras.optimizers, torch.optim
R = keras.regularizers


def set_weights(model, weights, names):
    """The layers that have weights, in order, with those of the names."""
    own = [layer for layer in model.layers if layer.get_weights()]
    for layer, name in zip(own, names, strict=True):
        keys = ("weight", "bias", "running_mean", "running_var")
        layer.set_weights([weights[f"{name}.{k}"] for k in keys if f"{name}.{k}" in weights])
    return own


def parts(x, y, count):
    """A batch in so many parts."""
    return zip(np.split(x, count), np.split(y, count))


def in_keras(weights, layers, names, optimizer, freeze=(), count=1):
    model = keras.Sequential([keras.Input((64,)), *layers])
    own = set_weights(model, weights, names)
    for i in freeze:
        model.layers[i].trainable = False
    model.compile(optimizer(model), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    losses = []
    for x, y in digits():
        each = []
        for part in parts(x, y, count):
            model.reset_metrics()
            each.append(float(model.train_on_batch(*part)))
        losses.append(float(np.mean(each)))
    state = {}
    for layer, name in zip(own, names, strict=True):
        if isinstance(layer, L.BatchNormalization):
            state |= {f"{name}.running_mean": flat(layer.moving_mean), f"{name}.running_var": flat(layer.moving_variance)}
    if model.optimizer.use_ema:
        model.optimizer.finalize_variable_values(model.trainable_variables)
        state |= {f"{name}.weight": flat(layer.kernel) for layer, name in zip(own, names, strict=True)}
    return losses, state


def flat(values):
    return np.asarray(values).reshape(-1).tolist()


def in_torch(weights, layers, names, optimizer, penalty=lambda layers: 0, count=1, ema=None):
    model = torch.nn.Sequential(*layers)
    own = [layer for layer in layers if isinstance(layer, (torch.nn.Linear, torch.nn.LayerNorm,
                                                           torch.nn.BatchNorm1d))]
    with torch.no_grad():
        for layer, name in zip(own, names, strict=True):
            weight = weights[f"{name}.weight"]
            layer.weight.copy_(torch.from_numpy((weight.T if weight.ndim == 2 else weight).copy()))
            layer.bias.copy_(torch.from_numpy(weights[f"{name}.bias"]))
    step, losses = optimizer(layers), []
    average = ema and AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(ema))
    for x, y in digits():
        step.zero_grad()
        total = 0
        for x, y in parts(x, y, count):
            loss = torch.nn.functional.cross_entropy(model(torch.from_numpy(x)), torch.from_numpy(y).long())
            loss = (loss + penalty(layers)) / count
            loss.backward()
            total += loss.item()
        step.step()
        if average:
            average.update_parameters(model)
        losses.append(total)
    state = {}
    for layer, name in zip(own, names, strict=True):
        state |= {f"{name}.{k}": v.tolist() for k, v in layer.named_buffers() if k.startswith("running")}
    if average:
        averaged = [layer for layer in average.module if isinstance(layer, torch.nn.Linear)]
        state |= {f"{name}.weight": flat(layer.weight.detach().T) for layer, name in zip(averaged, names, strict=True)}
    return losses, state


def plain(**settings):
    return [L.Dense(32, activation="tanh", **settings), L.Dense(10)]


def normed():
    return [L.Dense(32), L.LayerNormalization(), L.Activation("tanh"), L.Dense(10)]


def torch_plain():
    return [torch.nn.Linear(64, 32), torch.nn.Tanh(), torch.nn.Linear(32, 10)]


def torch_normed():
    return [torch.nn.Linear(64, 32), torch.nn.LayerNorm(32), torch.nn.Tanh(), torch.nn.Linear(32, 10)]


def batched(**settings):
    return [L.Dense(32), L.BatchNormalization(**settings), L.Activation("tanh"), L.Dense(10)]


def torch_batched():
    return [torch.nn.Linear(64, 32), torch.nn.BatchNorm1d(32), torch.nn.Tanh(), torch.nn.Linear(32, 10)]


def parameters(layers):
    return [p for layer in layers for p in layer.parameters()]


def sgd(_):
    return K.SGD(0.1)


def excluding(model):
    optimizer = K.AdamW(0.01, weight_decay=0.5)
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    return optimizer


def two_groups(layers):
    head = list(layers[-1].parameters())
    body = [p for layer in layers[:-1] for p in layer.parameters()]
    return T.AdamW([dict(params=body), dict(params=head, lr=0.003, weight_decay=0.3)], lr=0.01, weight_decay=0.1)


def undecayed(layers):
    norms = [layers[1].weight, layers[0].bias, layers[1].bias, layers[3].bias]
    return T.AdamW([dict(params=[layers[0].weight, layers[3].weight]), dict(params=norms, weight_decay=0.0)],
                   lr=0.01, weight_decay=0.5)


FC, LN, BN = ("fc1", "fc2"), ("fc1", "ln", "fc2"), ("fc1", "bn", "fc2")
# What is compared: framework, layers, lines of `train`, the same in the framework.
RUNS = [
    ("keras", PLAIN.replace("tanh", "tanh, l2=0.01"), "optimizer = SGD(lr=0.1)",
     lambda w: in_keras(w, plain(kernel_regularizer=R.L2(0.01)), FC, sgd)),
    ("keras", PLAIN.replace("tanh", "tanh, l1=1e-3, l2=1e-3, bias_l2=0.1"), "optimizer = SGD(lr=0.1)",
     lambda w: in_keras(w, plain(kernel_regularizer=R.L1L2(1e-3, 1e-3), bias_regularizer=R.L2(0.1)), FC, sgd)),
    # JAX gives a magnitude the slope 1 at 0, where the biases start; PyTorch and mlc 0.
    ("torch", PLAIN.replace("Dense(10)", "Dense(10, bias_l1=0.3)"), "optimizer = SGD(lr=0.1)",
     lambda w: in_torch(w, torch_plain(), FC, lambda layers: T.SGD(parameters(layers), 0.1),
                        lambda layers: 0.3 * layers[2].bias.abs().sum())),
    ("keras", PLAIN.replace("as fc1", "as fc1 |> ActivityRegularization(l1=1e-2, l2=2e-2)"),
     "optimizer = SGD(lr=0.1)", lambda w: in_keras(w, plain(activity_regularizer=R.L1L2(1e-2, 2e-2)), FC, sgd)),
    ("keras", NORMED.replace("LayerNorm", "LayerNorm(l2=1e-3, bias_l2=0.1)"), "optimizer = SGD(lr=0.1)",
     lambda w: in_keras(w, [L.Dense(32), L.LayerNormalization(gamma_regularizer=R.L2(1e-3),
                                                              beta_regularizer=R.L2(0.1)),
                            L.Activation("tanh"), L.Dense(10)], LN, sgd)),
    ("keras", NORMED, "optimizer = AdamW(lr=0.01, weight_decay=0.5, no_decay=[bias, LayerNorm])",
     lambda w: in_keras(w, normed(), LN, excluding)),
    ("torch", NORMED, "optimizer = AdamW(lr=0.01, weight_decay=0.5, no_decay=[bias, ln])",
     lambda w: in_torch(w, torch_normed(), LN, undecayed)),
    ("torch", PLAIN, "optimizer = AdamW(lr=0.01, weight_decay=0.1)  "
     "groups { head { weights = [fc2]  lr = 0.003  weight_decay = 0.3 } }",
     lambda w: in_torch(w, torch_plain(), FC, two_groups)),
    ("keras", NORMED, "optimizer = Adam(lr=0.01)  freeze = [fc1]",
     lambda w: in_keras(w, normed(), LN, lambda _: K.Adam(0.01), freeze=[0])),
    ("torch", NORMED, "optimizer = SGD(lr=0.1, momentum=0.9)  freeze = [LayerNorm, fc2.weight]",
     lambda w: in_torch(w, torch_normed(), LN, lambda layers: T.SGD(
         [*layers[0].parameters(), layers[3].bias], 0.1, momentum=0.9))),
    ("keras", BATCHED, "optimizer = SGD(lr=0.1)", lambda w: in_keras(w, batched(), BN, sgd)),
    ("keras", BATCHED, "optimizer = SGD(lr=0.1)  freeze = [bn]", lambda w: in_keras(w, batched(), BN, sgd, freeze=[1])),
    ("keras", BATCHED.replace("BatchNorm", "BatchNorm(decay=0.8, epsilon=0.1, scale=false)"),
     "optimizer = SGD(lr=0.1)",
     lambda w: in_keras(w, batched(momentum=0.8, epsilon=0.1, scale=False), BN, sgd)),
    ("keras", "|> Reshape(4, 4, 4) |> BatchNorm as bn |> Flatten |> Dense(10) as fc2", "optimizer = SGD(lr=0.1)",
     lambda w: in_keras(w, [L.Reshape((4, 4, 4)), L.BatchNormalization(), L.Flatten(), L.Dense(10)], BN[1:], sgd)),
    ("torch", BATCHED, "optimizer = SGD(lr=0.1)",
     lambda w: in_torch(w, torch_batched(), BN, lambda layers: T.SGD(parameters(layers), 0.1))),
    ("keras", PLAIN, "optimizer = Adam(lr=0.01)  accumulate = 4",
     lambda w: in_keras(w, plain(), FC, lambda _: K.Adam(0.01, gradient_accumulation_steps=4), count=4)),
    ("torch", BATCHED, "optimizer = SGD(lr=0.1, momentum=0.9)  accumulate = 2",
     lambda w: in_torch(w, torch_batched(), BN, lambda layers: T.SGD(parameters(layers), 0.1, momentum=0.9), count=2)),
    ("keras", PLAIN, "optimizer = SGD(lr=0.5)  ema = 0.9",
     lambda w: in_keras(w, plain(), FC, lambda _: K.SGD(0.5, use_ema=True, ema_momentum=0.9))),
    ("torch", PLAIN, "optimizer = Adam(lr=0.01)  ema = 0.95  accumulate = 2",
     lambda w: in_torch(w, torch_plain(), FC, lambda layers: T.Adam(parameters(layers), 0.01), count=2, ema=0.95)),
]


def main():
    runs = []
    for framework, layers, train, make in RUNS:
        batch = 32 // int(dict(re.findall(r"(accumulate) = (\d)", train)).get("accumulate", 1))
        spec = SPEC.format(framework=framework, layers=layers, train=train, batch=batch)
        losses, state = make(first(spec))
        runs.append(dict(name=f"{framework} {layers} {train}", spec=spec, losses=losses, state=state))
    for i, run in enumerate(runs):
        # What changes nothing would test nothing; averages change no loss of training.
        others = [other for other in runs[:i] if "ema" not in run["name"]]
        apart = [np.abs(np.array(run["losses"]) / other["losses"] - 1).max() for other in others]
        assert min(apart, default=1) > 1e-3, run["name"]
    write("steps.json", runs=runs)


if __name__ == "__main__":
    main()
