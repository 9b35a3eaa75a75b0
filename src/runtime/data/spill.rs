//! Rows on disk: encoded once, row after row, read back by place.
//!
//! The file has no name from the start where the system allows that, so that nothing is left of it whichever
//! way the process ends.

use super::Store;
use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

/// Rows of a store, as bytes side by side in the order of its columns.
#[derive(Debug)]
pub struct Spill {
    file: File,
    /// Where the file has to keep its name while it is open.
    name: Option<PathBuf>,
    /// Bytes of a row.
    stride: usize,
}

/// A spill being written.
pub struct Spilling {
    out: BufWriter<File>,
    name: Option<PathBuf>,
    stride: usize,
}

/// Tells the files of one process apart.
static MADE: AtomicU64 = AtomicU64::new(0);

impl Spilling {
    /// A file in the system's folder for temporary files, for rows of `stride` bytes.
    pub fn new(stride: usize) -> io::Result<Spilling> {
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("mlc-rows-{}-{number}", std::process::id()));
        let file = OpenOptions::new().read(true).write(true).create_new(true).open(&path)?;
        let name = if cfg!(unix) {
            std::fs::remove_file(&path)?;
            None
        } else {
            Some(path)
        };
        Ok(Spilling { out: BufWriter::with_capacity(1 << 16, file), name, stride })
    }

    /// Appends the rows of a store in memory, or the steps that its windows are made of.
    pub fn append(&mut self, store: &Store, rows: usize) -> io::Result<()> {
        for row in 0..rows {
            for column in &store.columns {
                let size = store.hop(column);
                self.out.write_all(&column.bytes()[row * size..(row + 1) * size])?;
            }
        }
        Ok(())
    }

    pub fn finish(self) -> io::Result<Spill> {
        let file = self.out.into_inner().map_err(io::IntoInnerError::into_error)?;
        Ok(Spill { file, name: self.name, stride: self.stride })
    }
}

impl Spill {
    /// Bytes of a row.
    pub fn stride(&self) -> usize {
        self.stride
    }

    /// Reads a row, or as many neighbours from it on as `bytes` takes.
    ///
    /// # Panics
    /// If `bytes` does not take whole rows, or the disk fails: training cannot go on without its rows.
    pub fn read(&self, row: u32, bytes: &mut [u8]) {
        assert!(bytes.len().is_multiple_of(self.stride.max(1)), "data: rows are read whole");
        let at = u64::from(row) * self.stride as u64;
        read_at(&self.file, bytes, at)
            .unwrap_or_else(|e| panic!("data: the temporary file of rows cannot be read: {e}"));
    }
}

impl Drop for Spill {
    fn drop(&mut self) {
        if let Some(name) = &self.name {
            let _ = std::fs::remove_file(name);
        }
    }
}

#[cfg(unix)]
fn read_at(file: &File, bytes: &mut [u8], at: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, bytes, at)
}

#[cfg(windows)]
fn read_at(file: &File, mut bytes: &mut [u8], mut at: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        let read = std::os::windows::fs::FileExt::seek_read(file, bytes, at)?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        bytes = &mut bytes[read..];
        at += read as u64;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::data::{Array, Values};

    #[test]
    fn rows_come_back_from_any_place() {
        let array = |name: &str, row: Vec<usize>, values| Array { name: name.into(), row, values };
        let store = Store::new(vec![
            array("a", vec![2], Values::F32((0..6).map(|x| x as f32).collect())),
            array("b", vec![], Values::U8(vec![7, 8, 9])),
        ]);
        let mut spilling = Spilling::new(9).unwrap();
        spilling.append(&store, 3).unwrap();
        spilling.append(&store, 3).unwrap();
        let spill = spilling.finish().unwrap();
        for row in [5, 0, 2, 4] {
            let mut bytes = [0; 9];
            spill.read(row, &mut bytes);
            let of = row as usize % 3;
            assert_eq!(bytes[8], [7, 8, 9][of]);
            assert_eq!(bytes[4..8], (2.0 * of as f32 + 1.0).to_le_bytes());
        }
        assert_eq!(spill.name, None, "nothing is left in the folder");
    }
}
