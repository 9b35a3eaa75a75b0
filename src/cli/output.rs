//! Writing to the terminal.

use crate::base::Sources;
use crate::diag::{Diagnostic, Look, human_as};
use std::io::{self, IsTerminal, Write};

/// Writes to standard output. When nobody reads it any more (`mlc dump … | head`), that is the
/// reader's wish: the process ends quietly.
pub fn out(text: &str) {
    let mut stdout = io::stdout().lock();
    if stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()).is_err() {
        std::process::exit(0);
    }
}

/// Writes to standard error. If that fails there is no place left to say so.
pub fn err(text: &str) {
    let _ = io::stderr().lock().write_all(text.as_bytes());
}

/// Whether messages are coloured: for a terminal that shows colours, unless `NO_COLOR` asks for none.
pub fn color() -> bool {
    let set = |name| std::env::var_os(name).is_some_and(|v| !v.is_empty());
    let dumb = std::env::var_os("TERM").is_some_and(|t| t == "dumb");
    io::stderr().is_terminal() && !set("NO_COLOR") && !dumb
}

fn width() -> usize {
    let columns = std::env::var("COLUMNS").ok().and_then(|c| c.parse().ok());
    columns.unwrap_or(Look::default().width).clamp(40, 200)
}

/// Reports to standard error, and ends with how many errors there are.
pub fn report(sources: &Sources, diagnostics: &[Diagnostic]) {
    err(&human_as(sources, diagnostics, Look { color: color(), width: width() }));
}
