//! `Contract` kernels: the descriptor of the product and the function that finishes its tiles.

use super::emit::{Gen, Len, Place};
use super::facts::{Class, Facts};
use super::jit::Jit;
use super::nest::{Form, Nest};
use super::rows::{is_even, lay_out, live_nodes, split_index, uniform_roots};
use super::strip::{self, StripPlan, Targets};
use super::wide::RowsOf;
use crate::base::{self, DType};
use crate::codegen::dims::{insert_unit_dim, merge_dims};
use crate::loops::{self, Access, BufferId, Contract, Node, NodeId};
use cranelift_codegen::ir::types::I64;
use cranelift_codegen::ir::{InstBuilder, Value};
use cranelift_frontend::FunctionBuilder;
use cranelift_module::FuncId;
use mlc_kernels::gemm::{Offsets, Operand, Out, Precision, Problem, Stream};

/// Lanes that an epilogue handles at a time where it stores in scratch.
const TILE_LANES: usize = 256;

/// Bytes of a result beyond which its lines are called for before the epilogue.
const FAR: usize = 64 * 1024;

/// How a `Contract` kernel ends.
pub enum Finish {
    /// The product writes its result itself.
    Store {
        slot: BufferId,
        offset: i64,
        ldc: usize,
        /// Where batch entries begin, from `offset` on.
        batch: Offsets,
    },
    Epilogue(Box<EpiloguePlan>),
}

/// The generated end of a tile.
pub struct EpiloguePlan {
    pub nest: Nest,
    pub facts: Facts,
    pub uniforms: Vec<NodeId>,
    live: Vec<bool>,
    plan: StripPlan,
    layout: Vec<Option<Place>>,
    pub scratch_bytes: usize,
    /// How many dims of the nest are batch and rows.
    batch: usize,
    m: usize,
}

/// Where operand entries of a group of dims lie.
fn offsets(sizes: &[usize], strides: &[i64]) -> Offsets {
    let mut groups: Vec<(usize, i64)> = Vec::new();
    for (&size, &stride) in sizes.iter().zip(strides).filter(|(size, _)| **size != 1) {
        match groups.last_mut() {
            Some((outer, step)) if *step == stride * size as i64 => {
                *outer *= size;
                *step = stride;
            }
            _ => groups.push((size, stride)),
        }
    }
    match groups.as_slice() {
        [] => Offsets::Stride(0),
        [(_, stride)] => Offsets::Stride(*stride as isize),
        [outer @ .., (len, step)] => Offsets::Runs { starts: table(outer), len: *len, step: *step as isize },
    }
}

fn table(groups: &[(usize, i64)]) -> Vec<i32> {
    let mut all = vec![0i64];
    for &(size, stride) in groups {
        all = all.iter().flat_map(|&at| (0..size as i64).map(move |i| at + i * stride)).collect();
    }
    all.into_iter()
        .map(|at| i32::try_from(at).expect("codegen: an operand has less than 2^31 elements"))
        .collect()
}

/// The product of a kernel, but for what becomes of its sums.
pub fn problem(contract: &Contract, finish: &Finish, out: Out) -> Problem {
    let [lhs, rhs] = contract.operands().map(plain);
    let (b, m, n) = (contract.batch.len(), contract.m.len(), contract.n.len());
    let size = |dims: &[usize]| dims.iter().product::<usize>();
    Problem {
        batch: size(&contract.batch),
        m: size(&contract.m),
        n: size(&contract.n),
        k: size(&contract.k),
        precision: match contract.precision {
            base::Precision::F32 => Precision::F32,
            base::Precision::Bf16 => Precision::Bf16,
        },
        lhs: Operand {
            rows: offsets(&contract.m, &lhs.strides[b..b + m]),
            ks: offsets(&contract.k, &lhs.strides[b + m..]),
        },
        rhs: Operand {
            rows: offsets(&contract.n, &rhs.strides[b..b + n]),
            ks: offsets(&contract.k, &rhs.strides[b + n..]),
        },
        batch_lhs: offsets(&contract.batch, &lhs.strides[..b]),
        batch_rhs: offsets(&contract.batch, &rhs.strides[..b]),
        batch_out: match finish {
            Finish::Store { batch, .. } => batch.clone(),
            Finish::Epilogue(_) => Offsets::Stride(0),
        },
        out,
        streams: match finish {
            Finish::Store { .. } => Vec::new(),
            Finish::Epilogue(_) => streams(contract),
        },
    }
}

/// What an epilogue reads and writes at every point of a result that no near cache holds.
fn streams(contract: &Contract) -> Vec<Stream> {
    let size = |dims: &[usize]| dims.iter().product::<usize>();
    let points = size(&contract.batch) * size(&contract.m) * size(&contract.n);
    if points * DType::F32.bytes() < FAR {
        return Vec::new();
    }
    let mut streams: Vec<Stream> = Vec::new();
    for access in contract.body.loads().chain(contract.body.stores.iter().map(|s| &s.access)) {
        if let Some(stream) = stream(contract, access)
            && !streams.contains(&stream)
        {
            streams.push(stream);
        }
    }
    streams
}

/// An access to a matrix that lies as the result does, a row beside the other.
fn stream(contract: &Contract, access: &Access) -> Option<Stream> {
    let (b, m) = (contract.batch.len(), contract.m.len());
    let [batch, rows, cols] = [
        offsets(&contract.batch, &access.strides[..b]),
        offsets(&contract.m, &access.strides[b..b + m]),
        offsets(&contract.n, &access.strides[b + m..]),
    ];
    let dense = access.guards.is_empty() && cols == Offsets::Stride(1) && rows != Offsets::Stride(0);
    dense.then_some(Stream { slot: access.buffer.index(), offset: access.offset as isize, batch, rows })
}

/// The load that an operand is: packing reads `f32` as it lies.
pub fn plain(operand: &loops::Operand) -> &Access {
    operand.plain().expect("loops: products for this backend have no prologues")
}

/// `wide` says whether loops may be.
pub fn finish(contract: &Contract, dtypes: &[DType], wide: bool) -> Finish {
    assert!(!contract.folds(), "loops: products for this backend have no row phases");
    plain_store(contract)
        .unwrap_or_else(|| Finish::Epilogue(Box::new(EpiloguePlan::new(contract, dtypes, wide))))
}

/// A body that only stores the sums densely needs no code.
fn plain_store(contract: &Contract) -> Option<Finish> {
    let [store] = contract.body.stores.as_slice() else { return None };
    if !matches!(contract.body.nodes[store.value], Node::Acc) {
        return None;
    }
    let Access { buffer, offset, strides, .. } = &store.access;
    let (b, m) = (contract.batch.len(), contract.m.len());
    let stride = |sizes: &[usize], strides: &[i64]| match offsets(sizes, strides) {
        Offsets::Stride(stride) => usize::try_from(stride).ok(),
        Offsets::Runs { .. } => None,
    };
    let n: usize = contract.n.iter().product();
    let along_n = stride(&contract.n, &strides[b + m..])?;
    let ldc = stride(&contract.m, &strides[b..b + m])?;
    let batch = offsets(&contract.batch, &strides[..b]);
    (along_n == 1 || n == 1).then_some(Finish::Store { slot: *buffer, offset: *offset, ldc, batch })
}

impl EpiloguePlan {
    fn new(contract: &Contract, dtypes: &[DType], wide: bool) -> EpiloguePlan {
        let mut body = contract.body.clone();
        let mut dims: Vec<usize> =
            contract.batch.iter().chain(&contract.m).chain(&contract.n).copied().collect();
        let mut groups = [contract.batch.len(), contract.m.len(), contract.n.len()];
        merge_dims(&mut body, &mut dims, &mut groups);
        if groups[2] == 0 {
            let end = dims.len();
            insert_unit_dim(&mut body, &mut dims, end);
        }
        let lane = dims.len() - 1;
        let nest = Nest {
            form: Form::Map,
            outer: (0..lane).collect(),
            seq: Vec::new(),
            lane,
            dims,
            body,
            dtypes: dtypes.to_vec(),
        };
        let facts = Facts::of(&nest, wide);
        let live = live_nodes(&nest);
        let uniforms = uniform_roots(&nest, &facts, &live);
        let have: Vec<bool> = nest.body.nodes.ids().map(|id| !facts.is_lane(id)).collect();
        let stores = (0..nest.body.stores.len()).filter(|&s| facts.stores[s].class == Class::Lane).collect();
        let plan = strip::plan(&nest, &facts, &have, Targets { stores, ..Targets::default() });
        let mut scratch_bytes = 0;
        let none = vec![None; nest.body.nodes.len()];
        let layout = lay_out(&plan, &none, TILE_LANES, 0, &mut scratch_bytes);
        EpiloguePlan {
            nest,
            facts,
            uniforms,
            live,
            plan,
            layout,
            scratch_bytes,
            batch: groups[0],
            m: groups[1],
        }
    }

    pub fn describe(&self) -> &'static str {
        if self.scratch_bytes > 0 { "epilogue with strip calls" } else { "inline epilogue" }
    }

    fn emit(&self, g: &mut Gen, tile: &Tile) {
        let batch: Vec<usize> = (0..self.batch).collect();
        let m: Vec<usize> = (self.batch..self.batch + self.m).collect();
        g.set_indices(&batch, tile.outer);
        if let [m] = m[..]
            && self.emit_at_once(g, tile, m)
        {
            return;
        }
        g.for_each(tile.rows, 1, true, &mut |g, r| {
            let i = g.b.ins().iadd(tile.i, r);
            g.set_indices(&m, i);
            let row = g.b.ins().imul(r, tile.ld);
            let row = g.times(row, 4);
            let acc = g.b.ins().iadd(tile.acc, row);
            self.emit_row(g, tile, acc);
        });
    }

    /// All rows of a tile by one call; false if there is none for them.
    fn emit_at_once(&self, g: &mut Gen, tile: &Tile, m: usize) -> bool {
        let one_dim = self.nest.dims.len() == self.batch + self.m + 1;
        if !one_dim || self.scratch_bytes > 0 || !is_even(&self.facts, &self.live, m) {
            return false;
        }
        (g.index[m], g.index[self.nest.lane], g.acc) = (tile.i, tile.j, Some(tile.acc));
        g.places.fill(None);
        self.compute_units(g);
        let rows = RowsOf { dim: m, count: tile.rows, acc: Some(g.times(tile.ld, 4)) };
        g.strip_rows(&self.plan, &self.layout, Len::Dyn { value: tile.cols, fours: false }, rows)
    }

    fn compute_units(&self, g: &mut Gen) {
        for id in self.nest.body.nodes.ids() {
            if self.live[id.index()] && self.facts.class[id.index()] == Class::Unit {
                g.compute_scalar(id);
            }
        }
    }

    /// One row of a tile: in runs, where its columns are several dims or pass through scratch.
    fn emit_row(&self, g: &mut Gen, tile: &Tile, acc: Value) {
        let n: Vec<usize> = (self.batch + self.m..self.nest.dims.len()).collect();
        if n.len() == 1 && self.scratch_bytes == 0 {
            g.index[self.nest.lane] = tile.j;
            return self.emit_run(g, acc, tile.cols);
        }
        let end = tile.cols;
        let start = g.b.declare_var(I64);
        let zero = g.iconst(0);
        g.b.def_var(start, zero);
        let (head, exit) = (g.b.create_block(), g.b.create_block());
        g.b.ins().jump(head, &[]);
        g.b.switch_to_block(head);
        let c = g.b.use_var(start);
        let column = g.b.ins().iadd(tile.j, c);
        let (outer, inner) = split_index(g, column, self.nest.lanes());
        let (outer, inner) = if n.len() == 1 { (zero, column) } else { (outer, inner) };
        g.set_indices(&n[..n.len() - 1], outer);
        g.index[self.nest.lane] = inner;
        let lanes = g.iconst(self.nest.lanes() as i64);
        let in_run = g.b.ins().isub(lanes, inner);
        let left = g.b.ins().isub(end, c);
        let most = g.iconst(TILE_LANES as i64);
        let run = g.b.ins().umin(in_run, left);
        let run = g.b.ins().umin(run, most);
        let bytes = g.times(c, 4);
        let acc = g.b.ins().iadd(acc, bytes);
        self.emit_run(g, acc, run);
        let next = g.b.ins().iadd(c, run);
        g.b.def_var(start, next);
        let more = g.b.ins().icmp(cranelift_codegen::ir::condcodes::IntCC::UnsignedLessThan, next, end);
        g.b.ins().brif(more, head, &[], exit, &[]);
        g.b.seal_block(head);
        g.b.switch_to_block(exit);
        g.b.seal_block(exit);
    }

    fn emit_run(&self, g: &mut Gen, acc: Value, lanes: Value) {
        g.acc = Some(acc);
        g.places.fill(None);
        self.compute_units(g);
        g.strip(&self.plan, &self.layout, Len::Dyn { value: lanes, fours: false }, None);
        for (store, facts) in self.facts.stores.iter().enumerate() {
            if facts.class != Class::Lane {
                g.store_scalar(store);
            }
        }
    }
}

/// The parameters of an epilogue: see `mlc_kernels::abi::EpilogueFn`.
struct Tile {
    outer: Value,
    acc: Value,
    ld: Value,
    i: Value,
    j: Value,
    rows: Value,
    cols: Value,
}

/// Compiles the epilogue's function.
pub fn define(jit: &mut Jit, name: &str, plan: &EpiloguePlan) -> FuncId {
    jit.define(name, &[I64; 9], |jit, func, context| {
        let b = FunctionBuilder::new(func, context);
        let (mut g, args) = Gen::open(jit, b, &plan.nest, &plan.facts);
        let tile = Tile {
            outer: args[1],
            acc: args[2],
            ld: args[3],
            i: args[4],
            j: args[5],
            rows: args[6],
            cols: args[7],
        };
        g.scratch = args[8];
        g.load_uniforms(&plan.uniforms);
        plan.emit(&mut g, &tile);
        g.close();
    })
}
