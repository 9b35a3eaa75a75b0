//! Whole data sections, from files on disk to arrays.

use super::*;
use crate::base::{Dim, FileId, Shape, Span, TensorType};
use crate::sema::job::{
    Classes, Column, ColumnKind, Dialect, Encode, Generator, Roles, RowOrder, SourceKind, SplitPlan,
};
use std::fs;
use std::io::Write;
use std::path::Path;

const AT_CALL: Span = Span { file: FileId(0), lo: 10, hi: 20 };

fn source(kind: SourceKind) -> SourcePlan {
    SourcePlan { kind, span: AT_CALL, path_span: AT_CALL }
}

fn csv(path: &str) -> SourcePlan {
    table(path, Dialect { missing: vec![String::new(), "?".into()], ..Dialect::default() })
}

fn table(path: &str, dialect: Dialect) -> SourcePlan {
    source(SourceKind::Csv { path: path.into(), dialect })
}

fn field(name: &str, how: Encode) -> Field {
    Field { source: name.into(), formula: None, how: vec![how], span: Span::default() }
}

fn column(name: &str, how: Encode, ty: TensorType) -> Column {
    Column {
        name: name.into(),
        kind: ColumnKind::One(field(name, how)),
        ty,
        wanted: Vec::new(),
        span: Span::default(),
    }
}

fn class(name: &str, classes: Classes) -> Column {
    column(name, Encode::Class(classes), TensorType::scalar(DType::I32))
}

fn float(name: &str, how: Encode) -> Column {
    column(name, how, TensorType::scalar(DType::F32))
}

fn row(fields: Vec<Field>) -> Column {
    let ty = TensorType::f32(Shape::from(vec![Dim::sym("d.features")]));
    Column {
        name: "row".into(),
        kind: ColumnKind::Row(fields),
        ty,
        wanted: Vec::new(),
        span: Span::default(),
    }
}

fn plan(source: SourcePlan, columns: Vec<Column>) -> DataPlan {
    let split = SplitPlan { order: RowOrder::File, ..SplitPlan::whole(Span::default()) };
    let (valid, test) = (None, None);
    let (batch, shuffle, drop_last) = (2, true, false);
    let (name, span) = ("d".to_string(), Span::default());
    let (allow, roles) = (Vec::new(), Roles::default());
    DataPlan {
        name,
        span,
        source,
        valid,
        test,
        columns,
        split,
        batch,
        shuffle,
        drop_last,
        allow,
        bucket: None,
        augment: Vec::new(),
        roles,
    }
}

fn beside(folder: &Path) -> Places {
    Places { spec: Some(folder.to_path_buf()), data: None }
}

fn floats(store: &Store, column: usize) -> &[f32] {
    match &store.columns[column].values {
        Values::F32(v) => v,
        other => panic!("floats, not {other:?}"),
    }
}

fn ints(store: &Store, column: usize) -> &[i32] {
    match &store.columns[column].values {
        Values::I32(v) => v,
        other => panic!("ints, not {other:?}"),
    }
}

/// Writes `text` to `t.csv` and loads one column of it.
fn one_problem(text: impl AsRef<[u8]>, column: Column) -> Diagnostic {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("t.csv"), text).unwrap();
    let mut wrong = load(&plan(csv("t.csv"), vec![column]), &beside(folder.path())).unwrap_err();
    assert_eq!(wrong.len(), 1);
    let wrong = wrong.remove(0);
    assert!(crate::diag::explain(wrong.code).is_some(), "{} is explained", wrong.code);
    assert!(wrong.help.is_some() && wrong.labels.iter().any(|l| l.span == AT_CALL), "{wrong:?}");
    wrong
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gz.write_all(bytes).unwrap();
    gz.finish().unwrap()
}

#[test]
fn a_table_becomes_typed_columns_and_a_row() {
    let folder = tempfile::tempdir().unwrap();
    let text = "age,gain, kind ,hours.per-week\n 1, 10 , b ,1\n3,20,\"a\",2\n5,30,b,3\n100,-10,a,4\n";
    fs::write(folder.path().join("t.csv.gz"), gzip(text.as_bytes())).unwrap();
    let mut plan = plan(
        csv("t.csv.gz"),
        vec![
            row(vec![
                field("age", Encode::Standardize),
                field("gain", Encode::Minmax),
                field("hours_per_week", Encode::Float),
            ]),
            class("kind", Classes::Infer),
        ],
    );
    plan.split.train = Amount::Rows(3);
    plan.split.valid = Amount::Rest;
    let data = load(&plan, &beside(folder.path())).unwrap();

    // Fitted on the first three rows: ages 1, 3, 5; gains 10 to 30.
    let std = (8f64 / 3.0).sqrt();
    let scaled = |x: f64| ((x - 3.0) / std) as f32;
    let want = [
        [scaled(1.0), 0.0, 1.0],
        [scaled(3.0), 0.5, 2.0],
        [scaled(5.0), 1.0, 3.0],
        [scaled(100.0), -1.0, 4.0],
    ];
    assert_eq!(floats(&data.train.store, 0), want.concat());
    assert_eq!(ints(&data.train.store, 1), [1, 0, 1, 0]);
    assert_eq!((&*data.train.rows, &*data.valid.rows, data.test.len()), (&[0, 1, 2][..], &[3][..], 0));
    let bound = |name: &str| data.bindings().get(name).copied();
    assert_eq!((bound("d.features"), bound("d.kind.classes")), (Some(3), Some(2)));
    assert_eq!(data.fitted[1].fields[0].steps, [Fitted::ClassNames { names: vec!["a".into(), "b".into()] }]);
    let yaml = serde_yaml::to_string(&data.fitted).unwrap();
    assert_eq!(serde_yaml::from_str::<Vec<FittedColumn>>(&yaml).unwrap(), data.fitted);
}

/// No spec can fit a scaler on all rows: what other parts hold changes nothing that is fitted.
#[test]
fn what_is_fitted_sees_training_rows_alone() {
    let folder = tempfile::tempdir().unwrap();
    let fitted = |others: &str, split: SplitPlan| {
        let text: String =
            (0..9).map(|i| if i < 6 { format!("{i},{}\n", i % 3) } else { others.to_string() }).collect();
        fs::write(folder.path().join("t.csv"), format!("x,k\n{text}")).unwrap();
        let columns = vec![
            float("x", Encode::Standardize),
            row(vec![field("x", Encode::Minmax)]),
            class("k", Classes::Infer),
        ];
        load(&DataPlan { split, ..plan(csv("t.csv"), columns) }, &beside(folder.path())).unwrap().fitted
    };
    let ordered = SplitPlan { order: RowOrder::File, ..SplitPlan::whole(Span::default()) };
    let parts =
        SplitPlan { train: Amount::Rows(6), valid: Amount::Rows(1), test: Amount::Rest, ..ordered.clone() };
    assert_eq!(fitted("7,0\n", parts.clone()), fitted("-900,2\n", parts));
    // Two folds forward: the first trains on rows 0 to 2 and is tested on the next three.
    let folds = SplitPlan { kfold: Some(2), fold: Some(0), ..ordered };
    assert_eq!(fitted("7,0\n", folds.clone()), fitted("-900,2\n", folds));
}

#[test]
fn equal_values_standardize_to_zero() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("t.csv"), "x\n0.1\n0.1\n0.1\n").unwrap();
    for how in [Encode::Standardize, Encode::Minmax] {
        let data = load(&plan(csv("t.csv"), vec![float("x", how)]), &beside(folder.path())).unwrap();
        assert!(floats(&data.train.store, 0).iter().all(|x| x.abs() < 1e-12));
    }
}

/// The references are scikit-learn 1.9's `StandardScaler` and `MinMaxScaler`, fitted on the first
/// four of these six numbers.
#[test]
fn scalers_agree_with_scikit_learn() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("t.csv"), "x\n0.5\n-1.25\n3.75\n2.0\n10.5\n-7.0\n").unwrap();
    let scaled = |how| {
        let mut plan = plan(csv("t.csv"), vec![float("x", how)]);
        plan.split.train = Amount::Rows(4);
        let data = load(&plan, &beside(folder.path())).unwrap();
        floats(&data.train.store, 0).to_vec()
    };
    let near = |got: Vec<f32>, want: [f64; 6]| {
        for (got, want) in got.iter().zip(want) {
            assert!((f64::from(*got) - want).abs() < 1e-6, "{got} {want}");
        }
    };
    near(scaled(Encode::Standardize), STANDARD);
    near(scaled(Encode::Minmax), [0.35, 0.0, 1.0, 0.65, 2.35, -1.15]);
}

const STANDARD: [f64; 6] = [
    -0.4063712768871578,
    -1.3545709229571927,
    1.3545709229571927,
    0.4063712768871578,
    5.011912414941613,
    -4.470084045758736,
];

#[test]
fn decimal_commas_and_semicolons() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("t.csv"), "skip me\nx;y\n1,5;2\n-0,25;3\n").unwrap();
    let source = table("t.csv", Dialect { sep: b';', decimal: b',', skip: 1, ..Dialect::default() });
    let data = load(&plan(source, vec![float("x", Encode::Float)]), &beside(folder.path())).unwrap();
    assert_eq!(floats(&data.train.store, 0), [1.5, -0.25]);
}

#[test]
fn bad_cells_are_named_by_line_and_character() {
    let float = |how| float("a", how);
    let wrong = one_problem("a,b\n1,2\n,4\n?,4\n", float(Encode::Float));
    assert_eq!(
        wrong.message,
        "t.csv:3:1: `` in column `a` stands for a missing value (and 1 row more like it)"
    );
    assert!(
        wrong.help.unwrap().starts_with("2 of 3 rows lack it: fill them in, as in `a : impute(median) |> …`")
    );
    let wrong = one_problem("b,a\n1,2\n3,x y\n3,z\n", float(Encode::Standardize));
    assert_eq!(wrong.message, "t.csv:3:3: `x y` in column `a` is not a number (and 1 row more like it)");
    for bad in ["nan", "inf", "1e39"] {
        let wrong = one_problem(format!("a\n1\n{bad}\n"), float(Encode::Minmax));
        assert_eq!(wrong.message, format!("t.csv:3:1: `{bad}` in column `a` is not a finite `f32`"));
    }
    let wrong = one_problem("a\n1\n1.5\n", float(Encode::Int));
    assert_eq!(wrong.message, "t.csv:3:1: `1.5` in column `a` is not a whole number of 32 bits");
    let wrong = one_problem("a\n1\n3\n", class("a", Classes::Count(3)));
    assert_eq!(wrong.message, "t.csv:3:1: `3` in column `a` is not one of the classes 0 to 2");
    let named = Classes::Named(vec!["no".into(), "yes".into()]);
    let wrong = one_problem("a\nno\nYes\n", class("a", named));
    assert_eq!(wrong.message, "t.csv:3:1: `Yes` in column `a` is not one of the classes `no`, `yes`");
}

/// What one float column is told to do about `text`.
fn advice(text: &str, columns: Option<&[&str]>, sep: u8, column: Column) -> String {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("t.csv"), text).unwrap();
    let columns = columns.map(|all| all.iter().map(|c| c.to_string()).collect());
    let source = table("t.csv", Dialect { columns, sep, ..Dialect::default() });
    let mut wrong = load(&plan(source, vec![column]), &beside(folder.path())).unwrap_err();
    wrong.remove(0).help.unwrap()
}

#[test]
fn a_header_another_separator_and_a_decimal_comma_are_guessed() {
    let named = Some(&["a", "b"][..]);
    let float_a = || float("a", Encode::Float);
    let header = "leave it out with `skip=1`";
    let said = advice("a,b\n1,2\n3,4\n", named, b',', float_a());
    assert!(said.contains(header), "{said}");
    let names = Classes::Named(vec!["x".into(), "y".into()]);
    let said = advice("a,b\n1,x\n3,y\n", named, b',', class("b", names));
    assert!(said.contains(header), "{said}");
    let said = advice("a,b\nkg,m\n3,4\n", None, b',', float_a());
    assert!(said.contains("`columns=[…]` and `skip=2`"), "{said}");
    // Words further down, or beside a number, are no header.
    for text in ["1,2\na,b\n", "a,2\n3,4\n5,x\nz,4\n"] {
        let said = advice(text, named, b',', float_a());
        assert!(!said.contains("header"), "{said}");
    }
    let said = advice("1;2\n3;4\n", named, b',', float_a());
    assert!(said.contains("`sep=\";\"`"), "{said}");
    let said = advice("1\t2\n3\t4\n", named, b',', float_a());
    assert!(said.contains("`sep=\"\\t\"`"), "{said}");
    let said = advice("1,5;2\n3,5;4\n", named, b';', float_a());
    assert!(said.contains("`decimal=\",\"`"), "{said}");
    let said = advice("1,5;2\nnone;4\n", named, b';', float_a());
    assert!(!said.contains("decimal"), "{said}");
}

#[test]
fn bad_files_are_diagnostics() {
    let a = || float("a", Encode::Float);
    assert_eq!(one_problem("", a()).code, "data::empty");
    assert_eq!(one_problem("a,b\n1\n", a()).code, "data::ragged");
    assert_eq!(one_problem("a,a\n1,2\n", a()).code, "data::header");
    assert_eq!(one_problem("a\n\"1\n", a()).code, "data::quote");
    let wrong = one_problem(b"a,b\n1,caf\xe9\n", a());
    assert_eq!((wrong.code, wrong.message.contains("t.csv:2:6: the byte 0xe9")), ("data::encoding", true));
    let whole = gzip("a\n1\n2\n".repeat(100).as_bytes());
    assert_eq!(one_problem(&whole[..whole.len() - 6], a()).code, "data::gzip");
    let mut damaged = whole.clone();
    damaged[20] ^= 0xff;
    assert_eq!(one_problem(&damaged, a()).code, "data::gzip");
    let wrong = one_problem("aa,b\n1,2\n", a());
    assert_eq!((wrong.code, wrong.message.as_str()), ("data::column", "t.csv has no column `a`"));
}

#[test]
fn a_missing_file_names_places_and_origin() {
    let places = Places { spec: Some("/no/spec".into()), data: Some("/no/data".into()) };
    let wrong = load(&plan(csv("tabular/adult/adult.data"), vec![]), &places).unwrap_err().remove(0);
    assert_eq!(
        wrong.message,
        "`tabular/adult/adult.data` is not there: looked at `/no/spec/tabular/adult/adult.data` and \
         `/no/data/tabular/adult/adult.data`"
    );
    assert!(wrong.help.unwrap().contains("archive.ics.uci.edu"));
    let wrong = load(&plan(csv("x.csv"), vec![]), &Places::default()).unwrap_err().remove(0);
    assert_eq!(wrong.message, "`x.csv` is not there: looked at `x.csv`");
    assert!(wrong.help.unwrap().contains("--data DIR"));
}

#[test]
fn a_split_that_cannot_be_is_a_diagnostic() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("t.csv"), "a\n1\n2\n").unwrap();
    let mut plan = plan(csv("t.csv"), vec![float("a", Encode::Float)]);
    plan.split.train = Amount::Rows(5);
    let wrong = load(&plan, &beside(folder.path())).unwrap_err().remove(0);
    assert_eq!(wrong.message, "`d`: the parts take 5 rows, the source has 2");
    plan.split.train = Amount::Rest;
    plan.split.test = Amount::Rows(1);
    plan.test = Some(csv("t.csv"));
    let wrong = load(&plan, &beside(folder.path())).unwrap_err().remove(0);
    assert_eq!(wrong.message, "`d` has test files of its own, and the split asks for more");
}

#[test]
fn files_beside_the_source_are_parts_of_their_own() {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in [("t.csv", "a\n1\n3\n"), ("v.csv", "a\n5\n"), ("u.csv", "a\n7\n9\n11\n")] {
        fs::write(folder.path().join(name), text).unwrap();
    }
    let mut plan = plan(csv("t.csv"), vec![float("a", Encode::Standardize)]);
    (plan.valid, plan.test) = (Some(csv("v.csv")), Some(csv("u.csv")));
    let data = load(&plan, &beside(folder.path())).unwrap();
    assert_eq!((data.train.len(), data.valid.len(), data.test.len()), (2, 1, 3));
    assert_eq!(floats(&data.valid.store, 0), [3.0]);
    assert_eq!(floats(&data.test.store, 0), [5.0, 7.0, 9.0]);
    assert_eq!(data.files.len(), 3);
    assert_eq!(data.files[0].hash, format!("{:016x}", fnv1a(FNV_START, b"a\n1\n3\n")));
}

fn idx_file(axes: &[u32], elements: &[u8]) -> Vec<u8> {
    let mut file = vec![0, 0, 8, axes.len() as u8];
    axes.iter().for_each(|a| file.extend(a.to_be_bytes()));
    file.extend(elements);
    file
}

fn idx_plan() -> DataPlan {
    let image = column("image", Encode::AsIs, TensorType::new(DType::U8, [2, 2]));
    plan(
        source(SourceKind::Idx { path: "m".into(), resize: None }),
        vec![image, class("label", Classes::Count(3))],
    )
}

/// Loads `m/` with these files.
fn idx(files: &[(&str, Vec<u8>)]) -> Result<Dataset, Diagnostic> {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("m")).unwrap();
    for (name, bytes) in files {
        fs::write(folder.path().join("m").join(name), bytes).unwrap();
    }
    load(&idx_plan(), &beside(folder.path())).map_err(|mut wrong| {
        assert_eq!(wrong.len(), 1);
        let wrong = wrong.remove(0);
        assert!(crate::diag::explain(wrong.code).is_some(), "{} is explained", wrong.code);
        wrong
    })
}

#[test]
fn idx_pairs_are_told_apart_by_name() {
    let (images, labels) = (idx_file(&[2, 2, 2], &[1, 2, 3, 4, 5, 6, 7, 8]), idx_file(&[2], &[2, 0]));
    let test = (idx_file(&[1, 2, 2], &[9; 4]), idx_file(&[1], &[1]));
    let data = idx(&[
        ("train-images-idx3-ubyte.gz", gzip(&images)),
        ("train-labels-idx1-ubyte", labels.clone()),
        ("t10k-images-idx3-ubyte", test.0),
        ("t10k-labels-idx1-ubyte", test.1),
        ("README.md", b"labels and images".to_vec()),
    ])
    .unwrap();
    assert_eq!(data.train.store.columns[0].values, Values::U8(vec![1, 2, 3, 4, 5, 6, 7, 8]));
    assert_eq!(ints(&data.train.store, 1), [2, 0]);
    assert_eq!((data.train.len(), data.test.len(), data.files.len()), (2, 1, 4));
    let alone = idx(&[("images.idx", images), ("labels.idx", labels)]).unwrap();
    assert_eq!((alone.train.len(), alone.test.len()), (2, 0));
}

#[test]
fn bad_idx_files_are_diagnostics() {
    let images = || idx_file(&[2, 2, 2], &[0; 8]);
    let labels = || idx_file(&[2], &[0, 1]);
    let message = |i: Vec<u8>, l: Vec<u8>| idx(&[("images", i), ("labels", l)]).unwrap_err().message;
    assert_eq!(message(images(), idx_file(&[3], &[0, 1, 2])), "images has 2 images, but labels has 3 labels");
    assert_eq!(
        message(images()[..20].to_vec(), labels()),
        "images: the header says 8 bytes of elements, the file has 4"
    );
    assert_eq!(
        message([images(), vec![0]].concat(), labels()),
        "images: the header says 8 bytes of elements, the file has more"
    );
    let huge = idx_file(&[u32::MAX, u32::MAX, u32::MAX], &[]);
    assert!(message(huge, labels()).ends_with("bytes, more than the file can hold"));
    let large = gzip(&idx_file(&[1 << 28, 2, 2], &[]));
    assert!(message(large, labels()).ends_with("bytes, more than the file can hold"));
    assert_eq!(message(vec![], labels()), "images: the file is empty");
    assert_eq!(message(vec![0, 0], labels()), "images: starts with the bytes 00 00, an IDX file with 00 00");
    assert!(message(b"\x89PNG".to_vec(), labels()).starts_with("images: starts with the bytes 89 50 4e 47"));
    assert!(message(vec![0, 0, 13, 1, 0, 0, 0, 0], labels()).contains("IDX type 0x0d"));
    assert_eq!(message(vec![0, 0, 8, 3, 0], labels()), "images: the header ends before its 3 sizes");
    assert_eq!(
        message(images(), idx_file(&[2], &[0, 3])),
        "labels:2: `3` in column `label` is not one of the classes 0 to 2"
    );
    assert!(message(idx_file(&[2, 3, 2], &[0; 12]), labels()).contains("has the shape [3, 2], not [2, 2]"));
    let lonely = idx(&[("images", images())]).unwrap_err();
    assert!(lonely.message.ends_with("has images, but not its labels"));
    assert!(idx(&[]).unwrap_err().message.ends_with("has no pair of IDX files for training"));
}

#[test]
fn synthetic_sources_fill_the_same_columns() {
    let kind = SourceKind::Synthetic { generator: Generator::Xor { noise: 0.0 }, rows: 4, seed: 0 };
    let x = column("x", Encode::AsIs, TensorType::f32([2]));
    let y = float("y", Encode::AsIs);
    let data = load(&plan(source(kind), vec![x, y]), &Places::default()).unwrap();
    assert_eq!(floats(&data.train.store, 1), [0.0, 1.0, 1.0, 0.0]);
}

/// The folder of large datasets; none skips the test, unless they are required.
fn real_data() -> Option<Places> {
    let folder = std::env::var_os("MLC_DATA");
    let required = std::env::var("MLC_REQUIRE_DATA").is_ok_and(|v| v == "1");
    assert!(folder.is_some() || !required, "MLC_REQUIRE_DATA=1 needs MLC_DATA");
    match folder {
        Some(folder) => Some(Places { spec: None, data: Some(folder.into()) }),
        None => {
            eprintln!("skipped: MLC_DATA is not set");
            None
        }
    }
}

#[test]
fn mnist_is_read_as_it_is() {
    let Some(places) = real_data() else { return };
    let image = column("image", Encode::AsIs, TensorType::new(DType::U8, [28, 28]));
    let label = class("label", Classes::Count(10));
    let mut plan = plan(source(SourceKind::Idx { path: "mnist".into(), resize: None }), vec![image, label]);
    (plan.split.train, plan.split.valid, plan.split.order) =
        (Amount::Rows(55000), Amount::Rows(5000), RowOrder::Shuffled);
    let data = load(&plan, &places).unwrap();
    assert_eq!((data.train.len(), data.valid.len(), data.test.len()), (55000, 5000, 10000));
    assert_eq!(ints(&data.train.store, 1)[..10], [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]);
    let sum: u64 = data.train.store.columns[0].bytes().iter().map(|b| u64::from(*b)).sum();
    assert_eq!(sum, 1_567_298_545);
}

#[test]
fn adult_is_read_with_its_blanks_and_question_marks() {
    let Some(places) = real_data() else { return };
    let names = "age workclass fnlwgt education education_num marital_status occupation relationship race sex \
                 capital_gain capital_loss hours_per_week country income";
    let columns = Some(names.split_whitespace().map(String::from).collect());
    let missing = vec![String::new(), "?".into()];
    let people = table("tabular/adult/adult.data", Dialect { columns, missing, ..Dialect::default() });
    let fields = vec![field("age", Encode::Standardize), field("capital_gain", Encode::Minmax)];
    let income = class("income", Classes::Named(vec!["<=50K".into(), ">50K".into()]));
    let mut plan = plan(people, vec![row(fields), income]);
    let percent = |p| Amount::Percent(p);
    (plan.split.train, plan.split.valid, plan.split.test) = (percent(70.0), percent(10.0), percent(20.0));
    (plan.split.stratify, plan.split.order) = (Some("income".into()), RowOrder::Shuffled);
    let data = load(&plan, &places).unwrap();
    assert_eq!(data.train.len() + data.valid.len() + data.test.len(), 32561);
    let share = |part: &Part| {
        let rich = part.rows.iter().filter(|r| ints(&part.store, 1)[**r as usize] == 1).count();
        rich as f64 / part.len() as f64
    };
    for part in [&data.train, &data.valid, &data.test] {
        assert!((share(part) - 7841.0 / 32561.0).abs() < 2e-4);
    }
}
