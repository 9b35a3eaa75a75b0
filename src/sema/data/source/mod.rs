//! Source calls: `csv("adult.data", missing="?")`, `idx("mnist")`, `synthetic(xor)`.
//!
//! [`SOURCES`] says which there are and what their arguments are; what a source holds is asked of
//! [`probe`](crate::sema::probe).

mod sql;
mod synthetic;
mod tables;
mod texts;
mod voc;

use crate::base::Span;
use crate::diag::{Diagnostic, Diagnostics};
use crate::ops::formula::{Given, Slot, bind};
use crate::sema::ctx::{Ctx, list, suggest};
use crate::sema::job::{LinesFile, SourceKind, SourcePlan};
use crate::syntax::ast::{Arg, Expr, ExprKind, Ident};
pub(in crate::sema) use synthetic::{is_generator, made_up};

/// A kind of source.
struct Source {
    name: &'static str,
    doc: &'static str,
    /// Its arguments in order; the first names what is read.
    arguments: &'static [Argument],
    /// Whether it takes files under names that the author chooses.
    files: Files,
    /// What the arguments say; `None` is reported.
    read: fn(&Call, &Args) -> Option<SourceKind>,
}

/// Files under names of their own: `parallel(en="a", de="b")`.
#[derive(Clone, Copy)]
enum Files {
    Never,
    /// Instead of its arguments.
    Instead(fn(&Call) -> Option<SourceKind>),
    Always(fn(&Call) -> Option<SourceKind>),
}

#[derive(Clone, Copy)]
struct Argument {
    name: &'static str,
    default: Default,
    doc: &'static str,
}

/// What an argument is when a spec does not say.
#[derive(Clone, Copy)]
enum Default {
    Required,
    /// There is none to write: names in the file, no comments.
    Absent,
    Text(&'static str),
    Int(i64),
    Bool(bool),
}

const fn arg(name: &'static str, default: Default, doc: &'static str) -> Argument {
    Argument { name, default, doc }
}

const PATH: Argument =
    arg("path", Default::Required, "Looked up beside the spec, then under `--data DIR` or `MLC_DATA`.");

/// What tables of text have in common, less the separator.
const COLUMNS: Argument =
    arg("columns", Default::Absent, "Names of the columns, of a file without a line of names.");
const DECIMAL: Argument = arg("decimal", Default::Text("."), "The sign before the fraction of a number.");
const MISSING: Argument =
    arg("missing", Default::Text(""), "What stands for a missing value: one text, or a list.");
const SKIP: Argument = arg("skip", Default::Int(0), "Lines at the start that are left out.");
const COMMENT: Argument = arg("comment", Default::Absent, "The sign that starts a line which is left out.");
const HEADER: Argument = arg(
    "header",
    Default::Bool(true),
    "Whether the first line has names; without, columns are `c1`, `c2`, ….",
);

const RESIZE: Argument = arg(
    "resize",
    Default::Absent,
    "Height and width to bring all images to, `[64, 64]`: bilinear, as Pillow does it.",
);

const SEP: &str = "The sign between fields.";

const SOURCES: &[Source] = &[
    Source {
        name: "csv",
        doc: "A table of text, its fields between separators; gzip too.",
        arguments: &[
            PATH,
            COLUMNS,
            arg("sep", Default::Text(","), SEP),
            DECIMAL,
            MISSING,
            SKIP,
            COMMENT,
            HEADER,
        ],
        files: Files::Never,
        read: |call, args| call.text_table(args, b','),
    },
    Source {
        name: "tsv",
        doc: "A table of text, its fields between tabs; gzip too.",
        arguments: &[
            PATH,
            COLUMNS,
            arg("sep", Default::Text("\t"), SEP),
            DECIMAL,
            MISSING,
            SKIP,
            COMMENT,
            HEADER,
        ],
        files: Files::Never,
        read: |call, args| call.text_table(args, b'\t'),
    },
    Source {
        name: "jsonl",
        doc: "One JSON object a line; gzip too.",
        arguments: &[PATH, MISSING],
        files: Files::Never,
        read: |call, args| {
            let missing = or(&args[1], vec![String::new()], |e| call.missing(e))?;
            Some(SourceKind::Jsonl { path: call.path(args)?, missing })
        },
    },
    Source {
        name: "npy",
        doc: "One array of NumPy, a column called as the file; gzip too.",
        arguments: &[PATH],
        files: Files::Never,
        read: |call, args| Some(SourceKind::Npy { path: call.path(args)? }),
    },
    Source {
        name: "npz",
        doc: "Arrays of NumPy, each a column.",
        arguments: &[PATH],
        files: Files::Never,
        read: |call, args| Some(SourceKind::Npz { path: call.path(args)? }),
    },
    Source {
        name: "parquet",
        doc: "Flat columns of a Parquet file.",
        arguments: &[PATH],
        files: Files::Never,
        read: |call, args| Some(SourceKind::Parquet { path: call.path(args)? }),
    },
    Source {
        name: "sql",
        doc: "What a database answers.",
        arguments: &[
            arg("url", Default::Required, "`sqlite:shop.db` or `postgres://user@host/database`."),
            arg("query", Default::Absent, "What to ask; without `ORDER BY` rows are sorted by their values."),
            arg("table", Default::Absent, "Instead of a query: all rows of a table."),
        ],
        files: Files::Never,
        read: |call, args| call.sql(args),
    },
    Source {
        name: "idx",
        doc: "A folder of images and labels in the format of MNIST; gzip too. Columns `image` and `label`.",
        arguments: &[PATH, RESIZE],
        files: Files::Never,
        read: |call, args| Some(SourceKind::Idx { path: call.path(args)?, resize: call.resize(&args[1])? }),
    },
    Source {
        name: "cifar",
        doc: "A folder of binary files of CIFAR-10 or CIFAR-100. Columns `image` and `label`, and `coarse` of CIFAR-100.",
        arguments: &[PATH, RESIZE],
        files: Files::Never,
        read: |call, args| Some(SourceKind::Cifar { path: call.path(args)?, resize: call.resize(&args[1])? }),
    },
    Source {
        name: "images",
        doc: "PNG and JPEG files in a folder for each class, which is called as the folder. Columns `image` and `label`.",
        arguments: &[PATH, RESIZE],
        files: Files::Never,
        read: |call, args| {
            Some(SourceKind::Images { path: call.path(args)?, resize: call.resize(&args[1])? })
        },
    },
    Source {
        name: "voc",
        doc: "Images with boxes around things, as Pascal VOC writes them: Annotations, JPEGImages, ImageSets/Main. Columns \
              `image`, `boxes`, `labels` and `mask`.",
        arguments: &[
            PATH,
            arg("classes", Default::Required, "Names of things in the order of their ids: `[cat, dog]`."),
            arg("skip", Default::Absent, "Names of things that are left out."),
            arg(
                "boxes",
                Default::Int(32),
                "Room for so many boxes an image; the rest is 0 and its `mask` too.",
            ),
            arg(
                "set",
                Default::Absent,
                "A list of ImageSets/Main, `\"train\"`; without, `test.txt` is the test part.",
            ),
            arg(
                "resize",
                Default::Absent,
                "Height and width to bring all images to; boxes are shares of them.",
            ),
            arg(
                "clip",
                Default::Bool(false),
                "Whether boxes are cut at the borders of their image, not refused.",
            ),
        ],
        files: Files::Never,
        read: |call, args| call.voc(args),
    },
    Source {
        name: "text",
        doc: "A file as one row, in the column `text`; gzip too.",
        arguments: &[PATH],
        files: Files::Never,
        read: |call, args| Some(SourceKind::Text { path: call.path(args)? }),
    },
    Source {
        name: "lines",
        doc: "A row a line, in the column `text`; gzip too. Of several files, `lines(neg=\"a\", pos=\"b\")`, the column \
              `label` has the name of each row's file.",
        arguments: &[PATH],
        files: Files::Instead(|call| Some(SourceKind::Lines { files: call.named_files()? })),
        read: |call, args| {
            let file = LinesFile { name: String::new(), path: call.path(args)? };
            Some(SourceKind::Lines { files: vec![file] })
        },
    },
    Source {
        name: "parallel",
        doc: "Files whose lines belong together, `parallel(en=\"a\", de=\"b\")`: each is a column; gzip too.",
        arguments: &[],
        files: Files::Always(|call| Some(SourceKind::Parallel { files: call.named_files()? })),
        read: |_, _| unreachable!("source: its files have names"),
    },
];

/// Made up instead of read: its arguments depend on the first.
const SYNTHETIC: &str = "synthetic";

const LATER: [&str; 2] = ["coco", "json"];

fn find(name: &str) -> Option<&'static Source> {
    SOURCES.iter().find(|s| s.name == name)
}

fn built() -> impl Iterator<Item = &'static str> + Clone {
    SOURCES.iter().map(|s| s.name).chain([SYNTHETIC])
}

/// Whether a call of this name is a source that is built.
pub(in crate::sema) fn is_source(name: &str) -> bool {
    built().any(|s| s == name)
}

/// The arguments of a call, one for each slot; `None` is reported.
pub(in crate::sema) type Args<'e> = Vec<Option<Given<&'e Expr>>>;

/// Sorts the arguments of a call into `(name, required)` slots.
pub(in crate::sema) fn arguments<'e>(
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
    if let Some(row) = find(&callee.name) {
        return call.read(row);
    }
    if &*callee.name == SYNTHETIC {
        return call.synthetic();
    }
    if LATER.contains(&&*callee.name) {
        let instead = format!("{} are built", list(built()).unwrap_or_default());
        cx.later("later::source", format!("the source `{}`", callee.name), callee.span, instead);
        return None;
    }
    let message = format!("there is no source `{}`", callee.name);
    let d = Diagnostic::error("data::source", message, callee.span, "not a source");
    cx.report(suggest(d, "source", callee, built().chain(LATER)));
    None
}

struct Call<'c, 'a> {
    cx: &'c Ctx<'a>,
    args: &'c [Arg],
    span: Span,
}

impl Call<'_, '_> {
    fn read(&self, row: &Source) -> Option<SourcePlan> {
        let named = |known: &[Argument]| {
            let is_known = |name: &Ident| known.iter().any(|a| a.name == &*name.name);
            self.args.iter().any(|a| a.name.as_ref().is_some_and(|name| !is_known(name)))
        };
        let files = match row.files {
            Files::Always(files) => Some(files),
            Files::Instead(files) => Some(files).filter(|_| named(row.arguments)),
            Files::Never => None,
        };
        if let Some(files) = files {
            let path_span = self.args.first().map_or(self.span, |a| a.value.span);
            return Some(SourcePlan { kind: files(self)?, span: self.span, path_span });
        }
        let slots: Vec<(&str, bool)> =
            row.arguments.iter().map(|a| (a.name, matches!(a.default, Default::Required))).collect();
        let args = arguments(self.cx, row.name, self.span, &slots, self.args)?;
        let kind = (row.read)(self, &args)?;
        let path_span = args.first().and_then(|a| a.as_ref()).map_or(self.span, |a| a.span);
        Some(SourcePlan { kind, span: self.span, path_span })
    }

    /// `resize=[64, 64]`, if it is given; `None` is reported.
    fn resize(&self, arg: &Option<Given<&Expr>>) -> Option<Option<[usize; 2]>> {
        or(arg, None, |e| self.size("resize", e).map(Some))
    }

    /// `[height, width]`
    fn size(&self, what: &str, expr: &Expr) -> Option<[usize; 2]> {
        if let ExprKind::List(items) | ExprKind::Tuple(items) = &expr.bare().kind
            && let [height, width] = items.as_slice()
        {
            let side = |e| self.cx.count(what, e, 1).map(|n| n as usize);
            return Some([side(height)?, side(width)?]);
        }
        self.cx.wants(what, "height and width: `[64, 64]`", "value", expr.span);
        None
    }

    /// The first argument, a string.
    fn path(&self, args: &Args) -> Option<String> {
        self.cx.string("path", args.first()?.as_ref()?.value)
    }
}

/// The argument, or what it is when the user does not say.
fn or<T>(arg: &Option<Given<&Expr>>, default: T, read: impl FnOnce(&Expr) -> Option<T>) -> Option<T> {
    match arg {
        Some(given) => read(given.value),
        None => Some(default),
    }
}

/// What a call in a `data` section may be: a source, or a generator of `synthetic`.
#[derive(Clone, Debug)]
pub struct SourceInfo {
    pub name: &'static str,
    pub doc: &'static str,
    pub arguments: Vec<ArgumentInfo>,
}

#[derive(Clone, Debug)]
pub struct ArgumentInfo {
    pub name: &'static str,
    pub doc: &'static str,
    pub required: bool,
    /// As it would be written; none if there is nothing to write.
    pub default: Option<String>,
}

/// Every source, `synthetic` last: its first argument is a generator.
pub fn sources() -> Vec<SourceInfo> {
    let argument = |a: &Argument| ArgumentInfo {
        name: a.name,
        doc: a.doc,
        required: matches!(a.default, Default::Required),
        default: match a.default {
            Default::Required | Default::Absent => None,
            Default::Text(text) => Some(format!("{text:?}")),
            Default::Int(n) => Some(n.to_string()),
            Default::Bool(yes) => Some(yes.to_string()),
        },
    };
    let read = SOURCES.iter().map(|s| SourceInfo {
        name: s.name,
        doc: s.doc,
        arguments: s.arguments.iter().map(argument).collect(),
    });
    read.chain([synthetic::info()]).collect()
}

/// Every generator, with the settings that `synthetic` takes of it.
pub fn generators() -> Vec<SourceInfo> {
    synthetic::infos()
}

/// What a source call leaves to its defaults, for whoever writes them out: argument and value.
pub fn source_defaults(source: &str, args: &[Arg]) -> Vec<(&'static str, ExprKind)> {
    let all: Vec<(&'static str, Option<ExprKind>)> = match find(source) {
        Some(row) => row.arguments.iter().map(|a| (a.name, a.default.written())).collect(),
        // The generator's name comes first.
        None if source == SYNTHETIC => std::iter::once(("", None))
            .chain(synthetic::defaults(args).into_iter().map(|(name, value)| (name, Some(value))))
            .collect(),
        None => Vec::new(),
    };
    let places = args.iter().filter(|a| a.name.is_none()).count();
    let named = |name: &str| args.iter().any(|a| a.name.as_ref().is_some_and(|n| &*n.name == name));
    let left = all.into_iter().skip(places).filter(|(name, _)| !named(name));
    left.filter_map(|(name, value)| Some((name, value?))).collect()
}

impl Default {
    fn written(self) -> Option<ExprKind> {
        match self {
            Default::Required | Default::Absent => None,
            Default::Text(text) => Some(ExprKind::Str(text.to_string())),
            Default::Int(n) => Some(ExprKind::Int(n)),
            Default::Bool(yes) => Some(ExprKind::Bool(yes)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documentation_has_every_source_and_argument() {
        let text = include_str!("../../../../docs/sources.md");
        for source in SOURCES {
            let row = text.lines().find(|l| l.starts_with(&format!("| `{}` |", source.name)));
            let row = row.unwrap_or_else(|| panic!("docs/sources.md has no row of `{}`", source.name));
            // `tsv` is `csv` with another separator.
            let all = source.arguments.iter().filter(|_| source.name != "tsv");
            all.for_each(|a| assert!(row.contains(&format!("`{}`", a.name)), "{}: {}", source.name, a.name));
        }
    }
}
