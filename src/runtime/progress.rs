//! What a run says while it runs: a trait, and its two text forms.
//!
//! Nothing here opens a stream: the command line hands in where to write, and draws the bar.

use super::folds;
use super::run_dir::{Record, RunInfo, Split};
use super::session::Best;
use super::tables;
use crate::ops::metric::Figure;
use serde::Serialize;
use std::io::Write;
use std::path::Path;

/// Before the first step.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Begin<'a> {
    pub spec: &'a str,
    pub parameters: usize,
    /// Rows for training.
    pub rows: usize,
    /// Steps done before, of a run that goes on.
    pub from: u64,
    /// At the end, those included.
    pub steps: u64,
    pub steps_per_epoch: u64,
    /// What computes: `2 threads`, or a GPU's name.
    pub device: &'a str,
    /// From the start of the session to here: compilation and first weights.
    pub ready_seconds: f64,
    pub folder: &'a Path,
}

impl Begin<'_> {
    pub fn epochs(&self) -> u64 {
        self.steps.div_ceil(self.steps_per_epoch.max(1))
    }
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    Complete,
    /// By early stopping.
    Early,
    /// By Ctrl-C, after the step at hand.
    Interrupted,
    /// The loss became infinite or not a number.
    NotFinite,
}

/// After everything is written.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct End<'a> {
    pub ending: Ending,
    pub steps: u64,
    pub seconds: f64,
    pub weights_hash: &'a str,
    /// What the weights were chosen by; none of the last step's.
    pub best: Option<&'a Best>,
    pub folder: &'a Path,
}

/// Someone who watches a run. Calls come in the order of the run, from its thread.
pub trait Progress {
    fn begin(&mut self, begin: &Begin);
    /// A step is done: called for every one, so it should be cheap.
    fn step(&mut self, record: &Record);
    /// An epoch or an evaluation is done.
    fn epoch(&mut self, record: &Record);
    fn end(&mut self, end: &End);
    /// The next run is that of a fold, counted from 1.
    fn fold(&mut self, _fold: usize, _of: usize) {}
    /// The next run is that of one of several `train` sections, counted from 1.
    fn section(&mut self, _name: &str, _section: usize, _of: usize) {}
    /// The last fold is done.
    fn folds(&mut self, _info: &RunInfo, _folder: &Path) {}
}

/// Says nothing.
pub struct Silent;

impl Progress for Silent {
    fn begin(&mut self, _: &Begin) {}
    fn step(&mut self, _: &Record) {}
    fn epoch(&mut self, _: &Record) {}
    fn end(&mut self, _: &End) {}
}

/// A line for each epoch and evaluation. What cannot be written is lost: a closed pipe does not
/// end a training.
pub struct Plain<W> {
    out: W,
    epochs: u64,
}

impl<W: Write> Plain<W> {
    pub fn new(out: W) -> Self {
        Plain { out, epochs: 0 }
    }

    fn line(&mut self, text: &str) {
        let _ = writeln!(self.out, "{text}").and_then(|()| self.out.flush());
    }
}

/// `epoch 2/5  valid  loss 0.0812  accuracy 0.9763`; below that of the test rows what needs lines of its own.
pub fn epoch_lines(record: &Record, epochs: u64) -> String {
    let mut text = epoch_line(record, epochs);
    if record.split == Split::Test {
        let own = record.metrics.iter().flat_map(|(name, figure)| tables::lines(name, figure));
        own.for_each(|line| text += &format!("\n{line}"));
    }
    text
}

fn epoch_line(record: &Record, epochs: u64) -> String {
    let text = evaluation_text(record.split.name(), record.loss, record.metrics);
    format!("epoch {}/{epochs}  {text}  {:.1} s", record.epoch, record.seconds)
}

/// `valid  loss 0.0812  accuracy 0.9763`
pub fn evaluation_text(rows: &str, loss: f64, metrics: &[(String, Figure)]) -> String {
    let short = |(name, figure): &(String, Figure)| Some(format!("  {name} {}", figure.short()?));
    let metrics: Vec<String> = metrics.iter().filter_map(short).collect();
    format!("{rows:<5}  loss {loss:.4}{}", metrics.concat())
}

/// What is said before the first step.
pub fn begin_line(begin: &Begin) -> String {
    let Begin { spec, parameters, rows, steps, device, .. } = begin;
    let folder = begin.folder.display();
    let from = if begin.from > 0 { format!(" from step {} on", begin.from) } else { String::new() };
    format!(
        "{spec}: {parameters} parameters, {rows} training rows, {steps} steps{from}, {device}, into {folder}"
    )
}

/// What is said after everything is written.
pub fn end_lines(end: &End) -> String {
    let how = match end.ending {
        Ending::Complete => "trained",
        Ending::Early => "trained until nothing got better:",
        Ending::Interrupted => "interrupted, everything is written:",
        Ending::NotFinite => "stopped since the loss is not finite:",
    };
    let End { steps, seconds, weights_hash, folder, .. } = end;
    let folder = folder.display();
    let best = end.best.map_or(String::new(), |best| {
        let Best { step, epoch, by, value, .. } = best;
        format!("kept those of step {step} (epoch {epoch}), the best by {by}: {value:.4}\n")
    });
    format!("{how} {steps} steps in {seconds:.2} s, into {folder}\n{best}weights {weights_hash}")
}

/// What is said before a fold.
pub fn fold_line(fold: usize, of: usize) -> String {
    format!("fold {fold} of {of}")
}

/// What is said before one of several sections.
pub fn section_line(name: &str, section: usize, of: usize) -> String {
    format!("train {name}, {section} of {of}")
}

impl<W: Write> Progress for Plain<W> {
    fn begin(&mut self, begin: &Begin) {
        self.epochs = begin.epochs();
        self.line(&begin_line(begin));
    }

    fn step(&mut self, _: &Record) {}

    fn epoch(&mut self, record: &Record) {
        self.line(&epoch_lines(record, self.epochs));
    }

    fn end(&mut self, end: &End) {
        self.line(&end_lines(end));
    }

    fn fold(&mut self, fold: usize, of: usize) {
        self.line(&fold_line(fold, of));
    }

    fn section(&mut self, name: &str, section: usize, of: usize) {
        self.line(&section_line(name, section, of));
    }

    fn folds(&mut self, info: &RunInfo, folder: &Path) {
        self.line(folds::text(info, folder).trim_end());
    }
}

/// A JSON object on each line: `{"event":"epoch","epoch":1,…}`.
pub struct Json<W> {
    out: W,
    line: Vec<u8>,
}

#[derive(Serialize)]
struct Event<'a, T> {
    event: &'a str,
    #[serde(flatten)]
    content: &'a T,
}

impl<W: Write> Json<W> {
    pub fn new(out: W) -> Self {
        Json { out, line: Vec::new() }
    }

    fn event(&mut self, event: &str, content: &impl Serialize) {
        self.line.clear();
        serde_json::to_writer(&mut self.line, &Event { event, content })
            .expect("runtime: events are plain data");
        self.line.push(b'\n');
        let _ = self.out.write_all(&self.line).and_then(|()| self.out.flush());
    }
}

impl<W: Write> Progress for Json<W> {
    fn begin(&mut self, begin: &Begin) {
        self.event("begin", begin);
    }

    /// Steps are in `metrics.jsonl`; a watcher wants to know how far the run is.
    fn step(&mut self, _: &Record) {}

    fn epoch(&mut self, record: &Record) {
        self.event("epoch", record);
    }

    fn end(&mut self, end: &End) {
        self.event("end", end);
    }

    fn fold(&mut self, fold: usize, of: usize) {
        self.event("fold", &serde_json::json!({ "fold": fold, "of": of }));
    }

    fn section(&mut self, name: &str, section: usize, of: usize) {
        self.event("section", &serde_json::json!({ "name": name, "section": section, "of": of }));
    }

    fn folds(&mut self, info: &RunInfo, folder: &Path) {
        let (finished, mean, folds) = (info.finished, &info.results, &info.folds);
        let said =
            serde_json::json!({ "finished": finished, "mean": mean, "folds": folds, "folder": folder });
        self.event("folds", &said);
    }
}

#[cfg(test)]
mod tests {
    use super::super::run_dir::{Scope, Split};
    use super::*;

    fn run(progress: &mut dyn Progress) {
        let folder = Path::new("runs/digits-1");
        progress.begin(&Begin {
            spec: "digits",
            parameters: 10,
            rows: 6,
            from: 0,
            steps: 5,
            steps_per_epoch: 3,
            device: "2 threads",
            ready_seconds: 0.5,
            folder,
        });
        let metrics = [("accuracy".to_string(), Figure::Number(Some(0.975)))];
        let record = Record {
            of: Scope::Epoch,
            step: 3,
            epoch: 1,
            split: Split::Valid,
            loss: 0.125,
            metrics: &metrics,
            seconds: 1.26,
        };
        progress.epoch(&record);
        let (ending, weights_hash) = (Ending::Interrupted, "00ff");
        progress.end(&End { ending, steps: 3, seconds: 1.5, weights_hash, best: None, folder });
    }

    #[test]
    fn plain_lines() {
        let mut out = Vec::new();
        run(&mut Plain::new(&mut out));
        insta::assert_snapshot!(String::from_utf8(out).unwrap(), @r"
        digits: 10 parameters, 6 training rows, 5 steps, 2 threads, into runs/digits-1
        epoch 1/2  valid  loss 0.1250  accuracy 0.9750  1.3 s
        interrupted, everything is written: 3 steps in 1.50 s, into runs/digits-1
        weights 00ff
        ");
    }

    #[test]
    fn json_lines() {
        let mut out = Vec::new();
        run(&mut Json::new(&mut out));
        insta::assert_snapshot!(String::from_utf8(out).unwrap(), @r#"
        {"event":"begin","spec":"digits","parameters":10,"rows":6,"from":0,"steps":5,"steps_per_epoch":3,"device":"2 threads","ready_seconds":0.5,"folder":"runs/digits-1"}
        {"event":"epoch","of":"epoch","step":3,"epoch":1,"split":"valid","loss":0.125,"metrics":{"accuracy":0.975},"seconds":1.26}
        {"event":"end","ending":"interrupted","steps":3,"seconds":1.5,"weights_hash":"00ff","best":null,"folder":"runs/digits-1"}
        "#);
    }
}
