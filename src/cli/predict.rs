//! `mlc predict`: the model of a run on rows that nobody has labelled.

use super::args::{PredictArgs, SpecArgs};
use super::lesson::Lesson;
use super::rows::Input;
use super::sections::only_train;
use super::spec;
use super::train::{open_ended, over, shown};
use super::{Failure, Outcome, output};
use crate::diag::Diagnostic;
use crate::runtime::data::{FittedColumn, FittedField, Frame, Frames, Neighbours, Places, Store};
use crate::runtime::predict::Predictor;
use crate::runtime::run_dir::Run;
use crate::runtime::table_out::{Format, OutColumn, Writer};
use crate::runtime::{On, RunError, session};
use crate::sema::job::{SourcePlan, TrainPlan};
use std::collections::BTreeSet;
use std::io::stdout;
use std::path::Path;
use std::time::Instant;

/// Bad rows that are told one by one.
const TOLD: usize = 20;

pub fn run(args: &PredictArgs) -> Result<Outcome, Failure> {
    let run = open_ended(&args.run)?;
    let lesson = if run.info.asked.file.is_none() { Some(Lesson::unpack()?) } else { None };
    let given = over(&run, lesson.as_ref(), &SpecArgs { data: args.data.clone(), ..SpecArgs::default() });
    let Some((mut checked, job)) = spec::given_with_data(&given)? else { return Ok(Outcome::Errors) };
    let Some(plan) = only_train(&checked.sources, &job) else { return Ok(Outcome::Errors) };
    let format = match &args.format {
        Some(name) => Format::named(name).map_err(|wrong| Failure(wrong.to_string()))?,
        None => Format::of(&args.output),
    };
    let input = Input::open(&args.input)?;
    let labels = labels(plan, &run);
    let like = &job.data[plan.data].source.kind;
    let source = input.source(&mut checked, args.input_format.as_deref(), like, &labels);
    match (Prediction { args, run: &run, plan, source: &source, format }).write() {
        Ok(()) => Ok(Outcome::Clean),
        Err(RunError::Diagnostics(wrong)) => Ok(shown(&checked.sources, &wrong)),
        Err(RunError::Io(why)) => Err(Failure(why)),
    }
}

/// The columns of the source that labels alone are made of.
fn labels(plan: &TrainPlan, run: &Run) -> Vec<String> {
    let (labels, inputs): (Vec<_>, Vec<_>) = run.info.fitted.iter().partition(|column| {
        plan.answers.iter().any(|answer| answer.label.as_deref() == Some(column.name.as_str()))
    });
    let sources = |columns: Vec<&FittedColumn>| -> BTreeSet<String> {
        let fields = columns.into_iter().flat_map(|column| &column.fields);
        fields.flat_map(FittedField::sources).map(str::to_string).collect()
    };
    // What an input is made of as well is there.
    sources(labels).difference(&sources(inputs)).cloned().collect()
}

/// What is predicted from what, and how it is written.
struct Prediction<'a> {
    args: &'a PredictArgs,
    run: &'a Run,
    plan: &'a TrainPlan,
    source: &'a SourcePlan,
    format: Format,
}

impl Prediction<'_> {
    fn write(&self) -> Result<(), RunError> {
        let began = Instant::now();
        let mut frames = Frames::open(self.source, &Places::default()).map_err(|wrong| *wrong)?;
        let Some(first) = frames.advance().map_err(|wrong| *wrong)? else {
            let d = Diagnostic::error("data::empty", "no rows to predict", self.source.path_span, "empty");
            return Err(d.help("give a table with at least one row").into());
        };
        let device = self.args.device.map_or(self.run.info.asked.device, |device| device.kind());
        let threads = self.args.threads.map_or_else(session::default_threads, usize::from);
        let on = On::open(device, threads, self.plan.span).map_err(|wrong| *wrong)?;
        let batch = self.args.batch.map_or(self.run.info.batch, |batch| batch as usize);
        let batch = batch.min(first.rows()).max(1);
        let mut predictor = Predictor::new(self.plan, self.run, batch, on)?;
        let kept = self.kept(&first)?;
        let columns: Vec<OutColumn> = kept.iter().cloned().chain(self.answers(&predictor, &kept)).collect();
        let mut writer = match self.args.output == Path::new("-") {
            true => Writer::stream(Box::new(stdout()), self.format, &columns)?,
            false => Writer::create(&self.args.output, self.format, &columns)?,
        };
        let (mut written, mut left_out) = (0, 0);
        let mut neighbours = Neighbours::new(predictor.rows_read());
        let mut next = Some(first);
        while let Some(frame) = next {
            if let Some((frame, store)) = self.encoded(frame, &mut neighbours, &predictor, &mut left_out)? {
                let mut values = Vec::new();
                for column in &kept {
                    values.push(frame.values(column, self.source).map_err(|wrong| *wrong)?);
                }
                values.extend(predictor.answer(store, frame.rows())?);
                writer.write(&values)?;
                written += frame.rows();
            }
            next = frames.advance().map_err(|wrong| *wrong)?;
        }
        if written == 0 && left_out == 0 {
            return Err(self.too_few(&neighbours).into());
        }
        writer.finish()?;
        self.tell(written, left_out, began);
        Ok(())
    }

    /// An answer is made of more rows than there are.
    fn too_few(&self, neighbours: &Neighbours) -> Diagnostic {
        let (read, there) = (neighbours.rows_read(), neighbours.rows());
        let message = format!("an answer is made of {read} rows, and the input has {there}");
        let d = Diagnostic::error("data::windows", message, self.source.path_span, "too few rows");
        d.help(format!("give {read} rows or more, in the order of time"))
    }

    /// The columns of the input that go through: all, or those that `--keep` names.
    fn kept(&self, first: &Frame) -> Result<Vec<OutColumn>, RunError> {
        let typed = match self.format {
            Format::Csv | Format::Tsv => false,
            Format::Jsonl | Format::Parquet => true,
        };
        let all = first.columns(typed);
        let Some(names) = &self.args.keep else { return Ok(all) };
        let named = names.iter().filter(|name| !name.is_empty());
        let column = |name: &String| match all.iter().find(|column| column.name == *name) {
            Some(column) => Ok(column.clone()),
            None => {
                let message = format!("the input has no column `{name}` to keep");
                let d = Diagnostic::error("data::column", message, self.source.path_span, "read here");
                let known = all.iter().map(|column| column.name.as_str());
                let near = crate::diag::did_you_mean(name, known.clone());
                let list = || known.clone().collect::<Vec<_>>().join(", ");
                Err(RunError::from(d.help(match near {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("its columns are {}", list()),
                })))
            }
        };
        named.map(column).collect()
    }

    /// The columns of answers, called so that none is called as a column of the input.
    fn answers(&self, predictor: &Predictor, kept: &[OutColumn]) -> Vec<OutColumn> {
        let mut columns = predictor.columns();
        for column in &mut columns {
            while kept.iter().any(|k| k.name == column.name) {
                column.name = format!("predicted.{}", column.name);
            }
        }
        columns
    }

    /// The rows that have answers, and what the model takes for them; with `--skip-bad` those that can be.
    fn encoded(
        &self,
        frame: Frame,
        neighbours: &mut Neighbours,
        predictor: &Predictor,
        left_out: &mut usize,
    ) -> Result<Option<(Frame, Store)>, RunError> {
        let fitted = predictor.fitted();
        if neighbours.rows_read() > 1 {
            // Without a row between them, others would be neighbours that are none.
            let (frame, steps) = neighbours.take(frame);
            let Some(steps) = steps else { return Ok(None) };
            let store = steps.encode(fitted, self.source).map_err(RunError::Diagnostics)?;
            return Ok(Some((frame, store)));
        }
        match frame.encode(fitted, self.source) {
            Ok(store) => Ok(Some((frame, store))),
            Err(wrong) if !self.args.skip_bad => Err(RunError::Diagnostics(wrong)),
            Err(_) => {
                let (good, bad) = frame.sound(fitted, self.source);
                let untold = TOLD.saturating_sub(*left_out);
                bad.iter().take(untold).for_each(|d| output::err(&format!("left out {}\n", d.message)));
                *left_out += bad.len();
                let frame = frame.rows_of(&good);
                if good.is_empty() {
                    return Ok(None);
                }
                let store = frame.encode(fitted, self.source).map_err(RunError::Diagnostics)?;
                Ok(Some((frame, store)))
            }
        }
    }

    fn tell(&self, written: usize, left_out: usize, began: Instant) {
        let rows = |n: usize| if n == 1 { "1 row".to_string() } else { format!("{n} rows") };
        let less = if left_out > 0 { format!(", {} left out", rows(left_out)) } else { String::new() };
        let place = match self.args.output == Path::new("-") {
            true => String::new(),
            false => format!(", into {}", self.args.output.display()),
        };
        let seconds = began.elapsed().as_secs_f64();
        output::err(&format!("predicted {}{less} in {seconds:.2} s{place}\n", rows(written)));
    }
}
