//! Diagnostics as workflow commands of GitHub: they appear beside the lines of a pull request.
//! <https://docs.github.com/actions/reference/workflow-commands-for-github-actions>

use super::{Diagnostic, Found};
use crate::base::Sources;

/// One line for each diagnostic.
pub fn github(found: &[Found]) -> String {
    let of = |f: &Found| f.diagnostics.iter().map(|d| command(f.sources, d)).collect::<String>();
    found.iter().map(of).collect()
}

fn command(sources: &Sources, d: &Diagnostic) -> String {
    let (line, column) = sources.line_col(d.span());
    let (end_line, end_column) = sources.line_col(d.span().end());
    let file = property(&sources.get(d.span().file).name);
    // GitHub knows columns only of places within one line.
    let columns = match line == end_line {
        true => format!(",col={column},endColumn={end_column}"),
        false => String::new(),
    };
    let reasons = d.labels.iter().map(|l| &l.text).filter(|text| !text.is_empty());
    let help = d.help.iter().map(|help| format!("help: {help}"));
    let text: Vec<String> = std::iter::once(d.message.clone()).chain(reasons.cloned()).chain(help).collect();
    let (severity, title) = (d.severity.word(), property(&format!("mlc::{}", d.code)));
    let text = data(&text.join("\n"));
    format!("::{severity} file={file},line={line},endLine={end_line}{columns},title={title}::{text}\n")
}

fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::render::tests::example;

    #[test]
    fn a_command_is_one_line() {
        let (sources, mut all) = example();
        all[0].message += ", 100 %\nof it";
        insta::assert_snapshot!(github(&[Found { sources: &sources, diagnostics: &all }]));
    }
}
