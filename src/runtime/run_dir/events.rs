//! TensorBoard's event file: the values of `metrics.jsonl` as it draws them.
//!
//! A file of TFRecords, each `length, crc of length, event, crc of event`; an event is a protocol-buffer message of
//! a time, a step and a value by name (tensorflow/core/util/event.proto, summary.proto). Written by hand: three
//! messages of five fields are less than a library.

use super::record::{appending, cut, synced};
use super::{Record, Scope};
use crate::ops::metric::Figure;
use crate::runtime::error::RunError;
use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

/// TensorBoard reads every file whose name has `tfevents` in it.
pub const NAME: &str = "events.out.tfevents.mlc";

/// The first record says which version of the format follows.
const VERSION: &[u8] = b"brain.Event:2";

/// The event file, open for appending. A step's event allocates nothing.
#[derive(Debug)]
pub struct Events {
    file: File,
    path: PathBuf,
    /// Room for one record, its event and its value.
    record: Vec<u8>,
    event: Vec<u8>,
    value: Vec<u8>,
}

impl Events {
    /// Opens the file, cut to its first `bytes`.
    pub fn open(path: PathBuf, bytes: u64) -> Result<Events, RunError> {
        let file = appending(&path)?;
        cut(&file, &path, bytes)?;
        let room = || Vec::with_capacity(256);
        let mut events = Events { file, path, record: room(), event: room(), value: room() };
        if bytes == 0 {
            events.event.clear();
            double(&mut events.event, 1, now());
            bytes_field(&mut events.event, 3, VERSION);
            events.write()?;
        }
        Ok(events)
    }

    /// Every number of a record, such as `loss/valid`; the loss of one step is `loss/step`.
    pub fn append(&mut self, record: &Record) -> Result<(), RunError> {
        match record.of {
            Scope::Step => self.scalar("loss/step", record.step, record.loss),
            Scope::Epoch => {
                let split = record.split.name();
                self.scalar(&format!("loss/{split}"), record.step, record.loss)?;
                for (name, figure) in record.metrics.iter().flat_map(|(name, figure)| figure.flat(name)) {
                    if let Figure::Number(Some(value)) = figure {
                        self.scalar(&format!("{name}/{split}"), record.step, value)?;
                    }
                }
                Ok(())
            }
        }
    }

    fn scalar(&mut self, tag: &str, step: u64, value: f64) -> Result<(), RunError> {
        self.value.clear();
        bytes_field(&mut self.value, 1, tag.as_bytes());
        key(&mut self.value, 2, Wire::Four);
        self.value.extend_from_slice(&(value as f32).to_le_bytes());
        // A summary is a list of values: its length is that of the value with key and length.
        self.event.clear();
        double(&mut self.event, 1, now());
        key(&mut self.event, 2, Wire::Varint);
        varint(&mut self.event, step);
        key(&mut self.event, 5, Wire::Bytes);
        varint(&mut self.event, 1 + varint_len(self.value.len() as u64) + self.value.len() as u64);
        bytes_field(&mut self.event, 1, &self.value);
        self.write()
    }

    fn write(&mut self) -> Result<(), RunError> {
        let length = (self.event.len() as u64).to_le_bytes();
        self.record.clear();
        self.record.extend_from_slice(&length);
        self.record.extend_from_slice(&masked_crc(&length).to_le_bytes());
        self.record.extend_from_slice(&self.event);
        self.record.extend_from_slice(&masked_crc(&self.event).to_le_bytes());
        self.file.write_all(&self.record).map_err(|e| RunError::io("write", &self.path, &e))
    }

    pub fn synced(&self) -> Result<u64, RunError> {
        synced(&self.file, &self.path)
    }
}

fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}

/// How a field of a message is laid out.
#[derive(Clone, Copy)]
enum Wire {
    Varint = 0,
    Eight = 1,
    Bytes = 2,
    Four = 5,
}

fn key(out: &mut Vec<u8>, field: u8, wire: Wire) {
    out.push(field << 3 | wire as u8);
}

fn varint(out: &mut Vec<u8>, mut n: u64) {
    while n >= 0x80 {
        out.push(n as u8 | 0x80);
        n >>= 7;
    }
    out.push(n as u8);
}

fn varint_len(n: u64) -> u64 {
    u64::from((64 - (n | 1).leading_zeros()).div_ceil(7))
}

fn double(out: &mut Vec<u8>, field: u8, x: f64) {
    key(out, field, Wire::Eight);
    out.extend_from_slice(&x.to_le_bytes());
}

fn bytes_field(out: &mut Vec<u8>, field: u8, bytes: &[u8]) {
    key(out, field, Wire::Bytes);
    varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// CRC-32C, turned and shifted: a checksum of data that hold checksums would be weak.
fn masked_crc(bytes: &[u8]) -> u32 {
    crc32c(bytes).rotate_right(15).wrapping_add(0xa282_ead8)
}

/// Castagnoli's polynomial, low bit first (RFC 3720, appendix B.4).
fn crc32c(bytes: &[u8]) -> u32 {
    let step = |crc: u32, byte: &u8| {
        (0..8).fold(
            crc ^ u32::from(*byte),
            |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0x82f6_3b78 } else { crc >> 1 },
        )
    };
    !bytes.iter().fold(!0, step)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_are_castagnoli_s() {
        // RFC 3720: the check value, and 32 bytes of zeros.
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
        assert_eq!(crc32c(&[0; 32]), 0x8a91_36aa);
    }

    #[test]
    fn lengths_are_varints() {
        for n in [0, 1, 127, 128, 300, 16_383, 16_384, u64::MAX] {
            let mut out = Vec::new();
            varint(&mut out, n);
            assert_eq!(out.len() as u64, varint_len(n), "{n}");
        }
        let mut out = Vec::new();
        varint(&mut out, 300);
        assert_eq!(out, [0xac, 0x02]);
    }

    /// What `tensorboard.backend.event_processing` reads from it, but for the time.
    #[test]
    fn a_value_is_an_event() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(NAME);
        let mut events = Events::open(path.clone(), 0).unwrap();
        let head = events.synced().unwrap();
        events.scalar("loss/valid", 300, 0.25).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        let record = &bytes[head as usize..];
        let length = record[0] as usize;
        let event = &record[12..12 + length];
        assert_eq!(record.len(), 16 + length);
        assert_eq!(event[0], 0x09);
        assert_eq!(event[9..], *b"\x10\xac\x02\x2a\x13\x0a\x11\x0a\x0aloss/valid\x15\x00\x00\x80\x3e");
        // Taken up again, it is cut.
        let again = Events::open(path, head).unwrap();
        assert_eq!(again.synced().unwrap(), head);
    }
}
