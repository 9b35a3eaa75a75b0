//! What a backend can take of fusion, as data.

/// Forms of kernels that [`lower`](super::lower) may make beyond those that every backend runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fusion {
    /// Operands of products may be formulas, loads may have guards and any dtype; and what is
    /// cheaper to compute again than to store and load is computed again.
    pub prologues: bool,
    /// The widest `n` over which the body of a product may fold; 0 if it may not.
    pub row_epilogue: usize,
}

impl Fusion {
    /// Packing copies `f32` as it lies, and a tile is finished before its neighbours are there. A
    /// draw costs more here than a load from the cache that it would save.
    pub const CPU: Fusion = Fusion { prologues: false, row_epilogue: 0 };

    /// Operands go through code anyway, and a workgroup has room for rows of this width; launches
    /// and round trips of memory are dear beside arithmetic.
    pub const GPU: Fusion = Fusion { prologues: true, row_epilogue: 64 };
}
