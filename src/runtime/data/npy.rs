//! Arrays of NumPy: `npy("features.npy")`, and those inside an `npz`.
//!
//! The format (NumPy Enhancement Proposal 1): `\x93NUMPY`, a version, the length of a header, the header as
//! a Python literal with `descr`, `fortran_order` and `shape`, then the elements. The first axis is the rows.
//! Sizes are checked before memory is asked for.

use super::csv::{count, identifier};
use super::files::{Input, Places, problem};
use super::table::{Cell, Cells, Origin, RawColumn, Table};
use crate::diag::Diagnostic;
use crate::sema::job::SourcePlan;
use std::path::Path;

type Checked<T> = Result<T, Box<Diagnostic>>;

/// What the header says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    pub kind: Kind,
    big_endian: bool,
    fortran: bool,
    /// At least one axis.
    pub shape: Vec<usize>,
}

/// The type of the elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Bool,
    /// Of so many bytes.
    Int(usize),
    UInt(usize),
    Float(usize),
    /// Of so many characters, four bytes each.
    Unicode(usize),
    /// Of so many bytes.
    Ascii(usize),
}

/// Where the bytes of an array come from: appends up to so many, fewer only at the end.
pub type More<'m> = dyn FnMut(u64, &mut Vec<u8>) -> Checked<()> + 'm;

/// An array's name for messages, and the call that wanted it.
#[derive(Clone, Copy)]
pub struct Whose<'a> {
    pub name: &'a str,
    pub source: &'a SourcePlan,
}

impl Whose<'_> {
    pub fn wrong<T>(self, what: impl std::fmt::Display, help: &str) -> Checked<T> {
        let message = format!("{}: {what}", self.name);
        Err(Box::new(problem("data::npy", message, self.source).help(help)))
    }
}

const AGAIN: &str = "write the file again with `numpy.save` or `numpy.savez`";

/// The one column of an `npy` is called as the file.
pub fn column_name(path: &str) -> String {
    let name = Path::new(path).file_name().map(|n| n.to_string_lossy()).unwrap_or_default();
    identifier(name.split('.').next().unwrap_or_default())
}

/// The header of a file, for a glance.
pub fn glance(path: &str, places: &Places, source: &SourcePlan) -> Checked<Header> {
    let mut input = Input::open(&places.find(path, source)?, source)?;
    let (name, at_most) = (input.name(), input.at_most);
    header(&mut |n, out| input.read(n, out, source), at_most, Whose { name: &name, source })
}

/// The table of one column that a file holds.
pub fn load(path: &str, places: &Places, source: &SourcePlan) -> Checked<Table> {
    let mut input = Input::open(&places.find(path, source)?, source)?;
    let (name, at_most) = (input.name(), input.at_most);
    let whose = Whose { name: &name, source };
    let mut more = |n: u64, out: &mut Vec<u8>| input.read(n, out, source);
    let header = header(&mut more, at_most, whose)?;
    let mut text = String::new();
    let cells = elements(&mut more, &header, &mut text, whose)?;
    let mut end = Vec::new();
    more(1, &mut end)?;
    if !end.is_empty() {
        return whose.wrong("goes on behind the elements that its header says", AGAIN);
    }
    let columns = vec![RawColumn { name: column_name(path), cells }];
    let (rows, files) = (header.shape[0], vec![input.finish(source)?]);
    Ok(Table { name: name.clone(), rows, columns, files, text, origin: Origin::Rows(0) })
}

/// Reads a header; `at_most` is what the file can hold.
pub fn header(more: &mut More, at_most: u64, whose: Whose) -> Checked<Header> {
    let mut start = Vec::new();
    more(8, &mut start)?;
    if start.is_empty() {
        let message = format!("{}: the file is empty", whose.name);
        return Err(Box::new(problem("data::empty", message, whose.source).help("name another file")));
    }
    let &[0x93, b'N', b'U', b'M', b'P', b'Y', major, _] = start.as_slice() else {
        let hex: Vec<String> = start.iter().take(6).map(|b| format!("{b:02x}")).collect();
        let message = format!(
            "{}: starts with the bytes {}, an array of NumPy with 93 4e 55",
            whose.name,
            hex.join(" ")
        );
        let diagnostic = problem("data::magic", message, whose.source);
        return Err(Box::new(diagnostic.help("name a file that `numpy.save` wrote, or use another source")));
    };
    let wide = match major {
        1 => 2,
        2 | 3 => 4,
        _ => return whose.wrong(format!("has version {major}, versions 1 to 3 are read"), AGAIN),
    };
    let mut length = Vec::new();
    more(wide, &mut length)?;
    if length.len() < wide as usize {
        return whose.wrong("ends inside its header", AGAIN);
    }
    let length = length.iter().rev().fold(0u64, |n, b| n << 8 | u64::from(*b));
    if length > MOST_HEADER {
        return whose.wrong(format!("the header claims to be {length} bytes long"), AGAIN);
    }
    let mut text = Vec::new();
    more(length, &mut text)?;
    if (text.len() as u64) < length {
        return whose.wrong("ends inside its header", AGAIN);
    }
    let header = parse(&String::from_utf8_lossy(&text), whose)?;
    let bytes = header.shape.iter().try_fold(header.kind.bytes() as u64, |n, d| n.checked_mul(*d as u64));
    if bytes.is_none_or(|n| n > at_most) {
        let sizes: Vec<String> = header.shape.iter().map(usize::to_string).collect();
        let claim = format!("the header claims {} elements, more than the file can hold", sizes.join(" x "));
        return whose.wrong(claim, "write the file again, or copy it again if it was cut off");
    }
    if header.shape.contains(&0) {
        let message = format!("{}: the array has no elements", whose.name);
        return Err(Box::new(problem("data::empty", message, whose.source).help("name another array")));
    }
    Ok(header)
}

/// A header of more bytes than this is none.
const MOST_HEADER: u64 = 1 << 20;

/// Reads `{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }`.
fn parse(text: &str, whose: Whose) -> Checked<Header> {
    let after = |key: &str| {
        let at = text.find(&format!("'{key}'"))? + key.len() + 2;
        Some(text[at..].trim_start().strip_prefix(':')?.trim_start())
    };
    let quoted = |rest: &str| Some(rest.strip_prefix('\'')?.split('\'').next()?.to_string());
    let Some(descr) = after("descr") else { return whose.wrong("the header has no `descr`", AGAIN) };
    let Some(descr) = quoted(descr) else {
        return whose
            .wrong("has records of several fields", "save one array for each field, by `numpy.savez`");
    };
    let Some((big_endian, kind)) = element(&descr) else {
        let what = match descr.ends_with('O') {
            true => "holds Python objects".to_string(),
            false => format!("holds elements of type `{descr}`"),
        };
        return whose.wrong(what, "save numbers: `array.astype(\"float32\")`");
    };
    let fortran = match after("fortran_order") {
        Some(rest) if rest.starts_with("True") => true,
        Some(rest) if rest.starts_with("False") => false,
        _ => return whose.wrong("the header has no `fortran_order`", AGAIN),
    };
    let inner = after("shape").and_then(|rest| rest.strip_prefix('(')?.split(')').next());
    let sizes = inner.map(|inner| inner.split(',').map(str::trim).filter(|s| !s.is_empty()));
    let shape: Option<Vec<usize>> =
        sizes.and_then(|sizes| sizes.map(|s| s.trim_end_matches('L').parse().ok()).collect());
    match shape {
        None => whose.wrong("the header has no `shape` of sizes", AGAIN),
        Some(shape) if shape.is_empty() => whose
            .wrong("holds one number, not an array of rows", "save an array whose first axis is the rows"),
        Some(shape) => Ok(Header { kind, big_endian, fortran, shape }),
    }
}

/// `<f4` and its like: whether the bytes are swapped, and the type.
fn element(descr: &str) -> Option<(bool, Kind)> {
    let (order, rest) = match descr.chars().next()? {
        '<' | '=' | '|' => (false, &descr[1..]),
        '>' => (true, &descr[1..]),
        _ => (false, descr),
    };
    let size: usize = rest.get(1..)?.parse().ok()?;
    let kind = match (rest.chars().next()?, size) {
        ('b', 1) => Kind::Bool,
        ('i', 1 | 2 | 4 | 8) => Kind::Int(size),
        ('u', 1 | 2 | 4 | 8) => Kind::UInt(size),
        ('f', 4 | 8) => Kind::Float(size),
        ('U', 1..=MOST_CHARACTERS) => Kind::Unicode(size),
        ('S', 1..=MOST_CHARACTERS) => Kind::Ascii(size),
        _ => return None,
    };
    Some((order, kind))
}

/// The longest strings that are read.
const MOST_CHARACTERS: usize = 1 << 16;

impl Kind {
    fn bytes(self) -> usize {
        match self {
            Kind::Bool => 1,
            Kind::Int(n) | Kind::UInt(n) | Kind::Float(n) | Kind::Ascii(n) => n,
            Kind::Unicode(n) => 4 * n,
        }
    }
}

/// Reads the elements behind a header, in the order of rows.
pub fn elements(more: &mut More, header: &Header, text: &mut String, whose: Whose) -> Checked<Cells> {
    let row = header.shape[1..].to_vec();
    let mut raw = Raw { more, header, whose };
    Ok(match header.kind {
        Kind::Bool | Kind::UInt(1) => Cells::U8 { row, data: raw.all(|b: [u8; 1]| b[0])? },
        Kind::Int(1) => Cells::I32 { row, data: raw.all(|b: [u8; 1]| i32::from(b[0] as i8))? },
        Kind::Int(2) => Cells::I32 { row, data: raw.all(|b| i32::from(i16::from_le_bytes(b)))? },
        Kind::UInt(2) => Cells::I32 { row, data: raw.all(|b| i32::from(u16::from_le_bytes(b)))? },
        Kind::Int(4) => Cells::I32 { row, data: raw.all(i32::from_le_bytes)? },
        Kind::UInt(4) => whole(row, raw.all(|b| i128::from(u32::from_le_bytes(b)))?, whose)?,
        Kind::Int(_) => whole(row, raw.all(|b| i128::from(i64::from_le_bytes(b)))?, whose)?,
        Kind::UInt(_) => whole(row, raw.all(|b| i128::from(u64::from_le_bytes(b)))?, whose)?,
        Kind::Float(4) => Cells::F32 { row, data: raw.all(f32::from_le_bytes)? },
        Kind::Float(_) => Cells::F64 { row, data: raw.all(f64::from_le_bytes)? },
        Kind::Unicode(_) | Kind::Ascii(_) => strings(&mut raw, text)?,
    })
}

/// Whole numbers in 32 bits if they fit, else as `f64`, which holds them to 2^53.
fn whole(row: Vec<usize>, numbers: Vec<i128>, whose: Whose) -> Checked<Cells> {
    if numbers.iter().all(|n| i32::try_from(*n).is_ok()) {
        return Ok(Cells::I32 { row, data: numbers.into_iter().map(|n| n as i32).collect() });
    }
    let width = row.iter().product::<usize>().max(1);
    if let Some(at) = numbers.iter().position(|n| n.unsigned_abs() > 1 << 53) {
        let what =
            format!("row {} has {}, beyond 2^53, where numbers are not exact", at / width + 1, numbers[at]);
        return whose.wrong(what, "save such numbers as strings, or leave them out");
    }
    Ok(Cells::F64 { row, data: numbers.into_iter().map(|n| n as f64).collect() })
}

/// The elements as they lie in the file.
struct Raw<'r, 'm> {
    more: &'r mut More<'m>,
    header: &'r Header,
    whose: Whose<'r>,
}

/// Elements that are read at once.
const BLOCK: usize = 1 << 16;

impl Raw<'_, '_> {
    fn count(&self) -> usize {
        self.header.shape.iter().product()
    }

    /// All elements, each from its bytes in little-endian order, rows first.
    fn all<const N: usize, T: Copy>(&mut self, of: impl Fn([u8; N]) -> T) -> Checked<Vec<T>> {
        let mut all = Vec::with_capacity(self.count());
        let mut bytes = Vec::new();
        while all.len() < self.count() {
            self.block(all.len(), N, &mut bytes)?;
            all.extend(bytes.chunks_exact(N).map(|b| {
                let mut b: [u8; N] = b.try_into().expect("npy: chunks of N");
                if self.header.big_endian {
                    b.reverse();
                }
                of(b)
            }));
        }
        Ok(if self.header.fortran { rows_first(&all, &self.header.shape) } else { all })
    }

    /// The next elements behind the first `had`, of `size` bytes each.
    fn block(&mut self, had: usize, size: usize, bytes: &mut Vec<u8>) -> Checked<()> {
        let wanted = (self.count() - had).min(BLOCK.div_ceil(size)) * size;
        bytes.clear();
        (self.more)(wanted as u64, bytes)?;
        if bytes.len() < wanted {
            let (has, all) = (had + bytes.len() / size, count(self.count(), "element"));
            return self
                .whose
                .wrong(format!("has {has} of the {all} that its header says"), "copy the file again");
        }
        Ok(())
    }
}

/// Elements whose first index runs fastest, in the order in which the last one does.
fn rows_first<T: Copy>(columns_first: &[T], shape: &[usize]) -> Vec<T> {
    let mut strides = vec![1; shape.len()];
    for axis in 1..shape.len() {
        strides[axis] = strides[axis - 1] * shape[axis - 1];
    }
    let mut index = vec![0; shape.len()];
    let mut all = Vec::with_capacity(columns_first.len());
    for _ in 0..columns_first.len() {
        all.push(columns_first[index.iter().zip(&strides).map(|(i, s)| i * s).sum::<usize>()]);
        for axis in (0..shape.len()).rev() {
            index[axis] += 1;
            if index[axis] < shape[axis] {
                break;
            }
            index[axis] = 0;
        }
    }
    all
}

/// Strings of one axis; zeros at their ends are padding.
fn strings(raw: &mut Raw, text: &mut String) -> Checked<Cells> {
    let (size, whose) = (raw.header.kind.bytes(), raw.whose);
    if raw.header.shape.len() != 1 {
        return whose.wrong("holds strings of several axes", "save one array for each column");
    }
    let (mut cells, mut bytes) = (Vec::with_capacity(raw.count()), Vec::new());
    while cells.len() < raw.count() {
        raw.block(cells.len(), size, &mut bytes)?;
        for element in bytes.chunks_exact(size) {
            let lo = text.len();
            let whole = match raw.header.kind {
                Kind::Unicode(_) => element.chunks_exact(4).try_for_each(|b| {
                    let mut b: [u8; 4] = b.try_into().expect("npy: chunks of four");
                    if raw.header.big_endian {
                        b.reverse();
                    }
                    char::from_u32(u32::from_le_bytes(b)).map(|c| text.push(c))
                }),
                _ => std::str::from_utf8(element).ok().map(|s| text.push_str(s)),
            };
            if whole.is_none() {
                let message = format!("{}:{}: this string is no Unicode text", whose.name, cells.len() + 1);
                let help = "save the strings as `str`: `array.astype(str)`";
                return Err(Box::new(problem("data::encoding", message, whose.source).help(help)));
            }
            text.truncate(lo + text[lo..].trim_end_matches('\0').len());
            let Ok(hi) = u32::try_from(text.len()) else {
                return whose.wrong("has more than 4 GiB of text", "save it in parts");
            };
            cells.push(Cell { lo: lo as u32, hi, missing: lo == text.len() });
        }
    }
    Ok(Cells::Text(cells))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Span;
    use crate::sema::job::SourceKind;

    /// A file as NumPy writes it.
    pub fn file(version: u8, descr: &str, fortran: &str, shape: &str, elements: &[u8]) -> Vec<u8> {
        let header = format!("{{'descr': '{descr}', 'fortran_order': {fortran}, 'shape': {shape}, }}\n");
        let mut bytes = b"\x93NUMPY".to_vec();
        bytes.extend([version, 0]);
        match version {
            1 => bytes.extend((header.len() as u16).to_le_bytes()),
            _ => bytes.extend((header.len() as u32).to_le_bytes()),
        }
        bytes.extend(header.as_bytes());
        bytes.extend(elements);
        bytes
    }

    fn read(bytes: &[u8]) -> Result<Table, Box<Diagnostic>> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("x-1.npy"), bytes).unwrap();
        let places = Places { spec: Some(folder.path().to_path_buf()), data: None };
        let kind = SourceKind::Idx { path: String::new(), resize: None };
        load("x-1.npy", &places, &SourcePlan { kind, span: Span::default(), path_span: Span::default() })
    }

    fn floats(table: &Table) -> Vec<f64> {
        match &table.columns[0].cells {
            Cells::U8 { data, .. } => data.iter().map(|x| f64::from(*x)).collect(),
            Cells::I32 { data, .. } => data.iter().map(|x| f64::from(*x)).collect(),
            Cells::F32 { data, .. } => data.iter().map(|x| f64::from(*x)).collect(),
            Cells::F64 { data, .. } => data.clone(),
            Cells::Text(_) | Cells::Gone => panic!("numbers"),
        }
    }

    #[test]
    fn every_type_is_read_in_either_byte_order() {
        macro_rules! both {
            ($code:literal, $ty:ty, $values:expr) => {
                for (order, big) in [("<", false), (">", true)] {
                    let bytes =
                        |x: &$ty| if big { x.to_be_bytes().to_vec() } else { x.to_le_bytes().to_vec() };
                    let elements: Vec<u8> = $values.iter().flat_map(bytes).collect();
                    let shape = format!("({},)", $values.len());
                    let table =
                        read(&file(1, &format!("{order}{}", $code), "False", &shape, &elements)).unwrap();
                    assert_eq!(floats(&table), $values.map(|x| x as f64), "{order}{}", $code);
                }
            };
        }
        both!("i1", i8, [-128i8, 0, 127]);
        both!("i2", i16, [-32768i16, 0, 32767]);
        both!("i4", i32, [i32::MIN, 0, i32::MAX]);
        both!("i8", i64, [-5i64, 0, 7]);
        both!("i8", i64, [-(1i64 << 53), 0, 7]);
        both!("u1", u8, [0u8, 255]);
        both!("u2", u16, [0u16, 65535]);
        both!("u4", u32, [0u32, u32::MAX]);
        both!("u8", u64, [0u64, 1 << 40]);
        both!("f4", f32, [-1.5f32, 0.1]);
        both!("f8", f64, [-1.5f64, 0.1]);
        let bools = read(&file(2, "|b1", "False", "(2,)", &[0, 1])).unwrap();
        assert_eq!((floats(&bools), bools.columns[0].name.as_str()), (vec![0.0, 1.0], "x_1"));
    }

    #[test]
    fn columns_first_becomes_rows_first() {
        let elements: Vec<u8> = (0..24).collect();
        let table = read(&file(3, "|u1", "True", "(2, 3, 4)", &elements)).unwrap();
        let expected: Vec<f64> = (0..24).map(|i| f64::from(i / 12 + 2 * (i / 4 % 3) + 6 * (i % 4))).collect();
        assert_eq!((floats(&table), table.rows), (expected, 2));
    }

    #[test]
    fn strings_are_cells() {
        let mut elements: Vec<u8> =
            "ab".chars().chain("é\0".chars()).flat_map(|c| (c as u32).to_le_bytes()).collect();
        let table = read(&file(1, "<U2", "False", "(2,)", &elements)).unwrap();
        assert_eq!((table.value_text(0, 0).as_ref(), table.value_text(0, 1).as_ref()), ("ab", "é"));
        elements[3] = 0xff;
        assert_eq!(read(&file(1, "<U2", "False", "(2,)", &elements)).unwrap_err().code, "data::encoding");
    }

    #[test]
    fn what_is_wrong_is_said_before_memory_is_taken() {
        let message = |bytes: &[u8]| read(bytes).unwrap_err().message;
        assert_eq!(message(b""), "x-1.npy: the file is empty");
        assert!(message(b"a,b\n1,2\n").starts_with("x-1.npy: starts with the bytes 61 2c"));
        assert_eq!(message(b"\x93NUMPY\x01\0\xff"), "x-1.npy: ends inside its header");
        let huge = file(1, "<f8", "False", "(1152921504606846976,)", &[0; 16]);
        assert!(message(&huge).contains("claims 1152921504606846976 elements, more than the file can hold"));
        let huge = file(1, "<f8", "False", "(4294967296, 4294967296, 4294967296)", &[0; 16]);
        assert!(message(&huge).contains("more than the file can hold"));
        assert!(message(&file(1, "|O", "False", "(1,)", &[0; 8])).contains("holds Python objects"));
        assert!(message(&file(1, "<f4", "False", "()", &[0; 4])).contains("holds one number"));
        assert!(message(&file(1, "<f4", "False", "(0, 3)", &[])).contains("has no elements"));
        let long = file(1, "<f4", "False", "(1,)", &[0; 8]);
        assert!(message(&long).contains("goes on behind"));
        let far = file(1, "<i8", "False", "(2,)", &[[0; 8], i64::MAX.to_le_bytes()].concat());
        assert!(message(&far).starts_with("x-1.npy: row 2 has 9223372036854775807, beyond 2^53"));
    }
}
