//! Weights against what a file has: all that is wrong at once.

use crate::base::{Bindings, Span};
use crate::diag::{Code, Diagnostic, did_you_mean};
use crate::sema::job::{Layout, Piece, Pretrained, Taken, TensorInfo, Way};
use std::collections::{BTreeMap, BTreeSet};

/// What can be read into `f32`.
const READ: [&str; 3] = ["F32", "F16", "BF16"];

type Header<'t> = BTreeMap<&'t str, &'t TensorInfo>;

/// What of the weights the file lacks, or has in another shape or type. Sizes that nobody knows yet are not compared.
pub fn misfits(
    pretrained: &Pretrained,
    model: &str,
    tensors: &[TensorInfo],
    bindings: &Bindings,
) -> Vec<Diagnostic> {
    let header: Header = tensors.iter().map(|t| (t.name.as_str(), t)).collect();
    let all = &pretrained.weights;
    let found: Vec<Option<&Way>> = all.iter().map(|weight| way(weight, &header)).collect();
    if !all.is_empty() && found.iter().all(Option::is_none) {
        return vec![nothing(pretrained, model, &header)];
    }
    let mut wrong = Groups::default();
    for (weight, way) in all.iter().zip(found) {
        match way {
            None => wrong.add("weights::missing", weight.span, lack(pretrained, weight, &header)),
            Some(way) => way.iter().for_each(|piece| {
                let tensor = header[piece.name.as_str()];
                unlike(pretrained, piece, tensor, bindings)
                    .into_iter()
                    .for_each(|(code, said)| wrong.add(code, weight.span, said));
            }),
        }
    }
    wrong.diagnostics(pretrained)
}

/// The first way to make a weight that the file allows.
pub fn way<'w>(weight: &'w Taken, header: &BTreeMap<&str, &TensorInfo>) -> Option<&'w Way> {
    weight.ways.iter().find(|way| way.iter().all(|piece| header.contains_key(piece.name.as_str())))
}

/// What is said of a weight, and what to do.
struct Said {
    message: String,
    help: String,
}

/// Copies of a layer stand on one text: what is wrong with all is said once.
#[derive(Default)]
struct Groups {
    all: BTreeMap<(Span, Code), Vec<Said>>,
}

impl Groups {
    fn add(&mut self, code: Code, at: Span, said: Said) {
        self.all.entry((at, code)).or_default().push(said);
    }

    fn diagnostics(self, pretrained: &Pretrained) -> Vec<Diagnostic> {
        let of = |((at, code), said): ((Span, Code), Vec<Said>)| {
            const SHOWN: usize = 4;
            let mut lines: Vec<&str> = said.iter().take(SHOWN).map(|s| s.message.as_str()).collect();
            let more = format!("{} more like this", said.len().saturating_sub(SHOWN));
            if said.len() > SHOWN {
                lines.push(&more);
            }
            let helps: BTreeSet<&str> = said.iter().take(SHOWN).map(|s| s.help.as_str()).collect();
            let message = format!("`{}` does not fit: {}", pretrained.path, lines.join("; "));
            Diagnostic::error(code, message, at, "has these weights")
                .label(pretrained.path_span, "read here")
                .help(helps.into_iter().collect::<Vec<_>>().join("; "))
        };
        self.all.into_iter().map(of).collect()
    }
}

/// The name that a file should have for a weight.
fn wanted(weight: &Taken) -> &str {
    &weight.ways[0][0].name
}

fn nothing(pretrained: &Pretrained, model: &str, header: &Header) -> Diagnostic {
    let path = &pretrained.path;
    let message = format!("`{path}` has none of the {} weights of `{model}`", pretrained.weights.len());
    let d = Diagnostic::error("weights::missing", message, pretrained.path_span, "read here");
    let plain = |weight: &Taken| wanted(weight).strip_prefix(&*pretrained.prefix).map(str::to_string);
    let better = pretrained.weights.iter().filter_map(plain).find_map(|plain| prefix_of(&plain, header));
    if let Some(better) = better {
        return d.help(match better.is_empty() {
            true => "names in the file begin at once: take `prefix` out".to_string(),
            false => format!("names in the file begin otherwise: write `prefix=\"{better}\"`"),
        });
    }
    let names: Vec<String> = header.keys().take(6).map(|name| format!("`{name}`")).collect();
    let first = pretrained.weights.first().map_or("", wanted);
    d.help(format!(
        "the model wants `{first}` and so on, and the file has {}{}: call layers as the file does, by `as`",
        names.join(", "),
        if header.len() > names.len() { ", …" } else { "" }
    ))
}

/// What stands before a weight's name in the file.
fn prefix_of(plain: &str, header: &Header) -> Option<String> {
    let before = |name: &&str| {
        let before = name.strip_suffix(plain)?;
        (before.is_empty() || before.ends_with('.')).then(|| before.to_string())
    };
    header.keys().find_map(before)
}

fn lack(pretrained: &Pretrained, weight: &Taken, header: &Header) -> Said {
    let wanted = wanted(weight);
    let layer = weight.name.rsplit_once('.').map_or(weight.name.as_str(), |(layer, _)| layer);
    let help = match did_you_mean(wanted, header.keys().copied()) {
        Some(near) => {
            let near = near.strip_prefix(&*pretrained.prefix).unwrap_or(near);
            let near = near.rsplit_once('.').map_or(near, |(layer, _)| layer);
            format!(
                "the file has a layer `{near}`: call this one so, or let it start anew: `fresh = [{layer}]`"
            )
        }
        None if pretrained.layout == Layout::Mlc
            && header.contains_key(format!("{wanted}_ih_l0").as_str()) =>
        {
            "the file is PyTorch's: say `layout=torch`".to_string()
        }
        None => format!("name the layer as the file does, or let it start anew: `fresh = [{layer}]`"),
    };
    Said { message: format!("it lacks `{wanted}`"), help }
}

/// What is wrong with a tensor of the file.
fn unlike(
    pretrained: &Pretrained,
    piece: &Piece,
    tensor: &TensorInfo,
    bindings: &Bindings,
) -> Option<(Code, Said)> {
    if !READ.contains(&tensor.dtype.as_str()) {
        let message = format!("`{}` is {}", piece.name, tensor.dtype);
        let help = "weights are read from F32, F16 and BF16: save the file in one of these".to_string();
        return Some(("weights::dtype", Said { message, help }));
    }
    let theirs: Vec<Option<i64>> = piece.shape.iter().map(|dim| dim.bind(bindings).as_const()).collect();
    let same = |wanted: &[Option<i64>]| {
        wanted.len() == tensor.shape.len()
            && wanted.iter().zip(&tensor.shape).all(|(w, n)| w.is_none_or(|w| w == *n as i64))
    };
    if same(&theirs) {
        return None;
    }
    let turned: Vec<Option<i64>> = theirs.iter().rev().copied().collect();
    let help = match pretrained.layout {
        Layout::Mlc if same(&turned) => {
            "its axes are the other way round, as PyTorch has them: say `layout=torch`"
        }
        Layout::Torch if same(&turned) => {
            "its axes are the other way round, as here and in the `Conv1D` of GPT-2: take `layout=torch` out"
        }
        Layout::Mlc | Layout::Torch => {
            "make the layer as large as the file has it, or let it start anew by `fresh`"
        }
    };
    let shown = |dim: &crate::base::Dim| dim.bind(bindings).to_string();
    let wanted: Vec<String> = piece.shape.iter().map(shown).collect();
    let message =
        format!("`{}` has the shape {:?}, the model's is [{}]", piece.name, tensor.shape, wanted.join(", "));
    Some(("weights::shape", Said { message, help: help.to_string() }))
}
