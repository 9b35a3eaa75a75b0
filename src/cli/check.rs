//! `mlc check`: every error of every file, at once.

use super::args::{CheckArgs, Format};
use super::file::replace;
use super::spec::{self, Checked, Given};
use super::watch::Watch;
use super::{Failure, Outcome, output};
use crate::base::FileId;
use crate::diag::{Diagnostic, Found, Severity, github, json, sarif};
use crate::runtime::data::{self, Places};
use crate::sema::job::DataPlan;
use crate::tools::fixes::{Done, fixed};
use std::io::{IsTerminal, stderr};
use std::path::{Path, PathBuf};

/// Bytes of data that are read whole by each check: a few milliseconds of its time.
const SMALL: u64 = 1 << 18;

/// What editors of Windows put before a text.
const MARK: char = '\u{feff}';

pub fn run(args: &CheckArgs) -> Result<Outcome, Failure> {
    let standard_input = args.files.iter().any(|f| f == Path::new("-"));
    if standard_input && (args.fix || args.watch) {
        let option = if args.fix { "--fix" } else { "--watch" };
        return Err(Failure(format!("`{option}` wants files, not standard input")));
    }
    if !args.watch {
        return once(args, &mut Vec::new());
    }
    let mut imported = Vec::new();
    loop {
        // Before the check: what is saved meanwhile is checked again.
        let mut watch = Watch::of(&watched(args, &imported));
        if stderr().is_terminal() {
            output::err("\x1b[2J\x1b[H");
        }
        let before = std::mem::take(&mut imported);
        if let Err(failure) = once(args, &mut imported) {
            output::err(&format!("mlc: {failure}\n"));
        }
        if args.fix || imported != before {
            // Its own edits are no news, and what is imported was not known before.
            watch = Watch::of(&watched(args, &imported));
        }
        output::err("waiting for changes; Ctrl-C ends\n");
        watch.wait(|| watched(args, &imported));
    }
}

/// The specs, and the files that they imported when they were checked last.
fn watched(args: &CheckArgs, imported: &[PathBuf]) -> Vec<PathBuf> {
    let mut all = files(&args.files).unwrap_or_default();
    all.extend_from_slice(imported);
    all
}

/// Notes beside it which files were imported.
fn once(args: &CheckArgs, imported: &mut Vec<PathBuf>) -> Result<Outcome, Failure> {
    let (mut all, mut unreadable) = (Vec::new(), None);
    for file in files(&args.files)? {
        match one(&file, args) {
            // Graphs are not kept: a folder may hold many specs.
            Ok(checked) => {
                let others = checked.sources.iter().skip(1).map(|(_, source)| source);
                // Texts of the library and of the command line lie in no folder.
                imported.extend(others.filter(|s| s.folder.is_some()).map(|s| PathBuf::from(&s.name)));
                all.push((checked.sources, checked.diagnostics));
            }
            // The other files are not to suffer; what cannot be read decides the exit code.
            Err(failure) => {
                if let Some(earlier) = unreadable.replace(failure) {
                    output::err(&format!("mlc: {earlier}\n"));
                }
            }
        }
    }
    let found: Vec<Found> = all.iter().map(|(sources, diagnostics)| Found { sources, diagnostics }).collect();
    match args.format {
        // Told file by file, as they were checked.
        Format::Human => {}
        Format::Json => output::out(&format!("{}\n", json(&found))),
        Format::Sarif => output::out(&format!("{}\n", sarif(&found))),
        Format::Github => output::out(&github(&found)),
    }
    let wrong = all.iter().any(|(_, diagnostics)| errors(diagnostics) > 0);
    unreadable.map_or(Ok(if wrong { Outcome::Errors } else { Outcome::Clean }), Err)
}

/// Checks a file, fixes it if that is asked for, and for people tells what is wrong with it.
fn one(file: &Path, args: &CheckArgs) -> Result<Checked, Failure> {
    let given = Given::file(file, &args.spec)?;
    let (checked, done) = match std::str::from_utf8(&given.bytes) {
        Ok(text) if args.fix => repair(file, text, &given, args)?,
        // What is no text has no fix.
        Ok(_) | Err(_) => (look(&given, args)?, Vec::new()),
    };
    let name = spec::name(file);
    for Done { title, line, column } in &done {
        output::err(&format!("{name}:{line}:{column}: {title}\n"));
    }
    if args.format == Format::Human {
        output::report(&checked.sources, &checked.diagnostics);
        let verdict = match errors(&checked.diagnostics) {
            0 => "ok".to_string(),
            n => counted(n, "error", "errors"),
        };
        let fixes = match done.len() {
            0 => String::new(),
            n => format!(", {}", counted(n, "fix applied", "fixes applied")),
        };
        output::err(&format!("{name}: {verdict}{fixes}\n"));
    }
    Ok(checked)
}

fn look(given: &Given, args: &CheckArgs) -> Result<Checked, Failure> {
    if args.no_data {
        return spec::check_blindly(given);
    }
    let mut checked = spec::check_given(given)?;
    let plans = checked.job.iter().flat_map(|job| &job.data);
    let read =
        plans.filter(|plan| !plan.columns.is_empty() && (args.every_row || is_small(plan, &checked.places)));
    let found: Vec<Diagnostic> = read.flat_map(|plan| rows(plan, &checked.places)).collect();
    // That a file is not there was said already.
    let new = found
        .into_iter()
        .filter(|d| !checked.diagnostics.iter().any(|k| (k.code, k.span()) == (d.code, d.span())));
    let new: Vec<Diagnostic> = new.collect();
    checked.diagnostics.extend(new);
    Ok(checked)
}

/// Whether all files of a data section are read in a few milliseconds.
fn is_small(plan: &DataPlan, places: &Places) -> bool {
    let sources = [Some(&plan.source), plan.valid.as_ref(), plan.test.as_ref()].into_iter().flatten();
    let bytes: Option<u64> = sources.map(|source| places.bytes(&source.kind)).sum();
    bytes.is_some_and(|bytes| bytes <= SMALL)
}

/// What is wrong in the rows themselves: labels out of range, words among numbers, rows of another length.
fn rows(plan: &DataPlan, places: &Places) -> Vec<Diagnostic> {
    match data::load(plan, places) {
        Ok(data) => data.warnings,
        Err(wrong) => wrong,
    }
}

/// Applies what helps, and writes the file if anything did.
fn repair(file: &Path, text: &str, given: &Given, args: &CheckArgs) -> Result<(Checked, Vec<Done>), Failure> {
    // A byte order mark is not in the text that diagnostics point into.
    let (mark, body) = text.split_at(if text.starts_with(MARK) { MARK.len_utf8() } else { 0 });
    let check = |text: &str| look(&Given { bytes: text.into(), ..given.clone() }, args);
    let checked = check(body)?;
    let again = |text: &str| match check(text) {
        Ok(checked) => checked.diagnostics,
        Err(failure) => panic!("check: what was asked once can be asked again: {failure}"),
    };
    let fixed = fixed(body.to_string(), checked.diagnostics.clone(), FileId::default(), &again);
    if fixed.text == body {
        return Ok((checked, Vec::new()));
    }
    replace(file, &format!("{mark}{}", fixed.text))
        .map_err(|e| Failure(format!("cannot write {}: {}", file.display(), spec::reason(&e))))?;
    Ok((check(&fixed.text)?, fixed.done))
}

fn counted(n: usize, one: &str, many: &str) -> String {
    format!("{n} {}", if n == 1 { one } else { many })
}

fn errors(diagnostics: &[Diagnostic]) -> usize {
    diagnostics.iter().filter(|d| d.severity == Severity::Error).count()
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
