//! Finding and reading source files: beside the spec, then under the data folder; `.gz` too.
//!
//! Every byte read goes through a 64-bit hash, so that a run can say which data it saw.

use super::known;
use crate::diag::{Code, Diagnostic};
use crate::sema::job::{SourceKind, SourcePlan};
use flate2::bufread::MultiGzDecoder;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

/// Where relative paths of a spec are looked up, in this order.
#[derive(Clone, Debug, Default)]
pub struct Places {
    /// The spec's own folder.
    pub spec: Option<PathBuf>,
    /// `--data DIR` or `MLC_DATA`.
    pub data: Option<PathBuf>,
}

/// A file that was read, as `run.yaml` names it.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct FileInfo {
    pub path: String,
    pub bytes: u64,
    /// FNV-1a-64 of the bytes on disk, in hex. It identifies data, it does not protect them.
    pub hash: String,
}

impl FileInfo {
    /// Of bytes that were read.
    pub fn of(path: &Path, bytes: &[u8]) -> FileInfo {
        let hash = format!("{:016x}", fnv1a(FNV_START, bytes));
        FileInfo { path: path.display().to_string(), bytes: bytes.len() as u64, hash }
    }
}

/// A problem of a source, labelled at its path in the spec.
pub fn problem(code: Code, message: impl Into<String>, source: &SourcePlan) -> Box<Diagnostic> {
    Box::new(Diagnostic::error(code, message, source.path_span, "read here"))
}

impl Places {
    /// Where `path` may be, in the order in which it is looked for.
    pub fn candidates(&self, path: &str) -> Vec<PathBuf> {
        let tried: Vec<PathBuf> =
            [&self.spec, &self.data].into_iter().flatten().map(|place| place.join(path)).collect();
        if tried.is_empty() { vec![PathBuf::from(path)] } else { tried }
    }

    /// How many bytes the files of a source have on disk; none if one is not there, or is not on this disk.
    pub fn bytes(&self, kind: &SourceKind) -> Option<u64> {
        let found = |path: &str| self.candidates(path).into_iter().find(|p| p.exists());
        let paths: Option<Vec<PathBuf>> = kind.paths().into_iter().map(found).collect();
        match paths?.as_slice() {
            [] => None,
            paths => paths.iter().map(|path| on_disk(path)).sum(),
        }
    }

    /// The first place that has `path`; an absolute path is its own only place.
    pub fn find(&self, path: &str, source: &SourcePlan) -> Result<PathBuf, Box<Diagnostic>> {
        let tried = self.candidates(path);
        if let Some(found) = tried.iter().find(|p| p.exists()) {
            return Ok(found.clone());
        }
        let mut looked: Vec<String> = tried.iter().map(|p| format!("`{}`", p.display())).collect();
        looked.dedup();
        let mut diagnostic = Diagnostic::error(
            "data::missing_file",
            format!("`{path}` is not there: looked at {}", looked.join(" and ")),
            source.path_span,
            "no such file or folder",
        );
        let place = match self.data {
            Some(_) => "put it at one of these places",
            None => "name the folder that holds it with `--data DIR` or `MLC_DATA`",
        };
        diagnostic.help = Some(match known::advice(path) {
            Some(origin) => format!("{origin}; then {place}"),
            None => format!("correct the path, or {place}"),
        });
        Err(Box::new(diagnostic))
    }
}

/// The bytes of a file, or of the files in a folder.
fn on_disk(path: &Path) -> Option<u64> {
    if !path.is_dir() {
        return Some(path.metadata().ok()?.len());
    }
    fs::read_dir(path).ok()?.map(|entry| Some(entry.ok()?.metadata().ok()?.len())).sum()
}

/// The name that messages call a file by: its last part.
pub fn short_name(path: &Path) -> String {
    path.file_name().map_or_else(|| path.display().to_string(), |n| n.to_string_lossy().into_owned())
}

/// FNV-1a-64, continued from `hash`.
pub fn fnv1a(hash: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(hash, |h, b| (h ^ u64::from(*b)).wrapping_mul(0x100_0000_01b3))
}

/// The hash of nothing, to start from.
pub const FNV_START: u64 = 0xcbf2_9ce4_8422_2325;

struct Hashing<R> {
    inner: R,
    hash: u64,
    bytes: u64,
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buf)?;
        self.hash = fnv1a(self.hash, &buf[..n]);
        self.bytes += n as u64;
        Ok(n)
    }
}

type Disk = BufReader<Hashing<File>>;

enum Stream {
    Plain(Disk),
    Gzip(Box<MultiGzDecoder<Disk>>),
}

/// An open source file, decompressed on the way if it is gzip.
pub struct Input {
    stream: Stream,
    path: PathBuf,
    /// An upper bound of the bytes that reading can give: deflate cannot shrink below 1 in 1032.
    pub at_most: u64,
}

impl Input {
    /// Gzip is told by its magic number; a `.gz` name without it is an error.
    pub fn open(path: &Path, source: &SourcePlan) -> Result<Input, Box<Diagnostic>> {
        let unreadable = |e: io::Error| {
            let message = format!("cannot read `{}`: {e}", path.display());
            let help =
                "name a file that you may read; folders are read by `images`, `idx`, `cifar` and `voc`";
            problem("data::unreadable", message, source).help(help)
        };
        let file = File::open(path).map_err(unreadable)?;
        let length = file.metadata().map_err(unreadable)?.len();
        let hashing = Hashing { inner: file, hash: FNV_START, bytes: 0 };
        let mut disk = BufReader::with_capacity(1 << 16, hashing);
        let head = disk.fill_buf().map_err(unreadable)?;
        let gzip = head.starts_with(&[0x1f, 0x8b]);
        if !gzip && path.extension().is_some_and(|e| e == "gz") && !head.is_empty() {
            let message = format!("{}: ends in .gz, but its bytes are not gzip", short_name(path));
            return Err(Box::new(
                problem("data::gzip", message, source).help("rename the file, or download it again"),
            ));
        }
        let (stream, at_most) = if gzip {
            (Stream::Gzip(Box::new(MultiGzDecoder::new(disk))), length.saturating_mul(1032))
        } else {
            (Stream::Plain(disk), length)
        };
        Ok(Input { stream, path: path.to_path_buf(), at_most })
    }

    pub fn name(&self) -> String {
        short_name(&self.path)
    }

    /// The bytes of a file that is not compressed.
    pub fn plain_length(&self) -> Option<u64> {
        match self.stream {
            Stream::Plain(_) => Some(self.at_most),
            Stream::Gzip(_) => None,
        }
    }

    /// Appends up to `limit` bytes to `out`, fewer only at the end of the file.
    pub fn read(
        &mut self,
        limit: u64,
        out: &mut Vec<u8>,
        source: &SourcePlan,
    ) -> Result<(), Box<Diagnostic>> {
        let result = match &mut self.stream {
            Stream::Plain(disk) => disk.take(limit).read_to_end(out),
            Stream::Gzip(gz) => gz.take(limit).read_to_end(out),
        };
        result.map(|_| ()).map_err(|e| match self.stream {
            Stream::Plain(_) => {
                problem("data::unreadable", format!("cannot read `{}`: {e}", self.path.display()), source)
            }
            Stream::Gzip(_) => {
                let what = match e.kind() {
                    io::ErrorKind::UnexpectedEof => "the gzip data end too early".to_string(),
                    _ => format!("the gzip data are damaged ({e})"),
                };
                let message = format!("{}: {what}, after {} bytes of content", self.name(), out.len());
                Box::new(problem("data::gzip", message, source).help("download the file again"))
            }
        })
    }

    /// Reads what is left on disk for the hash, and tells what was read.
    pub fn finish(self, source: &SourcePlan) -> Result<FileInfo, Box<Diagnostic>> {
        let mut disk = match self.stream {
            Stream::Plain(disk) => disk,
            Stream::Gzip(gz) => gz.into_inner(),
        };
        io::copy(&mut disk, &mut io::sink()).map_err(|e| {
            problem("data::unreadable", format!("cannot read `{}`: {e}", self.path.display()), source)
        })?;
        let seen = disk.into_inner();
        let path = self.path.display().to_string();
        Ok(FileInfo { path, bytes: seen.bytes, hash: format!("{:016x}", seen.hash) })
    }
}
