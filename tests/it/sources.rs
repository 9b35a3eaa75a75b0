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

/// Rows with words, gaps and a label, in an order that no column says.
fn people(count: usize) -> String {
    let mut text = String::from("x,age,town,y\n");
    for i in 0..count {
        let x = (i * 37 % 101) as f64 / 50.0 - 1.01;
        let age = if i % 11 == 3 { String::new() } else { (i * 7919 % 83).to_string() };
        let town = ["Oslo", "\"Rome, \"\"old\"\"\"", "Lima", "?"][i * 31 % 4];
        text.push_str(&format!("{x},{age},{town},{}\n", if x > 0.0 { "yes" } else { "no" }));
    }
    text
}

const PEOPLE: &str = "x : standardize\n  age : impute(median) |> quantile(n=50)\n  town : one_hot(unknown=other)\n  \
                      y : class(no, yes)";

/// A spec over every column of [`people`], with other files for validation.
fn people_spec(source: &str, beside: &str) -> String {
    spec(source, &format!("{beside}\n  {PEOPLE}"))
        .replace("input x: f32[B]", "input x: f32[B, d.features]")
        .replace("Reshape(1) |> ", "")
        .replace("x = d.x", "x = d.row")
}

/// Trains a spec with so much memory for data; gives the hash of the weights and the losses.
fn trained(folder: &Path, text: &str, memory: &str) -> (String, String) {
    let output = train(folder, text, &[("MLC_MEMORY", memory)]);
    assert!(output.status.success(), "{text}\n{}", stderr(&output));
    let run = fs::read_to_string(folder.join("run/run.yaml")).expect("run.yaml is there");
    let losses = fs::read_to_string(folder.join("run/metrics.jsonl")).expect("metrics.jsonl is there");
    fs::remove_dir_all(folder.join("run")).expect("a finished run");
    let hash = run.lines().find_map(|l| l.strip_prefix("weights_hash: ")).expect("the hash of the weights");
    let losses = losses.lines().map(|l| l.split("\"seconds\"").next().unwrap_or_default()).collect();
    (hash.to_string(), losses)
}

/// Windows of two columns of [`people`], one of them fitted.
fn series_spec(beside: &str, parts: &str) -> String {
    format!(
        "mlspec 1\n\ndata d {{\n  source = csv(\"t.csv\", missing=\"?\")\n  {beside}\n  age : impute(median) |> \
         standardize\n  s = row |> windows(5, eval_stride=2)\n  c = x |> float |> windows(5, eval_stride=2)\n  split {{ {parts}  \
         ordered = true }}\n  batch = 8\n}}\n\nmodel Next {{\n  input s: f32[B, 4, 1]\n  output next: f32[B] = s |> Flatten |> \
         Dense(1) as out |> Squeeze\n}}\n\ntrain {{\n  feed {{ s = d.s[:-1]  c = d.c[-1] }}\n  loss = \
         MeanSquaredError(Next.next, c)\n  optimizer = SGD(lr=0.05)\n  epochs = 3\n}}\n"
    )
}

#[test]
fn files_larger_than_memory_give_the_same_bits() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path();
    let write = |name: &str, text: &str| fs::write(path.join(name), text).expect("the folder is writable");
    let text = people(3000);
    write("t.csv", &text);
    write("v.csv", &people(200));
    write("t.jsonl", &Rows::good(3000).jsonl());
    let mut specs = vec![
        people_spec("csv(\"t.csv\", missing=\"?\")", ""),
        people_spec("csv(\"t.csv\", missing=\"?\")", "test = csv(\"v.csv\", missing=\"?\")"),
        people_spec("csv(\"t.csv\", missing=\"?\")", "").replace("seed = 1 }", "seed = 1  stratify = y }"),
        people_spec("csv(\"v.csv\", missing=\"?\")", "test = csv(\"t.csv\", missing=\"?\")"),
        spec("jsonl(\"t.jsonl\")", TYPED),
    ];
    #[cfg(feature = "parquet")]
    {
        crate::tables::parquet(&Rows::good(9000), &path.join("t.parquet"));
        specs.push(spec("parquet(\"t.parquet\")", TYPED));
    }
    specs.push(series_spec("", "train = 80%  valid = 20%"));
    specs.push(series_spec("test = csv(\"v.csv\", missing=\"?\")", "train = 100%"));
    specs.iter_mut().for_each(|s| *s = s.replace("epochs = 3", "epochs = 2"));
    for text in specs {
        let whole = trained(path, &text, "4G");
        for memory in ["1K", "100K"] {
            assert_eq!(trained(path, &text, memory), whole, "{memory}\n{text}");
        }
    }
    // What is wrong is found at the same place.
    let broken = text.replacen("\n0.79,", "\nzero,", 1);
    write("t.csv", &broken);
    let spec = people_spec("csv(\"t.csv\", missing=\"?\")", "");
    let says = |memory: &str| {
        let output = train(path, &spec, &[("MLC_MEMORY", memory)]);
        assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
        assert!(!path.join("run").exists());
        stderr(&output)
    };
    let line = broken.lines().position(|l| l.starts_with("zero")).expect("a broken line") + 1;
    for memory in ["4G", "1K"] {
        let said = says(memory);
        assert!(said.contains(&format!("t.csv:{line}")) && said.contains("`zero`"), "{said}");
    }
}

/// The most memory that a process had at once, in bytes.
#[cfg(target_os = "linux")]
fn peak(folder: &Path, text: &str, memory: &str) -> u64 {
    fs::write(folder.join("spec.mlspec"), text).expect("the folder is writable");
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_mlc"))
        .arg("train")
        .arg(folder.join("spec.mlspec"))
        .args(["--device", "cpu", "--threads", "1", "--progress", "plain", "--out"])
        .arg(folder.join("run"))
        .env("MLC_MEMORY", memory)
        .stderr(std::process::Stdio::null())
        .spawn()
        .expect("mlc starts");
    let status = format!("/proc/{}/status", child.id());
    let mut most = 0;
    while child.try_wait().expect("a child").is_none() {
        let text = fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|l| l.strip_prefix("VmHWM:"));
        let kibibytes = line.and_then(|l| l.trim().trim_end_matches("kB").trim().parse::<u64>().ok());
        most = most.max(kibibytes.unwrap_or(0) << 10);
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    assert!(child.wait().expect("a child").success(), "{text}");
    fs::remove_dir_all(folder.join("run")).expect("a finished run");
    most
}

#[cfg(target_os = "linux")]
#[test]
fn memory_does_not_grow_with_the_file() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path();
    // 24 numbers a row, so that columns are most of what there is.
    let names: Vec<String> = (0..24).map(|c| format!("f{c}")).collect();
    let mut text = format!("y,{}\n", names.join(","));
    for i in 0..40_000_usize {
        let cells: Vec<String> = (0..24).map(|c| format!("{}.5", (i * (c + 7)) % 9973)).collect();
        text.push_str(&format!("{},{}\n", i % 2, cells.join(",")));
    }
    fs::write(path.join("t.csv"), &text).expect("the folder is writable");
    let typing = format!("{} : standardize\n  y : class(2)", names.join(", "));
    let spec = spec("csv(\"t.csv\")", &typing)
        .replace("input x: f32[B]", "input x: f32[B, 24]")
        .replace("Reshape(1) |> ", "")
        .replace("x = d.x", "x = d.row")
        .replace("batch = 8", "batch = 500")
        .replace("epochs = 3", "epochs = 1");
    let (whole, bounded) = (peak(path, &spec, "4G"), peak(path, &spec, "1M"));
    let file = text.len() as u64;
    assert!(file > 6 << 20, "{file}");
    assert!(bounded + 2 * file < whole, "a file of {file} bytes: {whole} at once, {bounded} in pieces");
}

/// What checking says of a source whose column `y` holds words and has no type.
fn checked(folder: &Path, source: &str) -> String {
    let text =
        spec(source, "").replace("BinaryCrossEntropy(Side.logit, y)", "MeanSquaredError(Side.logit, y)");
    let file = folder.join("check.mlspec");
    fs::write(&file, text).expect("the folder is writable");
    let output = crate::support::mlc(&["check", file.to_str().expect("UTF-8")]);
    let said = crate::support::stdout(&output) + &stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{source}\n{said}");
    said.split_whitespace().filter(|word| *word != "|").collect::<Vec<_>>().join(" ")
}

#[test]
fn words_without_a_type_are_told_before_anything_is_loaded() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path();
    let words = Rows::good(100).0.into_iter().map(|[x, y]| [x, if y == "1" { "far" } else { "near" }.into()]);
    let rows = Rows(words.collect());
    fs::write(path.join("t.csv"), rows.text(',')).expect("the folder is writable");
    fs::write(path.join("t.jsonl"), rows.jsonl()).expect("the folder is writable");
    #[cfg_attr(not(any(feature = "sql", feature = "parquet")), expect(unused_mut))]
    let mut sources = vec!["csv(\"t.csv\")", "jsonl(\"t.jsonl\")"];
    #[cfg(feature = "parquet")]
    {
        crate::tables::parquet(&rows, &path.join("t.parquet"));
        sources.push("parquet(\"t.parquet\")");
    }
    #[cfg(feature = "sql")]
    {
        crate::tables::sqlite(&rows, &path.join("t.db"));
        sources.push("sql(\"sqlite:t.db\", query=\"SELECT x, lower(y) AS y FROM t\")");
        let database = rusqlite::Connection::open(path.join("u.db")).expect("the folder is writable");
        let sql = "CREATE TABLE t (x REAL, y TEXT); INSERT INTO t VALUES (1, 'far'), (2, 'near'), (3, 'far')";
        database.execute_batch(sql).expect("SQL");
        let told = checked(path, "sql(\"sqlite:u.db\", table=\"t\")");
        assert!(told.contains("2 distinct values in the first 3 rows"), "{told}");
    }
    for source in sources {
        let told = checked(path, source);
        assert!(told.contains("mlc::column::untyped"), "{source}: {told}");
        assert!(told.contains("`y` is text, and nothing says how it becomes numbers"), "{source}: {told}");
        assert!(told.contains("2 distinct values in the first 100 rows"), "{source}: {told}");
    }
}
