//! A small, strict reader of XML, as tools for annotating images write it.
//!
//! Elements, text, comments, attributes, the five named entities and numbered ones. Attributes are checked and left out.
//! A document type is refused: entities that a file declares itself can make it larger than memory. No file can make
//! the reader panic, nest deeper than [`DEEPEST`], or hold more than its own bytes.

use std::fmt;

/// How deep elements may lie in each other; annotations take six.
const DEEPEST: usize = 64;

/// What stands between `<name>` and `</name>`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Element {
    pub name: String,
    /// Where it opens, from 1.
    pub line: usize,
    /// Its own text, trimmed; pieces between children are joined.
    pub text: String,
    pub children: Vec<Element>,
}

/// Why a text is no XML.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    pub line: usize,
    pub character: usize,
    pub why: String,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}:{}: {}", self.line, self.character, self.why)
    }
}

impl Element {
    /// The first child of that name.
    pub fn child(&self, name: &str) -> Option<&Element> {
        self.all(name).next()
    }

    /// All children of that name, in order.
    pub fn all(&self, name: &str) -> impl Iterator<Item = &Element> {
        self.children.iter().filter(move |child| child.name == name)
    }
}

/// The one element that a file is.
///
/// # Errors
/// The first place that is no XML.
pub fn parse(bytes: &[u8]) -> Result<Element, Broken> {
    let text = std::str::from_utf8(bytes).map_err(|wrong| {
        let at = wrong.valid_up_to();
        let before = String::from_utf8_lossy(&bytes[..at]);
        broken(&before, at, format!("the byte 0x{:02x} is not part of UTF-8 text", bytes[at]))
    })?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader = Reader { text, at: 0 };
    reader.document().map_err(|why| broken(text, reader.at, why))
}

fn broken(text: &str, at: usize, why: String) -> Broken {
    let before = &text[..at];
    let line = 1 + before.matches('\n').count();
    let character = 1 + before.rsplit('\n').next().unwrap_or_default().chars().count();
    Broken { line, character, why }
}

struct Reader<'t> {
    text: &'t str,
    at: usize,
}

/// Between two pieces of text.
enum Tag {
    Open(String),
    /// `<name/>`
    Alone(String),
    Close(String),
}

impl<'t> Reader<'t> {
    fn document(&mut self) -> Result<Element, String> {
        let mut open: Vec<Element> = Vec::new();
        // Lines are counted once, not for each element from the start.
        let (mut line, mut counted) = (1, 0);
        loop {
            let piece = self.piece()?;
            match open.last_mut() {
                Some(element) => element.text.push_str(&piece),
                None if piece.trim().is_empty() => {}
                None => return Err("text stands outside of any element".to_string()),
            }
            let start = self.at;
            line += self.text[counted..start].matches('\n').count();
            counted = start;
            let Some(tag) = self.tag()? else {
                return Err(match open.last() {
                    Some(element) => format!(
                        "the file ends inside `<{}>`, which opens in line {}",
                        element.name, element.line
                    ),
                    None => "the file has no element".to_string(),
                });
            };
            let closed = match tag {
                Tag::Open(name) if open.len() < DEEPEST => {
                    open.push(Element { name, line, ..Element::default() });
                    continue;
                }
                Tag::Open(_) => return self.refuse(start, format!("elements nest deeper than {DEEPEST}")),
                Tag::Alone(name) => Element { name, line, ..Element::default() },
                Tag::Close(name) => match open.pop() {
                    Some(element) if element.name == name => element,
                    Some(element) => {
                        let why = format!(
                            "`</{name}>` closes `<{}>`, which opens in line {}",
                            element.name, element.line
                        );
                        return self.refuse(start, why);
                    }
                    None => return self.refuse(start, format!("`</{name}>` closes nothing")),
                },
            };
            let closed = Element { text: closed.text.trim().to_string(), ..closed };
            match open.last_mut() {
                Some(parent) => parent.children.push(closed),
                None => return self.end().map(|()| closed),
            }
        }
    }

    fn refuse<T>(&mut self, at: usize, why: String) -> Result<T, String> {
        self.at = at;
        Err(why)
    }

    /// Nothing but space and comments stands behind the element.
    fn end(&mut self) -> Result<(), String> {
        let piece = self.piece()?;
        if !piece.trim().is_empty() || self.at < self.text.len() {
            return Err("a file is one element, and something stands behind it".to_string());
        }
        Ok(())
    }

    /// Text up to the next tag, without comments and instructions, entities replaced.
    fn piece(&mut self) -> Result<String, String> {
        let mut out = String::new();
        loop {
            let rest = &self.text[self.at..];
            let plain = rest.find(['<', '&']).unwrap_or(rest.len());
            out.push_str(&rest[..plain]);
            self.at += plain;
            let rest = &rest[plain..];
            if rest.starts_with("<!--") {
                self.skip("<!--", "-->", "a comment")?;
            } else if rest.starts_with("<?") {
                self.skip("<?", "?>", "an instruction")?;
            } else if rest.starts_with("<!") {
                return Err("a document type or CDATA is not read here".to_string());
            } else if rest.starts_with('&') {
                out.push(self.entity()?);
            } else {
                return Ok(out);
            }
        }
    }

    fn skip(&mut self, start: &str, end: &str, what: &str) -> Result<(), String> {
        let inside = self.at + start.len();
        let length = self.text[inside..].find(end).ok_or_else(|| format!("{what} never ends"))?;
        self.at = inside + length + end.len();
        Ok(())
    }

    /// `&amp;`, `&#233;`, `&#xe9;`
    fn entity(&mut self) -> Result<char, String> {
        const LONGEST: usize = 10;
        let rest = &self.text[self.at + 1..];
        let unknown = || "`&` starts no entity: write `&amp;`".to_string();
        let end = rest.char_indices().take(LONGEST).find(|(_, c)| *c == ';').ok_or_else(unknown)?.0;
        let name = &rest[..end];
        let number = |digits: &str, radix| u32::from_str_radix(digits, radix).ok().and_then(char::from_u32);
        let found = match name {
            "amp" => Some('&'),
            "lt" => Some('<'),
            "gt" => Some('>'),
            "quot" => Some('"'),
            "apos" => Some('\''),
            _ => match (name.strip_prefix("#x"), name.strip_prefix('#')) {
                (Some(hex), _) => number(hex, 16),
                (None, Some(decimal)) => number(decimal, 10),
                (None, None) => None,
            },
        };
        self.at += if found.is_some() { end + 2 } else { 0 };
        found.ok_or_else(unknown)
    }

    /// The tag that stands here; none at the end of the text.
    fn tag(&mut self) -> Result<Option<Tag>, String> {
        if self.at == self.text.len() {
            return Ok(None);
        }
        self.at += 1;
        let closes = self.sign('/');
        let name = self.name().ok_or("`<` starts no tag: write `&lt;`")?;
        if closes {
            self.space();
            return if self.sign('>') { Ok(Some(Tag::Close(name))) } else { Err(unclosed(&name)) };
        }
        loop {
            let apart = self.space();
            if self.sign('>') {
                return Ok(Some(Tag::Open(name)));
            }
            if self.sign('/') {
                return if self.sign('>') { Ok(Some(Tag::Alone(name))) } else { Err(unclosed(&name)) };
            }
            if !apart {
                return Err(unclosed(&name));
            }
            self.attribute(&name)?;
        }
    }

    /// `name="value"`, which nobody reads.
    fn attribute(&mut self, tag: &str) -> Result<(), String> {
        let name = self.name().ok_or_else(|| unclosed(tag))?;
        self.space();
        let wrong = || format!("the attribute `{name}` has no value in quotes");
        if !self.sign('=') {
            return Err(wrong());
        }
        self.space();
        let quote = ['"', '\''].into_iter().find(|quote| self.sign(*quote)).ok_or_else(wrong)?;
        let length = self.text[self.at..].find([quote, '<']).ok_or_else(wrong)?;
        self.at += length;
        if self.sign(quote) { Ok(()) } else { Err(wrong()) }
    }

    fn name(&mut self) -> Option<String> {
        let rest = &self.text[self.at..];
        let first = rest.chars().next()?;
        if !(first.is_alphabetic() || first == '_') {
            return None;
        }
        let is_name = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | ':');
        let end = rest.find(|c| !is_name(c)).unwrap_or(rest.len());
        self.at += end;
        Some(rest[..end].to_string())
    }

    /// Whether there was some.
    fn space(&mut self) -> bool {
        let rest: &'t str = &self.text[self.at..];
        let length = rest.len() - rest.trim_start().len();
        self.at += length;
        length > 0
    }

    fn sign(&mut self, sign: char) -> bool {
        let there = self.text[self.at..].starts_with(sign);
        self.at += if there { sign.len_utf8() } else { 0 };
        there
    }
}

fn unclosed(name: &str) -> String {
    format!("the tag of `{name}` never closes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_annotation_is_a_tree() {
        let text = "\u{feff}<?xml version='1.0'?>\n<!-- by hand -->\n<annotation verified=\"yes\">\n  <name> a &lt;b&gt; \
                    &#x41;&amp;</name>\n  <empty/>\n  <box><x>1</x></box>\n</annotation>\n";
        let tree = parse(text.as_bytes()).unwrap();
        assert_eq!(tree.name, "annotation");
        assert_eq!(tree.child("name").unwrap().text, "a <b> A&");
        assert_eq!(tree.child("box").unwrap().child("x").unwrap().text, "1");
        assert_eq!((tree.line, tree.child("box").unwrap().line), (3, 6));
        assert_eq!(tree.child("other"), None);
    }

    #[test]
    fn what_is_no_xml_is_told_with_its_place() {
        let deep = "<a>".repeat(100);
        let cases: &[(&str, &str)] = &[
            ("", "1:1: the file has no element"),
            ("words", "1:6: text stands outside of any element"),
            ("<a>\n<b>1</c></a>", "2:5: `</c>` closes `<b>`, which opens in line 2"),
            ("<a>\n  <b>", "2:6: the file ends inside `<b>`, which opens in line 2"),
            ("<a/><b/>", "1:5: a file is one element, and something stands behind it"),
            ("<a x=1/>", "1:6: the attribute `x` has no value in quotes"),
            ("<a x=\"1/>", "1:7: the attribute `x` has no value in quotes"),
            ("<a>&nbsp;</a>", "1:4: `&` starts no entity: write `&amp;`"),
            ("<a>1 < 2</a>", "1:7: `<` starts no tag: write `&lt;`"),
            ("<!DOCTYPE a [<!ENTITY b \"bb\">]><a/>", "1:1: a document type or CDATA is not read here"),
            ("<a", "1:3: the tag of `a` never closes"),
            ("<a><!-- b", "1:4: a comment never ends"),
            ("</a>", "1:1: `</a>` closes nothing"),
            (&deep, "1:193: elements nest deeper than 64"),
        ];
        for (text, says) in cases {
            assert_eq!(parse(text.as_bytes()).unwrap_err().to_string(), *says, "{text}");
        }
        assert_eq!(
            parse(b"<a>\n\xff</a>").unwrap_err().to_string(),
            "2:1: the byte 0xff is not part of UTF-8 text"
        );
    }

    /// Cut anywhere, a file is broken and never a panic.
    #[test]
    fn every_piece_of_a_file_is_answered() {
        let text = "<?xml version=\"1.0\"?><a b='c'><!-- d --><é>&amp;&#233;</é><f/></a>";
        for at in 0..text.len() {
            assert!(parse(&text.as_bytes()[..at]).is_err(), "{at}");
            let _ = parse(&text.as_bytes()[at..]);
        }
        assert!(parse(text.as_bytes()).is_ok());
    }
}
