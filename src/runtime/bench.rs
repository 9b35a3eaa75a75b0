//! `mlc bench`: the time of a training step in the steady state.
//!
//! Steps are timed in chunks of about 5 ms, as the harness for other frameworks does, and the fields
//! have its names. Batches come from the spec's own data through the pipeline that training uses.

use super::RunError;
use super::data::{Batches, Dataset, Order, Prefetch};
use super::engine::{DeviceKind, On};
use super::process;
use super::times::{self, KernelTime};
use super::trainer::Trainer;
use super::{plan, session};
use crate::diag::Diagnostic;
use crate::ops::Library;
use crate::sema::job::{Job, TrainPlan};
use serde::Serialize;
use std::time::Instant;

/// What the command line decides.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Time steps for about this long, and at most so many of them.
    pub seconds: f64,
    pub steps: u64,
    /// 0 for as many as the machine has cores.
    pub threads: usize,
    pub device: DeviceKind,
    /// Time each kernel, too.
    pub kernels: bool,
}

impl Default for Options {
    fn default() -> Self {
        Options { seconds: 4.0, steps: 5000, threads: 0, device: DeviceKind::Cpu, kernels: false }
    }
}

/// Milliseconds are of one step; what the system does not tell is left out.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    pub peer: &'static str,
    pub version: &'static str,
    pub work: String,
    pub batch: usize,
    pub threads: usize,
    /// What computes: `2 threads`, or a GPU's name.
    pub device: String,
    pub params: usize,
    /// From the start of the process.
    pub first_step_s: Option<f64>,
    /// The median over chunks.
    pub step_ms: f64,
    pub p10: f64,
    pub p90: f64,
    pub best_ms: f64,
    pub cpu_ms: Option<f64>,
    pub samples_per_s: f64,
    /// By three times the forward matrix products, the work of a step by convention.
    pub gflops: f64,
    pub peak_rss_mb: Option<u64>,
    pub loss_first: f64,
    pub loss_last: f64,
    pub steps: u64,
    /// Cores that other processes kept busy meanwhile.
    pub other_cpus: Option<f64>,
    /// Of the steps of one batch size, if they were asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub kernels: Vec<KernelTime>,
}

/// Aim of a chunk: long against the clock's own cost, short against the noise of the machine.
const CHUNK_SECONDS: f64 = 0.005;
const WARM_CHUNKS: usize = 5;
/// Where steps go together, a chunk is at least so many groups, so that the wait at its end is a small
/// part of it.
const CHUNK_GROUPS: u64 = 4;

/// Times the steps of a train section.
pub fn bench(
    lib: &Library,
    job: &Job,
    plan: &TrainPlan,
    data: &Dataset,
    options: &Options,
) -> Result<Report, RunError> {
    let threads = if options.threads == 0 { session::default_threads() } else { options.threads };
    let data_plan = &job.data[plan.data];
    let on = On::open(options.device, threads, plan.span).map_err(|wrong| *wrong)?;
    let device = on.name();
    let mut trainer = Trainer::new(lib, plan, data_plan, data, on).map_err(|wrong| *wrong)?;
    if options.kernels && !trainer.time_kernels() {
        let wrong = Diagnostic::error(
            "run::not_timed",
            "kernels are timed on the processor only",
            plan.span,
            "on a GPU here",
        );
        return Err(wrong.help("leave out `--kernels`, or bench with `--device cpu`").into());
    }
    // Only full batches: the steady state has one program.
    let rows = data_plan.batch * plan.accumulate;
    let order = Order { batch: rows, drop_last: true, ..trainer.order() };
    if order.steps_per_epoch() == 0 {
        let message = format!("{} training rows do not fill a batch of {}", order.rows, order.batch);
        let wrong = Diagnostic::error("run::no_batch", message, data_plan.span, "this data section");
        return Err(wrong.help("choose a smaller `--batch`, or more rows").into());
    }
    let (parameters, group) = (trainer.weights().parameters(), trainer.engine().group());
    let prefetch = Prefetch::choose(data.train.store.row_bytes() * order.batch);
    let augmenter = data.augmenter(plan.seed);
    let mut batches = Batches::of_training(&data.train, order, 0..u64::MAX, prefetch, &augmenter, None);
    // Steps one after the other, and the loss of the last once all are done.
    let mut steps = |count: u64| -> Result<f64, RunError> {
        let mut last = 0.0;
        for _ in 0..count {
            trainer.step(&batches.advance().expect("bench: steps do not end"))?;
            while let Some(loss) = trainer.next_loss() {
                last = f64::from(loss.value);
            }
        }
        trainer.finish()?;
        while let Some(loss) = trainer.next_loss() {
            last = f64::from(loss.value);
        }
        Ok(last)
    };

    let loss_first = steps(1)?;
    let first_step_s = process::age();
    let (mut warm, mut warmed, mut count) = (Vec::new(), 0.0, 1);
    let mut done = 1;
    while warm.len() < WARM_CHUNKS && warmed < options.seconds {
        let start = Instant::now();
        steps(count)?;
        let took = start.elapsed().as_secs_f64();
        warm.push(took / count as f64);
        warmed += took;
        done += count;
        // Where steps go together, they go faster in larger groups.
        count = (2 * count).min(group);
    }
    let fastest = warm.iter().copied().fold(f64::INFINITY, f64::min);
    let most = options.steps.max(1);
    let affordable = (options.seconds / 3.0 / fastest) as u64;
    let grouped = (CHUNK_GROUPS * (group - 1)).min(affordable);
    let chunk = ((CHUNK_SECONDS / fastest).round() as u64).max(grouped).clamp(1, most);

    let (mut times, mut loss_last) = (Vec::new(), loss_first);
    let (cpu, machine) = (process::cpu_seconds(), process::machine_cpu_seconds());
    let begin = Instant::now();
    while (times.len() as u64) * chunk < options.steps
        && (times.len() < 3 || begin.elapsed().as_secs_f64() < options.seconds)
    {
        let start = Instant::now();
        loss_last = steps(chunk)?;
        done += chunk;
        times.push(start.elapsed().as_secs_f64() / chunk as f64 * 1e3);
    }
    let spent = begin.elapsed().as_secs_f64();
    let since = |now: Option<f64>, then: Option<f64>| Some(now? - then?);
    let cpu = since(process::cpu_seconds(), cpu);
    let machine = since(process::machine_cpu_seconds(), machine);
    times.sort_by(f64::total_cmp);
    let step_ms = quantile(&times, 0.5);
    let flops = 3.0 * plan::forward_flops(plan, data.bindings(), order.batch) as f64;
    Ok(Report {
        peer: "mlc",
        version: env!("CARGO_PKG_VERSION"),
        work: job.name.clone(),
        batch: order.batch,
        threads,
        device,
        params: parameters,
        first_step_s: first_step_s.map(|s| rounded(s, 3)),
        step_ms: rounded(step_ms, 4),
        p10: rounded(quantile(&times, 0.1), 4),
        p90: rounded(quantile(&times, 0.9), 4),
        best_ms: rounded(times[0], 4),
        cpu_ms: cpu.map(|s| rounded(s / (times.len() as f64 * chunk as f64) * 1e3, 4)),
        samples_per_s: rounded(order.batch as f64 / step_ms * 1e3, 1),
        gflops: rounded(flops / step_ms / 1e6, 2),
        peak_rss_mb: process::peak_rss().map(|b| b >> 20),
        loss_first: rounded(loss_first, 4),
        loss_last: rounded(loss_last, 4),
        steps: done,
        other_cpus: since(machine, cpu).map(|s| rounded((s / spent).max(0.0), 2)),
        kernels: trainer.kernel_times(done),
    })
}

/// The quantile of sorted numbers, linear between them, both ends included.
fn quantile(sorted: &[f64], q: f64) -> f64 {
    let at = q * (sorted.len() - 1) as f64;
    let (low, high) = (sorted[at.floor() as usize], sorted[at.ceil() as usize]);
    low + (high - low) * at.fract()
}

fn rounded(x: f64, digits: i32) -> f64 {
    let scale = 10f64.powi(digits);
    (x * scale).round() / scale
}

/// The report for people.
pub fn text(report: &Report) -> String {
    let Report { work, batch, device, params, step_ms, p10, p90, best_ms, samples_per_s, gflops, .. } =
        report;
    let known =
        |value: Option<f64>, unit: &str| value.map_or("unknown".to_string(), |x| format!("{x} {unit}"));
    let rows = [
        ("step", format!("{step_ms} ms median, {best_ms} best, {p10} to {p90} in the middle eight tenths")),
        ("processor", known(report.cpu_ms, "ms a step")),
        ("speed", format!("{samples_per_s} rows/s, {gflops} GFLOP/s")),
        ("first step", known(report.first_step_s, "s after the start")),
        ("peak memory", report.peak_rss_mb.map_or("unknown".to_string(), |m| format!("{m} MiB"))),
        ("loss", format!("{} to {} in {} steps", report.loss_first, report.loss_last, report.steps)),
        ("others", known(report.other_cpus, "cores busy with other processes")),
    ];
    let mut text = format!("{work}: {params} parameters, batch {batch}, {device}\n");
    for (name, value) in rows {
        text += &format!("  {name:<12} {value}\n");
    }
    if !report.kernels.is_empty() {
        text += &times::text(&report.kernels);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_those_of_the_harness() {
        // statistics.quantiles([1, 2, 3, 4], n=10, method="inclusive"): 1.3, …, 2.5, …, 3.7
        let numbers = [1.0, 2.0, 3.0, 4.0];
        let near = |q, want: f64| assert!((quantile(&numbers, q) - want).abs() < 1e-12);
        near(0.1, 1.3);
        near(0.5, 2.5);
        near(0.9, 3.7);
        assert_eq!(quantile(&[7.0], 0.9), 7.0);
    }
}
