//! Pages that come before they are needed.
//!
//! The system gives memory page by page when it is first touched, which takes a good part of a large net's first step.
//! While code is made for it, other cores have nothing to do: one of them touches the pages.

use super::memory::Block;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{Builder, JoinHandle};

/// Bytes of the smallest pages.
const PAGE: usize = 4096;
/// Blocks below this come fast enough.
const LARGE: usize = 8 << 20;

/// A thread that touches the pages of a block, if there is one.
#[derive(Default)]
pub struct Warming {
    /// Whether it is to end, or has.
    ended: Arc<AtomicBool>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Warming {
    /// Starts on a block that nobody uses yet.
    ///
    /// # Safety
    /// Nobody uses the block, and it stays where it is, until this ends or is dropped.
    pub unsafe fn new(block: &Block) -> Warming {
        if block.len() < LARGE {
            return Warming::default();
        }
        let ended = Arc::new(AtomicBool::new(false));
        let (start, len, told) = (block.at(0).expose_provenance(), block.len(), ended.clone());
        let touch = move || {
            for at in (start..start + len).step_by(PAGE) {
                if told.load(Ordering::Relaxed) {
                    break;
                }
                // SAFETY: the address lies in the block, whose zeros nobody uses before this thread is joined.
                unsafe { std::ptr::with_exposed_provenance_mut::<u8>(at).write_volatile(0) };
            }
        };
        // Without a thread pages come as they are needed.
        let thread = Builder::new().name("pages".into()).spawn(touch).ok();
        Warming { ended, thread: Mutex::new(thread) }
    }

    /// Ends it, however far it came. Costs nothing from the second time on.
    pub fn end(&self) {
        if self.ended.swap(true, Ordering::Relaxed) {
            return;
        }
        if let Some(thread) = self.thread.lock().expect("runtime: nothing fails while it is ended").take() {
            thread.join().expect("runtime: pages can be touched");
        }
    }
}

impl Drop for Warming {
    fn drop(&mut self) {
        self.end();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_stays_zero_and_is_ours_once_it_has_ended() {
        for wait in [0, 1, 20] {
            let block = Block::new(LARGE + 12_345);
            // SAFETY: the block is used below alone, once it has ended.
            let warming = unsafe { Warming::new(&block) };
            std::thread::sleep(std::time::Duration::from_millis(wait));
            warming.end();
            warming.end();
            // SAFETY: the block is alive, and nobody else has its address.
            let all = unsafe { std::slice::from_raw_parts_mut(block.at(0), block.len()) };
            assert!(all.iter().all(|&byte| byte == 0));
            all.fill(1);
        }
        // SAFETY: nobody uses it.
        drop(unsafe { Warming::new(&Block::new(16)) });
    }
}
