//! `mlc check`: every error of every file, at once.

use super::args::{CheckArgs, Format};
use super::file::replace;
use super::fix::fixed;
use super::spec::{self, Checked, Given};
use super::watch::Watch;
use super::{Failure, Outcome, output};
use crate::diag::{Found, Severity, github, json, sarif};
use std::io::{IsTerminal, stderr};
use std::path::{Path, PathBuf};

pub fn run(args: &CheckArgs) -> Result<Outcome, Failure> {
    let standard_input = args.files.iter().any(|f| f == Path::new("-"));
    if standard_input && (args.fix || args.watch) {
        let option = if args.fix { "--fix" } else { "--watch" };
        return Err(Failure(format!("`{option}` wants files, not standard input")));
    }
    if !args.watch {
        return once(args);
    }
    loop {
        // Before the check: what is saved meanwhile is checked again.
        let mut watch = Watch::of(&files(&args.files).unwrap_or_default());
        if stderr().is_terminal() {
            output::err("\x1b[2J\x1b[H");
        }
        if let Err(failure) = once(args) {
            output::err(&format!("mlc: {failure}\n"));
        }
        output::err("waiting for changes; Ctrl-C ends\n");
        if args.fix {
            // Its own edits are no news.
            watch = Watch::of(&files(&args.files).unwrap_or_default());
        }
        watch.wait(|| files(&args.files).unwrap_or_default());
    }
}

fn once(args: &CheckArgs) -> Result<Outcome, Failure> {
    let (mut checked, mut unreadable) = (Vec::new(), None);
    for file in files(&args.files)? {
        match one(&file, args) {
            Ok(found) => checked.push(found),
            // The other files are not to suffer; what cannot be read decides the exit code.
            Err(failure) => {
                if let Some(earlier) = unreadable.replace(failure) {
                    output::err(&format!("mlc: {earlier}\n"));
                }
            }
        }
    }
    let all: Vec<Found> =
        checked.iter().map(|c| Found { sources: &c.sources, diagnostics: &c.diagnostics }).collect();
    match args.format {
        // Told file by file, as they were checked.
        Format::Human => {}
        Format::Json => output::out(&format!("{}\n", json(&all))),
        Format::Sarif => output::out(&format!("{}\n", sarif(&all))),
        Format::Github => output::out(&github(&all)),
    }
    let wrong = checked.iter().any(|c| errors(c) > 0);
    unreadable.map_or(Ok(if wrong { Outcome::Errors } else { Outcome::Clean }), Err)
}

/// Checks a file and, for people, tells what is wrong with it.
fn one(file: &Path, args: &CheckArgs) -> Result<Checked, Failure> {
    let given = Given::file(file, &args.spec)?;
    let check = |given: &Given| match args.no_data {
        true => spec::check_blindly(given),
        false => spec::check_given(given),
    };
    let (checked, fixes) = match std::str::from_utf8(&given.bytes) {
        Ok(text) if args.fix => {
            let of = |text: &str| check(&Given { bytes: text.into(), ..given.clone() });
            let fixed = fixed(text.to_string(), &of)?;
            if fixed.text != text {
                replace(file, &fixed.text)
                    .map_err(|e| Failure(format!("cannot write {}: {}", file.display(), spec::reason(&e))))?;
            }
            (fixed.checked, fixed.count)
        }
        // What is no text has no fix.
        Ok(_) | Err(_) => (check(&given)?, 0),
    };
    if args.format == Format::Human {
        output::report(&checked.sources, &checked.diagnostics);
        let verdict = match errors(&checked) {
            0 => "ok".to_string(),
            n => counted(n, "error", "errors"),
        };
        let fixes = match fixes {
            0 => String::new(),
            n => format!(", {}", counted(n, "fix applied", "fixes applied")),
        };
        output::err(&format!("{}: {verdict}{fixes}\n", spec::name(file)));
    }
    Ok(checked)
}

fn counted(n: usize, one: &str, many: &str) -> String {
    format!("{n} {}", if n == 1 { one } else { many })
}

fn errors(checked: &Checked) -> usize {
    checked.diagnostics.iter().filter(|d| d.severity == Severity::Error).count()
}

/// The specs that are meant: a folder stands for those below it.
fn files(named: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    let mut all = Vec::new();
    for path in named {
        if !path.is_dir() {
            all.push(path.clone());
            continue;
        }
        let before = all.len();
        below(path, &mut all)
            .map_err(|e| Failure(format!("cannot list {}: {}", path.display(), spec::reason(&e))))?;
        if all.len() == before {
            return Err(Failure(format!("no `.mlspec` file is in {}", path.display())));
        }
    }
    Ok(all)
}

/// In the order of their names; hidden folders are none of ours, and links could lead in circles.
fn below(folder: &Path, all: &mut Vec<PathBuf>) -> std::io::Result<()> {
    let mut entries: Vec<PathBuf> =
        std::fs::read_dir(folder)?.map(|e| Ok(e?.path())).collect::<std::io::Result<_>>()?;
    entries.sort();
    for path in entries {
        let hidden = path.file_name().is_some_and(|n| n.to_string_lossy().starts_with('.'));
        match path.is_dir() {
            true if !hidden && !path.is_symlink() => below(&path, all)?,
            true => {}
            false if path.extension().is_some_and(|e| e == "mlspec") => all.push(path),
            false => {}
        }
    }
    Ok(())
}
