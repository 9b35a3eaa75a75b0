//! The run directory: weights, optimizer states, what was run, and the metrics as they come.
//!
//! `spec.mlspec` and `run.yaml` are there from the start and hold what it takes to run again: [`Run::open`] reads them.
//!
//! Files are written to a temporary name, synced and renamed, so that none is ever half there;
//! `metrics.jsonl` grows line by line. A run that exists is never overwritten.

mod events;
mod info;
mod record;

pub use info::{
    Asked, Finished, Fold, Folds, Results, Run, RunInfo, Section, Sections, WeightsOf, changed_files,
};
pub use record::{Lengths, MetricsLog, Record, Scope, Split};

use super::error::RunError;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Where runs go that have no `--out`.
const RUNS: &str = "runs";

/// The spec as it was trained, and what was run.
const SPEC: &str = "spec.mlspec";
const RUN_YAML: &str = "run.yaml";

/// A folder that belongs to one run.
#[derive(Debug)]
pub struct RunDir {
    path: PathBuf,
}

impl RunDir {
    /// Makes `out`, which must not exist or be empty; or else `runs/<name>-<n>` with the first free `n`.
    pub fn create(out: Option<&Path>, name: &str) -> Result<RunDir, RunError> {
        match out {
            Some(path) => {
                fs::create_dir_all(path).map_err(|e| RunError::io("make the folder", path, &e))?;
                let mut entries = fs::read_dir(path).map_err(|e| RunError::io("list", path, &e))?;
                if entries.next().is_some() {
                    let path = path.display();
                    let message =
                        format!("`{path}` is not empty: choose another folder for `--out`, or remove it");
                    return Err(RunError::Io(message));
                }
                Ok(RunDir { path: path.to_path_buf() })
            }
            None => {
                let runs = Path::new(RUNS);
                fs::create_dir_all(runs).map_err(|e| RunError::io("make the folder", runs, &e))?;
                // Making the folder is what claims the number: two runs that start together differ.
                for n in 1.. {
                    let path = runs.join(format!("{name}-{n}"));
                    match fs::create_dir(&path) {
                        Ok(()) => return Ok(RunDir { path }),
                        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
                        Err(e) => return Err(RunError::io("make the folder", &path, &e)),
                    }
                }
                unreachable!("the numbers of runs do not end")
            }
        }
    }

    /// The folder of a run that is there.
    pub fn at(path: &Path) -> RunDir {
        RunDir { path: path.to_path_buf() }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes a file whole or not at all.
    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<(), RunError> {
        let path = self.path.join(name);
        write_safely(&path, bytes).map_err(|e| RunError::io("write", &path, &e))
    }

    /// Keeps the text that was trained.
    pub fn write_spec(&self, text: &str) -> Result<(), RunError> {
        self.write(SPEC, text.as_bytes())
    }

    /// Notes what is run, and how far it is.
    pub fn write_info(&self, info: &RunInfo) -> Result<(), RunError> {
        let yaml = serde_yaml::to_string(info).expect("runtime: what was run is plain data");
        self.write(RUN_YAML, yaml.as_bytes())
    }

    /// `metrics.jsonl` and the events for TensorBoard, cut to what they held. The folder is this process's until the
    /// log is dropped.
    ///
    /// # Errors
    /// If another process trains here.
    pub fn metrics(&self, held: Lengths) -> Result<MetricsLog, RunError> {
        MetricsLog::open(&self.path, held)
    }
}

/// Held while a file is written.
static WRITING: Mutex<()> = Mutex::new(());

/// Waits for the file that is being written and lets none begin: whoever ends the process in here
/// leaves no temporary file behind.
pub fn between_files() -> MutexGuard<'static, ()> {
    WRITING.lock().unwrap_or_else(PoisonError::into_inner)
}

fn write_safely(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(".tmp");
    let temporary = PathBuf::from(temporary);
    let _writing = between_files();
    write_synced(&temporary, bytes)?;
    fs::rename(&temporary, path)?;
    path.parent().into_iter().for_each(sync_folder);
    Ok(())
}

/// Writes a file that nobody looks at yet.
pub(super) fn write_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// New names are safe once their folder is; some file systems cannot sync folders.
pub(super) fn sync_folder(folder: &Path) {
    if let Ok(folder) = File::open(folder) {
        let _ = folder.sync_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_never_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("a/b");
        let run = RunDir::create(Some(&out), "x").unwrap();
        run.write("f", b"one").unwrap();
        run.write("f", b"two").unwrap();
        assert_eq!(fs::read(out.join("f")).unwrap(), b"two");
        assert_eq!(fs::read_dir(&out).unwrap().count(), 1);
        let again = RunDir::create(Some(&out), "x").unwrap_err().to_string();
        assert!(again.ends_with("is not empty: choose another folder for `--out`, or remove it"), "{again}");
    }
}
