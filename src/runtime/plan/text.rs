//! What a plan says, for people: tables of layers, memory and kernels.

use super::{FromFile, OnGpu, Report, Row, Tiles};

/// `412 B`, `1.5 KiB`, `47.0 MiB`.
pub fn bytes(n: usize) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    if n < 1024 {
        return format!("{n} B");
    }
    let mut value = n as f64 / 1024.0;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS[unit])
}

/// `980`, `12.3 k`, `6.5 M`
fn short(n: u64) -> String {
    let scaled = |by: f64, unit: &str| format!("{:.1} {unit}", n as f64 / by);
    match n {
        0..1_000 => n.to_string(),
        1_000..1_000_000 => scaled(1e3, "k"),
        1_000_000..1_000_000_000 => scaled(1e6, "M"),
        1_000_000_000.. => scaled(1e9, "G"),
    }
}

/// The report for people.
pub fn text(report: &Report) -> String {
    let mut text = network(report);
    text += &memory(report);
    if let Some(gpu) = &report.gpu {
        text += &gpu_text(gpu, &report.device);
    }
    let disk = &report.disk;
    let rows = [
        ("checkpoint", disk.checkpoint, disk.note()),
        ("at most", disk.most, "of the run directory".to_string()),
    ];
    text += &format!("\ndisk\n{}", sizes(rows.into_iter()));
    text += "\nlargest buffers\n";
    let buffers = report.largest.iter().map(|b| vec![b.name.clone(), bytes(b.bytes), b.what.to_string()]);
    text += &table(buffers.collect());
    for (name, phase) in [("training step", &report.train), ("evaluation", &report.eval)] {
        text += &format!(
            "\n{name}: activations {}, live bound {}\n",
            bytes(phase.activations),
            bytes(phase.live_bound)
        );
        for kernel in &phase.kernels {
            text += &format!("  {kernel}\n");
        }
    }
    text
}

/// Layers, work and learning rate.
fn network(report: &Report) -> String {
    let Report { spec, batch, device, precision, parameters, .. } = report;
    let products = if *precision == "f32" { String::new() } else { format!(", products in {precision}") };
    let mut text = format!("{spec}: {parameters} parameters, batch {batch}, {device}{products}\n\n");
    let head = ["layer", "", "input", "output", "parameters", "FLOPs"].map(String::from).to_vec();
    let layers = report.layers.iter().map(|l| {
        vec![
            l.path.clone(),
            l.call.clone(),
            l.input.clone(),
            l.output.clone(),
            l.parameters.to_string(),
            short(l.flops),
        ]
    });
    text += &table(std::iter::once(head).chain(layers).collect());
    text += &format!(
        "forward {} FLOPs, a training step about {}\n\n",
        short(report.forward_flops),
        short(report.step_flops)
    );
    if let [longest, shorter @ ..] = report.lengths.as_slice() {
        let shorter: Vec<String> = shorter.iter().rev().map(usize::to_string).collect();
        text += &format!(
            "batches have rows of {} or {longest} steps, as their longest wants: all below is of {longest}\n\n",
            shorter.join(", ")
        );
    }
    for FromFile { model, file, weights, of } in &report.pretrained {
        text += &format!("{model} starts from {file}: {weights} of {of} weights\n\n");
    }
    for Tiles { count, steps, queries } in &report.tiles {
        let times = if *count == 1 { String::new() } else { format!(", {count} times") };
        text += &format!(
            "attention of {steps} steps by tiles of {queries}{times}: memory grows with the length, and scores are computed \
             again on the way back\n\n"
        );
    }
    if let Some(rate) = &report.learning_rate {
        text += &format!(
            "learning rate by {} over {} steps: first {:?}, peak {:?} at step {}, last {:?}\n\n",
            rate.schedule, rate.steps, rate.first, rate.peak, rate.peak_step, rate.last
        );
    }
    text
}

fn memory(report: &Report) -> String {
    let m = &report.memory;
    let mut rows = vec![
        ("weights", m.weights, String::new()),
        ("optimizer", m.optimizer, String::new()),
        ("activations", m.activations, format!("live bound {}", bytes(m.activations_live_bound))),
        ("batches", m.batches, String::new()),
        ("scalars", m.scalars, String::new()),
        ("workspace", m.workspace, "packed operands".to_string()),
        ("scratch", m.scratch, "of all threads".to_string()),
        ("total", m.total, String::new()),
    ];
    if m.best > 0 {
        let at = rows.len() - 1;
        rows.insert(at, ("best", m.best, "the best weights so far".to_string()));
    }
    if let Some(limit) = m.limit {
        let again = match m.again {
            0 => String::new(),
            n => format!(", {} let go and made again", bytes(n)),
        };
        let taken = report.gpu.as_ref().map_or(m.total as u64, |gpu| gpu.total);
        let kept = if taken <= limit as u64 { "kept to" } else { "not to be kept to" };
        rows.push(("limit", limit, format!("{kept}{again}")));
    }
    if let Some(data) = m.data {
        rows.push(("data", data, "the data set, beside the total".to_string()));
    }
    if report.gpu.is_some() {
        // The rest lies on the GPU.
        rows.retain(|(_, n, _)| *n > 0);
    }
    format!("memory\n{}", sizes(rows.into_iter()))
}

/// A table of sizes with notes.
fn sizes<'r>(rows: impl Iterator<Item = (&'r str, usize, String)>) -> String {
    table(rows.map(|(name, n, note)| vec![name.to_string(), bytes(n), note]).collect())
}

fn gpu_text(gpu: &OnGpu, device: &str) -> String {
    let line = |row: &Row| vec![row.what.to_string(), bytes(row.bytes as usize), row.note.clone()];
    let mut lines: Vec<Vec<String>> = gpu.rows.iter().map(line).collect();
    let has = gpu.has.map_or(String::new(), |has| format!("of {}", bytes(has as usize)));
    lines.push(vec!["total".to_string(), bytes(gpu.total as usize), has]);
    format!("\nmemory on {device}\n{}", table(lines))
}

/// Columns padded to their widest cell, two spaces apart, indented by two.
pub fn table(rows: Vec<Vec<String>>) -> String {
    let width = |column: usize| {
        rows.iter().filter_map(|r| r.get(column)).map(|c| c.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..rows.iter().map(Vec::len).max().unwrap_or(0)).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells: Vec<String> =
            row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}", width = *width)).collect();
        format!("  {}\n", cells.join("  ").trim_end())
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_short() {
        assert_eq!(bytes(1023), "1023 B");
        assert_eq!(bytes(1536), "1.5 KiB");
        assert_eq!(bytes(47 << 20), "47.0 MiB");
        assert_eq!(short(999), "999");
        assert_eq!(short(6_502_400), "6.5 M");
    }
}
