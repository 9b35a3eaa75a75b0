//! What the system knows of this process. Where it does not say (Linux' `/proc`), nothing is known.

use std::fs;

/// Clock ticks a second in `/proc`: fixed at 100 in what Linux shows to programs.
const TICKS: f64 = 100.0;

/// The most memory that was resident so far, in bytes.
pub fn peak_rss() -> Option<u64> {
    kibibytes("VmHWM:")
}

/// The memory that is resident now, in bytes.
pub fn rss() -> Option<u64> {
    kibibytes("VmRSS:")
}

/// What the machine could still give without swapping, in bytes.
pub fn available_memory() -> Option<u64> {
    field_of("/proc/meminfo", "MemAvailable:")
}

fn kibibytes(field: &str) -> Option<u64> {
    field_of("/proc/self/status", field)
}

fn field_of(file: &str, field: &str) -> Option<u64> {
    let status = fs::read_to_string(file).ok()?;
    let line = status.lines().find_map(|l| l.strip_prefix(field))?;
    let kib: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kib * 1024)
}

/// The fields of `/proc/self/stat` behind the program's name, which may hold spaces: `state` is 0.
fn stat(index: usize) -> Option<f64> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    let (_, fields) = stat.rsplit_once(')')?;
    fields.split_whitespace().nth(index)?.parse().ok()
}

/// Seconds since this process started.
pub fn age() -> Option<f64> {
    let uptime: f64 = fs::read_to_string("/proc/uptime").ok()?.split_whitespace().next()?.parse().ok()?;
    Some(uptime - stat(19)? / TICKS)
}

/// Processor seconds used so far by all threads of this process.
pub fn cpu_seconds() -> Option<f64> {
    Some((stat(11)? + stat(12)?) / TICKS)
}

/// Processor seconds used so far by the whole machine.
pub fn machine_cpu_seconds() -> Option<f64> {
    let stat = fs::read_to_string("/proc/stat").ok()?;
    let fields = stat.lines().next()?.split_whitespace().skip(1).take(3);
    Some(fields.filter_map(|f| f.parse::<f64>().ok()).sum::<f64>() / TICKS)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn linux_tells() {
        assert!(peak_rss().unwrap() >= rss().unwrap() / 2 && rss().unwrap() > 1 << 20);
        assert!(age().unwrap() >= 0.0 && age().unwrap() < 86400.0);
        assert!(machine_cpu_seconds().unwrap() >= cpu_seconds().unwrap());
    }
}
