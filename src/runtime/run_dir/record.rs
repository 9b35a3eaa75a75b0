//! `metrics.jsonl`: one object a line, as a run goes on.

use crate::ops::metric::Figure;
use crate::runtime::error::RunError;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::Write;
use std::path::PathBuf;

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

/// `metrics.jsonl`, open for appending. The line of a step allocates nothing.
#[derive(Debug)]
pub struct MetricsLog {
    file: File,
    path: PathBuf,
    line: Vec<u8>,
}

impl MetricsLog {
    pub(super) fn open(path: PathBuf, bytes: u64) -> Result<MetricsLog, RunError> {
        let failed = |e: std::io::Error| RunError::io("write", &path, &e);
        let file = OpenOptions::new().create(true).append(true).open(&path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let folder = path.parent().unwrap_or(&path).display();
                return Err(RunError::Io(format!(
                    "another process trains in `{folder}`: wait for it, or end it first"
                )));
            }
            // Some file systems have no locks: then it is for the user to start one at a time.
            Err(TryLockError::Error(_)) => {}
        }
        if file.metadata().map_err(failed)?.len() > bytes {
            let cut = OpenOptions::new().write(true).open(&path).and_then(|file| file.set_len(bytes));
            cut.map_err(failed)?;
        }
        Ok(MetricsLog { file, path, line: Vec::with_capacity(1024) })
    }

    /// Waits until all lines are on disk, and gives how many bytes they are.
    pub fn synced(&self) -> Result<u64, RunError> {
        let done = self.file.sync_data().and_then(|()| self.file.metadata());
        done.map(|about| about.len()).map_err(|e| RunError::io("write", &self.path, &e))
    }

    pub fn append(&mut self, record: &Record) -> Result<(), RunError> {
        self.line.clear();
        serde_json::to_writer(&mut self.line, record).expect("runtime: a record is plain data");
        self.line.push(b'\n');
        self.file.write_all(&self.line).map_err(|e| RunError::io("write", &self.path, &e))
    }
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
        let mut log = run.metrics(0).unwrap();
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
