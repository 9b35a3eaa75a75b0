//! Checkpoints: folders `checkpoints/000500` of a run, each with all that it takes to go on from there.
//!
//! A checkpoint is written beside its place, synced and renamed, so it is there whole or not at all, whenever the
//! process ends. What else lies in `checkpoints` ends in `.tmp` and means nothing.

use super::error::RunError;
use super::run_dir::{between_files, sync_folder, write_synced};
use serde::de::DeserializeOwned;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

const FOLDER: &str = "checkpoints";
pub const MODEL: &str = "model.safetensors";
pub const OPTIMIZER: &str = "optimizer.safetensors";
/// The best weights so far, where those are of an earlier step.
pub const BEST: &str = "best.safetensors";
pub const STATE: &str = "state.yaml";

/// One that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    pub step: u64,
    pub path: PathBuf,
}

impl Checkpoint {
    /// A file of it.
    pub fn read(&self, name: &str) -> Result<Vec<u8>, RunError> {
        let path = self.path.join(name);
        fs::read(&path).map_err(|e| self.damaged(format!("cannot read `{name}`: {e}")))
    }

    /// The state of the run at its step.
    pub fn state<T: DeserializeOwned>(&self) -> Result<T, RunError> {
        let bytes = self.read(STATE)?;
        serde_yaml::from_slice(&bytes).map_err(|e| self.damaged(format!("`{STATE}`: {e}")))
    }

    pub fn has(&self, name: &str) -> bool {
        self.path.join(name).exists()
    }

    pub fn damaged(&self, why: impl std::fmt::Display) -> RunError {
        let path = self.path.display();
        RunError::Io(format!(
            "the checkpoint `{path}` is damaged ({why}): remove that folder to go on from an earlier one, or from \
             the start"
        ))
    }
}

/// All of a run, the earliest first.
pub fn all(run: &Path) -> Result<Vec<Checkpoint>, RunError> {
    let folder = run.join(FOLDER);
    let entries = match fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(RunError::io("list", &folder, &e)),
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|e| RunError::io("list", &folder, &e))?;
        let name = entry.file_name();
        let digits = name.to_str().filter(|n| n.bytes().all(|b| b.is_ascii_digit()));
        if let Some(step) = digits.and_then(|n| n.parse().ok()) {
            found.push(Checkpoint { step, path: entry.path() });
        }
    }
    found.sort_by_key(|c| c.step);
    Ok(found)
}

/// Writes a checkpoint: files by name.
pub fn write(run: &Path, step: u64, files: &[(&str, Vec<u8>)]) -> Result<(), RunError> {
    let folder = run.join(FOLDER);
    let place = folder.join(format!("{step:06}"));
    let beside = folder.join(format!("{step:06}.tmp"));
    let done = || -> io::Result<()> {
        let _writing = between_files();
        if beside.exists() {
            fs::remove_dir_all(&beside)?;
        }
        fs::create_dir_all(&beside)?;
        for (name, bytes) in files {
            write_synced(&beside.join(name), bytes)?;
        }
        sync_folder(&beside);
        fs::rename(&beside, &place)?;
        sync_folder(&folder);
        Ok(())
    };
    done().map_err(|e| RunError::io("write", &place, &e))
}

/// Removes the earliest until `keep` are left beside `best`, which stays whatever its age.
pub fn prune(run: &Path, keep: usize, best: Option<u64>) -> Result<(), RunError> {
    let others: Vec<Checkpoint> = all(run)?.into_iter().filter(|c| Some(c.step) != best).collect();
    let too_many = others.len().saturating_sub(keep);
    for checkpoint in &others[..too_many] {
        let path = &checkpoint.path;
        let _writing = between_files();
        // Renamed first: a folder with the name of a checkpoint is a whole one.
        let gone = path.with_extension("tmp");
        fs::rename(path, &gone)
            .and_then(|()| fs::remove_dir_all(&gone))
            .map_err(|e| RunError::io("remove", path, &e))?;
    }
    Ok(())
}

/// Removes what a process that was ended by force left half done.
pub fn sweep(run: &Path) -> Result<(), RunError> {
    let folder = run.join(FOLDER);
    let Ok(entries) = fs::read_dir(&folder) else { return Ok(()) };
    for path in entries.filter_map(|e| e.ok().map(|e| e.path())) {
        if path.extension().is_some_and(|e| e == "tmp") {
            fs::remove_dir_all(&path).map_err(|e| RunError::io("remove", &path, &e))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(run: &Path) -> Vec<u64> {
        all(run).unwrap().iter().map(|c| c.step).collect()
    }

    #[test]
    fn the_latest_and_the_best_stay() {
        let folder = tempfile::tempdir().unwrap();
        let run = folder.path();
        assert_eq!(steps(run), [0; 0]);
        for step in [500, 1_000_000, 1500, 2000] {
            write(run, step, &[(STATE, format!("step: {step}\n").into_bytes())]).unwrap();
        }
        fs::create_dir(run.join("checkpoints/002500.tmp")).unwrap();
        assert_eq!(steps(run), [500, 1500, 2000, 1_000_000]);
        prune(run, 2, Some(500)).unwrap();
        assert_eq!(steps(run), [500, 2000, 1_000_000]);
        prune(run, 1, None).unwrap();
        assert_eq!(steps(run), [1_000_000]);
        sweep(run).unwrap();
        assert_eq!(fs::read_dir(run.join("checkpoints")).unwrap().count(), 1);
        let latest = all(run).unwrap().remove(0);
        let state: std::collections::BTreeMap<String, u64> = latest.state().unwrap();
        assert_eq!(state["step"], 1_000_000);
        fs::write(latest.path.join(STATE), "{").unwrap();
        assert!(latest.state::<u64>().unwrap_err().to_string().contains("is damaged"));
    }
}
