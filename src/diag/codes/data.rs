//! Codes of the `data` stage.

use super::CodeInfo;

pub const CODES: &[CodeInfo] = &[];
