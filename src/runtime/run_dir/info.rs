//! `run.yaml` and `spec.mlspec`: what it takes to run again.

use super::{RUN_YAML, SPEC};
use crate::ops::metric::Figure;
use crate::runtime::data::{FileInfo, FittedColumn};
use crate::runtime::engine::DeviceKind;
use crate::runtime::error::RunError;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

/// Of `run.yaml` and the files around it. It grows when a reader of before would misread them.
const FORMAT: u64 = 1;

/// What was said beside the text of the spec: with that, it says what was run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Asked {
    /// The spec as it was named; none of the lesson inside the binary.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Where paths of the spec are looked up, in this order; whole paths.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub folder: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
    /// Each as written: `train.epochs=3`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub set: Vec<String>,
    /// Instead of the plan's length.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub steps: Option<u64>,
    /// The `train` section that was run, if one was named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub train: Option<String>,
    /// The files that models start from, in the order of the models.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pretrained: Vec<FileInfo>,
    /// Weights it started from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub init: Option<FileInfo>,
    /// The weights of sections that were run before this one, in their order: it goes on with those that it has.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub earlier: Vec<FileInfo>,
    pub device: DeviceKind,
}

/// Where a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Finished {
    /// Under way, or ended by force.
    #[serde(rename = "running")]
    Running,
    #[serde(rename = "complete")]
    Complete,
    #[serde(rename = "stopped early")]
    Early,
    #[serde(rename = "interrupted")]
    Interrupted,
    #[serde(rename = "not finite")]
    NotFinite,
    /// By a problem of the machine: a lost GPU, a full disk.
    #[serde(rename = "failed")]
    Failed,
}

/// Which step the weights in `model.safetensors` are of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WeightsOf {
    pub step: u64,
    pub epoch: u64,
    /// By what they were chosen; none of the last step's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub best: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
}

/// `run.yaml`: what was run, on what, and what came of it. It is there from the start, and written anew at
/// the end.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RunInfo {
    pub format: u64,
    pub mlc: String,
    pub spec: String,
    pub asked: Asked,
    pub params: BTreeMap<String, serde_yaml::Value>,
    /// Sizes that the data fixed.
    pub sizes: BTreeMap<String, i64>,
    pub optimizer: String,
    pub optimizer_settings: BTreeMap<String, f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
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
    /// The steps from which it was resumed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resumed: Vec<u64>,
    pub finished: Finished,
    pub seconds: f64,
    /// Of `model.safetensors`; empty until that is written.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub weights_hash: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weights_of: Option<WeightsOf>,
    /// Loss and metrics of those weights on each split.
    pub results: Results,
    /// Of a run of several folds, each of which is a run in a folder of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folds: Option<Folds>,
    /// Of a run of several sections, each of which is a run in a folder of its own: those that are done, in order.
    /// Weights and results of the whole are the last one's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sections: Option<Sections>,
}

/// Loss and metrics by name, for each split.
pub type Results = BTreeMap<String, BTreeMap<String, Figure>>;

/// What came of the folds; the results of the whole are their means.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Folds {
    /// How many there are to do.
    pub of: usize,
    /// The sample standard deviations of the results, over the folds that are done.
    pub spread: Results,
    /// Those that are done, in order.
    pub done: Vec<Fold>,
}

/// Several `train` sections that are run in turn.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Sections {
    /// Their names, which are those of their folders, in the order of the spec.
    pub of: Vec<String>,
    /// Those that are done, in order.
    pub done: Vec<Section>,
}

/// What came of one of them.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Section {
    pub name: String,
    pub rows: BTreeMap<String, usize>,
    pub steps: u64,
    pub weights_hash: String,
    pub results: Results,
}

/// One of them.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Fold {
    /// Inside the folder of the whole.
    pub folder: String,
    pub rows: BTreeMap<String, usize>,
    pub steps: u64,
    pub weights_hash: String,
    pub results: Results,
}

impl RunInfo {
    /// The format that this program writes.
    pub const fn format() -> u64 {
        FORMAT
    }
}

/// A run that was found on disk.
#[derive(Clone, Debug)]
pub struct Run {
    pub path: PathBuf,
    /// The text of the spec as it was trained.
    pub spec: String,
    pub info: RunInfo,
}

impl Run {
    /// Reads what was run in a folder that training made.
    ///
    /// # Errors
    /// With what to do about it: if the folder is none or no run's, a file of it is missing or damaged, or a
    /// newer program wrote it.
    pub fn open(path: &Path) -> Result<Run, RunError> {
        let shown = path.display();
        if !path.is_dir() {
            let what = if path.exists() { "is a file, not the folder of a run" } else { "is not there" };
            return Err(RunError::Io(format!("`{shown}` {what}: {NAME_A_RUN}")));
        }
        let yaml = path.join(RUN_YAML);
        let text = match std::fs::read_to_string(&yaml) {
            Ok(text) => text,
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                return Err(RunError::Io(format!(
                    "`{shown}` is no run, for it has no {RUN_YAML}: {NAME_A_RUN}"
                )));
            }
            Err(e) => return Err(RunError::io("read", &yaml, &e)),
        };
        let info = parse(&text).map_err(|why| RunError::Io(format!("`{}` {why}", yaml.display())))?;
        let spec = path.join(SPEC);
        let spec = std::fs::read_to_string(&spec).map_err(|e| match e.kind() {
            io::ErrorKind::NotFound => RunError::Io(format!(
                "`{shown}` lacks {SPEC}, the spec that it trained: put the file back, or train anew"
            )),
            _ => RunError::io("read", &spec, &e),
        })?;
        Ok(Run { path: path.to_path_buf(), spec, info })
    }

    /// Where diagnostics say that the spec stands.
    pub fn spec_path(&self) -> PathBuf {
        self.path.join(SPEC)
    }
}

const NAME_A_RUN: &str = "name a folder that `mlc train` made, such as runs/digits-1";

/// The format first: of a newer one the rest may mean anything.
fn parse(text: &str) -> Result<RunInfo, String> {
    const AGAIN: &str = "take it from a copy, or train anew";
    let damaged = |e: serde_yaml::Error| format!("is damaged ({e}): {AGAIN}");
    let yaml: serde_yaml::Value = serde_yaml::from_str(text).map_err(damaged)?;
    let wrote = yaml["mlc"].as_str().unwrap_or("an mlc that does not say its version");
    match yaml["format"].as_u64() {
        None => return Err(format!("names no format: {AGAIN}")),
        Some(format) if format > FORMAT => {
            return Err(format!(
                "was written by mlc {wrote} in the format {format}, but this mlc {} reads up to {FORMAT}: take \
                 the newer mlc",
                env!("CARGO_PKG_VERSION")
            ));
        }
        Some(_) => {}
    }
    serde_yaml::from_value(yaml).map_err(damaged)
}

/// The files whose bytes are others than in the run before, each with what to say of it.
pub fn changed_files(before: &[FileInfo], now: &[FileInfo]) -> Vec<String> {
    let mut wrong = Vec::new();
    for (was, is) in before.iter().zip(now).filter(|(was, is)| was.hash != is.hash || was.bytes != is.bytes) {
        wrong.push(format!(
            "`{}` is not what it was: {} bytes with the hash {}, then {} bytes with {}",
            is.path, is.bytes, is.hash, was.bytes, was.hash
        ));
    }
    if before.len() != now.len() {
        wrong.push(format!("{} files are read, then it were {}", now.len(), before.len()));
    }
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opened(folder: &Path) -> String {
        Run::open(folder).map(|_| ()).unwrap_err().to_string()
    }

    #[test]
    fn what_is_no_run_is_told_from_what_is_too_new() {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path();
        assert!(opened(&at.join("none")).contains("is not there: name a folder"));
        assert!(opened(at).contains("is no run, for it has no run.yaml"));
        std::fs::write(at.join("f"), "").unwrap();
        assert!(opened(&at.join("f")).contains("is a file"));
        let with = |text: &str| {
            std::fs::write(at.join(RUN_YAML), text).unwrap();
            opened(at)
        };
        assert!(with("a: [").contains("is damaged"));
        assert!(with("{}").contains("names no format"));
        let newer = with("{ format: 99, mlc: 7.1.0, all: { is: else } }");
        assert!(
            newer.contains("mlc 7.1.0 in the format 99") && newer.contains("take the newer mlc"),
            "{newer}"
        );
        assert!(with("{ format: 1, mlc: 0.1.0 }").contains("missing field"), "{}", with("{ format: 1 }"));
    }

    #[test]
    fn files_are_compared_by_their_bytes() {
        let file = |path: &str, hash: &str| FileInfo { path: path.into(), bytes: 3, hash: hash.into() };
        let before = [file("a/x.csv", "01"), file("a/y.csv", "02")];
        assert_eq!(changed_files(&before, &[file("b/x.csv", "01"), file("b/y.csv", "02")]), [""; 0]);
        let wrong = changed_files(&before, &[file("b/x.csv", "01"), file("b/y.csv", "03")]);
        assert!(wrong.len() == 1 && wrong[0].starts_with("`b/y.csv` is not what it was"), "{wrong:?}");
        assert_eq!(changed_files(&before, &before[..1]).len(), 1);
    }
}
