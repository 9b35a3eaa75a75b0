"""Fifty losses of transformers in Keras 3 (on JAX), in PyTorch and in JAX alone, on sequences of numbers.

Every run starts from the weights that `mlc train SPEC --steps 0` writes and sees the rows in file order, so mlc must
give the same losses. Run from the repository's root:

    cargo build --release
    pip install jax==0.10.2 keras==3.15.1 torch==2.15.0 safetensors
    python tests/goldens/sequences.py

Writes the rows, tests/goldens/sequences/sequences.npz, and tests/goldens/sequences.json, which tests/it/parity.rs reads.
"""
import math

import numpy as np
from fifty import BATCH, HERE, STEPS, initial, keras, torch, write

import jax
import jax.numpy as jnp

FOLDER = HERE / "sequences"
ROWS = STEPS * BATCH


def rows():
    """Ids from 1 to 11 that count up by a step of their own, 0 behind their end; others; images that show the first."""
    rng = np.random.default_rng(7)
    start, step = rng.integers(0, 11, (ROWS, 1)), rng.integers(1, 4, (ROWS, 1))
    tokens = 1 + (start + step * np.arange(9)) % 11
    tokens[np.arange(9) >= rng.integers(3, 10, (ROWS, 1))] = 0
    source = rng.integers(1, 12, (ROWS, 6))
    source[np.arange(6) >= rng.integers(2, 7, (ROWS, 1))] = 0
    image = rng.normal(size=(ROWS, 8, 8)) + tokens[:, :1, None] / 6
    found = dict(tokens=tokens.astype(np.int32), source=source.astype(np.int32), image=image.astype(np.float32))
    np.savez_compressed(FOLDER / "sequences.npz", **found)
    return found


def batches(found):
    return [{k: v[i : i + BATCH] for k, v in found.items()} for i in range(0, ROWS, BATCH)]


def weights_of(spec):
    return initial(FOLDER / f"{spec}.mlspec", "--data", str(FOLDER))


# PyTorch


def linear(x, w, name):
    return x @ w[f"{name}.weight"] + w[f"{name}.bias"]


def norm(x, w, name):
    return torch.nn.functional.layer_norm(x, x.shape[-1:], w[f"{name}.weight"], w[f"{name}.bias"])


def attention(q, k, v, heads, causal=False):
    apart = lambda t: t.unflatten(-1, (heads, -1)).transpose(1, 2)
    y = torch.nn.functional.scaled_dot_product_attention(apart(q), apart(k), apart(v), is_causal=causal)
    return y.transpose(1, 2).flatten(-2)


def gpt(w, batch):
    tokens = torch.from_numpy(batch["tokens"]).long()
    x, gelu = tokens[:, :-1], torch.nn.functional.gelu
    h = w["wte.weight"][x] + w["wpe.weight"][: x.shape[1]]
    for i in range(2):
        at = f"h.{i}"
        q, k, v = linear(norm(h, w, f"{at}.ln_1"), w, f"{at}.attn.c_attn").chunk(3, -1)
        h = h + linear(attention(q, k, v, 2, causal=True), w, f"{at}.attn.c_proj")
        m = gelu(linear(norm(h, w, f"{at}.ln_2"), w, f"{at}.mlp.c_fc"))
        h = h + linear(m, w, f"{at}.mlp.c_proj")
    logits = norm(h, w, "ln_f") @ w["wte.weight"].T
    return torch.nn.functional.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten())


def vit(w, batch):
    image = torch.from_numpy(batch["image"])
    patches = image.reshape(-1, 2, 4, 2, 4).permute(0, 1, 3, 2, 4).reshape(-1, 4, 16)
    x = linear(patches, w, "embed") + w["pos.weight"]
    n = norm(x, w, "ln_1")
    mha = torch.nn.MultiheadAttention(16, 4, batch_first=True)
    parts = {
        "in_proj_weight": torch.cat([w[f"attn.{p}.weight"].T for p in "qkv"]),
        "in_proj_bias": torch.cat([w[f"attn.{p}.bias"] for p in "qkv"]),
        "out_proj.weight": w["attn.out.weight"].T,
        "out_proj.bias": w["attn.out.bias"],
    }
    h = x + torch.func.functional_call(mha, parts, (n, n, n))[0]
    y = h + linear(torch.nn.functional.gelu(linear(norm(h, w, "ln_2"), w, "fc1")), w, "fc2")
    logits = linear(norm(y, w, "ln_f").mean(1), w, "out")
    return torch.nn.functional.cross_entropy(logits, torch.from_numpy(batch["tokens"][:, 0]).long())


def in_torch(loss, spec, optimizer, found):
    w = {k: torch.from_numpy(v.copy()).requires_grad_() for k, v in weights_of(spec).items()}
    optimizer, losses = optimizer(list(w.values())), []
    for batch in batches(found):
        optimizer.zero_grad()
        total = loss(w, batch)
        total.backward()
        optimizer.step()
        losses.append(total.item())
    return losses


# Keras


L = keras.layers


def heads_of(layer, w, path, heads, width, kv=None):
    """The weights of an attention as Keras has them: an axis of heads for itself."""
    kv, value = kv or heads, width
    out = []
    for part, n, each in (("q", heads, width), ("k", kv, width), ("v", kv, value)):
        out += [w[f"{path}.{part}.weight"].reshape(-1, n, each), w[f"{path}.{part}.bias"].reshape(n, each)]
    layer.set_weights(out + [w[f"{path}.out.weight"].reshape(heads, value, -1), w[f"{path}.out.bias"]])


def pair(w, name):
    return [w[f"{name}.weight"], w[f"{name}.bias"]]


def waves(steps, width):
    t, i = np.arange(steps)[:, None], np.arange(width)[None]
    angles = t / 10000 ** (2 * (i // 2) / width)
    return np.where(i % 2 == 0, np.sin(angles), np.cos(angles)).astype(np.float32)


def encoder(w):
    tokens = keras.Input((8,), dtype="int32")
    words, attn = L.Embedding(12, 16), L.MultiHeadAttention(2, 8)
    ln_1, ln_2, fc1, fc2, out = L.LayerNormalization(), L.LayerNormalization(), L.Dense(32, "relu"), L.Dense(16), L.Dense(12)
    seen = keras.ops.not_equal(tokens, 0)[:, None, :]
    h = words(tokens) + waves(8, 16)
    a = ln_1(h + attn(h, h, attention_mask=seen))
    model = keras.Model(tokens, out(ln_2(a + fc2(fc1(a)))))
    words.set_weights([w["words.weight"]])
    heads_of(attn, w, "attn", 2, 8)
    for name, layer in dict(ln_1=ln_1, ln_2=ln_2, fc1=fc1, fc2=fc2, out=out).items():
        layer.set_weights(pair(w, name))
    return model


def translate(w):
    source, tokens = keras.Input((6,), dtype="int32"), keras.Input((8,), dtype="int32")
    source_words, words = L.Embedding(12, 16), L.Embedding(12, 16)
    enc, dec = L.GroupQueryAttention(4, 4, 2), L.MultiHeadAttention(2, 8)
    cross = L.MultiHeadAttention(2, 8)
    ln = [L.LayerNormalization() for _ in range(3)]
    out = L.Dense(12)
    seen, known = (keras.ops.not_equal(x, 0)[:, None, :] for x in (source, tokens))
    s = source_words(source)
    # Keras' masks of grouped attention have no axis of their own for heads.
    memory = ln[0](s + enc(s, s, attention_mask=keras.ops.repeat(seen, 6, axis=1)))
    t = words(tokens)
    causal = keras.ops.cast(np.tril(np.ones((1, 8, 8))), "bool")
    a = ln[1](t + dec(t, t, attention_mask=keras.ops.logical_and(known, causal)))
    logits = out(ln[2](a + cross(a, memory, attention_mask=seen)))
    model = keras.Model([source, tokens], logits)
    source_words.set_weights([w["source_words.weight"]])
    words.set_weights([w["words.weight"]])
    heads_of(enc, w, "encoder", 4, 4, kv=2)
    heads_of(dec, w, "decoder", 2, 8)
    heads_of(cross, w, "cross", 2, 8)
    for i, layer in enumerate(ln):
        layer.set_weights(pair(w, f"ln_{i + 1}"))
    out.set_weights(pair(w, "out"))
    return model


def in_keras(build, spec, optimizer, inputs, found):
    model, losses = build(weights_of(spec)), []
    model.compile(optimizer, keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    for batch in batches(found):
        tokens = batch["tokens"][:, :-1]
        kept = (tokens != 0).astype(np.float32)
        model.reset_metrics()
        weight = kept * kept.size / kept.sum()
        given = inputs(batch)
        losses.append(float(model.train_on_batch(given, batch["tokens"][:, 1:], sample_weight=weight)))
    return losses


# JAX


def rotary(x, heads):
    width = x.shape[-1] // heads
    y = x.reshape(*x.shape[:-1], heads, width)
    a, b = jnp.split(y, 2, -1)
    angles = jnp.arange(x.shape[-2])[:, None, None] / 10000 ** (2 * jnp.arange(width // 2) / width)
    sin, cos = jnp.sin(angles), jnp.cos(angles)
    return jnp.concatenate([a * cos - b * sin, b * cos + a * sin], -1).reshape(x.shape)


def attend(q, k, v, heads, kv_heads=None, scale=None, seen=None):
    kv_heads = kv_heads or heads
    apart = lambda t, n: t.reshape(*t.shape[:2], n, -1)
    q, k, v = apart(q, heads), apart(k, kv_heads), apart(v, kv_heads)
    k, v = (jnp.repeat(t, heads // kv_heads, axis=2) for t in (k, v))
    scores = jnp.einsum("bthd,bshd->bhts", q, k) * (scale or 1 / math.sqrt(q.shape[-1]))
    scores = scores if seen is None else jnp.where(seen[:, None], scores, -1e30)
    y = jnp.einsum("bhts,bshd->bthd", jax.nn.softmax(scores), v)
    return y.reshape(*y.shape[:2], -1)


def functions(w, image, tokens, label):
    x = image @ w["fc1.weight"] + w["fc1.bias"]
    left, right = x[..., :3], x[..., 3:]
    halves = jnp.stack([x[:, ::2], x[:, 1::2]], 1)
    best, places = jax.lax.top_k(x, 3)
    scores = jnp.einsum("bij,bkj,bk->bik", rotary(x, 2), x, x[:, :, -1])
    at = jnp.clip(tokens[:, 0] - 2, 0, 7)
    one = jnp.take_along_axis(x, at[:, None, None], 1)[:, 0]
    sums = jnp.cumsum(x, 1) + jnp.roll(x, -2, 1) + jnp.roll(x, 3, -1)
    seen = jnp.tril(jnp.ones((8, 8)))[None] * (tokens != 0)[:, None, :] > 0
    flat = lambda t: t.reshape(len(image), -1)
    parts = [
        left, halves, best, (x * sums).sum(-1), jnp.einsum("bii->bi", scores), one,
        attend(x, x, x, 2, scale=0.5, seen=seen), attend(x, x[:, :, :4], x[:, :, 4:], 4, kv_heads=2),
        right[:, -2], (places == 1).astype(jnp.float32),
    ]
    logits = jnp.concatenate([flat(p) for p in parts], -1) @ w["out.weight"] + w["out.bias"]
    return -jnp.take_along_axis(jax.nn.log_softmax(logits), label[:, None], 1).mean()


def in_jax(found):
    w = {k: jnp.asarray(v) for k, v in weights_of("functions").items()}
    step, losses = jax.jit(jax.value_and_grad(functions)), []
    for batch in batches(found):
        loss, d = step(w, batch["image"], batch["tokens"][:, :-1], batch["tokens"][:, 0])
        w = {k: w[k] - 0.01 * d[k] for k in w}
        losses.append(float(loss))
    return losses


def main():
    found = rows()
    sgd = lambda p: torch.optim.SGD(p, 0.1)
    adamw = lambda p: torch.optim.AdamW(p, 1e-3, weight_decay=0.1)
    write(
        "sequences.json",
        batch=BATCH,
        runs=dict(
            gpt=in_torch(gpt, "gpt", adamw, found),
            vit=in_torch(vit, "vit", sgd, found),
            encoder=in_keras(encoder, "encoder", keras.optimizers.SGD(0.1), lambda b: b["tokens"][:, :-1], found),
            translate=in_keras(
                translate, "translate", keras.optimizers.Adam(1e-2), lambda b: [b["source"], b["tokens"][:, :-1]], found
            ),
            functions=in_jax(found),
        ),
    )


if __name__ == "__main__":
    main()
