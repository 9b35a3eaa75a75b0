//! Tables written: columns of numbers and text to CSV, JSON lines or Parquet, batch after batch.
//!
//! A file is written to a temporary name, synced and renamed by [`Writer::finish`]; a writer that is dropped
//! before leaves nothing behind. Numbers are written in the shortest form that reads back as the same.

#[cfg(feature = "parquet")]
mod parquet;
mod rows;

use super::error::RunError;
use crate::diag::did_you_mean;
use rows::Rows;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// What a file of rows is written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Csv,
    Tsv,
    Jsonl,
    Parquet,
}

/// Formats by their names, which are the endings of their files as well.
const FORMATS: &[(&str, Format)] = &[
    ("csv", Format::Csv),
    ("tsv", Format::Tsv),
    ("jsonl", Format::Jsonl),
    ("ndjson", Format::Jsonl),
    ("parquet", Format::Parquet),
];

impl Format {
    /// By the word that a command line gives.
    pub fn named(name: &str) -> Result<Format, RunError> {
        if let Some((_, format)) = FORMATS.iter().find(|(n, _)| *n == name) {
            return Ok(*format);
        }
        let help = match did_you_mean(name, FORMATS.iter().map(|(n, _)| *n)) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "use `csv`, `tsv`, `jsonl` or `parquet`".to_string(),
        };
        Err(RunError::Io(format!("there is no format `{name}`: {help}")))
    }

    /// By how a file's name ends; CSV if that says nothing.
    pub fn of(path: &Path) -> Format {
        let ending = path.extension().map(|e| e.to_string_lossy().to_lowercase()).unwrap_or_default();
        FORMATS.iter().find(|(n, _)| **n == ending).map_or(Format::Csv, |(_, format)| *format)
    }
}

/// The type of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    F32,
    F64,
    I64,
    Text,
}

/// A column's name and type, the same for all batches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutColumn {
    pub name: String,
    pub kind: Kind,
}

/// The values of a column in one batch. A number that is NaN, or a text that is none, is missing.
#[derive(Clone, Debug, PartialEq)]
pub enum OutValues {
    F32(Vec<f32>),
    F64(Vec<f64>),
    I64(Vec<i64>),
    Text(Vec<Option<String>>),
}

impl OutValues {
    pub fn len(&self) -> usize {
        match self {
            OutValues::F32(v) => v.len(),
            OutValues::F64(v) => v.len(),
            OutValues::I64(v) => v.len(),
            OutValues::Text(v) => v.len(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn kind(&self) -> Kind {
        match self {
            OutValues::F32(_) => Kind::F32,
            OutValues::F64(_) => Kind::F64,
            OutValues::I64(_) => Kind::I64,
            OutValues::Text(_) => Kind::Text,
        }
    }
}

/// Where the bytes go.
enum Sink {
    File(BufWriter<File>),
    Stream(Box<dyn Write + Send>),
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Sink::File(file) => file.write(bytes),
            Sink::Stream(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Sink::File(file) => file.flush(),
            Sink::Stream(stream) => stream.flush(),
        }
    }
}

enum Encoder {
    Rows(Rows<Sink>),
    #[cfg(feature = "parquet")]
    Parquet(parquet::Pages<Sink>),
}

/// An open table.
pub struct Writer {
    encoder: Option<Encoder>,
    columns: Vec<OutColumn>,
    /// What the file will be called, and what it is called until then; none of a stream.
    names: Option<(PathBuf, PathBuf)>,
}

impl Writer {
    /// A file, which appears under its name when it is finished.
    pub fn create(path: &Path, format: Format, columns: &[OutColumn]) -> Result<Writer, RunError> {
        let mut temporary = path.as_os_str().to_owned();
        temporary.push(".tmp");
        let temporary = PathBuf::from(temporary);
        let file = File::create(&temporary).map_err(|e| RunError::io("write", path, &e))?;
        let names = Some((path.to_path_buf(), temporary));
        Writer::start(Sink::File(BufWriter::new(file)), format, columns, names)
    }

    /// A stream such as standard output.
    pub fn stream(
        to: Box<dyn Write + Send>,
        format: Format,
        columns: &[OutColumn],
    ) -> Result<Writer, RunError> {
        Writer::start(Sink::Stream(to), format, columns, None)
    }

    fn start(
        sink: Sink,
        format: Format,
        columns: &[OutColumn],
        names: Option<(PathBuf, PathBuf)>,
    ) -> Result<Writer, RunError> {
        // Made first, so that a temporary file goes if what follows fails.
        let mut writer = Writer { encoder: None, columns: columns.to_vec(), names };
        let encoder = match format {
            Format::Csv => Rows::csv(sink, b',', columns).map(Encoder::Rows),
            Format::Tsv => Rows::csv(sink, b'\t', columns).map(Encoder::Rows),
            Format::Jsonl => Ok(Encoder::Rows(Rows::jsonl(sink, columns))),
            #[cfg(feature = "parquet")]
            Format::Parquet => parquet::Pages::new(sink, columns).map(Encoder::Parquet),
            #[cfg(not(feature = "parquet"))]
            Format::Parquet => {
                let why = "this mlc was built without Parquet: write `csv` or `jsonl`";
                return Err(RunError::Io(why.to_string()));
            }
        };
        writer.encoder = Some(encoder.map_err(|e| writer.failed(&e))?);
        Ok(writer)
    }

    fn failed(&self, error: &io::Error) -> RunError {
        let path = self.names.as_ref().map_or(Path::new("standard output"), |(path, _)| path);
        RunError::io("write", path, error)
    }

    /// Appends rows: one entry for each column, in their order, all of one length.
    ///
    /// # Panics
    /// If the values are not of the columns' types or lengths.
    pub fn write(&mut self, batch: &[OutValues]) -> Result<(), RunError> {
        assert_eq!(batch.len(), self.columns.len(), "table_out: values for each column");
        for (column, values) in self.columns.iter().zip(batch) {
            assert_eq!(column.kind, values.kind(), "table_out: values of `{}` are of its type", column.name);
            assert_eq!(values.len(), batch[0].len(), "table_out: all columns have as many rows");
        }
        let written = match self.encoder.as_mut().expect("table_out: open until it is finished") {
            Encoder::Rows(rows) => rows.write(batch),
            #[cfg(feature = "parquet")]
            Encoder::Parquet(pages) => pages.write(batch),
        };
        written.map_err(|e| self.failed(&e))
    }

    /// Writes what is left and gives the file its name.
    pub fn finish(mut self) -> Result<(), RunError> {
        let sink = match self.encoder.take().expect("table_out: finished once") {
            Encoder::Rows(rows) => Ok(rows.into_inner()),
            #[cfg(feature = "parquet")]
            Encoder::Parquet(pages) => pages.finish(),
        };
        let done = sink.and_then(|mut sink| {
            sink.flush()?;
            match (&sink, &self.names) {
                (Sink::File(file), Some((path, temporary))) => {
                    file.get_ref().sync_all()?;
                    fs::rename(temporary, path)
                }
                (Sink::File(_) | Sink::Stream(_), _) => Ok(()),
            }
        });
        done.map_err(|e| self.failed(&e))?;
        self.names = None;
        Ok(())
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        if let Some((_, temporary)) = &self.names {
            let _ = fs::remove_file(temporary);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns() -> Vec<OutColumn> {
        let column = |name: &str, kind| OutColumn { name: name.into(), kind };
        vec![
            column("id", Kind::I64),
            column("prob, yes", Kind::F32),
            column("wide", Kind::F64),
            column("name", Kind::Text),
        ]
    }

    fn batches() -> [Vec<OutValues>; 2] {
        let text = |t: &str| Some(t.to_string());
        [
            vec![
                OutValues::I64(vec![1, -(1 << 60)]),
                OutValues::F32(vec![0.1, f32::NAN]),
                OutValues::F64(vec![0.1, 1e300]),
                OutValues::Text(vec![text("a \"b\",\nc"), None]),
            ],
            vec![
                OutValues::I64(vec![3]),
                OutValues::F32(vec![-2.0]),
                OutValues::F64(vec![f64::NAN]),
                OutValues::Text(vec![text("")]),
            ],
        ]
    }

    fn written(format: Format) -> Vec<u8> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out");
        let mut writer = Writer::create(&path, format, &columns()).unwrap();
        batches().iter().for_each(|batch| writer.write(batch).unwrap());
        assert!(!path.exists());
        writer.finish().unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        fs::read(path).unwrap()
    }

    #[test]
    fn rows_are_text_that_reads_back() {
        assert_eq!(
            String::from_utf8(written(Format::Csv)).unwrap(),
            "id,\"prob, yes\",wide,name\n1,0.1,0.1,\"a \"\"b\"\",\nc\"\n-1152921504606846976,,1e300,\n3,-2,,\"\"\n"
        );
        assert_eq!(
            String::from_utf8(written(Format::Jsonl)).unwrap(),
            "{\"id\":1,\"prob, yes\":0.1,\"wide\":0.1,\"name\":\"a \\\"b\\\",\\nc\"}\n\
             {\"id\":-1152921504606846976,\"prob, yes\":null,\"wide\":1e300,\"name\":null}\n\
             {\"id\":3,\"prob, yes\":-2,\"wide\":null,\"name\":\"\"}\n"
        );
        assert!(written(Format::Tsv).starts_with(b"id\tprob, yes\twide"));
    }

    #[cfg(feature = "parquet")]
    #[test]
    fn parquet_starts_and_ends_as_it_must() {
        let bytes = written(Format::Parquet);
        assert!(bytes.starts_with(b"PAR1") && bytes.ends_with(b"PAR1"));
        assert_eq!(bytes, written(Format::Parquet));
    }

    #[test]
    fn a_file_that_is_not_finished_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out.csv");
        fs::write(&path, "before").unwrap();
        let mut writer = Writer::create(&path, Format::of(&path), &columns()).unwrap();
        writer.write(&batches()[0]).unwrap();
        drop(writer);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        assert_eq!(fs::read(&path).unwrap(), b"before");
    }

    #[test]
    fn formats_have_names_and_endings() {
        assert_eq!(Format::of(Path::new("a/b.PARQUET")), Format::Parquet);
        assert_eq!(Format::of(Path::new("rows")), Format::Csv);
        assert_eq!(Format::named("jsonl").unwrap(), Format::Jsonl);
        let message = Format::named("parket").unwrap_err().to_string();
        assert_eq!(message, "there is no format `parket`: did you mean `parquet`?");
    }
}
