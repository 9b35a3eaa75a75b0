//! What generated code and the kernels share: layouts and function types.

use std::ffi::c_void;

/// Everything a run needs, handed to every generated function.
#[repr(C)]
pub struct Ctx {
    /// The address of each buffer of the program, by its id.
    pub buffers: *const *mut u8,
    pub seed: u64,
    /// The step that random numbers are drawn for, from 1.
    pub step: u64,
    /// The thread team that parallel kernels run on.
    pub team: *const c_void,
    /// Shared scratch, as many bytes as the memory plan says: packed operands.
    pub workspace: *mut u8,
}

/// One task of a parallel kernel. `scratch` belongs to the thread for the call.
pub type TaskFn = unsafe extern "C" fn(ctx: *const Ctx, task: usize, scratch: *mut u8);

/// What happens to a finished tile of a contraction: rows `i..i + rows`, columns
/// `j..j + cols` of batch entry `outer`, at `acc[r * ld + c]`. The tile is scratch: it may
/// be overwritten.
pub type EpilogueFn = unsafe extern "C" fn(
    ctx: *const Ctx,
    outer: usize,
    acc: *mut f32,
    ld: usize,
    i: usize,
    j: usize,
    rows: usize,
    cols: usize,
    scratch: *mut u8,
);

/// A strip function of one argument: `out[i] = f(x[i])` for `i < n`; `out` may be `x`.
pub type Strip1Fn = unsafe extern "C" fn(n: usize, x: *const f32, out: *mut f32);
/// A strip function of two arguments; `out` may be either.
pub type Strip2Fn = unsafe extern "C" fn(n: usize, x: *const f32, y: *const f32, out: *mut f32);
