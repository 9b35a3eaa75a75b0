"""Writes augment.json: images that torchvision coloured and turned.

Run: python tests/goldens/augment.py  (torchvision 0.29)
"""

import itertools
import json
import pathlib
import random

import torch
import torchvision.transforms.functional as F
from torchvision.transforms import InterpolationMode

CHANGES = {"brightness": F.adjust_brightness, "contrast": F.adjust_contrast, "saturation": F.adjust_saturation}
HEIGHT, WIDTH = 5, 7


def image(channels, draw):
    numbers = [draw.randrange(256) for _ in range(channels * HEIGHT * WIDTH)]
    return torch.tensor(numbers, dtype=torch.uint8).reshape(channels, HEIGHT, WIDTH)


def flat(image):
    """Height by width by channels, as the project stores images."""
    return image.permute(1, 2, 0).flatten().tolist()


def jitter(draw):
    for channels, (order, names) in itertools.product([3, 1], enumerate(itertools.permutations(CHANGES))):
        before = image(channels, draw)
        factors = {name: draw.uniform(0.3, 1.7) for name in CHANGES}
        after = before
        for name in names:
            if channels == 3 or name != "saturation":
                after = CHANGES[name](after, factors[name])
        yield {"channels": channels, "order": order, **factors, "image": flat(before), "result": flat(after)}


def rotate(draw):
    for degrees in [0.0, 10.0, -17.5, 45.0, 90.0, 180.0]:
        before = image(3, draw)
        after = F.rotate(before, degrees, InterpolationMode.BILINEAR)
        yield {"degrees": degrees, "image": flat(before), "result": flat(after)}


if __name__ == "__main__":
    draw = random.Random(0)
    made = {"jitter": list(jitter(draw)), "rotate": list(rotate(draw))}
    text = ",\n".join(f'"{kind}": [\n' + ",\n".join(map(json.dumps, cases)) + "\n]" for kind, cases in made.items())
    pathlib.Path(__file__).with_suffix(".json").write_text("{\n" + text + "\n}\n")
