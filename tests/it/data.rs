//! `mlc data` and the warnings about leaks, from outside.

use crate::support::{large_data, mlc, root, run, spec, stderr, stdout};
use std::fmt::Write;
use std::fs;
use std::path::Path;

fn snapshot(name: &str, text: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(root().join("tests/snapshots/data"));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name, text));
}

#[test]
fn columns_classes_and_parts_of_the_lessons() {
    for lesson in ["iris", "wdbc", "digits", "line", "xor"] {
        let output = mlc(&["data", &spec(lesson)]);
        assert!(output.status.success());
        assert_eq!(stderr(&output), "", "{lesson} has nothing to warn of");
        snapshot(lesson, &stdout(&output));
    }
}

#[test]
fn as_json() {
    let text = run(&["data", &spec("iris"), "--json"]);
    let all: serde_json::Value = serde_json::from_str(&text).unwrap();
    let iris = &all["data"][0];
    assert_eq!((iris["rows"].as_u64(), iris["parts"]["test"].as_u64()), (Some(150), Some(30)));
    let width = &iris["columns"][1];
    assert_eq!((width["kind"].as_str(), width["how"].as_str()), (Some("number"), Some("standardize")));
    assert_eq!((width["numbers"]["least"].as_f64(), width["distinct"].as_u64()), (Some(2.0), Some(23)));
    assert_eq!(iris["classes"][0]["classes"][2]["parts"]["train"].as_u64(), Some(30));
    assert_eq!(iris["repeated"]["rows"].as_u64(), Some(1));
    assert_eq!(all["diagnostics"].as_array().map(Vec::len), Some(0));
}

/// A section over `t.csv`, without a train section.
fn section(more: &str) -> String {
    format!("mlspec 1\n\ndata t {{\n  source = csv(\"t.csv\", missing=\"?\")\n{more}}}\n")
}

fn data(folder: &Path, table: &str, text: &str, more: &[&str]) -> std::process::Output {
    fs::write(folder.join("t.csv"), table).unwrap();
    let file = folder.join("t.mlspec");
    fs::write(&file, text).unwrap();
    mlc(&[&["data", &file.display().to_string()], more].concat())
}

#[test]
fn the_rest_of_the_spec_may_be_wrong_or_missing() {
    let folder = tempfile::tempdir().unwrap();
    let mut table = "when,town,x\n".to_string();
    for day in 1..=28 {
        let x = if day == 9 { "n.a.".to_string() } else { format!("{}.5", day % 4) };
        writeln!(table, "2024-02-{day:02},{},{x}", ["Oslo", "Rome", "?"][day % 3]).unwrap();
    }
    let alone = data(folder.path(), &table, &section("  x : float\n"), &[]);
    assert_eq!(alone.status.code(), Some(0), "{}", stderr(&alone));
    snapshot("odd-cells", &stdout(&alone));
    let with = section("  x : float\n") + "\ntrain {\n  feed { y = t.z }\n  los = Wrong(\n}\nmodle M { }\n";
    let with = data(folder.path(), &table, &with, &[]);
    assert_eq!(with.status.code(), Some(0), "{}", stderr(&with));
    assert!(stdout(&with).contains("2024-02-28"), "{}", stdout(&with));
}

#[test]
fn what_is_wrong_with_the_data_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let split = data(folder.path(), "x\n1\n2\n", &section("  split { train = 5 }\n"), &[]);
    assert_eq!(split.status.code(), Some(1));
    assert!(stderr(&split).contains("the parts take 5 rows"), "{}", stderr(&split));
    assert!(stdout(&split).contains("whole number"), "the columns are shown all the same");
    let ragged = data(folder.path(), "x,y\n1\n", &section(""), &["--json"]);
    assert_eq!(ragged.status.code(), Some(1));
    let json: serde_json::Value = serde_json::from_str(&stdout(&ragged)).unwrap();
    assert_eq!(json["diagnostics"][0]["code"], "mlc::data::ragged");
    let none = data(folder.path(), "x\n1\n", "mlspec 1\n\nparam n: int = 1\n", &[]);
    assert!(none.status.code() == Some(1) && stderr(&none).contains("param"), "{}", stderr(&none));
}

/// A classifier of `y` by all other typed columns of `t.csv`.
fn classifier(columns: &str, more: &str) -> String {
    format!(
        "mlspec 1

data t {{
  source = csv(\"t.csv\")
  {columns} : float
  y : class(2)
{more}
}}

model M {{
  input row: f32[B, t.features]
  output logit: f32[B] = row |> Dense(1) as out |> Squeeze
}}

train {{
  feed      {{ row = t.row  y = t.y }}
  loss      = BinaryCrossEntropy(M.logit, y)
  optimizer = SGD(lr=0.1)
  epochs    = 1
}}
"
    )
}

/// Sixty rows; a cell is a function of the row's number.
fn table(header: &str, row: impl Fn(usize) -> String) -> String {
    (0..60).fold(format!("{header}\n"), |mut text, i| {
        writeln!(text, "{}", row(i)).unwrap();
        text
    })
}

/// The codes of leaks that `mlc data` warns of.
fn leaks(table: &str, text: &str) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let output = data(folder.path(), table, text, &["--json"]);
    let json: serde_json::Value = serde_json::from_str(&stdout(&output)).unwrap();
    let all = json["diagnostics"].as_array().unwrap();
    assert!(all.iter().all(|d| d["severity"] == "warning"), "{all:?}");
    all.iter().map(|d| d["code"].as_str().unwrap().trim_start_matches("mlc::").to_string()).collect()
}

const HALVES: &str = "  split { train = 50%  test = 50%  seed = 1 }";

/// Something like noise, the same every time.
fn noise(i: usize) -> usize {
    (i * 7919 + 13) % 101
}

#[test]
fn leaks_are_found_and_silenced() {
    let day = |i: usize| format!("2024-{:02}-{:02}", 1 + i / 28, 1 + i % 28);
    let cases = [
        ("duplicates", table("a,b,y", |i| format!("{},{},{}", noise(i % 20), i % 20, i % 2)), "a, b"),
        ("target", table("a,b,y", |i| format!("{},{},{}", noise(i), 5 + 2 * (i % 2), i % 2)), "a, b"),
        ("time", table("a,b,day,y", |i| format!("{},{i},{},{}", noise(i), day(i), i % 2)), "a, b"),
        (
            "time",
            table("a,t,b,y", |i| format!("{},{},{i},{}", noise(i), 1_700_000_000 + 90 * i, i % 2)),
            "a, b",
        ),
        ("groups", table("a,b,patient_id,y", |i| format!("{},{i},p{},{}", noise(i), i % 15, i % 2)), "a, b"),
    ];
    for (leak, table, columns) in &cases {
        assert_eq!(leaks(table, &classifier(columns, HALVES)), [format!("leak::{leak}")], "{table}");
        let allowed = format!("{HALVES}\n  allow = [{leak}]");
        assert_eq!(leaks(table, &classifier(columns, &allowed)), [""; 0]);
        // Nothing leaks where there is one part.
        let whole = leaks(table, &classifier(columns, ""));
        assert!(whole.is_empty() || *leak == "target", "{whole:?}");
    }
    let by = |key: &str| format!("  split {{ train = 50%  test = 50%  {key} }}");
    assert_eq!(leaks(&cases[2].1, &classifier("a, b", &by("time = day"))), [""; 0]);
    assert_eq!(leaks(&cases[4].1, &classifier("a, b", &by("group = patient_id"))), [""; 0]);
}

#[test]
fn what_is_no_leak_is_no_warning() {
    let quiet = [
        // Ids that count up, a date of birth, one pair of equal rows.
        table("id,a,born,y", |i| format!("{i},{},19{:02}-01-01,{}", noise(i), 20 + noise(i) % 70, i % 2)),
        table("patient_id,a,b,y", |i| format!("p{i},{},{i},{}", noise(i), i % 2)),
        table("a,b,y", |i| format!("{},{},{}", noise(i.min(58)), i.min(58), i.min(58) % 2)),
        // Almost the target.
        table("a,b,y", |i| format!("{i},{},{}", if i == 7 { 0 } else { i % 2 }, i % 2)),
    ];
    for table in &quiet {
        let columns = if table.starts_with("a,b") { "a, b" } else { "a" };
        assert_eq!(leaks(table, &classifier(columns, HALVES)), [""; 0], "{table}");
    }
}

#[test]
fn a_number_in_step_with_the_target_is_a_leak() {
    let text = |more: &str| {
        classifier("a, f", &format!("{HALVES}{more}"))
            .replace("y : class(2)", "y : float")
            .replace("BinaryCrossEntropy", "MeanSquaredError")
    };
    let celsius = |i: usize| noise(i) as f64 / 4.0 + i as f64 / 1000.0;
    let same = table("a,f,y", |i| format!("{i},{},{}", celsius(i) * 1.8 + 32.0, celsius(i)));
    assert_eq!(leaks(&same, &text("")), ["leak::target"]);
    let near = table("a,f,y", |i| format!("{i},{},{}", celsius(i) * 1.8 + (i % 3) as f64, celsius(i)));
    assert_eq!(leaks(&near, &text("")), [""; 0]);
}

#[test]
fn train_warns_before_its_first_step_and_check_of_what_the_text_tells() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(
        folder.path().join("t.csv"),
        table("a,b,y", |i| format!("{},{},{}", noise(i % 20), i % 20, i % 2)),
    )
    .unwrap();
    let file = folder.path().join("t.mlspec").display().to_string();
    fs::write(&file, classifier("a, b", HALVES)).unwrap();
    let out = folder.path().join("run").display().to_string();
    let said = stderr(&mlc(&["train", &file, "--out", &out]));
    let (warning, start) = (said.find("mlc::leak::duplicates").unwrap(), said.find("parameters,").unwrap());
    assert!(warning < start, "{said}");
    assert!(said.contains("t.csv:"), "rows are named: {said}");
    let checked = mlc(&["check", &spec("broken/leak-target")]);
    assert_eq!(checked.status.code(), Some(0), "a warning is no error");
    assert!(stderr(&checked).contains("mlc::leak::target"));
}

#[test]
fn adult_has_repeated_rows_and_nothing_else_is_wrong_with_it() {
    let Some(folder) = large_data("adult_has_repeated_rows_and_nothing_else_is_wrong_with_it") else {
        return;
    };
    let text = "mlspec 1

data people {
  source = csv(\"tabular/adult/adult.data\", missing=\"?\", columns=[age, workclass, fnlwgt, education, education_num,
    marital_status, occupation, relationship, race, sex, capital_gain, capital_loss, hours_per_week, country, income])
  split { train = 70%  valid = 10%  test = 20%  seed = 42 }
}
";
    let at = tempfile::tempdir().unwrap();
    let file = at.path().join("adult.mlspec").display().to_string();
    fs::write(&file, text).unwrap();
    let json: serde_json::Value =
        serde_json::from_str(&run(&["data", &file, "--data", &folder, "--json"])).unwrap();
    let people = &json["data"][0];
    // pandas.read_csv(…).duplicated().sum(), .isna().sum() and .nunique()
    assert_eq!(people["repeated"]["rows"].as_u64(), Some(24));
    assert_eq!(people["columns"][6]["missing"].as_u64(), Some(1843));
    assert_eq!(people["columns"][2]["distinct"].as_u64(), Some(21648));
    let codes: Vec<_> = json["diagnostics"].as_array().unwrap().iter().map(|d| d["code"].clone()).collect();
    assert_eq!(codes, ["mlc::leak::duplicates"]);
}
