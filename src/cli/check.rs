//! `mlc check`: every error of every file, at once.

use super::args::{CheckArgs, Format};
use super::{Failure, Outcome, output, spec};
use crate::diag::{Severity, json};

pub fn run(args: &CheckArgs) -> Result<Outcome, Failure> {
    let mut outcome = Outcome::Clean;
    let (mut objects, mut unreadable) = (Vec::new(), None);
    for file in &args.files {
        let checked = match spec::check(file, &args.spec) {
            Ok(checked) => checked,
            // The other files are not to suffer; what cannot be read decides the exit code.
            Err(failure) => {
                if let Some(earlier) = unreadable.replace(failure) {
                    output::err(&format!("mlc: {earlier}\n"));
                }
                continue;
            }
        };
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
                output::err(&format!("{}: {verdict}\n", spec::name(file)));
            }
            Format::Json => objects.push(json(&checked.sources, &checked.diagnostics)),
        }
    }
    if args.format == Format::Json {
        output::out(&format!("{}\n", join(&objects)));
    }
    unreadable.map_or(Ok(outcome), Err)
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
