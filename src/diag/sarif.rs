//! Diagnostics as SARIF 2.1.0 (OASIS, 2020): what code scanning and editors read.
//!
//! One run over all files. A code is a rule with the text of `mlc explain`; the labels behind the
//! first are related locations, a fix is a fix.

use super::{Code, Diagnostic, Fix, Found, explain, link};
use crate::base::{Sources, Span};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// The log of one run of `mlc check`.
pub fn sarif(found: &[Found]) -> String {
    let all = || found.iter().flat_map(|f| f.diagnostics.iter().map(move |d| (f.sources, d)));
    let rules: Vec<Code> = all().map(|(_, d)| d.code).collect::<BTreeSet<_>>().into_iter().collect();
    let log = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "mlc",
                "version": env!("CARGO_PKG_VERSION"),
                "rules": rules.iter().map(|code| rule(code)).collect::<Vec<_>>(),
            } },
            "columnKind": "unicodeCodePoints",
            "results": all().map(|(sources, d)| result(sources, d, &rules)).collect::<Vec<_>>(),
        }],
    });
    serde_json::to_string_pretty(&log).expect("sarif: plain values are JSON")
}

fn rule(code: Code) -> Value {
    let info = explain(code);
    let title = info.map_or(code, |i| i.title);
    let text = info.map_or(code, |i| i.explain);
    json!({
        "id": format!("mlc::{code}"),
        "shortDescription": { "text": title },
        "help": { "text": text, "markdown": text },
        "helpUri": link(code),
    })
}

fn result(sources: &Sources, d: &Diagnostic, rules: &[Code]) -> Value {
    let text = match &d.help {
        Some(help) => format!("{}\n{help}", d.message),
        None => d.message.clone(),
    };
    let rule = rules.iter().position(|code| *code == d.code).expect("sarif: every code is a rule");
    let mut result = json!({
        "ruleId": format!("mlc::{}", d.code),
        "ruleIndex": rule,
        "level": d.severity.word(),
        "message": { "text": text },
        "locations": [{ "physicalLocation": physical(sources, d.span()) }],
    });
    let others = d.labels.iter().skip(1).enumerate().map(|(i, label)| {
        json!({
            "id": i,
            "message": { "text": label.text },
            "physicalLocation": physical(sources, label.span),
        })
    });
    let others: Vec<Value> = others.collect();
    if !others.is_empty() {
        result["relatedLocations"] = others.into();
    }
    if let Some(fix) = &d.fix {
        result["fixes"] = json!([repair(sources, fix)]);
    }
    result
}

fn physical(sources: &Sources, span: Span) -> Value {
    json!({ "artifactLocation": { "uri": uri(sources, span) }, "region": region(sources, span) })
}

fn repair(sources: &Sources, fix: &Fix) -> Value {
    json!({
        "description": { "text": fix.title },
        "artifactChanges": [{
            "artifactLocation": { "uri": uri(sources, fix.span) },
            "replacements": [{
                "deletedRegion": region(sources, fix.span),
                "insertedContent": { "text": fix.replacement },
            }],
        }],
    })
}

/// Lines and columns from 1; the end is behind the last character.
fn region(sources: &Sources, span: Span) -> Value {
    let (line, column) = sources.line_col(span);
    let (end_line, end_column) = sources.line_col(span.end());
    json!({ "startLine": line, "startColumn": column, "endLine": end_line, "endColumn": end_column })
}

/// The name of a text as a reference: a path of the user's, or `mlc:std/loss.mlspec` for one that is in no file.
fn uri(sources: &Sources, span: Span) -> String {
    let source = sources.get(span.file);
    let path = source.name.replace('\\', "/");
    let scheme = if source.folder.is_some() { "" } else { "mlc:" };
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~/".contains(&b);
    let encoded =
        path.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") });
    std::iter::once(scheme.to_string()).chain(encoded).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::render::tests::example;

    #[test]
    fn sarif_has_rules_places_and_fixes() {
        let (sources, all) = example();
        let log: Value = serde_json::from_str(&sarif(&[Found { sources: &sources, diagnostics: &all }]))
            .expect("sarif is JSON");
        insta::assert_snapshot!(
            serde_json::to_string_pretty(&log["runs"][0]["results"]).expect("JSON again")
        );
    }

    #[test]
    fn paths_become_references() {
        let mut sources = Sources::new();
        let at = |file| Span::new(file, 0, 0);
        let own = sources.add("my specs/ä.mlspec", Some("my specs".into()), "");
        let std = sources.add("std/loss.mlspec", None, "");
        assert_eq!(uri(&sources, at(own)), "my%20specs/%C3%A4.mlspec");
        assert_eq!(uri(&sources, at(std)), "mlc:std/loss.mlspec");
    }
}
