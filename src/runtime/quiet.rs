//! Calls into crates that may panic over what is not our mistake: a damaged file, a lost device.
//!
//! Such a panic is an error with its message, and nothing reaches the terminal. A panic of our own code is
//! printed and goes on upwards, whoever is called in between: it names a broken invariant.

use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe, PanicHookInfo};
use std::sync::Once;

thread_local! {
    static GUARD: Cell<Guard> = const { Cell::new(Guard::Open) };
}

/// What this thread does with a panic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Guard {
    /// Prints it, as always.
    Open,
    /// Keeps it from the terminal, if it is another crate's.
    Set,
    /// It was ours, and is printed.
    Ours,
}

/// Where our own code lies, as the compiler writes it into a panic: other crates have absolute paths.
fn is_ours(info: &PanicHookInfo) -> bool {
    let root = file!().strip_suffix("runtime/quiet.rs").expect("quiet: the path of this file");
    info.location().is_some_and(|at| at.file().starts_with(root))
}

fn set_hook() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| match GUARD.get() {
            Guard::Set if !is_ours(info) => {}
            Guard::Set => {
                GUARD.set(Guard::Ours);
                before(info);
            }
            Guard::Open | Guard::Ours => before(info),
        }));
    });
}

/// Runs `work`; a panic of another crate in it is an error with its message, on one line.
pub fn quietly<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    set_hook();
    let outer = GUARD.replace(Guard::Set);
    let done = panic::catch_unwind(AssertUnwindSafe(work));
    let guard = GUARD.replace(outer);
    done.map_err(|panic| {
        if guard == Guard::Ours {
            panic::resume_unwind(panic);
        }
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("it gave up");
        text.lines().map(str::trim).filter(|l| !l.is_empty()).collect::<Vec<_>>().join("; ")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::VecDeque;

    #[test]
    fn a_panic_of_another_crate_is_an_error() {
        assert_eq!(quietly(|| 3), Ok(3));
        // Asserts inside the standard library.
        let found = quietly(|| VecDeque::<u8>::new().swap(0, 1));
        assert!(found.is_err_and(|why| why.contains("self.len()")));
        assert_eq!(GUARD.get(), Guard::Open);
    }

    #[test]
    fn a_panic_of_ours_goes_on() {
        let outside = panic::catch_unwind(|| quietly(|| -> u32 { panic!("an invariant") }));
        let text = outside.expect_err("it goes on upwards");
        assert_eq!(text.downcast_ref::<&str>(), Some(&"an invariant"));
        assert_eq!(GUARD.get(), Guard::Open);
    }
}
