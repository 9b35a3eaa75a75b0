//! Flushing denormal numbers to zero.

use std::marker::PhantomData;

/// While one lives, its thread reads and writes denormal floats as zeros (FTZ and DAZ on x86, FZ
/// on Arm, nothing elsewhere); when dropped, the setting is as it was before.
///
/// Without it a fading activation or moment costs a hundred times its price. It changes results,
/// so everything that computes a step has one: [`Team`](crate::team::Team) while it runs a region,
/// and whoever calls generated code around the whole call.
///
/// In one place machines differ: what is a hair (a quarter of a unit of the last place or less) below the least normal
/// number, and would be rounded up to it, is that number on x86, which looks after rounding, and 0 on Arm, which looks
/// before.
pub struct FlushDenormals {
    before: Control,
    /// It belongs to the thread that made it.
    _thread: PhantomData<*const ()>,
}

impl FlushDenormals {
    #[allow(clippy::new_without_default, reason = "a guard that changes the thread is made on purpose only")]
    pub fn new() -> FlushDenormals {
        let before = read();
        if before | FLUSH != before {
            write(before | FLUSH);
        }
        FlushDenormals { before, _thread: PhantomData }
    }
}

impl Drop for FlushDenormals {
    fn drop(&mut self) {
        if self.before | FLUSH != self.before {
            write(self.before);
        }
    }
}

#[cfg(target_arch = "x86_64")]
use x86::*;

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::asm;

    pub type Control = u32;
    /// Flush to zero (bit 15), denormals are zero (bit 6).
    pub const FLUSH: u32 = 1 << 15 | 1 << 6;

    pub fn read() -> u32 {
        let mut mxcsr = 0u32;
        // SAFETY: stores the control register into a local.
        unsafe { asm!("stmxcsr [{}]", in(reg) &raw mut mxcsr, options(nostack, preserves_flags)) };
        mxcsr
    }

    pub fn write(mxcsr: u32) {
        // SAFETY: a value that was read, with or without the two bits above, which mask nothing
        // and trap nothing. Rust assumes the default setting when it folds constants, so the two
        // can disagree only on denormal constants, and the kernels have none.
        unsafe { asm!("ldmxcsr [{}]", in(reg) &raw const mxcsr, options(nostack, preserves_flags)) };
    }
}

#[cfg(target_arch = "aarch64")]
use arm::*;

#[cfg(target_arch = "aarch64")]
mod arm {
    use std::arch::asm;

    pub type Control = u64;
    /// Flush to zero, inputs and results.
    pub const FLUSH: u64 = 1 << 24;

    pub fn read() -> u64 {
        let fpcr: u64;
        // SAFETY: reads the control register.
        unsafe { asm!("mrs {}, fpcr", out(reg) fpcr, options(nomem, nostack, preserves_flags)) };
        fpcr
    }

    pub fn write(fpcr: u64) {
        // SAFETY: a value that was read, with or without the bit above, which traps nothing. Not
        // `nomem`: float code must not move across it.
        unsafe { asm!("msr fpcr, {}", in(reg) fpcr, options(nostack, preserves_flags)) };
    }
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
use other::*;

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
mod other {
    pub type Control = u32;
    pub const FLUSH: u32 = 0;

    pub fn read() -> u32 {
        0
    }

    pub fn write(_: u32) {}
}
