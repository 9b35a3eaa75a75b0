//! Codes of the `run` stage: a run that is taken up again.

use super::CodeInfo;

pub const CODES: &[CodeInfo] = &[CodeInfo {
    code: "run::changed",
    title: "what a run trained on is not what it was",
    explain: "`run.yaml` holds the hash of every file that was read. `mlc train --like RUN` goes on with the files as \
              they are now and warns, since it will not end at the same weights.",
}];
