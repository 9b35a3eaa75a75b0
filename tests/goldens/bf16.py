"""Fifty losses of a net of convolutions and of one with attention in PyTorch, whose products see their operands
rounded to bfloat16, forward and backward, and sum in float32; on the digits that the project ships.

That is what `precision = bf16` says. PyTorch's own autocast rounds the results of products as well.

Every run starts from the weights that `mlc train SPEC --steps 0` writes and sees the rows in file order, so
mlc must give the same losses. Run from the repository's root:

    cargo build --release
    pip install jax==0.10.2 keras==3.15.1 torch==2.15.0 safetensors
    python tests/goldens/bf16.py

Writes tests/goldens/bf16.json, which tests/it/parity.rs reads.
"""
import math
import pathlib
import tempfile

from fifty import SPECS, digits, initial, torch, write

F = torch.nn.functional

HEAD = """mlspec 1 defaults torch

data digits {
  source  = idx("data/digits")
  image   = image / 16
  shuffle = false
  batch   = 32
}

model Net {
  input image: f32[B, 8, 8]
  output logits: f32[B, 10] =
"""

TRAIN = """}

train {
  feed      { image = digits.image  label = digits.label }
  loss      = CrossEntropy(Net.logits, label)
  optimizer = Adam(lr=3e-3)
  precision = PRECISION
  steps     = 50
}
"""

IMAGES = """    image |> Reshape(8, 8, 1)
          |> Conv2D(6, 3, padding=same) as conv1 |> ReLU
          |> Conv2D(12, 3, strides=2) as conv2 |> ReLU
          |> Flatten
          |> Dense(10) as fc
"""

ROWS = """    image |> MultiHeadAttention(2, 4, causal=true) as mix
          |> Flatten
          |> Dense(10) as fc
"""


def seen(x, rounds):
    return x.bfloat16().float() if rounds else x


class Product(torch.autograd.Function):
    """`a @ b` of operands in bfloat16, and its gradients as such products."""

    @staticmethod
    def forward(ctx, a, b, rounds):
        ctx.save_for_backward(a, b)
        ctx.rounds = rounds
        return seen(a, rounds) @ seen(b, rounds)

    @staticmethod
    def backward(ctx, dy):
        (a, b), dy = (seen(x, ctx.rounds) for x in ctx.saved_tensors), seen(dy, ctx.rounds)
        da, db = dy @ b.transpose(-1, -2), a.transpose(-1, -2) @ dy
        while db.dim() > b.dim():
            db = db.sum(0)
        return da, db, None


def conv(x, weight, bias, rounds, pad, stride):
    """Of images `[B, C, H, W]` by a kernel `[h, w, C, F]`, as a product of patches."""
    h, w, c, f = weight.shape
    rows = (x.shape[2] + 2 * pad - h) // stride + 1
    patches = F.unfold(x, (h, w), padding=pad, stride=stride).transpose(1, 2)
    kernel = weight.permute(2, 0, 1, 3).reshape(c * h * w, f)
    b, places, k = patches.shape
    y = Product.apply(patches.reshape(b * places, k), kernel, rounds) + bias
    return y.reshape(b, rows, rows, f).permute(0, 3, 1, 2)


def images(p, x, rounds):
    x = torch.relu(conv(x.reshape(-1, 1, 8, 8), p["conv1.weight"], p["conv1.bias"], rounds, 1, 1))
    x = torch.relu(conv(x, p["conv2.weight"], p["conv2.bias"], rounds, 0, 2))
    x = x.permute(0, 2, 3, 1).flatten(1)
    return Product.apply(x, p["fc.weight"], rounds) + p["fc.bias"]


def rows(p, x, rounds):
    x = x.reshape(-1, 8, 8)
    b, t, d = x.shape

    def project(name, y):
        weight, bias = p[f"mix.{name}.weight"], p[f"mix.{name}.bias"]
        y = Product.apply(y.reshape(b * t, -1), weight.reshape(y.shape[-1], -1), rounds) + bias.flatten()
        return y.reshape(b, t, 2, -1).transpose(1, 2)

    q, k, v = (project(name, x) for name in "qkv")
    scores = Product.apply(q, k.transpose(-1, -2), rounds) / math.sqrt(q.shape[-1])
    scores = scores.masked_fill(torch.ones(t, t).triu(1).bool(), -torch.inf)
    mixed = Product.apply(scores.softmax(-1), v, rounds).transpose(1, 2).reshape(b * t, -1)
    weight, bias = p["mix.out.weight"], p["mix.out.bias"]
    y = Product.apply(mixed, weight.reshape(mixed.shape[-1], -1), rounds) + bias
    return Product.apply(y.reshape(b, -1), p["fc.weight"], rounds) + p["fc.bias"]


def trained(net, weights, rounds):
    p = {name: torch.nn.Parameter(torch.from_numpy(w.copy())) for name, w in weights.items()}
    step, losses = torch.optim.Adam(p.values(), lr=3e-3), []
    for x, y in digits():
        step.zero_grad()
        loss = F.cross_entropy(net(p, torch.from_numpy(x), rounds), torch.from_numpy(y).long())
        loss.backward()
        step.step()
        losses.append(loss.item())
    return losses


runs = []
for name, text, net in ("images", IMAGES, images), ("rows", ROWS, rows):
    spec = (HEAD + text + TRAIN).replace("PRECISION", "bf16")
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder) / "spec.mlspec"
        file.write_text(spec)
        weights = initial(file, "--data", str(SPECS))
    losses, exact = trained(net, weights, True), trained(net, weights, False)
    far = max(abs(a - b) / b for a, b in zip(losses, exact))
    print(f"{name}: {losses[0]:.4f} to {losses[-1]:.4f}, at most {far:.1e} from float32")
    runs.append(dict(name=name, spec=spec, losses=losses))
write("bf16.json", runs=runs)
