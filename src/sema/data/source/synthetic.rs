//! `synthetic(xor, rows=1000)`: generators with their settings, one row each.

use super::{ArgumentInfo, Call, SourceInfo, arguments, or};
use crate::base::DType;
use crate::diag::Diagnostic;
use crate::sema::job::{Generator, SourceKind, SourcePlan};
use crate::sema::probe::{SchemaColumn, SourceSchema};
use crate::syntax::ast::{Arg, Expr, ExprKind};

/// Whether `synthetic` knows a generator of that name.
pub(in crate::sema) fn is_generator(name: &str) -> bool {
    GENERATORS.iter().any(|g| g.name == name)
}

impl Call<'_, '_> {
    pub(super) fn synthetic(&self) -> Option<SourcePlan> {
        let Some(name) = self.args.first().filter(|a| a.name.is_none()).and_then(|a| a.value.as_name())
        else {
            let known = crate::sema::ctx::list(GENERATORS.iter().map(|g| g.name)).unwrap_or_default();
            let d = Diagnostic::error(
                "call::missing",
                "`synthetic` needs the name of a generator",
                self.span,
                "which one?",
            );
            self.cx.report(d.help(format!("write one of {known} first")));
            return None;
        };
        let Some(row) = GENERATORS.iter().find(|g| g.name == &*name.name) else {
            self.cx.unknown("data::generator", "generator", name, GENERATORS.iter().map(|g| g.name));
            return None;
        };
        let mut slots = vec![("rows", false), ("seed", false)];
        slots.extend(row.settings.iter().map(|s| (s.name, false)));
        let args = arguments(self.cx, row.name, self.span, &slots, &self.args[1..])?;
        let rows = or(&args[0], ROWS, |e| self.cx.count("rows", e, 1))?;
        let seed = or(&args[1], 0, |e| self.cx.count("seed", e, 0))?;
        let values: Option<Vec<f64>> = row
            .settings
            .iter()
            .zip(&args[2..])
            .map(|(s, arg)| or(arg, s.default, |e| self.setting(s, e)))
            .collect();
        let generator = (row.make)(&values?);
        self.informative(&generator)?;
        let kind = SourceKind::Synthetic { generator, rows: rows as usize, seed: seed as u64 };
        Some(SourcePlan { kind, span: self.span, path_span: name.span })
    }

    fn setting(&self, setting: &Setting, expr: &Expr) -> Option<f64> {
        match setting.min {
            Min::Count(min) => self.cx.count(setting.name, expr, min).map(|n| n as f64),
            Min::Real(max) => self.cx.real(setting.name, expr, 0.0, max),
        }
    }

    /// scikit-learn's own condition: classes are clusters at corners of a cube.
    fn informative(&self, generator: &Generator) -> Option<()> {
        let Generator::Classification { features, informative, redundant, classes, .. } = generator else {
            return Some(());
        };
        let corners =
            u32::try_from(*informative).ok().and_then(|n| 1_usize.checked_shl(n)).unwrap_or(usize::MAX);
        let why = if informative + redundant > *features {
            format!("{informative} informative and {redundant} redundant features do not fit into {features}")
        } else if *classes > corners {
            format!("{informative} informative features tell at most {corners} classes apart, not {classes}")
        } else {
            return Some(());
        };
        let d = Diagnostic::error("value::range", why, self.span, "cannot be made");
        self.cx.report(d.help("raise `features` or `informative`, or lower `classes`"));
        None
    }
}

/// How many rows a generator makes unless the spec says otherwise.
const ROWS: i64 = 1000;

#[derive(Clone, Copy)]
enum Min {
    /// A whole number, at least so much.
    Count(i64),
    /// A number from 0, at most so much.
    Real(f64),
}

struct Setting {
    name: &'static str,
    min: Min,
    default: f64,
}

const fn count(name: &'static str, default: i64) -> Setting {
    Setting { name, min: Min::Count(1), default: default as f64 }
}

struct GeneratorRow {
    name: &'static str,
    doc: &'static str,
    settings: &'static [Setting],
    make: fn(&[f64]) -> Generator,
}

const NOISE_LINE: Setting = Setting { name: "noise", min: Min::Real(f64::INFINITY), default: 0.1 };
const NOISE_XOR: Setting = Setting { name: "noise", min: Min::Real(f64::INFINITY), default: 0.0 };

const GENERATORS: &[GeneratorRow] = &[
    GeneratorRow {
        name: "line",
        doc: "`y` is a line of `x`, with noise.",
        settings: &[count("features", 1), NOISE_LINE],
        make: |v| Generator::Line { features: v[0] as usize, noise: v[1] },
    },
    GeneratorRow {
        name: "xor",
        doc: "`y` is 1 where one of two bits of `x` is.",
        settings: &[NOISE_XOR],
        make: |v| Generator::Xor { noise: v[0] },
    },
    GeneratorRow {
        name: "classification",
        doc: "Clusters at corners of a cube, `x` and classes `y`, as scikit-learn's `make_classification` makes them.",
        settings: &[
            count("features", 20),
            count("informative", 2),
            Setting { name: "redundant", min: Min::Count(0), default: 2.0 },
            count("classes", 2),
            Setting { name: "class_sep", min: Min::Real(f64::INFINITY), default: 1.0 },
            Setting { name: "flip", min: Min::Real(1.0), default: 0.01 },
        ],
        make: |v| Generator::Classification {
            features: v[0] as usize,
            informative: v[1] as usize,
            redundant: v[2] as usize,
            classes: v[3] as usize,
            class_sep: v[4],
            flip: v[5],
        },
    },
    GeneratorRow {
        name: "tokens",
        doc: "Sequences of ids, `tokens`.",
        settings: &[count("length", 64), count("vocab", 256)],
        make: |v| Generator::Tokens { length: v[0] as usize, vocab: v[1] as usize },
    },
    GeneratorRow {
        name: "images",
        doc: "Images of noise, `image` and classes `label`: for measuring speed.",
        settings: &[count("height", 28), count("width", 28), count("channels", 1), count("classes", 10)],
        make: |v| Generator::Images {
            height: v[0] as usize,
            width: v[1] as usize,
            channels: v[2] as usize,
            classes: v[3] as usize,
        },
    },
    GeneratorRow {
        name: "normal",
        doc: "Normal numbers `x` and classes `y`.",
        settings: &[count("features", 8), count("classes", 2)],
        make: |v| Generator::Normal { features: v[0] as usize, classes: v[1] as usize },
    },
];

/// `synthetic` itself, with the arguments that all generators have.
pub(super) fn info() -> SourceInfo {
    SourceInfo {
        name: super::SYNTHETIC,
        doc: "Rows made up from a seed: the first argument is a generator.",
        arguments: common(),
    }
}

/// Each generator with its arguments, those that all have first.
pub(super) fn infos() -> Vec<SourceInfo> {
    let own = |s: &Setting| match s.min {
        Min::Count(_) => argument(s.name, "A setting of the generator.", s.default as i64),
        Min::Real(_) => argument(s.name, "A setting of the generator.", s.default),
    };
    let info = |g: &GeneratorRow| SourceInfo {
        name: g.name,
        doc: g.doc,
        arguments: common().into_iter().chain(g.settings.iter().map(own)).collect(),
    };
    GENERATORS.iter().map(info).collect()
}

fn common() -> Vec<ArgumentInfo> {
    vec![argument("rows", "How many rows are made.", ROWS), argument("seed", "Of the random numbers.", 0)]
}

fn argument(name: &'static str, doc: &'static str, default: impl ToString) -> ArgumentInfo {
    ArgumentInfo { name, doc, required: false, default: Some(default.to_string()) }
}

/// The settings that a call leaves to their defaults, with those.
pub(super) fn defaults(args: &[Arg]) -> Vec<(&'static str, ExprKind)> {
    let name = args.first().and_then(|a| a.value.as_name());
    let row = name.and_then(|n| GENERATORS.iter().find(|g| g.name == &*n.name));
    let Some(row) = row else { return Vec::new() };
    let mut all = vec![("rows", ExprKind::Int(ROWS)), ("seed", ExprKind::Int(0))];
    all.extend(row.settings.iter().map(|s| match s.min {
        Min::Count(_) => (s.name, ExprKind::Int(s.default as i64)),
        Min::Real(_) => (s.name, ExprKind::Float(s.default)),
    }));
    all
}

/// What a generator makes: known without looking anywhere.
pub(in crate::sema) fn made_up(generator: &Generator, rows: usize) -> SourceSchema {
    let column = |name: &str, dtype, shape: &[usize], classes| SchemaColumn {
        name: name.to_string(),
        dtype: Some(dtype),
        shape: shape.to_vec(),
        classes,
        sample: None,
    };
    let features = |n: usize| column("x", DType::F32, &[n], None);
    let class = |name, n: usize| column(name, DType::I32, &[], Some(n));
    let columns = match generator {
        Generator::Line { features: n, .. } => vec![features(*n), column("y", DType::F32, &[], None)],
        Generator::Xor { .. } => vec![features(2), class("y", 2)],
        Generator::Classification { features: n, classes, .. }
        | Generator::Normal { features: n, classes } => {
            vec![features(*n), class("y", *classes)]
        }
        Generator::Tokens { length, vocab } => vec![column("tokens", DType::I32, &[*length], Some(*vocab))],
        Generator::Images { height, width, channels, classes } => {
            vec![column("image", DType::F32, &[*height, *width, *channels], None), class("label", *classes)]
        }
    };
    SourceSchema { columns, rows: Some(rows), hint: None }
}
