//! What may start an item of the file or an entry of a section.

use super::{CompletionKind, Gather, Offer};
use crate::sema::keys::{self, Key, Status, Word};
use crate::syntax::scan::{Kind, scan};
use crate::tools::ide::place::{Head, Part};
use crate::tools::ide::values;

impl Gather<'_> {
    /// Items; or, within a `param`, types and values.
    pub(super) fn file(&mut self) {
        let place = self.place;
        let top = place.top();
        if place.tokens.is_empty() {
            let header =
                Offer::new("mlspec 1", CompletionKind::Word).doc("The version of the language, on line one.");
            return self.push(header.order(0));
        }
        match (top.head, top.part) {
            (Head::Item { word: "param", .. }, Part::Type) if place.sign_before() == ":" => {
                for name in ["int", "float", "bool", "str"] {
                    self.push(Offer::new(name, CompletionKind::Type));
                }
            }
            (Head::Item { .. }, Part::Value) if !place.starts() => {
                self.values(crate::sema::facts::Role::Value)
            }
            (Head::Item { .. }, Part::Type | Part::Domain) if !place.starts() => {}
            _fresh if self.is_first_on_line() => {
                let built = |w: &&Word| w.later.is_none();
                for word in keys::WORDS.iter().chain(keys::ITEMS).filter(built) {
                    self.push(word_offer(word));
                }
            }
            _named => {}
        }
    }

    fn is_first_on_line(&self) -> bool {
        let line = self.place.text[..self.place.start].rsplit('\n').next().unwrap_or_default();
        line.trim().is_empty()
    }

    /// Keys that are still missing, and what else an entry may start with.
    pub(super) fn entries(&mut self, word: &str) {
        match word {
            "model" | "block" => self.body_words(),
            "train" => self.push(let_offer()),
            "feed" => self.feed(),
            "data" => self.untyped(),
            "variant" => return self.overridable(),
            _other => {}
        }
        if self.is_group() {
            return self.group();
        }
        let written = self.written();
        for key in keys::of(word) {
            let either = |a: &str, b: &str| key.name == a && written.iter().any(|w| w == b);
            if written.iter().any(|w| w == key.name) || either("epochs", "steps") || either("steps", "epochs")
            {
                continue;
            }
            self.push(key_offer(key));
        }
    }

    /// The first words of the entries of the section at hand, read off all of its tokens.
    fn written(&self) -> Vec<String> {
        let text = self.place.text;
        let tokens = scan(text).tokens;
        let start = self.section_start();
        let mut depth = 0_usize;
        let mut names = Vec::new();
        for (i, token) in tokens.iter().enumerate().filter(|(_, t)| t.lo >= start) {
            match token.kind {
                Kind::Open(_) => depth += 1,
                Kind::Close(_) if depth == 0 => break,
                Kind::Close(_) => depth -= 1,
                Kind::Word if depth == 0 => {
                    let next = tokens.get(i + 1).map_or("", |t| &text[t.lo..t.hi]);
                    if matches!(next, "=" | "{") {
                        names.push(text[token.lo..token.hi].to_string());
                    }
                }
                Kind::Word | Kind::Number | Kind::Str | Kind::OpenStr | Kind::Sign | Kind::Foreign => {}
            }
        }
        names
    }

    /// Behind the brace of the innermost section.
    fn section_start(&self) -> usize {
        let mut depth = 0_usize;
        for token in self.place.tokens.iter().rev() {
            match &self.place.text[token.lo..token.hi] {
                "}" => depth += 1,
                "{" if depth == 0 => return token.hi,
                "{" => depth -= 1,
                _other => {}
            }
        }
        0
    }

    fn body_words(&mut self) {
        if self.place.item().is_some_and(|(word, _)| word == "model") {
            let input = Offer::new("input", CompletionKind::Word).doc("A tensor that the model takes.");
            self.push(Offer { snippet: Some("input ${1:x}: f32[B, ${2:8}]".into()), ..input.order(1) });
        }
        let output = Offer::new("output", CompletionKind::Word).doc("A tensor that it gives.");
        self.push(Offer { snippet: Some("output ${1:y} = ".into()), ..output.order(1) });
        self.push(let_offer());
    }

    /// Inputs of models and labels that are not fed yet.
    fn feed(&mut self) {
        let fed = self.written();
        let analysis = self.analysis;
        let inputs = analysis.ast.items.iter().filter_map(|item| match &item.kind {
            crate::syntax::ast::ItemKind::Section(s) if &*s.word.name == "model" => Some(&s.entries),
            _other => None,
        });
        let data = analysis.facts.data.first().map_or("data", |d| &d.name);
        for entry in inputs.flatten() {
            if let crate::syntax::ast::EntryKind::Input { name, ty } = &entry.kind
                && !fed.iter().any(|f| **f == *name.name)
            {
                let offer = Offer::new(&*name.name, CompletionKind::Argument)
                    .detail(analysis.sources.slice(ty.span))
                    .doc("An input of a model.")
                    .order(0);
                let text = format!("{} = {data}.", name.name);
                self.push(Offer { text: Some(text), ..offer });
            }
        }
    }

    /// Columns of the source that nothing is said of yet.
    fn untyped(&mut self) {
        let Some((_, name, _)) = self.place.section() else { return };
        let Some(data) = self.analysis.facts.data(name) else { return };
        for column in data.columns.iter().filter(|c| c.how.is_none()) {
            let text = column.schema.as_ref().and_then(|s| s.sample.as_ref()).map(|s| s.is_text());
            let how = match text {
                Some(true) => "one_hot",
                Some(false) => "standardize",
                None => continue,
            };
            let offer = Offer::new(&column.name, CompletionKind::Column)
                .detail("a column of the source")
                .doc(super::super::describe::column(self.analysis, data, column))
                .order(6);
            let snippet = Some(format!("{} : ${{1:{how}}}", column.name));
            self.push(Offer { text: Some(format!("{} : {how}", column.name)), snippet, ..offer });
        }
    }

    /// Whether the innermost section is one of `groups`.
    fn is_group(&self) -> bool {
        self.place.sections().nth(1) == Some("groups")
    }

    /// `weights`, and settings of the optimizer.
    fn group(&mut self) {
        let written = self.written();
        let missing = |name: &str| !written.iter().any(|w| w == name);
        for key in keys::of("groups").iter().filter(|k| missing(k.name)) {
            self.push(key_offer(key));
        }
        let optimizer =
            self.analysis.facts.uses.iter().find(|u| u.kind == crate::sema::facts::NameKind::Optimizer);
        let Some(sig) =
            optimizer.and_then(|u| crate::sema::facts::sig_of(u.kind, self.analysis.sources.slice(u.span)))
        else {
            return;
        };
        for attr in sig.attrs.iter().filter(|a| missing(a.name)) {
            let offer = Offer::new(attr.name, CompletionKind::Argument).doc(attr.doc).detail(sig.name);
            self.push(Offer { text: Some(format!("{} = ", attr.name)), ..offer });
        }
    }

    /// Params, dims and sections, in a variant.
    fn overridable(&mut self) {
        let written = self.written();
        for known in values::globals(self.analysis) {
            use crate::sema::facts::NameKind as K;
            if matches!(known.kind, K::Param | K::Dim) && !written.contains(&known.name) {
                let offer = Offer::new(&known.name, CompletionKind::Constant).detail(&known.detail).order(1);
                self.push(Offer { text: Some(format!("{} = ", known.name)), ..offer });
            }
            if known.kind == K::Data {
                self.push(Offer::new(&known.name, CompletionKind::Value).detail("keys of the data section"));
            }
        }
        self.push(Offer::new("train", CompletionKind::Word).detail("keys of the training"));
    }
}

fn word_offer(word: &Word) -> Offer {
    let offer = Offer::new(word.name, CompletionKind::Word).doc(word.doc);
    let snippet = format!("{} {}", word.name, escaped(word.example));
    Offer { snippet: Some(snippet), ..offer }
}

fn let_offer() -> Offer {
    let offer =
        Offer::new("let", CompletionKind::Word).doc("A name for a value, or for a layer that is used twice.");
    Offer { snippet: Some("let ${1:h} = ".into()), ..offer.order(4) }
}

/// `optimizer = Adam(lr=1e-3)`, the value to be replaced.
fn key_offer(key: &Key) -> Offer {
    let offer = Offer::new(key.name, CompletionKind::Key).doc(key.doc).order(2);
    let (text, snippet) = match key.status {
        Status::Section => {
            (format!("{} {{ }}", key.name), format!("{} {{ ${{1:{}}} \\}}", key.name, escaped(key.example)))
        }
        Status::Named => {
            let snippet = format!("{} {}", key.name, escaped(key.example));
            (format!("{} name {{ }}", key.name), snippet)
        }
        Status::Key => {
            (format!("{} = ", key.name), format!("{} = ${{1:{}}}", key.name, escaped(key.example)))
        }
    };
    Offer { text: Some(text), snippet: Some(snippet), ..offer }
}

/// Text as a snippet has it: `$`, `}` and `\` mean something there.
pub(super) fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('$', "\\$").replace('}', "\\}")
}
