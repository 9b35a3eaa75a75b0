//! Waiting until a file changes.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// How often files are looked at: soon enough for who has just saved one.
const EVERY: Duration = Duration::from_millis(100);

/// What tells that a file is another one: its time and length, none if it cannot be had.
type Mark = Option<(SystemTime, u64)>;

/// The state of files, to tell when it changes.
pub struct Watch {
    marks: Vec<(PathBuf, Mark)>,
}

impl Watch {
    /// Of files as they are now.
    pub fn of(files: &[PathBuf]) -> Watch {
        Watch { marks: files.iter().map(|f| (f.clone(), mark(f))).collect() }
    }

    /// Returns when they differ from what `list` finds.
    pub fn wait(&self, mut list: impl FnMut() -> Vec<PathBuf>) {
        while self.marks == Watch::of(&list()).marks {
            std::thread::sleep(EVERY);
        }
    }
}

fn mark(file: &Path) -> Mark {
    let data = std::fs::metadata(file).ok()?;
    Some((data.modified().ok()?, data.len()))
}
