//! What is known of data files, kept between checks.
//!
//! A check never waits for a disk or a server longer than [`PATIENCE`]: each source is read in a
//! thread of its own, what comes later wakes the server, which checks again. What was read counts
//! until its files change; they are looked at again, in a thread, while checks go on.

use super::server::{News, Wake};
use crate::base::Span;
use crate::runtime::data::{DiskProbe, Places};
use crate::sema::job::{SourceKind, SourcePlan, TensorInfo};
use crate::sema::{DataProbe, ProbeError, SourceSchema};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

/// How long one check waits for files that nobody has looked into yet: enough for a header on a disk.
const PATIENCE: Duration = Duration::from_millis(8);

/// How long files count as unchanged without another look.
const FRESH: Duration = Duration::from_secs(1);

/// More sources than any editor has open; behind it the oldest are forgotten.
const KEPT: usize = 256;

/// What is looked into.
#[derive(Clone, Debug)]
enum Asked {
    Source(SourceKind),
    /// A file of weights, by its path.
    Weights(String),
}

impl Asked {
    fn paths(&self) -> Vec<&str> {
        match self {
            Asked::Source(kind) => kind.paths(),
            Asked::Weights(path) => vec![path],
        }
    }
}

/// What a look at a file found.
#[derive(Clone, Debug, PartialEq)]
enum Seen {
    Source(Option<SourceSchema>),
    Weights(Option<Vec<TensorInfo>>),
}

type Answer = Result<Seen, ProbeError>;

/// What tells one state of a source's files from another: path, length, time of the last change.
type Stamp = Vec<(PathBuf, u64, Option<SystemTime>)>;

#[derive(Clone)]
pub struct Headers {
    shared: Arc<Shared>,
    wake: Wake,
}

#[derive(Default)]
struct Shared {
    known: Mutex<BTreeMap<String, Known>>,
    /// Told whenever a thread is done.
    done: Condvar,
}

struct Known {
    answer: Option<Answer>,
    stamp: Stamp,
    looked: Instant,
    reading: bool,
    /// Whether a check went on without it.
    missed: bool,
}

impl Headers {
    pub fn new(wake: Wake) -> Headers {
        Headers { shared: Arc::default(), wake }
    }

    /// For one check of a spec whose paths are looked up at `places`.
    pub fn glance(&self, places: Places) -> Glance<'_> {
        Glance { headers: self, places, waited: Cell::new(Duration::ZERO), missing: RefCell::default() }
    }

    /// Whether a check went on without a source that is still being read.
    pub fn owes(&self) -> bool {
        self.shared.lock().values().any(|known| known.missed && known.reading)
    }

    /// The next check looks at all files again, and at what databases answer.
    pub fn look_again(&self) {
        let Some(long_ago) = Instant::now().checked_sub(FRESH) else { return };
        for known in self.shared.lock().values_mut() {
            known.looked = long_ago;
            if known.stamp.is_empty() {
                // A server has no date: only asking again tells.
                known.stamp.push((PathBuf::new(), 0, None));
            }
        }
    }

    /// Starts to read, unless a thread does already. The lock is held by the caller.
    fn read(&self, known: &mut Known, key: &str, asked: &Asked, places: &Places) {
        if known.reading {
            return;
        }
        known.reading = true;
        let (headers, key, asked, places) = (self.clone(), key.to_string(), asked.clone(), places.clone());
        let before = known.answer.is_some().then(|| known.stamp.clone());
        let started = thread::Builder::new()
            .name("headers".into())
            .spawn(move || headers.reader(key, asked, places, before));
        // No thread, no answer: the source stays unknown until the next look.
        known.reading = started.is_ok();
    }

    /// What a reading thread does.
    fn reader(&self, key: String, asked: Asked, places: Places, before: Option<Stamp>) {
        let stamp = stamp(&asked, &places);
        let answer = (before.as_ref() != Some(&stamp)).then(|| look(asked, places));
        let news = self.learn(&key, stamp, answer);
        self.shared.done.notify_all();
        if news {
            (self.wake)(News::Data);
        }
        // Only now is nothing owed any more.
        if let Some(known) = self.shared.lock().get_mut(&key) {
            (known.reading, known.missed) = (false, false);
        }
    }

    /// Keeps what was read; whether a check knew less or something else.
    fn learn(&self, key: &str, stamp: Stamp, answer: Option<Answer>) -> bool {
        let mut all = self.shared.lock();
        let Some(known) = all.get_mut(key) else { return false };
        (known.looked, known.stamp) = (Instant::now(), stamp);
        let Some(answer) = answer else { return false };
        let news = known.missed || known.answer.as_ref().is_some_and(|old| *old != answer);
        known.answer = Some(answer);
        news
    }
}

impl Shared {
    /// A thread that panicked has left nothing half done here.
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A look at the disk. Damage in a file must not end the server, so neither must a defect of ours.
fn look(asked: Asked, places: Places) -> Answer {
    let probe = DiskProbe { places };
    let nothing = match asked {
        Asked::Source(_) => Seen::Source(None),
        Asked::Weights(_) => Seen::Weights(None),
    };
    let seen = std::panic::catch_unwind(|| match asked {
        Asked::Source(kind) => {
            let source = SourcePlan { kind, span: Span::default(), path_span: Span::default() };
            probe.probe(&source).map(Seen::Source)
        }
        Asked::Weights(path) => probe.tensors(&path, Span::default()).map(Seen::Weights),
    });
    seen.unwrap_or(Ok(nothing))
}

/// Answers one check, and remembers what it could not answer yet.
pub struct Glance<'a> {
    headers: &'a Headers,
    places: Places,
    waited: Cell<Duration>,
    missing: RefCell<Vec<Span>>,
}

impl Glance<'_> {
    /// Where the paths of sources stand that were taken for unknown because they are still being read.
    pub fn missing(self) -> Vec<Span> {
        self.missing.into_inner()
    }

    /// The answer, or none if it is not there in time.
    fn answer(&self, key: &str, asked: &Asked) -> Option<Answer> {
        let mut all = self.headers.shared.lock();
        if all.len() >= KEPT && !all.contains_key(key) {
            forget(&mut all);
        }
        let fresh = Known {
            answer: None,
            stamp: Stamp::new(),
            looked: Instant::now(),
            reading: false,
            missed: false,
        };
        let known = all.entry(key.to_string()).or_insert(fresh);
        if let Some(answer) = known.answer.clone() {
            if known.looked.elapsed() >= FRESH {
                self.headers.read(known, key, asked, &self.places);
            }
            return Some(answer);
        }
        self.headers.read(known, key, asked, &self.places);
        let start = Instant::now();
        let left = PATIENCE.saturating_sub(self.waited.get());
        let unknown = |all: &mut BTreeMap<String, Known>| {
            all.get(key).is_some_and(|known| known.answer.is_none() && known.reading)
        };
        let waited = self.headers.shared.done.wait_timeout_while(all, left, unknown);
        let (mut all, _) = waited.unwrap_or_else(PoisonError::into_inner);
        self.waited.set(self.waited.get() + start.elapsed());
        let known = all.get_mut(key)?;
        known.missed = known.answer.is_none();
        known.answer.clone()
    }
}

/// Lets go of the half that nobody looked at for longest.
fn forget(all: &mut BTreeMap<String, Known>) {
    let mut looked: Vec<Instant> = all.values().map(|known| known.looked).collect();
    looked.sort();
    let middle = looked[looked.len() / 2];
    all.retain(|_, known| known.reading || known.looked > middle);
}

impl DataProbe for Glance<'_> {
    fn probe(&self, source: &SourcePlan) -> Result<Option<SourceSchema>, ProbeError> {
        if let SourceKind::Synthetic { .. } = source.kind {
            return Ok(None);
        }
        let key = format!("{:?} {:?}", source.kind, self.places);
        match self.answer(&key, &Asked::Source(source.kind.clone())) {
            Some(Ok(Seen::Source(schema))) => Ok(schema),
            Some(Ok(Seen::Weights(_))) => unreachable!("headers: keys of sources are their own"),
            Some(Err(wrong)) => Err(wrong),
            None => {
                self.missing.borrow_mut().push(source.path_span);
                Ok(None)
            }
        }
    }

    fn tensors(&self, path: &str, at: Span) -> Result<Option<Vec<TensorInfo>>, ProbeError> {
        let key = format!("weights {path:?} {:?}", self.places);
        match self.answer(&key, &Asked::Weights(path.to_string())) {
            Some(Ok(Seen::Weights(tensors))) => Ok(tensors),
            Some(Ok(Seen::Source(_))) => unreachable!("headers: keys of files of weights are their own"),
            Some(Err(wrong)) => Err(wrong),
            None => {
                self.missing.borrow_mut().push(at);
                Ok(None)
            }
        }
    }
}

fn stamp(asked: &Asked, places: &Places) -> Stamp {
    let mut stamp = Stamp::new();
    for path in asked.paths() {
        let before = stamp.len();
        for candidate in places.candidates(path) {
            let Ok(about) = fs::metadata(&candidate) else { continue };
            if about.is_dir() {
                stamp.extend(inside(&candidate));
            }
            stamp.push((candidate, about.len(), about.modified().ok()));
        }
        if stamp.len() == before {
            // Not there: unlike a server, which has no files at all.
            stamp.push((PathBuf::from(path), 0, None));
        }
    }
    stamp
}

/// The files of a folder, in one order.
fn inside(folder: &Path) -> Stamp {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let of = |entry: fs::DirEntry| {
        let about = entry.metadata().ok()?;
        Some((entry.path(), about.len(), about.modified().ok()))
    };
    let mut all: Stamp = entries.filter_map(of).collect();
    all.sort();
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sema::job::Dialect;
    use std::sync::atomic::{AtomicUsize, Ordering};

    fn csv(path: &str) -> SourcePlan {
        let kind = SourceKind::Csv { path: path.into(), dialect: Dialect::default() };
        SourcePlan { kind, span: Span::default(), path_span: Span::default() }
    }

    fn columns(headers: &Headers, folder: &Path, path: &str) -> Option<Vec<String>> {
        let places = Places { spec: Some(folder.to_path_buf()), data: None };
        let schema = headers.glance(places).probe(&csv(path)).unwrap()?;
        Some(schema.columns.iter().map(|c| c.name.clone()).collect())
    }

    /// Asks until the answer is as wished, for at most some seconds.
    fn in_time(mut ask: impl FnMut() -> bool) -> bool {
        let start = Instant::now();
        while start.elapsed() < Duration::from_secs(20) {
            if ask() {
                return true;
            }
            thread::sleep(Duration::from_millis(2));
        }
        false
    }

    #[test]
    fn a_file_that_changes_is_read_again_and_wakes() {
        let folder = tempfile::tempdir().unwrap();
        let woken = Arc::new(AtomicUsize::new(0));
        let count = woken.clone();
        let headers = Headers::new(Arc::new(move |_| {
            count.fetch_add(1, Ordering::SeqCst);
        }));
        assert!(in_time(|| columns(&headers, folder.path(), "t.csv").is_none()));
        fs::write(folder.path().join("t.csv"), "a,b\n1,2\n").unwrap();
        headers.look_again();
        let named = ["a".to_string(), "b".to_string()];
        assert!(in_time(|| columns(&headers, folder.path(), "t.csv").as_deref() == Some(&named)));
        assert!(in_time(|| woken.load(Ordering::SeqCst) > 0), "the news were told");
        let calls = woken.load(Ordering::SeqCst);
        headers.look_again();
        columns(&headers, folder.path(), "t.csv");
        assert!(in_time(|| headers.shared.lock().values().all(|known| !known.reading)));
        assert_eq!(woken.load(Ordering::SeqCst), calls, "nothing new, nothing told");
    }

    #[cfg(unix)]
    #[test]
    fn a_slow_source_holds_nothing_up() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("slow.csv");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status();
        assert!(made.is_ok_and(|status| status.success()), "mkfifo is there");
        let headers = Headers::new(Arc::new(|_| ()));
        let places = Places { spec: Some(folder.path().to_path_buf()), data: None };
        let start = Instant::now();
        for _ in 0..10 {
            let glance = headers.glance(places.clone());
            assert_eq!(glance.probe(&csv("slow.csv")), Ok(None));
            assert_eq!(glance.missing(), [Span::default()]);
        }
        assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
        fs::write(&pipe, "a\n1\n").unwrap();
        assert!(in_time(|| columns(&headers, folder.path(), "slow.csv").is_some()));
    }

    #[test]
    fn what_is_kept_has_an_end() {
        let folder = tempfile::tempdir().unwrap();
        let headers = Headers::new(Arc::new(|_| ()));
        for i in 0..2 * KEPT {
            columns(&headers, folder.path(), &format!("{i}.csv"));
        }
        // Those that are being read stay; there are few at a time.
        assert!(in_time(|| headers.shared.lock().values().all(|known| !known.reading)));
        assert!(headers.shared.lock().len() <= KEPT + 1, "{}", headers.shared.lock().len());
    }
}
