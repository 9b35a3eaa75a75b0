//! The language server: over pipes against the binary, and in process where there are many cases.

mod actions;
mod again;
mod editor;
mod names;
mod outline;
mod protocol;
mod replay;
mod session;
