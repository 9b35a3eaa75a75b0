"""Recurrent layers from Keras 3 (on JAX, in f32) and PyTorch (in f64) themselves.

Writes recurrent.json, which tests/it/ops/recurrent.rs reads. Run from anywhere:

    pip install jax==0.10.2 keras==3.15.1 torch==2.15.0
    python tests/goldens/recurrent.py
"""

import json
import os
from pathlib import Path

os.environ["KERAS_BACKEND"] = "jax"
import jax
import jax.numpy as jnp
import keras
import numpy as np
import torch

torch.set_default_dtype(torch.float64)

L = keras.layers
rng = np.random.default_rng(34)
SHAPES = [(4, 3, 2), (2, 5, 1), (1, 1, 3)]
GATES = {"SimpleRNN": 1, "LSTM": 4, "GRU": 3}


def flat(values):
    return np.asarray(values, dtype=float).ravel().tolist()


def in_keras(layer, values, x, **options):
    """Output, and the gradients of the sum of its sines: of x, then of each weight."""
    others = [v.value for v in layer.non_trainable_variables]

    def output(x, values):
        return layer.stateless_call(values, others, x, **options)[0]

    def loss(x, values):
        return jnp.sin(output(x, values)).sum()

    at = jnp.asarray(x)
    return output(at, values), *jax.grad(loss, (0, 1))(at, values)


def weights_of(kind, features, units, after):
    wide = GATES[kind] * units
    weights = dict(
        weight_ih=rng.uniform(-1, 1, (features, wide)),
        weight_hh=rng.uniform(-1, 1, (units, wide)),
        bias=rng.uniform(-1, 1, wide),
    )
    if after:
        weights["bias_hh"] = rng.uniform(-1, 1, wide)
    return weights


def keras_case(kind, settings, shape, units, **options):
    after = kind == "GRU" and options.get("reset_after", True)
    biased = options.get("use_bias", True)
    weights = weights_of(kind, shape[2], units, after)
    if not biased:
        weights = {n: w for n, w in weights.items() if not n.startswith("bias")}
    layer = getattr(L, kind)(units, **options)
    layer.build(shape)
    values = [jnp.asarray(weights["weight_ih"]), jnp.asarray(weights["weight_hh"])]
    if biased:
        both = [weights["bias"], weights["bias_hh"]] if after else weights["bias"]
        values.append(jnp.asarray(np.stack(both) if after else both))
    x = rng.uniform(-2, 2, shape)
    y, dx, dw = in_keras(layer, values, x)
    gradients = dict(zip(["weight_ih", "weight_hh"], dw))
    if biased:
        gradients |= dict(bias=dw[2][0], bias_hh=dw[2][1]) if after else dict(bias=dw[2])
    return case("keras", f"{kind}({units}{settings}) as it", shape, x, weights, y, dx, gradients)


def masked_case(kind, settings, units, **options):
    """Ids, of which 0 is padding, in front, behind and in between."""
    x = np.array([[0, 3, 1, 2], [2, 0, 0, 0], [4, 0, 1, 0], [0, 0, 0, 0]])
    table = rng.uniform(-1, 1, (5, 2))
    weights = weights_of(kind, 2, units, kind == "GRU")
    layer = getattr(L, kind)(units, **options)
    layer.build((4, 4, 2))
    after = kind == "GRU"
    values = [jnp.asarray(weights["weight_ih"]), jnp.asarray(weights["weight_hh"])]
    values.append(jnp.asarray(np.stack([weights["bias"], weights["bias_hh"]]) if after else weights["bias"]))
    y, _, dw = in_keras(layer, values, table[x], mask=jnp.asarray(x != 0))
    gradients = dict(zip(["weight_ih", "weight_hh"], dw[:2]))
    gradients |= dict(bias=dw[2][0], bias_hh=dw[2][1]) if after else dict(bias=dw[2])
    stage = f"cast(i32) |> Embedding(5, 2, mask_zero=true) as e |> {kind}({units}{settings}) as it"
    return case("keras", stage, x.shape, x, weights, y, None, gradients) | {"table": flat(table)}


def torch_case(kind, settings, shape, units):
    after = kind == "GRU"
    weights = weights_of(kind, shape[2], units, after)
    layer = getattr(torch.nn, {"SimpleRNN": "RNN"}.get(kind, kind))(shape[2], units, batch_first=True)
    # PyTorch has r z n.
    order = [1, 0, 2] if after else range(GATES[kind])
    rows = np.concatenate([np.arange(k * units, (k + 1) * units) for k in order])
    zeros = np.zeros(GATES[kind] * units)
    with torch.no_grad():
        layer.weight_ih_l0.copy_(torch.tensor(weights["weight_ih"].T[rows]))
        layer.weight_hh_l0.copy_(torch.tensor(weights["weight_hh"].T[rows]))
        layer.bias_ih_l0.copy_(torch.tensor(weights["bias"][rows]))
        layer.bias_hh_l0.copy_(torch.tensor(weights.get("bias_hh", zeros)[rows]))
    x = rng.uniform(-2, 2, shape)
    at = torch.tensor(x, requires_grad=True)
    y = layer(at)[0]
    torch.sin(y).sum().backward()
    back = np.argsort(rows)
    gradients = dict(
        weight_ih=layer.weight_ih_l0.grad.numpy()[back].T,
        weight_hh=layer.weight_hh_l0.grad.numpy()[back].T,
        bias=layer.bias_ih_l0.grad.numpy()[back],
    )
    if after:
        gradients["bias_hh"] = layer.bias_hh_l0.grad.numpy()[back]
    stage = f"{kind}({units}, return_sequences=true{settings}) as it"
    return case("torch", stage, shape, x, weights, y.detach(), at.grad, gradients)


def case(framework, stage, shape, x, weights, y, dx, gradients):
    return dict(
        framework=framework,
        stage=stage,
        shape=list(shape),
        x=flat(x),
        weights={n: flat(w) for n, w in weights.items()},
        y=flat(y),
        dx=None if dx is None else flat(dx),
        dw={n: flat(d) for n, d in gradients.items()},
    )


cases = []
for kind in GATES:
    for shape, units in zip(SHAPES, (3, 2, 1)):
        cases.append(keras_case(kind, "", shape, units))
        cases.append(torch_case(kind, "", shape, units))
    shape = SHAPES[0]
    cases.append(keras_case(kind, ", return_sequences=true", shape, 3, return_sequences=True))
    cases.append(keras_case(kind, ", go_backwards=true", shape, 3, go_backwards=True))
    backwards = dict(go_backwards=True, return_sequences=True)
    cases.append(keras_case(kind, ", return_sequences=true, go_backwards=true", shape, 3, **backwards))
    cases.append(keras_case(kind, ", bias=false", shape, 3, use_bias=False))
    cases.append(keras_case(kind, ", activation=relu", shape, 3, activation="relu"))
    cases.append(masked_case(kind, "", 3))
    cases.append(masked_case(kind, ", return_sequences=true", 3, return_sequences=True))
cases.append(keras_case("GRU", ", reset_after=false", SHAPES[0], 3, reset_after=False))
cases.append(keras_case("LSTM", ", recurrent_activation=hard_sigmoid", SHAPES[0], 3, recurrent_activation="hard_sigmoid"))


def with_states(layer, values, x, states, mask=None):
    """All outputs, and the gradients of the sum of their sines, of the k-th k times."""
    others = [v.value for v in layer.non_trainable_variables]

    def outputs(x, values):
        more = {} if mask is None else {"mask": mask}
        if states:
            more["initial_state"] = [x[:, k] for k in range(states)]
        y = layer.stateless_call(values, others, x, **more)[0]
        return list(y) if isinstance(y, (list, tuple)) else [y]

    def loss(x, values):
        return sum((k + 1) * jnp.sin(y).sum() for k, y in enumerate(outputs(x, values)))

    at = jnp.asarray(x)
    return outputs(at, values), *jax.grad(loss, (0, 1))(at, values)


def in_order(kind, weights):
    """A layer's weights as Keras has them, and back."""
    bias = [weights["bias"], weights["bias_hh"]] if kind == "GRU" else weights["bias"]
    return [jnp.asarray(w) for w in (weights["weight_ih"], weights["weight_hh"], np.stack(bias) if kind == "GRU" else bias)]


def by_name(kind, dw, at=""):
    biases = dict(bias=dw[2][0], bias_hh=dw[2][1]) if kind == "GRU" else dict(bias=dw[2])
    return {f"{at}{n}": d for n, d in (dict(weight_ih=dw[0], weight_hh=dw[1]) | biases).items()}


def text_of(options):
    spell = lambda v: str(v).lower() if isinstance(v, bool) else v
    return "".join(f", {k}={spell(v)}" for k, v in options.items())


def state_case(kind, shape, units, states=0, **options):
    """Last states among the results; with `states` the first steps are what the layer starts from."""
    weights = weights_of(kind, shape[2], units, kind == "GRU")
    layer = getattr(L, kind)(units, return_state=True, **options)
    layer.build(shape)
    x = rng.uniform(-2, 2, shape)
    ys, dx, dw = with_states(layer, in_order(kind, weights), x, states)
    stage = f"{kind}({units}, return_state=true{text_of(options)}) as it"
    return several(stage, shape, x, weights, ys, dx, by_name(kind, dw), states)


def several(stage, shape, x, weights, ys, dx, gradients, states):
    made = case("keras", stage, shape, x, weights, ys[0], dx, gradients)
    parts = ["x"] + [f"x[:, {k}]" for k in range(states)]
    return made | dict(states=[flat(y) for y in ys[1:]], input=f"({', '.join(parts)})" if states else "x")


def both_ways(kind, shape, units, merge="concat", states=0, table=None, **options):
    """`Bidirectional`, of ids with padding if there is a table."""
    features = 2 if table is not None else shape[2]
    sides = {at: weights_of(kind, features, units, kind == "GRU") for at in ("forward", "backward")}
    layer = L.Bidirectional(getattr(L, kind)(units, **options), merge_mode="ave" if merge == "average" else merge)
    layer.build((*shape[:2], features))
    values = in_order(kind, sides["forward"]) + in_order(kind, sides["backward"])
    weights = {f"{at}.{n}": w for at, side in sides.items() for n, w in side.items()}
    x = rng.uniform(-2, 2, shape) if table is None else IDS
    seen = x if table is None else table[x]
    ys, dx, dw = with_states(layer, values, seen, states, None if table is None else jnp.asarray(x != 0))
    gradients = by_name(kind, dw[:3], "forward.") | by_name(kind, dw[3:], "backward.")
    stage = f"Bidirectional({kind}({units}{text_of(options)}), merge={merge}) as it"
    if table is None:
        return several(stage, shape, x, weights, ys, dx, gradients, states)
    stage = f"cast(i32) |> Embedding(5, 2, mask_zero=true) as e |> {stage}"
    return several(stage, x.shape, x, weights, ys, None, gradients, 0) | {"table": flat(table)}


def each_step(shape, units, activation):
    weights = dict(weight=rng.uniform(-1, 1, (shape[-1], units)), bias=rng.uniform(-1, 1, units))
    layer = L.TimeDistributed(L.Dense(units, activation=activation))
    layer.build(shape)
    x = rng.uniform(-2, 2, shape)
    ys, dx, dw = with_states(layer, [jnp.asarray(w) for w in weights.values()], x, 0)
    stage = f"TimeDistributed(Dense({units}, activation={activation})) as it"
    return several(stage, shape, x, weights, ys, dx, dict(weight=dw[0], bias=dw[1]), 0)


IDS = np.array([[0, 3, 1, 2], [2, 0, 0, 0], [4, 0, 1, 0], [0, 0, 0, 0]])
for kind in GATES:
    carries = 2 if kind == "LSTM" else 1
    for shape in SHAPES[:2]:
        units = shape[2]
        cases.append(state_case(kind, shape, units))
        cases.append(state_case(kind, shape, units, carries, return_sequences=True))
        cases.append(both_ways(kind, shape, 3))
        cases.append(both_ways(kind, shape, units, "sum", 2 * carries if kind != "LSTM" or shape[1] > 3 else 0, return_sequences=True, return_state=True))
    table = rng.uniform(-1, 1, (5, 2))
    cases.append(both_ways(kind, IDS.shape, 3, table=table))
    cases.append(both_ways(kind, IDS.shape, 3, "mul", table=table, return_sequences=True))
cases.append(both_ways("LSTM", SHAPES[0], 3, "average", return_sequences=True))
cases.append(each_step((4, 3, 2), 3, "tanh"))
cases.append(each_step((2, 5, 1, 3), 2, "relu"))

out = {"versions": {"keras": keras.__version__, "torch": torch.__version__}, "layers": cases}
path = Path(__file__).with_suffix(".json")
path.write_text(json.dumps(out, indent=1) + "\n")
