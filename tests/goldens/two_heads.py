"""Fifty losses of `specs/two_heads.mlspec` in Keras 3 (on JAX): its functional API with two inputs, two outputs, a
loss for each and `loss_weights`.

The rows are all of the iris table in file order, the first weights those of mlc. Run from the repository's root:

    cargo build --release
    pip install jax==0.10.2 keras==3.15.1 torch==2.15.0 safetensors
    python tests/goldens/two_heads.py

Writes tests/goldens/two_heads.json, which tests/it/parity.rs reads.
"""
import pathlib
import tempfile

from fifty import SPECS, STEPS, initial, keras, np, write

BATCH = 16
# What makes of the lesson a run over all rows in file order, as tests/it/parity.rs does it.
CHANGES = {
    "  split { train = 60%  valid = 20%  test = 20%  stratify = species  seed = 1 }": "  shuffle = false",
    "epochs    = 60": "steps     = 50",
}


def first_weights():
    text = (SPECS / "two_heads.mlspec").read_text()
    for old, new in CHANGES.items():
        assert old in text, old
        text = text.replace(old, new)
    with tempfile.TemporaryDirectory() as folder:
        spec = pathlib.Path(folder) / "two_heads.mlspec"
        spec.write_text(text)
        return initial(spec, "--data", str(SPECS))


def rows():
    table = np.loadtxt(SPECS / "data/iris.csv", delimiter=",", skiprows=1)
    x, species = table[:, :4], table[:, 4].astype(np.int32)
    x = ((x - x.mean(axis=0)) / x.std(axis=0)).astype(np.float32)
    sepal_length, sepal_width, petal = x[:, 0], x[:, 1], x[:, 2:]
    # Epoch after epoch, the last batch of each smaller.
    places = [slice(i, i + BATCH) for i in range(0, len(x), BATCH)]
    for step in range(STEPS):
        at = places[step % len(places)]
        yield (petal[at], sepal_length[at]), (species[at], sepal_width[at])


def model(weights):
    L = keras.layers
    petal, sepal = keras.Input((2,)), keras.Input(())
    named = {
        "petals": L.Dense(8, activation="relu"),
        "sepals": L.Dense(8, activation="relu"),
        "both": L.Dense(16, activation="relu"),
        "kind": L.Dense(3),
        "wide": L.Dense(1),
    }
    sides = [named["petals"](petal), named["sepals"](L.Reshape((1,))(sepal))]
    both = named["both"](L.Concatenate()(sides))
    net = keras.Model([petal, sepal], [named["kind"](both), L.Reshape(())(named["wide"](both))])
    for name, layer in named.items():
        layer.set_weights([weights[f"{name}.weight"], weights[f"{name}.bias"]])
    return net


def main():
    net = model(first_weights())
    entropy = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    net.compile(keras.optimizers.Adam(0.01), [entropy, keras.losses.MeanSquaredError()], loss_weights=[1.0, 0.3])
    losses = []
    for x, y in rows():
        # `train_on_batch` averages over batches since the last reset.
        net.reset_metrics()
        losses.append(float(net.train_on_batch(x, y)[0]))
    write("two_heads.json", batch=BATCH, losses=losses)


main()
