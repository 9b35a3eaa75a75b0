//! Several arrays of NumPy in one archive: `npz("digits.npz")`.
//!
//! An `npz` is a ZIP archive whose files are called `name.npy`, stored or deflated. It is read from its
//! directory at the end; sizes there are checked before memory is asked for, and checksums behind the data.

use super::csv::identifier;
use super::files::{FileInfo, Input, Places, problem, short_name};
use super::npy::{self, Header, Whose};
use super::table::{Cells, Origin, RawColumn, Table};
use crate::diag::Diagnostic;
use crate::sema::job::SourcePlan;
use flate2::CrcReader;
use flate2::read::DeflateDecoder;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Take};
use std::path::PathBuf;

type Checked<T> = Result<T, Box<Diagnostic>>;

/// An archive, its directory read.
struct Archive<'a> {
    path: PathBuf,
    name: String,
    entries: Vec<Entry>,
    source: &'a SourcePlan,
}

/// A file of the archive.
struct Entry {
    /// As specs call the column.
    column: String,
    deflated: bool,
    packed: u64,
    /// Bytes when unpacked.
    bytes: u64,
    crc: u32,
    /// Where its own header starts.
    start: u64,
}

/// Names and headers of all arrays.
pub fn glance(path: &str, places: &Places, source: &SourcePlan) -> Checked<Vec<(String, Header)>> {
    let archive = Archive::open(places.find(path, source)?, source)?;
    let header = |entry: &Entry| Ok((entry.column.clone(), archive.member(entry)?.header()?));
    archive.entries.iter().map(header).collect()
}

/// The arrays for which `wanted` holds; all have as many rows.
pub fn load(
    path: &str,
    wanted: &dyn Fn(&str) -> bool,
    places: &Places,
    source: &SourcePlan,
) -> Checked<Table> {
    let archive = Archive::open(places.find(path, source)?, source)?;
    let mut table = Table {
        name: archive.name.clone(),
        rows: 0,
        columns: Vec::new(),
        files: vec![archive.info()?],
        text: String::new(),
        origin: Origin::Rows(0),
    };
    let mut first: Option<&str> = None;
    for entry in &archive.entries {
        let mut cells = Cells::Gone;
        if wanted(&entry.column) {
            let mut member = archive.member(entry)?;
            let header = member.header()?;
            let (rows, name) = (header.shape[0], first.unwrap_or(&entry.column));
            if first.is_some() && rows != table.rows {
                let (column, before) = (&entry.column, table.rows);
                let what = format!("`{column}` has {rows} rows, but `{name}` has {before}");
                return archive.whose().wrong(what, "use arrays of one length in one `data` section");
            }
            (first, table.rows) = (Some(entry.column.as_str()), rows);
            cells = member.cells(&header, &mut table.text)?;
        }
        table.columns.push(RawColumn { name: entry.column.clone(), cells });
    }
    if let (None, Some(entry)) = (first, archive.entries.first()) {
        table.rows = archive.member(entry)?.header()?.shape[0];
    }
    Ok(table)
}

/// A number of the archive's own bytes, little-endian.
fn number(bytes: &[u8], at: usize, size: usize) -> Option<u64> {
    Some(bytes.get(at..at.checked_add(size)?)?.iter().rev().fold(0, |n, b| n << 8 | u64::from(*b)))
}

const DAMAGED: &str = "copy the file again, or write it again with `numpy.savez`";

impl<'a> Archive<'a> {
    fn open(path: PathBuf, source: &'a SourcePlan) -> Checked<Archive<'a>> {
        let mut archive = Archive { name: short_name(&path), path, entries: Vec::new(), source };
        let mut file = archive.file()?;
        let length = file.metadata().map_err(|e| archive.unreadable(&e))?.len();
        let mut start = Vec::new();
        (&mut file).take(4).read_to_end(&mut start).map_err(|e| archive.unreadable(&e))?;
        if start.is_empty() {
            let message = format!("{}: the file is empty", archive.name);
            return Err(Box::new(problem("data::empty", message, source).help("name another file")));
        }
        if !start.starts_with(b"PK") {
            let hex: Vec<String> = start.iter().map(|b| format!("{b:02x}")).collect();
            let message =
                format!("{}: starts with the bytes {}, an `npz` with 50 4b", archive.name, hex.join(" "));
            let help = "name a file that `numpy.savez` wrote; `numpy.save` writes one for `npy`";
            return Err(Box::new(problem("data::magic", message, source).help(help)));
        }
        archive.entries = archive.directory(&mut file, length)?;
        if archive.entries.is_empty() {
            let message = format!("{}: the archive has no arrays", archive.name);
            return Err(Box::new(problem("data::empty", message, source).help("name another file")));
        }
        Ok(archive)
    }

    fn whose(&self) -> Whose<'_> {
        Whose { name: &self.name, source: self.source }
    }

    fn file(&self) -> Checked<File> {
        File::open(&self.path).map_err(|e| self.unreadable(&e))
    }

    fn unreadable(&self, e: &io::Error) -> Box<Diagnostic> {
        problem("data::unreadable", format!("cannot read `{}`: {e}", self.path.display()), self.source)
    }

    /// The hash of the whole file.
    fn info(&self) -> Checked<FileInfo> {
        Input::open(&self.path, self.source)?.finish(self.source)
    }

    fn bytes(&self, file: &mut File, from: u64, many: u64) -> Checked<Vec<u8>> {
        let mut bytes = Vec::new();
        let read = file.seek(SeekFrom::Start(from)).and_then(|_| file.take(many).read_to_end(&mut bytes));
        read.map_err(|e| self.unreadable(&e))?;
        Ok(bytes)
    }

    /// Reads the directory at the end of the archive.
    fn directory(&self, file: &mut File, length: u64) -> Checked<Vec<Entry>> {
        // A comment of 64 KiB may follow the end record of 22 bytes.
        let tail = length.min(65_557 + 20);
        let end = self.bytes(file, length - tail, tail)?;
        let cut = || self.whose().wrong("has no directory at its end: it is cut off, or no archive", DAMAGED);
        let Some(at) = end.windows(4).rposition(|w| w == b"PK\x05\x06") else { return cut() };
        let (mut size, mut from) = (number(&end, at + 12, 4), number(&end, at + 16, 4));
        if from == Some(0xffff_ffff) || size == Some(0xffff_ffff) {
            let locator = at.checked_sub(20).filter(|l| end[*l..].starts_with(b"PK\x06\x07"));
            let Some(record) = locator.and_then(|l| number(&end, l + 8, 8)) else { return cut() };
            let record = self.bytes(file, record.min(length), 56)?;
            (size, from) = (number(&record, 40, 8), number(&record, 48, 8));
        }
        let (Some(size), Some(from)) = (size, from) else { return cut() };
        if from.checked_add(size).is_none_or(|end| end > length) {
            return cut();
        }
        let directory = self.bytes(file, from, size)?;
        let mut entries: Vec<Entry> = Vec::new();
        let mut at = 0;
        while directory.get(at..at + 4) == Some(b"PK\x01\x02") {
            let Some((entry, next)) = self.entry(&directory, at, length)? else { return cut() };
            at = next;
            let Some(entry) = entry else { continue };
            if entries.iter().any(|e| e.column == entry.column) {
                let message = format!("{}: two arrays read as `{}`", self.name, entry.column);
                let help = "save them under other names: `numpy.savez(file, name=array)`";
                return Err(Box::new(problem("data::header", message, self.source).help(help)));
            }
            entries.push(entry);
        }
        Ok(entries)
    }

    /// An entry and where the next one starts; no entry if it is no array.
    fn entry(&self, dir: &[u8], at: usize, length: u64) -> Checked<Option<(Option<Entry>, usize)>> {
        let field = |offset, size| number(dir, at + offset, size);
        let lengths = [28, 30, 32].map(|offset| field(offset, 2).map(|n| n as usize));
        let [Some(name), Some(extra), Some(comment)] = lengths else { return Ok(None) };
        let next = at + 46 + name + extra + comment;
        let (Some(name), Some(extra)) =
            (dir.get(at + 46..at + 46 + name), dir.get(at + 46 + name..at + 46 + name + extra))
        else {
            return Ok(None);
        };
        let Some(column) = name.strip_suffix(b".npy") else { return Ok(Some((None, next))) };
        let column = identifier(&String::from_utf8_lossy(column));
        let (Some(method), Some(crc)) = (field(10, 2), field(16, 4)) else { return Ok(None) };
        let (Some(mut packed), Some(mut bytes), Some(mut start)) = (field(20, 4), field(24, 4), field(42, 4))
        else {
            return Ok(None);
        };
        // What 32 bits cannot say stands in the extra field, in this order.
        let mut wide = wide_numbers(extra).into_iter();
        for value in [&mut bytes, &mut packed, &mut start] {
            if *value == 0xffff_ffff {
                let Some(real) = wide.next() else { return Ok(None) };
                *value = real;
            }
        }
        let deflated = match method {
            0 => false,
            8 => true,
            _ => {
                let what = format!("`{column}` is compressed by method {method}; 0 and 8 are read");
                return self.whose().wrong(what, DAMAGED);
            }
        };
        // Deflate cannot shrink below 1 in 1032.
        let most = if deflated { packed.saturating_mul(1032) } else { packed };
        if packed > length || bytes > most {
            let what = format!("`{column}` claims {bytes} bytes, more than the archive can hold");
            return self.whose().wrong(what, DAMAGED);
        }
        let entry = Entry { column, deflated, packed, bytes, crc: crc as u32, start };
        Ok(Some((Some(entry), next)))
    }

    fn member<'m>(&'m self, entry: &'m Entry) -> Checked<Member<'m>> {
        let mut file = self.file()?;
        let local = self.bytes(&mut file, entry.start, 30)?;
        let lengths = (number(&local, 26, 2), number(&local, 28, 2));
        let (true, (Some(name), Some(extra))) = (local.starts_with(b"PK\x03\x04"), lengths) else {
            return self
                .whose()
                .wrong(format!("`{}` is not where the directory says", entry.column), DAMAGED);
        };
        file.seek(SeekFrom::Start(entry.start + 30 + name + extra)).map_err(|e| self.unreadable(&e))?;
        let packed = file.take(entry.packed);
        let stream = match entry.deflated {
            true => Stream::Deflated(Box::new(CrcReader::new(DeflateDecoder::new(packed)))),
            false => Stream::Stored(CrcReader::new(packed)),
        };
        Ok(Member { name: format!("{}/{}", self.name, entry.column), entry, stream, source: self.source })
    }
}

/// The numbers of the extra field of ZIP64.
fn wide_numbers(mut extra: &[u8]) -> Vec<u64> {
    while let (Some(id), Some(size)) = (number(extra, 0, 2), number(extra, 2, 2)) {
        let Some(body) = extra.get(4..4 + size as usize) else { break };
        if id == 1 {
            return body.chunks_exact(8).filter_map(|b| number(b, 0, 8)).collect();
        }
        extra = &extra[4 + size as usize..];
    }
    Vec::new()
}

enum Stream {
    Stored(CrcReader<Take<File>>),
    Deflated(Box<CrcReader<DeflateDecoder<Take<File>>>>),
}

/// An open array of an archive.
struct Member<'m> {
    /// `digits.npz/image`.
    name: String,
    entry: &'m Entry,
    stream: Stream,
    source: &'m SourcePlan,
}

impl Member<'_> {
    fn header(&mut self) -> Checked<Header> {
        let (name, source, bytes) = (self.name.clone(), self.source, self.entry.bytes);
        npy::header(&mut |n, out| self.read(n, out), bytes, Whose { name: &name, source })
    }

    /// All elements, the checksum checked.
    fn cells(&mut self, header: &Header, text: &mut String) -> Checked<Cells> {
        let name = self.name.clone();
        let whose = Whose { name: &name, source: self.source };
        let cells = npy::elements(&mut |n, out| self.read(n, out), header, text, whose)?;
        let mut more = Vec::new();
        self.read(1, &mut more)?;
        let crc = match &self.stream {
            Stream::Stored(stream) => stream.crc().sum(),
            Stream::Deflated(stream) => stream.crc().sum(),
        };
        if !more.is_empty() || crc != self.entry.crc {
            return whose.wrong("its checksum does not match: the file is damaged", DAMAGED);
        }
        Ok(cells)
    }

    fn read(&mut self, limit: u64, out: &mut Vec<u8>) -> Checked<()> {
        let read = match &mut self.stream {
            Stream::Stored(stream) => stream.take(limit).read_to_end(out),
            Stream::Deflated(stream) => stream.take(limit).read_to_end(out),
        };
        match read {
            Ok(_) => Ok(()),
            Err(e) => {
                let whose = Whose { name: &self.name, source: self.source };
                whose.wrong(format!("the compressed data are damaged ({e})"), DAMAGED)
            }
        }
    }
}
