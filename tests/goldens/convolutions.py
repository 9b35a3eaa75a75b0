"""Fifty losses of a net like LeNet and of a small ResNet with BatchNorm in Keras 3 (on JAX), and the running
statistics at their end, on the digits that the project ships.

Every run starts from the weights that `mlc train SPEC --steps 0` writes and sees the rows in file order, so
mlc must give the same losses. Run from the repository's root:

    cargo build --release
    pip install jax==0.10.2 keras==3.15.1 torch==2.15.0 safetensors
    python tests/goldens/convolutions.py

Writes tests/goldens/convolutions.json, which tests/it/parity.rs reads.
"""
import pathlib
import tempfile

from fifty import SPECS, digits, initial, keras, np, train_in_keras, write

L = keras.layers

DATA = """mlspec 1

data digits {
  source  = idx("data/digits")
  image   = image / 16
  shuffle = false
  batch   = 32
}
"""

TRAIN = """
train {
  feed      { image = digits.image  label = digits.label }
  loss      = CrossEntropy(Net.logits, label)
  optimizer = OPTIMIZER
  steps     = 50
}
"""

LENET = """
model Net {
  input image: f32[B, 8, 8]
  output logits: f32[B, 10] =
    image |> Reshape(8, 8, 1)
          |> Conv2D(6, 3, padding=same, activation=relu) as conv1
          |> MaxPooling2D(2)
          |> Conv2D(12, 3, activation=tanh) as conv2
          |> AveragePooling2D(2, padding=same)
          |> Flatten
          |> Dense(16, activation=relu) as fc1
          |> Dense(10) as fc2
}
"""

RESNET = """
block Same(c: int) (x: f32[B, h, w, c]) -> (y: f32[B, h, w, c]) {
  let change = x |> Conv2D(c, 3, padding=same, bias=false) as conv1 |> BatchNorm as bn1 |> ReLU
                 |> Conv2D(c, 3, padding=same, bias=false) as conv2 |> BatchNorm as bn2
  output y = x + change |> ReLU
}

block Halve(c: int) (x: f32[B, _, _, _]) -> (y: f32[B, _, _, c]) {
  let short  = x |> Conv2D(c, 1, strides=2, bias=false) as skip |> BatchNorm as bn0
  let change = x |> Conv2D(c, 3, strides=2, padding=same, bias=false) as conv1 |> BatchNorm as bn1 |> ReLU
                 |> Conv2D(c, 3, padding=same, bias=false) as conv2 |> BatchNorm as bn2
  output y = short + change |> ReLU
}

model Net {
  input image: f32[B, 8, 8]
  output logits: f32[B, 10] =
    image |> Reshape(8, 8, 1)
          |> Conv2D(8, 3, padding=same, bias=false) as stem |> BatchNorm as bn |> ReLU
          |> Same(8) as a
          |> Halve(16) as b
          |> GlobalAveragePooling2D
          |> Dense(10) as out
}
"""


def conv(name, *sizes, **settings):
    return L.Conv2D(*sizes, padding="same", use_bias=False, name=name, **settings)


def norm(name):
    return L.BatchNormalization(name=name)


def lenet():
    return keras.Sequential([
        keras.Input((64,)),
        L.Reshape((8, 8, 1)),
        L.Conv2D(6, 3, padding="same", activation="relu", name="conv1"),
        L.MaxPooling2D(2),
        L.Conv2D(12, 3, activation="tanh", name="conv2"),
        L.AveragePooling2D(2, padding="same"),
        L.Flatten(),
        L.Dense(16, activation="relu", name="fc1"),
        L.Dense(10, name="fc2"),
    ])


def resnet():
    def block(x, path, channels, strides):
        short = x
        if strides > 1:
            short = norm(f"{path}.bn0")(conv(f"{path}.skip", channels, 1, strides=strides)(x))
        y = L.ReLU()(norm(f"{path}.bn1")(conv(f"{path}.conv1", channels, 3, strides=strides)(x)))
        y = norm(f"{path}.bn2")(conv(f"{path}.conv2", channels, 3)(y))
        return L.ReLU()(L.Add()([short, y]))

    image = keras.Input((64,))
    x = L.Reshape((8, 8, 1))(image)
    x = L.ReLU()(norm("bn")(conv("stem", 8, 3)(x)))
    x = block(block(x, "a", 8, 1), "b", 16, 2)
    return keras.Model(image, L.Dense(10, name="out")(L.GlobalAveragePooling2D()(x)))


PARTS = ["weight", "bias", "running_mean", "running_var"]


def run(name, model, net, ours, optimizer):
    text = DATA + model + TRAIN.replace("OPTIMIZER", ours)
    with tempfile.TemporaryDirectory() as folder:
        spec = pathlib.Path(folder) / "spec.mlspec"
        spec.write_text(text)
        weights = initial(spec, "--data", str(SPECS))
    made = net()
    owners = [layer for layer in made.layers if layer.weights]
    for layer in owners:
        layer.set_weights([weights[f"{layer.name}.{part}"] for part in PARTS if f"{layer.name}.{part}" in weights])
    losses = train_in_keras(made, optimizer, digits())
    norms = [layer for layer in owners if isinstance(layer, L.BatchNormalization)]
    state = {
        f"{layer.name}.{part}": np.asarray(value).ravel().tolist()
        for layer in norms
        for part, value in zip(PARTS[2:], layer.get_weights()[2:])
    }
    return dict(name=name, spec=text, losses=losses, state=state)


def main():
    runs = [
        run("lenet", LENET, lenet, "Adam(lr=1e-3)", keras.optimizers.Adam(1e-3)),
        run("resnet", RESNET, resnet, "SGD(lr=0.01, momentum=0.9)", keras.optimizers.SGD(0.01, 0.9)),
    ]
    write("convolutions.json", runs=runs)


if __name__ == "__main__":
    main()
