//! Codes of the `sema` stage.

use super::CodeInfo;

pub const CODES: &[CodeInfo] = &[];
