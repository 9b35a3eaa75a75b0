//! Names that a value may be made of: of the file, of the library, by role.

use super::entries::escaped;
use super::{CompletionKind, Gather, Offer};
use crate::ops::formula::builtins;
use crate::ops::loss::LabelRange;
use crate::ops::metric::{MetricDef, Unit};
use crate::ops::{self, AttrType, Default, Sig, attrs};
use crate::sema;
use crate::sema::facts::{NameKind, Role};
use crate::tools::ide::callable::{Callable, Parameter, callable, initialisers};
use crate::tools::ide::text_of_library;
use crate::tools::ide::values::{self, Known};

impl Gather<'_> {
    /// What may stand behind `|>`.
    pub(super) fn stages(&mut self) {
        if self.place.item().is_some_and(|(word, _)| word == "data") {
            return self.values(Role::How);
        }
        self.named(|kind| matches!(kind, NameKind::Block | NameKind::Op | NameKind::Model), 1);
        for known in values::locals(self.analysis, self.place) {
            // A layer that a `let` names has no type.
            if known.kind == NameKind::Let && known.detail.is_empty() {
                self.push(Offer::new(known.name, CompletionKind::Value).detail("let").order(0));
            }
        }
        self.layers(2);
        self.functions(4);
        let repeat = Offer::new("repeat", CompletionKind::Word)
            .doc("Copies in a chain, each with weights of its own.");
        self.push(Offer { snippet: Some("repeat(${1:3}) ".into()), ..repeat });
    }

    /// What a value of a role may name.
    pub(super) fn values(&mut self, role: Role) {
        match role {
            Role::Value | Role::Activation | Role::Columns | Role::Generator => self.plain(),
            Role::Optimizer => self.signatures(ops::optimizer::OPTIMIZERS.iter().map(|o| &o.sig)),
            Role::Schedule => {
                let all = ops::schedule::SCHEDULES.iter().map(|s| &s.sig);
                self.signatures(all.chain([&ops::plateau::SIG]));
            }
            Role::Clip => self.signatures(ops::clip::CLIPS.iter().map(|c| &c.sig)),
            Role::Stop => self.signatures([&ops::stop::EARLY_STOPPING]),
            Role::Metric => self.metrics_that_fit(),
            Role::How if self.place.section().is_some_and(|(word, ..)| word == "augment") => {
                self.signatures(ops::transform::AUGMENTS.iter().map(|change| &change.sig));
            }
            Role::How => {
                self.signatures(ops::transform::TRANSFORMS.iter().map(|t| &t.sig));
            }
            Role::Source => {
                for source in sema::sources() {
                    self.call_of(NameKind::Source, source.name, CompletionKind::Function, 3);
                }
            }
            Role::WeightFile => {
                self.call_of(NameKind::Source, sema::pretrained::CALL, CompletionKind::Function, 3);
            }
            Role::Column => self.columns(),
            Role::Weights => self.weights(),
            Role::Monitor => self.monitors(),
            Role::Initialiser => self.signatures(initialisers()),
            Role::Choice => {
                for leak in sema::job::Leak::ALL {
                    self.push(Offer::new(leak.word(), CompletionKind::Choice));
                }
            }
        }
    }

    /// A tensor, a number, a layer, a loss.
    fn plain(&mut self) {
        let item = self.place.item().map_or("", |(word, _)| word);
        for known in values::locals(self.analysis, self.place) {
            self.push(local(&known));
        }
        let feeding = self.place.section().is_some_and(|(word, ..)| word == "feed");
        let key = self.place.section().map(|(_, _, frame)| frame.head);
        let loss = matches!(key, Some(crate::tools::ide::place::Head::Key("loss")));
        match item {
            "train" if feeding => return self.named(|kind| kind == NameKind::Data, 0),
            "train" if loss => {
                self.losses();
                self.named(|kind| kind == NameKind::Model, 1);
                self.named(|kind| matches!(kind, NameKind::Param | NameKind::Op), 3);
                return self.functions(6);
            }
            "train" | "variant" => {
                return self.named(|kind| matches!(kind, NameKind::Param | NameKind::Dim), 2);
            }
            "param" | "dim" => return self.named(|kind| matches!(kind, NameKind::Param | NameKind::Dim), 2),
            "data" => return self.named(|kind| matches!(kind, NameKind::Param | NameKind::Dim), 2),
            "op" => {
                self.named(|kind| matches!(kind, NameKind::Param | NameKind::Dim | NameKind::Op), 2);
                return self.functions(5);
            }
            _body => {}
        }
        self.named(|kind| kind != NameKind::Data, 2);
        self.layers(4);
        self.functions(5);
    }

    /// Names of the file of some kinds.
    pub(super) fn named(&mut self, wanted: impl Fn(NameKind) -> bool, order: u8) {
        // Nothing is made of itself.
        let own = self.place.item().map_or("", |(_, name)| name);
        for known in values::globals(self.analysis).into_iter().filter(|k| wanted(k.kind) && k.name != own) {
            match known.kind {
                NameKind::Block => self.call_of(known.kind, &known.name, CompletionKind::Block, order),
                NameKind::Op => self.call_of(known.kind, &known.name, CompletionKind::Function, order),
                NameKind::Model => {
                    self.push(Offer::new(known.name, CompletionKind::Model).detail("model").order(order));
                }
                NameKind::Data => {
                    self.push(Offer::new(known.name, CompletionKind::Value).detail("data").order(order));
                }
                _constant => {
                    let offer = Offer::new(known.name, CompletionKind::Constant).detail(known.detail);
                    self.push(offer.order(order));
                }
            }
        }
    }

    fn layers(&mut self, order: u8) {
        for layer in ops::layers() {
            self.call_of(NameKind::Layer, layer.sig().name, CompletionKind::Layer, order);
        }
    }

    /// Ops of the library and builtins, less losses and the inner formulas of optimizers and metrics.
    fn functions(&mut self, order: u8) {
        for name in self.pointwise() {
            self.call_of(NameKind::Function, &name, CompletionKind::Function, order);
        }
        for function in builtins() {
            self.call_of(NameKind::Function, function.name, CompletionKind::Function, order);
        }
        for function in sema::FUNCTIONS {
            let needed = function.params.iter().filter(|p| !p.contains('=')).take(2).enumerate();
            let places: Vec<String> = needed.map(|(i, p)| format!("${{{}:{p}}}", i + 1)).collect();
            let offer = Offer::new(function.name, CompletionKind::Function).doc(function.doc);
            let snippet = Some(format!("{}({})", function.name, places.join(", ")));
            self.push(Offer { snippet, ..offer.order(order) });
        }
    }

    /// Functions of one tensor that keep its shape: the library's activations and norms.
    pub(super) fn pointwise(&self) -> Vec<String> {
        const TEXTS: [&str; 2] = ["std/activation.mlspec", "std/norm.mlspec"];
        let library = &self.analysis.library;
        let wanted = |name: &&str| {
            let text = library.op(name).and_then(|op| text_of_library(op.name_span));
            text.is_none_or(|(text, _)| TEXTS.contains(&text))
        };
        attrs::activations(library).into_iter().filter(wanted).map(str::to_string).collect()
    }

    fn losses(&mut self) {
        for loss in ops::loss::LOSSES {
            self.call_of(NameKind::Loss, loss.name, CompletionKind::Function, 0);
        }
    }

    /// What the library has under signatures that are data.
    pub(super) fn signatures<'s>(&mut self, sigs: impl IntoIterator<Item = &'s Sig>) {
        for sig in sigs {
            let offer = Offer::new(sig.name, CompletionKind::Function)
                .doc(sig.doc)
                .detail(required(sig).join(", "))
                .order(3);
            let places: Vec<(&str, &str)> = required(sig).into_iter().map(|name| (name, "")).collect();
            let snippet = self.with_parentheses(sig.name, &places);
            self.push(Offer { snippet, ..offer });
        }
    }

    /// Metrics, those first that judge what the loss makes small.
    fn metrics_that_fit(&mut self) {
        let losses = self.analysis.facts.uses.iter().filter(|u| u.kind == NameKind::Loss);
        let found = losses.filter_map(|u| ops::loss::find(self.analysis.sources.slice(u.span))).next();
        let (first, last): (Vec<_>, Vec<_>) = ops::metric::METRICS.iter().partition(|m| match found {
            Some(loss) => judges_numbers(m) == (loss.label == LabelRange::Any),
            None => true,
        });
        self.signatures(first.into_iter().map(|m| &m.sig));
        let rest = self.all.len();
        self.signatures(last.into_iter().map(|m| &m.sig));
        self.all[rest..].iter_mut().for_each(|c| c.order = 6);
    }

    /// Something that is called, with places for what must be said.
    pub(super) fn call_of(&mut self, kind: NameKind, name: &str, icon: CompletionKind, order: u8) {
        let Some(found) = callable(self.analysis, kind, name) else { return };
        let piped = self.place.sign_before() == "|>";
        let wanted = must_be_said(&found, piped);
        let quote = |p: &&&Parameter| if ["path", "url"].contains(&p.name.as_str()) { "\"" } else { "" };
        let names: Vec<(&str, &str)> = wanted.iter().map(|p| (p.name.as_str(), quote(&p))).collect();
        let snippet = self.with_parentheses(name, &names);
        let doc = match &found.equation {
            Some(equation) => format!("{}\n\n```mlspec\n{equation}\n```", found.doc),
            None => found.doc.clone(),
        };
        let detail = found.short();
        self.push(Offer { snippet, ..Offer::new(name, icon).detail(detail).doc(doc).order(order) });
    }

    /// `Dense(${1:units})`; none where nothing must be said, or parentheses stand there already.
    fn with_parentheses(&self, name: &str, wanted: &[(&str, &str)]) -> Option<String> {
        let behind = self.place.text[self.place.at..].chars().find(|c| !c.is_alphanumeric() && *c != '_');
        if wanted.is_empty() || behind == Some('(') {
            return None;
        }
        let places: Vec<String> = wanted
            .iter()
            .enumerate()
            .map(|(i, (w, q))| format!("{q}${{{}:{}}}{q}", i + 1, escaped(w)))
            .collect();
        Some(format!("{name}({})", places.join(", ")))
    }

    /// Columns of the data section at hand.
    fn columns(&mut self) {
        let section = self.place.frames.iter().find_map(|f| match &f.kind {
            crate::tools::ide::place::FrameKind::Section { word: "data", name } => Some(*name),
            _other => None,
        });
        let Some(data) = section.and_then(|name| self.analysis.facts.data(name)) else { return };
        for column in &data.columns {
            let doc = super::super::describe::column(self.analysis, data, column);
            self.push(Offer::new(&column.name, CompletionKind::Column).doc(doc).order(1));
        }
        // What parts rows by a column takes nothing else.
        if self.place.section().is_some_and(|(word, ..)| word == "data") {
            self.named(|kind| matches!(kind, NameKind::Param | NameKind::Dim), 4);
        }
    }

    /// Columns that metrics may be told apart by, behind `by`.
    pub(super) fn groups_of_rows(&mut self) {
        for data in &self.analysis.facts.data {
            for column in &data.columns {
                let ids =
                    column.how.as_ref().is_some_and(|h| h.contains("one_hot") || h.contains("category"));
                if column.classes.is_some() || ids {
                    let doc = super::super::describe::column(self.analysis, data, column);
                    self.push(Offer::new(&column.name, CompletionKind::Column).detail(&data.name).doc(doc));
                }
            }
        }
    }

    pub(super) fn weights(&mut self) {
        for known in values::weights(self.analysis) {
            let order = if known.name.contains('.') { 3 } else { 1 };
            let offer = Offer::new(known.name, CompletionKind::Weight).detail(known.detail);
            self.push(offer.order(order));
        }
        self.push(Offer::new("all", CompletionKind::Choice).detail("every weight").order(2));
    }

    /// `valid.loss` and its like.
    pub(super) fn monitors(&mut self) {
        for (at, part) in ["valid", "train"].into_iter().enumerate() {
            for metric in values::monitored(self.analysis) {
                if part == "train" && metric != "loss" {
                    continue;
                }
                let offer = Offer::new(format!("{part}.{metric}"), CompletionKind::Choice);
                self.push(offer.order(at as u8));
            }
        }
    }

    /// What a size of a type may name.
    pub(super) fn sizes(&mut self) {
        self.push(Offer::new("B", CompletionKind::Constant).detail("the batch").order(0));
        self.named(|kind| matches!(kind, NameKind::Param | NameKind::Dim), 1);
        for data in &self.analysis.facts.data {
            let doc = "How many numbers a row of the data has.";
            let label = format!("{}.features", data.name);
            self.push(Offer::new(label, CompletionKind::Constant).doc(doc).order(2));
        }
    }

    pub(super) fn types(&mut self) {
        let kinds = [
            ("f32", "f32[B, ${1:8}]"),
            ("i32", "i32[B, ${1:8}]"),
            ("logits", "logits[B, ${1:10}]"),
            ("prob", "prob[B, ${1:10}]"),
            ("class", "class(${1:10})"),
            ("box", "box(xyxy)[B, ${1:4}]"),
        ];
        for (name, snippet) in kinds {
            let offer = Offer::new(name, CompletionKind::Type);
            self.push(Offer { snippet: Some(snippet.into()), ..offer });
        }
    }
}

fn local(known: &Known) -> Offer {
    Offer::new(known.name.clone(), CompletionKind::Value).detail(known.detail.clone()).order(0)
}

/// Whether a metric compares numbers, not classes.
fn judges_numbers(metric: &MetricDef) -> bool {
    match metric.unit() {
        Unit::Target(_) | Unit::Share => true,
        Unit::Free => metric.sig.name == "r2",
    }
}

/// Settings without a default.
fn required(sig: &Sig) -> Vec<&'static str> {
    let must = sig.attrs.iter().filter(|a| a.default == Default::Required && a.ty != AttrType::Sizes);
    must.map(|a| a.name).collect()
}

/// Parameters without a default, less the tensor that a pipe brings.
fn must_be_said(found: &Callable, piped: bool) -> Vec<&Parameter> {
    let brought = |(at, p): &(usize, &Parameter)| piped && *at == 0 && p.tensor;
    let all = found.parameters.iter().enumerate().filter(|p| !brought(p));
    all.map(|(_, p)| p).filter(|p| p.required).collect()
}
