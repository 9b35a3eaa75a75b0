//! `mlc dump`: the text of a stage.

use super::args::{DumpArgs, Stage};
use super::{Failure, Outcome, output, spec};
use crate::syntax;

pub fn run(args: &DumpArgs) -> Result<Outcome, Failure> {
    match args.stage {
        Stage::Ast => ast(args),
    }
}

/// What parsed is shown even if something else did not.
fn ast(args: &DumpArgs) -> Result<Outcome, Failure> {
    let parsed = spec::parse(&args.file)?;
    output::out(&syntax::dump(&parsed.ast));
    let errors = parsed.diagnostics.has_errors();
    output::report(&parsed.sources, &parsed.diagnostics.sorted());
    Ok(if errors { Outcome::Errors } else { Outcome::Clean })
}
