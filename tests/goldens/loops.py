"""Fifty losses of recurrent nets and a text CNN in Keras 3 (on JAX), and of CTC in PyTorch, on the sequences that
sequences.py made.

Every run starts from the weights that `mlc train SPEC --steps 0` writes and sees the rows in file order, so mlc must
give the same losses. Run from the repository's root:

    cargo build --release
    pip install jax==0.10.2 keras==3.15.1 torch==2.15.0 safetensors
    python tests/goldens/loops.py

Writes tests/goldens/loops.json, which tests/it/parity.rs reads.
"""
import numpy as np
from fifty import BATCH, HERE, STEPS, initial, keras, torch, write

FOLDER = HERE / "sequences"
L = keras.layers


def cell(w, name):
    """A recurrent layer's weights as Keras has them."""
    bias = w[f"{name}.bias"]
    if f"{name}.bias_hh" in w:
        bias = np.stack([bias, w[f"{name}.bias_hh"]])
    return [w[f"{name}.weight_ih"], w[f"{name}.weight_hh"], bias]


def plain(w, name):
    return [w[f"{name}.{part}"] for part in ("weight", "bias") if f"{name}.{part}" in w]


def both(w, name):
    return cell(w, f"{name}.forward") + cell(w, f"{name}.backward")


def nets():
    words = lambda: ("words", L.Embedding(12, 8, mask_zero=True), plain)
    out = lambda layer: ("out", layer, plain)
    return {
        "lstm": [
            words(),
            ("first", L.LSTM(12, return_sequences=True), cell),
            ("second", L.LSTM(10, activation="sigmoid"), cell),
            out(L.Dense(12)),
        ],
        "gru": [words(), ("gru", L.GRU(12, return_sequences=True), cell), out(L.TimeDistributed(L.Dense(12)))],
        "bidirectional": [
            words(),
            ("first", L.Bidirectional(L.LSTM(8, return_sequences=True)), both),
            ("second", L.Bidirectional(L.GRU(6), merge_mode="ave"), both),
            out(L.Dense(12)),
        ],
        "text_cnn": [
            ("words", L.Embedding(12, 8), plain),
            ("conv", L.Conv1D(16, 3, activation="relu"), plain),
            (None, L.GlobalMaxPooling1D(), None),
            ("fc", L.Dense(16, activation="relu"), plain),
            out(L.Dense(12)),
        ],
    }


def states():
    """The layers, and what they make of ids."""
    words, first = L.Embedding(12, 8, mask_zero=True), L.LSTM(10, return_state=True)
    second, out = L.LSTM(10), L.Dense(12)

    def apply(tokens):
        e = words(tokens)
        y, h, c = first(e)
        # Keras passes a mask on only to a layer that is given one tensor.
        seen = keras.ops.not_equal(tokens, 0)
        return out(second(e, initial_state=[h, c], mask=seen) * y)

    return [("words", words, plain), ("first", first, cell), ("second", second, cell), ("out", out, plain)], apply


def in_turn(layers):
    def apply(x):
        for _, layer, _ in layers:
            x = layer(x)
        return x

    return layers, apply


def losses(name, net, tokens):
    weights = initial(FOLDER / f"{name}.mlspec", "--data", str(FOLDER))
    layers, apply = net
    ids = keras.Input((8,), dtype="int32")
    model = keras.Model(ids, apply(ids))
    for path, layer, of in layers:
        if path:
            layer.set_weights(of(weights, path))
    by = keras.optimizers.SGD(0.5) if name == "gru" else keras.optimizers.Adam(1e-2)
    model.compile(by, keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    found = []
    for i in range(0, STEPS * BATCH, BATCH):
        row = tokens[i : i + BATCH]
        x, y = (row[:, :-1], row[:, 1:]) if name == "gru" else (row[:, 1:], row[:, 0])
        model.reset_metrics()
        found.append(float(model.train_on_batch(x, y)))
    return found


def ctc(tokens, labels):
    """The mean over rows, of which those without an alignment cost nothing."""
    weights = initial(FOLDER / "ctc.mlspec", "--data", str(FOLDER))
    w = {k: torch.from_numpy(v.copy()).requires_grad_() for k, v in weights.items()}
    step, found = torch.optim.SGD(list(w.values()), 0.1), []
    for i in range(0, STEPS * BATCH, BATCH):
        x, y = (torch.from_numpy(a[i : i + BATCH]).long() for a in (tokens, labels))
        logs = (w["words.weight"][x] @ w["out.weight"] + w["out.bias"]).log_softmax(-1).transpose(0, 1)
        lengths = ((ids != 0).sum(1) for ids in (x, y))
        costs = torch.nn.functional.ctc_loss(logs, y, *lengths, reduction="none", zero_infinity=True)
        step.zero_grad()
        costs.mean().backward()
        step.step()
        found.append(costs.mean().item())
    return found


all_nets = {name: in_turn(layers) for name, layers in nets().items()} | {"states": states()}
rows = np.load(FOLDER / "sequences.npz")
runs = {name: losses(name, net, rows["tokens"]) for name, net in all_nets.items()}
write("loops.json", batch=BATCH, runs=runs | {"ctc": ctc(rows["tokens"], rows["source"])})
