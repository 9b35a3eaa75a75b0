//! The progress line on a terminal.

use super::output;
use crate::runtime::folds;
use crate::runtime::progress::{
    Begin, End, Progress, begin_line, end_lines, epoch_lines, fold_line, section_line,
};
use crate::runtime::run_dir::{Record, RunInfo};
use indicatif::{ProgressBar, ProgressStyle};
use std::path::Path;
use std::time::{Duration, Instant};

/// A bar with the time left, on standard error; lines of epochs scroll past above it.
pub struct Bar {
    bar: ProgressBar,
    epochs: u64,
    drawn: Instant,
}

/// How often the bar is touched: steps may take microseconds, a drawing takes longer.
const EVERY: Duration = Duration::from_millis(100);

impl Bar {
    pub fn new() -> Bar {
        Bar { bar: ProgressBar::hidden(), epochs: 0, drawn: Instant::now() }
    }
}

impl Progress for Bar {
    fn begin(&mut self, begin: &Begin) {
        output::err(&format!("{}\n", begin_line(begin)));
        self.epochs = begin.epochs();
        let template = "{bar:30} {percent:>3} %  step {human_pos}/{human_len}  {msg}  {eta} left";
        let style = ProgressStyle::with_template(template).expect("cli: the template is a constant");
        self.bar = ProgressBar::new(begin.steps).with_style(style);
    }

    fn step(&mut self, record: &Record) {
        if self.drawn.elapsed() >= EVERY {
            self.drawn = Instant::now();
            self.bar.set_message(format!("loss {:.4}", record.loss));
            self.bar.set_position(record.step);
        }
    }

    fn epoch(&mut self, record: &Record) {
        self.bar.set_position(record.step);
        self.bar.println(epoch_lines(record, self.epochs));
    }

    fn end(&mut self, end: &End) {
        self.bar.finish_and_clear();
        output::err(&format!("{}\n", end_lines(end)));
    }

    fn fold(&mut self, fold: usize, of: usize) {
        output::err(&format!("{}\n", fold_line(fold, of)));
    }

    fn section(&mut self, name: &str, section: usize, of: usize) {
        output::err(&format!("{}\n", section_line(name, section, of)));
    }

    fn folds(&mut self, info: &RunInfo, folder: &Path) {
        output::err(&folds::text(info, folder));
    }
}
