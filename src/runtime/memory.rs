//! How buffers lie in memory.

pub use mlc_kernels::block::{ALIGN, Backing, Block};

/// Lays sizes out one behind the other, each at a multiple of [`ALIGN`]: their offsets, and the total.
pub fn lay_out(sizes: impl IntoIterator<Item = usize>) -> (Vec<usize>, usize) {
    let mut offsets = Vec::new();
    let mut end = 0usize;
    for size in sizes {
        offsets.push(end);
        end += size.next_multiple_of(ALIGN);
    }
    (offsets, end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_are_aligned_and_do_not_overlap() {
        assert_eq!(lay_out([0, 1, 128, 129]), (vec![0, 0, 128, 256], 512));
        let block = Block::new(512);
        assert_eq!(block.at(256) as usize % ALIGN, 0);
    }
}
