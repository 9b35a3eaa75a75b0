//! `mlc explain`: what a code means.

use super::args::ExplainArgs;
use super::{Failure, Outcome, output};
use crate::diag::{codes, did_you_mean, explain};
use std::fmt::Write as _;

pub fn run(args: &ExplainArgs) -> Result<Outcome, Failure> {
    match &args.code {
        None => output::out(&list()),
        Some(code) => output::out(&one(code)?),
    }
    Ok(Outcome::Clean)
}

/// All codes with their titles.
fn list() -> String {
    let width = codes().map(|info| info.code.len()).max().unwrap_or(0);
    let mut out = String::new();
    for info in codes() {
        let _ = writeln!(out, "mlc::{:width$}  {}", info.code, info.title);
    }
    out
}

fn one(code: &str) -> Result<String, Failure> {
    if let Some(info) = explain(code) {
        return Ok(format!("mlc::{}: {}\n\n{}", info.code, info.title, wrapped(info.explain)));
    }
    let bare = code.strip_prefix("mlc::").unwrap_or(code);
    let last = |c: &'static str| c.rsplit("::").next().unwrap_or(c);
    let near = did_you_mean(bare, codes().map(|i| i.code))
        .or_else(|| codes().map(|i| i.code).find(|c| last(c) == bare))
        .map_or("`mlc explain` lists all codes".to_string(), |c| format!("did you mean `mlc::{c}`?"));
    Err(Failure(format!("there is no code `{code}`; {near}")))
}

/// Paragraphs with lines of at most 90 characters; what is indented stays as it is.
fn wrapped(text: &str) -> String {
    let mut out = String::new();
    for line in text.lines() {
        let mut width = 0;
        for (i, word) in line.split(' ').enumerate() {
            let len = word.chars().count();
            if i > 0 && width + 1 + len > 90 && !line.starts_with(' ') {
                out.push('\n');
                width = 0;
            } else if i > 0 {
                out.push(' ');
                width += 1;
            }
            out.push_str(word);
            width += len;
        }
        out.push('\n');
    }
    out
}
