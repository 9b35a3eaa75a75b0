//! Reading and checking the spec that a command is about.

use super::args::{SectionArgs, SpecArgs};
use super::{Failure, output, sections};
use crate::base::{FileId, Sources, Span};
use crate::diag::{Diagnostic, Diagnostics};
use crate::ops::{Framework, Library};
use crate::runtime::data::{DiskProbe, Places};
use crate::sema::{self, Blind, DataProbe, DataView, Job, Settings, imports};
use crate::syntax::{self, ast};
use std::borrow::Cow;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

/// The name that command-line values have in diagnostics.
const SET: &str = "--set";
const VARIANT: &str = "--variant";

/// A spec that was read and parsed, with what was found.
pub struct Parsed {
    pub sources: Sources,
    pub file: FileId,
    pub ast: ast::File,
    pub diagnostics: Diagnostics,
}

/// A spec that was checked; the job is there if there are no errors.
pub struct Checked {
    pub sources: Sources,
    /// The text with what it imports.
    pub text: String,
    /// With the variant and overrides applied.
    pub ast: ast::File,
    /// Whose defaults hold.
    pub framework: Framework,
    pub job: Option<Job>,
    /// Sorted by place.
    pub diagnostics: Vec<Diagnostic>,
    pub places: Places,
}

impl Checked {
    /// The library with the spec's table of defaults.
    pub fn library(&self) -> Library {
        // The texts of the library are in `sources` already, for its diagnostics; it has none now.
        Library::std(self.framework, &mut Sources::new())
    }
}

/// Reads a file, or standard input for `-`.
pub fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    if path == Path::new("-") {
        let mut bytes = Vec::new();
        let read = std::io::stdin().lock().read_to_end(&mut bytes);
        return read.map(|_| bytes).map_err(|e| Failure(format!("cannot read standard input: {e}")));
    }
    fs::read(path).map_err(|e| Failure(format!("cannot read {}: {}", path.display(), reason(&e))))
}

/// The system's reason less its number.
pub fn reason(error: &std::io::Error) -> String {
    let text = error.to_string();
    let plain = text.split(" (os error").next().unwrap_or_default();
    let mut chars = plain.chars();
    chars.next().map_or(String::new(), |c| c.to_lowercase().chain(chars).collect())
}

/// A text to be checked, and what the command line adds to it.
#[derive(Clone)]
pub struct Given {
    /// As diagnostics name it.
    pub name: String,
    pub bytes: Vec<u8>,
    pub places: Places,
    pub set: Vec<String>,
    pub variant: Option<String>,
    /// The `train` section that is asked for; all of them otherwise.
    pub train: Option<String>,
}

impl Given {
    pub fn file(path: &Path, args: &SpecArgs) -> Result<Given, Failure> {
        let places = Places { spec: folder(path), data: data_folder(args) };
        let (set, variant) = (args.set.clone(), args.variant.clone());
        Ok(Given { name: name(path), bytes: read(path)?, places, set, variant, train: None })
    }
}

/// `--data`, unless it is empty.
pub fn data_folder(args: &SpecArgs) -> Option<PathBuf> {
    args.data.clone().filter(|d| !d.as_os_str().is_empty())
}

pub fn parse(path: &Path) -> Result<Parsed, Failure> {
    Ok(parse_bytes(name(path), folder(path), &read(path)?))
}

fn parse_bytes(name: String, folder: Option<PathBuf>, bytes: &[u8]) -> Parsed {
    let mut sources = Sources::new();
    let (file, mut diagnostics) = syntax::decode(&mut sources, name, folder, bytes);
    let mut ast = ast::File::default();
    // Behind a wrong byte every further complaint would be noise.
    if !diagnostics.has_errors() {
        let (parsed, found) = syntax::parse(&sources, file);
        ast = parsed;
        diagnostics.extend(found.sorted());
    }
    Parsed { sources, file, ast, diagnostics }
}

/// As diagnostics name it.
pub fn name(path: &Path) -> String {
    if path == Path::new("-") { "standard input".into() } else { path.display().to_string() }
}

/// Where a spec lies: paths in it are looked up there first.
pub fn folder(path: &Path) -> Option<PathBuf> {
    if path == Path::new("-") {
        return Some(PathBuf::from("."));
    }
    path.parent().map(|p| if p.as_os_str().is_empty() { PathBuf::from(".") } else { p.to_path_buf() })
}

/// Parses and checks. What is sound is checked even if something else did not parse.
pub fn check_given(given: &Given) -> Result<Checked, Failure> {
    check_with(given, &DiskProbe { places: given.places.clone() })
}

/// The same, and no file is looked into. Who wants it so need not hear that one is not there.
pub fn check_blindly(given: &Given) -> Result<Checked, Failure> {
    let mut checked = check_with(given, &Blind)?;
    checked.diagnostics.retain(|d| d.code != "data::missing_file");
    Ok(checked)
}

fn check_with(given: &Given, probe: &dyn DataProbe) -> Result<Checked, Failure> {
    let places = given.places.clone();
    let Parsed { mut sources, file, ast: written, mut diagnostics } =
        parse_bytes(given.name.clone(), places.spec.clone(), &given.bytes);
    // Texts are read even where data are not looked into.
    let texts = DiskProbe { places: places.clone() };
    let (ast, found) = imports::imported(&mut sources, file, &written, &texts);
    diagnostics.extend(found.sorted());
    let text = match &ast {
        Cow::Borrowed(_) => String::from_utf8_lossy(&given.bytes).into_owned(),
        Cow::Owned(ast) => syntax::format(ast),
    };
    let settings = settings(&mut sources, given)?;
    let mut job = None;
    if ast.header.is_some() || !ast.items.is_empty() {
        let (checked, found) = sema::check(&mut sources, file, &ast, &settings, probe);
        diagnostics.extend(found.sorted());
        job = checked;
    }
    let mut job = job.filter(|_| !diagnostics.has_errors());
    if let (Some(job), Some(name)) = (&mut job, &given.train) {
        sections::choose(job, name)?;
    }
    let diagnostics = imports::with_places(file, &written, diagnostics);
    let ast = sema::resolved(&sources, &ast, &settings);
    let framework = sema::framework(&ast);
    Ok(Checked { sources, text, ast, framework, job, diagnostics: diagnostics.sorted(), places })
}

/// A spec that was checked for the sake of its data.
pub struct CheckedData {
    pub sources: Sources,
    pub ast: ast::File,
    pub file: FileId,
    pub job: Option<Job>,
    /// The data sections as far as they are right.
    pub views: Vec<DataView>,
    /// Sorted by place.
    pub diagnostics: Vec<Diagnostic>,
    pub places: Places,
}

/// Parses and checks, and keeps the data sections whatever is wrong elsewhere.
pub fn check_data(given: &Given) -> Result<CheckedData, Failure> {
    let places = given.places.clone();
    let Parsed { mut sources, file, ast, mut diagnostics } =
        parse_bytes(given.name.clone(), places.spec.clone(), &given.bytes);
    let settings = settings(&mut sources, given)?;
    let probe = DiskProbe { places: places.clone() };
    let (job, views, found) = sema::check_with_data(&mut sources, file, &ast, &settings, &probe);
    diagnostics.extend(found.sorted());
    let job = job.filter(|_| !diagnostics.has_errors());
    Ok(CheckedData { sources, ast, file, job, views, diagnostics: diagnostics.sorted(), places })
}

/// The job of a spec with one of its `train` sections or all, or `None` with its errors reported.
pub fn job(path: &Path, args: &SpecArgs, of: &SectionArgs) -> Result<Option<(Checked, Job)>, Failure> {
    let mut checked = check_given(&Given { train: of.train.clone(), ..Given::file(path, args)? })?;
    output::report(&checked.sources, &checked.diagnostics);
    Ok(checked.job.take().map(|job| (checked, job)))
}

/// The same for a command that goes on to read the data: it will say itself, as an error, what is
/// not there.
pub fn job_with_data(
    path: &Path,
    args: &SpecArgs,
    of: &SectionArgs,
) -> Result<Option<(Checked, Job)>, Failure> {
    given_with_data(&Given { train: of.train.clone(), ..Given::file(path, args)? })
}

pub fn given_with_data(given: &Given) -> Result<Option<(Checked, Job)>, Failure> {
    let mut checked = check_given(given)?;
    if checked.job.is_some() {
        checked.diagnostics.retain(|d| d.code != "data::missing_file");
    }
    output::report(&checked.sources, &checked.diagnostics);
    Ok(checked.job.take().map(|job| (checked, job)))
}

/// Overrides as `sema` wants them: each has a source text of its own, so that a mistake in it
/// is shown like one in a spec.
fn settings(sources: &mut Sources, args: &Given) -> Result<Settings, Failure> {
    let mut settings = Settings::default();
    for text in &args.set {
        let Some((path, value)) = text.split_once('=') else {
            return Err(Failure(format!("`--set {text}` has no `=`: write `--set NAME=VALUE`")));
        };
        let file = sources.add(SET, None, text.as_str());
        let span = Span::new(file, 0, text.len());
        settings.overrides.push((path.trim().to_string(), value.trim().to_string(), span));
    }
    if let Some(name) = &args.variant {
        let file = sources.add(VARIANT, None, name.as_str());
        settings.variant = Some((name.clone(), Span::new(file, 0, name.len())));
    }
    Ok(settings)
}
