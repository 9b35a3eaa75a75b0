//! `metrics.jsonl`: one object a line, as a run goes on.

use super::events::{self, Events};
use crate::ops::metric::Figure;
use crate::runtime::error::RunError;
use serde::ser::SerializeMap;
use serde::{Deserialize, Serialize, Serializer};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::Write;
use std::path::{Path, PathBuf};

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
    pub metrics: &'a [(String, Figure)],
    /// Since training began.
    pub seconds: f64,
}

/// Each under its name, groups flattened.
fn as_map<S: Serializer>(figures: &&[(String, Figure)], serializer: S) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(None)?;
    for (name, figure) in figures.iter().flat_map(|(name, figure)| figure.flat(name)) {
        map.serialize_entry(&name, &figure)?;
    }
    map.end()
}

/// Bytes of the two logs, by which a run that is taken up again finds its place in them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lengths {
    pub metrics: u64,
    pub events: u64,
}

/// `metrics.jsonl` and its twin for TensorBoard, open for appending. The line of a step allocates nothing.
#[derive(Debug)]
pub struct MetricsLog {
    file: File,
    path: PathBuf,
    line: Vec<u8>,
    events: Events,
}

impl MetricsLog {
    /// Opens the logs of a folder, cut to what they held.
    pub(super) fn open(folder: &Path, held: Lengths) -> Result<MetricsLog, RunError> {
        let path = folder.join("metrics.jsonl");
        let file = appending(&path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(RunError::Io(format!(
                    "another process trains in `{}`: wait for it, or end it first",
                    folder.display()
                )));
            }
            // Some file systems have no locks: then it is for the user to start one at a time.
            Err(TryLockError::Error(_)) => {}
        }
        cut(&file, &path, held.metrics)?;
        let events = Events::open(folder.join(events::NAME), held.events)?;
        Ok(MetricsLog { file, path, line: Vec::with_capacity(1024), events })
    }

    /// Waits until all lines are on disk, and gives how much they are.
    pub fn synced(&self) -> Result<Lengths, RunError> {
        Ok(Lengths { metrics: synced(&self.file, &self.path)?, events: self.events.synced()? })
    }

    pub fn append(&mut self, record: &Record) -> Result<(), RunError> {
        self.line.clear();
        serde_json::to_writer(&mut self.line, record).expect("runtime: a record is plain data");
        self.line.push(b'\n');
        self.file.write_all(&self.line).map_err(|e| RunError::io("write", &self.path, &e))?;
        self.events.append(record)
    }
}

/// A log, made if it is not there.
pub(super) fn appending(path: &Path) -> Result<File, RunError> {
    let opened = OpenOptions::new().create(true).append(true).open(path);
    opened.map_err(|e| RunError::io("write", path, &e))
}

/// Cuts a log to its first `bytes`.
pub(super) fn cut(log: &File, path: &Path, bytes: u64) -> Result<(), RunError> {
    let failed = |e: std::io::Error| RunError::io("write", path, &e);
    if log.metadata().map_err(failed)?.len() > bytes {
        // What only appends may not cut everywhere.
        let cut = OpenOptions::new().write(true).open(path).and_then(|file| file.set_len(bytes));
        cut.map_err(failed)?;
    }
    Ok(())
}

/// Waits until a log is on disk, and gives its length.
pub(super) fn synced(log: &File, path: &Path) -> Result<u64, RunError> {
    let done = log.sync_data().and_then(|()| log.metadata());
    done.map(|about| about.len()).map_err(|e| RunError::io("write", path, &e))
}

#[cfg(test)]
mod tests {
    use super::super::RunDir;
    use super::*;
    use std::fs;

    #[test]
    fn records_are_lines_of_json() {
        let folder = tempfile::tempdir().unwrap();
        let run = RunDir::create(Some(folder.path()), "x").unwrap();
        let mut log = run.metrics(Lengths::default()).unwrap();
        let metrics =
            [("accuracy".to_string(), Figure::Number(Some(0.5))), ("auc".to_string(), Figure::Number(None))];
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
            r#"{"of":"epoch","step":1,"epoch":1,"split":"valid","loss":0.25,"metrics":{"accuracy":0.5,"auc":null},"seconds":1.5}"#
        );
        assert_eq!(text.lines().count(), 2);
    }
}
