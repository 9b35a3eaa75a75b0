//! `mlc check`: every error of every file, at once.

use super::args::{CheckArgs, Format};
use super::{Failure, Outcome, output, spec};
use crate::diag::{Severity, json};

pub fn run(args: &CheckArgs) -> Result<Outcome, Failure> {
    let mut outcome = Outcome::Clean;
    let mut objects = Vec::new();
    for file in &args.files {
        let checked = spec::check(file, &args.spec)?;
        let errors = checked.diagnostics.iter().filter(|d| d.severity == Severity::Error).count();
        if errors > 0 {
            outcome = Outcome::Errors;
        }
        match args.format {
            Format::Human => {
                output::report(&checked.sources, &checked.diagnostics);
                let verdict = match errors {
                    0 => "ok".to_string(),
                    1 => "1 error".to_string(),
                    n => format!("{n} errors"),
                };
                output::err(&format!("{}: {verdict}\n", file.display()));
            }
            Format::Json => objects.push(json(&checked.sources, &checked.diagnostics)),
        }
    }
    if args.format == Format::Json {
        output::out(&format!("{}\n", join(&objects)));
    }
    Ok(outcome)
}

/// One JSON array of several.
fn join(arrays: &[String]) -> String {
    let inner: Vec<&str> = arrays
        .iter()
        .map(|a| a.trim().trim_start_matches('[').trim_end_matches(']').trim_matches('\n'))
        .filter(|a| !a.trim().is_empty())
        .collect();
    if inner.is_empty() { "[]".into() } else { format!("[\n{}\n]", inner.join(",\n")) }
}
