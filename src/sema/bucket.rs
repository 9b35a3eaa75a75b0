//! `bucket`: the spec checked again at each length that a batch may have.
//!
//! As `--set T=350` would. A length at which the spec is not right (a kernel is wider, a division leaves a rest, a domain
//! leaves it out) is none of the ladder's; at the others nothing may change but the lengths of padded columns and of
//! what is computed from them. Weights are the same ones, so their shapes are.

use super::facts::Recorder;
use super::file::{self, Asked};
use super::job::{BucketPlan, Column, ColumnKind, DataPlan, Encode, Field, Job, Shorter, TrainPlan};
use super::overrides;
use crate::base::{FileId, Sources};
use crate::diag::{Diagnostic, Diagnostics, Severity};
use crate::graph::{Graph, Leaf, LeafKind};
use crate::syntax::ast;

/// Fills in the shorter lengths of a job that is right so far, or says why there are none.
pub(super) fn lengths(
    sources: &mut Sources,
    file: FileId,
    ast: &ast::File,
    asked: Asked,
    job: &mut Job,
    diags: &mut Diagnostics,
) {
    for data in 0..job.data.len() {
        let Some(bucket) = job.data[data].bucket.clone() else { continue };
        let mut first = None;
        for length in BucketPlan::ladder(bucket.length).into_iter().skip(1) {
            let made = at_length(sources, file, ast, asked, &bucket, length);
            let kept = made.map(|other| keep(job, data, length, &other));
            match kept {
                Ok(Ok(())) => {}
                Ok(Err(wrong)) => return diags.push(*wrong),
                Err(found) => first = first.or(Some(found)),
            }
        }
        if let Some(found) = first.filter(|_| bucket.length > 1 && none(job, data)) {
            diags.push(whole_only(&bucket, &found));
        }
    }
}

fn none(job: &Job, data: usize) -> bool {
    job.data[data].bucket.as_ref().is_none_or(|bucket| bucket.shorter.is_empty())
}

/// The job of the spec at another length, or the first of what is wrong with it.
fn at_length(
    sources: &mut Sources,
    file: FileId,
    ast: &ast::File,
    asked: Asked,
    bucket: &BucketPlan,
    length: usize,
) -> Result<Job, Box<Diagnostic>> {
    let mut with = ast.clone();
    overrides::set_size(&mut with, &bucket.size, length as i64, bucket.span)?;
    let mut found = Diagnostics::new();
    let nothing = Recorder::default();
    let (job, _) = file::check(sources, file, &with, Asked { facts: &nothing, ..asked }, &mut found);
    let wrong = found.sorted().into_iter().find(|d| d.severity == Severity::Error);
    match (job, wrong) {
        (Some(job), None) => Ok(job),
        (_, Some(wrong)) => Err(Box::new(wrong)),
        (None, None) => {
            let message = format!("the spec is not known to be right with `{} = {length}`", bucket.size);
            Err(Box::new(wrong_at(bucket, message)))
        }
    }
}

/// Notes a length, or says what about the spec depends on it that may not.
fn keep(job: &mut Job, data: usize, length: usize, other: &Job) -> Result<(), Box<Diagnostic>> {
    let bucket = job.data[data].bucket.clone().expect("sema: a section with buckets");
    let cuts = cuts(&job.data[data], &other.data[data], &bucket, length)?;
    for (plan, other) in job.trains.iter_mut().zip(&other.trains).filter(|(plan, _)| plan.data == data) {
        same_weights(plan, other, &bucket, length)?;
        plan.shorter.push(other.forwards().cloned().collect());
    }
    let bucket = job.data[data].bucket.as_mut().expect("sema: a section with buckets");
    bucket.shorter.push(Shorter { length, cuts });
    Ok(())
}

/// How long the rows of each column are at another length.
fn cuts(
    whole: &DataPlan,
    other: &DataPlan,
    bucket: &BucketPlan,
    length: usize,
) -> Result<Vec<Option<usize>>, Box<Diagnostic>> {
    let depends = |column: &Column| {
        let message = format!(
            "`{}` is another column with `{} = {length}`, and not only a shorter one",
            column.name, bucket.size
        );
        let d = wrong_at(bucket, message).label(column.span, format!("depends on `{}`", bucket.size));
        Box::new(d.help(format!("write a number there instead of `{}`, or take `bucket` out", bucket.size)))
    };
    if whole.columns.len() != other.columns.len() {
        let message = format!("with `{} = {length}` other columns are read", bucket.size);
        let d = wrong_at(bucket, message);
        return Err(Box::new(d.help("take `bucket` out, or let the same columns be read at every length")));
    }
    let pairs = whole.columns.iter().zip(&other.columns);
    pairs.map(|(column, other)| cut(column, other).ok_or_else(|| depends(column))).collect()
}

/// The other length of a column, none where it stays; nothing if more than its padding is another.
fn cut(column: &Column, other: &Column) -> Option<Option<usize>> {
    if column.name != other.name || column.ty.dtype != other.ty.dtype {
        return None;
    }
    if let (Some((before, side)), Some((other_before, other_side))) = (padded(column), padded(other)) {
        let length = other.ty.shape.first()?.as_const()?;
        let same = before.how[..before.how.len() - 1] == other_before.how[..other_before.how.len() - 1];
        let same = same && before.source == other_before.source && side == other_side;
        return same.then_some(Some(usize::try_from(length).ok()?));
    }
    let same = column.ty == other.ty && column.fields().len() == other.fields().len();
    let hows = || column.fields().iter().zip(other.fields());
    let same = same && hows().all(|(a, b)| a.source == b.source && a.how == b.how);
    same.then_some(None)
}

/// The field of a column that is padded, and on which side.
fn padded(column: &Column) -> Option<(&Field, crate::ops::transform::Side)> {
    match (&column.kind, column.fields().last()?.how.last()?) {
        (ColumnKind::One(field), Encode::Pad { side, .. }) => Some((field, *side)),
        _ => None,
    }
}

/// Whether the weights and states of a training are the same at another length.
fn same_weights(
    plan: &TrainPlan,
    other: &TrainPlan,
    bucket: &BucketPlan,
    length: usize,
) -> Result<(), Box<Diagnostic>> {
    for (whole, other) in plan.graphs().zip(other.graphs()) {
        let differs = held(whole).find(|leaf| {
            let same = held(other).find(|found| found.name == leaf.name);
            same.is_none_or(|found| found.ty != leaf.ty || found.kind != leaf.kind)
        });
        if let Some(leaf) = differs {
            return Err(Box::new(weight(leaf, other, bucket, length)));
        }
        if let Some(leaf) = held(other).find(|leaf| held(whole).all(|known| known.name != leaf.name)) {
            return Err(Box::new(weight(leaf, whole, bucket, length)));
        }
    }
    Ok(())
}

/// What a graph holds from step to step.
fn held(graph: &Graph) -> impl Iterator<Item = &Leaf> {
    let leaves = graph.leaves.iter().map(|(_, leaf)| leaf);
    leaves.filter(|leaf| matches!(leaf.kind, LeafKind::Param(_) | LeafKind::State(_)))
}

fn weight(leaf: &Leaf, other: &Graph, bucket: &BucketPlan, length: usize) -> Diagnostic {
    let there = held(other).find(|found| found.name == leaf.name);
    let message = match there {
        Some(found) if found.ty != leaf.ty => format!(
            "the weight `{}` is {} with `{2} = {3}`, and {4} with `{2} = {length}`",
            leaf.name, leaf.ty.shape, bucket.size, bucket.length, found.ty.shape
        ),
        _ => format!("the weight `{}` depends on the length `{}`", leaf.name, bucket.size),
    };
    let d = wrong_at(bucket, message).label(leaf.span, "this weight");
    d.help(format!(
        "batches of all lengths share their weights: make its shape independent of `{}` (pool over the steps, or give \
         positions a number of their own), or take `bucket` out",
        bucket.size
    ))
}

/// No shorter length is right.
fn whole_only(bucket: &BucketPlan, first: &Diagnostic) -> Diagnostic {
    let message = format!("the spec is right with no `{}` below {}", bucket.size, bucket.length);
    let d = wrong_at(bucket, message).label(first.span(), first.message.clone());
    d.help("take `bucket` out, or let the model take shorter rows")
}

fn wrong_at(bucket: &BucketPlan, message: String) -> Diagnostic {
    Diagnostic::error("data::bucket", message, bucket.span, "batches of several lengths")
}
