//! One table in every format: what tests of sources share.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A value of a cell as it is written in text; formats of numbers parse it.
pub type Cell = String;

/// Rows of `x`, a number, and `y`, a label of 0 or 1; a cell may be anything where a test breaks it.
#[derive(Clone)]
pub struct Rows(pub Vec<[Cell; 2]>);

impl Rows {
    /// Points on a line: the label says on which side of 0.
    pub fn good(count: usize) -> Rows {
        let row = |i: usize| {
            let x = (i * 37 % 101) as f64 / 50.0 - 1.01;
            [x.to_string(), usize::from(x > 0.0).to_string()]
        };
        Rows((0..count).map(row).collect())
    }

    /// With another cell: row from 0, column 0 or 1.
    pub fn with(mut self, row: usize, column: usize, value: &str) -> Rows {
        self.0[row][column] = value.to_string();
        self
    }

    pub fn text(&self, sep: char) -> String {
        let mut text = format!("x{sep}y\n");
        self.0.iter().for_each(|[x, y]| text.push_str(&format!("{x}{sep}{y}\n")));
        text
    }

    pub fn jsonl(&self) -> String {
        let value = |cell: &str| match cell.parse::<f64>() {
            Ok(_) if !cell.starts_with(['i', 'n']) => cell.to_string(),
            _ if cell == "nan" => "NaN".to_string(),
            _ if cell == "inf" => "Infinity".to_string(),
            _ => serde_json::Value::from(cell).to_string(),
        };
        self.0.iter().map(|[x, y]| format!("{{\"x\": {}, \"y\": {}}}\n", value(x), value(y))).collect()
    }

    pub fn floats(&self, column: usize) -> Vec<f64> {
        self.0.iter().map(|row| row[column].parse().expect("a number")).collect()
    }

    /// `x` as f8, `y` as i8.
    pub fn npz(&self) -> Vec<u8> {
        let x: Vec<u8> = self.floats(0).iter().flat_map(|x| x.to_le_bytes()).collect();
        let y: Vec<u8> = self.floats(1).iter().flat_map(|y| (*y as i64).to_le_bytes()).collect();
        let shape = format!("({},)", self.0.len());
        zip(&[("x.npy", npy("<f8", &shape, &x)), ("y.npy", npy("<i8", &shape, &y))])
    }
}

/// An array as `numpy.save` writes it.
pub fn npy(descr: &str, shape: &str, elements: &[u8]) -> Vec<u8> {
    let header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}\n");
    let length = u16::try_from(header.len()).expect("a short header").to_le_bytes();
    [b"\x93NUMPY\x01\x00", &length[..], header.as_bytes(), elements].concat()
}

/// An archive of deflated files.
pub fn zip(files: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let (mut archive, mut directory) = (Vec::new(), Vec::new());
    for (name, content) in files {
        let mut packer = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::default());
        packer.write_all(content).expect("memory takes bytes");
        let packed = packer.finish().expect("memory takes bytes");
        let mut crc = flate2::Crc::new();
        crc.update(content);
        let sizes: Vec<u8> = [crc.sum(), packed.len() as u32, content.len() as u32]
            .iter()
            .flat_map(|n| n.to_le_bytes())
            .collect();
        let start = (archive.len() as u32).to_le_bytes();
        let names = (name.len() as u16).to_le_bytes();
        // Version, flags, method 8, time and date.
        let common = [20, 0, 0, 0, 8, 0, 0, 0, 0, 0];
        archive
            .extend([b"PK\x03\x04", &common[..], &sizes, &names, &[0, 0], name.as_bytes(), &packed].concat());
        let rest = [&[0; 12][..], &start].concat();
        directory
            .extend([b"PK\x01\x02\x14\x00", &common[..], &sizes, &names, &rest, name.as_bytes()].concat());
    }
    let count = (files.len() as u16).to_le_bytes();
    let (size, start) = ((directory.len() as u32).to_le_bytes(), (archive.len() as u32).to_le_bytes());
    archive.extend(directory);
    archive.extend([b"PK\x05\x06\0\0\0\0", &count[..], &count, &size, &start, &[0, 0]].concat());
    archive
}

pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gz.write_all(bytes).expect("memory takes bytes");
    gz.finish().expect("memory takes bytes")
}

/// A Parquet file of `x` and `y`; cells that are no numbers make their column one of text.
#[cfg(feature = "parquet")]
pub fn parquet(rows: &Rows, path: &Path) {
    use mlc::runtime::table_out::{Format, Kind, OutColumn, OutValues, Writer};
    let cells = |c: usize| rows.0.iter().map(move |row| &row[c]);
    let number = |c: usize| cells(c).all(|cell| cell.parse::<f64>().is_ok());
    let kind = |c: usize| match (number(c), c) {
        (true, 0) => Kind::F64,
        (true, _) => Kind::I64,
        (false, _) => Kind::Text,
    };
    let values = |c: usize| match kind(c) {
        Kind::F64 | Kind::F32 => OutValues::F64(rows.floats(c)),
        Kind::I64 => OutValues::I64(rows.floats(c).iter().map(|x| *x as i64).collect()),
        Kind::Text => OutValues::Text(cells(c).map(|cell| Some(cell.clone())).collect()),
    };
    let columns = [("x", 0), ("y", 1)].map(|(name, c)| OutColumn { name: name.into(), kind: kind(c) });
    let mut writer = Writer::create(path, Format::Parquet, &columns).expect("the folder is writable");
    writer.write(&[values(0), values(1)]).expect("the folder is writable");
    writer.finish().expect("the folder is writable");
}

/// A database of SQLite with a table `t`; cells keep the type that they look like.
#[cfg(feature = "sql")]
pub fn sqlite(rows: &Rows, path: &Path) {
    let mut connection = rusqlite::Connection::open(path).expect("the folder is writable");
    let transaction = connection.transaction().expect("a new database");
    transaction.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, x REAL, y INTEGER)", []).expect("SQL");
    for [x, y] in &rows.0 {
        // SQLite has no NaN; it has infinities.
        transaction
            .execute("INSERT INTO t (x, y) VALUES (?, ?)", rusqlite::params![sql(x), sql(y)])
            .expect("SQL");
    }
    transaction.commit().expect("SQL");
}

#[cfg(feature = "sql")]
fn sql(cell: &str) -> rusqlite::types::Value {
    use rusqlite::types::Value;
    match (cell.parse::<i64>(), cell.parse::<f64>()) {
        (Ok(n), _) => Value::Integer(n),
        (_, Ok(x)) => Value::Real(x),
        _ => Value::Text(cell.to_string()),
    }
}

/// A spec that learns the side of `x` from `source`, its columns typed by `typing`.
pub fn spec(source: &str, typing: &str) -> String {
    format!(
        "mlspec 1\n\ndata d {{\n  source = {source}\n  {typing}\n  split {{ train = 80%  valid = 20%  seed = 1 }}\n  \
         batch = 8\n}}\n\nmodel Side {{\n  input x: f32[B]\n  output logit: f32[B] = x |> Reshape(1) |> Dense(1) as \
         out |> Squeeze\n}}\n\ntrain {{\n  feed {{ x = d.x  y = d.y }}\n  loss = BinaryCrossEntropy(Side.logit, y)\n  \
         optimizer = SGD(lr=0.5)\n  epochs = 3\n}}\n"
    )
}

/// Trains a spec in `folder` with at most 4 GiB of addresses; the run goes to `run`.
pub fn train(folder: &Path, spec: &str, environment: &[(&str, &str)]) -> Output {
    let file: PathBuf = folder.join("spec.mlspec");
    fs::write(&file, spec).expect("the folder is writable");
    // What a header claims must not be believed: asking for more than this ends the process.
    let limited = "ulimit -v 4194304; exec \"$0\" \"$@\"";
    let mut command = Command::new("sh");
    command.args(["-c", limited, env!("CARGO_BIN_EXE_mlc"), "train"]).arg(&file);
    command
        .args(["--device", "cpu", "--threads", "1", "--progress", "plain", "--out"])
        .arg(folder.join("run"));
    command.env_remove("MLC_DATA").envs(environment.iter().copied());
    command.output().expect("sh starts")
}
