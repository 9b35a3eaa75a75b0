//! Memory that programs compute in: aligned to 128 bytes, zeroed, owned by one place.

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::ptr::NonNull;

/// What every buffer starts at: two cache lines, so that neighbours never share one.
pub const ALIGN: usize = 128;

/// A block of zeroed bytes, or the mere size of one.
pub struct Block {
    start: NonNull<u8>,
    bytes: usize,
    backing: Backing,
}

/// Whether there is memory behind a block's addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backing {
    Memory,
    /// For plans of what may not fit: addresses are in order, and nobody may read or write there.
    Nothing,
}

// SAFETY: a block is plain owned memory; whoever writes through its pointers answers for races.
unsafe impl Send for Block {}
// SAFETY: as above; `&Block` itself only gives out the address.
unsafe impl Sync for Block {}

impl Block {
    pub fn backed(backing: Backing, bytes: usize) -> Block {
        match backing {
            Backing::Memory => Block::new(bytes),
            Backing::Nothing => {
                let start = NonNull::without_provenance(ALIGN.try_into().expect("memory: ALIGN is not 0"));
                Block { start, bytes, backing }
            }
        }
    }

    pub fn new(bytes: usize) -> Block {
        let layout = Self::layout(bytes);
        // SAFETY: the layout's size is at least ALIGN, never 0.
        let start = unsafe { alloc_zeroed(layout) };
        let start = NonNull::new(start).unwrap_or_else(|| handle_alloc_error(layout));
        Block { start, bytes, backing: Backing::Memory }
    }

    fn layout(bytes: usize) -> Layout {
        Layout::from_size_align(bytes.max(ALIGN), ALIGN).expect("memory: a plan's sizes fit an isize")
    }

    pub fn len(&self) -> usize {
        self.bytes
    }

    pub fn is_empty(&self) -> bool {
        self.bytes == 0
    }

    /// The address `offset` bytes in.
    pub fn at(&self, offset: usize) -> *mut u8 {
        assert!(offset <= self.bytes, "memory: an offset lies inside its block");
        self.start.as_ptr().wrapping_add(offset)
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        match self.backing {
            // SAFETY: allocated in `new` with this layout.
            Backing::Memory => unsafe { dealloc(self.start.as_ptr(), Self::layout(self.bytes)) },
            Backing::Nothing => {}
        }
    }
}

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
