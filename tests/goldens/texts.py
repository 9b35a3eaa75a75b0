"""What Python makes of a few lines: words by a regular expression, pieces by the package `tokenizers`, rows by Keras.

The tokenizers are those of GPT-2 and BERT; their files lie in the folder of the large data.

    python tests/goldens/texts.py DATA > tests/goldens/texts.json
"""

import json
import re
import sys
from collections import Counter

from keras.utils import pad_sequences
from tokenizers import Tokenizer

LINES = [
    "The cat sat on the mat, and the dog didn't.",
    "A dog <br />barked: 'woof!' 3 times -- 2x louder.",
    "Überraschung! L'été, naïve café; the END",
    "日本語 and English, side by side",
    "",
    "the the the cat's cat's dog",
]
TRAIN = [0, 1, 2, 3, 4]
WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
KEPT = re.compile(r"[^\W_]+(?:['’][^\W_]+)*|[^\s]")


def words(pattern, vocab, bos=False, eos=False):
    """Ids of each line: frequent words of the training lines first, in bytewise order among as frequent ones."""
    counts = Counter(w for row in TRAIN for w in pattern.findall(LINES[row].lower()))
    first = 2 + bos + eos
    ordered = sorted(counts, key=lambda w: (-counts[w], w.encode()))
    ids = {w: first + i for i, w in enumerate(ordered[: vocab - first])}
    ends = [2] if bos else [], [1 + bos + eos] if eos else []
    return [ends[0] + [ids.get(w, 1) for w in pattern.findall(line.lower())] + ends[1] for line in LINES]


def padded(ids, n, side, value=0):
    where = {"left": "pre", "right": "post"}[side]
    return pad_sequences(ids, n, padding=where, truncating=where, value=value).tolist()


def pieces(name):
    tokenizer = Tokenizer.from_file(f"{sys.argv[1]}/models/{name}/tokenizer.json")
    return [tokenizer.encode(line).ids for line in LINES]


cases = []


def case(how, rows, file=None):
    cases.append({"how": how, "file": file, "want": rows})


case("lowercase |> words(vocab=12) |> pad(6)", padded(words(WORD, 12), 6, "right"))
case("lowercase |> words(vocab=12) |> pad(6, side=left)", padded(words(WORD, 12), 6, "left"))
case("lowercase |> words(vocab=20, punctuation=keep) |> pad(16)", padded(words(KEPT, 20), 16, "right"))
case("lowercase |> words(vocab=30, bos=true, eos=true) |> pad(14)", padded(words(WORD, 30, True, True), 14, "right"))
bert = "models/bert-uncased-tokenizer/tokenizer.json"
case(f'bpe("{bert}") |> pad(12)', padded(pieces("bert-uncased-tokenizer"), 12, "right"), bert)
gpt = "models/gpt2-tokenizer/tokenizer.json"
stream = [i for ids in pieces("gpt2-tokenizer") for i in ids]
case(f'bpe("{gpt}") |> windows(7, stride=3)', [stream[i : i + 7] for i in range(0, len(stream) - 6, 3)], gpt)
print(json.dumps({"lines": LINES, "train": len(TRAIN), "cases": cases}, ensure_ascii=False, indent=0))
