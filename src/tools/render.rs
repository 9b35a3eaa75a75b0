//! A spec with everything said that it left to defaults.
//!
//! The result means the same as the spec: defaults of layers, optimizers and
//! ops stand as arguments in their calls, those of sections as keys. What has no
//! spelling (no activation, no penalty) is left out.

use crate::base::Span;
use crate::ops::defaults::{self, Preset};
use crate::ops::formula::ParamKind;
use crate::ops::stop::EARLY_STOPPING;
use crate::ops::{
    self, Attr, AttrType, Default, InitSpec, Library, Sig, clip, init, optimizer, plateau, schedule,
    transform,
};
use crate::sema::job::{DataPlan, RowOrder, TrainPlan};
use crate::sema::{self, Job};
use crate::syntax::ast::*;

/// The spec with its defaults written out; `job` is what checking made of it.
pub fn with_defaults(file: &File, library: &Library, job: &Job) -> File {
    let mut file = file.clone();
    let filler = Filler { library };
    if let Some(header) = &mut file.header {
        let word = library.framework().name();
        header.defaults.get_or_insert(Ident { name: word.into(), span: header.span.end() });
    }
    for item in &mut file.items {
        match &mut item.kind {
            ItemKind::Op(op) => match &mut op.body {
                OpBody::Formula(formula) => filler.expr(formula),
                OpBody::Body(entries) => filler.entries(entries),
            },
            ItemKind::Block(block) => filler.entries(&mut block.body),
            ItemKind::Section(section) => {
                // A data section's words are transforms and sources, no layers.
                if &*section.word.name != "data" && &*section.word.name != "variant" {
                    filler.entries(&mut section.entries);
                }
                keys(&filler, section, job);
            }
            ItemKind::Param { .. } | ItemKind::Dim { .. } | ItemKind::Import { .. } | ItemKind::Broken => {}
        }
    }
    file
}

// ---- sections ----

/// Adds the keys that a section left to their defaults, with what checking made of them.
fn keys(filler: &Filler, section: &mut Section, job: &Job) {
    let name = section.name.as_ref().map(|n| n.name.clone());
    match &*section.word.name {
        "data" => {
            let plan = job.data.iter().find(|d| Some(&*d.name) == name.as_deref());
            plan.into_iter().for_each(|plan| data_keys(section, plan));
            section.entries.iter_mut().for_each(|entry| filler.columns(entry));
        }
        "train" => {
            let plan = job.trains.iter().find(|t| t.name.as_deref() == name.as_deref());
            plan.into_iter().for_each(|plan| train_keys(section, plan));
        }
        "model" => section.entries.iter_mut().for_each(weight_file),
        _other => {}
    }
}

/// `pretrained = safetensors("f")` leaves prefix and layout to their defaults.
fn weight_file(entry: &mut Entry) {
    let EntryKind::Bind { path, value } = &mut entry.kind else { return };
    if path.parts.len() != 1 || &*path.parts[0].name != "pretrained" {
        return;
    }
    let close = Span { lo: value.span.hi - 1, hi: value.span.hi - 1, ..value.span };
    if let ExprKind::Call { args, .. } = &mut value.kind {
        let missing = sema::pretrained::defaults(args);
        args.extend(missing.into_iter().map(|(name, value)| argument(name, value, close)));
    }
}

fn data_keys(section: &mut Section, plan: &DataPlan) {
    for entry in &mut section.entries {
        if let EntryKind::Bind { path, value } = &mut entry.kind
            && ["source", "valid", "test"]
                .iter()
                .any(|key| path.parts.len() == 1 && &*path.parts[0].name == *key)
        {
            source(value);
        }
        if let EntryKind::Section(split) = &mut entry.kind
            && &*split.word.name == "split"
        {
            match plan.split.order {
                RowOrder::Shuffled => add(split, "ordered", ExprKind::Bool(false)),
                RowOrder::File => add(split, "ordered", ExprKind::Bool(true)),
                // The column says it.
                RowOrder::Time(_) => {}
            }
            add(split, "seed", ExprKind::Int(plan.split.seed as i64));
        }
    }
    add(section, "batch", ExprKind::Int(plan.batch as i64));
    add(section, "shuffle", ExprKind::Bool(plan.shuffle));
    add(section, "drop_last", ExprKind::Bool(plan.drop_last));
}

/// `csv("a.csv")` leaves its separator to the default.
fn source(call: &mut Expr) {
    let close = Span { lo: call.span.hi - 1, hi: call.span.hi - 1, ..call.span };
    if let ExprKind::Call { callee, args } = &mut call.kind
        && let Some(name) = callee.as_name()
    {
        let missing = sema::source_defaults(&name.name, args);
        args.extend(missing.into_iter().map(|(name, value)| argument(name, value, close)));
    }
}

fn train_keys(section: &mut Section, plan: &TrainPlan) {
    for entry in &mut section.entries {
        if let (EntryKind::Section(inner), Some(checkpoint)) = (&mut entry.kind, &plan.checkpoint)
            && &*inner.word.name == "checkpoint"
        {
            add(inner, "keep", ExprKind::Int(checkpoint.keep as i64));
        }
    }
    add(section, "seed", ExprKind::Int(plan.seed as i64));
}

/// `key = value` at the end of a section that does not set the key.
fn add(section: &mut Section, key: &str, value: ExprKind) {
    let is_key = |e: &Entry| match &e.kind {
        EntryKind::Bind { path, .. } => path.parts.len() == 1 && &*path.parts[0].name == key,
        EntryKind::Section(inner) => &*inner.word.name == key,
        EntryKind::Let { .. } | EntryKind::Input { .. } | EntryKind::Output { .. } => false,
        EntryKind::Typed { .. } | EntryKind::Broken => false,
    };
    if section.entries.iter().any(is_key) {
        return;
    }
    // Before the closing brace, so that it is in line with that.
    let at = Span { lo: section.body.hi - 1, hi: section.body.hi - 1, ..section.body };
    let path = Path { parts: vec![Ident { name: key.into(), span: at }], span: at };
    let kind = EntryKind::Bind { path, value: Expr { kind: value, span: at } };
    section.entries.push(Entry { kind, span: at, doc: None, trivia: Trivia::default() });
}

// ---- calls ----

struct Filler<'a> {
    library: &'a Library,
}

impl Filler<'_> {
    fn entries(&self, entries: &mut [Entry]) {
        for entry in entries {
            match &mut entry.kind {
                EntryKind::Let { value, .. } | EntryKind::Output { value, .. } => self.expr(value),
                EntryKind::Bind { path, value } => match tabled(path, value) {
                    Some(sig) => self.named(sig, value),
                    None => self.expr(value),
                },
                EntryKind::Section(section) => self.entries(&mut section.entries),
                EntryKind::Input { .. } | EntryKind::Typed { .. } | EntryKind::Broken => {}
            }
        }
    }

    /// The transforms of an entry of a data section.
    fn columns(&self, entry: &mut Entry) {
        match &mut entry.kind {
            EntryKind::Typed { how, .. } => self.transforms(how, true),
            EntryKind::Bind { value, .. } => self.transforms(value, false),
            EntryKind::Let { .. } | EntryKind::Input { .. } | EntryKind::Output { .. } => {}
            EntryKind::Section(inner) if &*inner.word.name == "augment" => {
                inner.entries.iter_mut().for_each(|entry| self.columns(entry));
            }
            EntryKind::Section(_) | EntryKind::Broken => {}
        }
    }

    /// A chain of transforms; without a column before it, the first is one too.
    fn transforms(&self, e: &mut Expr, alone: bool) {
        if let ExprKind::Pipe { input, stage } = &mut e.kind {
            self.transforms(input, alone);
            return self.transforms(stage, true);
        }
        let name = match &e.kind {
            ExprKind::Call { callee, .. } => callee.as_name(),
            _other => e.as_name(),
        };
        if let Some(sig) = name.and_then(|n| transform::signature(&n.name)).filter(|_| alone) {
            self.named(sig, e);
        }
    }

    fn expr(&self, e: &mut Expr) {
        match &mut e.kind {
            ExprKind::Call { callee, args } => {
                args.iter_mut().for_each(|a| self.expr(&mut a.value));
                let close = Span { lo: e.span.hi - 1, hi: e.span.hi - 1, ..e.span };
                match callee.as_name() {
                    Some(name) => self.fill(&name.name, 0, args, close),
                    None => self.expr(callee),
                }
            }
            // A layer without parentheses is a stage: `x |> LayerNorm`.
            ExprKind::Pipe { input, stage } => {
                self.expr(input);
                self.stage(stage);
            }
            ExprKind::As { stage, .. } => self.stage(stage),
            ExprKind::By { metric, .. } => self.expr(metric),
            ExprKind::Repeat { body, .. } => self.stage(body),
            ExprKind::Member(inner, _) | ExprKind::Neg(inner) | ExprKind::Paren(inner) => self.expr(inner),
            ExprKind::Index { base, .. } => self.expr(base),
            ExprKind::Binary { left, right, .. } => {
                self.expr(left);
                self.expr(right);
            }
            ExprKind::List(items) | ExprKind::Tuple(items) => items.iter_mut().for_each(|i| self.expr(i)),
            ExprKind::Range(..)
            | ExprKind::Int(_)
            | ExprKind::Float(_)
            | ExprKind::Percent(_)
            | ExprKind::Bytes(_) => {}
            ExprKind::Str(_) | ExprKind::Bool(_) | ExprKind::Name(_) | ExprKind::Broken => {}
        }
    }

    /// A call by a key that has a table of its own.
    fn named(&self, sig: &Sig, e: &mut Expr) {
        let end = e.span.end();
        if let ExprKind::Name(_) = &e.kind {
            let callee = Box::new(e.clone());
            e.kind = ExprKind::Call { callee, args: Vec::new() };
        }
        let ExprKind::Call { args, .. } = &mut e.kind else { return };
        self.fill_sig(sig, args, end);
        // Nothing to say needs no parentheses.
        if args.is_empty()
            && let ExprKind::Call { callee, .. } = &e.kind
        {
            *e = (**callee).clone();
        }
    }

    /// A layer or function whose first argument comes by the pipe.
    fn stage(&self, e: &mut Expr) {
        match &mut e.kind {
            ExprKind::Name(name) => {
                let mut args = Vec::new();
                self.fill(&name.name, 1, &mut args, e.span.end());
                if !args.is_empty() {
                    let callee = Box::new(e.clone());
                    e.kind = ExprKind::Call { callee, args };
                }
            }
            ExprKind::Call { callee, args } if callee.as_name().is_some() => {
                args.iter_mut().for_each(|a| self.expr(&mut a.value));
                let close = Span { lo: e.span.hi - 1, hi: e.span.hi - 1, ..e.span };
                let name = callee.as_name().expect("just seen").name.clone();
                self.fill(&name, 1, args, close);
            }
            _other => self.expr(e),
        }
    }

    /// Adds the arguments that a call of `name` leaves to their defaults. Of a function's,
    /// `piped` come before those in parentheses.
    fn fill(&self, name: &str, piped: usize, args: &mut Vec<Arg>, at: Span) {
        let sig = ops::layer(name).map(|l| l.sig()).or_else(|| optimizer::find(name).map(|o| &o.sig));
        match (sig, self.library.op(name)) {
            (Some(sig), _) => self.fill_sig(sig, args, at),
            (None, Some(op)) => {
                let placed = piped + args.iter().filter(|a| a.name.is_none()).count();
                // A weight of rows that nobody gives is no tensor to name.
                let settings =
                    op.params.iter().skip(placed).filter(|p| !matches!(p.kind, ParamKind::Tensor(_)));
                for param in settings {
                    let preset = defaults::op_setting(self.library.framework(), name, &param.name);
                    let value =
                        preset.map(ExprKind::Float).or(param.default.as_ref().map(|d| d.kind.clone()));
                    if let (false, Some(value)) = (is_given(args, &param.name), value) {
                        args.push(argument(&param.name, value, at));
                    }
                }
            }
            (None, None) => {}
        }
    }

    /// A layer that is a setting of another.
    fn inner(&self, e: &mut Expr) {
        let at = e.span.end();
        let Some(sig) = callee(e).and_then(ops::layer).map(|l| l.sig()) else { return };
        match &mut e.kind {
            ExprKind::Call { args, .. } => self.fill_sig(sig, args, at),
            _name => {
                let mut args = Vec::new();
                self.fill_sig(sig, &mut args, at);
                e.kind = ExprKind::Call { callee: Box::new(e.clone()), args };
            }
        }
    }

    fn fill_sig(&self, sig: &Sig, args: &mut Vec<Arg>, at: Span) {
        let positional = args.iter().filter(|a| a.name.is_none()).count();
        for (place, arg) in args.iter_mut().enumerate() {
            let attr = match &arg.name {
                Some(name) => sig.attrs.iter().find(|a| a.name == &*name.name),
                None => sig.attrs.get(place),
            };
            if attr.is_some_and(|a| a.ty == AttrType::Init)
                && let Some(init) = callee(&arg.value).and_then(init::find)
            {
                self.named(&init.sig, &mut arg.value);
            }
            if attr.is_some_and(|a| matches!(a.ty, AttrType::Layer(_))) {
                self.inner(&mut arg.value);
            }
        }
        let sizes = sig.attrs.iter().any(|a| a.ty == AttrType::Sizes);
        for (i, attr) in sig.attrs.iter().enumerate() {
            // Sizes take all positional arguments.
            let given = if sizes { attr.ty == AttrType::Sizes } else { i < positional };
            if given || is_given(args, attr.name) {
                continue;
            }
            if let Some(kind) = self.default(attr) {
                args.push(argument(attr.name, kind, at));
            }
        }
    }

    /// How the default is written; `None` if it has no spelling or there is none.
    fn default(&self, attr: &Attr) -> Option<ExprKind> {
        let name = |word: &str| ExprKind::Name(Ident { name: word.into(), span: Span::default() });
        Some(match attr.default {
            Default::Required | Default::None => return None,
            Default::Int(n) => ExprKind::Int(n),
            Default::Float(x) => ExprKind::Float(x),
            Default::Bool(b) => ExprKind::Bool(b),
            Default::Word(word) if attr.ty == AttrType::Str => ExprKind::Str(word.to_string()),
            Default::Word(word) => name(word),
            Default::Table(key) => match defaults::preset(self.library.framework(), key)? {
                Preset::Number(x) => ExprKind::Float(*x),
                Preset::Init(spec) => name(spelling(spec)?),
                Preset::Word(word) => name(word),
                Preset::Required => return None,
            },
        })
    }
}

/// The name that a call or a bare name begins with.
fn callee(e: &Expr) -> Option<&str> {
    match &e.kind {
        ExprKind::Call { callee, .. } => callee.as_name().map(|n| &*n.name),
        _other => e.as_name().map(|n| &*n.name),
    }
}

/// The row of a schedule, a way to clip or to stop: their names mean something behind these keys alone.
fn tabled(path: &Path, value: &Expr) -> Option<&'static Sig> {
    let [key] = path.parts.as_slice() else { return None };
    let name = match &value.kind {
        ExprKind::Call { callee, .. } => callee.as_name()?,
        _other => value.as_name()?,
    };
    match &*key.name {
        "schedule" if &*name.name == plateau::SIG.name => Some(&plateau::SIG),
        "schedule" => schedule::find(&name.name).map(|s| &s.sig),
        "clip" => clip::find(&name.name).map(|c| &c.sig),
        "stop" => Some(&EARLY_STOPPING).filter(|sig| sig.name == &*name.name),
        _other => None,
    }
}

/// The initialiser's name, if it has one without settings.
fn spelling(spec: &InitSpec) -> Option<&'static str> {
    // Those with settings have upper-case names: `Normal(std=0.02)`.
    let plain = init::INITS.iter().filter(|i| i.sig.attrs.is_empty());
    plain.filter(|i| i.spec(&[]) == *spec).map(|i| i.sig.name).next()
}

fn is_given(args: &[Arg], name: &str) -> bool {
    args.iter().any(|a| a.name.as_ref().is_some_and(|n| &*n.name == name))
}

fn argument(name: &str, kind: ExprKind, at: Span) -> Arg {
    Arg { name: Some(Ident { name: name.into(), span: at }), value: Expr { kind, span: at } }
}
