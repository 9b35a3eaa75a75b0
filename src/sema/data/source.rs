//! Source calls: `csv("adult.data", missing="?")`, `idx("mnist")`, `synthetic(xor)`.

use crate::base::{DType, Span};
use crate::diag::{Diagnostic, Diagnostics};
use crate::ops::formula::{Given, Slot, bind};
use crate::sema::ctx::{Ctx, suggest};
use crate::sema::job::{Generator, SourceKind, SourcePlan};
use crate::sema::names::duplicate;
use crate::sema::probe::{SchemaColumn, SourceSchema};
use crate::syntax::ast::{Arg, Expr, ExprKind, Ident};

const BUILT: [&str; 3] = ["csv", "idx", "synthetic"];
const LATER: [&str; 13] = [
    "tsv", "jsonl", "parquet", "npy", "npz", "cifar", "images", "text", "lines", "parallel", "voc", "coco",
    "json",
];
const INSTEAD: &str = "`csv`, `idx` and `synthetic` are built";

/// The arguments of a call, one for each slot; `None` is reported.
pub(super) type Args<'e> = Vec<Option<Given<&'e Expr>>>;

/// Sorts the arguments of a call into `(name, required)` slots.
pub(super) fn arguments<'e>(
    cx: &Ctx,
    callee: &str,
    call: Span,
    slots: &[(&str, bool)],
    args: &'e [Arg],
) -> Option<Args<'e>> {
    let slots: Vec<Slot> = slots.iter().map(|&(name, required)| Slot { name, required }).collect();
    let given = args.iter().map(|a| Given { name: a.name.clone(), value: &a.value, span: a.value.span });
    let mut found = Diagnostics::new();
    let bound = bind(callee, call, &slots, given.collect(), &mut found);
    cx.diags.borrow_mut().extend(found.sorted());
    bound.ok()
}

/// Reads a source; `None` is reported.
pub(super) fn source(cx: &Ctx, expr: &Expr) -> Option<SourcePlan> {
    let (callee, args): (&Ident, &[Arg]) = match &expr.bare().kind {
        ExprKind::Call { callee, args } => (callee.as_name()?, args),
        ExprKind::Name(name) => (name, &[]),
        ExprKind::Broken => return None,
        _ => {
            let d =
                Diagnostic::error("data::source", "this is not a source of data", expr.span, "not a source");
            cx.report(
                d.help("write a call such as `csv(\"table.csv\")`, `idx(\"mnist\")` or `synthetic(xor)`"),
            );
            return None;
        }
    };
    let call = Call { cx, args, span: expr.span };
    match &*callee.name {
        "csv" => call.csv(),
        "idx" => call.idx(),
        "synthetic" => call.synthetic(),
        other if LATER.contains(&other) => {
            cx.later("later::source", format!("the source `{other}`"), callee.span, INSTEAD);
            None
        }
        _ => {
            let known = BUILT.iter().chain(&LATER).copied();
            let d = Diagnostic::error(
                "data::source",
                format!("there is no source `{}`", callee.name),
                callee.span,
                "not a source",
            );
            cx.report(suggest(d, "source", callee, known));
            None
        }
    }
}

struct Call<'c, 'a> {
    cx: &'c Ctx<'a>,
    args: &'c [Arg],
    span: Span,
}

impl Call<'_, '_> {
    fn csv(&self) -> Option<SourcePlan> {
        const SLOTS: [(&str, bool); 6] = [
            ("path", true),
            ("columns", false),
            ("sep", false),
            ("decimal", false),
            ("missing", false),
            ("skip", false),
        ];
        let args = arguments(self.cx, "csv", self.span, &SLOTS, self.args)?;
        let [path, columns, sep, decimal, missing, skip] = args.as_slice() else {
            unreachable!("bind: one result for each slot")
        };
        let path = path.as_ref()?;
        let kind = SourceKind::Csv {
            path: self.cx.string("path", path.value)?,
            columns: or(columns, None, |e| self.columns(e).map(Some))?,
            sep: or(sep, b',', |e| self.sign("sep", e))?,
            decimal: or(decimal, b'.', |e| self.sign("decimal", e))?,
            missing: or(missing, vec![String::new()], |e| self.missing(e))?,
            skip: or(skip, 0, |e| self.cx.count("skip", e, 0).map(|n| n as usize))?,
        };
        Some(SourcePlan { kind, span: self.span, path_span: path.span })
    }

    fn columns(&self, expr: &Expr) -> Option<Vec<String>> {
        let ExprKind::List(items) = &expr.bare().kind else {
            self.cx.wants("columns", "a list of names: `[a, b]`", "value", expr.span);
            return None;
        };
        let mut seen: Vec<(String, Span)> = Vec::new();
        for item in items {
            let name = self.cx.word("columns", item)?;
            if let Some((_, first)) = seen.iter().find(|(n, _)| *n == name) {
                self.cx.report(duplicate(&Ident { name: name.as_str().into(), span: item.span }, *first));
                continue;
            }
            seen.push((name, item.span));
        }
        Some(seen.into_iter().map(|(name, _)| name).collect())
    }

    /// One ASCII character in quotes.
    fn sign(&self, what: &str, expr: &Expr) -> Option<u8> {
        let text = self.cx.string(what, expr)?;
        match text.as_bytes() {
            [sign] if sign.is_ascii() => Some(*sign),
            _ => {
                self.cx.wants(what, "one character in quotes", "longer string", expr.span);
                None
            }
        }
    }

    /// One string or several; an empty cell is always missing.
    fn missing(&self, expr: &Expr) -> Option<Vec<String>> {
        let mut all = vec![String::new()];
        match &expr.bare().kind {
            ExprKind::List(items) => {
                for item in items {
                    all.push(self.cx.string("missing", item)?);
                }
            }
            _ => all.push(self.cx.string("missing", expr)?),
        }
        all.dedup();
        Some(all)
    }

    fn idx(&self) -> Option<SourcePlan> {
        let args = arguments(self.cx, "idx", self.span, &[("path", true)], self.args)?;
        let path = args[0].as_ref()?;
        let kind = SourceKind::Idx { path: self.cx.string("path", path.value)? };
        Some(SourcePlan { kind, span: self.span, path_span: path.span })
    }

    fn synthetic(&self) -> Option<SourcePlan> {
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

/// The argument, or what it is when the user does not say.
fn or<T>(arg: &Option<Given<&Expr>>, default: T, read: impl FnOnce(&Expr) -> Option<T>) -> Option<T> {
    match arg {
        Some(given) => read(given.value),
        None => Some(default),
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
    settings: &'static [Setting],
    make: fn(&[f64]) -> Generator,
}

const NOISE_LINE: Setting = Setting { name: "noise", min: Min::Real(f64::INFINITY), default: 0.1 };
const NOISE_XOR: Setting = Setting { name: "noise", min: Min::Real(f64::INFINITY), default: 0.0 };

const GENERATORS: &[GeneratorRow] = &[
    GeneratorRow {
        name: "line",
        settings: &[count("features", 1), NOISE_LINE],
        make: |v| Generator::Line { features: v[0] as usize, noise: v[1] },
    },
    GeneratorRow { name: "xor", settings: &[NOISE_XOR], make: |v| Generator::Xor { noise: v[0] } },
    GeneratorRow {
        name: "classification",
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
        settings: &[count("length", 64), count("vocab", 256)],
        make: |v| Generator::Tokens { length: v[0] as usize, vocab: v[1] as usize },
    },
    GeneratorRow {
        name: "images",
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
        settings: &[count("features", 8), count("classes", 2)],
        make: |v| Generator::Normal { features: v[0] as usize, classes: v[1] as usize },
    },
];

/// What a source call leaves to its defaults, for whoever writes them out: argument and value.
pub fn source_defaults(source: &str, args: &[Arg]) -> Vec<(&'static str, ExprKind)> {
    let text = |text: &str| ExprKind::Str(text.to_string());
    let mut all: Vec<(&'static str, ExprKind)> = Vec::new();
    // Positions count from here: the path, or the generator's name.
    let mut places = args.iter().filter(|a| a.name.is_none()).count().saturating_sub(1);
    match source {
        "csv" => {
            // No `columns` means the header, which is nothing to write.
            places = places.saturating_sub(1);
            all.extend([
                ("sep", text(",")),
                ("decimal", text(".")),
                ("missing", text("")),
                ("skip", ExprKind::Int(0)),
            ]);
        }
        "synthetic" => {
            let name = args.first().and_then(|a| a.value.as_name());
            let row = name.and_then(|n| GENERATORS.iter().find(|g| g.name == &*n.name));
            let Some(row) = row else { return Vec::new() };
            all.extend([("rows", ExprKind::Int(ROWS)), ("seed", ExprKind::Int(0))]);
            all.extend(row.settings.iter().map(|s| match s.min {
                Min::Count(_) => (s.name, ExprKind::Int(s.default as i64)),
                Min::Real(_) => (s.name, ExprKind::Float(s.default)),
            }));
        }
        _ => return Vec::new(),
    }
    let named = |name: &str| args.iter().any(|a| a.name.as_ref().is_some_and(|n| &*n.name == name));
    all.into_iter().skip(places).filter(|(name, _)| !named(name)).collect()
}

/// What a generator makes: known without looking anywhere.
pub(super) fn made_up(generator: &Generator, rows: usize) -> SourceSchema {
    let column = |name: &str, dtype, shape: &[usize], classes| SchemaColumn {
        name: name.to_string(),
        dtype: Some(dtype),
        shape: shape.to_vec(),
        classes,
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
