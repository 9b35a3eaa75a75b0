//! The lesson inside the binary: what `mlc train` trains when no spec is named.
//!
//! So a lone binary can show what it does. The files are unpacked into a temporary folder,
//! since specs and data are read from folders, and are gone when the lesson is dropped.

use super::Failure;
use super::spec::reason;
use std::fs;
use std::path::PathBuf;

/// Paths below the folder, and what is in them.
const FILES: &[(&str, &[u8])] = &[
    (SPEC, include_bytes!("../../specs/digits.mlspec")),
    (
        "data/digits/digits-images-idx3-ubyte.gz",
        include_bytes!("../../specs/data/digits/digits-images-idx3-ubyte.gz"),
    ),
    (
        "data/digits/digits-labels-idx1-ubyte.gz",
        include_bytes!("../../specs/data/digits/digits-labels-idx1-ubyte.gz"),
    ),
];
const SPEC: &str = "digits.mlspec";

/// The lesson's files on disk.
pub struct Lesson {
    folder: PathBuf,
}

impl Lesson {
    pub fn unpack() -> Result<Lesson, Failure> {
        let lesson =
            Lesson { folder: std::env::temp_dir().join(format!("mlc-lesson-{}", std::process::id())) };
        for (path, bytes) in FILES {
            let path = lesson.folder.join(path);
            let parent = path.parent().expect("lesson: its files lie in a folder");
            fs::create_dir_all(parent)
                .and_then(|()| fs::write(&path, bytes))
                .map_err(|e| Failure(format!("cannot write {}: {}", path.display(), reason(&e))))?;
        }
        Ok(lesson)
    }

    pub fn spec(&self) -> PathBuf {
        self.folder.join(SPEC)
    }
}

impl Drop for Lesson {
    fn drop(&mut self) {
        // A leftover in the temporary folder harms nobody.
        let _ = fs::remove_dir_all(&self.folder);
    }
}
