//! Whatever can be called, in one form: for hover, completion and signature help.

use super::{Analysis, text_of_library};
use crate::base::Span;
use crate::ops::formula::{OpDecl, ParamKind, builtins};
use crate::ops::{Attr, AttrType, Framework, Library, Sig, defaults, init, loss};
use crate::sema::facts::{NameKind, sig_of};
use crate::sema::job::Layout;
use crate::sema::{self, SourceInfo};
use crate::syntax::ast::{self, EntryKind, Field, ItemKind, OpBody};
use crate::tools::defaults::{default_of, number};

/// A layer, function, loss, source, block, … with what it takes.
#[derive(Clone, Debug, PartialEq)]
pub struct Callable {
    pub name: String,
    pub kind: NameKind,
    /// Markdown; the first line is a sentence.
    pub doc: String,
    pub parameters: Vec<Parameter>,
    /// Behind the parentheses: ` -> f32[]`; empty if there is nothing to say.
    pub result: String,
    /// The formula, as the library or the file has it.
    pub equation: Option<String>,
    /// A call that can be written.
    pub example: Option<String>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Parameter {
    pub name: String,
    /// `size`, `f32[..s]`, `one of `a`, `b``
    pub ty: String,
    /// As it would be written; none if it must be said, or means something by its absence.
    pub default: Option<String>,
    /// The other framework's, where it differs.
    pub elsewhere: Option<String>,
    pub required: bool,
    /// A tensor, which the pipe may bring.
    pub tensor: bool,
    pub doc: String,
    /// What its values may be.
    pub values: Values,
}

/// What a parameter's value may be, for completion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Values {
    /// A number, a size, a text.
    Any,
    Flag,
    Words(&'static [&'static str]),
    Activation,
    Initialiser,
    Monitor,
    Generator,
    Weights,
}

/// Looks up what a name of that kind calls.
pub fn callable(analysis: &Analysis, kind: NameKind, name: &str) -> Option<Callable> {
    match kind {
        NameKind::Block | NameKind::Op | NameKind::Model => of_file(analysis, name),
        NameKind::Loss | NameKind::Function => {
            let op = analysis.library.op(name).map(|op| of_op(analysis.framework, kind, op));
            op.or_else(|| of_builtin(name)).or_else(|| of_function(name))
        }
        NameKind::Source if name == sema::pretrained::CALL => Some(of_weight_file()),
        NameKind::Source => sema::sources().iter().find(|s| s.name == name).map(|s| of_source(kind, s)),
        NameKind::Generator => sema::generators().iter().find(|s| s.name == name).map(|s| of_source(kind, s)),
        _ => sig_of(kind, name).map(|sig| of_sig(analysis, kind, sig)),
    }
}

fn of_sig(analysis: &Analysis, kind: NameKind, sig: &'static Sig) -> Callable {
    let mut parameters: Vec<Parameter> =
        sig.attrs.iter().map(|attr| of_attr(analysis.framework, attr)).collect();
    if kind == NameKind::Optimizer && sig.attrs.iter().any(|a| a.name == "weight_decay") {
        parameters.push(no_decay());
    }
    Callable {
        name: sig.name.to_string(),
        kind,
        doc: sig.doc.to_string(),
        parameters,
        result: String::new(),
        equation: formula_of(&analysis.library, kind, sig.name),
        example: Some(sig.example.to_string()),
    }
}

fn no_decay() -> Parameter {
    Parameter {
        name: "no_decay".into(),
        ty: "names of weights".into(),
        default: None,
        elsewhere: None,
        required: false,
        tensor: false,
        doc: "Layers, kinds of layers or weights that do not decay: `[bias, LayerNorm]`.".into(),
        values: Values::Weights,
    }
}

/// The formula behind a layer that is one op.
fn formula_of(library: &Library, kind: NameKind, name: &str) -> Option<String> {
    if kind != NameKind::Layer {
        return None;
    }
    let snake = match name {
        "ReLU6" => "relu6".to_string(),
        "ReLU" | "GELU" | "SELU" | "ELU" => name.to_lowercase(),
        "SiLU" => "silu".to_string(),
        _ => snake(name),
    };
    library.std_op(&snake).and_then(equation)
}

/// `LeakyReLU` as `leaky_relu`.
fn snake(name: &str) -> String {
    let mut out = String::new();
    let mut lower = false;
    for c in name.chars() {
        if c.is_uppercase() && lower {
            out.push('_');
        }
        lower = c.is_lowercase();
        out.extend(c.to_lowercase());
    }
    out
}

fn of_attr(framework: Framework, attr: &Attr) -> Parameter {
    let other = match framework {
        Framework::Keras => Framework::Torch,
        Framework::Torch => Framework::Keras,
    };
    let (own, elsewhere) = (default_of(framework, attr), default_of(other, attr));
    let required = own == REQUIRED;
    Parameter {
        name: attr.name.to_string(),
        ty: type_text(attr.ty),
        elsewhere: (own != elsewhere).then_some(elsewhere),
        default: (!required && own != "none").then_some(own),
        required,
        tensor: false,
        doc: attr.doc.to_string(),
        values: values_of(attr.ty),
    }
}

/// As the page of defaults says that there is none.
const REQUIRED: &str = "must be said";

fn values_of(ty: AttrType) -> Values {
    match ty {
        AttrType::Bool => Values::Flag,
        AttrType::Choice(words) | AttrType::Choices(words) | AttrType::Layer(words) => Values::Words(words),
        AttrType::Activation => Values::Activation,
        AttrType::Init => Values::Initialiser,
        AttrType::Metric => Values::Monitor,
        AttrType::Size { .. }
        | AttrType::Sizes
        | AttrType::Pair { .. }
        | AttrType::Sides
        | AttrType::Int { .. }
        | AttrType::Float { .. }
        | AttrType::Str
        | AttrType::Cell => Values::Any,
    }
}

/// What may stand there, in few words.
fn type_text(ty: AttrType) -> String {
    let words = |all: &[&str]| all.join(" | ");
    match ty {
        AttrType::Size { min } => format!("size from {min}"),
        AttrType::Sizes => "sizes".into(),
        AttrType::Pair { min } => format!("size from {min}, or two"),
        AttrType::Sides => "size, two or four".into(),
        AttrType::Int { min: i64::MIN, max: i64::MAX } => "int".into(),
        AttrType::Int { min, max: i64::MAX } => format!("int from {min}"),
        AttrType::Int { min, max } => format!("int from {min} to {max}"),
        AttrType::Float { min, max, .. } if min == f64::MIN && max == f64::MAX => "float".into(),
        AttrType::Float { min, max, .. } if max == f64::MAX => format!("float from {}", number(min)),
        AttrType::Float { min, max, open: false } => format!("float from {} to {}", number(min), number(max)),
        AttrType::Float { min, max, open: true } => {
            format!("float from {}, below {}", number(min), number(max))
        }
        AttrType::Bool => "bool".into(),
        AttrType::Choice(all) => words(all),
        AttrType::Choices(all) => format!("[{}]", all.join(", ")),
        AttrType::Activation => "activation".into(),
        AttrType::Init => "initialiser".into(),
        AttrType::Metric => "monitor".into(),
        AttrType::Str => "str".into(),
        AttrType::Cell => "value".into(),
        AttrType::Layer([]) => "layer".into(),
        AttrType::Layer(all) => words(all),
    }
}

fn of_op(framework: Framework, kind: NameKind, op: &OpDecl) -> Callable {
    let other = if framework == Framework::Keras { Framework::Torch } else { Framework::Keras };
    let tabled = |framework, name: &str| defaults::op_setting(framework, &op.name, name).map(number);
    let mut parameters: Vec<Parameter> = op
        .params
        .iter()
        .map(|p| {
            let written = p.default.as_ref().map(crate::tools::defaults::text);
            let own = tabled(framework, &p.name).or(written.clone());
            let elsewhere = tabled(other, &p.name).or(written).filter(|e| Some(e) != own.as_ref());
            Parameter {
                name: p.name.to_string(),
                ty: p.kind.text(),
                required: own.is_none(),
                default: own,
                elsewhere,
                tensor: matches!(p.kind, ParamKind::Tensor(_)),
                doc: String::new(),
                values: if p.kind == ParamKind::Bool { Values::Flag } else { Values::Any },
            }
        })
        .collect();
    if kind == NameKind::Loss {
        parameters.extend(by_class(&op.name));
    }
    let signature = op.signature();
    let result = signature.rfind(") -> ").map_or("", |at| &signature[at + 1..]).to_string();
    Callable {
        name: op.name.to_string(),
        kind,
        doc: prose(&op.doc),
        parameters,
        result,
        equation: equation(op),
        example: op.examples().next().map(str::to_string),
    }
}

/// What a loss takes beside its formula, where it knows classes.
fn by_class(name: &str) -> Vec<Parameter> {
    let plain = |name: &str, ty: &str, doc: &str| Parameter {
        name: name.into(),
        ty: ty.into(),
        default: None,
        elsewhere: None,
        required: false,
        tensor: false,
        doc: doc.into(),
        values: Values::Any,
    };
    match loss::find(name).and_then(|l| l.by_class) {
        Some(_) => vec![
            plain("class_weights", "numbers", "How much each class counts: `[1, 5]`."),
            plain("ignore", "int", "Rows with this label count nothing."),
        ],
        None => Vec::new(),
    }
}

/// A doc comment less its `@example` lines.
fn prose(doc: &str) -> String {
    let lines = doc.lines().filter(|line| !line.trim().starts_with("@example"));
    lines.collect::<Vec<_>>().join("\n").trim().to_string()
}

/// The formula of the library, as its text has it.
fn equation(op: &OpDecl) -> Option<String> {
    let text = |span: Span| text_of_library(span).and_then(|(_, text)| text.get(span.range()));
    match &op.body {
        OpBody::Formula(expr) => text(expr.span).map(one_line),
        OpBody::Body(entries) => {
            let lines = entries.iter().filter_map(|e| text(e.span).map(one_line));
            Some(lines.collect::<Vec<_>>().join("\n"))
        }
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn of_builtin(name: &str) -> Option<Callable> {
    use crate::ops::formula::BuiltinKind as Kind;
    let function = builtins().find(|f| f.name == name)?;
    let parameters = function.params.iter().map(|p| {
        let (ty, values) = match p.kind {
            Kind::Operand => ("tensor", Values::Any),
            Kind::Mask => ("mask", Values::Any),
            Kind::Size => ("int", Values::Any),
            Kind::Axes => ("axis", Values::Any),
            Kind::Flag => ("bool", Values::Flag),
            Kind::Type => ("f32 | i32", Values::Words(&["f32", "i32"])),
        };
        Parameter {
            name: p.name.to_string(),
            ty: ty.to_string(),
            default: None,
            elsewhere: None,
            required: p.required,
            tensor: matches!(p.kind, Kind::Operand | Kind::Mask),
            doc: String::new(),
            values,
        }
    });
    Some(Callable {
        name: name.to_string(),
        kind: NameKind::Function,
        doc: function.doc.to_string(),
        parameters: parameters.collect(),
        result: String::new(),
        equation: None,
        example: Some(function.example.to_string()),
    })
}

/// A function of models: `axis=-1` is a parameter with its default.
fn of_function(name: &str) -> Option<Callable> {
    let function = sema::FUNCTIONS.iter().find(|f| f.name == name)?;
    let parameters = function.params.iter().map(|text| {
        let (name, default) = match text.split_once('=') {
            Some((name, default)) => (name, Some(default.to_string())),
            None => (*text, None),
        };
        Parameter {
            name: name.to_string(),
            ty: String::new(),
            required: default.is_none() && !["mask", "kv_heads", "scale"].contains(&name),
            default,
            elsewhere: None,
            tensor: ["x", "a", "b", "q", "k", "v"].contains(&name),
            doc: String::new(),
            values: Values::Any,
        }
    });
    Some(Callable {
        name: name.to_string(),
        kind: NameKind::Function,
        doc: function.doc.to_string(),
        parameters: parameters.collect(),
        result: String::new(),
        equation: None,
        example: None,
    })
}

fn of_source(kind: NameKind, source: &SourceInfo) -> Callable {
    let mut parameters: Vec<Parameter> = source
        .arguments
        .iter()
        .map(|a| Parameter {
            name: a.name.to_string(),
            ty: String::new(),
            default: a.default.clone(),
            elsewhere: None,
            required: a.required,
            tensor: false,
            doc: a.doc.to_string(),
            values: match a.default.as_deref() {
                Some("true" | "false") => Values::Flag,
                Some(_) | None => Values::Any,
            },
        })
        .collect();
    if source.name == "synthetic" {
        let generator = Parameter {
            name: "generator".into(),
            ty: String::new(),
            default: None,
            elsewhere: None,
            required: true,
            tensor: false,
            doc: "What makes the rows.".into(),
            values: Values::Generator,
        };
        parameters.insert(0, generator);
    }
    Callable {
        name: source.name.to_string(),
        kind,
        doc: source.doc.to_string(),
        parameters,
        result: String::new(),
        equation: None,
        example: None,
    }
}

/// `safetensors(path, prefix, layout)`
fn of_weight_file() -> Callable {
    let mut callable = of_source(NameKind::Source, &sema::pretrained::source());
    for parameter in callable.parameters.iter_mut().filter(|p| p.name == "layout") {
        parameter.values = Values::Words(Layout::WORDS);
    }
    callable
}

/// A block, op or model of the file.
fn of_file(analysis: &Analysis, name: &str) -> Option<Callable> {
    let found = analysis.items().find(|item| item_name(item) == Some(name))?;
    let doc = found.doc.clone().map(|d| prose(&d)).unwrap_or_default();
    let text = |span| one_line(analysis.sources.slice(span));
    let results = |fields: &[Field]| {
        let all: Vec<String> =
            fields.iter().map(|f| format!("{}: {}", f.name.name, text(f.ty.span))).collect();
        format!(" -> ({})", all.join(", "))
    };
    let blank = Callable {
        name: name.to_string(),
        kind: NameKind::Block,
        doc,
        parameters: Vec::new(),
        result: String::new(),
        equation: None,
        example: None,
    };
    Some(match &found.kind {
        ItemKind::Block(block) => {
            let inputs: Vec<String> =
                block.inputs.iter().map(|f| format!("{}: {}", f.name.name, text(f.ty.span))).collect();
            Callable {
                parameters: block.settings.iter().map(|f| of_field(analysis, f)).collect(),
                result: format!(" ({}){}", inputs.join(", "), results(&block.outputs)),
                ..blank
            }
        }
        ItemKind::Op(op) => Callable {
            kind: NameKind::Op,
            parameters: op.params.iter().map(|f| of_field(analysis, f)).collect(),
            result: match &op.result {
                ast::OpResult::One(ty) => format!(" -> {}", text(ty.span)),
                ast::OpResult::Named(fields) => results(fields),
            },
            equation: Some(match &op.body {
                OpBody::Formula(expr) => text(expr.span),
                OpBody::Body(body) => body.iter().map(|e| text(e.span)).collect::<Vec<_>>().join("\n"),
            }),
            ..blank
        },
        ItemKind::Section(section) => Callable {
            kind: NameKind::Model,
            parameters: section.entries.iter().filter_map(|e| of_input(analysis, &e.kind)).collect(),
            ..blank
        },
        ItemKind::Param { .. } | ItemKind::Dim { .. } | ItemKind::Import { .. } | ItemKind::Broken => {
            return None;
        }
    })
}

fn item_name(item: &ast::Item) -> Option<&str> {
    match &item.kind {
        ItemKind::Block(block) => Some(&block.name.name),
        ItemKind::Op(op) => Some(&op.name.name),
        ItemKind::Section(section) if &*section.word.name == "model" => {
            section.name.as_ref().map(|n| &*n.name)
        }
        ItemKind::Section(_)
        | ItemKind::Param { .. }
        | ItemKind::Dim { .. }
        | ItemKind::Import { .. }
        | ItemKind::Broken => None,
    }
}

fn of_field(analysis: &Analysis, field: &Field) -> Parameter {
    let text = |span| one_line(analysis.sources.slice(span));
    let ty = text(field.ty.span);
    Parameter {
        name: field.name.name.to_string(),
        tensor: field.ty.shape.is_some(),
        values: if ty == "bool" { Values::Flag } else { Values::Any },
        ty,
        default: field.default.as_ref().map(|e| text(e.span)),
        elsewhere: None,
        required: field.default.is_none(),
        doc: String::new(),
    }
}

fn of_input(analysis: &Analysis, entry: &EntryKind) -> Option<Parameter> {
    let EntryKind::Input { name, ty } = entry else { return None };
    Some(Parameter {
        name: name.name.to_string(),
        ty: one_line(analysis.sources.slice(ty.span)),
        default: None,
        elsewhere: None,
        required: true,
        tensor: true,
        doc: String::new(),
        values: Values::Any,
    })
}

impl Callable {
    /// `Dense(units: size from 1, activation: activation, bias: bool = true)`
    pub fn signature(&self) -> String {
        self.signature_parts().concat()
    }

    /// The same, a parameter a line where one line would be too long to read.
    pub fn signature_lines(&self) -> String {
        const WIDE: usize = 90;
        let line = self.signature();
        if line.chars().count() <= WIDE {
            return line;
        }
        let parameters: String = self.parameters.iter().map(|p| format!("  {},\n", p.text())).collect();
        format!("{}(\n{parameters}){}", self.name, self.result)
    }

    /// What must be said, in few words: `(units, …)`.
    pub fn short(&self) -> String {
        let required: Vec<&str> =
            self.parameters.iter().filter(|p| p.required).map(|p| p.name.as_str()).collect();
        match (required.as_slice(), required.len() < self.parameters.len()) {
            ([], false) => self.result.trim().to_string(),
            ([], true) => format!("(…){}", self.result),
            (names, false) => format!("({}){}", names.join(", "), self.result),
            (names, true) => format!("({}, …){}", names.join(", "), self.result),
        }
    }

    /// Whether its name alone is a call: what can only be named has no parentheses.
    fn is_bare(&self) -> bool {
        let kinds = [NameKind::Layer, NameKind::Metric, NameKind::Transform, NameKind::Initialiser];
        self.parameters.is_empty() && kinds.contains(&self.kind)
    }

    /// The same in pieces: what stands before the first parameter, then each parameter and what follows it.
    pub fn signature_parts(&self) -> Vec<String> {
        if self.is_bare() {
            return vec![self.name.clone()];
        }
        let mut parts = vec![format!("{}(", self.name)];
        for (at, parameter) in self.parameters.iter().enumerate() {
            parts.push(parameter.text());
            parts.push(if at + 1 < self.parameters.len() { ", " } else { "" }.to_string());
        }
        parts.push(format!("){}", self.result));
        parts
    }

    /// The first sentence of the documentation.
    pub fn summary(&self) -> &str {
        let line = self.doc.split("\n\n").next().unwrap_or_default();
        line.find(". ").map_or(line, |at| &line[..=at])
    }
}

impl Parameter {
    pub fn text(&self) -> String {
        // `activation: activation` says one thing twice.
        let said = self.ty.is_empty() || self.ty == self.name;
        let ty = if said { String::new() } else { format!(": {}", self.ty) };
        let default = self.default.as_ref().map_or(String::new(), |d| format!(" = {d}"));
        format!("{}{ty}{default}", self.name)
    }
}

/// The library's initialisers, for completion.
pub fn initialisers() -> impl Iterator<Item = &'static Sig> {
    init::INITS.iter().map(|i| &i.sig)
}
