//! Less memory for more work: temporaries that are let go and made again.
//!
//! What the forward pass leaves for the gradient lies idle in between, and is most of what a step needs. Here the kernels
//! that wrote such values run a second time, just before the first of those that read them: rematerialisation, as in Chen
//! and others, "Training Deep Nets with Sublinear Memory Cost" (2016), but of kernels rather than layers. Where the
//! program needs most memory, the kernels go first that let go of the most bytes for the least work, until it fits. A
//! kernel gives the same numbers each time, its random ones too, so results keep their bits.

use super::ir::*;
use super::lower::{label, prune, redirect, work};
use super::memory::{self, Layout, Lifetime};
use super::print::bytes;
use std::collections::{BTreeMap, BTreeSet};

/// The most kernels that run again for the sake of one.
const CHAIN: usize = 16;
/// A step saves about this part of what is taken.
const STEPS: usize = 16;
/// What is smaller than this part of the bytes let go is kept rather than made again.
const SMALL: usize = 16;

/// The program with values let go until `measure` of it is at most `budget`, both in bytes; if that cannot be, the one
/// that measures least.
pub fn fit(program: &Program, budget: usize, measure: &dyn Fn(&Program) -> usize) -> Program {
    let mut now = measure(program);
    let mut best = (now, program.clone());
    let mut plan = Remat::of(program);
    // In small steps: what is let go where memory is needed most can be needed elsewhere.
    while best.0 > budget && plan.let_go(now.saturating_sub(budget).clamp(1, now / STEPS + 1)) {
        let Some(built) = plan.build() else { unreachable!("loops: only what can be built is let go") };
        now = measure(&built.program);
        if now < best.0 {
            best = (now, built.program);
        }
    }
    best.1
}

/// How many bytes of temporaries are made again.
pub fn again_bytes(program: &Program) -> usize {
    let again = program.kernels.iter().filter(|kernel| kernel.again);
    again.flat_map(Kernel::writes).map(|buffer| program.buffers[buffer].bytes()).sum()
}

/// Which kernels of a program run again. Times are places of its kernels.
struct Remat<'a> {
    program: &'a Program,
    /// By kernel that runs again: after this time its temporaries are let go.
    cuts: BTreeMap<usize, usize>,
    /// Kernels whose running again came too late for the weights that they read.
    refused: BTreeSet<usize>,
    /// By buffer, the kernel that writes it, and those that read it.
    writers: Vec<Option<usize>>,
    readers: Vec<Vec<usize>>,
}

/// A program in which kernels run again.
struct Built {
    program: Program,
    /// By kernel: the time of the original one that it is, or that asked for it to run again.
    times: Vec<usize>,
    /// By buffer of the original program: when it is read, as it was first made.
    reads: Vec<Vec<usize>>,
}

/// Kernels to run again together, so that one of them can.
struct Candidate {
    kernels: BTreeSet<usize>,
    gain: usize,
    cost: u64,
}

impl<'a> Remat<'a> {
    fn of(program: &'a Program) -> Remat<'a> {
        let mut writers = vec![None; program.buffers.len()];
        let mut readers = vec![Vec::new(); program.buffers.len()];
        for (k, kernel) in program.kernels.iter().enumerate() {
            kernel.writes().into_iter().for_each(|buffer| writers[buffer.index()] = Some(k));
            kernel.reads().into_iter().for_each(|buffer| readers[buffer.index()].push(k));
        }
        Remat { program, cuts: BTreeMap::new(), refused: BTreeSet::new(), writers, readers }
    }

    fn is_temp(&self, buffer: BufferId) -> bool {
        self.program.buffers[buffer].kind == BufferKind::Temp
    }

    fn bytes(&self, buffer: BufferId) -> usize {
        self.program.buffers[buffer].bytes()
    }

    /// Whether a kernel reads a weight that is overwritten by then.
    fn comes_too_late(&self, kernel: &Kernel, time: usize) -> bool {
        kernel.reads().into_iter().any(|buffer| {
            let kept =
                matches!(self.program.buffers[buffer].kind, BufferKind::Param(_) | BufferKind::State(_));
            kept && self.writers[buffer.index()].is_some_and(|writer| writer <= time)
        })
    }

    /// Has more kernels run again, to save so many bytes where memory is needed most. Whether there are any.
    fn let_go(&mut self, need: usize) -> bool {
        loop {
            let built = self.build().expect("loops: what is let go can be made again");
            let peak = built.peak();
            let mut all: Vec<Candidate> =
                (0..peak).filter_map(|kernel| self.candidate(&built, kernel, peak)).collect();
            let before = self.cuts.clone();
            let mut saved = 0;
            while saved < need
                && let Some(candidate) = self.best_of(&mut all)
            {
                saved += candidate.gain;
                self.cuts.extend(candidate.kernels.iter().map(|kernel| (*kernel, peak)));
            }
            if saved == 0 || self.build().is_some() {
                return saved > 0;
            }
            let new: Vec<usize> = self.cuts.keys().copied().filter(|k| !before.contains_key(k)).collect();
            self.refused.extend(new);
            self.cuts = before;
        }
    }

    /// Takes out the candidate that saves the most bytes for its work. Work counts once for each kernel that runs again
    /// along with it: a chain of them holds all of its values at once, and what is made from something that was kept does not.
    fn best_of(&self, all: &mut Vec<Candidate>) -> Option<Candidate> {
        // What another has taken along counts once.
        all.retain(|candidate| candidate.kernels.iter().all(|kernel| !self.cuts.contains_key(kernel)));
        let price = |c: &Candidate| u128::from(c.cost) * self.company(&c.kernels) as u128;
        let priced =
            all.iter().enumerate().map(|(i, candidate)| (i, price(candidate), candidate.gain as u128));
        // Without a division that rounds; of equals the first.
        let cheapest = priced.reduce(|a, b| if b.1 * a.2 < a.1 * b.2 { b } else { a })?;
        Some(all.remove(cheapest.0))
    }

    /// How many kernels run again because these do, or have these run again, and these.
    fn company(&self, kernels: &BTreeSet<usize>) -> usize {
        let reach = |next: &dyn Fn(usize) -> Vec<usize>| {
            let (mut seen, mut open) = (kernels.clone(), kernels.iter().copied().collect::<Vec<_>>());
            while let Some(k) = open.pop() {
                open.extend(next(k).into_iter().filter(|k| self.cuts.contains_key(k) && seen.insert(*k)));
            }
            seen.len() - kernels.len()
        };
        let kernel = |k: usize| &self.program.kernels[k];
        let makers = reach(&|k| kernel(k).reads().iter().filter_map(|b| self.writers[b.index()]).collect());
        let readers = reach(&|k| {
            kernel(k).writes().iter().flat_map(|b| self.readers[b.index()].iter().copied()).collect()
        });
        makers + readers + kernels.len()
    }

    /// What running a kernel again takes and gives, if it holds anything that lies idle at the peak.
    fn candidate(&self, built: &Built, kernel: usize, peak: usize) -> Option<Candidate> {
        let idle = |buffer: &BufferId| {
            let reads = &built.reads[buffer.index()];
            self.is_temp(*buffer) && reads.iter().any(|t| *t > peak) && !reads.contains(&peak)
        };
        let held = self.program.kernels[kernel].writes().into_iter().filter(idle);
        let demand = held.flat_map(|b| built.reads[b.index()].iter().copied().filter(|t| *t > peak)).min()?;
        let (mut kernels, mut open) = (BTreeSet::new(), vec![kernel]);
        let (mut gain, mut kept, mut cost) = (0, 0, 0);
        while let Some(k) = open.pop() {
            if self.cuts.contains_key(&k) || !kernels.insert(k) {
                continue;
            }
            if self.refused.contains(&k) || kernels.len() > CHAIN {
                return None;
            }
            let copy = self.copy(k, &|buffer| self.is_temp(buffer))?;
            let temps = self.program.kernels[k].writes();
            gain += temps.iter().filter(|b| idle(b)).map(|b| self.bytes(*b)).sum::<usize>();
            cost += work_of(self.program, &copy);
            if self.comes_too_late(&copy, demand) {
                return None;
            }
            let gone = |b: &BufferId| self.is_temp(*b) && !built.reads[b.index()].iter().any(|t| *t > peak);
            for read in copy.reads().into_iter().filter(gone) {
                match self.bytes(read) * SMALL <= gain {
                    true => kept += self.bytes(read),
                    false => open.extend(self.writers[read.index()]),
                }
            }
        }
        let gain = gain.checked_sub(kept).filter(|gain| *gain > 0)?;
        Some(Candidate { kernels, gain, cost })
    }

    /// A kernel that stores those of its buffers alone that are wanted; none if that is no kernel of its kind.
    fn copy(&self, kernel: usize, wanted: &dyn Fn(BufferId) -> bool) -> Option<Kernel> {
        let mut copy = self.program.kernels[kernel].clone();
        if let Some(body) = copy.body_mut() {
            body.stores.retain(|store| wanted(store.access.buffer));
            prune(body);
        }
        let stores = match &copy.kind {
            KernelKind::Rows(rows) => !rows.body.stores.is_empty(),
            KernelKind::Contract(c) => c.body.nodes.iter().any(|(_, node)| *node == Node::Acc),
            KernelKind::Scatter(_) | KernelKind::Scan(_) => {
                self.program.kernels[kernel].writes().into_iter().all(|buffer| self.is_temp(buffer))
            }
        };
        stores.then_some(copy)
    }

    /// The program with its cuts; none if a kernel would run again when a weight that it reads has changed.
    fn build(&self) -> Option<Built> {
        let mut builder = Builder {
            remat: self,
            out: Program { kernels: Vec::new(), ..self.program.clone() },
            now: BTreeMap::new(),
            times: Vec::new(),
            reads: vec![Vec::new(); self.program.buffers.len()],
        };
        for (time, kernel) in self.program.kernels.iter().enumerate() {
            builder.add(kernel.clone(), time)?;
        }
        let Builder { out, times, reads, .. } = builder;
        Some(Built { program: out, times, reads })
    }
}

impl Built {
    /// When temporaries take the most.
    fn peak(&self) -> usize {
        let lives = memory::lifetimes(&self.program, &Layout::in_order(&self.program));
        let mut change = vec![0isize; self.program.kernels.len() + 1];
        for (id, buffer) in self.program.buffers.iter() {
            if let Some(Lifetime { first, last }) = lives[id.index()] {
                change[first] += buffer.bytes() as isize;
                change[last + 1] -= buffer.bytes() as isize;
            }
        }
        let mut live = 0;
        let taken = change.iter().map(|by| {
            live += by;
            live
        });
        let most = taken.zip(&self.times).max_by_key(|(taken, time)| (*taken, std::cmp::Reverse(**time)));
        most.map_or(0, |(_, time)| *time)
    }
}

/// Writes a program kernel by kernel.
struct Builder<'a> {
    remat: &'a Remat<'a>,
    out: Program,
    /// What holds a temporary that was made again.
    now: BTreeMap<BufferId, BufferId>,
    times: Vec<usize>,
    reads: Vec<Vec<usize>>,
}

impl Builder<'_> {
    /// Adds a kernel, behind those that have to run again for it.
    fn add(&mut self, mut kernel: Kernel, time: usize) -> Option<()> {
        for buffer in kernel.reads() {
            self.ensure(buffer, time)?;
            if !self.now.contains_key(&buffer) {
                self.reads[buffer.index()].push(time);
            }
        }
        redirect(&mut kernel, |buffer| self.now.get(&buffer).copied().unwrap_or(buffer));
        self.out.kernels.push(kernel);
        self.times.push(time);
        Some(())
    }

    /// Makes a temporary again if it was let go before this time.
    fn ensure(&mut self, buffer: BufferId, time: usize) -> Option<()> {
        let Remat { program, cuts, writers, readers, .. } = self.remat;
        let Some(writer) = writers[buffer.index()].filter(|_| self.remat.is_temp(buffer)) else {
            return Some(());
        };
        if self.now.contains_key(&buffer) || cuts.get(&writer).is_none_or(|cut| time <= *cut) {
            return Some(());
        }
        let is_read = |b: BufferId| readers[b.index()].iter().any(|k| *k >= time || cuts.contains_key(k));
        let wanted = |b: BufferId| self.remat.is_temp(b) && (b == buffer || is_read(b));
        let mut copy = self.remat.copy(writer, &wanted)?;
        if self.remat.comes_too_late(&copy, time) {
            return None;
        }
        let mut held = 0;
        let mut made = BTreeMap::new();
        for old in copy.writes() {
            let like = &program.buffers[old];
            held += like.bytes();
            let name = format!("{}'", like.name).into();
            made.insert(old, self.out.buffers.push(Buffer { name, ..like.clone() }));
        }
        redirect(&mut copy, |buffer| made.get(&buffer).copied().unwrap_or(buffer));
        copy.again = true;
        copy.reasons = vec![format!("runs again: {} not kept since", bytes(held))];
        copy.label = label(&self.out, &copy);
        self.add(copy, time)?;
        self.now.extend(made);
        Some(())
    }
}

/// What a kernel takes: operations on single numbers, of which a byte that is read or written is worth a few.
fn work_of(program: &Program, kernel: &Kernel) -> u64 {
    const BYTE: usize = 16;
    /// Products run at full width.
    const POINTWISE: usize = 4;
    let of_body = |body: &Body, points: usize| {
        let each = body.nodes.iter().map(|(_, node)| match node {
            Node::Op { op, .. } => work(*op),
            Node::Random { .. } => work(crate::graph::ScalarOp::Exp),
            Node::Fold { .. } | Node::Load(_) | Node::LoadAt { .. } => 1,
            Node::Acc | Node::Const { .. } | Node::Index { .. } => 0,
        });
        POINTWISE * points * each.sum::<usize>()
    };
    let product = |sizes: &[usize]| sizes.iter().product::<usize>();
    let computed = match &kernel.kind {
        KernelKind::Rows(rows) => of_body(&rows.body, product(&rows.outer) * product(&rows.row)),
        KernelKind::Contract(c) => {
            let points = product(&c.batch) * product(&c.m) * product(&c.n);
            2 * points * product(&c.k) + of_body(&c.body, points)
        }
        KernelKind::Scatter(s) => POINTWISE * s.count * s.width,
        KernelKind::Scan(s) => {
            let step: u64 = s.body.kernels.iter().map(|kernel| work_of(&s.body, kernel)).sum();
            s.length * step as usize
        }
    };
    let touched = kernel.reads().into_iter().chain(kernel.writes()).map(|b| program.buffers[b].bytes());
    (computed + BYTE * touched.sum::<usize>()) as u64
}
