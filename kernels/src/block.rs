//! Memory that programs compute in: zeroed, aligned to 128 bytes, owned by one place.

use memmap2::{MmapMut, MmapOptions};
use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::ptr::NonNull;

/// What every block starts at: two lines of the cache, so that neighbours never share one.
pub const ALIGN: usize = 128;

/// Bytes of a large page, at which large blocks begin, so that the system may use one.
const PAGE: usize = 2 << 20;
/// Bytes from which on a block has pages of its own.
const LARGE: usize = 2 * PAGE;

/// A block of zeroed bytes, or the mere size of one.
pub struct Block {
    start: NonNull<u8>,
    bytes: usize,
    source: Source,
}

/// Where the memory of a block comes from.
enum Source {
    Nothing,
    Allocator,
    /// Pages of its own: they are zeros without anybody writing them, and come when a thread first touches them. Large
    /// pages are not asked for: steps gained 1 to 3 %, but to find them took seconds on a machine whose memory had been used.
    Pages(#[allow(dead_code, reason = "owned until the block goes")] MmapMut),
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
                Block { start, bytes, source: Source::Nothing }
            }
        }
    }

    pub fn new(bytes: usize) -> Block {
        if bytes >= LARGE
            && let Some(block) = Block::of_pages(bytes)
        {
            return block;
        }
        let layout = Self::layout(bytes);
        // SAFETY: the layout's size is at least ALIGN, never 0.
        let start = unsafe { alloc_zeroed(layout) };
        let start = NonNull::new(start).unwrap_or_else(|| handle_alloc_error(layout));
        Block { start, bytes, source: Source::Allocator }
    }

    /// None where the system gives none: the allocator then says so.
    fn of_pages(bytes: usize) -> Option<Block> {
        let mut map = MmapOptions::new().len(bytes.checked_add(PAGE)?).map_anon().ok()?;
        let skipped = map.as_ptr().align_offset(PAGE);
        let start = NonNull::new(map[skipped..].as_mut_ptr())?;
        Some(Block { start, bytes, source: Source::Pages(map) })
    }

    fn layout(bytes: usize) -> Layout {
        Layout::from_size_align(bytes.max(ALIGN), ALIGN).expect("block: sizes fit an isize")
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
        if let Source::Allocator = self.source {
            // SAFETY: allocated in `new` with this layout.
            unsafe { dealloc(self.start.as_ptr(), Self::layout(self.bytes)) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_zero_aligned_and_writable_to_the_end() {
        for bytes in [0, 1, 512, LARGE - 1, LARGE, LARGE + 12_345] {
            let block = Block::new(bytes);
            assert_eq!((block.len(), block.at(0) as usize % ALIGN), (bytes, 0));
            // SAFETY: the block is alive, and nobody else has its address.
            let all = unsafe { std::slice::from_raw_parts_mut(block.at(0), bytes) };
            assert!(all.iter().all(|&byte| byte == 0), "{bytes} bytes");
            all.fill(0xff);
        }
    }
}
