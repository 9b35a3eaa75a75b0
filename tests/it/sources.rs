//! One table in every format is one training: the same bits.

use crate::support::stderr;
use crate::tables::{Rows, gzip, spec, train};
use std::fs;
use std::path::Path;

const TYPED: &str = "x : standardize\n  y : class(2)";

/// The hash of the weights that a source trains.
fn hash(folder: &Path, source: &str, typing: &str, environment: &[(&str, &str)]) -> String {
    let output = train(folder, &spec(source, typing), environment);
    assert!(output.status.success(), "{source}\n{}", stderr(&output));
    let text = fs::read_to_string(folder.join("run/run.yaml")).expect("run.yaml is there");
    fs::remove_dir_all(folder.join("run")).expect("a finished run");
    let line = text.lines().find_map(|l| l.strip_prefix("weights_hash: "));
    line.expect("run.yaml names the hash of the weights").to_string()
}

#[test]
fn the_same_rows_in_any_format_give_the_same_bits() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path();
    let rows = Rows::good(100);
    let write = |name: &str, bytes: &[u8]| fs::write(path.join(name), bytes).expect("the folder is writable");
    write("t.csv", rows.text(',').as_bytes());
    write("t.csv.gz", &gzip(rows.text(',').as_bytes()));
    write(
        "crlf.csv",
        format!("\u{feff}{}", rows.text(';').replace('\n', "\r\n").replace('.', ",")).as_bytes(),
    );
    write(
        "bare.csv",
        format!("made by hand\n% x y\n{}", rows.text(' ').split_once('\n').expect("a header").1).as_bytes(),
    );
    write("t.tsv", rows.text('\t').as_bytes());
    write("t.jsonl", rows.jsonl().as_bytes());
    write("t.jsonl.gz", &gzip(rows.jsonl().as_bytes()));
    write("t.npz", &rows.npz());
    let first = hash(path, "csv(\"t.csv\")", TYPED, &[]);
    let others = [
        "csv(\"t.csv.gz\")",
        "csv(\"crlf.csv\", sep=\";\", decimal=\",\")",
        "csv(\"bare.csv\", sep=\" \", skip=1, comment=\"%\", columns=[x, y])",
        "tsv(\"t.tsv\")",
        "jsonl(\"t.jsonl\")",
        "jsonl(\"t.jsonl.gz\")",
        "npz(\"t.npz\")",
    ];
    for source in others {
        assert_eq!(hash(path, source, TYPED, &[]), first, "{source}");
    }
    #[cfg(feature = "parquet")]
    {
        crate::tables::parquet(&rows, &path.join("t.parquet"));
        assert_eq!(hash(path, "parquet(\"t.parquet\")", TYPED, &[]), first, "parquet");
    }
    #[cfg(feature = "sql")]
    {
        crate::tables::sqlite(&rows, &path.join("t.db"));
        let source = "sql(\"sqlite:t.db\", query=\"SELECT x, y FROM t ORDER BY id;\")";
        assert_eq!(hash(path, source, TYPED, &[]), first, "SQLite");
    }
}
