//! `mlc render`: the spec with every default written out, variant and overrides applied.

use super::args::{RenderArgs, SectionArgs};
use super::{Failure, Outcome, output, spec};
use crate::syntax;
use crate::tools;

pub fn run(args: &RenderArgs) -> Result<Outcome, Failure> {
    let Some((checked, job)) = spec::job(&args.file, &args.spec, &SectionArgs::default())? else {
        return Ok(Outcome::Errors);
    };
    let full = tools::with_defaults(&checked.ast, &checked.library(), &job);
    match args.json {
        true => output::out(&format!("{:#}\n", tools::json::spec(&full))),
        false => output::out(&syntax::format(&full)),
    }
    Ok(Outcome::Clean)
}
