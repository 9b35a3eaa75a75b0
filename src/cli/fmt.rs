//! `mlc fmt`: specs in the one style that they have.
//!
//! A file with errors is left alone and its errors are shown. A file is
//! replaced whole or not at all.

use super::args::FmtArgs;
use super::{Failure, Outcome, output, spec};
use crate::syntax;
use std::fs::{self, File};
use std::io::{self, Write};
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

/// Writes beside the file, syncs and renames: whatever happens, one whole text is there.
fn replace(path: &Path, text: &str) -> io::Result<()> {
    // The file itself, if the path is a link to it.
    let path = fs::canonicalize(path)?;
    let permissions = fs::metadata(&path)?.permissions();
    if permissions.readonly() {
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, "the file is read-only"));
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let beside = path.with_file_name(format!(".{name}.{}.tmp", std::process::id()));
    let written = write_synced(&beside, text, permissions).and_then(|()| fs::rename(&beside, &path));
    if written.is_err() {
        // The reason is in the error; the half-written file is of no use.
        let _ = fs::remove_file(&beside);
    }
    written
}

fn write_synced(path: &Path, text: &str, permissions: fs::Permissions) -> io::Result<()> {
    let mut file = File::options().write(true).create_new(true).open(path)?;
    file.write_all(text.as_bytes())?;
    file.set_permissions(permissions)?;
    file.sync_all()
}
