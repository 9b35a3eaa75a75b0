//! `mlc fmt`: specs in the one style that they have.
//!
//! A file with errors is left alone and its errors are shown. A file is
//! replaced whole or not at all.

use super::args::FmtArgs;
use super::file::replace;
use super::{Failure, Outcome, output, spec};
use crate::syntax;
use std::path::Path;

pub fn run(args: &FmtArgs) -> Result<Outcome, Failure> {
    let mut outcome = Outcome::Clean;
    for path in &args.files {
        let parsed = spec::parse(path)?;
        let errors = parsed.diagnostics.has_errors();
        output::report(&parsed.sources, &parsed.diagnostics.sorted());
        if errors {
            outcome = Outcome::Errors;
            continue;
        }
        let formatted = syntax::format(&parsed.ast);
        let changed = formatted != *parsed.sources.get(parsed.file).text;
        match (args.check, path == Path::new("-")) {
            (true, _) if changed => {
                output::out(&format!("{}\n", path.display()));
                outcome = Outcome::Errors;
            }
            (true, _) => {}
            (false, true) => output::out(&formatted),
            (false, false) if changed => replace(path, &formatted)
                .map_err(|e| Failure(format!("cannot write {}: {}", path.display(), spec::reason(&e))))?,
            (false, false) => {}
        }
    }
    Ok(outcome)
}
