//! Where a cursor stands, read off the tokens before it: text that does not parse has a place, too.

use crate::syntax::scan::{Bracket, Kind, Scan, Token, scan};

/// What is around a byte of a text.
#[derive(Debug)]
pub struct Place<'t> {
    pub text: &'t str,
    /// Where the word at the cursor starts; the cursor itself if there is none.
    pub start: usize,
    pub at: usize,
    pub within: Within,
    /// Open brackets, outermost first, behind the file itself.
    pub frames: Vec<Frame<'t>>,
    /// The token before the word at the cursor.
    pub before: Option<Token>,
    /// All tokens before the word at the cursor.
    pub tokens: Vec<Token>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Within {
    Code,
    Comment,
    /// A string, and where its text starts.
    Text(usize),
}

/// An open bracket, or the file.
#[derive(Clone, Debug, PartialEq)]
pub struct Frame<'t> {
    pub kind: FrameKind<'t>,
    /// The entry under way.
    pub head: Head<'t>,
    pub part: Part,
}

#[derive(Clone, Debug, PartialEq)]
pub enum FrameKind<'t> {
    File,
    /// `word name {`; `name` is empty if there is none.
    Section {
        word: &'t str,
        name: &'t str,
    },
    /// `callee(`: the arguments so far, each with its name if it has one; the last is under way.
    Call {
        callee: &'t str,
        at: usize,
        arguments: Vec<Option<&'t str>>,
    },
    /// `[`
    List,
    /// `f32[`
    Shape,
    /// `(`
    Group,
}

/// What an entry or item starts with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Head<'t> {
    None,
    /// `param`, `data`, … of the file.
    Item {
        word: &'t str,
        name: &'t str,
    },
    Key(&'t str),
    Let,
    Input,
    Output,
    /// `name : how`
    Typed,
}

/// How far an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    Name,
    /// Behind `:`
    Type,
    /// Behind `=`
    Value,
    /// Behind `in`
    Domain,
}

/// The words that start an item, at the start of a line.
const ITEMS: [&str; 14] = [
    "param",
    "dim",
    "op",
    "block",
    "import",
    "data",
    "model",
    "train",
    "variant",
    "generate",
    "search",
    "export",
    "distribute",
    "test",
];

/// What stands around the byte `at`.
pub fn place(text: &str, at: usize) -> Place<'_> {
    let Scan { mut tokens, comments } = scan(text);
    let inside = |lo: usize, hi: usize| lo < at && at <= hi;
    let in_comment = comments.iter().any(|c| inside(c.at as usize, c.at as usize + c.text.len()));
    let open = tokens.iter().find(|t| match t.kind {
        Kind::Str => t.lo < at && at < t.hi,
        Kind::OpenStr => inside(t.lo, t.hi),
        _other => false,
    });
    let within = match (in_comment, open) {
        (true, _) => Within::Comment,
        (false, Some(token)) => Within::Text(token.lo + 1),
        (false, None) => Within::Code,
    };
    let start = match within {
        Within::Code => text[..at]
            .rfind(|c: char| !c.is_alphanumeric() && c != '_')
            .map_or(0, |i| i + text[i..].chars().next().map_or(1, char::len_utf8)),
        Within::Comment | Within::Text(_) => at,
    };
    let from = match within {
        Within::Text(from) => from - 1,
        Within::Code | Within::Comment => start,
    };
    let known: Vec<Token> = tokens.clone();
    tokens.retain(|t| t.hi <= from);
    let frames =
        Reader { text, tokens: &tokens, all: &known, frames: vec![Frame::of(FrameKind::File)] }.read();
    Place { text, start, at, within, frames, before: tokens.last().copied(), tokens }
}

impl<'t> Frame<'t> {
    fn of(kind: FrameKind<'t>) -> Frame<'t> {
        Frame { kind, head: Head::None, part: Part::Name }
    }
}

struct Reader<'t, 'k> {
    text: &'t str,
    /// Before the cursor.
    tokens: &'k [Token],
    /// Of the whole text: what follows tells a key from a value.
    all: &'k [Token],
    frames: Vec<Frame<'t>>,
}

impl<'t> Reader<'t, '_> {
    fn word(&self, token: Token) -> &'t str {
        &self.text[token.lo..token.hi]
    }

    fn next_is(&self, i: usize, sign: &str) -> bool {
        self.all.get(i + 1).is_some_and(|t| self.word(*t) == sign)
    }

    fn top(&mut self) -> &mut Frame<'t> {
        self.frames.last_mut().expect("place: the file is never closed")
    }

    fn read(mut self) -> Vec<Frame<'t>> {
        for i in 0..self.tokens.len() {
            let token = self.tokens[i];
            let first = token.starts_line && self.text[..token.lo].ends_with('\n') || token.lo == 0;
            let word = self.word(token);
            // An item at the start of a line: whatever was left open before has ended.
            if first && token.kind == Kind::Word && ITEMS.contains(&word) && !self.next_is(i, "=") {
                self.frames.truncate(1);
                let name = match self.tokens.get(i + 1) {
                    Some(next) if next.kind == Kind::Word => self.word(*next),
                    Some(_) | None => "",
                };
                let top = self.top();
                (top.head, top.part) = (Head::Item { word, name }, Part::Name);
                continue;
            }
            match token.kind {
                Kind::Open(bracket) => self.open(i, bracket),
                Kind::Close(bracket) => self.close(bracket),
                Kind::Word => self.name(i, word),
                Kind::Sign => self.sign(word),
                Kind::Number | Kind::Str | Kind::OpenStr | Kind::Foreign => {}
            }
        }
        self.frames
    }

    fn open(&mut self, i: usize, bracket: Bracket) {
        let before = i.checked_sub(1).map(|b| self.tokens[b]);
        let callee = before.filter(|b| b.kind == Kind::Word && b.hi == self.tokens[i].lo);
        let (head, part) = (self.top().head, self.top().part);
        let kind = match (bracket, callee) {
            (Bracket::Round, Some(callee)) => {
                FrameKind::Call { callee: self.word(callee), at: callee.lo, arguments: vec![None] }
            }
            (Bracket::Round, None) => FrameKind::Group,
            (Bracket::Square, Some(_)) if part == Part::Type => FrameKind::Shape,
            (Bracket::Square, _) => FrameKind::List,
            (Bracket::Curly, _) => match head {
                Head::Item { word, name } => FrameKind::Section { word, name },
                Head::Key(word) => FrameKind::Section { word, name: "" },
                Head::None | Head::Let | Head::Input | Head::Output | Head::Typed => {
                    FrameKind::Section { word: "", name: "" }
                }
            },
        };
        self.frames.push(Frame { kind, head: Head::None, part: Part::Name });
    }

    fn close(&mut self, bracket: Bracket) {
        let fits = |frame: &Frame| match (&frame.kind, bracket) {
            (FrameKind::Section { .. }, Bracket::Curly) => true,
            (FrameKind::Call { .. } | FrameKind::Group, Bracket::Round) => true,
            (FrameKind::List | FrameKind::Shape, Bracket::Square) => true,
            (
                FrameKind::File
                | FrameKind::Section { .. }
                | FrameKind::Call { .. }
                | FrameKind::Group
                | FrameKind::List
                | FrameKind::Shape,
                Bracket::Curly | Bracket::Round | Bracket::Square,
            ) => false,
        };
        if let Some(open) = self.frames.iter().rposition(fits) {
            self.frames.truncate(open);
        }
        // What a section holds has ended with it.
        if bracket == Bracket::Curly {
            let top = self.top();
            (top.head, top.part) = (Head::None, Part::Name);
        }
    }

    fn name(&mut self, i: usize, word: &'t str) {
        let binds = self.next_is(i, "=");
        let opens = self.next_is(i, "{");
        let types = self.lists_names(i);
        let ended = i.checked_sub(1).is_none_or(|b| ends_value(self.text, self.tokens[b]));
        let top = self.top();
        match &mut top.kind {
            FrameKind::Call { arguments, .. } => {
                if binds && let Some(last) = arguments.last_mut() {
                    *last = Some(word);
                }
            }
            FrameKind::Section { .. } => {
                let (head, part) = match word {
                    "let" => (Head::Let, Part::Name),
                    "input" => (Head::Input, Part::Name),
                    "output" => (Head::Output, Part::Name),
                    _ if matches!(top.head, Head::Let | Head::Input | Head::Output)
                        && top.part == Part::Name =>
                    {
                        return;
                    }
                    // `f32 =` of a type.
                    _ if top.part == Part::Type && !ended => return,
                    _ if binds && (ended || top.part == Part::Name) => (Head::Key(word), Part::Name),
                    _ if opens => (Head::Key(word), Part::Name),
                    _ if types && ended => (Head::Typed, Part::Name),
                    _ => return,
                };
                (top.head, top.part) = (head, part);
            }
            FrameKind::File => match word {
                "in" => top.part = Part::Domain,
                _other => {}
            },
            FrameKind::List | FrameKind::Shape | FrameKind::Group => {}
        }
    }

    /// Whether names with commas between stand here, and a colon behind them.
    fn lists_names(&self, i: usize) -> bool {
        let mut rest = self.all[i..].iter();
        loop {
            if rest.next().is_none_or(|t| t.kind != Kind::Word) {
                return false;
            }
            match rest.next().map(|t| self.word(*t)) {
                Some(",") => {}
                Some(":") => return true,
                Some(_) | None => return false,
            }
        }
    }

    fn sign(&mut self, sign: &str) {
        let top = self.top();
        match (&mut top.kind, sign) {
            (FrameKind::Call { arguments, .. }, ",") => {
                arguments.push(None);
                top.part = Part::Name;
            }
            (FrameKind::Call { .. }, "=") => top.part = Part::Value,
            (FrameKind::Call { .. } | FrameKind::Group, ":") => top.part = Part::Type,
            (FrameKind::Group, ",") => top.part = Part::Name,
            (FrameKind::Section { .. } | FrameKind::File, "=" | "<=") => top.part = Part::Value,
            (FrameKind::Section { .. } | FrameKind::File, ":") => top.part = Part::Type,
            _other => {}
        }
    }
}

/// Whether a value may end with a token, so that the next word starts something new.
fn ends_value(text: &str, token: Token) -> bool {
    match token.kind {
        Kind::Word => !["as", "in", "by", "let", "input", "output"].contains(&&text[token.lo..token.hi]),
        Kind::Number | Kind::Str | Kind::OpenStr | Kind::Close(_) => true,
        Kind::Open(Bracket::Curly) => true,
        Kind::Open(Bracket::Round | Bracket::Square) => false,
        Kind::Sign => matches!(&text[token.lo..token.hi], "_" | "%"),
        Kind::Foreign => false,
    }
}

impl<'t> Place<'t> {
    /// The innermost bracket.
    pub fn top(&self) -> &Frame<'t> {
        self.frames.last().expect("place: the file is always open")
    }

    /// The innermost section: its word, its name, and the entry under way.
    pub fn section(&self) -> Option<(&'t str, &'t str, &Frame<'t>)> {
        self.frames.iter().rev().find_map(|frame| match &frame.kind {
            FrameKind::Section { word, name } => Some((*word, *name, frame)),
            _bracket => None,
        })
    }

    /// The words of the sections around, innermost first.
    pub fn sections(&self) -> impl Iterator<Item = &'t str> {
        self.frames.iter().rev().filter_map(|frame| match &frame.kind {
            FrameKind::Section { word, .. } => Some(*word),
            _bracket => None,
        })
    }

    /// The item of the file that the cursor is in: its word and name.
    pub fn item(&self) -> Option<(&'t str, &'t str)> {
        match self.frames[0].head {
            Head::Item { word, name } => Some((word, name)),
            _nothing => None,
        }
    }

    /// The text of the token before the word at the cursor.
    pub fn sign_before(&self) -> &'t str {
        self.before.map_or("", |t| &self.text[t.lo..t.hi])
    }

    /// Whether something new may start here: nothing, or a value that has ended, stands before.
    pub fn starts(&self) -> bool {
        self.before.is_none_or(|token| ends_value(self.text, token))
    }

    /// The dotted names before a point at the cursor: `["people", "income"]` of `people.income.`.
    pub fn owners(&self) -> Option<Vec<&'t str>> {
        let mut names = Vec::new();
        let mut rest = self.tokens.iter().rev();
        while rest.next().is_some_and(|t| &self.text[t.lo..t.hi] == ".") {
            let name = rest.next().filter(|t| matches!(t.kind, Kind::Word | Kind::Number))?;
            names.push(&self.text[name.lo..name.hi]);
            if rest.clone().next().is_none_or(|t| &self.text[t.lo..t.hi] != ".") {
                break;
            }
        }
        names.reverse();
        (!names.is_empty()).then_some(names)
    }

    /// The innermost call, its callee and arguments so far.
    pub fn call(&self) -> Option<(&'t str, usize, &[Option<&'t str>])> {
        self.frames.iter().rev().find_map(|frame| match &frame.kind {
            FrameKind::Call { callee, at, arguments } => Some((*callee, *at, arguments.as_slice())),
            _other => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The frames around `|` in a text, in few words.
    fn around(text: &str) -> String {
        let at = text.find('¦').expect("a cursor");
        let text = text.replace('¦', "");
        let place = place(&text, at);
        let frame = |f: &Frame| {
            let kind = match &f.kind {
                FrameKind::File => "file".to_string(),
                FrameKind::Section { word, name } => format!("{word} {name}").trim().to_string(),
                FrameKind::Call { callee, arguments, .. } => {
                    let names: Vec<&str> = arguments.iter().map(|a| a.unwrap_or("_")).collect();
                    format!("{callee}({})", names.join(", "))
                }
                FrameKind::List => "[".into(),
                FrameKind::Shape => "shape".into(),
                FrameKind::Group => "(".into(),
            };
            format!("{kind} {:?} {:?}", f.head, f.part)
        };
        let frames: Vec<String> = place.frames.iter().map(frame).collect();
        format!("{} | {:?} `{}`", frames.join(" / "), place.within, &text[place.start..at])
    }

    #[test]
    fn places_in_text_that_is_half_typed() {
        let cases = [
            "mlspec 1\n¦",
            "mlspec 1\nmodel M {\n  input x: f32[B, ¦",
            "mlspec 1\nmodel M {\n  input x: f32[B, 4]\n  output y = x |> De¦",
            "mlspec 1\nmodel M {\n  output y = x |> Dense(10, activation=re¦",
            "mlspec 1\ndata d {\n  source = csv(\"x.c¦",
            "mlspec 1\ndata d {\n  a, b : stand¦",
            "mlspec 1\ndata d {\n  source = csv(\"x\")\n  batch = 32\n  sp¦",
            "mlspec 1\ndata d {\n  source = csv(\"x\")\n\ntrain {\n  optimizer = ¦\n",
            "mlspec 1\ntrain { feed { x = d.¦",
            "mlspec 1\ntrain { metrics = [accuracy, ¦] }",
            "mlspec 1 // 😀 ¦",
            "mlspec 1\nparam hidden: ¦",
        ];
        let seen: Vec<String> = cases.iter().map(|c| around(c)).collect();
        insta::assert_snapshot!(seen.join("\n"));
    }
}
