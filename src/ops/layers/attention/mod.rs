//! Attention: each step of a sequence takes a mean of the steps of another, weighed by how well they fit.

mod tiles;

use super::{Built, OpDef};
use crate::base::{DType, Dim, Shape, Span};
use crate::diag::Diagnostic;
use crate::graph::{Builder, Init, Value};
use crate::ops::formula::{Given, Item, apply_std};
use crate::ops::{Attr, AttrType, AttrValue, Call, Default as Preset, Framework, Library, Mode, Sig};

/// Below every score that counts; as in Keras not so far that rounding of a difference would blur the others.
const OUT_OF_SIGHT: f64 = -1e9;

/// How one sequence attends to another.
#[derive(Clone, Debug)]
pub struct Attention {
    /// Of queries; each takes its share of the features.
    pub heads: Dim,
    /// Of keys and values; several heads share one if they are fewer (Ainslie et al., 2023).
    pub kv_heads: Dim,
    /// Of scores; 1 / sqrt(width of a head) unless said.
    pub scale: Option<f64>,
    /// No step sees a later one.
    pub causal: bool,
    /// What may be seen (1) or not (0): `[B, S]`, `[T, S]` or `[B, T, S]`.
    pub masks: Vec<Value>,
    /// The share of weights that is dropped, and the site that draws it.
    pub dropout: Option<(f64, String)>,
}

impl Default for Attention {
    fn default() -> Attention {
        let (heads, kv_heads) = (Dim::one(), Dim::one());
        Attention { heads, kv_heads, scale: None, causal: false, masks: Vec::new(), dropout: None }
    }
}

/// Says what is wrong, and what to do.
pub type Wrong<'w> = &'w dyn Fn(&str, &str) -> Diagnostic;

/// Sizes of an attention: `q: [batch, steps, heads, width]` and so on.
#[derive(Clone)]
struct Sizes {
    batch: Dim,
    steps: Dim,
    seen: Dim,
    kv_heads: Dim,
    /// Heads that share keys and values.
    group: Dim,
    width: Dim,
    value: Dim,
}

/// softmax(scale * q k) v by heads: `f32[B, T, n]`, `f32[B, S, kv n / heads]`, `f32[B, S, m]` give `f32[B, T, ..]`.
///
/// # Errors
/// If the shapes do not fit each other, the heads or the masks.
pub fn attend(
    lib: &Library,
    b: &mut Builder,
    tensors: [Value; 3],
    how: &Attention,
    wrong: Wrong,
) -> Result<Value, Diagnostic> {
    let sizes = sizes(b, tensors, how, wrong)?;
    match tiles::queries(b, &sizes) {
        Some(queries) => tiles::attend(lib, b, tensors, how, sizes, queries, wrong),
        None => whole(lib, b, tensors, how, sizes, None, wrong),
    }
}

/// All scores at once; `places` are those of the queries among the keys, from 0 unless said.
fn whole(
    lib: &Library,
    b: &mut Builder,
    tensors: [Value; 3],
    how: &Attention,
    sizes: Sizes,
    places: Option<Value>,
    wrong: Wrong,
) -> Result<Value, Diagnostic> {
    let scores = scores(b, tensors, how, &sizes);
    let scores = masked(b, scores, how, &sizes, places, wrong)?;
    let mut weights = softmax(lib, b, scores);
    if let Some((rate, site)) = &how.dropout {
        weights = dropped(b, weights, *rate, site);
    }
    let Sizes { batch, steps, seen, kv_heads, group, value, .. } = sizes;
    let v = b.reshape(tensors[2], vec![batch.clone(), seen, kv_heads.clone(), value.clone()]);
    let spec = if group.is_one() { "bkts,bske->btke" } else { "bkgts,bske->btkge" };
    let y = b.contract(spec, weights, v);
    Ok(b.reshape(y, vec![batch, steps, kv_heads * group * value]))
}

fn sizes(b: &Builder, tensors: [Value; 3], how: &Attention, wrong: Wrong) -> Result<Sizes, Diagnostic> {
    let [q, k, v] = tensors.map(|v| b.ty(v).clone());
    let types = format!("q is {q}, k is {k}, v is {v}");
    if [&q, &k, &v].iter().any(|t| t.rank() != 3 || t.dtype != DType::F32) {
        return Err(wrong(
            &format!("takes sequences `f32[B, T, n]`: {types}"),
            "give each step a row of features",
        ));
    }
    if q.shape[0] != k.shape[0] || k.shape[..2] != v.shape[..2] {
        return Err(wrong(
            &format!("takes keys and values of the same steps: {types}"),
            "make keys and values of one sequence",
        ));
    }
    if how.causal && q.shape[1] != k.shape[1] {
        return Err(wrong(
            &format!("hides later steps of one sequence, but these have {} and {}", q.shape[1], k.shape[1]),
            "leave `causal` out where a sequence attends to another",
        ));
    }
    let by_heads = |size: &Dim, heads: &Dim, what: &str| {
        size.div_exact(heads).ok_or_else(|| {
            wrong(
                &format!("cuts {size} features of {what} into {heads} heads, which does not come out even"),
                "choose a number of heads that divides the features",
            )
        })
    };
    let width = by_heads(&q.shape[2], &how.heads, "q")?;
    let value = by_heads(&v.shape[2], &how.kv_heads, "v")?;
    let Some(group) = how.heads.div_exact(&how.kv_heads) else {
        return Err(wrong(
            &format!("shares {} heads of keys among {} heads of queries", how.kv_heads, how.heads),
            "choose `kv_heads` that divide `heads`",
        ));
    };
    if k.shape[2] != how.kv_heads.clone() * width.clone() {
        return Err(wrong(
            &format!("compares queries and keys, but their heads differ in width: {types}"),
            "give k as many features as q, times `kv_heads` over `heads`",
        ));
    }
    let [batch, steps] = [q.shape[0].clone(), q.shape[1].clone()];
    Ok(Sizes { batch, steps, seen: k.shape[1].clone(), kv_heads: how.kv_heads.clone(), group, width, value })
}

/// `[B, heads, T, S]`, or `[B, heads, group, T, S]` where keys are shared.
fn scores(b: &mut Builder, [q, k, _]: [Value; 3], how: &Attention, sizes: &Sizes) -> Value {
    let Sizes { batch, steps, seen, kv_heads, group, width, .. } = sizes;
    let scale = match how.scale {
        Some(scale) => b.constant(scale),
        None => {
            let width = b.size(width);
            b.rsqrt(width)
        }
    };
    // There are fewer queries than scores.
    let q = b.mul(q, scale);
    let keys = [batch, seen, kv_heads, width].map(Clone::clone);
    let k = b.reshape(k, keys.to_vec());
    if group.is_one() {
        let queries = [batch, steps, kv_heads, width].map(Clone::clone);
        let q = b.reshape(q, queries.to_vec());
        return b.contract("btkd,bskd->bkts", q, k);
    }
    let queries = [batch, steps, kv_heads, group, width].map(Clone::clone);
    let q = b.reshape(q, queries.to_vec());
    b.contract("btkgd,bskd->bkgts", q, k)
}

/// Scores of what may not be seen, out of sight.
fn masked(
    b: &mut Builder,
    mut scores: Value,
    how: &Attention,
    sizes: &Sizes,
    places: Option<Value>,
    wrong: Wrong,
) -> Result<Value, Diagnostic> {
    let shape = b.shape(scores).clone();
    let (t, s) = (shape.rank() - 2, shape.rank() - 1);
    let hidden = b.constant(OUT_OF_SIGHT);
    for &mask in &how.masks {
        let axes = match form(b, mask, sizes, wrong)? {
            Form::Keys => vec![0, s],
            Form::Pairs => vec![t, s],
            Form::Rows => vec![0, t, s],
        };
        let mask = b.broadcast(mask, shape.clone(), &axes);
        scores = b.select(mask, scores, hidden);
    }
    if how.causal {
        let queries = match places {
            Some(places) => b.broadcast(places, shape.clone(), &[t]),
            None => b.iota(shape.clone(), t),
        };
        let keys = b.iota(shape.clone(), s);
        let seen = b.ge(queries, keys);
        scores = b.select(seen, scores, hidden);
    }
    Ok(scores)
}

/// What a mask tells apart.
enum Form {
    /// Keys of each row: `[B, S]`.
    Keys,
    /// Queries and keys: `[T, S]`.
    Pairs,
    /// Those of each row: `[B, T, S]`.
    Rows,
}

fn form(b: &Builder, mask: Value, sizes: &Sizes, wrong: Wrong) -> Result<Form, Diagnostic> {
    let of_mask = b.shape(mask);
    let Sizes { batch, steps, seen, .. } = sizes;
    match of_mask.dims() {
        [rows, keys] if rows == batch && keys == seen => Ok(Form::Keys),
        [queries, keys] if queries == steps && keys == seen => Ok(Form::Pairs),
        [rows, queries, keys] if rows == batch && queries == steps && keys == seen => Ok(Form::Rows),
        _ => Err(wrong(
            &format!("cannot hide scores of {steps} steps among {seen} by a mask of {of_mask}"),
            "a mask is `[B, S]` of what is seen, `[T, S]`, or `[B, T, S]`",
        )),
    }
}

fn softmax(lib: &Library, b: &mut Builder, x: Value) -> Value {
    let x = Given::new(Item::Tensor(x), Span::default());
    apply_std(lib, b, "softmax", vec![x], Span::default())
        .expect("attention: the library's softmax takes any shape")[0]
}

fn dropped(b: &mut Builder, x: Value, rate: f64, site: &str) -> Value {
    let draw = b.random(site, b.shape(x).clone());
    let bound = b.constant(rate);
    let keep = b.ge(draw, bound);
    let scale = b.constant(1.0 / (1.0 - rate));
    let scaled = b.mul(x, scale);
    let zero = b.constant(0.0);
    b.select(keep, scaled, zero)
}

pub struct MultiHeadAttention;

const fn size(name: &'static str, default: Preset, doc: &'static str) -> Attr {
    Attr { name, ty: AttrType::Size { min: 1 }, default, doc }
}

static SIG: Sig = Sig {
    name: "MultiHeadAttention",
    aliases: &["nn.MultiheadAttention", "MultiheadAttention", "GroupedQueryAttention"],
    doc: "Attention with weights (Vaswani et al., 2017): queries, keys and values are made of the input, attended by heads, \
          and mixed. `x |> MultiHeadAttention(8, 64)` attends to itself, `(x, memory) |> …` to another sequence, `(x, value, \
          key) |> …` to values by their keys. `f32[B, T, n]` gives `f32[B, T, n]`; weights `q.weight: f32[n, heads * key_dim]`, \
          `k.weight`, `v.weight`, `out.weight` and their biases. Padding of what is seen is left out.",
    example: "Reshape(-1, 1) |> MultiHeadAttention(2, key_dim=3)",
    inputs: &["x", "value?", "key?"],
    attrs: &[
        size("heads", Preset::Required, "How many heads there are."),
        size("key_dim", Preset::Required, "How wide a head of queries and keys is."),
        size("value_dim", Preset::None, "How wide a head of values is; as keys unless said."),
        Attr {
            name: "dropout",
            ty: AttrType::Float { min: 0.0, max: 1.0, open: true },
            default: Preset::Float(0.0),
            doc: "The share of attention that is dropped while training.",
        },
        Attr {
            name: "bias",
            ty: AttrType::Bool,
            default: Preset::Bool(true),
            doc: "Whether biases are added.",
        },
        Attr {
            name: "causal",
            ty: AttrType::Bool,
            default: Preset::Bool(false),
            doc: "Whether no step sees a later one.",
        },
        size(
            "kv_heads",
            Preset::None,
            "How many heads of keys and values there are; one for each unless said.",
        ),
        size("output_dim", Preset::None, "How wide the output is; as the input unless said."),
        Attr {
            name: "init",
            ty: AttrType::Init,
            default: Preset::Table("MultiHeadAttention.init"),
            doc: "How the weights start.",
        },
    ],
};

impl OpDef for MultiHeadAttention {
    fn sig(&self) -> &'static Sig {
        &SIG
    }

    fn build(&self, lib: &Library, b: &mut Builder, call: &Call) -> Result<Built, Diagnostic> {
        let x = call.float_input(b, 0)?;
        let last = call.inputs.len() - 1;
        let value = call.float_input(b, last.min(1))?;
        let key = call.float_input(b, last)?;
        let features = match b.shape(x).dims() {
            [_, _, features] => features.clone(),
            _ => {
                return Err(call.shape_error(
                    &format!("takes a sequence `f32[B, T, n]`, but its input is {}", b.ty(x)),
                    "give each step a row of features: `Embedding`, or `Reshape(T, n)`",
                ));
            }
        };
        let heads = call.size("heads");
        let [kv_heads, value_dim, output_dim] =
            [("kv_heads", heads.clone()), ("value_dim", call.size("key_dim")), ("output_dim", features)]
                .map(|(name, otherwise)| call.size_or(name, otherwise));
        let key_dim = call.size("key_dim");
        let q = projected(b, call, "q", x, [&heads, &key_dim])?;
        let k = projected(b, call, "k", key, [&kv_heads, &key_dim])?;
        let v = projected(b, call, "v", value, [&kv_heads, &value_dim])?;
        let rate = call.float("dropout");
        let how = Attention {
            heads: heads.clone(),
            kv_heads,
            scale: None,
            causal: call.flag("causal"),
            masks: call.mask(last).into_iter().collect(),
            dropout: (call.mode == Mode::Train && rate > 0.0).then(|| (rate, call.site(b))),
        };
        let wrong = |message: &str, help: &str| call.shape_error(message, help);
        let y = attend(lib, b, [q, k, v], &how, &wrong)?;
        Ok(mixed(b, call, y, [&heads, &value_dim], output_dim)?.into())
    }
}

/// The input by the weights `{name}`, for so many heads so wide.
fn projected(
    b: &mut Builder,
    call: &Call,
    name: &str,
    x: Value,
    [heads, width]: [&Dim; 2],
) -> Result<Value, Diagnostic> {
    let Some(features) = b.shape(x).last().cloned() else {
        return Err(
            call.shape_error(&format!("takes sequences, but one is {}", b.ty(x)), "give it `f32[B, T, n]`")
        );
    };
    // Keras counts the axes of its kernel `[n, heads, width]`: so do its fans.
    let fans = match call.framework {
        Framework::Keras => [features.clone() * heads.clone(), features.clone() * width.clone()],
        Framework::Torch => [features, Dim::from(3) * heads.clone() * width.clone()],
    };
    weighed(b, call, name, x, heads.clone() * width.clone(), fans)
}

/// What the heads gave, mixed.
fn mixed(
    b: &mut Builder,
    call: &Call,
    y: Value,
    [heads, width]: [&Dim; 2],
    output: Dim,
) -> Result<Value, Diagnostic> {
    let features = heads.clone() * width.clone();
    let fans = match call.framework {
        Framework::Keras => [features, heads.clone() * output.clone()],
        Framework::Torch => [features, output.clone()],
    };
    weighed(b, call, "out", y, output, fans)
}

fn weighed(
    b: &mut Builder,
    call: &Call,
    name: &str,
    x: Value,
    units: Dim,
    [fan_in, fan_out]: [Dim; 2],
) -> Result<Value, Diagnostic> {
    let features = b.shape(x).last().cloned().unwrap_or_else(Dim::one);
    let init = call.init("init").resolve(&fan_in, &fan_out);
    let weight = call.param(b, &format!("{name}.weight"), vec![features, units.clone()].into(), init)?;
    let y = b.contract("..i,ij->..j", x, weight);
    if !call.flag("bias") {
        return Ok(y);
    }
    let bias = call.param(b, &format!("{name}.bias"), Shape::from(vec![units]), Init::Constant(0.0))?;
    Ok(b.add(y, bias))
}

impl Call {
    /// A size, or another where none is said.
    fn size_or(&self, name: &str, otherwise: Dim) -> Dim {
        match self.attr(name) {
            AttrValue::None => otherwise,
            _said => self.size(name),
        }
    }
}

#[cfg(test)]
mod tests;
