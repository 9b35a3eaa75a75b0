//! Rows that a command names itself, `--input FILE`, instead of those of the spec.

use super::Failure;
use super::spec::{self, Checked};
use crate::base::Span;
use crate::runtime::data::source_like;
use crate::sema::job::{SourceKind, SourcePlan};
use std::io::{Write, stdin};
use std::path::{Path, PathBuf};

/// A file to read: the one that was named, or what came by standard input, for as long as it is read.
pub struct Input {
    /// As it was named.
    named: PathBuf,
    path: PathBuf,
    temporary: bool,
}

impl Input {
    pub fn open(named: &Path) -> Result<Input, Failure> {
        if named != Path::new("-") {
            return Ok(Input { named: named.to_path_buf(), path: named.to_path_buf(), temporary: false });
        }
        let path = std::env::temp_dir().join(format!("mlc-rows-of-input-{}", std::process::id()));
        let copied = std::fs::File::create(&path).and_then(|mut file| {
            std::io::copy(&mut stdin().lock(), &mut file)?;
            file.flush()
        });
        let input = Input { named: named.to_path_buf(), path, temporary: true };
        copied.map_err(|e| Failure(format!("cannot keep standard input: {}", spec::reason(&e))))?;
        Ok(input)
    }

    /// How to read it, with a text of its own for messages: by its ending, or as `format` says, and else as the run
    /// read its own. `labels` are columns that it may lack.
    pub fn source(
        &self,
        checked: &mut Checked,
        format: Option<&str>,
        like: &SourceKind,
        labels: &[String],
    ) -> SourcePlan {
        let shown = self.named.display().to_string();
        let file = checked.sources.add("--input", None, shown.as_str());
        let span = Span::new(file, 0, shown.len());
        let ending = format.map_or_else(|| ending(&self.named), str::to_string);
        source_like(&self.path.display().to_string(), &ending, like, labels, span)
    }
}

/// `csv` of `rows.csv.gz`.
fn ending(path: &Path) -> String {
    let name = path.file_name().map(|n| n.to_string_lossy().to_lowercase()).unwrap_or_default();
    let name = name.strip_suffix(".gz").unwrap_or(&name);
    name.rsplit_once('.').map_or(String::new(), |(_, ending)| ending.to_string())
}

impl Drop for Input {
    fn drop(&mut self) {
        if self.temporary {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}
