//! `mlc data`: what the data sections of a spec hold.

use super::args::DataArgs;
use super::spec::{self, Given};
use super::{Failure, Outcome, output};
use crate::base::{FileId, Sources, Span};
use crate::diag::{Diagnostic, Found, Severity};
use crate::runtime::data::{self, profile};
use crate::syntax::ast::{File, ItemKind};

pub fn run(args: &DataArgs) -> Result<Outcome, Failure> {
    let checked = spec::check_data(&Given::file(&args.file, &args.spec)?)?;
    let spec::CheckedData { sources, ast, file, job, views, diagnostics, places } = checked;
    // What is unused may only be so since the rest of the spec is wrong; the table says it anyway.
    let told = |d: &Diagnostic| is_about_data(&ast, file, d.span()) && !d.code.ends_with("::unused");
    let mut found: Vec<Diagnostic> =
        diagnostics.into_iter().filter(|d| views.is_empty() || told(d)).collect();
    if views.is_empty() && found.is_empty() {
        let span = Span::default();
        let none = Diagnostic::error("run::no_data", "the spec has no `data` section", span, "in this file");
        found.push(none.help("add `data table { source = csv(\"table.csv\") }`"));
    }
    let mut profiles = Vec::new();
    for view in &views {
        match profile::profile(view, &places) {
            Ok(mut looked) => {
                found.append(&mut looked.found);
                let plan = job.iter().flat_map(|j| &j.data).find(|d| d.name == view.name);
                if let Some(plan) = plan.filter(|p| looked.profile.parts.is_some() && !p.columns.is_empty()) {
                    match data::load(plan, &places) {
                        Ok(data) => {
                            looked.profile.array_bytes = Some(data.bytes());
                            found.extend(data.warnings);
                        }
                        Err(wrong) => found.extend(wrong),
                    }
                }
                profiles.push(looked.profile);
            }
            Err(wrong) => {
                // That a file is not there was only a warning before.
                found.retain(|d| d.code != wrong.code || d.span() != wrong.span());
                found.push(*wrong);
            }
        }
    }
    match args.json {
        true => output::out(&format!("{}\n", json(&sources, &profiles, &found))),
        false => {
            let texts: Vec<String> = profiles.iter().map(profile::text).collect();
            output::out(&texts.join("\n"));
        }
    }
    output::report(&sources, &found);
    let wrong = found.iter().any(|d| d.severity == Severity::Error);
    Ok(if wrong { Outcome::Errors } else { Outcome::Clean })
}

/// Whether a diagnostic stands in a data section, or in what the command line set.
fn is_about_data(ast: &File, file: FileId, span: Span) -> bool {
    let data =
        ast.items.iter().filter(|i| matches!(&i.kind, ItemKind::Section(s) if &*s.word.name == "data"));
    span.file != file || data.into_iter().any(|item| item.span.contains(span))
}

/// Sections and diagnostics as one object.
fn json(sources: &Sources, profiles: &[profile::Profile], found: &[Diagnostic]) -> String {
    let sections = serde_json::to_value(profiles).expect("cli: a profile is plain data");
    let found = crate::diag::json(&[Found { sources, diagnostics: found }]);
    let diagnostics: serde_json::Value = serde_json::from_str(&found).expect("cli: diagnostics are JSON");
    serde_json::json!({ "data": sections, "diagnostics": diagnostics }).to_string()
}
