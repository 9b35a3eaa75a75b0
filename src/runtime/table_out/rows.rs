//! Rows as lines of text: fields between separators, or an object of JSON each.

use super::{OutColumn, OutValues};
use std::io::{self, Write};

pub struct Rows<W> {
    sink: W,
    line: Vec<u8>,
    style: Style,
}

enum Style {
    /// Fields between this sign, quoted where they must be.
    Fields(u8),
    /// Keys as JSON writes them, with their colons.
    Objects(Vec<String>),
}

impl<W: Write> Rows<W> {
    /// Begins with a line of names.
    pub fn csv(mut sink: W, sep: u8, columns: &[OutColumn]) -> io::Result<Self> {
        let mut line = Vec::new();
        for (i, column) in columns.iter().enumerate() {
            if i > 0 {
                line.push(sep);
            }
            field(&mut line, sep, &column.name);
        }
        line.push(b'\n');
        sink.write_all(&line)?;
        Ok(Rows { sink, line, style: Style::Fields(sep) })
    }

    pub fn jsonl(sink: W, columns: &[OutColumn]) -> Self {
        let key = |c: &OutColumn| format!("{}:", serde_json::Value::from(c.name.as_str()));
        Rows { sink, line: Vec::new(), style: Style::Objects(columns.iter().map(key).collect()) }
    }

    pub fn into_inner(self) -> W {
        self.sink
    }

    pub fn write(&mut self, batch: &[OutValues]) -> io::Result<()> {
        let rows = batch.first().map_or(0, OutValues::len);
        for row in 0..rows {
            self.line.clear();
            match &self.style {
                Style::Fields(sep) => fields(&mut self.line, *sep, batch, row)?,
                Style::Objects(keys) => object(&mut self.line, keys, batch, row)?,
            }
            self.line.push(b'\n');
            self.sink.write_all(&self.line)?;
        }
        Ok(())
    }
}

fn fields(line: &mut Vec<u8>, sep: u8, batch: &[OutValues], row: usize) -> io::Result<()> {
    for (i, values) in batch.iter().enumerate() {
        if i > 0 {
            line.push(sep);
        }
        match values {
            OutValues::F32(v) if v[row].is_nan() => {}
            OutValues::F32(v) => write!(line, "{:?}", Shortest(v[row]))?,
            OutValues::F64(v) if v[row].is_nan() => {}
            OutValues::F64(v) => write!(line, "{:?}", Shortest(v[row]))?,
            OutValues::I64(v) => write!(line, "{}", v[row])?,
            OutValues::Text(v) => {
                if let Some(text) = &v[row] {
                    field(line, sep, text);
                }
            }
        }
    }
    Ok(())
}

/// Quotes what would be read otherwise; an empty text too, which without quotes is missing.
fn field(line: &mut Vec<u8>, sep: u8, text: &str) {
    let special = |b: u8| b == sep || matches!(b, b'"' | b'\n' | b'\r');
    let outer = text.starts_with([' ', '\t']) || text.ends_with([' ', '\t']);
    if !(text.is_empty() || outer || text.bytes().any(special)) {
        line.extend(text.bytes());
        return;
    }
    line.push(b'"');
    line.extend(text.replace('"', "\"\"").bytes());
    line.push(b'"');
}

fn object(line: &mut Vec<u8>, keys: &[String], batch: &[OutValues], row: usize) -> io::Result<()> {
    line.push(b'{');
    for (i, (key, values)) in keys.iter().zip(batch).enumerate() {
        if i > 0 {
            line.push(b',');
        }
        line.extend(key.bytes());
        match values {
            // JSON has no word for what is not finite.
            OutValues::F32(v) if v[row].is_finite() => write!(line, "{:?}", Shortest(v[row]))?,
            OutValues::F64(v) if v[row].is_finite() => write!(line, "{:?}", Shortest(v[row]))?,
            OutValues::F32(_) | OutValues::F64(_) => line.extend(b"null"),
            OutValues::I64(v) => write!(line, "{}", v[row])?,
            OutValues::Text(v) => match &v[row] {
                Some(text) => serde_json::to_writer(&mut *line, text)?,
                None => line.extend(b"null"),
            },
        }
    }
    line.push(b'}');
    Ok(())
}

/// A number in the shortest form that reads back: whole ones without a point, large ones with an exponent.
struct Shortest<T>(T);

impl<T: std::fmt::Debug> std::fmt::Debug for Shortest<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = format!("{:?}", self.0);
        f.write_str(text.strip_suffix(".0").unwrap_or(&text))
    }
}
