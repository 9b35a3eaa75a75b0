//! The binary as people use it: exit codes, streams, files.

use crate::support::{stderr, stdout};
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

fn mlc(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_mlc")).args(args).output().expect("mlc starts")
}

fn code(output: &Output) -> i32 {
    output.status.code().expect("mlc exits by itself")
}

fn write(folder: &Path, name: &str, text: &str) -> String {
    let path = folder.join(name);
    fs::write(&path, text).expect("the folder is writable");
    path.display().to_string()
}

const UGLY: &str = "mlspec 1\ntrain {epochs=5 // enough\n}\n";
const NEAT: &str = "mlspec 1\n\ntrain {\n  epochs = 5   // enough\n}\n";
const WRONG: &str = "mlspec 1\ntrain { epochs = 5; seed = (1 }\n";

#[test]
fn fmt_rewrites_and_then_leaves_alone() {
    let folder = tempfile::tempdir().unwrap();
    let file = write(folder.path(), "a.mlspec", UGLY);
    assert_eq!(code(&mlc(&["fmt", "--check", &file])), 1);
    assert_eq!(fs::read_to_string(&file).unwrap(), UGLY, "--check writes nothing");
    assert_eq!(code(&mlc(&["fmt", &file])), 0);
    assert_eq!(fs::read_to_string(&file).unwrap(), NEAT);
    let again = mlc(&["fmt", "--check", &file]);
    assert_eq!((code(&again), stdout(&again)), (0, String::new()));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no temporary file stays");
}

#[test]
fn fmt_leaves_a_broken_spec_alone() {
    let folder = tempfile::tempdir().unwrap();
    let file = write(folder.path(), "a.mlspec", WRONG);
    let output = mlc(&["fmt", &file]);
    assert_eq!(code(&output), 1);
    assert!(stderr(&output).contains("mlc::syntax::sign"));
    assert_eq!(fs::read_to_string(&file).unwrap(), WRONG);
}

#[cfg(unix)]
#[test]
fn fmt_keeps_links_and_rights() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let file = write(folder.path(), "a.mlspec", UGLY);
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
    let link = folder.path().join("link.mlspec");
    std::os::unix::fs::symlink(&file, &link).unwrap();
    assert_eq!(code(&mlc(&["fmt", link.to_str().unwrap()])), 0);
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(fs::read_to_string(&file).unwrap(), NEAT);
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o640);
}

#[test]
fn fmt_reads_standard_input() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_mlc"))
        .args(["fmt", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(UGLY.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!((code(&output), stdout(&output)), (0, NEAT.to_string()));
}

#[test]
fn check_reports_all_errors_and_exits_with_1() {
    let folder = tempfile::tempdir().unwrap();
    let file = write(folder.path(), "a.mlspec", WRONG);
    let output = mlc(&["check", &file]);
    assert_eq!(code(&output), 1);
    let text = stderr(&output);
    assert!(text.contains("a.mlspec:2:19") && text.contains("a.mlspec:2:28"), "{text}");
    assert!(text.is_ascii() || !text.contains('\u{1b}'), "no colour outside a terminal");
    assert_eq!(stdout(&output), "");
}

#[test]
fn check_as_json_is_one_array_over_all_files() {
    let folder = tempfile::tempdir().unwrap();
    let (a, b) = (write(folder.path(), "a.mlspec", WRONG), write(folder.path(), "b.mlspec", ""));
    let output = mlc(&["check", "--format", "json", &a, &b]);
    assert_eq!(code(&output), 1);
    let all: serde_json::Value = serde_json::from_slice(&output.stdout).expect("standard output is JSON");
    let codes: Vec<&str> = all.as_array().unwrap().iter().map(|d| d["code"].as_str().unwrap()).collect();
    assert_eq!(codes, ["mlc::syntax::sign", "mlc::syntax::unbalanced", "mlc::syntax::empty"]);
    assert_eq!(all[0]["labels"][0]["line"], 2);
    assert_eq!(stderr(&output), "");
}

#[test]
fn an_unreadable_file_does_not_hide_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let file = write(folder.path(), "a.mlspec", WRONG);
    let output = mlc(&["check", "--format", "json", "nowhere.mlspec", &file, "nosuch.mlspec"]);
    assert_eq!(code(&output), 2);
    let all: serde_json::Value = serde_json::from_slice(&output.stdout).expect("standard output is JSON");
    assert_eq!(all.as_array().unwrap().len(), 2);
    let said = stderr(&output);
    assert!(said.contains("nowhere.mlspec") && said.contains("nosuch.mlspec"), "{said}");
    let human = mlc(&["check", "nowhere.mlspec", &file]);
    assert_eq!(code(&human), 2);
    assert!(stderr(&human).contains("a.mlspec: 2 errors"), "{}", stderr(&human));
}

#[test]
fn standard_input_has_one_name() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_mlc"))
        .args(["check", "-"])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(WRONG.as_bytes()).unwrap();
    let text = stderr(&child.wait_with_output().unwrap());
    assert!(text.contains("[standard input:2:") && text.ends_with("standard input: 2 errors\n"), "{text}");
}

#[test]
fn what_is_no_spec_is_one_line_and_exit_2() {
    let folder = tempfile::tempdir().unwrap();
    let folder_name = folder.path().display().to_string();
    for args in [
        vec!["check", "nowhere.mlspec"],
        vec!["check", folder_name.as_str()],
        vec!["fmt", "nowhere.mlspec"],
        vec!["dump", "nowhere.mlspec", "--stage", "ast"],
        vec!["explain", "no::such"],
    ] {
        let output = mlc(&args);
        assert_eq!(code(&output), 2, "{args:?}");
        assert_eq!(stderr(&output).lines().count(), 1, "{args:?}: {}", stderr(&output));
    }
}

#[test]
fn wrong_usage_exits_with_2_and_help_with_0() {
    assert_eq!(code(&mlc(&[])), 2);
    assert_eq!(code(&mlc(&["frobnicate"])), 2);
    assert_eq!(code(&mlc(&["check"])), 2);
    assert_eq!(code(&mlc(&["check", "--format", "tea", "x"])), 2);
    assert_eq!(code(&mlc(&["--help"])), 0);
    assert_eq!(code(&mlc(&["--version"])), 0);
}

#[test]
fn explain_knows_codes_with_and_without_prefix() {
    let (long, short) = (mlc(&["explain", "mlc::syntax::comma"]), mlc(&["explain", "syntax::comma"]));
    assert_eq!(code(&long), 0);
    assert_eq!(stdout(&long), stdout(&short));
    assert!(stdout(&long).lines().all(|l| l.chars().count() <= 100), "{}", stdout(&long));
    assert!(stderr(&mlc(&["explain", "comma"])).contains("mlc::syntax::comma"));
    assert!(stdout(&mlc(&["explain"])).lines().count() >= mlc::diag::codes().count());
}

#[cfg(unix)]
#[test]
fn a_closed_pipe_is_no_panic() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_mlc"))
        .arg("explain")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(output.status.code().is_some() && stderr(&output).is_empty(), "{}", stderr(&output));
}

const SPEC: &str = "specs/xor.mlspec";

#[test]
fn render_means_the_same_and_is_complete() {
    let folder = tempfile::tempdir().unwrap();
    let once = stdout(&mlc(&["render", SPEC]));
    let file = write(folder.path(), "xor.mlspec", &once);
    assert_eq!(stdout(&mlc(&["render", &file])), once, "nothing is left to write out");
    let graph = |file: &str| stdout(&mlc(&["dump", file, "--stage", "grad"]));
    assert_eq!(graph(&file), graph(SPEC));
    assert_eq!(code(&mlc(&["fmt", "--check", &file])), 0);
}

#[test]
fn render_writes_what_changes_of_training_rows_leave_out() {
    let folder = tempfile::tempdir().unwrap();
    let text = std::fs::read_to_string("specs/broken/augment-another-size.mlspec").unwrap();
    let file = write(folder.path(), "a.mlspec", &text.replace("crop(6)", "crop(8)"));
    let once = stdout(&mlc(&["render", &file]));
    assert!(once.contains("image |> flip |> crop(8, pad=4)"), "{once}");
}

#[test]
fn overrides_reach_the_spec_and_their_mistakes_are_shown_on_their_text() {
    let folder = tempfile::tempdir().unwrap();
    let text = "mlspec 1\n\nparam n: int = 3 in [3, 4]\n\ntrain { epochs = n }\n";
    let file = write(folder.path(), "a.mlspec", text);
    let wrong = mlc(&["check", &file, "--set", "n=abc", "--set", "m=1", "--variant", "big"]);
    let report = stderr(&wrong);
    for place in ["[--set:1:3]", "[--set:1:1]", "[--variant:1:1]"] {
        assert!(report.contains(place), "no {place} in\n{report}");
    }
    assert_eq!(code(&mlc(&["check", &file, "--set", "n"])), 2);
}

#[test]
fn every_stage_prints() {
    for stage in ["ast", "nodes", "graph", "grad", "opt", "passes", "loops", "clif", "asm"] {
        let output = mlc(&["dump", SPEC, "--stage", stage]);
        assert_eq!(code(&output), 0, "{stage}: {}", stderr(&output));
        assert!(stdout(&output).lines().count() > 3, "{stage}");
    }
}
