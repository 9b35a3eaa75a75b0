//! Every diagnostic code, with what it means: the table behind `mlc explain`.

mod data;
mod gpu;
mod leak;
mod ops;
mod run;
mod sema;
mod syntax;

/// A code as it stands in the tables: `syntax::unbalanced`.
pub type Code = &'static str;

/// One row of the tables.
pub struct CodeInfo {
    pub code: Code,
    /// What is wrong, in one line.
    pub title: &'static str,
    /// Why it is an error and what to do, with a small spec before and after.
    pub explain: &'static str,
}

/// All rows, in the order of the stages that report them.
pub fn codes() -> impl Iterator<Item = &'static CodeInfo> {
    [syntax::CODES, ops::CODES, sema::CODES, data::CODES, leak::CODES, run::CODES, gpu::CODES]
        .into_iter()
        .flatten()
}

/// The row of a code, written with or without the `mlc::` in front.
pub fn explain(code: &str) -> Option<&'static CodeInfo> {
    let code = code.strip_prefix("mlc::").unwrap_or(code);
    codes().find(|info| info.code == code)
}

/// The place in `docs/diagnostics.md` that shows a code with its specs: for editors and code scanning.
pub fn link(code: Code) -> String {
    format!("{}/blob/main/docs/diagnostics.md#{}", env!("CARGO_PKG_REPOSITORY"), anchor(code))
}

/// The name of that place on the page: signs fall away.
pub fn anchor(code: Code) -> String {
    format!("mlc{}", code.replace(':', ""))
}
