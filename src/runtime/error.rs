//! What can end a run early.

use crate::diag::Diagnostic;
use std::io;
use std::path::Path;

/// A run that cannot start or go on.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The user's text or data are at fault: shown on the spec, exit 1.
    #[error("{}", .0.iter().map(|d| d.message.as_str()).collect::<Vec<_>>().join("\n"))]
    Diagnostics(Vec<Diagnostic>),
    /// The system or the command line is: exit 2.
    #[error("{0}")]
    Io(String),
}

impl RunError {
    pub fn io(what: &str, path: &Path, error: &io::Error) -> RunError {
        RunError::Io(format!("cannot {what} `{}`: {error}", path.display()))
    }
}

impl From<Vec<Diagnostic>> for RunError {
    fn from(diagnostics: Vec<Diagnostic>) -> RunError {
        RunError::Diagnostics(diagnostics)
    }
}

impl From<Diagnostic> for RunError {
    fn from(diagnostic: Diagnostic) -> RunError {
        RunError::Diagnostics(vec![diagnostic])
    }
}
