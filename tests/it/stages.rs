//! Every lesson at every stage, as `mlc dump` shows it.

use crate::support::{root, run, spec};

const LESSONS: &[&str] = &["line", "xor", "iris", "digits", "digits_cnn", "mnist"];

fn snapshot(lesson: &str, stage: &str, text: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(root().join("tests/snapshots").join(lesson));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(stage, text));
}

fn stage(stage: &str) {
    for lesson in LESSONS {
        snapshot(lesson, stage, &run(&["dump", &spec(lesson), "--stage", stage]));
    }
}

#[test]
fn ast() {
    stage("ast");
}

#[test]
fn graph() {
    stage("graph");
}

#[test]
fn grad() {
    stage("grad");
}

#[test]
fn opt() {
    stage("opt");
}

#[test]
fn loops() {
    stage("loops");
}

/// What a GPU is given needs none to be shown.
#[test]
fn loops_for_a_gpu() {
    for lesson in LESSONS {
        let text = run(&["dump", &spec(lesson), "--stage", "loops", "--device", "gpu"]);
        snapshot(lesson, "loops-gpu", &text);
    }
}

#[cfg(feature = "gpu")]
#[test]
fn wgsl() {
    stage("wgsl");
}

/// Defaults written out, still the same spec: what `render` prints checks and is its own rendering.
#[test]
fn render() {
    for lesson in LESSONS {
        let text = run(&["render", &spec(lesson)]);
        snapshot(lesson, "render", &text);
        let folder = tempfile::tempdir_in(root().join("specs")).expect("a folder beside the data");
        let file = folder.path().join("again.mlspec").display().to_string();
        std::fs::write(&file, &text).expect("the folder is writable");
        assert_eq!(run(&["render", &file]), text, "{lesson}");
    }
}
