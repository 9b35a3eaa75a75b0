//! Memory that programs compute in: zeroed, aligned to 128 bytes, owned by one place.

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::ptr::NonNull;

/// What every block starts at: two lines of the cache, so that neighbours never share one.
pub const ALIGN: usize = 128;
/// What allocators align to of themselves. Asked for more they have to clear what they give; at this they hand out
/// a large block as fresh pages, which are zeros without anybody writing them and come when a thread first touches them.
const GIVEN: usize = 16;

/// A block of zeroed bytes, or the mere size of one.
pub struct Block {
    start: NonNull<u8>,
    bytes: usize,
    /// What the allocator gave, where there is memory.
    owned: Option<NonNull<u8>>,
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
                let start = NonNull::without_provenance(ALIGN.try_into().expect("block: ALIGN is not 0"));
                Block { start, bytes, owned: None }
            }
        }
    }

    pub fn new(bytes: usize) -> Block {
        let layout = Self::layout(bytes);
        // SAFETY: the layout's size is at least ALIGN, never 0.
        let given = unsafe { alloc_zeroed(layout) };
        let owned = NonNull::new(given).unwrap_or_else(|| handle_alloc_error(layout));
        // SAFETY: the layout has ALIGN bytes more than the block.
        let start = unsafe { owned.add(owned.align_offset(ALIGN)) };
        Block { start, bytes, owned: Some(owned) }
    }

    /// Room for the block behind the first multiple of ALIGN.
    fn layout(bytes: usize) -> Layout {
        let room = bytes.checked_add(ALIGN).expect("block: sizes fit an isize");
        Layout::from_size_align(room, GIVEN).expect("block: sizes fit an isize")
    }

    pub fn len(&self) -> usize {
        self.bytes
    }

    pub fn is_empty(&self) -> bool {
        self.bytes == 0
    }

    /// The address `offset` bytes in.
    pub fn at(&self, offset: usize) -> *mut u8 {
        assert!(offset <= self.bytes, "block: an offset lies inside");
        self.start.as_ptr().wrapping_add(offset)
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        if let Some(owned) = self.owned {
            // SAFETY: allocated in `new` with this layout.
            unsafe { dealloc(owned.as_ptr(), Self::layout(self.bytes)) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_zero_aligned_and_writable_to_the_end() {
        for bytes in [0, 1, 512, 4 << 20, (4 << 20) + 12_345] {
            let block = Block::new(bytes);
            assert_eq!((block.len(), block.at(0) as usize % ALIGN), (bytes, 0));
            // SAFETY: the block is alive, and nobody else has its address.
            let all = unsafe { std::slice::from_raw_parts_mut(block.at(0), bytes) };
            assert!(all.iter().all(|&byte| byte == 0), "{bytes} bytes");
            all.fill(0xff);
        }
    }
}
