//! `docs/diagnostics.md`: every code with what it means, and specs that show it.
//!
//! The words are those of `mlc explain`, the reports those of `mlc check`; a test compares the page with both.

use crate::diag::{CodeInfo, Diagnostic, anchor, codes};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// A spec with a mistake, and what is said about it.
pub struct Shown {
    /// The file's name without its ending: `flatten-forgotten`.
    pub name: String,
    /// The first line, a comment, says what it teaches.
    pub text: String,
    pub found: Vec<Diagnostic>,
    /// As people see it.
    pub report: String,
}

/// The page. A spec stands whole under the first of its codes that has none yet, and by its report under another.
pub fn markdown(specs: &[Shown]) -> String {
    let mut page = String::from(
        "# Diagnostics\n\nWhat `mlc check` can say, why, and what to do about it: the text of `mlc explain CODE`, and \
         specs with the mistake. All of them lie in `specs/broken`. Generated from there and from the table of codes \
         (`MLC_UPDATE_DOCS=1 cargo test --test it broken::`); a test keeps it fresh.\n\nA mistake with *a fix* is \
         mended by `mlc check --fix`.\n\n",
    );
    let shown = by_code(specs);
    for info in codes() {
        let fix = if has_fix(info, specs) { ", *a fix*" } else { "" };
        let _ = writeln!(page, "- [`mlc::{}`](#{}): {}{fix}", info.code, anchor(info.code), info.title);
    }
    for info in codes() {
        section(&mut page, info, shown.get(info.code).map_or(&[], Vec::as_slice));
    }
    page
}

/// Each spec under one code: the first one it was written for that no earlier spec shows, else its first.
fn by_code(specs: &[Shown]) -> BTreeMap<&'static str, Vec<&Shown>> {
    let mut all: BTreeMap<&str, Vec<&Shown>> = BTreeMap::new();
    for spec in specs {
        let mut of_spec = spec.found.iter().map(|d| d.code);
        let new = of_spec.clone().find(|code| !all.contains_key(code));
        if let Some(code) = new.or_else(|| of_spec.next()) {
            all.entry(code).or_default().push(spec);
        }
    }
    all
}

fn has_fix(info: &CodeInfo, specs: &[Shown]) -> bool {
    specs.iter().flat_map(|s| &s.found).any(|d| d.code == info.code && d.fix.is_some())
}

fn section(page: &mut String, info: &CodeInfo, specs: &[&Shown]) {
    let CodeInfo { code, title, explain } = info;
    let _ = write!(page, "\n<a id=\"{}\"></a>\n## `mlc::{code}`: {title}\n\n{explain}\n", anchor(code));
    for (i, spec) in specs.iter().enumerate() {
        example(page, spec, i == 0);
    }
}

fn example(page: &mut String, spec: &Shown, whole: bool) {
    let Shown { name, text, found, report } = spec;
    let lesson = text.lines().next().and_then(|l| l.strip_prefix("// ")).unwrap_or("An empty file.");
    let _ = write!(page, "\n### [{name}](../specs/broken/{name}.mlspec)\n\n{lesson}\n");
    let body = text.split_once('\n').map_or("", |(_, body)| body).trim_end();
    if whole && !body.is_empty() {
        let _ = write!(page, "\n```\n{body}\n```\n");
    }
    let _ = write!(page, "\n```text\n{}\n```\n", report.trim_end());
    for fix in found.iter().filter_map(|d| d.fix.as_ref()) {
        let _ = write!(page, "\nThe fix: {}.\n", fix.title);
    }
}
