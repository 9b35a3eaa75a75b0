//! Which `train` sections a command is about.

use super::Failure;
use super::output;
use super::spec::Checked;
use crate::base::{Sources, Span};
use crate::diag::{Diagnostic, did_you_mean};
use crate::runtime::data;
use crate::runtime::folds;
use crate::runtime::run_dir::{Run, changed_files};
use crate::runtime::sections::Datasets;
use crate::sema::Job;
use crate::sema::job::TrainPlan;

/// Leaves the one section that `--train` names.
pub fn choose(job: &mut Job, name: &str) -> Result<(), Failure> {
    let is = |plan: &TrainPlan| plan.name.as_deref() == Some(name);
    if job.trains.iter().any(is) {
        job.trains.retain(is);
        return Ok(());
    }
    let known: Vec<&str> = job.trains.iter().filter_map(|plan| plan.name.as_deref()).collect();
    let way_out = match (did_you_mean(name, known.iter().copied()), known.is_empty()) {
        (Some(near), _) => format!("did you mean `{near}`?"),
        (None, false) => format!("there is {}", known.join(", ")),
        (None, true) => "none has a name, so leave `--train` out".to_string(),
    };
    Err(Failure(format!("the spec has no `train {name}`: {way_out}")))
}

/// All sections, at least one; what is wrong is reported.
pub fn all<'a>(sources: &Sources, job: &'a Job) -> Option<&'a [TrainPlan]> {
    if job.trains.is_empty() {
        let wrong = "the spec has no `train` section";
        let wrong = Diagnostic::error("run::no_train", wrong, Span::default(), "in this file");
        output::report(sources, &[wrong.help("add `train { … }` to say how the model is trained")]);
        return None;
    }
    Some(&job.trains)
}

/// The one section of a spec; what else there is, is reported.
pub fn only_train<'a>(sources: &Sources, job: &'a Job) -> Option<&'a TrainPlan> {
    let [plan, others @ ..] = all(sources, job)? else { return None };
    if let Some(second) = others.first() {
        let wrong = "the spec has several `train` sections, and one is taken at a time";
        let wrong = Diagnostic::error("run::several", wrong, second.span, "the second one");
        let first = plan.name.as_deref().unwrap_or_default();
        output::report(sources, &[wrong.help(format!("name one, as in `--train {first}`"))]);
        return None;
    }
    Some(plan)
}

/// What stands above what is said of a section, if it is one of several.
pub fn heading(job: &Job, plan: &TrainPlan) -> Option<String> {
    (job.trains.len() > 1).then(|| format!("train {}", plan.name.as_deref().unwrap_or_default()))
}

/// Several sections cannot take folds in turn: each fold would have weights of its own to hand on.
pub fn folds_in_turn(job: &Job) -> Option<Diagnostic> {
    let [_, second, ..] = job.trains.as_slice() else { return None };
    let cut = job
        .trains
        .iter()
        .find(|plan| folds::runs(&Job { trains: vec![(*plan).clone()], ..job.clone() }).is_some())?;
    let section = &job.data[cut.data];
    let message = "several `train` sections run in turn, but their rows are cut into folds";
    let name = &section.name;
    let help = format!(
        "name the fold that they are trained on, as in `--set {name}.split.fold=1`, or one section: `--train {}`",
        cut.name.as_deref().unwrap_or_default()
    );
    let wrong = Diagnostic::error("run::several", message, second.span, "the second section");
    Some(wrong.label(section.split.span, "folds").help(help))
}

/// The data of every section in memory, or none with the problems reported.
pub fn load_all(checked: &Checked, job: &Job) -> Option<Datasets> {
    let mut all = Datasets::new();
    for plan in &job.trains {
        if all.contains_key(&plan.data) {
            continue;
        }
        match data::load_linted(&job.data[plan.data], &checked.places) {
            Ok(data) => {
                output::report(&checked.sources, &data.warnings);
                all.insert(plan.data, data);
            }
            Err(wrong) => {
                output::report(&checked.sources, &wrong);
                return None;
            }
        }
    }
    Some(all)
}

/// The files that are others than those of a run, each with what to say of it.
pub fn changed_data(run: &Run, data: &Datasets) -> Vec<String> {
    let now: Vec<_> = data.values().flat_map(|data| data.files.clone()).collect();
    changed_files(&run.info.data, &now)
}
