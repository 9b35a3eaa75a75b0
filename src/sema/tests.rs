//! Each rule with the diagnostic that it gives: code, message, the text that
//! is pointed at, what to do.

use super::*;
use crate::diag::Diagnostic;
use crate::syntax::parse;

fn run(
    text: &str,
    settings: impl FnOnce(&mut Sources) -> Settings,
) -> (Option<Job>, Vec<Diagnostic>, Sources) {
    let mut sources = Sources::new();
    let file = sources.add("test.mlspec", None, text);
    let settings = settings(&mut sources);
    let (ast, mut diags) = parse(&sources, file);
    let (job, found) = check(&mut sources, file, &ast, &settings, &Blind);
    diags.extend(found.sorted());
    (job, diags.sorted(), sources)
}

fn render(diags: &[Diagnostic], sources: &Sources) -> String {
    let mut lines = Vec::new();
    for d in diags {
        let severity = if d.severity == crate::diag::Severity::Error { "" } else { "(warning) " };
        lines.push(format!("{severity}{}: {}", d.code, d.message));
        lines.extend(d.labels.iter().map(|l| format!("  `{}` {}", sources.slice(l.span), l.text)));
        lines.extend(d.help.iter().map(|h| format!("  help: {h}")));
        lines.extend(
            d.fix.iter().map(|f| format!("  fix: `{}` -> `{}`", sources.slice(f.span), f.replacement)),
        );
    }
    lines.join("\n")
}

#[test]
fn dev() {
    for path in std::env::var("SPECS").unwrap_or_default().split_whitespace() {
        let text = std::fs::read_to_string(path).unwrap();
        let (job, diags, sources) = run(&text, |_| Settings::default());
        println!("=== {path} job={}\n{}", job.is_some(), render(&diags, &sources));
        if std::env::var("GRAPH").is_ok() {
            for t in job.iter().flat_map(|j| &j.trains) {
                println!("{}\n{}", crate::graph::print(&t.forward), crate::graph::print(&t.eval));
            }
            println!("{job:#?}");
        }
    }
}
