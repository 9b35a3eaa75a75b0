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
        return Ok(format!("mlc::{}: {}\n\n{}\n", info.code, info.title, info.explain));
    }
    let bare = code.strip_prefix("mlc::").unwrap_or(code);
    let last = |c: &'static str| c.rsplit("::").next().unwrap_or(c);
    let near = did_you_mean(bare, codes().map(|i| i.code))
        .or_else(|| codes().map(|i| i.code).find(|c| last(c) == bare))
        .map_or("`mlc explain` lists all codes".to_string(), |c| format!("did you mean `mlc::{c}`?"));
    Err(Failure(format!("there is no code `{code}`; {near}")))
}
