//! The run directory: weights, optimizer states, what was run, and the metrics as they come.
//!
//! Files are written to a temporary name, synced and renamed, so that none is ever half there;
//! `metrics.jsonl` grows line by line. A run that exists is never overwritten.

use super::data::{FileInfo, FittedColumn};
use super::error::RunError;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Where runs go that have no `--out`.
const RUNS: &str = "runs";

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

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes a file whole or not at all.
    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<(), RunError> {
        let path = self.path.join(name);
        write_safely(&path, bytes).map_err(|e| RunError::io("write", &path, &e))
    }

    pub fn metrics(&self) -> Result<MetricsLog, RunError> {
        let path = self.path.join("metrics.jsonl");
        let opened = OpenOptions::new().create(true).append(true).open(&path);
        let file = opened.map_err(|e| RunError::io("write", &path, &e))?;
        Ok(MetricsLog { file, path, line: Vec::with_capacity(1024) })
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
    let mut file = File::create(&temporary)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    drop(file);
    fs::rename(&temporary, path)?;
    // The new name is safe once the folder is; some file systems cannot sync folders.
    if let Some(folder) = path.parent()
        && let Ok(folder) = File::open(folder)
    {
        let _ = folder.sync_all();
    }
    Ok(())
}

/// Which rows a record is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Split {
    Train,
    Valid,
    Test,
}

impl Split {
    pub fn name(self) -> &'static str {
        match self {
            Split::Train => "train",
            Split::Valid => "valid",
            Split::Test => "test",
        }
    }
}

/// What a record's loss is averaged over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// The batch of one step.
    Step,
    /// All rows of an epoch, or of the split that was evaluated.
    Epoch,
}

/// One line of `metrics.jsonl`.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Record<'a> {
    pub of: Scope,
    /// Steps done.
    pub step: u64,
    /// From 1: the one that the step belongs to.
    pub epoch: u64,
    pub split: Split,
    pub loss: f64,
    #[serde(serialize_with = "as_map")]
    pub metrics: &'a [(String, f64)],
    /// Since training began.
    pub seconds: f64,
}

fn as_map<S: Serializer>(pairs: &&[(String, f64)], serializer: S) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(Some(pairs.len()))?;
    for (name, value) in *pairs {
        map.serialize_entry(name, value)?;
    }
    map.end()
}

/// `metrics.jsonl`, open for appending. A line allocates nothing.
#[derive(Debug)]
pub struct MetricsLog {
    file: File,
    path: PathBuf,
    line: Vec<u8>,
}

impl MetricsLog {
    pub fn append(&mut self, record: &Record) -> Result<(), RunError> {
        self.line.clear();
        serde_json::to_writer(&mut self.line, record).expect("runtime: a record is plain data");
        self.line.push(b'\n');
        self.file.write_all(&self.line).map_err(|e| RunError::io("write", &self.path, &e))
    }
}

/// `run.yaml`: what was run, on what, and what came of it.
#[derive(Clone, Debug, Serialize, serde::Deserialize)]
pub struct RunInfo {
    pub mlc: String,
    pub spec: String,
    pub params: BTreeMap<String, serde_yaml::Value>,
    /// Sizes that the data fixed.
    pub sizes: BTreeMap<String, i64>,
    pub optimizer: String,
    pub optimizer_settings: BTreeMap<String, f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schedule: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clip: Option<String>,
    pub batch: usize,
    pub seed: u64,
    pub threads: usize,
    /// The GPU, if it was one; instruction set, operating system and architecture.
    pub host: String,
    pub data: Vec<FileInfo>,
    pub fitted: Vec<FittedColumn>,
    pub rows: BTreeMap<String, usize>,
    /// Steps and epochs done.
    pub steps: u64,
    pub epochs: u64,
    pub finished: String,
    pub seconds: f64,
    pub weights_hash: String,
    /// The last loss and metrics on each split.
    pub results: BTreeMap<String, BTreeMap<String, f64>>,
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

    #[test]
    fn records_are_lines_of_json() {
        let folder = tempfile::tempdir().unwrap();
        let run = RunDir::create(Some(folder.path()), "x").unwrap();
        let mut log = run.metrics().unwrap();
        let metrics = [("accuracy".to_string(), 0.5)];
        for step in [1, 2] {
            let record = Record {
                of: Scope::Epoch,
                step,
                epoch: 1,
                split: Split::Valid,
                loss: 0.25,
                metrics: &metrics,
                seconds: 1.5,
            };
            log.append(&record).unwrap();
        }
        let text = fs::read_to_string(folder.path().join("metrics.jsonl")).unwrap();
        let first = text.lines().next().unwrap();
        assert_eq!(
            first,
            r#"{"of":"epoch","step":1,"epoch":1,"split":"valid","loss":0.25,"metrics":{"accuracy":0.5},"seconds":1.5}"#
        );
        assert_eq!(text.lines().count(), 2);
    }
}
