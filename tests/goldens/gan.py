"""Fifty losses of the two steps of `gan.mlspec` in PyTorch: a critic with a batch norm, and a generator that learns on
each batch or on every third.

The rows are the digits in file order, which are the noise too; the first weights those of mlc. Run from the
repository's root:

    cargo build --release
    pip install keras==3.15.1 jax==0.10.2 torch==2.15.0 safetensors
    python tests/goldens/gan.py

Writes tests/goldens/gan.json, which tests/it/parity.rs reads.
"""
import pathlib
import tempfile

import torch
from fifty import HERE, SPECS, digits, initial, write
from torch.nn.functional import binary_cross_entropy_with_logits as bce

TEXT = (HERE / "gan.mlspec").read_text()


def first_weights():
    with tempfile.TemporaryDirectory() as folder:
        spec = pathlib.Path(folder) / "gan.mlspec"
        spec.write_text(TEXT)
        return initial(spec, "--data", str(SPECS))


def dense(weights, name):
    weight, bias = (torch.from_numpy(weights[f"{name}.{part}"].copy()) for part in ("weight", "bias"))
    layer = torch.nn.Linear(*weight.shape)
    with torch.no_grad():
        layer.weight.copy_(weight.T)
        layer.bias.copy_(bias)
    return layer


def nets(weights):
    # A kink would tell two roundings apart.
    tanh = torch.nn.Tanh()
    g = torch.nn.Sequential(dense(weights, "G.fc1"), tanh, dense(weights, "G.fc2"), tanh)
    norm = torch.nn.BatchNorm1d(32)
    d = torch.nn.Sequential(dense(weights, "D.fc1"), norm, tanh, dense(weights, "D.fc2"), torch.nn.Flatten(0))
    return g, d, norm


def run(weights, every):
    g, d, norm = nets(weights)
    critic = torch.optim.Adam(d.parameters(), lr=2e-3, betas=(0.5, 0.999))
    generator = torch.optim.Adam(g.parameters(), lr=1e-3, betas=(0.5, 0.999))
    losses = []
    for batch, (x, _) in enumerate(digits()):
        real = torch.from_numpy(x * 2 - 1)
        ones, zeros = torch.ones(len(real)), torch.zeros(len(real))
        critic.zero_grad()
        first = bce(d(real), ones) + bce(d(g(real).detach()), zeros)
        first.backward()
        critic.step()
        if (batch + 1) % every:
            losses.append([first.item(), None])
            continue
        generator.zero_grad()
        second = bce(d(g(real)), ones)
        second.backward()
        generator.step()
        losses.append([first.item(), second.item()])
    running = dict(running_mean=norm.running_mean.tolist(), running_var=norm.running_var.tolist())
    return dict(every=every, losses=losses, **running)


start = first_weights()
write("gan.json", runs=[run(start, 1), run(start, 3)])
