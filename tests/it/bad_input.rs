//! Every source against every defect: one clear message with the place, exit code 1, nothing left behind.

use crate::support::stderr;
use crate::tables::{Rows, gzip, npy, spec, train, zip};
use std::fs;
use std::path::Path;

/// A source, what is wrong with its file, and what must be said.
struct Case {
    /// The call, and how its columns are typed.
    source: &'static str,
    typing: &'static str,
    defect: &'static str,
    /// Makes the files.
    make: Box<dyn Fn(&Path)>,
    code: &'static str,
    /// In the message, in this order.
    says: &'static [&'static str],
}

const NUMBERS: &str = "x : float\n  y : class(2)";
const WORDS: &str = "x : float\n  y : class(no, yes)";

fn file(name: &'static str, bytes: impl AsRef<[u8]> + 'static) -> Box<dyn Fn(&Path)> {
    Box::new(move |folder| fs::write(folder.join(name), bytes.as_ref()).expect("the folder is writable"))
}

fn good() -> Rows {
    Rows::good(40)
}

/// All of one class.
fn single() -> Rows {
    Rows(good().0.into_iter().map(|[x, _]| [x, "1".into()]).collect())
}

fn words() -> Rows {
    Rows(good().0.into_iter().map(|[x, y]| [x, if y == "1" { "yes" } else { "no" }.to_string()]).collect())
}

/// Half of the bytes.
fn cut(bytes: Vec<u8>) -> Vec<u8> {
    bytes[..bytes.len() / 2].to_vec()
}

/// `bytes` with the first `from` replaced by `to`.
fn replaced(mut bytes: Vec<u8>, from: &[u8], to: &[u8]) -> Vec<u8> {
    let at = bytes.windows(from.len()).position(|w| w == from).expect("it is there");
    bytes.splice(at..at + from.len(), to.iter().copied());
    bytes
}

/// Tables of text, whose places are line and character.
fn text_cases() -> Vec<Case> {
    let mut cases = Vec::new();
    let forms: [(&'static str, &'static str, char); 2] =
        [("csv(\"t.csv\", missing=\"?\")", "t.csv", ','), ("tsv(\"t.tsv\", missing=\"?\")", "t.tsv", '\t')];
    for (source, name, sep) in forms {
        let mut case = |typing, defect, text: Vec<u8>, code, says| {
            cases.push(Case { source, typing, defect, make: file(name, text), code, says });
        };
        let with = |row, column, value: &str| good().with(row, column, value).text(sep).into_bytes();
        case(NUMBERS, "empty", Vec::new(), "data::empty", &["t.", ": the file has no rows"]);
        case(NUMBERS, "header alone", format!("x{sep}y\n").into(), "data::empty", &["the file has no rows"]);
        case(NUMBERS, "ragged", with(4, 1, &format!("1{sep}7")), "data::ragged", &[":6:", "3 fields"]);
        let bytes = replaced(with(4, 1, "@"), b"@", b"\xe9");
        case(NUMBERS, "not UTF-8", bytes, "data::encoding", &[":6:", "the byte 0xe9"]);
        case(NUMBERS, "label out of range", with(6, 1, "2"), "data::class", &[":8:", "`2`", "0 to 1"]);
        case(NUMBERS, "NaN", with(2, 0, "nan"), "data::not_finite", &[":4:1", "`nan`", "`x`"]);
        case(NUMBERS, "infinity", with(2, 0, "-inf"), "data::not_finite", &[":4:1", "`-inf`"]);
        case(NUMBERS, "text among numbers", with(2, 0, "abc"), "data::number", &[":4:1", "`abc`", "`x`"]);
        case(NUMBERS, "missing", with(2, 0, "?"), "data::missing_value", &[":4:1", "`?`", "`x`"]);
        let unseen = words().with(3, 1, "maybe").text(sep).into_bytes();
        case(WORDS, "unseen category", unseen, "data::class", &[":5:", "`maybe`", "`no`, `yes`"]);
        let open = with(39, 0, "\"1");
        case(
            NUMBERS,
            "one class only",
            single().text(sep).into(),
            "data::one_class",
            &["rows have the class `1`"],
        );
        case(NUMBERS, "open quote", open, "data::quote", &[":41:1", "never closes"]);
    }
    let packed = |bytes| Case {
        source: "csv(\"t.csv.gz\")",
        typing: NUMBERS,
        defect: "truncated gzip",
        make: file("t.csv.gz", bytes),
        code: "data::gzip",
        says: &["t.csv.gz", "gzip"],
    };
    cases.push(packed(cut(gzip(Rows::good(5000).text(',').as_bytes()))));
    cases.push(packed(b"x,y\n1,1\n".to_vec()));
    cases
}

fn json_cases() -> Vec<Case> {
    let case = |typing, defect, text: String, code, says| {
        let make = file("t.jsonl", text);
        Case { source: "jsonl(\"t.jsonl\")", typing, defect, make, code, says }
    };
    let with = |row, column, value: &str| good().with(row, column, value).jsonl();
    let line = |row: usize, text: &str| {
        let whole = good().jsonl();
        let mut lines: Vec<&str> = whole.lines().collect();
        lines[row] = text;
        lines.join("\n")
    };
    let mut cases = vec![
        case(NUMBERS, "empty", String::new(), "data::empty", &["t.jsonl: the file has no rows"]),
        case(NUMBERS, "no JSON", line(4, "x,y"), "data::json", &["t.jsonl:5:1"]),
        case(NUMBERS, "cut line", line(4, "{\"x\": 1"), "data::json", &["t.jsonl:5:8", "is wanted"]),
        case(NUMBERS, "one array", "[{\"x\": 1}]".into(), "data::json", &["t.jsonl:1:1", "is an object"]),
        case(NUMBERS, "missing key", line(4, "{\"y\": 1}"), "data::missing_value", &["t.jsonl:5:1", "`x`"]),
        case(
            NUMBERS,
            "another shape",
            line(4, "{\"x\": [1], \"y\": 1}"),
            "data::json",
            &["t.jsonl:5:7", "`x`"],
        ),
        case(NUMBERS, "label out of range", with(6, 1, "2"), "data::class", &["t.jsonl:7:", "`2`", "0 to 1"]),
        case(NUMBERS, "NaN", with(2, 0, "nan"), "data::not_finite", &["t.jsonl:3:7", "`NaN`"]),
        case(NUMBERS, "infinity", with(2, 0, "inf"), "data::not_finite", &["t.jsonl:3:7", "`Infinity`"]),
        case(NUMBERS, "text among numbers", with(2, 0, "abc"), "data::number", &["t.jsonl:3:8", "`abc`"]),
        case(WORDS, "unseen category", words().with(3, 1, "maybe").jsonl(), "data::class", &["t.jsonl:4:"]),
    ];
    cases.push(case(
        NUMBERS,
        "one class only",
        single().jsonl(),
        "data::one_class",
        &["the class `1`", "`y`"],
    ));
    let bytes = replaced(with(4, 0, "@").into_bytes(), b"@", b"\xe9");
    let mut latin = case(NUMBERS, "not UTF-8", String::new(), "data::encoding", &["t.jsonl:5:8", "0xe9"]);
    latin.make = file("t.jsonl", bytes);
    cases.push(latin);
    let mut packed = case(NUMBERS, "truncated gzip", String::new(), "data::gzip", &["t.jsonl.gz"]);
    packed.source = "jsonl(\"t.jsonl.gz\")";
    packed.make = file("t.jsonl.gz", cut(gzip(Rows::good(5000).jsonl().as_bytes())));
    cases.push(packed);
    cases
}

/// Arrays of NumPy, whose places are rows.
fn array_cases() -> Vec<Case> {
    const AS_IS: &str = "y : class(2)";
    let npz = |typing, defect, bytes: Vec<u8>, code, says| {
        let make = file("t.npz", bytes);
        Case { source: "npz(\"t.npz\")", typing, defect, make, code, says }
    };
    let labels = || npy("<i8", "(2,)", &[[0; 8], [1, 0, 0, 0, 0, 0, 0, 0]].concat());
    let five = |last: u8| {
        npy(
            "<i8",
            "(5,)",
            &[[0; 8], [0; 8], [1, 0, 0, 0, 0, 0, 0, 0], [0; 8], [last, 0, 0, 0, 0, 0, 0, 0]].concat(),
        )
    };
    let pair = |x: Vec<u8>| zip(&[("x.npy", x), ("y.npy", labels())]);
    let strings = npy("<U1", "(5,)", &b"a\0\0\0".repeat(5));
    let strings = zip(&[("x.npy", strings), ("y.npy", five(1))]);
    let no_text = npy("|S1", "(2,)", b"a\xff");
    let mut damaged = good().npz();
    damaged[200] ^= 0xff;
    let mut cases = vec![
        npz(AS_IS, "empty", Vec::new(), "data::empty", &["t.npz: the file is empty"]),
        npz(
            AS_IS,
            "wrong magic",
            b"x,y\n1,2\n".to_vec(),
            "data::magic",
            &["t.npz: starts with the bytes 78 2c"],
        ),
        npz(AS_IS, "cut off", cut(good().npz()), "data::npy", &["t.npz", "no directory"]),
        npz(AS_IS, "damaged", damaged, "data::npy", &["t.npz/x"]),
        npz(AS_IS, "no arrays", zip(&[]), "data::empty", &["t.npz", "no arrays"]),
        npz(
            AS_IS,
            "2^60 rows",
            pair(npy("<f8", "(1152921504606846976,)", &[0; 16])),
            "data::npy",
            &["t.npz/x", "1152921504606846976", "more than the file can hold"],
        ),
        npz(
            AS_IS,
            "other lengths",
            pair(npy("<f8", "(3,)", &[0; 24])),
            "data::npy",
            &["t.npz", "`y` has 2 rows", "`x` has 3"],
        ),
        npz(AS_IS, "objects", pair(npy("|O", "(2,)", &[0; 16])), "data::npy", &["t.npz/x", "Python objects"]),
        npz(AS_IS, "NaN", good().with(2, 0, "nan").npz(), "data::missing_value", &["t.npz:3", "`x`"]),
        npz(
            AS_IS,
            "infinity",
            good().with(2, 0, "inf").npz(),
            "data::not_finite",
            &["t.npz:3", "`inf`", "`x`"],
        ),
        npz(AS_IS, "label out of range", good().with(6, 1, "2").npz(), "data::class", &["t.npz:7", "`2`"]),
        npz(NUMBERS, "text among numbers", strings, "data::number", &["t.npz:1", "`a`", "`x`"]),
        npz(AS_IS, "one class only", single().npz(), "data::one_class", &["the class `1`", "`y`"]),
        npz(NUMBERS, "not UTF-8", pair(no_text), "data::encoding", &["t.npz/x:2"]),
    ];
    let whole = npy("<f8", "(9,)", &[0; 72]);
    let short = whole[..whole.len() - 24].to_vec();
    cases.push(npz(AS_IS, "cut array", pair(short), "data::npy", &["t.npz/x", "has 6 of the 9 elements"]));
    let halves = npy("<f2", "(2,)", &[0; 4]);
    cases.push(npz(AS_IS, "half precision", pair(halves), "data::npy", &["t.npz/x", "type `<f2`"]));
    let unseen = zip(&[("x.npy", npy("<f8", "(5,)", &[0; 40])), ("y.npy", five(7))]);
    cases.push(npz("y : class(0, 1)", "unseen category", unseen, "data::class", &["t.npz:5", "`7`"]));
    let alone = |defect, name, bytes: Vec<u8>, code, says| Case {
        source: if name == "x.npy" { "npy(\"x.npy\")" } else { "npy(\"x.npy.gz\")" },
        typing: "y = x > 0",
        defect,
        make: file(name, bytes),
        code,
        says,
    };
    let doubles = |all: &[f64]| {
        let bytes: Vec<u8> = all.iter().flat_map(|x| x.to_le_bytes()).collect();
        npy("<f8", &format!("({},)", all.len()), &bytes)
    };
    let array = || {
        npy(
            "<f8",
            "(5000,)",
            &good().floats(0).repeat(125).iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<u8>>(),
        )
    };
    cases.extend([
        alone("empty", "x.npy", Vec::new(), "data::empty", &["x.npy: the file is empty"]),
        alone("wrong magic", "x.npy", b"PK\x03\x04....".to_vec(), "data::magic", &["x.npy", "50 4b"]),
        alone("cut off", "x.npy", cut(array()), "data::npy", &["x.npy", "more than the file can hold"]),
        alone("truncated gzip", "x.npy.gz", cut(gzip(&array())), "data::gzip", &["x.npy.gz", "gzip"]),
        alone(
            "2^60 rows",
            "x.npy",
            npy("<f8", "(1152921504606846976,)", &[0; 16]),
            "data::npy",
            &["x.npy", "more than the file can hold"],
        ),
        alone(
            "2^60 rows in gzip",
            "x.npy.gz",
            gzip(&npy("<f8", "(1152921504606846976,)", &[0; 16])),
            "data::npy",
            &["x.npy.gz", "more than the file can hold"],
        ),
        alone(
            "NaN",
            "x.npy",
            doubles(&[1.0, f64::NAN, -1.0]),
            "data::missing_value",
            &["x.npy:2", "`NaN`", "`x`"],
        ),
        alone(
            "infinity",
            "x.npy",
            doubles(&[1.0, -1.0, f64::INFINITY]),
            "data::not_finite",
            &["x.npy:3", "`inf`", "`x`"],
        ),
        alone(
            "complex numbers",
            "x.npy",
            npy("<c16", "(2,)", &[0; 32]),
            "data::npy",
            &["x.npy", "type `<c16`"],
        ),
        alone("objects", "x.npy", npy("|O", "(2,)", &[0; 16]), "data::npy", &["x.npy", "Python objects"]),
        alone(
            "characters that are none",
            "x.npy",
            npy("<U1", "(3,)", &[&b"1\0\0\0"[..], &[0, 0xd8, 0, 0], b"2\0\0\0"].concat()),
            "data::encoding",
            &["x.npy:2", "no Unicode text"],
        ),
        alone(
            "not UTF-8",
            "x.npy",
            npy("|S1", "(3,)", b"1\xff2"),
            "data::encoding",
            &["x.npy:2", "no Unicode text"],
        ),
    ]);
    let label = |defect, value, code, says| {
        let bytes = doubles(&[0.0, 1.0, value, 1.0]);
        Case { typing: "y = x |> class(2)", ..alone(defect, "x.npy", bytes, code, says) }
    };
    cases.push(label("label out of range", 7.0, "data::class", &["x.npy:3", "`7`"]));
    cases.push(label("label with a fraction", 0.5, "data::number", &["x.npy:3", "`0.5`"]));
    cases
}

/// Images and labels, whose places are rows of the labels.
fn idx_cases() -> Vec<Case> {
    fn pair(images: Vec<u8>, labels: Vec<u8>) -> Box<dyn Fn(&Path)> {
        Box::new(move |folder| {
            fs::write(folder.join("images"), &images).expect("the folder is writable");
            fs::write(folder.join("labels"), &labels).expect("the folder is writable");
        })
    }
    fn images(rows: u8, bytes: usize) -> Vec<u8> {
        [&[0, 0, 8, 3, 0, 0, 0, rows, 0, 0, 0, 1, 0, 0, 0, 1][..], &vec![9; bytes]].concat()
    }
    fn labels(rows: u8, all: &[u8]) -> Vec<u8> {
        [&[0, 0, 8, 1, 0, 0, 0, rows][..], all].concat()
    }
    let case = |defect, make, code, says| Case {
        source: "idx(\".\")",
        typing: "x = image / 255",
        defect,
        make,
        code,
        says,
    };
    let good = || labels(4, &[0, 1, 0, 1]);
    let huge = [&[0, 0, 8, 3][..], &[0, 0x10, 0, 0].repeat(3)].concat();
    vec![
        case("empty", pair(images(4, 4), Vec::new()), "data::empty", &["labels: the file is empty"]),
        case("wrong magic", pair(b"P5 1 1".to_vec(), good()), "data::magic", &["images: starts with"]),
        case("cut off", pair(images(4, 3), good()), "data::idx", &["images"]),
        case("2^60 rows", pair(huge, good()), "data::idx", &["images", "1048576 x 1048576 x 1048576"]),
        case("other lengths", pair(images(3, 3), good()), "data::idx", &["3 images", "4 labels"]),
        case("truncated gzip", pair(cut(gzip(&images(4, 4))), good()), "data::gzip", &["images", "gzip"]),
        // A glance at the labels tells how many classes there are: the loss is wrong.
        case(
            "label out of range",
            pair(images(4, 4), labels(4, &[0, 1, 7, 1])),
            "loss::classes",
            &["two classes apart, but there are 8"],
        ),
    ]
}

#[cfg(feature = "parquet")]
fn parquet_cases() -> Vec<Case> {
    use crate::tables::parquet;
    fn of(rows: Rows) -> Box<dyn Fn(&Path)> {
        Box::new(move |folder| parquet(&rows, &folder.join("t.parquet")))
    }
    fn changed(change: impl Fn(Vec<u8>) -> Vec<u8> + 'static) -> Box<dyn Fn(&Path)> {
        Box::new(move |folder| {
            let path = folder.join("t.parquet");
            parquet(&good(), &path);
            let bytes = change(fs::read(&path).expect("just written"));
            fs::write(&path, bytes).expect("the folder is writable");
        })
    }
    let case = |typing, defect, make, code, says| Case {
        source: "parquet(\"t.parquet\")",
        typing,
        defect,
        make,
        code,
        says,
    };
    let words = || words().with(3, 1, "maybe");
    // 77 rows, so that no other number of the footer is written as theirs.
    fn claiming(all: bool) -> Box<dyn Fn(&Path)> {
        Box::new(move |folder| {
            let path = folder.join("t.parquet");
            parquet(&Rows::good(77), &path);
            let bytes = fs::read(&path).expect("just written");
            fs::write(&path, with_rows_claimed(bytes, 77, 1 << 60, all)).expect("the folder is writable");
        })
    }
    fn marked() -> Box<dyn Fn(&Path)> {
        Box::new(|folder| {
            let path = folder.join("t.parquet");
            parquet(&self::words().with(4, 1, "@@@@"), &path);
            let bytes = replaced(fs::read(&path).expect("just written"), b"@@@@", b"@@\xe9@");
            fs::write(&path, bytes).expect("the folder is writable");
        })
    }
    vec![
        case(WORDS, "not UTF-8", marked(), "data::encoding", &["t.parquet:5", "`y`"]),
        case(
            NUMBERS,
            "2^60 rows",
            claiming(false),
            "data::parquet",
            &["t.parquet", "claims 1152921504606846976 rows"],
        ),
        case(
            NUMBERS,
            "2^60 rows in every place",
            claiming(true),
            "data::parquet",
            &["t.parquet", "claims 1152921504606846976 rows"],
        ),
        case(NUMBERS, "empty", changed(|_| Vec::new()), "data::empty", &["t.parquet: the file is empty"]),
        case(NUMBERS, "no rows", of(Rows(Vec::new())), "data::empty", &["t.parquet: the file has no rows"]),
        case(
            NUMBERS,
            "wrong magic",
            changed(|_| b"x,y\n".to_vec()),
            "data::magic",
            &["t.parquet: starts with"],
        ),
        case(NUMBERS, "cut off", changed(cut), "data::parquet", &["t.parquet", "cut off"]),
        case(
            NUMBERS,
            "label out of range",
            of(good().with(6, 1, "2")),
            "data::class",
            &["t.parquet:7", "`2`"],
        ),
        case(NUMBERS, "null", of(good().with(2, 0, "nan")), "data::missing_value", &["t.parquet:3", "`x`"]),
        case(
            NUMBERS,
            "infinity",
            of(good().with(2, 0, "inf")),
            "data::not_finite",
            &["t.parquet:3", "`inf`"],
        ),
        case(
            NUMBERS,
            "text among numbers",
            of(good().with(2, 0, "abc")),
            "data::number",
            &["t.parquet:3", "`abc`"],
        ),
        case(NUMBERS, "one class only", of(single()), "data::one_class", &["the class `1`", "`y`"]),
        case(WORDS, "unseen category", of(words()), "data::class", &["t.parquet:4", "`maybe`"]),
    ]
}

/// A Parquet file whose footer tells of other numbers of rows: the file's own, or those of groups and columns too.
#[cfg(feature = "parquet")]
fn with_rows_claimed(bytes: Vec<u8>, rows: u64, claimed: u64, all: bool) -> Vec<u8> {
    // Thrift's compact protocol: numbers have a zigzag and seven bits a byte; `16` opens a field of 64 bits.
    let number = |n: u64| {
        let (mut rest, mut written) = (n << 1, vec![0x16]);
        while rest >= 0x80 {
            written.push(rest as u8 | 0x80);
            rest >>= 7;
        }
        written.push(rest as u8);
        written
    };
    let (from, to) = (number(rows), number(claimed));
    let end = bytes.len() - 8;
    let length = u32::from_le_bytes(bytes[end..end + 4].try_into().expect("four bytes")) as usize;
    let (body, mut footer) = (&bytes[..end - length], bytes[end - length..end].to_vec());
    let mut changed = 0;
    let mut at = 0;
    while let Some(found) = footer[at..].windows(from.len()).position(|w| w == from) {
        footer.splice(at + found..at + found + from.len(), to.iter().copied());
        at += found + to.len();
        changed += 1;
        if !all {
            break;
        }
    }
    assert!(changed == if all { 4 } else { 1 }, "the file, its group and two columns say so: {changed}");
    let length = (footer.len() as u32).to_le_bytes();
    [body, &footer, &length, b"PAR1"].concat()
}

#[cfg(feature = "sql")]
fn sql_cases() -> Vec<Case> {
    use crate::tables::sqlite;
    fn of(rows: Rows) -> Box<dyn Fn(&Path)> {
        Box::new(move |folder| sqlite(&rows, &folder.join("t.db")))
    }
    fn made(sql: &'static str) -> Box<dyn Fn(&Path)> {
        Box::new(move |folder| {
            let connection = rusqlite::Connection::open(folder.join("t.db")).expect("the folder is writable");
            connection.execute_batch(sql).expect("SQL");
        })
    }
    fn damaged(damage: fn(Vec<u8>) -> Vec<u8>) -> Box<dyn Fn(&Path)> {
        Box::new(move |folder| {
            let path = folder.join("t.db");
            sqlite(&Rows::good(5000), &path);
            let bytes = damage(fs::read(&path).expect("just written"));
            fs::write(&path, bytes).expect("the folder is writable");
        })
    }
    let case = |source, typing, defect, make, code, says| Case { source, typing, defect, make, code, says };
    const TABLE: &str = "sql(\"sqlite:t.db\", query=\"SELECT x, y FROM t ORDER BY id\")";
    let blob =
        "CREATE TABLE t (id INTEGER, x REAL, y TEXT); INSERT INTO t VALUES (1, 1.5, 0), (2, 2.5, x'ff')";
    vec![
        case(TABLE, NUMBERS, "empty", file("t.db", ""), "data::empty", &["t.db: the file is empty"]),
        case(TABLE, NUMBERS, "no rows", of(Rows(Vec::new())), "data::empty", &["t.db", "gives no rows"]),
        case(TABLE, NUMBERS, "cut off", damaged(cut), "data::sql", &["t.db", "damaged or cut off"]),
        case(
            TABLE,
            NUMBERS,
            "garbage in the middle",
            damaged(|mut bytes| {
                let middle = bytes.len() / 2 / 4096 * 4096;
                bytes[middle..middle + 4096].fill(0xa5);
                bytes
            }),
            "data::sql",
            &["t.db:", "damaged or cut off"],
        ),
        case(TABLE, NUMBERS, "wrong magic", file("t.db", "x,y\n1,2\n".repeat(99)), "data::magic", &["t.db"]),
        case(TABLE, NUMBERS, "not UTF-8", made(blob), "data::encoding", &["t.db:2", "`y`"]),
        case(
            TABLE,
            NUMBERS,
            "label out of range",
            of(good().with(6, 1, "2")),
            "data::class",
            &["t.db:7", "`2`"],
        ),
        case(
            TABLE,
            NUMBERS,
            "infinity",
            of(good().with(2, 0, "inf")),
            "data::not_finite",
            &["t.db:3", "`inf`"],
        ),
        case(
            TABLE,
            NUMBERS,
            "text among numbers",
            of(good().with(2, 0, "abc")),
            "data::number",
            &["t.db:3", "`abc`"],
        ),
        case(TABLE, NUMBERS, "one class only", of(single()), "data::one_class", &["the class `1`", "`y`"]),
        case(TABLE, WORDS, "unseen category", of(words().with(3, 1, "maybe")), "data::class", &["t.db:4"]),
        case(
            "sql(\"sqlite:t.db\", query=\"DELETE FROM t\")",
            NUMBERS,
            "not a query",
            of(good()),
            "data::unreadable",
            &["t.db", "it does not read rows"],
        ),
        case(
            "sql(\"sqlite:t.db\", table=\"u\")",
            NUMBERS,
            "no table",
            of(good()),
            "data::unreadable",
            &["t.db", "no such table: u"],
        ),
        case(
            "sql(\"postgres://nobody@127.0.0.1:9/none\", table=\"t\")",
            NUMBERS,
            "no server",
            of(good()),
            "data::sql",
            &["postgres://nobody@127.0.0.1:9/none", "cannot connect"],
        ),
    ]
}

fn check(case: &Case) -> Result<(), String> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    (case.make)(folder.path());
    let mut text = spec(case.source, case.typing);
    if case.source.starts_with("idx") {
        text = text.replace("f32[B]\n  output", "f32[B, 1, 1]\n  output").replace("d.y", "d.label");
    }
    answered(folder.path(), &text, case.code, case.says)
        .map_err(|what| format!("{}, {}: {what}", case.source, case.defect))
}

/// Whether training in `folder` ends with one clear message that says all parts, in order, and leaves nothing behind.
pub fn answered(folder: &Path, text: &str, code: &str, says: &[&str]) -> Result<(), String> {
    let output = train(folder, text, &[]);
    let said = stderr(&output);
    let wrong = |what: &str| Err(format!("{what}\n{said}"));
    if output.status.code() != Some(1) {
        return wrong(&format!("ended with {}", output.status));
    }
    if said.contains("panicked") || folder.join("run").exists() {
        return wrong("a panic, or a run directory");
    }
    // Warnings may come first: that a server does not answer, that a label is made of an input.
    let messages: Vec<&str> = said.lines().filter(|l| l.starts_with("mlc::")).collect();
    let warning = |m: &str| {
        (m == "mlc::data::missing_file" && code != "data::missing_file") || m.starts_with("mlc::leak::")
    };
    let errors = messages.iter().filter(|m| !warning(m)).count();
    if errors != 1 {
        return wrong(&format!("{errors} messages"));
    }
    // While checking, what is wrong with a file has one code.
    let known = [format!("mlc::{code}"), "mlc::data::unreadable".to_string()];
    if !messages.iter().any(|m| known.contains(&m.to_string())) {
        return wrong("another code");
    }
    // Messages are wrapped.
    let flat = said.split_whitespace().filter(|w| *w != "|").collect::<Vec<_>>().join(" ");
    let mut rest = flat.as_str();
    for part in says {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return wrong(&format!("does not say `{part}`")),
        }
    }
    if said.contains("help:") { Ok(()) } else { wrong("no help") }
}

fn check_all(cases: &[Case]) {
    let wrong: Vec<String> = cases.iter().filter_map(|case| check(case).err()).collect();
    assert!(wrong.is_empty(), "{} of {}\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

#[test]
fn tables_of_text() {
    check_all(&text_cases());
}

#[test]
fn lines_of_json() {
    check_all(&json_cases());
}

#[test]
fn arrays_of_numpy() {
    check_all(&array_cases());
}

#[test]
fn pairs_of_idx() {
    check_all(&idx_cases());
}

#[cfg(feature = "parquet")]
#[test]
fn files_of_parquet() {
    check_all(&parquet_cases());
}

#[cfg(feature = "sql")]
#[test]
fn databases() {
    check_all(&sql_cases());
}

/// Checks and loads the data of a spec in `folder`; how it ends does not matter.
fn load(folder: &Path, text: &str) {
    use mlc::runtime::data::{self, DiskProbe, Places};
    let mut sources = mlc::base::Sources::new();
    let file = sources.add("spec.mlspec", None, text);
    let (ast, _) = mlc::syntax::parse(&sources, file);
    let places = Places { spec: Some(folder.to_path_buf()), data: None };
    let probe = DiskProbe { places: places.clone() };
    let (job, _) = mlc::sema::check(&mut sources, file, &ast, &mlc::sema::Settings::default(), &probe);
    if let Some(job) = job {
        let _ = data::load(&job.data[0], &places);
    }
}

/// Files with bytes changed here and there, or cut off anywhere: any answer will do but a panic.
#[test]
fn damaged_bytes_do_not_panic() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let rows = good();
    #[cfg_attr(not(any(feature = "sql", feature = "parquet")), expect(unused_mut))]
    let mut files: Vec<(&str, &str, Vec<u8>)> = vec![
        ("csv(\"t.csv\")", "t.csv", rows.text(',').into_bytes()),
        ("csv(\"t.csv.gz\")", "t.csv.gz", gzip(rows.text(',').as_bytes())),
        ("jsonl(\"t.jsonl\")", "t.jsonl", rows.jsonl().into_bytes()),
        ("npz(\"t.npz\")", "t.npz", rows.npz()),
    ];
    #[cfg(feature = "sql")]
    {
        let path = folder.path().join("t.db");
        crate::tables::sqlite(&rows, &path);
        files.push(("sql(\"sqlite:t.db\", table=\"t\")", "t.db", fs::read(path).expect("just written")));
    }
    #[cfg(feature = "parquet")]
    {
        let path = folder.path().join("t.parquet");
        crate::tables::parquet(&rows, &path);
        files.push(("parquet(\"t.parquet\")", "t.parquet", fs::read(path).expect("just written")));
    }
    let mut state = 1_u64;
    let mut random = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    for (source, name, bytes) in files {
        let text = spec(source, NUMBERS);
        for _ in 0..60 {
            let mut bytes = bytes.clone();
            for _ in 0..=random(3) {
                let at = random(bytes.len());
                bytes[at] = random(256) as u8;
            }
            if random(4) == 0 {
                bytes.truncate(random(bytes.len()));
            }
            fs::write(folder.path().join(name), &bytes).expect("the folder is writable");
            load(folder.path(), &text);
        }
    }
}
