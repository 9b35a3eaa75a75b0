//! The command line: the only place that prints or exits.
//!
//! One file for each command. A command answers with an [`Outcome`]; what the
//! user did wrong outside of specs (paths, options) is a [`Failure`], one line.
//! Exit codes: 0 clean, 1 errors in a spec, 2 usage or IO, 130 ended by Ctrl-C.

mod args;
mod bench;
mod check;
mod data;
mod dump;
mod eval;
mod explain;
mod file;
mod fmt;
mod generate;
mod interrupt;
mod lesson;
mod lsp;
mod output;
mod plan;
mod predict;
mod progress;
mod render;
mod rows;
mod sections;
mod spec;
mod test;
mod train;
mod verify;
mod watch;

use args::{Cli, Command};
use clap::Parser as _;
use std::process::ExitCode;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Clean,
    /// Errors were reported.
    Errors,
    /// A signal ended it before its time, all that was done is saved.
    Interrupted(u8),
}

/// Why a command could not do its work: a path, an option, a full disk.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Failure(pub String);

/// A layer of Mesa's drivers asks the desktop which device it likes, and complains on standard error where there is
/// no desktop. The choice of a device is ours, so it need not ask.
#[cfg(all(feature = "gpu", target_os = "linux"))]
fn quieten_drivers() {
    if std::env::var_os("NODEVICE_SELECT").is_none() {
        // SAFETY: the process has no other thread yet, so nobody reads the environment meanwhile.
        unsafe { std::env::set_var("NODEVICE_SELECT", "1") };
    }
}

pub fn main() -> ExitCode {
    #[cfg(all(feature = "gpu", target_os = "linux"))]
    quieten_drivers();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        // Help and version go to standard output and are no error.
        Err(message) => {
            let asked = !message.use_stderr();
            let text =
                if output::color() { message.render().ansi().to_string() } else { message.to_string() };
            if asked {
                output::out(&text)
            } else {
                output::err(&text)
            };
            return ExitCode::from(if asked { 0 } else { 2 });
        }
    };
    if let Err(wrong) = mlc_kernels::Isa::chosen() {
        return failed(&Failure(wrong.to_string()));
    }
    let outcome = match cli.command {
        Command::Check(args) => check::run(&args),
        Command::Data(args) => data::run(&args),
        Command::Dump(args) => dump::run(&args),
        Command::Render(args) => render::run(&args),
        Command::Plan(args) => plan::run(&args),
        Command::Predict(args) => predict::run(&args),
        Command::Generate(args) => generate::run(&args),
        Command::Bench(args) => bench::run(&args),
        Command::Verify(args) => verify::run(&args),
        Command::Train(args) => train::run(&args),
        Command::Eval(args) => eval::run(&args),
        Command::Test(args) => test::run(&args),
        Command::Fmt(args) => fmt::run(&args),
        Command::Explain(args) => explain::run(&args),
        Command::Lsp(args) => lsp::run(&args),
    };
    match outcome {
        Ok(Outcome::Clean) => ExitCode::SUCCESS,
        Ok(Outcome::Errors) => ExitCode::from(1),
        Ok(Outcome::Interrupted(code)) => ExitCode::from(code),
        Err(failure) => failed(&failure),
    }
}

fn failed(failure: &Failure) -> ExitCode {
    output::err(&format!("mlc: {failure}\n"));
    ExitCode::from(2)
}
