//! What each kernel of a step takes: `mlc bench --kernels`.
//!
//! Kernels run as in a step, but each is called by itself; equal ones are one line.

use super::machine::Executable;
use crate::loops::{Contract, Kernel, KernelKind};
use serde::Serialize;

/// Equal kernels of a program, together.
#[derive(Clone, Debug, Serialize)]
pub struct KernelTime {
    /// How many they are.
    pub kernels: usize,
    /// Milliseconds of a run, all of them.
    pub ms: f64,
    /// Of products: billions of multiplications and additions a second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gflops: Option<f64>,
    /// What is computed: `product 768 x 128 x 512`.
    pub what: String,
    /// Layers and weights of the first.
    pub label: String,
    /// How it runs, as `mlc plan` says it.
    pub how: String,
}

/// The kernels of a program that ran `runs` times timed, the most expensive first.
pub fn kernel_times(executable: &Executable, runs: u64) -> Vec<KernelTime> {
    let mut all: Vec<KernelTime> = Vec::new();
    let kernels = executable.program.kernels.iter().zip(executable.compiled.schedule());
    for ((kernel, schedule), seconds) in kernels.zip(&executable.seconds) {
        let ms = seconds / runs.max(1) as f64 * 1e3;
        let how = schedule.strip_prefix(&format!("{}: ", kernel.label)).unwrap_or(schedule);
        let what = describe(kernel);
        match all.iter_mut().find(|time| time.what == what && time.how == how) {
            Some(time) => {
                time.ms += ms;
                time.kernels += 1;
            }
            None => {
                let label = kernel.label.clone();
                all.push(KernelTime { kernels: 1, ms, gflops: None, what, label, how: how.to_string() });
            }
        }
    }
    for time in &mut all {
        let same = executable.program.kernels.iter().find(|kernel| describe(kernel) == time.what);
        if let Some(Kernel { kind: KernelKind::Contract(contract), .. }) = same {
            let work = time.kernels * multiply_adds(contract);
            time.gflops = Some(2e-6 * work as f64 / time.ms);
        }
    }
    all.sort_by(|a, b| b.ms.total_cmp(&a.ms));
    all
}

fn multiply_adds(contract: &Contract) -> usize {
    [&contract.batch, &contract.m, &contract.n, &contract.k].into_iter().flatten().product()
}

fn describe(kernel: &Kernel) -> String {
    let sizes = |dims: &[usize]| dims.iter().map(usize::to_string).collect::<Vec<_>>().join("*");
    match &kernel.kind {
        KernelKind::Rows(rows) => {
            let facts = format!("{} nodes, {} stores", rows.body.nodes.len(), rows.body.stores.len());
            format!("rows {} of {}, {facts}", sizes(&rows.outer), sizes(&rows.row))
        }
        KernelKind::Contract(c) => {
            let batch = if c.batch.is_empty() { String::new() } else { format!("{} of ", sizes(&c.batch)) };
            format!("product {batch}{} x {} x {}", sizes(&c.m), sizes(&c.n), sizes(&c.k))
        }
        KernelKind::Scatter(s) => format!("scatter {} rows of {}", s.count, s.width),
        KernelKind::Scan(s) => format!("loop of {} steps", s.length),
    }
}

/// The table for people.
pub fn text(times: &[KernelTime]) -> String {
    let total: f64 = times.iter().map(|time| time.ms).sum();
    let mut text = format!("kernels, {total:.3} ms together\n       ms  share  GFLOP/s  times\n");
    for KernelTime { kernels, ms, gflops, what, label, how } in times {
        let share = 100.0 * ms / total.max(f64::MIN_POSITIVE);
        let gflops = gflops.map_or(String::new(), |g| format!("{g:.1}"));
        let label = if label.is_empty() { String::new() } else { format!(" ({label})") };
        text += &format!("{ms:>9.3} {share:>5.1}% {gflops:>8} {kernels:>6}  {what}{label}: {how}\n");
    }
    text
}
