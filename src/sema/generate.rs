//! `generate` sections: what a trained model makes of random numbers, or of the start of a text.

use super::ctx::Ctx;
use super::job::{GeneratePlan, Makes, SamplesPlan, Sampling, TextPlan};
use super::keyed::Keyed;
use super::model::{Elab, Ev, Names, as_value, fed, placeholders};
use super::train;
use crate::base::{DType, Dim, Precision, Shape, Span};
use crate::diag::{Diagnostic, Diagnostics};
use crate::graph::{Builder, Graph, OutputKind, Value};
use crate::ops::Mode;
use crate::ops::formula::{Eval, Item};
use crate::syntax::ast::{EntryKind, Expr, ExprKind, File, Ident, Section};

/// How many samples are made unless the section says otherwise.
const COUNT: i64 = 64;
/// Tokens behind a prompt, unless the section says otherwise: as in Hugging Face's `generate`.
const NEW_TOKENS: i64 = 20;
/// Keys that only one of the two forms has.
const OF_TEXT: [&str; 9] = [
    "prompt",
    "max_new_tokens",
    "do_sample",
    "temperature",
    "top_k",
    "top_p",
    "num_beams",
    "no_repeat_ngram_size",
    "num_return_sequences",
];
const OF_SAMPLES: [&str; 1] = ["count"];

/// A model that makes something.
#[derive(Clone, Copy)]
struct Model<'a> {
    name: &'a Ident,
    section: &'a Section,
    /// Of its products, as it was trained.
    precision: Precision,
}

/// Checks a section and builds its graph; `None` is reported.
pub(super) fn check<'a>(
    cx: &Ctx<'a>,
    file: &'a File,
    section: &'a Section,
    precision: Precision,
) -> Option<GeneratePlan> {
    let keys = Keyed::read(cx, section);
    let name = section.name.as_ref()?;
    let seed = keys.get("seed").map_or(Some(0), |e| cx.count("seed", e, 0));
    let Some(model) = keys.get("model") else {
        return lacks(
            cx,
            section,
            "`generate` needs `model`",
            "add the model that makes something: `model = Net`",
        );
    };
    let model = model_of(cx, model, precision);
    let makes = match (keys.get("prompt"), keys.inner("draw")) {
        (Some(prompt), None) => {
            misplaced(cx, &keys, &OF_SAMPLES, "counts samples of random numbers, but a prompt is given");
            text(cx, file, &keys, model?, prompt).map(|plan| Makes::Text(Box::new(plan)))
        }
        (None, Some(draw)) => {
            misplaced(cx, &keys, &OF_TEXT, "is about a text that goes on, but there is no `prompt`");
            samples(cx, &keys, model?, draw, &name.name).map(Makes::Samples)
        }
        (Some(prompt), Some(draw)) => {
            let message = "a `generate` goes on from a prompt or starts from random numbers, not both";
            let d = Diagnostic::error("key::conflict", message, prompt.span, "a prompt");
            cx.report(d.label(draw.word.span, "random numbers").help("keep one of the two"));
            None
        }
        (None, None) => lacks(
            cx,
            section,
            "`generate` needs `prompt` or `draw`",
            "add `prompt = \"…\"` for a model of text, or `draw { noise = Normal(shape=[B, 64]) }`",
        ),
    };
    Some(GeneratePlan {
        name: name.name.to_string(),
        span: section.word.span,
        seed: seed? as u64,
        makes: makes?,
    })
}

fn lacks<T>(cx: &Ctx, section: &Section, message: &str, help: &str) -> Option<T> {
    let d = Diagnostic::error("key::missing", message, section.word.span, "not in here");
    cx.report(d.help(help));
    None
}

fn misplaced(cx: &Ctx, written: &Keyed, others: &[&str], why: &str) {
    for key in others.iter().filter_map(|name| written.key(name)) {
        let message = format!("`{}` {why}", key.name);
        let d = Diagnostic::error("key::misplaced", message, key.span, "says nothing here");
        cx.report(d.help("take it out"));
    }
}

/// The model that a key names.
fn model_of<'a>(cx: &Ctx<'a>, expr: &'a Expr, precision: Precision) -> Option<Model<'a>> {
    let Some(name) = expr.as_name() else {
        cx.wants("model", "the name of a model", "value", expr.span);
        return None;
    };
    let Some(model) = cx.model(&name.name) else {
        let known = cx.globals.iter().filter(|(_, (_, g))| g.what() == "model").map(|(name, _)| &**name);
        cx.unknown("name::unknown", "model", name, known);
        return None;
    };
    Some(Model { name, section: model, precision })
}

/// Builds the graph of a model in evaluation mode, on what `give` makes.
fn graph<'a, T>(
    cx: &Ctx<'a>,
    model: Model<'a>,
    give: impl FnOnce(&mut Ev<'_, '_, 'a>) -> Option<Names>,
    results: impl FnOnce(&mut Ev<'_, '_, 'a>, Vec<(String, Value)>) -> Option<T>,
) -> Option<(Graph, T)> {
    let Model { name, section: model, precision } = model;
    let mut b = Builder::new(format!("{}.generate", name.name));
    b.precision = precision;
    let (mut scope, mut found) = (Elab::new(cx, Mode::Eval), Diagnostics::new());
    let mut ev = Eval::new(&cx.library, &mut b, &mut found, &mut scope);
    let made = give(&mut ev).and_then(|given| {
        ev.scope.fed = Some(given);
        let outputs = fed(&mut ev, name, name.span).ok()?;
        // All of them are right, or something is reported.
        as_value(&mut ev, name, &outputs).ok()?;
        let order = model.entries.iter().filter_map(|e| match &e.kind {
            EntryKind::Output { name, .. } => Some(name),
            _ => None,
        });
        let tensor = |output: &Ident| match outputs.get(&output.name) {
            Some(Some(Item::Tensor(v))) => Some((output.name.to_string(), *v)),
            Some(_) | None => None,
        };
        let values: Vec<(String, Value)> = order.filter_map(tensor).collect();
        results(&mut ev, values)
    });
    cx.diags.borrow_mut().extend(found.sorted());
    Some((b.finish(), made?))
}

fn samples<'a>(
    cx: &Ctx<'a>,
    keys: &Keyed<'a>,
    model: Model<'a>,
    draw: &'a Section,
    name: &str,
) -> Option<SamplesPlan> {
    let count = keys.get("count").map_or(Some(COUNT), |e| cx.count("count", e, 1));
    let draws = train::draws(cx, draw);
    let prefix = format!("generate.{name}.");
    let give = |ev: &mut Ev<'_, '_, 'a>| Some(train::drawn(ev, &draws, &prefix, Mode::Eval));
    let (graph, ()) = graph(cx, model, give, |ev, outputs| {
        for (name, value) in outputs {
            if ev.b.shape(value).first() != Some(&Dim::sym("B")) {
                let found = format!("this is {}", ev.b.ty(value));
                let d = Diagnostic::error(
                    "generate::output",
                    format!("`{name}` has nothing for each sample"),
                    model.name.span,
                    found,
                );
                ev.diags.push(d.help("draw with `B` as the first size, which counts samples"));
                return None;
            }
            let value = ev.b.to_f32(value);
            ev.b.output(name, value, OutputKind::Value);
        }
        Some(())
    })?;
    Some(SamplesPlan { count: count? as usize, graph })
}

/// The name of the one leaf of a text's graph.
const TOKENS: &str = "tokens";

fn text<'a>(
    cx: &Ctx<'a>,
    file: &'a File,
    keys: &Keyed<'a>,
    model: Model<'a>,
    prompt: &'a Expr,
) -> Option<TextPlan> {
    let sampling = sampling(cx, keys);
    let max_new_tokens =
        keys.get("max_new_tokens").map_or(Some(NEW_TOKENS), |e| cx.count("max_new_tokens", e, 1));
    let ExprKind::Str(start) = &prompt.bare().kind else {
        cx.wants("prompt", "a text in quotes", "value", prompt.span);
        return None;
    };
    let (mut graph, (input, context)) = graph(
        cx,
        model,
        |ev| {
            ev.b.along_time = true;
            Some(placeholders(ev, model.section))
        },
        |ev, outputs| next_tokens(ev, model.name, &outputs),
    )?;
    let leaf = graph.leaf(&input).expect("generate: the input was just made");
    graph.leaves[leaf].name = TOKENS.into();
    let own = input.strip_prefix("input ").unwrap_or(&input);
    let Some(column) = column_of(cx, file, own) else {
        let message = format!("no training feeds `{own}`, so nobody knows how a text becomes tokens");
        let d = Diagnostic::error("generate::tokens", message, prompt.span, "cannot be read");
        cx.report(d.help(format!("feed it a column of text in `train`: `{own} = data.tokens[:-1]`")));
        return None;
    };
    Some(TextPlan {
        prompt: start.clone(),
        prompt_span: prompt.span,
        max_new_tokens: max_new_tokens? as usize,
        graph,
        context,
        column,
        sampling: sampling?,
    })
}

/// The leaf that tokens go into and the size of its time, of a model that says what follows each.
fn next_tokens(ev: &mut Ev, model: &Ident, outputs: &[(String, Value)]) -> Option<(String, Dim)> {
    let inputs: Vec<(String, DType, Shape)> =
        ev.b.graph()
            .leaves
            .iter()
            .filter(|(_, leaf)| leaf.name.starts_with("input "))
            .map(|(_, leaf)| (leaf.name.to_string(), leaf.ty.dtype, leaf.ty.shape.clone()))
            .collect();
    let ([(input, DType::I32, tokens)], [(_, logits)]) = (inputs.as_slice(), outputs) else {
        return no_text(ev, model, "it has other inputs or outputs");
    };
    let value = ev.scope.prob(*logits).and_then(|prob| prob.logits).unwrap_or(*logits);
    let ty = ev.b.ty(value).clone();
    let fits = tokens.rank() == 2
        && ty.dtype == DType::F32
        && ty.rank() == 3
        && ty.shape[..2] == tokens[..2]
        && tokens[0] == Dim::sym("B");
    if !fits {
        return no_text(ev, model, "its shapes are others");
    }
    ev.b.output("logits", value, OutputKind::Value);
    Some((input.clone(), tokens[1].clone()))
}

fn no_text<T>(ev: &mut Ev, model: &Ident, why: &str) -> Option<T> {
    let message = format!("`{}` does not say what follows each token of a text", model.name);
    let d = Diagnostic::error("generate::model", message, model.span, why.to_string());
    let help = "a model of text has one input `tokens: i32[B, T]` and one output `logits: f32[B, T, ids]`";
    ev.diags.push(d.help(help));
    None
}

/// The data section and the column that a training feeds to an input.
fn column_of(cx: &Ctx, file: &File, input: &str) -> Option<(String, String)> {
    let feeds = super::file::ast_sections(file, "train").flat_map(|train| &train.entries);
    let feeds = feeds.filter_map(|e| match &e.kind {
        EntryKind::Section(feed) if &*feed.word.name == "feed" => Some(&feed.entries),
        _ => None,
    });
    feeds.flatten().find_map(|entry| {
        let EntryKind::Bind { path, value } = &entry.kind else { return None };
        if path.dotted() != input {
            return None;
        }
        let mut found = None;
        super::walk::expr(value, &mut |expr| {
            if let ExprKind::Member(base, member) = &expr.kind
                && let Some(section) = base.as_name()
                && cx.data.borrow().iter().any(|data| data.name.name == section.name)
            {
                found.get_or_insert((section.name.to_string(), member.name.to_string()));
            }
        });
        found
    })
}

fn sampling(cx: &Ctx, keys: &Keyed) -> Option<Sampling> {
    let count = |name: &'static str, least| keys.get(name).map(|e| cx.count(name, e, least));
    let (top_k, beams) = (count("top_k", 1), count("num_beams", 1));
    let (ngram, returned) = (count("no_repeat_ngram_size", 1), count("num_return_sequences", 1));
    let temperature = keys.get("temperature").map(|e| number(cx, "temperature", e, f64::MAX));
    let top_p = keys.get("top_p").map(|e| number(cx, "top_p", e, 1.0));
    let asked = ["temperature", "top_k", "top_p"].iter().find_map(|name| keys.key(name));
    let do_sample = match keys.get("do_sample").map(|e| (e, cx.constant(e))) {
        None => asked.is_some(),
        Some((_, Some(Item::Bool(flag)))) => flag,
        Some((expr, found)) => {
            if found.is_some() {
                cx.wants("do_sample", "true or false", "value", expr.span);
            }
            return None;
        }
    };
    if let (Some(key), false) = (asked, do_sample) {
        let message = format!("`{}` is about drawing, but `do_sample` is false", key.name);
        let d = Diagnostic::error("key::conflict", message, key.span, "says nothing");
        cx.report(d.help("take one of the two out"));
        return None;
    }
    let optional = |x: Option<Option<i64>>| x.map_or(Some(None), |n| n.map(|n| Some(n as usize)));
    let sampling = Sampling {
        do_sample,
        temperature: temperature.unwrap_or(Some(1.0))?,
        top_k: optional(top_k)?,
        top_p: top_p.map_or(Some(None), |p| p.map(Some))?,
        num_beams: optional(beams)?.unwrap_or(1),
        no_repeat_ngram_size: optional(ngram)?,
        num_return_sequences: optional(returned)?.unwrap_or(1),
    };
    agree(cx, keys, &sampling)?;
    Some(sampling)
}

/// Several texts are several only if they are drawn, or are the best of as many beams.
fn agree(cx: &Ctx, keys: &Keyed, sampling: &Sampling) -> Option<()> {
    let at = |name: &str| keys.key(name).map_or(Span::default(), |key| key.span);
    let Sampling { do_sample, num_beams, num_return_sequences, .. } = *sampling;
    if do_sample && num_beams > 1 {
        let message = "beams follow the most probable texts, but this draws";
        let d = Diagnostic::error("key::conflict", message, at("num_beams"), "a search");
        cx.report(
            d.help("take `num_beams` out, or what draws: `do_sample`, `temperature`, `top_k`, `top_p`"),
        );
        return None;
    }
    if !do_sample && num_return_sequences > num_beams {
        let message = format!("{num_return_sequences} texts would be the same: nothing is drawn");
        let d = Diagnostic::error("key::conflict", message, at("num_return_sequences"), "of one kind");
        cx.report(d.help("draw with `temperature = 1`, or search with as many `num_beams`"));
        return None;
    }
    Some(())
}

/// A number above 0.
fn number(cx: &Ctx, what: &'static str, expr: &Expr, most: f64) -> Option<f64> {
    let found = cx.constant(expr)?;
    let Some(x) = (if let Item::Number(n) = &found { n.as_f64() } else { None }) else {
        cx.wants(what, "a number", "value", expr.span);
        return None;
    };
    if x > 0.0 && x <= most {
        return Some(x);
    }
    let message = format!("`{what}` is {x}");
    let d = Diagnostic::error("value::range", message, expr.span, "out of range");
    let range = if most == 1.0 { "above 0, at most 1" } else { "above 0" };
    cx.report(d.help(format!("choose a number {range}; without drawing, the most probable is taken")));
    None
}

/// Every key of the two forms is in the table.
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_both_forms_are_in_the_table() {
        for name in OF_TEXT.iter().chain(&OF_SAMPLES) {
            assert!(crate::sema::keys::find("generate", name).is_some(), "{name}");
        }
    }
}
