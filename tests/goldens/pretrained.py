"""Weights that PyTorch's modules and GPT-2 keep, and what those make of an input.

    python pretrained.py DATA     # the folder that holds models/tiny-gpt2 and models/gpt2-mini-random

Writes into pretrained/: zoo.safetensors, the weights of three small nets with random numbers, in the names and layouts
of PyTorch; zoo.npz, rows and what the nets give for them; tiny-gpt2.npz and gpt2-mini-random.npz, tokens and the logits
of transformers' GPT2LMHeadModel.
"""

import sys
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import BertConfig, BertModel, GPT2Config, GPT2LMHeadModel

HERE = Path(__file__).parent / "pretrained"


class Recurrent(nn.Module):
    """What PyTorch keeps otherwise: gates, two biases, two directions, one matrix for queries, keys and values."""

    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(4, 6, batch_first=True)
        self.gru = nn.GRU(6, 5, batch_first=True, bidirectional=True)
        self.mha = nn.MultiheadAttention(10, 2, batch_first=True)
        self.out = nn.Linear(10, 3)

    def forward(self, x):
        h, _ = self.lstm(x)
        h, _ = self.gru(h)
        h, _ = self.mha(h, h, h)
        return self.out(h)


class Convolutions(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 4, 3)
        self.bn = nn.BatchNorm2d(4)
        self.depth = nn.Conv2d(4, 8, 3, groups=4)
        self.up = nn.ConvTranspose2d(8, 2, 2, stride=2)
        self.out = nn.Linear(2, 3)

    def forward(self, x):
        h = torch.relu(self.bn(self.conv1(x.permute(0, 3, 1, 2))))
        h = self.up(self.depth(h))
        return self.out(h.mean(dim=(2, 3)))


def randomized(net, seed):
    """Every weight, running statistics too, has numbers of its own."""
    torch.manual_seed(seed)
    with torch.no_grad():
        for name, tensor in net.state_dict().items():
            if tensor.is_floating_point():
                tensor.copy_(torch.rand(tensor.shape) * 0.5 + 0.5 if "running_var" in name else torch.randn(tensor.shape) * 0.3)
    return net.eval()


def gpt2(folder, tokens):
    weights = load_file(folder / "model.safetensors")
    weights = {name.removeprefix("transformer."): tensor for name, tensor in weights.items()}
    net = GPT2LMHeadModel(GPT2Config.from_json_file(folder / "config.json")).eval()
    missing, surplus = net.transformer.load_state_dict(weights, strict=False)
    assert not missing and not surplus, (missing, surplus)
    net.tie_weights()
    with torch.no_grad():
        logits = net(torch.tensor(tokens)).logits
    np.savez_compressed(HERE / f"{folder.name}.npz", tokens=np.array(tokens, np.int32), logits=logits.numpy())


def zoo():
    rng = np.random.default_rng(1)
    bert = randomized(
        BertModel(
            BertConfig(
                vocab_size=20, hidden_size=8, num_hidden_layers=2, num_attention_heads=2, intermediate_size=12,
                max_position_embeddings=9, type_vocab_size=2, attn_implementation="eager",
            ),
            add_pooling_layer=False,
        ),
        1,
    )
    rnn, cnn = randomized(Recurrent(), 2), randomized(Convolutions(), 3)
    weights = {
        f"{prefix}.{name}": tensor.contiguous()
        for prefix, net in [("bert", bert), ("rnn", rnn), ("cnn", cnn)]
        for name, tensor in net.state_dict().items()
    }
    # Halves are read, too.
    weights["cnn.out.weight"] = weights["cnn.out.weight"].half()
    weights["cnn.out.bias"] = weights["cnn.out.bias"].bfloat16()
    save_file(weights, HERE / "zoo.safetensors")
    with torch.no_grad():
        cnn.out.weight.copy_(weights["cnn.out.weight"].float())
        cnn.out.bias.copy_(weights["cnn.out.bias"].float())
    tokens = rng.integers(0, 20, (4, 7)).astype(np.int32)
    steps = rng.standard_normal((4, 5, 4)).astype(np.float32)
    image = rng.standard_normal((4, 8, 8, 3)).astype(np.float32)
    with torch.no_grad():
        hidden = bert(torch.tensor(tokens, dtype=torch.long)).last_hidden_state
        np.savez_compressed(
            HERE / "zoo.npz", tokens=tokens, steps=steps, image=image, hidden=hidden.numpy(),
            turned=rnn(torch.tensor(steps)).numpy(), seen=cnn(torch.tensor(image)).numpy(),
        )


if __name__ == "__main__":
    data = Path(sys.argv[1]) / "models"
    HERE.mkdir(exist_ok=True)
    zoo()
    gpt2(data / "tiny-gpt2", [[14, 15, 10, 0, 1, 2, 3, 4], [20, 3, 3, 7, 19, 0, 5, 11]])
    gpt2(data / "gpt2-mini-random", [[72, 101, 108, 108, 111, 44, 32, 119, 111, 114, 108, 100]])
