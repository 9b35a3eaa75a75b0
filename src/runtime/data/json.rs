//! JSON cut in place: where values lie in a text, without a copy of it.
//!
//! Only what tables need: objects of scalars, of objects and of arrays of numbers. Escapes of strings are
//! undone where they stand, which never makes a string longer; spaces fill what is left.

/// A mistake, and the byte where it is.
#[derive(Debug)]
pub struct Wrong {
    pub at: usize,
    /// Goes before "at `…`".
    pub what: String,
}

fn wrong<T>(at: usize, what: &str) -> Result<T, Wrong> {
    Err(Wrong { at, what: what.to_string() })
}

/// What a value is, by its first character.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Object,
    Array,
    String,
    Number,
    /// `true`, `false`.
    Bool,
    Null,
}

pub struct Parser<'a> {
    bytes: &'a mut [u8],
    at: usize,
    depth: usize,
    /// Whether the value before is of an object that goes on: a `,` must follow.
    comma: bool,
}

/// Deeper objects than this are no table.
const DEPTH: usize = 32;

impl<'a> Parser<'a> {
    pub fn new(bytes: &'a mut [u8]) -> Parser<'a> {
        Parser { bytes, at: 0, depth: 0, comma: false }
    }

    pub fn at(&self) -> usize {
        self.at
    }

    pub fn bytes(&self, lo: usize, hi: usize) -> &[u8] {
        &self.bytes[lo..hi]
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    /// Blanks of a line. A line break ends the row, so it is none.
    fn blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r')) {
            self.at += 1;
        }
    }

    /// Goes to the next line that is not blank; false if there is none.
    pub fn line(&mut self) -> bool {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
        self.at < self.bytes.len()
    }

    pub fn end_of_line(&mut self) -> Result<(), Wrong> {
        self.blanks();
        match self.peek() {
            None | Some(b'\n') => Ok(()),
            Some(_) => wrong(self.at, "the line goes on behind its object"),
        }
    }

    /// The brace of an object.
    pub fn open(&mut self, otherwise: &str) -> Result<(), Wrong> {
        if self.peek() != Some(b'{') {
            return wrong(self.at, otherwise);
        }
        self.depth += 1;
        if self.depth > DEPTH {
            return wrong(self.at, "objects are nested too deep");
        }
        self.at += 1;
        self.comma = false;
        Ok(())
    }

    /// The next key with its place, the value to come; none behind the closing brace.
    pub fn key(&mut self) -> Result<Option<(usize, String)>, Wrong> {
        self.blanks();
        if self.peek() == Some(b'}') {
            self.at += 1;
            self.depth -= 1;
            self.comma = true;
            return Ok(None);
        }
        if self.comma {
            if self.peek() != Some(b',') {
                return wrong(self.at, "`,` or `}` is wanted");
            }
            self.at += 1;
            self.blanks();
        }
        let start = self.at;
        if self.peek() != Some(b'"') {
            return wrong(start, "a key in quotes is wanted");
        }
        let (lo, hi) = self.string()?;
        let key = String::from_utf8_lossy(&self.bytes[lo..hi]).into_owned();
        self.blanks();
        if self.peek() != Some(b':') {
            return wrong(self.at, "`:` is wanted");
        }
        self.at += 1;
        self.blanks();
        self.comma = true;
        Ok(Some((start, key)))
    }

    pub fn kind(&self) -> Result<Kind, Wrong> {
        match self.peek() {
            Some(b'{') => Ok(Kind::Object),
            Some(b'[') => Ok(Kind::Array),
            Some(b'"') => Ok(Kind::String),
            // Python writes `NaN` and `Infinity`; whoever needs finite numbers will say so.
            Some(b'-' | b'0'..=b'9' | b'N' | b'I') => Ok(Kind::Number),
            Some(b't' | b'f') => Ok(Kind::Bool),
            Some(b'n') => Ok(Kind::Null),
            None | Some(b'\n') => wrong(self.at, "a value is wanted"),
            Some(_) => wrong(self.at, "this is no JSON value"),
        }
    }

    /// Where the text of a scalar lies, its quotes left out.
    pub fn scalar(&mut self, kind: Kind) -> Result<(usize, usize), Wrong> {
        match kind {
            Kind::String => self.string(),
            Kind::Number => self.number(),
            Kind::Bool => self.word(&["true", "false"]),
            Kind::Null => self.word(&["null"]),
            Kind::Object | Kind::Array => unreachable!("json: only scalars are asked for"),
        }
    }

    fn word(&mut self, words: &[&str]) -> Result<(usize, usize), Wrong> {
        let lo = self.at;
        while self.peek().is_some_and(|b| b.is_ascii_alphanumeric()) {
            self.at += 1;
        }
        match words.iter().any(|w| w.as_bytes() == &self.bytes[lo..self.at]) {
            true => Ok((lo, self.at)),
            false => wrong(lo, "this is no JSON value"),
        }
    }

    fn number(&mut self) -> Result<(usize, usize), Wrong> {
        let lo = self.at;
        while self.peek().is_some_and(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.')) {
            self.at += 1;
        }
        let text = std::str::from_utf8(&self.bytes[lo..self.at]).expect("json: ASCII");
        let digits = text.strip_prefix('-').unwrap_or(text);
        let leading = digits.starts_with('0') && digits[1..].starts_with(|c: char| c.is_ascii_digit());
        let named = matches!(digits, "NaN" | "Infinity");
        let digit = digits.starts_with(|c: char| c.is_ascii_digit());
        match named || (digit && !leading && text.parse::<f64>().is_ok()) {
            true => Ok((lo, self.at)),
            false => wrong(lo, "this is no number"),
        }
    }

    /// A whole array of numbers.
    pub fn numbers(&mut self) -> Result<Vec<f64>, Wrong> {
        self.at += 1;
        let mut all = Vec::new();
        loop {
            self.blanks();
            if self.peek() == Some(b']') && all.is_empty() {
                break;
            }
            if !matches!(self.peek(), Some(b'-' | b'0'..=b'9' | b'N' | b'I')) {
                return wrong(self.at, "arrays are of numbers, which is not what stands");
            }
            let (lo, hi) = self.number()?;
            let text = std::str::from_utf8(&self.bytes[lo..hi]).expect("json: ASCII");
            all.push(text.parse().expect("json: a number, just seen"));
            self.blanks();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => break,
                _ => return wrong(self.at, "`,` or `]` is wanted"),
            }
        }
        self.at += 1;
        Ok(all)
    }

    /// A string; its escapes are undone in place.
    fn string(&mut self) -> Result<(usize, usize), Wrong> {
        let open = self.at;
        let lo = open + 1;
        let mut escaped = false;
        let mut hi = lo;
        loop {
            match self.bytes.get(hi) {
                Some(b'"') => break,
                Some(b'\\') => {
                    escaped = true;
                    hi += 2;
                }
                Some(b'\n') | None => return wrong(open, "this string does not close"),
                Some(_) => hi += 1,
            }
        }
        self.at = hi + 1;
        if !escaped {
            return Ok((lo, hi));
        }
        let Ok(text) = serde_json::from_slice::<String>(&self.bytes[open..=hi]) else {
            return wrong(open, "this string has an escape that JSON does not know");
        };
        let end = lo + text.len();
        self.bytes[lo..end].copy_from_slice(text.as_bytes());
        self.bytes[end..hi].fill(b' ');
        Ok((lo, end))
    }
}
