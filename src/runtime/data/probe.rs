//! A glance at files for checking: headers, and the labels of IDX pairs.

use super::npy::Kind;
use super::table::Table;
use super::{Places, cifar, csv, glance, idx, jsonl, lines, npy, npz};
use crate::base::{DType, Span};
use crate::diag::Diagnostic;
use crate::runtime::pretrained;
use crate::sema::job::{SourceKind, SourcePlan, TensorInfo};
use crate::sema::{DataProbe, ProbeError, Sample, SchemaColumn, SourceSchema};
use std::path::Path;

/// Answers from disk.
#[derive(Clone, Debug, Default)]
pub struct DiskProbe {
    pub places: Places,
}

impl DataProbe for DiskProbe {
    fn probe(&self, source: &SourcePlan) -> Result<Option<SourceSchema>, ProbeError> {
        let schema = match &source.kind {
            SourceKind::Csv { path, dialect } => {
                csv::Reader::open(path, dialect, &self.places, source).map(glance::table)
            }
            SourceKind::Jsonl { path, missing } => {
                let open = jsonl::Reader::open(path, missing, Vec::new(), &self.places, source);
                open.and_then(jsonl::Reader::glance).map(|(columns, rows)| {
                    let column = |column: &jsonl::Column| json_column(column, &rows);
                    values(columns.iter().map(column))
                })
            }
            SourceKind::Npy { path } => npy::glance(path, &self.places, source).map(|header| {
                let rows = Some(header.shape[0]);
                SourceSchema { rows, ..values([array(npy::column_name(path), &header)]) }
            }),
            SourceKind::Npz { path } => npz::glance(path, &self.places, source)
                .map(|all| values(all.iter().map(|(name, header)| array(name.clone(), header)))),
            #[cfg(feature = "parquet")]
            SourceKind::Parquet { path } => {
                super::parquet::Reader::open(path, &self.places, source).map(parquet)
            }
            #[cfg(not(feature = "parquet"))]
            SourceKind::Parquet { .. } => Err(super::read::without("parquet", source)),
            #[cfg(feature = "sql")]
            SourceKind::Sql { database, rows } => {
                match super::sql::glance(database, rows, &self.places, source) {
                    Ok(None) => return Ok(None),
                    Ok(Some((all, rows))) => {
                        Ok(values(all.iter().map(|h| single(&h.name, h.dtype, rows.as_ref()))))
                    }
                    Err(wrong) => Err(wrong),
                }
            }
            #[cfg(not(feature = "sql"))]
            SourceKind::Sql { .. } => Err(super::read::without("sql", source)),
            SourceKind::Idx { path, resize } => idx::glance(path, *resize, &self.places, source).map(images),
            SourceKind::Cifar { path, resize } => cifar::glance(path, *resize, &self.places, source),
            SourceKind::Images { path, resize } => super::images::glance(path, *resize, &self.places, source),
            SourceKind::Voc(plan) => super::voc::glance(plan, &self.places, source),
            SourceKind::Text { path } => lines::glance_text(path, &self.places, source),
            SourceKind::Lines { files } => lines::glance_lines(files, &self.places, source),
            SourceKind::Parallel { files } => lines::glance_parallel(files, &self.places, source),
            // Sizes of what is made up stand in the spec.
            SourceKind::Synthetic { .. } => return Ok(None),
        };
        match schema {
            Ok(schema) => Ok(Some(schema)),
            Err(wrong) if wrong.code == "data::missing_file" => Ok(None),
            Err(wrong) => {
                let Diagnostic { message, help, .. } = *wrong;
                Err(ProbeError { message, help })
            }
        }
    }

    fn tensors(&self, path: &str, _: Span) -> Result<Option<Vec<TensorInfo>>, ProbeError> {
        pretrained::header(&self.places, path)
    }

    fn text(&self, path: &Path) -> Result<Vec<u8>, String> {
        std::fs::read(path).map_err(|e| match e.kind() {
            std::io::ErrorKind::NotFound => "it is not there".to_string(),
            _ => format!("it cannot be read ({e})"),
        })
    }
}

/// A column of one value a row; `rows` are the first of them, if they were read.
#[cfg(any(feature = "parquet", feature = "sql"))]
fn single(name: &str, dtype: Option<DType>, rows: Option<&Table>) -> SchemaColumn {
    let sample = rows.filter(|_| dtype.is_none()).and_then(|rows| sample(rows, name));
    SchemaColumn { name: name.to_string(), dtype, shape: Vec::new(), classes: None, sample }
}

/// What the first rows hold in a column of text.
fn sample(rows: &Table, name: &str) -> Option<Sample> {
    glance::sample(rows, rows.column(name)?, b'.')
}

/// Columns of numbers are known by their types; of texts the first rows are read. Those that are damaged are for
/// loading to name.
#[cfg(feature = "parquet")]
fn parquet(mut open: super::parquet::Reader) -> SourceSchema {
    let columns: Vec<(String, Option<DType>)> =
        open.schema().map(|(name, dtype)| (name.to_string(), dtype)).collect();
    let is_text = |name: &str| columns.iter().any(|(n, dtype)| n == name && dtype.is_none());
    let rows = Some(open.rows());
    let first = open.glance(&is_text).ok().flatten();
    SourceSchema { rows, ..values(columns.iter().map(|(name, dtype)| single(name, *dtype, first.as_ref()))) }
}

fn values(columns: impl IntoIterator<Item = SchemaColumn>) -> SourceSchema {
    SourceSchema { columns: columns.into_iter().collect(), rows: None, hint: None }
}

/// Single values are text until a spec gives them a type, arrays are numbers.
fn json_column(column: &jsonl::Column, rows: &Table) -> SchemaColumn {
    SchemaColumn {
        name: column.name.clone(),
        dtype: column.width.map(|_| DType::F32),
        shape: column.width.into_iter().collect(),
        classes: None,
        sample: sample(rows, &column.name),
    }
}

/// Single whole numbers are ids as often as not, so they count as `i32`.
fn array(name: String, header: &npy::Header) -> SchemaColumn {
    let shape = header.shape[1..].to_vec();
    let dtype = match header.kind {
        Kind::Bool | Kind::UInt(1) if !shape.is_empty() => Some(DType::U8),
        Kind::Bool | Kind::Int(_) | Kind::UInt(_) => Some(DType::I32),
        Kind::Float(_) => Some(DType::F32),
        Kind::Unicode(_) | Kind::Ascii(_) => None,
    };
    SchemaColumn { name, dtype, shape, classes: None, sample: None }
}

fn images(glance: idx::Glance) -> SourceSchema {
    let column = |name: &str, shape, classes| SchemaColumn {
        name: name.to_string(),
        dtype: Some(DType::U8),
        shape,
        classes,
        sample: None,
    };
    let columns =
        vec![column("image", glance.image, None), column("label", Vec::new(), Some(glance.classes))];
    SourceSchema { columns, rows: Some(glance.rows), hint: None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sema::job::Dialect;
    use std::fs;

    fn probe(kind: SourceKind, files: &[(&str, &[u8])]) -> Result<Option<SourceSchema>, ProbeError> {
        let folder = tempfile::tempdir().unwrap();
        for (name, bytes) in files {
            fs::write(folder.path().join(name), bytes).unwrap();
        }
        let places = Places { spec: Some(folder.path().to_path_buf()), data: None };
        let source = SourcePlan { kind, span: Span::default(), path_span: Span::default() };
        DiskProbe { places }.probe(&source)
    }

    fn csv(path: &str) -> SourceKind {
        SourceKind::Csv { path: path.into(), dialect: Dialect::default() }
    }

    #[test]
    fn a_table_shows_its_header() {
        let long = format!("a, b.c\n{}", "1,é\n".repeat(10_000));
        let schema = probe(csv("t.csv"), &[("t.csv", long.as_bytes())]).unwrap().unwrap();
        let names: Vec<&str> = schema.columns.iter().map(|c| c.name.as_str()).collect();
        assert_eq!(names, ["a", "b_c"]);
        let wide = (0..9000).map(|i| format!("c{i}")).collect::<Vec<_>>().join(",");
        let schema = probe(csv("t.csv"), &[("t.csv", wide.as_bytes())]).unwrap().unwrap();
        assert_eq!(schema.columns.len(), 9000);
    }

    #[test]
    fn another_separator_is_guessed() {
        for (text, setting) in [("a;b;c\n1;2;3\n", "`sep=\";\"`"), ("a\tb\n1\t2\n", "`sep=\"\\t\"`")] {
            let schema = probe(csv("t.csv"), &[("t.csv", text.as_bytes())]).unwrap().unwrap();
            assert!(schema.hint.as_ref().is_some_and(|h| h.contains(setting)), "{:?}", schema.hint);
        }
        for text in ["a\n1\n", "a,b;c\n1,2\n"] {
            let schema = probe(csv("t.csv"), &[("t.csv", text.as_bytes())]).unwrap().unwrap();
            assert_eq!(schema.hint, None, "{text}");
        }
    }

    #[test]
    fn missing_files_are_unknown_and_bad_ones_are_errors() {
        assert_eq!(probe(csv("t.csv"), &[]), Ok(None));
        assert_eq!(
            probe(csv("t.csv"), &[("t.csv", b"\n")]).unwrap_err().message,
            "t.csv: the file has no rows"
        );
        let wrong = probe(csv("t.csv"), &[("t.csv", b"a,\xff\n")]).unwrap_err();
        assert_eq!(wrong.message, "t.csv:1:3: the byte 0xff is not part of UTF-8 text");
        let open = probe(csv("t.csv"), &[("t.csv", b"a,\"b\n")]).unwrap_err();
        assert_eq!(open.message, "t.csv:1:3: the quote that opens at `\"b` never closes");
    }

    #[test]
    fn a_pair_shows_sizes_and_classes() {
        let images = [&[0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2][..], &[9; 4]].concat();
        let labels = [0, 0, 8, 1, 0, 0, 0, 2, 6, 1];
        let schema = probe(
            SourceKind::Idx { path: ".".into(), resize: None },
            &[("images", &images), ("labels", &labels)],
        );
        let schema = schema.unwrap().unwrap();
        assert_eq!(schema.rows, Some(2));
        assert_eq!(schema.columns[0].shape, [1, 2]);
        assert_eq!(schema.columns[1].classes, Some(7));
    }
}
