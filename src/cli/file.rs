//! Files of the user's that are written again.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

/// Writes beside the file, syncs and renames: whatever happens, one whole text is there.
pub fn replace(path: &Path, text: &str) -> io::Result<()> {
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
