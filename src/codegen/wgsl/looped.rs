//! Loops over time: the dispatches of a body, once for each step.
//!
//! A device runs what it is given in order, so a loop is its body's dispatches over and over, with parameters of each
//! step's own: only places move. A carry has two places in the loop's room that take turns; what it starts from is copied
//! into the first one, so that a buffer of the body lies in the same heap at every step.

use super::group::Span;
use super::{Lack, Place, WORD};
use crate::base::{DType, Id};
use crate::graph::DRAWN_ROWS;
use crate::loops::{
    Access, Body, Buffer, BufferId, BufferKind, Kernel, KernelKind, Node, Program, Rows, Scan, ScanLayout,
    Store,
};

/// The places of a program's buffers at one of the times that it runs, and what its draws add to the upper half of
/// the step.
#[derive(Clone, Debug)]
pub struct Turn {
    pub places: Vec<Option<Place>>,
    pub late: Option<u32>,
}

/// A loop and where it works.
pub struct Looped<'a> {
    pub scan: &'a Scan,
    layout: ScanLayout,
    outer: &'a [Option<Place>],
}

impl<'a> Looped<'a> {
    /// # Errors
    /// If its body has a loop in it.
    pub fn new(scan: &'a Scan, outer: &'a [Option<Place>]) -> Result<Looped<'a>, Lack> {
        if scan.body.kernels.iter().any(|k| matches!(k.kind, KernelKind::Scan(_))) {
            return Err(Lack {
                what: "a loop over time within a loop".into(),
                limit: "shaders run one at a time: train on `--device cpu`".into(),
            });
        }
        let bytes = scan.body.buffers.iter().any(|(_, buffer)| buffer.dtype == DType::U8);
        assert!(!bytes, "wgsl: a loop works on numbers, not on bytes");
        Ok(Looped { scan, layout: ScanLayout::of(&scan.body, scan.carries), outer })
    }

    fn outer(&self, buffer: BufferId, element: usize) -> Place {
        let place = self.outer[buffer.index()].expect("wgsl: what a loop uses has a place");
        Place { word: place.word + word(element), ..place }
    }

    /// Where leaf `i` is given, for the steps up to `row`.
    fn given(&self, i: usize, row: usize) -> Place {
        let (buffer, at) = self.scan.inputs[i];
        self.outer(buffer, at + row * self.scan.leaf_len(i))
    }

    fn room(&self, bytes: usize) -> Place {
        self.outer(self.scan.room, bytes / WORD as usize)
    }

    /// Where a carry lies when `step` reads it.
    fn carry(&self, i: usize, step: usize) -> Place {
        self.room(self.layout.carries[i][step % 2])
    }

    fn result(&self, k: usize, row: usize) -> Place {
        self.outer(self.scan.out, self.scan.output_offset(k) + row * self.scan.output_len(k))
    }

    /// The places of the body's buffers, at each step.
    pub fn turns(&self) -> Vec<Turn> {
        (0..self.scan.length).map(|step| self.turn(step)).collect()
    }

    fn turn(&self, step: usize) -> Turn {
        let (scan, row) = (self.scan, self.scan.row(step));
        let mut places: Vec<Option<Place>> =
            self.layout.temps.iter().map(|at| at.map(|at| self.room(at))).collect();
        for (i, place) in places.iter_mut().take(scan.inputs.len()).enumerate() {
            *place = Some(match i {
                i if i < scan.carries => self.carry(i, step),
                i if scan.is_slice(i) => self.given(i, row),
                i => self.given(i, 0),
            });
        }
        for (k, (_, buffer)) in scan.body.outputs.iter().enumerate() {
            let place = if k < scan.carries { self.carry(k, step + 1) } else { self.result(k, row) };
            places[buffer.index()] = Some(place);
        }
        // As `ScanBody::draws` counts.
        let late = (row as u64 + 1) << (DRAWN_ROWS - u32::BITS);
        Turn { places, late: Some(u32::try_from(late).expect("wgsl: a loop has less than 2^24 steps")) }
    }

    /// What two buffers of the body must share to be in each other's way: temporaries share the room.
    pub fn spans(&self) -> Vec<Span> {
        let buffers = self.scan.body.buffers.iter().enumerate();
        let span = |(i, (_, buffer)): (usize, (BufferId, &Buffer))| match self.layout.temps[i] {
            Some(at) => at..at + buffer.bytes().max(1),
            None => self.layout.room + i..self.layout.room + i + 1,
        };
        buffers.map(span).collect()
    }

    /// Copies what carries start from to where the first step reads it.
    pub fn enter(&self) -> (Program, Turn) {
        self.copies(|i| [self.given(i, 0), self.carry(i, 0)])
    }

    /// Copies what the last step left to where it belongs.
    pub fn leave(&self) -> (Program, Turn) {
        self.copies(|i| [self.carry(i, self.scan.length), self.result(i, 0)])
    }

    fn copies(&self, places: impl Fn(usize) -> [Place; 2]) -> (Program, Turn) {
        let mut program = Program { name: "carries".into(), ..Program::default() };
        let mut turn = Turn { places: Vec::new(), late: None };
        for i in 0..self.scan.carries {
            let carry = &self.scan.body.buffers[Id::new(i)];
            let [from, to] = [(); 2].map(|()| {
                let kind = BufferKind::Temp;
                program.buffers.push(Buffer { shape: vec![carry.len()], kind, ..carry.clone() })
            });
            program.kernels.push(copy(from, to, carry.len()));
            turn.places.extend(places(i).map(Some));
        }
        (program, turn)
    }
}

fn word(elements: usize) -> u32 {
    u32::try_from(elements).expect("wgsl: a heap has less than 2^32 words")
}

fn copy(from: BufferId, to: BufferId, len: usize) -> Kernel {
    let access = |buffer| Access { buffer, offset: 0, strides: vec![1], guards: Vec::new(), fill: 0.0 };
    let mut body = Body::default();
    let value = body.nodes.push(Node::Load(access(from)));
    body.stores.push(Store { value, access: access(to) });
    let kind = KernelKind::Rows(Rows { outer: vec![len], row: Vec::new(), body });
    Kernel { label: "carry".into(), ..Kernel::of(kind) }
}
