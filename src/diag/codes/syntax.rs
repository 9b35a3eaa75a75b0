//! Codes of the `syntax` stage.

use super::CodeInfo;

pub const CODES: &[CodeInfo] = &[];
