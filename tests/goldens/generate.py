"""Texts that Hugging Face's `generate` writes with a small GPT-2, and what its filters keep of logits.

Writes generate.json, which tests/it/generate.rs and src/runtime/generate/sampling.rs read, and generate/gpt.safetensors,
the weights under the names of the spec in generate/gpt.mlspec. Run from anywhere:

    pip install torch==2.15.0 transformers==5.23.0 safetensors==0.8.0
    python tests/goldens/generate.py
"""

import json
from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import GPT2Config, GPT2LMHeadModel
from transformers.generation.logits_process import (
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

HERE = Path(__file__).parent
SIGNS = "abcdefghijklmnopqrst"
CONTEXT = 16

torch.manual_seed(34)
config = GPT2Config(
    vocab_size=len(SIGNS),
    n_positions=CONTEXT,
    n_embd=16,
    n_layer=2,
    n_head=2,
    activation_function="gelu",
    bos_token_id=None,
    eos_token_id=None,
)
model = GPT2LMHeadModel(config).eval()
with torch.no_grad():
    for name, weight in model.named_parameters():
        spread = 0.1 if "ln_" in name else 0.4
        weight.copy_((torch.randn_like(weight) * spread + ("ln_" in name and name.endswith("weight"))).float())
weights = {name.removeprefix("transformer."): w.detach().clone() for name, w in model.named_parameters()}
(HERE / "generate").mkdir(exist_ok=True)
save_file(weights, HERE / "generate" / "gpt.safetensors")
model = model.double()


def texts(prompt, **options):
    ids = torch.tensor([[SIGNS.index(sign) for sign in prompt]])
    made = model.generate(
        ids,
        attention_mask=torch.ones_like(ids),
        max_new_tokens=CONTEXT - len(prompt),
        do_sample=False,
        pad_token_id=0,
        **options,
    )
    return dict(prompt=prompt, options=options, tokens=made.tolist())


OPTIONS = [
    dict(),
    dict(no_repeat_ngram_size=1),
    dict(no_repeat_ngram_size=2),
    dict(no_repeat_ngram_size=3),
    dict(num_beams=2),
    dict(num_beams=4, num_return_sequences=4),
    dict(num_beams=3, num_return_sequences=2, no_repeat_ngram_size=2),
    dict(num_beams=4, num_return_sequences=3, no_repeat_ngram_size=3),
]


def kept(logits, warper):
    left = warper(None, torch.tensor([logits], dtype=torch.float64))
    return left.isfinite()[0].nonzero().flatten().tolist()


def filters():
    for size in [1, 2, 5, 20]:
        logits = (torch.randn(size) * 2).double().tolist()
        for k in [1, 3, 7]:
            yield dict(logits=logits, top_k=k, kept=kept(logits, TopKLogitsWarper(k)))
        for p in [0.1, 0.5, 0.9, 0.99, 1.0]:
            yield dict(logits=logits, top_p=p, kept=kept(logits, TopPLogitsWarper(p)))
        for p in [0.5, 0.9]:
            cooled = TemperatureLogitsWarper(0.5)(None, torch.tensor([logits], dtype=torch.float64))[0].tolist()
            yield dict(logits=logits, temperature=0.5, top_p=p, kept=kept(cooled, TopPLogitsWarper(p)))


goldens = dict(
    signs=SIGNS,
    texts=[texts(prompt, **options) for prompt in ["bad", "h"] for options in OPTIONS],
    filters=list(filters()),
)
(HERE / "generate.json").write_text(json.dumps(goldens, indent=1) + "\n")
