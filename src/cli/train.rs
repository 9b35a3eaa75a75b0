//! `mlc train`: data in, run directory out.

use super::args::{ProgressForm, SpecArgs, TrainArgs};
use super::interrupt::Interrupts;
use super::lesson::Lesson;
use super::progress::Bar;
use super::spec::{self, Checked, Given};
use super::{Failure, Outcome, generate, output, sections, test};
use crate::base::{Sources, Span};
use crate::diag::{Diagnostic, Severity};
use crate::runtime::data::{self, Dataset, FileInfo, Places};
use crate::runtime::pretrained;
use crate::runtime::progress::{Ending, Json, Plain, Progress};
use crate::runtime::run_dir::{Asked, Run, changed_files};
use crate::runtime::sections::ended_in;
use crate::runtime::session::{self, Options, Resumption};
use crate::runtime::{RunError, folds, sections as in_turn};
use crate::sema::Job;
use crate::sema::job::TrainPlan;
use crate::tools::{Change, changes};
use std::io::{IsTerminal, stderr, stdout};
use std::path::{Path, PathBuf};

pub fn run(args: &TrainArgs) -> Result<Outcome, Failure> {
    let subject = match (&args.resume, &args.like, &args.file) {
        (Some(run), _, _) => Subject::resumed(run, args)?,
        (None, Some(run), _) => Subject::like(run, args)?,
        (None, None, Some(file)) => Subject::file(file, args)?,
        (None, None, None) => Subject::lesson(args)?,
    };
    train(subject, args)
}

/// What is to be trained.
struct Subject {
    given: Given,
    asked: Asked,
    /// The run that it is like, or goes on with.
    from: Option<Run>,
    resume: Option<Resumption>,
    /// What that run trained, if this may be something else.
    then: Option<Given>,
    /// Keeps the lesson's files for as long as they are read.
    _lesson: Option<Lesson>,
}

impl Subject {
    fn file(file: &Path, args: &TrainArgs) -> Result<Subject, Failure> {
        let given = Given { train: args.section.train.clone(), ..Given::file(file, &args.spec)? };
        let asked = Asked { file: Some(spec::name(file)), ..asked(&given, args)? };
        Ok(Subject { given, asked, from: None, resume: None, then: None, _lesson: None })
    }

    fn lesson(args: &TrainArgs) -> Result<Subject, Failure> {
        let lesson = Lesson::unpack()?;
        let given = Given::file(&lesson.spec(), &args.spec)?;
        // The folder is gone when the lesson is over.
        let asked = Asked { folder: None, ..asked(&given, args)? };
        Ok(Subject { given, asked, from: None, resume: None, then: None, _lesson: Some(lesson) })
    }

    /// What a run trained, with what the command line says over it.
    fn like(folder: &Path, args: &TrainArgs) -> Result<Subject, Failure> {
        let run = open(folder)?;
        let lesson = if run.info.asked.file.is_none() { Some(Lesson::unpack()?) } else { None };
        let mut given = over(&run, lesson.as_ref(), &args.spec);
        let then = &run.info.asked;
        let earlier = match &args.section.train {
            Some(name) if then.train.as_ref() != Some(name) => {
                given.train = Some(name.clone());
                Vec::new()
            }
            Some(_) | None => then.earlier.clone(),
        };
        let asked = Asked {
            earlier,
            file: then.file.clone(),
            folder: then.folder.clone(),
            steps: args.steps.or(then.steps),
            init: then.init.clone(),
            pretrained: then.pretrained.clone(),
            device: args.device.map_or(then.device, |device| device.kind()),
            ..asked(&given, args)?
        };
        Ok(Subject { given, asked, from: Some(run), resume: None, then: None, _lesson: lesson })
    }

    /// What a run has left to do. A spec that is named, and what is set, must say the same but for the length.
    fn resumed(folder: &Path, args: &TrainArgs) -> Result<Subject, Failure> {
        let mut subject = Subject::like(folder, args)?;
        let run = subject.from.as_ref().expect("train: a subject like a run has one");
        let resume = Resumption::read(run).map_err(|wrong| Failure(wrong.to_string()))?;
        let adds = !args.spec.set.is_empty() || args.spec.variant.is_some() || args.file.is_some();
        let shown = run.path.display();
        if args.section.train.is_some() {
            return Err(Failure(format!("`{shown}` goes on with what it trains: leave `--train` out")));
        }
        if let (Some(sections), true) = (&run.info.sections, adds || args.steps.is_some()) {
            let last = sections.of.last().map_or("", String::as_str);
            return Err(Failure(format!(
                "`{shown}` holds a run for each section, and those that are done stay as they are: go on as it was \
                 begun, go on with a section alone, such as `mlc train --resume {shown}/{last}`, or train anew with \
                 `mlc train --like {shown}`"
            )));
        }
        if run.info.folds.is_some() && (adds || args.steps.is_some()) {
            return Err(Failure(format!(
                "`{shown}` holds a run for each fold, and those that are done stay as they are: go on as it was \
                 begun, or train anew with `mlc train --like {shown}`"
            )));
        }
        if adds {
            subject.then = Some(over(run, subject._lesson.as_ref(), &SpecArgs::default()));
            // A length that is set now goes over the steps that were asked for then.
            subject.asked.steps = args.steps;
        }
        if let Some(file) = &args.file {
            subject.given.name = spec::name(file);
            subject.given.bytes = spec::read(file)?;
        }
        subject.resume = Some(resume);
        Ok(subject)
    }
}

/// The spec of a run with what a command line adds to it.
pub fn over(run: &Run, lesson: Option<&Lesson>, args: &SpecArgs) -> Given {
    let then = &run.info.asked;
    let folder = match lesson {
        Some(lesson) => spec::folder(&lesson.spec()),
        None => then.folder.clone(),
    };
    Given {
        name: run.spec_path().display().to_string(),
        bytes: run.spec.clone().into_bytes(),
        places: Places { spec: folder, data: spec::data_folder(args).or(then.data.clone()) },
        set: then.set.iter().chain(&args.set).cloned().collect(),
        variant: args.variant.clone().or(then.variant.clone()),
        train: then.train.clone(),
    }
}

/// The run in a folder.
pub fn open(folder: &Path) -> Result<Run, Failure> {
    Run::open(folder).map_err(|wrong| Failure(wrong.to_string()))
}

/// The run whose weights are those of a folder: of several sections the last one's.
pub fn open_ended(folder: &Path) -> Result<Run, Failure> {
    open(folder).and_then(|run| ended_in(run).map_err(|wrong| Failure(wrong.to_string())))
}

/// What of the command line says what is run.
fn asked(given: &Given, args: &TrainArgs) -> Result<Asked, Failure> {
    let whole = |path: &Option<PathBuf>| match path {
        Some(path) => std::path::absolute(path)
            .map(Some)
            .map_err(|e| Failure(format!("cannot tell where {} is: {}", path.display(), spec::reason(&e)))),
        None => Ok(None),
    };
    Ok(Asked {
        file: None,
        folder: whole(&given.places.spec)?,
        data: whole(&given.places.data)?,
        variant: given.variant.clone(),
        set: given.set.clone(),
        steps: args.steps,
        train: given.train.clone(),
        init: None,
        pretrained: Vec::new(),
        earlier: Vec::new(),
        device: args.device.unwrap_or_default().kind(),
    })
}

/// The name of a file and its bytes.
type Named = (String, Vec<u8>);

/// Reads the weights to start from, and notes which they are; tells whether they are others than then.
fn initial(args: &TrainArgs, asked: &mut Asked) -> Result<(Option<Named>, Vec<String>), Failure> {
    let then = asked.init.take();
    let Some(path) = args.init.clone().or(then.as_ref().map(|file| PathBuf::from(&file.path))) else {
        return Ok((None, Vec::new()));
    };
    let bytes = spec::read(&path)?;
    let path = std::path::absolute(&path).unwrap_or(path);
    let now = FileInfo::of(&path, &bytes);
    let changed = match then.filter(|_| args.init.is_none()) {
        Some(then) => changed_files(&[then], std::slice::from_ref(&now)),
        None => Vec::new(),
    };
    let name = now.path.clone();
    asked.init = Some(now);
    Ok((Some((name, bytes)), changed))
}

/// Reads the weights that earlier sections ended with, and tells which are others than then.
fn earlier(asked: &Asked) -> Result<(Vec<Named>, Vec<String>), Failure> {
    let (mut files, mut now) = (Vec::new(), Vec::new());
    for then in &asked.earlier {
        let path = PathBuf::from(&then.path);
        let bytes = spec::read(&path)?;
        now.push(FileInfo::of(&path, &bytes));
        files.push((then.path.clone(), bytes));
    }
    Ok((files, changed_files(&asked.earlier, &now)))
}

fn train(subject: Subject, args: &TrainArgs) -> Result<Outcome, Failure> {
    let Subject { given, mut asked, from, resume, then, _lesson } = subject;
    let first = resume.as_ref().is_none_or(Resumption::is_at_start);
    let (init, mut changed) = match first {
        // The weights of a checkpoint go over those that it started from.
        false => (None, Vec::new()),
        true => initial(args, &mut asked)?,
    };
    let (earlier, others) = if first { earlier(&asked)? } else { (Vec::new(), Vec::new()) };
    changed.extend(others);
    let Some((checked, mut job)) = spec::given_with_data(&given)? else { return Ok(Outcome::Errors) };
    if let Some(then) = &then {
        let wrong = other_spec(&spec::check_given(then)?, &checked);
        if !wrong.is_empty() {
            return Ok(shown(&checked.sources, &wrong));
        }
    }
    let Some(plan) = sections::all(&checked.sources, &job).map(|all| &all[0]) else {
        return Ok(Outcome::Errors);
    };
    if let Some(wrong) = sections::folds_in_turn(&job) {
        return Ok(shown(&checked.sources, &[wrong]));
    }
    let pretrained = match first {
        // A checkpoint has gone on from them.
        false => Vec::new(),
        true => match pretrained::read(&job, &checked.places) {
            Ok(files) => {
                let now: Vec<FileInfo> = files.iter().map(|file| file.info.clone()).collect();
                if from.is_some() {
                    changed.extend(changed_files(&asked.pretrained, &now));
                }
                asked.pretrained = now;
                files
            }
            Err(wrong) => return Ok(shown(&checked.sources, &wrong)),
        },
    };
    let Some(mut data) = sections::load_all(&checked, &job) else { return Ok(Outcome::Errors) };
    if let Some(run) = &from {
        changed.extend(sections::changed_data(run, &data));
        let span = job.data[plan.data].source.path_span;
        let severity = if resume.is_some() { Severity::Error } else { Severity::Warning };
        let told: Vec<Diagnostic> = changed.iter().map(|what| other_data(what, span, severity)).collect();
        output::report(&checked.sources, &told);
        if resume.is_some() && !told.is_empty() {
            return Ok(Outcome::Errors);
        }
        job.name = run.info.spec.clone();
    }
    let options = Options {
        spec: checked.text.clone(),
        asked,
        threads: args.threads.map_or(0, usize::from),
        out: args.out.clone(),
        init,
        pretrained,
        earlier,
        resume,
    };
    let mut progress: Box<dyn Progress> = match args.progress {
        ProgressForm::Auto if stderr().is_terminal() => Box::new(Bar::new()),
        ProgressForm::Auto | ProgressForm::Plain => Box::new(Plain::new(stderr())),
        ProgressForm::Json => Box::new(Json::new(stdout())),
    };
    let interrupts = Interrupts::watch()?;
    let library = checked.library();
    let (progress, stop) = (&mut *progress, &interrupts.stop);
    let done = if job.trains.len() > 1 {
        let done = in_turn::train(&library, &job, &data, &options, progress, stop);
        done.map(|o| (o.folder, o.ending, o.problem))
    } else {
        let plan = &job.trains[0];
        let read = "cli: the data of each section are read";
        if folds::runs(&job).is_some() {
            let data = data.remove(&plan.data).expect(read);
            let done = folds::train(&library, &job, &checked.places, data, &options, progress, stop);
            return ended(done.map(|o| (o.folder, o.ending, o.problem)), &checked.sources, &interrupts);
        }
        let done =
            session::train(&library, &job, plan, data.get(&plan.data).expect(read), &options, progress, stop);
        done.map(|o| (o.folder, o.ending, o.problem))
    };
    let folder = done.as_ref().ok().map(|(folder, ..)| folder.clone());
    let outcome = ended(done, &checked.sources, &interrupts)?;
    match (outcome, folder) {
        (Outcome::Clean, Some(folder)) => {
            let made = generated(&checked, &job, &folder, &options)?;
            tested(&checked, &job, &folder, &data, &options)?;
            Ok(made)
        }
        (outcome, _) => Ok(outcome),
    }
}

/// Makes what the `generate` sections say with the weights that a run ended with.
fn generated(checked: &Checked, job: &Job, folder: &Path, options: &Options) -> Result<Outcome, Failure> {
    if job.generates.is_empty() {
        return Ok(Outcome::Clean);
    }
    let run = open_ended(folder)?;
    let asked = generate::Asked {
        sources: &checked.sources,
        train: job.trains.last().expect("cli: something was trained"),
        run: &run,
        device: options.asked.device,
        threads: options.threads,
    };
    for plan in &job.generates {
        if asked.make(plan, None, crate::runtime::generate::Passes::default())? == Outcome::Errors {
            return Ok(Outcome::Errors);
        }
    }
    Ok(Outcome::Clean)
}

/// Tells what of the `test` sections was reached: what is missed is for `mlc test` to fail for.
fn tested(
    checked: &Checked,
    job: &Job,
    folder: &Path,
    data: &in_turn::Datasets,
    options: &Options,
) -> Result<(), Failure> {
    for plan in &job.trains {
        let alone = Job { trains: vec![plan.clone()], ..job.clone() };
        if test::plans(&alone).is_empty() {
            continue;
        }
        let folder = match &plan.name {
            Some(name) if job.trains.len() > 1 => folder.join(name),
            Some(_) | None => folder.to_path_buf(),
        };
        let (run, data) =
            (open(&folder)?, data.get(&plan.data).expect("cli: the data of each section are read"));
        let asked = test::Asked {
            checked,
            job: &alone,
            data,
            run: &run,
            threads: options.threads,
            device: options.asked.device,
        };
        if let Some(report) = asked.report()? {
            output::err(&report.text());
        }
    }
    Ok(())
}

/// What is said at the end of a run, or of the runs of all folds.
fn ended(
    done: Result<(PathBuf, Ending, Option<Diagnostic>), RunError>,
    sources: &Sources,
    interrupts: &Interrupts,
) -> Result<Outcome, Failure> {
    match done {
        Ok((_, _, Some(problem))) => Ok(shown(sources, &[problem])),
        Ok((folder, Ending::Interrupted, None)) => {
            output::err(&format!("go on with `mlc train --resume {}`\n", folder.display()));
            Ok(Outcome::Interrupted(interrupts.exit_code()))
        }
        Ok((_, Ending::Complete | Ending::Early | Ending::NotFinite, None)) => Ok(Outcome::Clean),
        Err(RunError::Diagnostics(wrong)) => Ok(shown(sources, &wrong)),
        Err(RunError::Io(why)) => Err(Failure(why)),
    }
}

/// That other files are read than in the run: it cannot go on with them, and one like it ends elsewhere.
pub fn other_data(what: &str, span: Span, severity: Severity) -> Diagnostic {
    let (message, help) = match severity {
        Severity::Error => (
            format!("{what}: the run cannot go on with it"),
            "put the file of then in its place, or train anew: `mlc train --like RUN`",
        ),
        Severity::Warning => (
            format!("{what}: results will be others than those of the run"),
            "put the file of then in its place to get the same",
        ),
    };
    let d = Diagnostic::error("run::changed", message, span, "read here");
    Diagnostic { severity, ..d }.help(help)
}

/// What a spec says now that it did not when the run began.
fn other_spec(then: &Checked, now: &Checked) -> Vec<Diagnostic> {
    let told = |change: Change| {
        let message = match (&change.then, &change.now) {
            (Some(then), Some(now)) => format!("`{now}` was `{then}` when the run began"),
            (None, Some(now)) => format!("`{now}` was not there when the run began"),
            (Some(then), None) => format!("`{then}` was there when the run began"),
            (None, None) => panic!("tools: a change has a side"),
        };
        Diagnostic::error("run::resume", message, change.at, "another training than the one to go on with")
            .help("leave it as it was, or train anew: only `epochs` and `steps` may change")
    };
    changes(&then.ast, &now.ast).into_iter().map(told).collect()
}

/// The data of a train section in memory, or none with the problems reported.
pub fn load(checked: &Checked, job: &Job, plan: &TrainPlan) -> Option<Dataset> {
    let data = data::load(&job.data[plan.data], &checked.places)
        .map_err(|wrong| output::report(&checked.sources, &wrong))
        .ok()?;
    output::report(&checked.sources, &data.warnings);
    Some(data)
}

pub fn shown(sources: &Sources, wrong: &[Diagnostic]) -> Outcome {
    output::report(sources, wrong);
    Outcome::Errors
}
