//! Runs a program in f64, by its meaning: no schedule, no rounding to f32.
//!
//! The third opinion beside the graph's interpreter and compiled code.

use super::ir::*;
use super::scan::Scan;
use super::verify::varies;
use crate::base::DType;
use crate::graph::{Fold, ScanBody};
use mlc_kernels::rng;

/// What each buffer holds, by its id; `i32` and `u8` as whole numbers.
pub type Memory = Vec<Vec<f64>>;

/// One run. `memory` has the batch, weights, states and scalars, and gets
/// everything else.
pub fn run(program: &Program, memory: &mut Memory, seed: u64, step: u64) {
    assert_eq!(memory.len(), program.buffers.len(), "loops: one entry for each buffer");
    for kernel in &program.kernels {
        let typed = |body| Typed { body, dtypes: Body::dtypes(body, &program.buffers) };
        let mut run = Run { memory, seed, step };
        match &kernel.kind {
            KernelKind::Rows(rows) => run.rows(rows, &typed(&rows.body)),
            KernelKind::Contract(c) => {
                run.contract(c, [typed(&c.lhs.body), typed(&c.rhs.body)], &typed(&c.body));
            }
            KernelKind::Scatter(scatter) => run.scatter(scatter),
            KernelKind::Scan(scan) => run.scan(scan),
        }
    }
}

/// Memory for a program: zeros.
pub fn memory(program: &Program) -> Memory {
    program.buffers.iter().map(|(_, b)| vec![0.0; b.len()]).collect()
}

struct Run<'a> {
    memory: &'a mut Memory,
    seed: u64,
    step: u64,
}

/// A body with the type of each node.
struct Typed<'a> {
    body: &'a Body,
    dtypes: Vec<DType>,
}

/// One point outside a row, and the sums of a product at each point of the row (none elsewhere).
struct Line<'a> {
    outer: &'a [usize],
    row: &'a [usize],
    sums: &'a [f64],
}

impl Line<'_> {
    /// Every point of the row, with its sum.
    fn points(&self) -> impl Iterator<Item = (Vec<usize>, f64)> {
        let sum = |i: usize| self.sums.get(i).copied().unwrap_or(f64::NAN);
        points(self.row).enumerate().map(move |(i, row)| ([self.outer, &row].concat(), sum(i)))
    }
}

/// Every point of a space, the last dim fastest.
pub fn points(sizes: &[usize]) -> impl Iterator<Item = Vec<usize>> {
    let count: usize = sizes.iter().product();
    let sizes = sizes.to_vec();
    (0..count).map(move |mut index| {
        let mut point = vec![0; sizes.len()];
        for dim in (0..sizes.len()).rev() {
            point[dim] = index % sizes[dim];
            index /= sizes[dim];
        }
        point
    })
}

fn affine(offset: i64, strides: &[i64], point: &[usize]) -> i64 {
    assert_eq!(strides.len(), point.len(), "loops: one stride for each dim");
    offset + strides.iter().zip(point).map(|(s, &p)| s * p as i64).sum::<i64>()
}

impl Run<'_> {
    fn rows(&mut self, rows: &Rows, body: &Typed) {
        for outer in points(&rows.outer) {
            let written = self.line(body, &Line { outer: &outer, row: &rows.row, sums: &[] });
            self.write(written);
        }
    }

    fn contract(&mut self, c: &Contract, [lhs, rhs]: [Typed; 2], body: &Typed) {
        let mut written = Vec::new();
        for batch in points(&c.batch) {
            for m in points(&c.m) {
                let sum = |n: Vec<usize>| {
                    points(&c.k).fold(0.0, |sum, k| {
                        let a = self.nodes(&lhs, &[batch.as_slice(), &m, &k].concat(), f64::NAN, &[]);
                        let b = self.nodes(&rhs, &[batch.as_slice(), &n, &k].concat(), f64::NAN, &[]);
                        let [a, b] =
                            [a[c.lhs.value.index()], b[c.rhs.value.index()]].map(|x| c.precision.round(x));
                        sum + a * b
                    })
                };
                let sums: Vec<f64> = points(&c.n).map(sum).collect();
                let outer = [batch.as_slice(), &m].concat();
                written.extend(self.line(body, &Line { outer: &outer, row: &c.n, sums: &sums }));
            }
        }
        self.write(written);
    }

    /// What a body stores at the points of one row.
    fn line(&self, body: &Typed, line: &Line) -> Vec<(BufferId, usize, f64)> {
        let folds = self.folds(body, line);
        let mut written = Vec::new();
        for (point, sum) in line.points() {
            let values = self.nodes(body, &point, sum, &folds);
            written.extend(self.stores(body.body, &point, &values));
        }
        if line.row.contains(&0) {
            written.extend(self.beside_empty_row(body, line, &folds));
        }
        written
    }

    /// What is stored once for a row that has no points: what is made of its folds alone.
    fn beside_empty_row(
        &self,
        body: &Typed,
        line: &Line,
        folds: &[Option<f64>],
    ) -> Vec<(BufferId, usize, f64)> {
        let outer = line.outer.len();
        let point = [line.outer, &vec![0; line.row.len()]].concat();
        // What varies over the row has no value.
        let varies = varies(body.body, point.len(), outer);
        let needed = |id: NodeId| !varies[id.index()][outer..].contains(&true);
        let values = self.nodes_where(body, &point, f64::NAN, folds, needed);
        let kept = body.body.stores.iter().filter(|s| s.access.strides[outer..].iter().all(|&s| s == 0));
        kept.map(|s| (s.access.buffer, self.element(&s.access, &point), values[s.value.index()])).collect()
    }

    /// The folds over a row, by node.
    fn folds(&self, body: &Typed, line: &Line) -> Vec<Option<f64>> {
        let mut folds = vec![None; body.body.nodes.len()];
        for (id, node) in body.body.nodes.iter() {
            let Node::Fold { fold, input } = node else { continue };
            let start = match fold {
                Fold::Sum => 0.0,
                Fold::Max => f64::NEG_INFINITY,
            };
            let folded = line.points().fold(start, |folded, (point, sum)| {
                let x = self.nodes(body, &point, sum, &folds)[input.index()];
                match fold {
                    Fold::Sum => folded + x,
                    Fold::Max => crate::graph::ScalarOp::Max.eval(&[folded, x]),
                }
            });
            folds[id.index()] = Some(folded);
        }
        folds
    }

    fn scatter(&mut self, s: &Scatter) {
        let mut out = vec![0.0; s.rows * s.width];
        for i in 0..s.count {
            let row = clamp(self.memory[s.index.index()][i], s.rows);
            for j in 0..s.width {
                out[row * s.width + j] += self.memory[s.updates.index()][i * s.width + j];
            }
        }
        self.memory[s.out.index()] = out;
    }

    fn scan(&mut self, scan: &Scan) {
        let mut body = memory(&scan.body);
        let mut carries: Vec<Vec<f64>> = (0..scan.carries).map(|i| self.given(scan, i, 0)).collect();
        for step in 0..scan.length {
            let row = scan.row(step);
            for (i, leaf) in body.iter_mut().enumerate().take(scan.inputs.len()) {
                *leaf = carries.get(i).cloned().unwrap_or_else(|| self.given(scan, i, row));
            }
            run(&scan.body, &mut body, self.seed, ScanBody::draws(self.step, row));
            for (k, (_, buffer)) in scan.body.outputs.iter().enumerate() {
                let found = body[buffer.index()].clone();
                let row = if k < scan.carries { 0 } else { row };
                let start = scan.output_offset(k) + row * found.len();
                self.memory[scan.out.index()][start..start + found.len()].copy_from_slice(&found);
                if let Some(carry) = carries.get_mut(k) {
                    *carry = found;
                }
            }
        }
    }

    /// What leaf `i` of a body is given at a row.
    fn given(&self, scan: &Scan, i: usize, row: usize) -> Vec<f64> {
        let ((buffer, at), len) = (scan.inputs[i], scan.leaf_len(i));
        let start = at + if scan.is_slice(i) { row * len } else { 0 };
        self.memory[buffer.index()][start..start + len].to_vec()
    }

    /// The value of each node at a point.
    fn nodes(&self, typed: &Typed, point: &[usize], acc: f64, folds: &[Option<f64>]) -> Vec<f64> {
        self.nodes_where(typed, point, acc, folds, |_| true)
    }

    /// The same of some nodes, and NaN for the others.
    fn nodes_where(
        &self,
        typed: &Typed,
        point: &[usize],
        acc: f64,
        folds: &[Option<f64>],
        needed: impl Fn(NodeId) -> bool,
    ) -> Vec<f64> {
        let mut values: Vec<f64> = Vec::with_capacity(typed.body.nodes.len());
        for (id, node) in typed.body.nodes.iter() {
            if !needed(id) {
                values.push(f64::NAN);
                continue;
            }
            let value = match node {
                Node::Acc => acc,
                Node::Const { value, .. } => *value,
                Node::Index { offset, strides } => affine(*offset, strides, point) as f64,
                Node::Random { site, offset, strides } => {
                    let element = affine(*offset, strides, point);
                    f64::from(rng::uniform(rng::key(self.seed, site), self.step, element as u64))
                }
                Node::Load(access) => self.load(access, point),
                Node::LoadAt { access, index, rows, stride } => {
                    let row = clamp(values[index.index()], *rows) as i64;
                    let moved = Access { offset: access.offset + row * stride, ..access.clone() };
                    self.load(&moved, point)
                }
                Node::Op { op, inputs } => {
                    let value = op.eval(&inputs.iter().map(|i| values[i.index()]).collect::<Vec<_>>());
                    match typed.dtypes[id.index()] {
                        // Whole numbers wrap as machine integers do.
                        DType::I32 => f64::from(value as i64 as i32),
                        DType::F32 | DType::U8 => value,
                    }
                }
                // A fold that comes later in a chain of folds is not known yet, nor needed.
                Node::Fold { .. } => folds.get(id.index()).copied().flatten().unwrap_or(f64::NAN),
            };
            values.push(value);
        }
        values
    }

    fn load(&self, access: &Access, point: &[usize]) -> f64 {
        let inside = access.guards.iter().all(|g| (0..g.size).contains(&affine(g.offset, &g.strides, point)));
        if !inside {
            return access.fill;
        }
        self.memory[access.buffer.index()][self.element(access, point)]
    }

    fn element(&self, access: &Access, point: &[usize]) -> usize {
        usize::try_from(affine(access.offset, &access.strides, point))
            .expect("loops: accesses stay in bounds")
    }

    fn stores(&self, body: &Body, point: &[usize], values: &[f64]) -> Vec<(BufferId, usize, f64)> {
        let store = |s: &Store| (s.access.buffer, self.element(&s.access, point), values[s.value.index()]);
        body.stores.iter().map(store).collect()
    }

    fn write(&mut self, written: Vec<(BufferId, usize, f64)>) {
        for (buffer, element, value) in written {
            self.memory[buffer.index()][element] = value;
        }
    }
}

fn clamp(index: f64, rows: usize) -> usize {
    (index.max(0.0) as usize).min(rows.saturating_sub(1))
}
