//! Less memory for more work: temporaries that are let go and made again.
//!
//! What the forward pass leaves for the gradient lies idle in between, and is most of what a step needs. Here the kernels
//! that wrote such values run a second time, just before the first of those that read them: rematerialisation, as in Chen
//! and others, "Training Deep Nets with Sublinear Memory Cost" (2016), but of kernels rather than layers. Where the
//! program needs most memory, values go first that free the most bytes for the least work, until it fits. What a product
//! stores beside its sum is made of that sum, if it is kept, rather than of a second product. A kernel gives the same
//! numbers each time, its random ones too, so results keep their bits.

use super::dims;
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

/// Which temporaries of a program are made again. Times are places of its kernels.
struct Remat<'a> {
    program: &'a Program,
    /// By temporary that is made again: after this time it is let go.
    cuts: BTreeMap<BufferId, usize>,
    /// Those that were made again too late for the weights that it takes.
    refused: BTreeSet<BufferId>,
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

impl Built {
    fn is_read_after(&self, buffer: BufferId, time: usize) -> bool {
        self.reads[buffer.index()].iter().any(|t| *t > time)
    }

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

/// Temporaries to let go together, so that one of them can be.
struct Candidate {
    buffers: BTreeSet<BufferId>,
    /// What the kernels that make them again read.
    reads: BTreeSet<BufferId>,
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

    /// Has more made again, to save so many bytes where memory is needed most. Whether there is any.
    fn let_go(&mut self, need: usize) -> bool {
        loop {
            let built = self.build().expect("loops: what is let go can be made again");
            let peak = built.peak();
            let mut all: Vec<Candidate> =
                (0..peak).flat_map(|kernel| self.candidates(&built, kernel, peak)).collect();
            let before = self.cuts.clone();
            let mut saved = 0;
            while saved < need
                && let Some(candidate) = self.best_of(&mut all)
            {
                saved += candidate.gain;
                self.cuts.extend(candidate.buffers.iter().map(|buffer| (*buffer, peak)));
            }
            if saved == 0 || self.build().is_some() {
                return saved > 0;
            }
            let new: Vec<BufferId> = self.cuts.keys().copied().filter(|b| !before.contains_key(b)).collect();
            self.refused.extend(new);
            self.cuts = before;
        }
    }

    /// Takes out the candidate that saves the most bytes for its work. Work counts once for each temporary that is made
    /// again along with it: a chain of them is there all at once, and what is made from something that was kept is not.
    fn best_of(&self, all: &mut Vec<Candidate>) -> Option<Candidate> {
        // What another has taken along counts once.
        all.retain(|candidate| candidate.buffers.iter().all(|buffer| !self.cuts.contains_key(buffer)));
        let price = |c: &Candidate| u128::from(c.cost) * self.company(c) as u128;
        let priced =
            all.iter().enumerate().map(|(i, candidate)| (i, price(candidate), candidate.gain as u128));
        // Without a division that rounds; of equals the first.
        let cheapest = priced.reduce(|a, b| if b.1 * a.2 < a.1 * b.2 { b } else { a })?;
        Some(all.remove(cheapest.0))
    }

    /// How many temporaries are made again because these are, or have these made again, and these.
    fn company(&self, of: &Candidate) -> usize {
        let reach = |first: Vec<BufferId>, next: &dyn Fn(BufferId) -> Vec<BufferId>| {
            let mut seen: BTreeSet<BufferId> = BTreeSet::new();
            let mut open = first;
            while let Some(buffer) = open.pop() {
                if self.cuts.contains_key(&buffer) && seen.insert(buffer) {
                    open.extend(next(buffer));
                }
            }
            seen.len()
        };
        let kernel = |k: usize| &self.program.kernels[k];
        let made_of = |b: BufferId| self.writers[b.index()].map_or(Vec::new(), |k| kernel(k).reads());
        let made_into = |b: BufferId| -> Vec<BufferId> {
            self.readers[b.index()].iter().flat_map(|k| kernel(*k).writes()).collect()
        };
        let makers = reach(of.reads.iter().copied().collect(), &made_of);
        let users = reach(of.buffers.iter().flat_map(|b| made_into(*b)).collect(), &made_into);
        makers + users + of.buffers.len()
    }

    /// What a kernel wrote that lies idle at the peak: all of it, or all but something that the rest can be made of.
    fn candidates(&self, built: &Built, kernel: usize, peak: usize) -> Vec<Candidate> {
        let idle: BTreeSet<BufferId> = self.program.kernels[kernel]
            .writes()
            .into_iter()
            .filter(|b| self.is_idle(built, *b, peak) && !self.cuts.contains_key(b))
            .collect();
        let parts = idle.iter().map(|kept| idle.iter().copied().filter(|b| b != kept).collect());
        let parts: Vec<BTreeSet<BufferId>> = parts.collect();
        std::iter::once(idle)
            .chain(parts)
            .filter(|part| !part.is_empty())
            .filter_map(|part| self.candidate(built, part, peak))
            .collect()
    }

    /// Whether a temporary is there at a time only for what comes later.
    fn is_idle(&self, built: &Built, buffer: BufferId, time: usize) -> bool {
        let reads = &built.reads[buffer.index()];
        self.is_temp(buffer) && built.is_read_after(buffer, time) && !reads.contains(&time)
    }

    /// What it takes and gives to make temporaries of one kernel again.
    fn candidate(&self, built: &Built, first: BTreeSet<BufferId>, peak: usize) -> Option<Candidate> {
        let reads = first.iter().flat_map(|b| &built.reads[b.index()]);
        let demand = reads.copied().filter(|t| *t > peak).min()?;
        let mut open = vec![self.writers[first.first()?.index()]?];
        let mut made = Candidate { buffers: first, reads: BTreeSet::new(), gain: 0, cost: 0 };
        let mut kept = 0;
        let mut kernels = 0;
        while let Some(k) = open.pop() {
            kernels += 1;
            let copy = self.copy(k, &|buffer| made.buffers.contains(&buffer))?;
            if kernels > CHAIN || self.comes_too_late(&copy, demand) {
                return None;
            }
            let writes = copy.writes();
            if writes.iter().any(|b| self.refused.contains(b)) {
                return None;
            }
            let idle = writes.iter().filter(|b| self.is_idle(built, **b, peak));
            made.gain += idle.map(|b| self.bytes(*b)).sum::<usize>();
            made.cost += work_of(self.program, &copy);
            for read in copy.reads() {
                made.reads.insert(read);
                let is_there = !self.is_temp(read)
                    || built.is_read_after(read, peak)
                    || self.cuts.contains_key(&read)
                    || made.buffers.contains(&read);
                if is_there {
                    continue;
                }
                match self.bytes(read) * SMALL <= made.gain {
                    true => kept += self.bytes(read),
                    false => {
                        made.buffers.insert(read);
                        open.extend(self.writers[read.index()]);
                    }
                }
            }
        }
        made.gain = made.gain.checked_sub(kept).filter(|gain| *gain > 0)?;
        Some(made)
    }

    /// A kernel that stores those of its buffers alone that are wanted; none if there is none.
    fn copy(&self, kernel: usize, wanted: &dyn Fn(BufferId) -> bool) -> Option<Kernel> {
        let mut copy = self.program.kernels[kernel].clone();
        if let KernelKind::Contract(contract) = &copy.kind {
            let written = contract.body.stores.iter().map(|store| store.access.buffer);
            let kept = written.filter(|b| !wanted(*b) && self.is_temp(*b) && !self.cuts.contains_key(b));
            let mut without = kept.filter_map(|kept| epilogue(contract, kept, wanted));
            if let Some(kind) = without.next() {
                return Some(Kernel { kind, ..copy });
            }
        }
        if let Some(body) = copy.body_mut() {
            body.stores.retain(|store| wanted(store.access.buffer));
            prune(body);
        }
        let is_one = match &copy.kind {
            KernelKind::Rows(rows) => !rows.body.stores.is_empty(),
            KernelKind::Contract(c) => sums(&c.body),
            KernelKind::Scatter(_) | KernelKind::Scan(_) => {
                self.program.kernels[kernel].writes().into_iter().all(|buffer| self.is_temp(buffer))
            }
        };
        is_one.then_some(copy)
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

/// Whether a body uses the sum of its product.
fn sums(body: &Body) -> bool {
    body.nodes.iter().any(|(_, node)| *node == Node::Acc)
}

/// What a product stores besides `kept`, made of that instead of the product; none if that does not suffice.
fn epilogue(contract: &Contract, kept: BufferId, wanted: &dyn Fn(BufferId) -> bool) -> Option<KernelKind> {
    let Contract { batch, m, n, .. } = contract;
    let mut body = contract.body.clone();
    let mut stores = contract.body.stores.iter().filter(|store| store.access.buffer == kept);
    let (store, None) = (stores.next()?, stores.next()) else { return None };
    let sizes = batch.iter().chain(m).chain(n);
    if sizes.zip(&store.access.strides).any(|(size, stride)| *size > 1 && *stride == 0) {
        return None;
    }
    body.nodes[store.value] = Node::Load(store.access.clone());
    body.stores.retain(|store| wanted(store.access.buffer));
    prune(&mut body);
    if sums(&body) || body.stores.is_empty() {
        return None;
    }
    let rows = [batch.as_slice(), m].concat();
    let rows = match body.folds() {
        true => Rows { outer: rows, row: n.clone(), body },
        false => Rows { outer: [rows.as_slice(), n].concat(), row: Vec::new(), body },
    };
    let mut kind = KernelKind::Rows(rows);
    dims::merge(&mut kind);
    Some(kind)
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
        let Remat { program, cuts, writers, .. } = self.remat;
        let is_gone = |b: BufferId| !self.now.contains_key(&b) && cuts.get(&b).is_some_and(|cut| time > *cut);
        if !is_gone(buffer) {
            return Some(());
        }
        let writer = writers[buffer.index()].expect("loops: a temporary is written");
        let mut copy = self.remat.copy(writer, &is_gone)?;
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
