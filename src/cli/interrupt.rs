//! Ctrl-C, and the signal by which containers and batch systems end a process.
//!
//! The first ends a training after the step at hand, with everything written. Another one, a second
//! later or more (a key may bounce), ends the process at once, yet never in the middle of a file.

use super::Failure;
use crate::runtime::run_dir;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::time::{Duration, Instant};

/// Those that come sooner belong to the first.
const AGAIN: Duration = Duration::from_secs(1);

/// Signals being watched from now on.
pub struct Interrupts {
    /// Set by the first signal.
    pub stop: Arc<AtomicBool>,
    first: Arc<AtomicI32>,
}

impl Interrupts {
    pub fn watch() -> Result<Interrupts, Failure> {
        let failed = |e: std::io::Error| Failure(format!("cannot watch for Ctrl-C: {e}"));
        let mut signals = Signals::new([SIGINT, SIGTERM]).map_err(failed)?;
        let watched = Interrupts { stop: Arc::default(), first: Arc::default() };
        let (stop, first) = (watched.stop.clone(), watched.first.clone());
        let watch = move || {
            let mut since: Option<Instant> = None;
            for signal in signals.forever() {
                match since {
                    None => {
                        since = Some(Instant::now());
                        first.store(signal, Ordering::Relaxed);
                        stop.store(true, Ordering::Relaxed);
                    }
                    Some(since) if since.elapsed() >= AGAIN => {
                        let _whole = run_dir::between_files();
                        std::process::exit(128 + signal);
                    }
                    Some(_) => {}
                }
            }
        };
        std::thread::Builder::new().name("signals".into()).spawn(watch).map_err(failed)?;
        Ok(watched)
    }

    /// What a process that a signal ended exits with: 130 for Ctrl-C.
    pub fn exit_code(&self) -> u8 {
        128 + self.first.load(Ordering::Relaxed) as u8
    }
}
